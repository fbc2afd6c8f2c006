/*
 * misc.c -- other calls that fill or read a struct of the caller's, and
 * syscall() itself.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"
#include "signal.h"

#include "../served.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* One word for the three ways of taking the argument that may be missing. */
#define WORD(last)                                                             \
	({                                                                     \
		va_list more_;                                                 \
		long word_;                                                    \
                                                                               \
		va_start(more_, last);                                         \
		word_ = va_arg(more_, long);                                   \
		va_end(more_);                                                 \
		word_;                                                         \
	})

/* Who serves faults of a range is to be asked for what the program touches, and
 * for nothing that is only guessed: our handler would wait for it. What it places
 * there is shown before (lib/syscall/commands.c), and is not evicted. */
static int serve(int fd, struct uffdio_register *served)
{
	struct uffdio_range range;
	int ret;

	lm_served_begin();
	ret = REAL(ioctl)(fd, UFFDIO_REGISTER, served);
	range = ret ? (struct uffdio_range){ 0 } : served->range;
	lm_served_end((uintptr_t)range.start, range.len, ret == 0);
	return ret;
}

static int unserve(int fd, struct uffdio_range *served)
{
	int ret = REAL(ioctl)(fd, UFFDIO_UNREGISTER, served);

	if (ret == 0)
		lm_served_no_more((uintptr_t)served->start, served->len);
	return ret;
}

static int make_ioctl(int fd, unsigned long request, long word)
{
	if (request == UFFDIO_REGISTER && !lm_shim_off())
		return serve(fd, (struct uffdio_register *)word);
	if (request == UFFDIO_UNREGISTER && !lm_shim_off())
		return unserve(fd, (struct uffdio_range *)word);
	return REAL(ioctl)(fd, request, word);
}

LM_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	long word = WORD(request);
	struct lm_call_pins pins;
	int ret;

	lm_call_pin(&pins, SYS_ioctl, LM_LONGS(fd, request, word));
	ret = make_ioctl(fd, request, word);
	lm_call_unpin(&pins);
	return ret;
}

/*
 * What cannot be made from here: a child that returns on another stack than
 * ours, the end of a handler.
 */
static int untouchable(long nr)
{
	switch (nr) {
	case SYS_clone:
#ifdef SYS_clone3
	case SYS_clone3:
#endif
#ifdef SYS_vfork
	case SYS_vfork:
#endif
	case SYS_rt_sigreturn:
		return 1;
	}
	return 0;
}

static long result(long ret)
{
	if (ret >= 0 || ret < -4095)
		return ret;
	errno = (int)-ret;
	return -1;
}

/* Calls that are interposed for more than their memory. */
static bool interposed(long nr, const long args[6], long *ret)
{
	if (lm_fork_raw(nr, args, ret)) {
		*ret = result(*ret);
		return true;
	}
	switch (nr) {
	case SYS_ioctl:
		*ret = ioctl((int)args[0], (unsigned long)args[1], args[2]);
		return true;
	case SYS_close:
		*ret = close((int)args[0]);
		return true;
#ifdef SYS_close_range
	case SYS_close_range:
		*ret = close_range((unsigned)args[0], (unsigned)args[1],
				   (int)args[2]);
		return true;
#endif
#ifdef SYS_dup2
	case SYS_dup2:
		*ret = dup2((int)args[0], (int)args[1]);
		return true;
#endif
	case SYS_dup3:
		*ret = dup3((int)args[0], (int)args[1], (int)args[2]);
		return true;
	case SYS_open:
		lm_process_look(AT_FDCWD, (const char *)args[0]);
		return false;
	case SYS_openat:
		lm_process_look((int)args[0], (const char *)args[1]);
		return false;
	case SYS_unshare:
		*ret = unshare((int)args[0]);
		return true;
	case SYS_setns:
		*ret = setns((int)args[0], (int)args[1]);
		return true;
	}
	return false;
}

LM_EXPORT long syscall(long nr, ...)
{
	long args[6], ret;
	va_list more;

	va_start(more, nr);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(more, long);
	va_end(more);
	if (interposed(nr, args, &ret))
		return ret;
	if (lm_raw_call(nr, args, &ret))
		return result(ret);
	if (untouchable(nr))
		lm_call_present(nr, args);
	if (untouchable(nr) || !lm_call_any())
		ret = REAL(syscall)(nr, args[0], args[1], args[2], args[3],
				    args[4], args[5]);
	else
		ret = result(lm_call(nr, args));
	if (nr == SYS_read)
		lm_mask_read((void *)args[1], ret);
	return ret;
}

/* clang-format off */
LM_CALL(ssize_t, getrandom, SYS_getrandom, (void *buf, size_t len, unsigned flags), buf, len, flags)
LM_CALL_AS(int, getentropy, SYS_getrandom, (void *buf, size_t len), (buf, len), buf, len)
LM_CALL(int, uname, SYS_uname, (struct utsname *name), name)
LM_CALL(int, sysinfo, SYS_sysinfo, (struct sysinfo *info), info)
LM_CALL(clock_t, times, SYS_times, (struct tms *buf), buf)
LM_CALL(int, getrusage, SYS_getrusage, (__rusage_who_t who, struct rusage *usage), who, usage)
LM_CALL(int, getrlimit, SYS_getrlimit, (__rlimit_resource_t what, struct rlimit *limit), what, limit)
LM_CALL(int, getrlimit64, SYS_getrlimit, (__rlimit_resource_t what, struct rlimit64 *limit), what, limit)
LM_CALL(int, setrlimit, SYS_setrlimit, (__rlimit_resource_t what, const struct rlimit *limit), what, limit)
LM_CALL(int, setrlimit64, SYS_setrlimit, (__rlimit_resource_t what, const struct rlimit64 *limit), what, limit)
LM_CALL_AS(int, prlimit, SYS_prlimit64, (pid_t pid, enum __rlimit_resource what, const struct rlimit *new, struct rlimit *old), (pid, what, new, old), pid, what, new, old)
LM_CALL(int, getitimer, SYS_getitimer, (__itimer_which_t which, struct itimerval *now), which, now)
LM_CALL(int, setitimer, SYS_setitimer, (__itimer_which_t which, const struct itimerval *new, struct itimerval *old), which, new, old)
LM_CALL(int, getgroups, SYS_getgroups, (int count, gid_t list[]), count, list)
LM_CALL(int, pipe, SYS_pipe, (int fds[2]), fds)
LM_CALL(int, pipe2, SYS_pipe2, (int fds[2], int flags), fds, flags)
