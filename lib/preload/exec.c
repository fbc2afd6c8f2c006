/*
 * exec.c -- the next program: it begins with the signal mask that this one
 * believes to have, and with the shim, whatever environment it is given;
 * LAZYMAP_FOLLOW=0 is without.
 *
 * Between vfork and exec the memory is the parent's: nothing here allocates, or
 * writes to anything but the stack.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"
#include "program.h"
#include "signal.h"

#include "../os.h"
#include "../own.h"
#include "../trap/action.h"
#include "../trap/trap.h"

#include <alloca.h>
#include <dlfcn.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRELOAD "LD_PRELOAD="
#define OURS "LAZYMAP_"
#define LIBRARIES "liblazymap-"
#define VARIABLES_MAX 32

/* What the next program's environment is to have; immutable after the start. */
static char preloads[2 * PATH_MAX]; /* LD_PRELOAD's part; empty: nothing */
static const char *shim_name;       /* in it: the shim's file */
static char *variables[VARIABLES_MAX];
static size_t variable_count;

/* Lazymap's own libraries in LD_PRELOAD, the shim first. */
static void collect_preloads(const char *shim)
{
	const char *at = getenv("LD_PRELOAD"), *end;
	const char *ours;
	size_t len = strlen(shim);

	if (len >= PATH_MAX)
		return;
	memcpy(preloads, shim, len + 1);
	shim_name = strrchr(preloads, '/') + 1;
	for (; at && *at; at = *end ? end + 1 : end) {
		end = at + strcspn(at, ": ");
		ours = strstr(at, LIBRARIES);
		if (!ours || ours >= end ||
		    !strncmp(ours, shim_name, strlen(shim_name)) ||
		    len + (size_t)(end - at) + 2 > sizeof(preloads))
			continue;
		preloads[len++] = ':';
		memcpy(preloads + len, at, (size_t)(end - at));
		len += (size_t)(end - at);
		preloads[len] = '\0';
	}
}

void lm_exec_start(void)
{
	const char *follow = getenv("LAZYMAP_FOLLOW");
	char shim[PATH_MAX];
	Dl_info here;

	if ((follow && !strcmp(follow, "0")) || !dladdr(preloads, &here) ||
	    !here.dli_fname || !realpath(here.dli_fname, shim))
		return;
	collect_preloads(shim);
	for (char **at = environ; *at && variable_count < VARIABLES_MAX; at++) {
		if (strncmp(*at, OURS, strlen(OURS)) != 0)
			continue;
		variables[variable_count] = strdup(*at);
		if (variables[variable_count])
			variable_count++;
	}
}

/* -- The environment ----------------------------------------------------------- */

/* Is it the same variable? "NAME=..." both. */
static int same(const char *a, const char *b)
{
	size_t len = strcspn(b, "=") + 1;

	return strncmp(a, b, len) == 0;
}

static char *const *find(char *const *env, const char *variable)
{
	for (; *env; env++)
		if (same(*env, variable))
			return env;
	return NULL;
}

/* Does LD_PRELOAD's value name the shim? By its file's name: there may be more
 * than one way to it. */
static int names_shim(const char *list)
{
	return strstr(list, shim_name) != NULL;
}

struct environment {
	size_t count;  /* variables it has */
	size_t length; /* of the new LD_PRELOAD=... */
	int complete;
	int without; /* the shim */
};

/* Would the next program's loader end over the shim, or complain of it? What
 * cannot be looked at is taken to be as others are. */
static int refuses(const char *file, int search)
{
	struct lm_program program;
	int error = errno, ret;

	ret = file && lm_program_look(file, search, &program) == 0 &&
	      program.refuses;
	errno = error;
	return ret;
}

static struct environment look(char *const *env, const char *file, int search)
{
	struct environment is = { .complete = 1 };
	char *const *preload;

