/*
 * process.c -- a process, its children, its limits and names.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static long c_times(char *p[PARAMS], bool raw)
{
	long ret = CALL(times((struct tms *)p[0]), SYS_times, p[0]);

	return ret == -1 ? -1 : 0;
}

static long c_uname(char *p[PARAMS], bool raw)
{
	return CALL(uname((struct utsname *)p[0]), SYS_uname, p[0]);
}

static long c_sysinfo(char *p[PARAMS], bool raw)
{
	return CALL(sysinfo((struct sysinfo *)p[0]), SYS_sysinfo, p[0]);
}

static long c_getrusage(char *p[PARAMS], bool raw)
{
	return CALL(getrusage(RUSAGE_SELF, (struct rusage *)p[0]),
		    SYS_getrusage, RUSAGE_SELF, p[0]);
}

static long c_prlimit(char *p[PARAMS], bool raw)
{
	return CALL(prlimit(0, RLIMIT_CORE, NULL, (struct rlimit *)p[0]),
		    SYS_prlimit64, 0, RLIMIT_CORE, NULL, p[0]);
}

static long c_getaffinity(char *p[PARAMS], bool raw)
{
	long ret = CALL(sched_getaffinity(0, 128, (cpu_set_t *)p[0]),
			SYS_sched_getaffinity, 0, 128L, p[0]);

	return ret;
}

static long c_getresuid(char *p[PARAMS], bool raw)
{
	return CALL(getresuid((uid_t *)p[0], (uid_t *)p[1], (uid_t *)p[2]),
		    SYS_getresuid, p[0], p[1], p[2]);
}

static long c_set_name(char *p[PARAMS], bool raw)
{
	char name[17] = { 0 };
	long ret = CALL(prctl(PR_SET_NAME, p[0]), SYS_prctl, PR_SET_NAME, p[0]);

	prctl(PR_GET_NAME, name);
	memcpy(&extra[0], name, 8);
	return ret;
}

static long c_get_name(char *p[PARAMS], bool raw)
{
	prctl(PR_SET_NAME, "a name");
	return CALL(prctl(PR_GET_NAME, p[0]), SYS_prctl, PR_GET_NAME, p[0]);
}

static pid_t dead_child(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(42);
	/* It is there to be waited for when this returns. */
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	return pid;
}

/* Is the child still to be had? */
static void note_child(pid_t pid)
{
	int status = 0;

	extra[0] = waitpid(pid, &status, WNOHANG) == pid;
	extra[1] = status;
}

static long c_wait4(char *p[PARAMS], bool raw)
{
	pid_t pid = dead_child();
	long ret = CALL(wait4(pid, (int *)p[0], 0, (struct rusage *)p[1]),
			SYS_wait4, pid, p[0], 0, p[1]);

	note_child(pid);
	return ret == pid ? 1 : ret;
}

static long c_waitpid(char *p[PARAMS], bool raw)
{
	pid_t pid = dead_child();
	long ret = CALL(waitpid(pid, (int *)p[0], 0), SYS_wait4, pid, p[0], 0,
			NULL);

	note_child(pid);
	return ret == pid ? 1 : ret;
}

static long c_waitid(char *p[PARAMS], bool raw)
{
	pid_t pid = dead_child();
	long ret = CALL(waitid(P_PID, (id_t)pid, (siginfo_t *)p[0], WEXITED),
			SYS_waitid, P_PID, pid, p[0], WEXITED, NULL);

	note_child(pid);
	return ret;
}

/* clang-format off */
const struct test process_tests[] = {
	T(wait4, OUT(4), TIME(sizeof(struct rusage))),
	T(waitpid, OUT(4)),
	T(waitid, TIME(sizeof(siginfo_t))),
	T(times, TIME(32)),
	T(uname, OUT(390)),
	T(sysinfo, TIME(sizeof(struct sysinfo))),
	T(getrusage, TIME(sizeof(struct rusage))),
	T(prlimit, OUT(16)),
	T(getaffinity, OUT(128)),
	T(getresuid, OUT(4), OUT(4), OUT(4)),
	T(set_name, NAME("another name ok")),
	T(get_name, OUT(16)),
	END_OF_TESTS,
};
/* clang-format on */
