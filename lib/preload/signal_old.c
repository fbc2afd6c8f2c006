/*
 * signal_old.c -- the older calls for signals, by way of the newer ones: those
 * inside the C library would reach the kernel past us.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "preload.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#undef sigpause
#undef sigmask

/* Signals that siginterrupt() made end system calls. Atomic. */
static _Atomic uint64_t interrupting;

static int valid(int sig)
{
	return sig >= 1 && sig <= 64;
}

static sighandler_t set(int sig, sighandler_t handler, int flags, int mask)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = flags };
	struct sigaction old;

	sigemptyset(&act.sa_mask);
	if (mask)
		sigaddset(&act.sa_mask, sig);
	return sigaction(sig, &act, &old) < 0 ? SIG_ERR : old.sa_handler;
}

LM_EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	int flags = SA_RESTART;

	if (!valid(sig) || handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (atomic_load(&interrupting) & (uint64_t)1 << (sig - 1))
		flags = 0;
	return set(sig, handler, flags, 1);
}

sighandler_t bsd_signal(int sig, sighandler_t handler);
LM_EXPORT sighandler_t bsd_signal(int sig, sighandler_t handler)
{
	return signal(sig, handler);
}

LM_EXPORT sighandler_t ssignal(int sig, sighandler_t handler)
{
	return signal(sig, handler);
}

LM_EXPORT sighandler_t sysv_signal(int sig, sighandler_t handler)
{
	if (!valid(sig) || handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	return set(sig, handler, (int)SA_RESETHAND | SA_NODEFER, 0);
}

LM_EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler)
{
	return sysv_signal(sig, handler);
}

LM_EXPORT int siginterrupt(int sig, int interrupt)
{
	struct sigaction act;

	if (!valid(sig)) {
		errno = EINVAL;
		return -1;
	}
	if (sigaction(sig, NULL, &act) < 0)
		return -1;
	if (interrupt) {
		atomic_fetch_or(&interrupting, (uint64_t)1 << (sig - 1));
		act.sa_flags &= ~SA_RESTART;
	} else {
		atomic_fetch_and(&interrupting, ~((uint64_t)1 << (sig - 1)));
		act.sa_flags |= SA_RESTART;
	}
	return sigaction(sig, &act, NULL);
}

/* -- System V ------------------------------------------------------------------ */

static int mask_one(int how, int sig, int *was)
{
	sigset_t one, old;

	sigemptyset(&one);
	if (sigaddset(&one, sig) < 0 || sigprocmask(how, &one, &old) < 0)
		return -1;
	if (was)
		*was = sigismember(&old, sig);
	return 0;
}

LM_EXPORT sighandler_t sigset(int sig, sighandler_t handler)
{
	struct sigaction old;
	sighandler_t before;
	int held;

	if (handler == SIG_ERR || !valid(sig)) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (handler == SIG_HOLD) {
		if (mask_one(SIG_BLOCK, sig, &held) < 0)
			return SIG_ERR;
		if (held)
			return SIG_HOLD;
		return sigaction(sig, NULL, &old) < 0 ? SIG_ERR
						      : old.sa_handler;
	}
	before = set(sig, handler, 0, 0);
	if (before == SIG_ERR || mask_one(SIG_UNBLOCK, sig, &held) < 0)
		return SIG_ERR;
	return held ? SIG_HOLD : before;
}

LM_EXPORT int sighold(int sig)
{
	return mask_one(SIG_BLOCK, sig, NULL);
}

LM_EXPORT int sigrelse(int sig)
{
	return mask_one(SIG_UNBLOCK, sig, NULL);
}

LM_EXPORT int sigignore(int sig)
{
	return set(sig, SIG_IGN, 0, 0) == SIG_ERR ? -1 : 0;
}

/* -- BSD: masks in an int ------------------------------------------------------ */

static sigset_t from_int(int mask)
{
	sigset_t wide;
	unsigned narrow = (unsigned)mask;

	sigemptyset(&wide);
	memcpy(&wide, &narrow, sizeof(narrow));
	return wide;
}

static int to_int(const sigset_t *wide)
{
	int mask;

	memcpy(&mask, wide, sizeof(mask));
	return mask;
}

static int change(int how, int mask)
{
	sigset_t wide = from_int(mask), old;

	return sigprocmask(how, &wide, &old) < 0 ? -1 : to_int(&old);
}

LM_EXPORT int sigblock(int mask)
{
	return change(SIG_BLOCK, mask);
}

LM_EXPORT int sigsetmask(int mask)
{
	return change(SIG_SETMASK, mask);
}

LM_EXPORT int siggetmask(void)
{
	return change(SIG_BLOCK, 0);
}

int __sigpause(int sig_or_mask, int is_sig);
LM_EXPORT int __sigpause(int sig_or_mask, int is_sig)
{
	sigset_t wide = from_int(sig_or_mask);

	if (is_sig && (sigprocmask(SIG_BLOCK, NULL, &wide) < 0 ||
		       sigdelset(&wide, sig_or_mask) < 0))
		return -1;
	return sigsuspend(&wide);
}

/* <signal.h> gives the name to the other one of the two. */
int lm_sigpause(int mask) __asm__("sigpause");
LM_EXPORT int lm_sigpause(int mask)
{
	return __sigpause(mask, 0);
}

int __xpg_sigpause(int sig);
LM_EXPORT int __xpg_sigpause(int sig)
{
	return __sigpause(sig, 1);
}
