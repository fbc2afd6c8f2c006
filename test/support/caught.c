/*
 * caught.c -- see caught.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"

#include <check.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

__thread siginfo_t caught;

static __thread sigjmp_buf *escape;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	caught = *info;
	if (escape)
		siglongjmp(*escape, 1);
	signal(sig, SIG_DFL);
}

void caught_install(void)
{
	struct sigaction act = { .sa_sigaction = on_signal,
				 .sa_flags = SA_SIGINFO };

	ck_assert_int_eq(sigaction(SIGSEGV, &act, NULL), 0);
	ck_assert_int_eq(sigaction(SIGBUS, &act, NULL), 0);
}

static int try(volatile uint64_t *at, volatile uint64_t *value, int write)
{
	sigjmp_buf here;

	caught.si_signo = 0;
	escape = &here;
	if (!sigsetjmp(here, 1)) {
		if (write)
			*at = *value;
		else
			*value = *at;
	}
	escape = NULL;
	return caught.si_signo;
}

int caught_read(const void *at, uint64_t *value)
{
	return try((uint64_t *)at, value, 0);
}

int caught_write(void *at, uint64_t value)
{
	return try(at, &value, 1);
}

void caught_dump_here(void)
{
	const char *dir = getenv("TESTDIR");
	struct rlimit core;

	if (dir && chdir(dir))
		_exit(98);
	getrlimit(RLIMIT_CORE, &core);
	core.rlim_cur = core.rlim_max;
	setrlimit(RLIMIT_CORE, &core);
}

static int child_of(pid_t child, int (*body)(void))
{
	struct rlimit core;
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		getrlimit(RLIMIT_CORE, &core);
		core.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &core);
		/* Past ThreadSanitizer, which misses the parent's threads. */
		syscall(SYS_exit_group, body());
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

int caught_child(int (*body)(void))
{
	fflush(NULL);
	return child_of(fork(), body);
}

int caught_clone(int (*body)(void))
{
	fflush(NULL);
	return child_of((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), body);
}
