/*
 * lazycopy.c -- mmapcopy again, through lazymap_map(). The kernel does not
 * fault lazy pages in for write(2): a program that uses the library without
 * the shim pins what it hands to the kernel. It does so a piece at a time, so
 * that a large file never has to be present as a whole.
 *
 *	lazycopy [-v] FILE > COPY		-v: say what happened
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lazymap.h>

#define PIECE ((size_t)1 << 20)

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void write_all(int fd, const char *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, buf, len);

		if (n == -1)
			fail("write");
		buf += n;
		len -= (size_t)n;
	}
}

static void copy(int fd, size_t size)
{
	char *buf = lazymap_map(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	size_t at, len;

	if (buf == LAZYMAP_FAILED)
		fail("lazymap_map");
	for (at = 0; at < size; at += len) {
		len = size - at < PIECE ? size - at : PIECE;
		if (lazymap_pin(buf + at, len, LAZYMAP_READ))
			fail("lazymap_pin");
		write_all(STDOUT_FILENO, buf + at, len);
		lazymap_unpin(buf + at, len);
	}
	if (lazymap_unmap(buf, size))
		fail("lazymap_unmap");
}

static void say(size_t size)
{
	struct lazymap_stats stats;

	if (lazymap_stats(&stats, sizeof(stats)))
		fail("lazymap_stats");
	fprintf(stderr, "%zu bytes: %llu pages filled, %llu for the kernel\n",
		size, (unsigned long long)stats.pages_filled,
		(unsigned long long)stats.pages_kernel);
}

int main(int argc, char **argv)
{
	int fd, verbose = argc == 3 && strcmp(argv[1], "-v") == 0;
	struct stat st;

	if (argc != 2 + verbose) {
		fprintf(stderr, "usage: %s [-v] FILE\n", argv[0]);
		return 2;
	}
	fd = open(argv[1 + verbose], O_RDONLY);
	if (fd == -1)
		fail(argv[1 + verbose]);
	if (fstat(fd, &st) == -1)
		fail("fstat");
	if (st.st_size > 0) /* mmap knows no empty mapping, nor does lazymap */
		copy(fd, (size_t)st.st_size);
	if (verbose)
		say((size_t)st.st_size);
	return 0;
}
