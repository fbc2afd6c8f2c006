/*
 * syscalls.h -- what syscalls.c and its cases share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PARAMS 6

/* How what a call leaves behind is compared with what it left on ordinary
 * memory. */
enum compare {
	SAME,    /* byte for byte */
	CHANGED, /* is it what was put in, or not? (times, addresses) */
};

struct param {
	size_t len;
	const void *init; /* NULL: a pattern; see also prepare */
	enum compare compare;
};

struct test {
	const char *name;
	/* raw: by syscall(); else by the C library's function. -1 in *extra[0]
	 * and so on is compared, too. */
	long (*call)(char *p[PARAMS], bool raw);
	struct param param[PARAMS];
	/* Put addresses p[] into the contents c[]. */
	void (*prepare)(char *c[PARAMS], char *p[PARAMS]);
	enum { BOTH, LIBC_ONLY, RAW_ONLY } ways;
};

extern const struct test tests[];
extern const size_t test_count;

/* What else a case found out, compared exactly. */
extern long extra[4];

/* The libc function, or the call itself. */
#define CALL(libc, nr, ...) (raw ? syscall(nr, __VA_ARGS__) : (long)(libc))

#endif
