/*
 * process.c -- the ends of a process that run no destructors, and children.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "preload.h"

#include "../enclose.h"
#include "../os.h"
#include "../pager.h"
#include "../syscall/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The process whose memory this is. It is zero in a forked child, but not in a
 * vfork child, whose memory it is not. */
static _Atomic int *owner; /* the pointer: immutable after the start */

static void own(void)
{
	atomic_store(owner, (int)lm_sys(SYS_getpid));
}

void lm_process_start(void)
{
	uintptr_t word = lm_os_wiped(sizeof(*owner));

	/* Then the core does not start. */
	if (lm_os_failed(word))
		return;
	owner = (_Atomic int *)word;
	own();
	/* At once: a vfork child of the child would take it for its own. */
	pthread_atfork(NULL, NULL, own);
}

int lm_shim_vforked(void)
{
	int self = (int)lm_sys(SYS_getpid), none = 0;

	return owner && !atomic_compare_exchange_strong(owner, &none, self) &&
	       none != self;
}

/* The C library changes the credentials of each thread that it knows; ours is
 * none of them, and is made anew with those of the thread that changed them. And
 * the kernel takes a process out of what threads share only if it has one. */
#define WITHOUT_PAGER(name, parameters, ...)                                   \
	LM_EXPORT int name parameters                                          \
	{                                                                      \
		int ret, saved;                                                \
                                                                               \
		if (lm_shim_off() || lm_shim_vforked())                        \
			return REAL(name)(__VA_ARGS__);                        \
		lm_pager_stop();                                               \
		lm_enclose();                                                  \
		ret = REAL(name)(__VA_ARGS__);                                 \
		saved = errno;                                                 \
		lm_pager_resume();                                             \
		errno = saved;                                                 \
		return ret;                                                    \
	}

/* clang-format off */
WITHOUT_PAGER(setuid, (uid_t id), id)
WITHOUT_PAGER(seteuid, (uid_t id), id)
WITHOUT_PAGER(setreuid, (uid_t real, uid_t effective), real, effective)
WITHOUT_PAGER(setresuid, (uid_t real, uid_t effective, uid_t saved_id), real, effective, saved_id)
WITHOUT_PAGER(setgroups, (size_t n, const gid_t *ids), n, ids)
WITHOUT_PAGER(initgroups, (const char *user, gid_t id), user, id)
WITHOUT_PAGER(setgid, (gid_t id), id)
WITHOUT_PAGER(setegid, (gid_t id), id)
WITHOUT_PAGER(setregid, (gid_t real, gid_t effective), real, effective)
WITHOUT_PAGER(setresgid, (gid_t real, gid_t effective, gid_t saved_id), real, effective, saved_id)
WITHOUT_PAGER(unshare, (int flags), flags)
WITHOUT_PAGER(setns, (int fd, int type), fd, type)
/* clang-format on */

/* From then on lazymap makes no thread, and none of the calls that one needs:
 * work is done inside the faults. */
long lm_process_filter(long (*call)(const long args[6]), const long args[6])
{
	int saved;
	long ret;

	/* One filter may forbid all but what the program does next. */
	if (lm_pager_forgone() || lm_shim_off() || lm_shim_vforked())
		return call(args);
	lm_pager_stop();
	lm_enclose();
	ret = call(args);
	saved = errno;
	if (ret < 0)
		lm_pager_resume();
	else
		lm_pager_forgo();
	errno = saved;
	return ret;
}

static long call_prctl(const long args[6])
{
	return REAL(prctl)((int)args[0], args[1], args[2], args[3], args[4]);
}

LM_EXPORT int prctl(int option, ...)
{
	long args[6] = { option };
	va_list more;

	va_start(more, option);
	for (int i = 1; i < 5; i++)
		args[i] = va_arg(more, long);
	va_end(more);
	if (option != PR_SET_SECCOMP)
		return (int)call_prctl(args);
	return (int)lm_process_filter(call_prctl, args);
}

/* -- The process as the program sees it -------------------------------------------- */

/* What is left of *at after a component, and its length. */
static const char *component(const char *at, size_t *len)
{
	at += strspn(at, "/");
	*len = strcspn(at, "/");
	return at;
}

static bool is(const char *at, size_t len, const char *what)
{
	return len == strlen(what) && !memcmp(at, what, len);
}

/* self, or its number. */
static bool is_self(const char *at, size_t len)
{
	char number[12];

	if (is(at, len, "self") || is(at, len, "thread-self"))
		return true;
	snprintf(number, sizeof(number), "%d", (int)lm_sys(SYS_getpid));
	return is(at, len, number);
}

#define PROC "/proc/"

/* /proc/self/task, status or stat; or, seen from a directory, their end. */
static bool tells_of_threads(const char *path)
{
	size_t len;
	const char *at = component(path, &len);

	if (*path == '/') {
		at = component(path + strlen(PROC), &len);
		if (!is_self(at, len))
			return false;
		at = component(at + len, &len);
	} else if (is_self(at, len)) {
		at = component(at + len, &len);
	}
	return is(at, len, "task") || is(at, len, "status") ||
	       is(at, len, "stat");
}

void lm_process_look(int fd, const char *path)
{
	char start[64];
	size_t len = 0;

	if (!lm_pager_runs())
		return;
	/* It may be bad, or end with its page; most are others. */
	while (len < sizeof(start) - 1) {
		if (lm_copy(&start[len], (uintptr_t)path + len, 1) < 0)
			return;
		if (*start == '/'
			    ? len < strlen(PROC) && start[len] != PROC[len]
			    : fd == AT_FDCWD)
			return;
		if (!start[len++])
			break;
	}
	start[len] = '\0';
	if (tells_of_threads(start) && !lm_shim_vforked())
		lm_pager_hide();
}

void lm_process_left(void)
{
	if (lm_pager_runs() && !lm_shim_vforked() &&
	    lm_sys(SYS_getpid) == lm_sys(SYS_gettid))
		lm_pager_hide();
}

LM_EXPORT __attribute__((noreturn)) void _exit(int status)
{
	lm_shim_end();
	for (;;)
		lm_sys(SYS_exit_group, status);
}

LM_EXPORT __attribute__((noreturn)) void _Exit(int status)
{
	_exit(status);
}
