/*
 * site.h -- where in a text system calls are made, and can be hooked: hook.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_SITE_H
#define LM_SYSCALL_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lm_site_kind {
	LM_SITE_NUMBER, /* mov $nr, %eax */
	LM_SITE_ANY,    /* what comes last: the number is known when it runs */
	LM_SITE_READ,   /* the first instruction of read() */
	LM_SITE_CLONE,  /* mov $nr, %eax, of a call that comes back elsewhere */
	LM_SITE_LOADED, /* the empty function that tells of dlopen */
	LM_SITE_KINDS,
};

/* The most bytes that are copied. */
#define LM_SITE_COPY 19

/* What is hooked: the first five of `skip` bytes at `at`; what the stub gets a
 * copy of: what follows them up to the syscall, or at an LM_SITE_ANY, which
 * skips nothing, all of it. */
struct lm_site {
	const uint8_t *at;
	size_t skip, copy;
	enum lm_site_kind kind;
	bool inner; /* more instructions than one begin in the five bytes */
	bool shims; /* may be a call of lm_table_shims(), of the program's */
	bool own;   /* the C library's own, of its mask or its signals */
	bool small; /* the stack may be too small for more than the call */
	long nr;    /* at an LM_SITE_NUMBER */
};

/* Executable memory, and the object's .eh_frame_hdr or NULL. */
struct lm_text {
	const uint8_t *at;
	size_t len;
	const void *frames;
	size_t frames_len;
	/* It knows what it does with lm_table_shims(): the C library, whose
	 * functions are interposed, and lazymap. */
	bool knows;
	bool small; /* it runs on stacks of its own making: Go */
};

/* More than any object has: the C library has some hundred. */
#define LM_SITES 4096

struct lm_sites {
	size_t count;
	struct lm_site site[LM_SITES];
};

/* Add the sites of a text, in their order. One place is left. They depend on its
 * bytes alone: `knows` and `small` are not looked at. */
void lm_site_scan(const struct lm_text *text, struct lm_sites *sites);
/* Then, of those from number `first` on, what depends on whose text it is. */
void lm_site_mark(const struct lm_text *text, struct lm_sites *sites,
		  size_t first);

/* Is this a call to look at? */
bool lm_site_wanted(long nr);

#endif