	if (!*preloads || lm_shim_off())
		return is;
	preload = find(env, PRELOAD);
	is.length = strlen(PRELOAD) + strlen(preloads) + 2 +
		    (preload ? strlen(*preload) : 0);
	is.without = refuses(file, search);
	if (is.without) {
		is.complete = !preload || !strstr(*preload, LIBRARIES);
	} else {
		is.complete = preload && names_shim(*preload);
		for (size_t i = 0; i < variable_count; i++)
			is.complete &= find(env, variables[i]) != NULL;
	}
	while (env[is.count])
		is.count++;
	return is;
}

/* LD_PRELOAD's list less what is lazymap's. Is anything left? */
static int leave_out(const char *list, char *left)
{
	const char *end;
	char *at = left;

	for (;; list = end + 1) {
		size_t len = strcspn(list, ": ");
		const char *ours = strstr(list, LIBRARIES);

		end = list + len;
		if (len && (!ours || ours >= end)) {
			if (at != left)
				*at++ = ':';
			at = (char *)memcpy(at, list, len) + len;
		}
		if (!*end)
			break;
	}
	*at = '\0';
	return at != left;
}

/* Without the shim: `new` has LD_PRELOAD, or has it no more. */
static void reduce(const struct environment *is, char **new, char *list)
{
	char **preload = (char **)find(new, PRELOAD);
	size_t len = strlen(PRELOAD);

	memcpy(list, PRELOAD, len);
	if (leave_out(*preload + len, list + len))
		*preload = list;
	else
		memmove(preload, preload + 1,
			(size_t)(new + is->count - preload) * sizeof(*new));
}

static void complete(char *const *env, const struct environment *is, char **new,
		     char *list)
{
	char *const *preload = find(env, PRELOAD);
	size_t n = is->count;

	memcpy(new, env, n * sizeof(*new));
	if (is->without) {
		new[n] = NULL;
		reduce(is, new, list);
		return;
	}
	for (size_t i = 0; i < variable_count; i++)
		if (!find(env, variables[i]))
			new[n++] = variables[i];
	if (!preload) {
		snprintf(list, is->length, PRELOAD "%s", preloads);
		new[n++] = list;
	} else if (!names_shim(*preload)) {
		snprintf(list, is->length, PRELOAD "%s:%s", preloads,
			 *preload + strlen(PRELOAD));
		new[preload - env] = list;
	}
	new[n] = NULL;
}

/* `env`, or what it is to be for the program in `file`, in this function's
 * frame. */
#define ENVIRONMENT(env, file, search)                                         \
	({                                                                     \
		static char *none_[] = { NULL };                               \
		char *const *env_ = (env) ? (env) : none_;                     \
		struct environment is_ = look(env_, file, search);             \
		char **new_ = (char **)env_;                                   \
                                                                               \
		if (!is_.complete) {                                           \
			new_ = alloca((is_.count + VARIABLES_MAX + 2) *        \
				      sizeof(*new_));                          \
			complete(env_, &is_, new_, alloca(is_.length));        \
		}                                                              \
		new_;                                                          \
	})

/* -- The exec family ------------------------------------------------------------ */

/* The strings and lists are present when the kernel looks. They are not pinned,
 * for a child of vfork never comes back to unpin; another thread may have them
 * evicted before, and then the call is made again, which loses nothing. */
static void present(char *const *list, int again)
{
	size_t most = again ? (size_t)32 * LM_PAGE : LM_PAGE;
	struct lm_call_pins pins;

	lm_call_begin(&pins);
	pins.present_only = true;
	for (; list && *list && lm_call_any(); list++)
		lm_call_add(&pins, (uintptr_t)*list, most, LM_IN);
}

static void before(struct lm_signal_exec *signals)
{
	if (!lm_shim_vforked())
		lm_exit_flush();
	lm_signal_exec(signals);
}

/* By its number: with the environment that it is given. What it names is present
 * before SIGSEGV may be blocked; only what is longer than others are at most is
 * had at the kernel's word, and begins with the mask as it is. */
bool lm_exec_raw(long nr, const long args[6], long *result)
{
	struct lm_signal_exec signals;
	struct lm_call_pins pins;

	lm_call_pin(&pins, nr, args);
	lm_call_unpin(&pins);
	before(&signals);
	*result = lm_syscall6(nr, args[0], args[1], args[2], args[3], args[4],
			      args[5]);
	lm_signal_exec_failed(&signals);
	return *result != -EFAULT;
}

