/*
 * mask.c -- signal masks: the program reads back what it set, SIGSEGV is
 * never really blocked. See signal.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"
#include "signal.h"

#include "../os.h"
#include "../own.h"
#include "../syscall/copy.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <ucontext.h>

#define TLS __thread __attribute__((tls_model("initial-exec")))
/* Of this thread's mask, what the kernel was not told, when it was told the
 * rest. Where the kernel has another mask now, a handler or a jump is between
 * the two. */
static TLS uint64_t hidden, told;

#define SEGV (lm_signal_bit(SIGSEGV))
#define STAND_IN (lm_signal_bit(LM_STAND_IN))

uint64_t lm_mask_to_kernel(uint64_t bits)
{
	return (bits & ~(STAND_IN | SEGV)) | (bits & SEGV ? STAND_IN : 0);
}

uint64_t lm_mask_from_kernel(uint64_t bits)
{
	return (bits & ~STAND_IN) | (bits & STAND_IN ? SEGV : 0);
}

/* Signals that nobody blocks but with all the others. */
#define RARE                                                                   \
	(lm_signal_bit(SIGPWR) | lm_signal_bit(SIGXFSZ) |                      \
	 lm_signal_bit(SIGURG) | lm_signal_bit(SIGVTALRM))
/* What the kernel takes out of every set, and what glibc does of its own. */
#define NEVER (lm_signal_bit(SIGKILL) | lm_signal_bit(SIGSTOP))
#define OF_LIBC (lm_signal_bit(32) | lm_signal_bit(33))

/* This thread's mask, as the program knows it. */
static uint64_t current(uint64_t kernel)
{
	uint64_t bits = lm_mask_from_kernel(kernel);

	if (kernel == LM_OWN(told))
		bits |= LM_OWN(hidden);
	else if ((bits & RARE) == RARE && bits & SEGV)
		bits |= STAND_IN;
	return bits;
}

sigset_t lm_mask_in(const sigset_t *set)
{
	sigset_t kernel = *set;

	lm_signal_put_bits(&kernel, lm_mask_to_kernel(lm_signal_bits(set)));
	return kernel;
}

void lm_mask_out(sigset_t *set)
{
	lm_signal_put_bits(set, lm_mask_from_kernel(lm_signal_bits(set)));
}

static uint64_t changed(int how, uint64_t from, uint64_t bits)
{
	if (how == SIG_BLOCK)
		return from | bits;
	if (how == SIG_UNBLOCK)
		return from & ~bits;
	return bits;
}

/* `kernel`: what the kernel's mask was. */
static void remember(int how, uint64_t kernel, uint64_t bits)
{
	LM_OWN(hidden) = changed(how, current(kernel), bits) & STAND_IN;
	LM_OWN(told) = changed(how, kernel, lm_mask_to_kernel(bits)) & ~NEVER;
}

int lm_mask_change(int how, const uint64_t *set, uint64_t *old)
{
	uint64_t in = set ? lm_mask_to_kernel(*set) : 0, out = 0;
	int ret = (int)lm_sys(SYS_rt_sigprocmask, how, set ? &in : NULL, &out,
			      sizeof(in));

	if (ret < 0)
		return ret;
	*old = current(out);
	if (set)
		remember(how, out, *set);
	return 0;
}

void lm_mask_hand(struct lm_own_task *task)
{
	LM_OWN_OF(task, hidden) = LM_OWN(hidden);
	LM_OWN_OF(task, told) = LM_OWN(told);
}

/* The sets may be in lazy memory, the same one or bad: touched once each, here,
 * as the kernel would, the old one last. */
static int change(int how, const sigset_t *set, sigset_t *old)
{
	uint64_t bits = set ? lm_signal_bits(set) & ~OF_LIBC : 0, before;
	int ret = lm_mask_change(how, set ? &bits : NULL, &before);

	if (!ret && old)
		lm_signal_put_bits(old, before);
	return -ret;
}

LM_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	int error = change(how, set, old);

	if (!error)
		return 0;
	errno = error;
	return -1;
}

LM_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return change(how, set, old);
}

LM_EXPORT int sigpending(sigset_t *set)
{
	int ret = REAL(sigpending)(set);

	if (!ret)
		lm_mask_out(set);
	return ret;
}

/* -- For the time of a call ---------------------------------------------------- */

/* As much of a set as the kernel reads, where it can be read: 0 or -EFAULT. */
static int read_set(sigset_t *to, const sigset_t *set)
{
	uint64_t bits;

	if (lm_copy(&bits, (uintptr_t)set, sizeof(bits)) < 0)
		return -EFAULT;
	sigemptyset(to);
	lm_signal_put_bits(to, bits);
	return 0;
}

