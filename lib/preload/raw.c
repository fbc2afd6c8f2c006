/*
 * raw.c -- signal calls that the program makes past the C library's functions,
 * and its end: by syscall(), or by a system call that a hook has caught. They end
 * in what the functions end in, with the kernel's structs and the kernel's order
 * of what is refused. Where there is nothing to do for it, or it is to be
 * refused, the kernel is given the call as it is.
 *
 * And io_uring's, which no function of the C library makes: the kernel would use
 * lazy memory when nobody looks. There is none, as in an older kernel or many a
 * container, and programs do without; always, for who has no lazy memory yet may
 * map some while the ring is there.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"
#include "signal.h"

#include "../os_linux.h"
#include "../syscall/copy.h"
#include "../syscall/self.h"
#include "../syscall/truncate.h"
#include "../trap/action.h"

#include <sys/prctl.h>

#define SET sizeof(uint64_t) /* the kernel's sigset_t */

static bool copied_in(void *to, long from, size_t len)
{
	return from && lm_copy(to, (uintptr_t)from, len) == 0;
}

/* -EFAULT after the call is done, as the kernel has it. */
static long copied_out(long to, const void *from, size_t len, long result)
{
	if (to && lm_copy_out((uintptr_t)to, from, len) < 0)
		return -EFAULT;
	return result;
}

static bool action(const long args[6], long *result)
{
	struct lm_action act, old;
	struct sigaction new, was;

	if (args[3] != SET)
		return false;
	if (args[1]) {
		if (!copied_in(&act, args[1], sizeof(act)))
			return false;
		lm_action_to_libc(&act, &new);
	}
	*result = lm_signal_action((int)args[0], args[1] ? &new : NULL, &was,
				   true);
	if (*result < 0)
		return true;
	lm_action_from_libc(&was, &old);
	*result = copied_out(args[2], &old, sizeof(old), *result);
	return true;
}

static bool mask(const long args[6], long *result)
{
	uint64_t set = 0, old = 0;

	if (args[3] != SET || (args[1] && !copied_in(&set, args[1], SET)))
		return false;
	*result = lm_mask_change((int)args[0], args[1] ? &set : NULL, &old);
	if (*result == 0)
		*result = copied_out(args[2], &old, SET, 0);
	return true;
}

static bool pending(const long args[6], long *result)
{
	uint64_t set = 0;

	if ((size_t)args[1] > SET)
		return false;
	*result = lm_sys(SYS_rt_sigpending, &set, SET);
	set = lm_mask_from_kernel(set);
	if (*result == 0 &&
	    lm_copy_out((uintptr_t)args[0], &set, (size_t)args[1]) < 0)
		*result = -EFAULT;
	return true;
}

static bool stack(const long args[6], long *result)
{
	stack_t new, old;

	if (args[0] && !copied_in(&new, args[0], sizeof(new)))
		return false;
	*result = lm_stack_alternate(args[0] ? &new : NULL, &old);
	if (*result == 0)
		*result = copied_out(args[1], &old, sizeof(old), 0);
	return true;
}

/* -- A mask for the time of a call --------------------------------------------- */

/* Argument i is a set, and the next one its size. */
static bool with_mask(long nr, const long args[6], int i, long *result)
{
	long kernel[6];
	uint64_t set;

	if (args[i + 1] != SET || !copied_in(&set, args[i], SET))
		return false;
	memcpy(kernel, args, sizeof(kernel));
	set = lm_mask_to_kernel(set);
	kernel[i] = (long)&set;
	*result = lm_call(nr, kernel);
	return true;
}

/* Argument 5 points to both. */
static bool with_pair(long nr, const long args[6], long *result)
{
	long kernel[6], pair[2];
	uint64_t set;

	if (!copied_in(pair, args[5], sizeof(pair)) || pair[1] != SET ||
	    !copied_in(&set, pair[0], SET))
		return false;
	memcpy(kernel, args, sizeof(kernel));
	set = lm_mask_to_kernel(set);
	pair[0] = (long)&set;
	kernel[5] = (long)pair;
	*result = lm_call(nr, kernel);
	return true;
}

