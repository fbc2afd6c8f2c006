/*
 * clone.h -- clone and clone3 by an instruction of the program's own, whose child
 * comes back on another stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_CLONE_H
#define LM_SYSCALL_CLONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words that the maker keeps on its stack. */
#define LM_CLONE_OWN 18

/* What the child takes from the top of its stack. */
#define LM_CLONE_STACK 200

struct lm_clone_call {
	long nr;
	long *args;    /* the kernel's, six: may change */
	uint64_t *own; /* from prepare() to made(); a changed struct, for one */
	/* What prepare() says: it has made the call, in this process and in its
	 * child, with this result; or what begin() and made() are given, and
	 * where the child's stack begins; or neither: make it as it is. */
	bool done;
	long result;
	void *data;
	uintptr_t top;
};

/* Who sees to it. All may use vector registers. */
struct lm_clone_ops {
	void (*prepare)(struct lm_clone_call *call);
	void (*begin)(void *data); /* in the child, on its stack */
	/* In the maker, with what the kernel said. */
	void (*made)(void *data, uint64_t *own, long result);
};

/* Before lm_hook_start(). */
void lm_clone_by(const struct lm_clone_ops *ops);

/* Is this call one of them? */
bool lm_clone_wanted(long nr);

/* Where the stubs of such calls go on: assembly, not to be called. */
void lm_clone_enter(void) __attribute__((visibility("hidden")));

#endif
