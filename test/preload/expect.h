/*
 * expect.h -- for programs that run by themselves under the shim: what they
 * expect, and a piece of fresh memory, lazy there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXPECT_H
#define EXPECT_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SIZE ((size_t)1 << 20)

static _Atomic int failures;

#define EXPECT(what)                                                           \
	do {                                                                   \
		if (!(what)) {                                                 \
			printf("FAILED: %s (line %d)\n", #what, __LINE__);     \
			failures++;                                            \
		}                                                              \
	} while (0)

static inline char *fresh(void)
{
	char *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

#endif
