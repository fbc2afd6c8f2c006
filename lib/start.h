/*
 * start.h -- the library's beginning, its options, and a child's beginning.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_START_H
#define LM_START_H

#include "lazymap.h"

#include <stdbool.h>

/* Immutable after the start. */
extern struct lazymap_options lm_options;

/* Start with the environment's options unless started: 0 or -errno. */
int lm_start(void);

/* When that has failed: is something asked for that cannot be had, above all a
 * limit? Else it is only that lazymap is not possible here. */
bool lm_start_refused(void);

/* Bytes, as text: digits and at most one of K, M, G, T (times 1024, ...). 0 if
 * it is not that, is zero, or does not fit. */
size_t lm_start_bytes(const char *text);

/* In a child made by fork, from the atfork handler or from the first fault or
 * call in a child whose fork ran none. */
void lm_forked(void);

/* Around a fork that runs no atfork handlers, whose child goes on from here, too.
 * In between all signals are blocked, and no lazy memory may be touched. */
void lm_fork_announce(void);
void lm_fork_done(bool in_child);

/* Register what fork has to do. 0 or -errno. */
int lm_fork_start(void);

/* Write back what stores have to get before the process ends. */
void lm_exit_flush(void);

#endif
