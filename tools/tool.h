/*
 * tool.h -- what the files of the `lazymap` command share: its messages, its
 * exit statuses, and where it finds the parts of lazymap that it hands on.
 * The command starts nothing of the library: run only sets the environment,
 * and doctor asks the ways of placing for their probes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_TOOL_H
#define LM_TOOL_H

#include <stddef.h>

/* Exit statuses. The last three are those of env(1) and the shells. */
enum {
	LM_TOOL_USAGE = 2,      /* the command line is wrong */
	LM_TOOL_FAILED = 125,   /* lazymap itself could not do it */
	LM_TOOL_NOEXEC = 126,   /* CMD is there and cannot be run */
	LM_TOOL_NOTFOUND = 127, /* CMD is not there */
};

#define LM_TOOL_SHIM "liblazymap-preload.so"
#define LM_TOOL_HEAP "liblazymap-heap.so"
#define LM_TOOL_SIGSEGV "lazymap-trap-libsigsegv.so"
#define LM_TOOL_SODIUM "lazymap-swap-sodium.so"

/* One line on standard error: "lazymap: ...". */
void lm_tool_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Find `name` beside the executable (the build tree), else where lazymap is
 * installed. path has room for PATH_MAX bytes. 0 or -ENOENT.
 */
int lm_tool_find(const char *name, char *path);
/* Where lm_tool_find() looked, for a message: "DIR or DIR". */
const char *lm_tool_where(void);

/* The subcommands: argv[0] is "lazymap NAME". Their value is exit's. */
int lm_run_main(int argc, char **argv);
int lm_doctor_main(int argc, char **argv);
int lm_sites_main(int argc, char **argv);

/* The options of `lazymap run`, a line each, for --help. */
void lm_run_help(void);

/*
 * Check the value of an environment variable as the option that sets it would
 * be checked. Returns 0 with the value as the library is to see it in out
 * (of outlen bytes), or -EINVAL with the reason in out.
 */
int lm_run_check(const char *variable, const char *value, char *out,
		 size_t outlen);

#endif
