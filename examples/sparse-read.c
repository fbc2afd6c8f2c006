/*
 * sparse-read.c -- map a whole file and look at a few of its pages, spread
 * evenly from its start to its end: most programs touch little of what they
 * map. Like mmapcopy it knows nothing of lazymap; `lazymap run --stats` shows
 * how little was brought in. It prints a checksum of the bytes it looked at.
 *
 *	sparse-read FILE [PAGES]		16 pages, unless told
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdint.h>
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

/* Fowler, Noll and Vo's hash, 64 bits wide. */
static uint64_t hash(uint64_t h, const unsigned char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h;
}

int main(int argc, char **argv)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages, wanted, i;
	uint64_t h = 0xcbf29ce484222325ULL;
	unsigned char *buf;
	struct stat st;
	int fd;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: %s FILE [PAGES]\n", argv[0]);
		return 2;
	}
	wanted = argc == 3 ? strtoul(argv[2], NULL, 10) : 16;
	fd = open(argv[1], O_RDONLY);
	if (fd == -1 || fstat(fd, &st) == -1)
		fail(argv[1]);
	pages = (size_t)st.st_size / page; /* whole ones */
	if (!pages || !wanted || wanted > pages) {
		fprintf(stderr, "%s: has %zu whole pages\n", argv[1], pages);
		return 1;
	}

	buf = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (buf == MAP_FAILED)
		fail("mmap");
	for (i = 0; i < wanted; i++)
		h = hash(h, buf + (pages - 1) * i / wanted * page, page);
	printf("%zu of %zu pages: %016llx\n", wanted, pages,
	       (unsigned long long)h);
	return 0;
}
