/*
 * programs.c -- programs that are executed.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* p: path, argv, envp, two arguments, a variable */
static void prepare_exec(char *c[PARAMS], char *p[PARAMS])
{
	char *argv[] = { p[0], p[3], p[4], NULL };
	char *envp[] = { p[5], NULL };

	memcpy(c[1], argv, sizeof(argv));
	memcpy(c[2], envp, sizeof(envp));
}

static long c_execve(char *p[PARAMS], bool raw)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		/* Not on with the next case, should it die here. */
		signal(SIGSEGV, SIG_DFL);
		dup2(fds[1], 1);
		CALL(execve(p[0], (char **)p[1], (char **)p[2]), SYS_execve,
		     p[0], p[1], p[2]);
		_exit(errno);
	}
	close(fds[1]);
	note_output(pid, fds[0]);
	return 0;
}

/* The environment's pointers are read by the C library, the rest is not. */
static long c_spawn(char *p[PARAMS], bool raw)
{
	posix_spawn_file_actions_t actions;
	int fds[2], ret;
	pid_t pid = 0;

	(void)raw;
	if (pipe(fds) < 0)
		abort();
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	ret = posix_spawn(&pid, p[0], &actions, NULL, (char **)p[1],
			  (char **)p[2]);
	close(fds[1]);
	if (!ret)
		note_output(pid, fds[0]);
	posix_spawn_file_actions_destroy(&actions);
	return ret;
}

static const char program[] = "/bin/echo";

/* clang-format off */
const struct test programs_tests[] = {
	{ "execve", c_execve, { NAME(program), POINTERS(32), POINTERS(16), NAME("one argument"), NAME("two"), NAME("VARIABLE=value") }, prepare_exec, BOTH, true },
	{ "spawn", c_spawn, { NAME(program), POINTERS(32), POINTERS(16), NAME("one argument"), NAME("two"), NAME("VARIABLE=value") }, prepare_exec, LIBC_ONLY, true },
	END_OF_TESTS,
};
/* clang-format on */