/* The mask for the kernel, or NULL; or one of which it says EFAULT. */
static const sigset_t *given(const sigset_t *set, sigset_t *room)
{
	if (!set || read_set(room, set) < 0)
		return set;
	*room = lm_mask_in(room);
	return room;
}

LM_EXPORT int sigsuspend(const sigset_t *set)
{
	sigset_t room;

	return REAL(sigsuspend)(given(set, &room));
}

static int poll_with(struct pollfd *fds, nfds_t count,
		     const struct timespec *timeout, const sigset_t *set)
{
	LM_PINNED(int,
		  lm_call_pin(pins, SYS_ppoll, LM_LONGS(fds, count, timeout)),
		  REAL(ppoll)(fds, count, timeout, set));
}

LM_EXPORT int ppoll(struct pollfd *fds, nfds_t count,
		    const struct timespec *timeout, const sigset_t *set)
{
	sigset_t room;

	return poll_with(fds, count, timeout, given(set, &room));
}

int __ppoll_chk(struct pollfd *fds, nfds_t count,
		const struct timespec *timeout, const sigset_t *set,
		size_t size);
LM_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count,
			  const struct timespec *timeout, const sigset_t *set,
			  size_t size)
{
	/* Too few of them: libc's message and end. */
	if (size / sizeof(*fds) < count)
		return REAL(__ppoll_chk)(fds, count, timeout, set, size);
	return ppoll(fds, count, timeout, set);
}

static int select_with(int count, fd_set *in, fd_set *out, fd_set *bad,
		       const struct timespec *timeout, const sigset_t *set)
{
	LM_PINNED(int,
		  lm_call_pin(pins, SYS_pselect6,
			      LM_LONGS(count, in, out, bad, timeout)),
		  REAL(pselect)(count, in, out, bad, timeout, set));
}

LM_EXPORT int pselect(int count, fd_set *in, fd_set *out, fd_set *bad,
		      const struct timespec *timeout, const sigset_t *set)
{
	sigset_t room;

	return select_with(count, in, out, bad, timeout, given(set, &room));
}

static int epoll_with(int fd, struct epoll_event *events, int max, int timeout,
		      const sigset_t *set)
{
	LM_PINNED(int,
		  lm_call_pin(pins, SYS_epoll_pwait, LM_LONGS(fd, events, max)),
		  REAL(epoll_pwait)(fd, events, max, timeout, set));
}

LM_EXPORT int epoll_pwait(int fd, struct epoll_event *events, int max,
			  int timeout, const sigset_t *set)
{
	sigset_t room;

	return epoll_with(fd, events, max, timeout, given(set, &room));
}

static int epoll2_with(int fd, struct epoll_event *events, int max,
		       const struct timespec *timeout, const sigset_t *set)
{
	LM_PINNED(int,
		  lm_call_pin(pins, SYS_epoll_pwait2,
			      LM_LONGS(fd, events, max, timeout)),
		  REAL(epoll_pwait2)(fd, events, max, timeout, set));
}

LM_EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int max,
			   const struct timespec *timeout, const sigset_t *set)
{
	sigset_t room;

	return epoll2_with(fd, events, max, timeout, given(set, &room));
}

/* -- Waiting for signals ------------------------------------------------------- */

/* A set of signals to wait for: the stand-in with SIGSEGV, and where it is
 * wanted for itself. */
static sigset_t awaited(const sigset_t *set)
{
	uint64_t bits = lm_signal_bits(set);
	sigset_t kernel = *set;

	lm_signal_put_bits(&kernel,
			   (bits & ~SEGV) | (bits & SEGV ? STAND_IN : 0));
	return kernel;
}

/* A SIGSEGV that came meanwhile has ended the wait by lazymap's handler, which
 * then made it the stand-in: it is to be had now. */
int lm_mask_wait(int (*wait)(const sigset_t *set, siginfo_t *info,
			     const struct timespec *timeout),
		 const sigset_t *set, siginfo_t *info,
		 const struct timespec *timeout)
{
	static const struct timespec now;
	sigset_t in = awaited(set);
	int ret = wait(&in, info, timeout);

	if (ret == -EINTR && lm_signal_bits(set) & SEGV) {
		ret = wait(&in, info, &now);
		if (ret < 0)
			ret = -EINTR;
	}
	return ret == LM_STAND_IN ? lm_signal_unmask(info) : ret;
}

static int wait_by_libc(const sigset_t *set, siginfo_t *info,
			const struct timespec *timeout)
{
	int ret = REAL(sigtimedwait)(set, info, timeout);

	return ret < 0 ? -errno : ret;
}

