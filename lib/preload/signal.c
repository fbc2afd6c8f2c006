/*
 * signal.c -- the program's SIGSEGV action is kept by lazymap, and SIGSEGV and
 * SIGBUS are never really blocked: a touch of lazy memory would be fatal.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "preload.h"

#include "../trap/trap.h"

#include <pthread.h>
#include <signal.h>

LM_EXPORT int sigaction(int sig, const struct sigaction *act,
			struct sigaction *old)
{
	struct sigaction stripped;

	if (lm_trap_sigaction(sig, act, old))
		return 0;
	if (act && (sigismember(&act->sa_mask, SIGSEGV) == 1)) {
		stripped = *act;
		sigdelset(&stripped.sa_mask, SIGSEGV);
		act = &stripped;
	}
	return REAL(sigaction)(sig, act, old);
}

static sighandler_t set_handler(int sig, sighandler_t handler, int flags)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = flags };
	struct sigaction old;

	sigemptyset(&act.sa_mask);
	if (!(flags & (int)SA_RESETHAND))
		sigaddset(&act.sa_mask, sig);
	if (sigaction(sig, &act, &old) < 0)
		return SIG_ERR;
	return old.sa_handler;
}

LM_EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	if (sig != SIGSEGV)
		return REAL(signal)(sig, handler);
	return set_handler(sig, handler, SA_RESTART);
}

sighandler_t bsd_signal(int sig, sighandler_t handler);
LM_EXPORT sighandler_t bsd_signal(int sig, sighandler_t handler)
{
	return signal(sig, handler);
}

sighandler_t sysv_signal(int sig, sighandler_t handler);
LM_EXPORT sighandler_t sysv_signal(int sig, sighandler_t handler)
{
	if (sig != SIGSEGV)
		return REAL(sysv_signal)(sig, handler);
	return set_handler(sig, handler, (int)SA_RESETHAND | SA_NODEFER);
}

/* Whether the program believes SIGSEGV blocked in this thread. */
static __thread int believed __attribute__((tls_model("initial-exec")));

static void believe(int how, const sigset_t *set, sigset_t *stripped)
{
	int there = sigismember(set, SIGSEGV) == 1;

	*stripped = *set;
	switch (how) {
	case SIG_BLOCK:
		believed |= there;
		break;
	case SIG_UNBLOCK:
		believed &= !there;
		return;
	case SIG_SETMASK:
		believed = there;
		break;
	}
	sigdelset(stripped, SIGSEGV);
}

#define MASK_CALL(name)                                                        \
	LM_EXPORT int name(int how, const sigset_t *set, sigset_t *old)        \
	{                                                                      \
		int before = believed, ret;                                    \
		sigset_t stripped, was;                                        \
                                                                               \
		if (set)                                                       \
			believe(how, set, &stripped);                          \
		ret = REAL(name)(how, set ? &stripped : NULL, &was);           \
		if (ret)                                                       \
			believed = before;                                     \
		else if (before)                                               \
			sigaddset(&was, SIGSEGV);                              \
		if (!ret && old)                                               \
			*old = was;                                            \
		return ret;                                                    \
	}

MASK_CALL(sigprocmask)
MASK_CALL(pthread_sigmask)

/* The kernel pushes a signal's frame without faulting lazy pages in: an
 * alternate stack is present, and stays so. */
LM_EXPORT int sigaltstack(const stack_t *new, stack_t *old)
{
	if (new && !(new->ss_flags &SS_DISABLE) &&
	    lm_access_lazy((uintptr_t) new->ss_sp, new->ss_size))
		lm_access_pin((uintptr_t) new->ss_sp, new->ss_size, 1);
	return REAL(sigaltstack)(new, old);
}
