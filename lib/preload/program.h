/*
 * program.h -- will the shim reach a program? What its file says about it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PRELOAD_PROGRAM_H
#define LM_PRELOAD_PROGRAM_H

#include <limits.h>

struct lm_program {
	char path[PATH_MAX]; /* what runs in the end: of a script, its #! */
	const char *why;     /* why lazymap does not reach it; NULL: it does */
	int found;           /* there is an executable file of that name */
	int refuses; /* its loader would end over the shim, or complain */
};

/*
 * Find `name`, with `search` as execvp does, and look at it. 0, or -errno where
 * it, or the interpreter its #! line names, is not there or cannot be looked at.
 * Allocates nothing, and writes to nothing but the stack and *program: it may be
 * called between vfork and exec.
 */
int lm_program_look(const char *name, int search, struct lm_program *program);

#endif
