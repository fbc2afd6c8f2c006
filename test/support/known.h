/*
 * known.h -- pages whose every byte a test knows: a function of the page's
 * number, so that bytes of another page, of another moment, or zeros show.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KNOWN_H
#define KNOWN_H

#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)

/* The word at `index` of page number `page`. Always inline: into functions that
 * a sanitizer watches, and into others. */
static inline __attribute__((always_inline)) uint64_t known_word(uint64_t page,
								 size_t index)
{
	return (page + 1) * UINT64_C(0x9e3779b97f4a7c15) ^
	       (index + 1) * UINT64_C(0xd6e8feb86659fd93);
}

/* Fill len bytes (whole pages), the first being page number `page`. */
void known_fill(void *buf, size_t len, uint64_t page);

/* How many words of the page at `mem` are not those of page number `page`. */
size_t known_wrong(const volatile void *mem, uint64_t page);
/* The same of zeros. */
size_t known_not_zero(const volatile void *mem);

/* A file of so many known pages at TESTDIR/name, open for reading and writing.
 * Fails the test otherwise. */
int known_file(const char *name, size_t pages);

/* A path in TESTDIR, valid until the next call but three. */
const char *known_path(const char *name);

#endif
