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
#include <fcntl.h>
#include <sched.h>
#include <sys/rseq.h>

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

/* The same, by a name below a directory. */
static long c_execveat(char *p[PARAMS], bool raw)
{
	int fds[2];
	pid_t pid;

	(void)raw;
	if (pipe(fds) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		dup2(fds[1], 1);
		RAW(SYS_execveat, AT_FDCWD, p[0], p[1], p[2], 0);
		_exit(errno);
	}
	close(fds[1]);
	note_output(pid, fds[0]);
	return 0;
}

/* What the kernel keeps an address of, in a child that has no use for it. */
#define CASE_KEPT(name, before, nr, ...)                                       \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		int status = 0;                                                \
		pid_t pid = fork();                                            \
                                                                               \
		(void)raw;                                                     \
		if (pid == 0) {                                                \
			signal(SIGSEGV, SIG_DFL);                              \
			before;                                                \
			if (RAW(nr, __VA_ARGS__) < 0)                          \
				_exit(errno);                                  \
			away(p[0]);                                            \
			sched_yield();                                         \
			usleep(1000);                                          \
			_exit(0);                                              \
		}                                                              \
		waitpid(pid, &status, 0);                                      \
		extra[0] = status;                                             \
		return 0;                                                      \
	}

CASE_KEPT(set_tid_address, (void)0, SYS_set_tid_address, p[0])
CASE_KEPT(set_robust_list, (void)0, SYS_set_robust_list, p[0], 24)
CASE_RAW(get_robust_list, SYS_get_robust_list, 0, p[0], p[1])

static void prepare_robust(char *c[PARAMS], char *p[PARAMS])
{
	uintptr_t head[3] = { (uintptr_t)p[0], 0, 0 };

	memcpy(c[0], head, sizeof(head));
}

/* p: struct clone_args, where the child's descriptor and number go, and where the
 * child finds its own. */
static void prepare_clone(char *c[PARAMS], char *p[PARAMS])
{
	uint64_t args[8] = {
		CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
		(uintptr_t)p[1],
		(uintptr_t)p[3],
		(uintptr_t)p[2],
		SIGCHLD,
	};

	memcpy(c[0], args, sizeof(args));
}

static long c_clone3(char *p[PARAMS], bool raw)
{
	int status = 0;
	pid_t pid;

	(void)raw;
	pid = (pid_t)RAW(SYS_clone3, p[0], 64);
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		away(p[3]);
		_exit(*(pid_t *)p[3] == getpid() ? 7 : 1);
	}
	if (pid < 0)
		return -1;
	waitpid(pid, &status, 0);
	extra[0] = status;
	return 0;
}

/* Numbers that are not free: EEXIST, or that one may not ask for: EPERM, when
 * they were read. */
static void prepare_numbers(char *c[PARAMS], char *p[PARAMS])
{
	uint64_t args[11] = { [4] = SIGCHLD, [8] = (uintptr_t)p[1], [9] = 1 };
	int self = getpid();

	memcpy(c[0], args, sizeof(args));
	memcpy(c[1], &self, sizeof(self));
}

CASE_RAW(clone3_numbers, SYS_clone3, p[0], 88)

/* Where glibc has its own. */
static void end_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size)
		syscall(SYS_rseq, area, 32, 1, RSEQ_SIG);
}
CASE_KEPT(rseq, end_rseq(), SYS_rseq, p[0], 32, 0, RSEQ_SIG)
/* The CPU is not known yet. */
static const uint32_t rseq_area[16] = { 0, UINT32_MAX };
/* Looked at in every call outside a range; 0: it may go on. */
CASE_KEPT(dispatch, (void)0, SYS_prctl, 59, 1, 0, 1, p[0])
static const char go_on[8];

/* clang-format off */
const struct test programs_tests[] = {
	{ "execve", c_execve, { NAME(program), POINTERS(32), POINTERS(16), NAME("one argument"), NAME("two"), NAME("VARIABLE=value") }, prepare_exec, BOTH, true },
	{ "spawn", c_spawn, { NAME(program), POINTERS(32), POINTERS(16), NAME("one argument"), NAME("two"), NAME("VARIABLE=value") }, prepare_exec, LIBC_ONLY, true },
	{ "execveat", c_execveat, { NAME(program), POINTERS(32), POINTERS(16), NAME("one argument"), NAME("two"), NAME("VARIABLE=value") }, prepare_exec, RAW_ONLY, true },
	T_(clone3, prepare_clone, BY_NUMBER_ONLY, POINTERS(64), TIME(4), TIME(4), { 4, NULL, IGNORED }),
	T_(clone3_numbers, prepare_numbers, BY_NUMBER_ONLY, POINTERS(88), OUT(4)),
	TR(set_tid_address, OUT(4)),
	T_(set_robust_list, prepare_robust, RAW_ONLY, POINTERS(24)),
	TR(get_robust_list, TIME(8), OUT(8)),
	TR(rseq, { 64, rseq_area, CHANGED }), TR(dispatch, STRUCT(go_on)),
	END_OF_TESTS,
};
/* clang-format on */