/* -- Waiting for signals ------------------------------------------------------- */

static int wait_raw(const sigset_t *set, siginfo_t *info,
		    const struct timespec *timeout)
{
	return (int)lm_call(SYS_rt_sigtimedwait,
			    LM_LONGS(set, info, timeout, SET));
}

static bool timed_wait(const long args[6], long *result)
{
	siginfo_t info;
	sigset_t set;

	if (args[3] != SET || !copied_in(&set, args[0], SET))
		return false;
	*result = lm_mask_wait(wait_raw, &set, &info,
			       (const struct timespec *)args[2]);
	if (*result > 0)
		*result = copied_out(args[1], &info, sizeof(info), *result);
	return true;
}

static int descriptor_raw(int fd, const sigset_t *set, int flags)
{
	return (int)lm_sys(SYS_signalfd4, fd, set, SET, flags);
}

static bool descriptor(const long args[6], int flags, long *result)
{
	sigset_t set;

	if (args[2] != SET || !copied_in(&set, args[1], SET))
		return false;
	*result = lm_mask_descriptor(descriptor_raw, (int)args[0], &set, flags);
	return true;
}

/* -- Filters of the program's own ---------------------------------------------- */

static long call_seccomp(const long args[6])
{
	return lm_call(SYS_seccomp, args);
}

static long call_prctl(const long args[6])
{
	return lm_call(SYS_prctl, args);
}

/* SECCOMP_SET_MODE_STRICT is 0, SECCOMP_SET_MODE_FILTER 1. */
static bool filter(long nr, const long args[6], long *result)
{
	if (nr == SYS_prctl ? (int)args[0] != PR_SET_SECCOMP
			    : (unsigned)args[0] > 1)
		return false;
	*result = lm_process_filter(nr == SYS_prctl ? call_prctl : call_seccomp,
				    args);
	return true;
}

/* -- All of them --------------------------------------------------------------- */

static bool make(long nr, const long args[6], long *result)
{
	switch (nr) {
	case SYS_rt_sigaction:
		return action(args, result);
	case SYS_rt_sigprocmask:
		return mask(args, result);
	case SYS_rt_sigpending:
		return pending(args, result);
	case SYS_sigaltstack:
		return stack(args, result);
	case SYS_rt_sigsuspend:
		return with_mask(nr, args, 0, result);
	case SYS_ppoll:
		return with_mask(nr, args, 3, result);
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return with_mask(nr, args, 4, result);
	case SYS_pselect6:
	case SYS_io_pgetevents:
		return with_pair(nr, args, result);
	case SYS_rt_sigtimedwait:
		return timed_wait(args, result);
	case SYS_signalfd:
		return descriptor(args, 0, result);
	case SYS_signalfd4:
		return descriptor(args, (int)args[3], result);
	case SYS_execve:
	case SYS_execveat:
		return lm_exec_raw(nr, args, result);
#ifdef SYS_fork
	case SYS_fork:
		return lm_fork_raw(nr, args, result);
#endif
	case SYS_ftruncate:
	case SYS_truncate:
	case SYS_fallocate:
	case SYS_openat:
	case SYS_open:
	case SYS_creat:
		return lm_truncate_call(nr, args, result);
	case SYS_lseek:
		lm_self_sought(args[1]);
		return false;
	case SYS_prctl:
	case SYS_seccomp:
		return filter(nr, args, result);
	case SYS_set_robust_list:
		lm_robust_other();
		return false;
	case SYS_exit:
		lm_process_left();
		return false;
	case SYS_exit_group:
		lm_shim_end();
		return false;
	case SYS_io_uring_setup:
	case SYS_io_uring_enter:
	case SYS_io_uring_register:
		*result = -ENOSYS;
		return !lm_shim_io_uring();
	}
	return false;
}

bool lm_raw_call(long nr, const long args[6], long *result)
{
	int saved = errno;
	bool made;

	if (!lm_table_shims(nr) || lm_shim_off())
		return false;
	made = make(nr, args, result);
	errno = saved;
	return made;
}
