/*
 * others.c -- see others.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "others.h"

#include <check.h>
#include <sys/mman.h>

#define PAGE ((size_t)4096)

/* One mapping, split: sooner done than n of them, most of all under
 * ThreadSanitizer. */
void others_map(size_t n)
{
	char *at = mmap(NULL, n * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	size_t failed = 0;

	ck_assert(!n || at != MAP_FAILED);
	for (size_t i = 1; i < n; i += 2)
		failed += mprotect(at + i * PAGE, PAGE,
				   PROT_READ | PROT_WRITE) != 0;
	ck_assert_uint_eq(failed, 0);
}
