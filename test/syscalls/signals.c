/*
 * signals.c -- signals.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <signal.h>
#include <string.h>

static long c_sigprocmask(char *p[PARAMS], bool raw)
{
	(void)raw;
	return RAW(SYS_rt_sigprocmask, SIG_BLOCK, p[0], p[1], 8L);
}

static long c_sigpending(char *p[PARAMS], bool raw)
{
	return CALL(sigpending((sigset_t *)p[0]), SYS_rt_sigpending, p[0], 8L);
}

static long c_sigtimedwait(char *p[PARAMS], bool raw)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	return CALL(sigtimedwait((sigset_t *)p[0], (siginfo_t *)p[1],
				 (struct timespec *)p[2]),
		    SYS_rt_sigtimedwait, p[0], p[1], p[2], 8L);
}

/* The kernel's struct: handler, flags, restorer, mask. SIGUSR1 stays ignored. */
static const long ignore[4] = { 1, 0, 0, 0 };
static long c_sigaction(char *p[PARAMS], bool raw)
{
	(void)raw;
	signal(SIGUSR1, SIG_IGN);
	return RAW(SYS_rt_sigaction, SIGUSR1, p[0], p[1], 8);
}

static const uint64_t empty[16];
static void on_usr2(int sig)
{
	extra[0] = sig;
}

static long c_sigsuspend(char *p[PARAMS], bool raw)
{
	struct sigaction act = { .sa_handler = on_usr2 };
	long ret, seen;
	sigset_t set;

	sigaction(SIGUSR2, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR2);
	ret = CALL(sigsuspend((sigset_t *)p[0]), SYS_rt_sigsuspend, p[0], 8);
	/* It is not to come later. */
	seen = extra[0];
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	extra[0] = seen;
	return ret;
}

static void prepare_queued(char *c[PARAMS], char *p[PARAMS])
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };

	(void)p;
	info.si_pid = getpid();
	memcpy(c[0], &info, sizeof(info));
}

CASE_RAW(sigqueue, SYS_rt_sigqueueinfo, getpid(), SIGUSR1, p[0])
CASE_RAW(tgsigqueue, SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, p[0])
CASE_RAW(pidfd_signal, SYS_pidfd_send_signal,
	 syscall(SYS_pidfd_open, getpid(), 0), SIGUSR1, p[0], 0)

/* Too small: ENOMEM, when it was read. */
static const long small_stack[3] = { 0, 0, 1 };
CASE(sigaltstack, sigaltstack((stack_t *)p[0], NULL), SYS_sigaltstack, p[0],
     NULL)
CASE(sigaltstack_old, sigaltstack(NULL, (stack_t *)p[0]), SYS_sigaltstack, NULL,
     p[0])

/* clang-format off */
const struct test signals_tests[] = {
	TR(sigprocmask, STRUCT(mask_usr1), OUT(8)),
	T(sigpending, OUT(8)),
	T(sigtimedwait, STRUCT(mask_usr1), TIME(sizeof(siginfo_t)), STRUCT(moment)),
	TR(sigaction, STRUCT(ignore), OUT(32)), T(sigsuspend, STRUCT(empty)),
	T_(sigqueue, prepare_queued, RAW_ONLY, OUT(128)),
	T_(tgsigqueue, prepare_queued, RAW_ONLY, OUT(128)),
	T_(pidfd_signal, prepare_queued, RAW_ONLY, OUT(128)),
	T(sigaltstack, STRUCT(small_stack)), T(sigaltstack_old, TIME(24)),
	END_OF_TESTS,
};
/* clang-format on */
