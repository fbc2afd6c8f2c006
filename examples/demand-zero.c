/*
 * demand-zero.c -- reserve a very large anonymous area, use a few pages of it,
 * and see what it costs. The untouched rest takes neither memory nor time; the
 * kernel's view (/proc/self/statm) and lazymap's own counters show the same.
 *
 *	demand-zero [GIB [TOUCHES]]		64 GiB and 16, unless told
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE 1

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <lazymap.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Kilobytes resident, as the kernel counts them. */
static long resident_kb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size, resident = 0;

	if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2)
		fail("/proc/self/statm");
	fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void show(const char *when)
{
	struct lazymap_stats stats;

	if (lazymap_stats(&stats, sizeof(stats)))
		fail("lazymap_stats");
	printf("%s: mapped %llu MiB, present %llu KiB, process %ld KiB\n", when,
	       (unsigned long long)stats.mapped >> 20,
	       (unsigned long long)stats.resident >> 10, resident_kb());
}

/* Write at `count` places, evenly spread; then see what is there. 0 if right. */
static int use(unsigned char *area, size_t len, size_t count)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), i, j;
	size_t step = len / count / page * page;

	for (i = 0; i < count; i++)
		area[i * step] = (unsigned char)(i % 255 + 1);
	for (i = 0; i < count; i++) {
		if (area[i * step] != i % 255 + 1)
			return -1;
		for (j = 1; j < page; j++)
			if (area[i * step + j] != 0)
				return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	size_t len = (argc > 1 ? strtoul(argv[1], NULL, 10) : 64) << 30;
	size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 16;
	unsigned char *area;

	if (argc > 3 || !len || !count || count > len >> 16) {
		fprintf(stderr, "usage: %s [GIB [TOUCHES]]\n", argv[0]);
		return 2;
	}
	area = lazymap_map(NULL, len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == LAZYMAP_FAILED)
		fail("lazymap_map");
	show("mapped");
	if (use(area, len, count)) {
		fprintf(stderr, "a page has wrong contents\n");
		return 1;
	}
	printf("wrote to %zu pages, all others of theirs are zero\n", count);
	show("used");
	if (lazymap_unmap(area, len))
		fail("lazymap_unmap");
	show("unmapped");
	return 0;
}
