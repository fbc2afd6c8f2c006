/*
 * signals.c -- signals.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <signal.h>

static long c_sigprocmask(char *p[PARAMS], bool raw)
{
	(void)raw;
	return syscall(SYS_rt_sigprocmask, SIG_BLOCK, p[0], p[1], 8L);
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

/* clang-format off */
const struct test signals_tests[] = {
	TR(sigprocmask, STRUCT(mask_usr1), OUT(8)),
	T(sigpending, OUT(8)),
	T(sigtimedwait, STRUCT(mask_usr1), TIME(sizeof(siginfo_t)), STRUCT(moment)),
	END_OF_TESTS,
};
/* clang-format on */
