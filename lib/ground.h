/*
 * ground.h -- the stack under what may not fault.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_GROUND_H
#define LM_GROUND_H

#include <stddef.h>
#include <stdint.h>

/* What is pinned of a stack; empty where it is not lazy. */
struct lm_ground {
	uintptr_t start, end;
};

/* Before SIGSEGV is blocked: have as much of this thread's stack there, and
 * stay, as lazymap needs meanwhile, where it is lazy; and, when SIGSEGV is not
 * blocked any more, let go of it. Async-signal-safe. */
struct lm_ground lm_ground_take(void);
void lm_ground_drop(const struct lm_ground *ground);

/* The same of a stack that somebody is about to begin on, from its top down; to
 * be let go of by lm_ground_drop(). */
struct lm_ground lm_ground_below(uintptr_t top, size_t depth);

#endif