#define EXEC(env, file, search, call)                                          \
	do {                                                                   \
		struct lm_signal_exec signals_;                                \
		char **next;                                                   \
		int ret_;                                                      \
                                                                               \
		if (lm_shim_off()) {                                           \
			next = (char **)(env);                                 \
			return call;                                           \
		}                                                              \
		next = ENVIRONMENT(env, file, search);                         \
		for (int tries_ = 0; tries_ < 3; tries_++) {                   \
			present(argv, tries_);                                 \
			present(next, tries_);                                 \
			before(&signals_);                                     \
			ret_ = call;                                           \
			lm_signal_exec_failed(&signals_);                      \
			if (ret_ >= 0 || errno != EFAULT)                      \
				break;                                         \
		}                                                              \
		return ret_;                                                   \
	} while (0)

LM_EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
	EXEC(env, path, 0, REAL(execve)(path, argv, next));
}

LM_EXPORT int execveat(int fd, const char *path, char *const argv[],
		       char *const env[], int flags)
{
	EXEC(env, NULL, 0, REAL(execveat)(fd, path, argv, next, flags));
}

LM_EXPORT int fexecve(int fd, char *const argv[], char *const env[])
{
	EXEC(env, NULL, 0, REAL(fexecve)(fd, argv, next));
}

LM_EXPORT int execvpe(const char *file, char *const argv[], char *const env[])
{
	EXEC(env, file, 1, REAL(execvpe)(file, argv, next));
}

LM_EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

LM_EXPORT int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

/* The arguments of execl and the like, with their NULL, in `argv`; without one
 * (NULL), only how many there are. */
static size_t collect(char **argv, const char *first, va_list *more)
{
	const char *next = first;
	size_t n = 0;

	for (;; next = va_arg(*more, const char *)) {
		if (argv)
			argv[n] = (char *)next;
		n++;
		if (!next)
			return n;
	}
}

#define LIST(first)                                                            \
	({                                                                     \
		va_list count_, more_;                                         \
		char **argv_;                                                  \
                                                                               \
		va_start(count_, first);                                       \
		argv_ = alloca(collect(NULL, first, &count_) *                 \
			       sizeof(*argv_));                                \
		va_end(count_);                                                \
		va_start(more_, first);                                        \
		collect(argv_, first, &more_);                                 \
		/* What execle has behind the NULL. */                         \
		last = va_arg(more_, char *const *);                           \
		va_end(more_);                                                 \
		argv_;                                                         \
	})

LM_EXPORT int execl(const char *path, const char *first, ...)
{
	char *const *last;
	char **argv = LIST(first);

	(void)last;
	return execve(path, argv, environ);
}

LM_EXPORT int execlp(const char *file, const char *first, ...)
{
	char *const *last;
	char **argv = LIST(first);

	(void)last;
	return execvpe(file, argv, environ);
}

LM_EXPORT int execle(const char *path, const char *first, ...)
{
	char *const *last;
	char **argv = LIST(first);

	return execve(path, argv, last);
}

/* -- Children that come with a program ------------------------------------------ */

/* What the child looks at itself, where faults are not lazymap's any more: glibc
 * takes its handlers away first. */
static void pin_spawn(struct lm_call_pins *pins, const char *file,
		      char *const *argv,
		      const posix_spawn_file_actions_t *actions,
		      const posix_spawnattr_t *attr)
{
	size_t n = 0;

	lm_call_begin(pins);
	if (!lm_call_any())
		return;
	if (file)
		lm_call_add(pins, (uintptr_t)file, strlen(file) + 1, LM_IN);
	while (argv && argv[n])
		n++;
	lm_call_add(pins, (uintptr_t)argv, (n + 1) * sizeof(*argv), LM_IN);
	lm_call_add(pins, (uintptr_t)attr, sizeof(*attr), LM_IN);
	lm_call_add(pins, (uintptr_t)actions, sizeof(*actions), LM_IN);
	/* A kind, and descriptors, flags and a name. */
	if (actions && actions->__used > 0)
		lm_call_add(pins, (uintptr_t)actions->__actions,
			    (size_t)actions->__used * 64, LM_IN);
}

