/*
 * site.h -- where in a text system calls are made, and can be hooked: hook.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_SITE_H
#define LM_SYSCALL_SITE_H

#include <stddef.h>
#include <stdint.h>

enum lm_site_kind {
	LM_SITE_NUMBER, /* mov $nr, %eax */
	LM_SITE_ANY,    /* the last mov of a function that makes any call */
	LM_SITE_READ,   /* the first instruction of read() */
	LM_SITE_LOADED, /* the empty function that tells of dlopen */
	LM_SITE_KINDS,
};

/* The most bytes between that are copied. */
#define LM_SITE_COPY 18

/* What is hooked: five bytes, what follows them up to the syscall, and nr. */
struct lm_site {
	const uint8_t *at;
	size_t copy; /* bytes between */
	enum lm_site_kind kind;
	long nr;
};

/* More than any object has: the C library has some hundred. */
#define LM_SITES 4096

struct lm_sites {
	size_t count;
	struct lm_site site[LM_SITES];
};

/* Add the sites of [text, text+len), in their order. One place is left. */
void lm_site_find(const uint8_t *text, size_t len, struct lm_sites *sites);

#endif
