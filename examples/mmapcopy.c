/*
 * mmapcopy.c -- copy a file to standard output through mmap: the textbook's
 * first program on virtual memory. It knows nothing of lazymap: it runs on the
 * kernel's mmap, and unchanged under `lazymap run`. Its write wrapper looks for
 * an error and for nothing else, as in textbooks, so whoever pages the file in
 * has to see the whole transfer through. (The kernel's write moves no more than
 * 2 GiB less a page at once: for a larger file use a program that loops.)
 *
 *	mmapcopy FILE > COPY
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void write_or_fail(int fd, const void *buf, size_t len)
{
	if (write(fd, buf, len) == -1)
		fail("write");
}

static void copy(int fd, size_t size)
{
	char *buf = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (buf == MAP_FAILED)
		fail("mmap");
	write_or_fail(STDOUT_FILENO, buf, size);
}

int main(int argc, char **argv)
{
	struct stat st;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	if (fd == -1)
		fail(argv[1]);
	if (fstat(fd, &st) == -1)
		fail("fstat");
	if (st.st_size > 0) /* mmap knows no empty mapping */
		copy(fd, (size_t)st.st_size);
	return 0;
}