/* The C library's child, which has actions of its own and this thread's memory,
 * sets the default for all signals that have a handler, also where the handler
 * is lazymap's and the program ignores the signal: what exec hands down is to be
 * put right in between, by the hook of the C library's own execve. */
static __thread bool spawns_ignored __attribute__((tls_model("initial-exec")));

void lm_exec_spawned(void)
{
	uint64_t before[4];

	if (LM_OWN(spawns_ignored) && lm_shim_vforked())
		lm_action_ignore(SIGSEGV, before);
}

/* attr, or NULL: does the child ignore SIGSEGV? */
static bool hands_down(const posix_spawnattr_t *attr)
{
	sigset_t set;
	short flags;

	if (lm_trap_program(false).sa_handler != SIG_IGN)
		return false;
	return !attr || posix_spawnattr_getflags(attr, &flags) ||
	       !(flags & POSIX_SPAWN_SETSIGDEF) ||
	       posix_spawnattr_getsigdefault(attr, &set) ||
	       !sigismember(&set, SIGSEGV);
}

/* glibc blocks all signals for the time, and gives the child this thread's
 * mask, unless an attribute has one. */
#define SPAWN(file, search, env, call)                                         \
	do {                                                                   \
		uint64_t mask_;                                                \
		struct lm_call_pins pins_;                                     \
		char **next;                                                   \
		int ret_;                                                      \
                                                                               \
		if (lm_shim_off()) {                                           \
			next = (char **)(env);                                 \
			return call;                                           \
		}                                                              \
		next = ENVIRONMENT(env, file, search);                         \
		pin_spawn(&pins_, file, argv, actions, attr);                  \
		for (int tries_ = 0; tries_ < 3; tries_++) {                   \
			present(argv, tries_);                                 \
			present(next, tries_);                                 \
			mask_ = lm_mask_exec();                                \
			LM_OWN(spawns_ignored) = hands_down(attr);             \
			ret_ = call;                                           \
			LM_OWN(spawns_ignored) = false;                        \
			lm_mask_exec_failed(mask_);                            \
			if (ret_ != EFAULT)                                    \
				break;                                         \
		}                                                              \
		lm_call_unpin(&pins_);                                         \
		return ret_;                                                   \
	} while (0)

LM_EXPORT int posix_spawn(pid_t *child, const char *path,
			  const posix_spawn_file_actions_t *actions,
			  const posix_spawnattr_t *attr, char *const argv[],
			  char *const env[])
{
	SPAWN(path, 0, env,
	      REAL(posix_spawn)(child, path, actions, attr, argv, next));
}

LM_EXPORT int posix_spawnp(pid_t *child, const char *file,
			   const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attr, char *const argv[],
			   char *const env[])
{
	SPAWN(file, 1, env,
	      REAL(posix_spawnp)(child, file, actions, attr, argv, next));
}

/* These take the environment that there is: where the program has cleared it,
 * it is made whole for the time. */
#define BORROWED(type, call)                                                   \
	do {                                                                   \
		char **own_ = environ;                                         \
		type ret_;                                                     \
                                                                               \
		if (lm_shim_off())                                             \
			return call;                                           \
		environ = ENVIRONMENT(environ, "/bin/sh", 0);                  \
		LM_OWN(spawns_ignored) = hands_down(NULL);                     \
		ret_ = call;                                                   \
		LM_OWN(spawns_ignored) = false;                                \
		environ = own_;                                                \
		return ret_;                                                   \
	} while (0)

LM_EXPORT int system(const char *line)
{
	BORROWED(int, REAL(system)(line));
}

LM_EXPORT FILE *popen(const char *line, const char *mode)
{
	BORROWED(FILE *, REAL(popen)(line, mode));
}
