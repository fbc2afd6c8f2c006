/*
 * stub.h -- what the jumps of hooked system calls lead to: code near the text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_STUB_H
#define LM_SYSCALL_STUB_H

#include "site.h"

/* What the way from a stub has to know; hook.c's assembly does. */
#define LM_STUB_NESTED 1 /* look whatever the arguments are */
#define LM_STUB_SHIMS 2  /* a call of lm_table_shims() is the program's */
#define LM_STUB_ALWAYS 4 /* it is one, or exec's: even where nothing is lazy */
#define LM_STUB_SMALL 8  /* of the stack only what the call needs is there */
#define LM_STUB_OWN 16   /* the C library's own, about signals */

/* The stubs of one object. */
struct lm_stubs {
	uintptr_t block;
	size_t size; /* 0: none */
};

/*
 * Make stubs for the sites of the object that begins at `object`, and turn the
 * sites into jumps to them, by way of `memory`, a descriptor of /proc/self/mem:
 * nobody may be running there. Returns how many are hooked, or -errno: none.
 */
int lm_stub_make(uintptr_t object, const struct lm_sites *sites, int memory,
		 struct lm_stubs *made);

/* The object is gone. */
void lm_stub_free(const struct lm_stubs *stubs);

#endif
