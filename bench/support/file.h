/*
 * file.h -- files to measure with: their bytes, and whether the page cache has
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FILE_H
#define BENCH_FILE_H

#include "bench.h"

/* The i-th 8 bytes of every test file. */
static inline uint64_t file_word(uint64_t i)
{
	return (i + 1) * 0x9E3779B97F4A7C15u;
}

/*
 * A new file of this size with those bytes, in $BENCHDIR, $TMPDIR or /var/tmp,
 * in the page cache and written back. It has no name. Ends the program if it
 * cannot be made.
 *
 * It is written in pieces of this size (a power of two, at most 2 MiB). File
 * systems with large folios (ext4 since Linux 6.16) let the page cache have it
 * in such pieces, and the kernel's mmap maps a piece at a time: up to 2 MiB a
 * fault, where it is 64 KiB with pages of 4 KiB.
 */
int file_make(size_t size, size_t piece);
/* An empty one. */
int file_empty(void);
/* Its bytes are in the page cache. */
void file_cache(int fd);
/* None of its bytes are: 0, or -1 and why not. */
int file_drop(int fd, char *why, size_t len);

/* Are these the bytes of the file from `offset` on? */
bool file_same(const void *bytes, size_t len, size_t offset);

#endif