LM_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info,
			   const struct timespec *timeout)
{
	struct timespec copy;
	siginfo_t mine;
	sigset_t room;
	int ret = read_set(&room, set);

	if (!ret && timeout)
		ret = lm_copy(&copy, (uintptr_t)timeout, sizeof(copy));
	if (!ret)
		ret = lm_mask_wait(wait_by_libc, &room, &mine,
				   timeout ? &copy : NULL);
	/* The signal has been taken, as the kernel has it. */
	if (ret > 0 && info &&
	    lm_copy_out((uintptr_t)info, &mine, sizeof(mine)) < 0)
		ret = -EFAULT;
	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	return ret;
}

LM_EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	return sigtimedwait(set, info, NULL);
}

LM_EXPORT int sigwait(const sigset_t *set, int *sig)
{
	siginfo_t info;
	sigset_t room;
	int saved = errno, ret = read_set(&room, set);

	if (ret < 0)
		return -ret;
	do
		ret = lm_mask_wait(wait_by_libc, &room, &info, NULL);
	while (ret == -EINTR);
	if (ret > 0)
		*sig = ret;
	errno = saved;
	return ret > 0 ? 0 : -ret;
}

/* There is a descriptor that is read for SIGSEGV. */
static _Atomic int read_for_it;

int lm_mask_descriptor(int (*descriptor)(int fd, const sigset_t *set,
					 int flags),
		       int fd, const sigset_t *set, int flags)
{
	sigset_t in = awaited(set);
	int ret = descriptor(fd, &in, flags);

	if (ret >= 0 && lm_signal_bits(set) & SEGV)
		atomic_store(&read_for_it, 1);
	return ret;
}

static int descriptor_by_libc(int fd, const sigset_t *set, int flags)
{
	return REAL(signalfd)(fd, set, flags);
}

LM_EXPORT int signalfd(int fd, const sigset_t *set, int flags)
{
	sigset_t room;

	if (read_set(&room, set) < 0) {
		errno = EFAULT;
		return -1;
	}
	return lm_mask_descriptor(descriptor_by_libc, fd, &room, flags);
}

void lm_mask_read(void *buf, ssize_t len)
{
	struct signalfd_siginfo *info = buf;

	if (!atomic_load_explicit(&read_for_it, memory_order_relaxed) ||
	    len <= 0 || (size_t)len % sizeof(*info))
		return;
	for (; len > 0; len -= (ssize_t)sizeof(*info), info++)
		if (info->ssi_signo == LM_STAND_IN &&
		    info->ssi_errno == LM_STAND_IN_MARK) {
			info->ssi_signo = SIGSEGV;
			info->ssi_errno = 0;
		}
}

/* -- Masks of other things ----------------------------------------------------- */

LM_EXPORT int pthread_attr_setsigmask_np(pthread_attr_t *attr,
					 const sigset_t *set)
{
	sigset_t in;

	if (set)
		in = lm_mask_in(set);
	return REAL(pthread_attr_setsigmask_np)(attr, set ? &in : NULL);
}

LM_EXPORT int pthread_attr_getsigmask_np(const pthread_attr_t *attr,
					 sigset_t *set)
{
	int ret = REAL(pthread_attr_getsigmask_np)(attr, set);

	if (!ret)
		lm_mask_out(set);
	return ret;
}

/* A context whose mask the program has made itself. What the kernel saved has
 * neither of these, and is left alone. */
static void sanitize(const ucontext_t *context)
{
	sigset_t *set = (sigset_t *)&context->uc_sigmask;
	uint64_t bits = lm_signal_bits(set);

	if (bits & SEGV)
		lm_signal_put_bits(set, (bits & ~SEGV) | STAND_IN);
}

LM_EXPORT int setcontext(const ucontext_t *context)
{
	sanitize(context);
	return REAL(setcontext)(context);
}

LM_EXPORT int swapcontext(ucontext_t *old, const ucontext_t *context)
{
	sanitize(context);
	return REAL(swapcontext)(old, context);
}

/* -- Across exec --------------------------------------------------------------- */

uint64_t lm_mask_exec(void)
{
	uint64_t mask = lm_os_block_signals();

	lm_os_restore_signals(current(mask));
	return mask;
}

void lm_mask_exec_failed(uint64_t mask)
{
	lm_os_restore_signals(mask);
}

/* What this program began with: exec hands the mask down. */
void lm_mask_start(void)
{
	uint64_t mask = lm_os_block_signals();

	LM_OWN(hidden) = mask & STAND_IN;
	LM_OWN(told) = lm_mask_to_kernel(mask);
	lm_os_restore_signals(told);
}
