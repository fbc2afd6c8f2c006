/*
 * file.c -- see file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (2 * BENCH_MIB)

static uint64_t words[PIECE / 8];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

int file_empty(void)
{
	const char *dir = getenv("BENCHDIR");
	char path[4096];
	int fd;

	if (!dir || !*dir)
		dir = getenv("TMPDIR");
	if (!dir || !*dir)
		dir = "/var/tmp";
	snprintf(path, sizeof(path), "%s/lazymap-bench.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0 || unlink(path) < 0)
		fail(path);
	return fd;
}

int file_make(size_t size, size_t piece)
{
	int fd = file_empty();

	for (size_t at = 0; at < size; at += piece) {
		for (size_t i = 0; i < piece / 8; i++)
			words[i] = file_word(at / 8 + i);
		if (pwrite(fd, words, piece, (off_t)at) != (ssize_t)piece)
			fail("making a file");
	}
	if (fdatasync(fd) < 0)
		fail("fdatasync");
	return fd;
}

static size_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : (size_t)st.st_size;
}

void file_cache(int fd)
{
	size_t size = size_of(fd);

	for (size_t at = 0; at < size; at += PIECE)
		if (pread(fd, words, PIECE, (off_t)at) <= 0)
			fail("pread");
}

/* The share of it that the page cache has. */
static double cached(int fd)
{
	size_t size = size_of(fd), pages = size / BENCH_PAGE, n = 0;
	unsigned char *vec = malloc(pages + 1);
	void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (!vec || at == MAP_FAILED || mincore(at, size, vec) < 0)
		fail("mincore");
	for (size_t i = 0; i < pages; i++)
		n += vec[i] & 1;
	munmap(at, size);
	free(vec);
	return pages ? (double)n / (double)pages : 0;
}

int file_drop(int fd, char *why, size_t len)
{
	int all;

	if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0 &&
	    cached(fd) < 0.01)
		return 0;
	all = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (all >= 0) {
		ssize_t n = write(all, "1", 1);

		close(all);
		if (n == 1 && cached(fd) < 0.01)
			return 0;
	}
	snprintf(why, len, "the page cache does not let go of the file");
	return -1;
}

bool file_same(const void *bytes, size_t len, size_t offset)
{
	const uint64_t *word = bytes;

	for (size_t i = 0; i < len / 8; i++)
		if (word[i] != file_word(offset / 8 + i))
			return false;
	return true;
}
