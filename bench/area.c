/*
 * area.c -- what areas cost: mapping and unmapping a sparse one of 1 TiB, and
 * that and a fault where there are 10,000 of them.
 *
 *	area
 *
 * SPDX-License-Identifier: MIT
 */
#include <lazymap.h>
#include <stdio.h>

#include "view.h"

#define GIB ((size_t)1 << 30)
#define TIB ((size_t)1 << 40)
/* Apart from each other, so that no two are one to the kernel or to us. */
#define AREA ((size_t)65536)
#define APART (2 * AREA)

static size_t repeats, areas;
static int sparse;

/* -- Mapping --------------------------------------------------------------------- */

struct space {
	size_t len;
	int fd;
	bool touch;
	bool beside; /* many others */
};

static const struct space spaces[] = {
	{ TIB, -1, false, false }, { TIB, -1, true, false },
	{ TIB, 0, false, false },  { GIB, -1, false, false },
	{ GIB, -1, false, true },
};

static void *map(bool lazy, size_t len, int fd)
{
	int prot = fd < 0 ? PROT_READ | PROT_WRITE : PROT_READ;
	int flags = MAP_PRIVATE | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0);
	void *at = lazy ? lazymap_map(NULL, len, prot, flags, fd, 0)
			: mmap(NULL, len, prot, flags, fd, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

static void unmap(bool lazy, void *at, size_t len)
{
	if (lazy ? lazymap_unmap(at, len) : munmap(at, len))
		abort();
}

/* Areas at fixed places of a reservation, or one over all of it. */
static char *map_areas(bool lazy, bool many)
{
	size_t len = areas * APART;
	char *hole = mmap(NULL, len, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t step = many ? APART : len, size = many ? AREA : len;

	if (hole == MAP_FAILED)
		abort();
	for (size_t at = 0; at < len; at += step) {
		int prot = PROT_READ | PROT_WRITE;
		int flags =
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
		void *got =
			lazy ? lazymap_map(hole + at, size, prot, flags, -1, 0)
			     : mmap(hole + at, size, prot, flags, -1, 0);

		if (got != hole + at)
			abort();
	}
	return hole;
}

static void map_often(const struct bench_way *way, size_t n, double *us)
{
	const struct space *space = &spaces[way->pattern];
	bool lazy = way->how == VIEW_LAZY;

	for (size_t i = 0; i < n; i++) {
		double from = bench_now();
		char *at = map(lazy, space->len, space->fd < 0 ? -1 : sparse);

		if (space->touch)
			at[space->len / 2] = 1;
		unmap(lazy, at, space->len);
		us[i] = (bench_now() - from) * 1e6;
	}
}

static void run_map(const struct bench_way *way, struct bench_result *result)
{
	double *us = calloc(repeats, sizeof(*us));

	if (!us)
		abort();
	if (spaces[way->pattern].beside)
		map_areas(way->how == VIEW_LAZY, true);
	map_often(way, 3, us); /* the library starts */
	map_often(way, repeats, us);
	result->value = bench_median(us, repeats);
}

static const struct bench_way map_ways[] = {
	{ .name = "kernel 1 TiB", .run = run_map, .how = VIEW_KERNEL },
	{ .name = "kernel 1 TiB, a touch",
	  .run = run_map,
	  .how = VIEW_KERNEL,
	  .pattern = 1 },
	{ .name = "kernel 1 TiB file",
	  .run = run_map,
	  .how = VIEW_KERNEL,
	  .pattern = 2 },
	{ .name = "lazymap 1 TiB", .run = run_map, .how = VIEW_LAZY },
	{ .name = "lazymap 1 TiB, a touch",
	  .run = run_map,
	  .how = VIEW_LAZY,
	  .pattern = 1 },
	{ .name = "lazymap 1 TiB file",
	  .run = run_map,
	  .how = VIEW_LAZY,
	  .pattern = 2 },
	{ .name = "lazymap 1 GiB",
	  .run = run_map,
	  .how = VIEW_LAZY,
	  .pattern = 3 },
	{ .name = "lazymap 1 GiB beside 10,000",
	  .run = run_map,
	  .how = VIEW_LAZY,
	  .pattern = 4 },
	{ 0 },
};

/* -- Looking up -------------------------------------------------------------------- */

enum { ONE, ONE_OF_MANY, EACH_OF_MANY };

static void run_fault(const struct bench_way *way, struct bench_result *result)
{
	bool lazy = way->how == VIEW_LAZY;
	char *base = map_areas(lazy, way->pattern != ONE);
	size_t n;
	uint32_t *page;
	double from;

	if (way->pattern == ONE_OF_MANY)
		base = map(lazy, areas * APART, -1);
	page = view_order(areas * APART, APART, 1, &n);
	from = bench_now();
	/* The first half of each: where areas are. */
	for (size_t i = 0; i < n; i++)
		base[(size_t)(page[i] & ~16u) * BENCH_PAGE] = 1;
	result->value = (bench_now() - from) * 1e6 / (double)n;
}

static const struct bench_way fault_ways[] = {
	{ .name = "kernel, one area",
	  .run = run_fault,
	  .how = VIEW_KERNEL,
	  .pattern = ONE },
	{ .name = "kernel, one of many",
	  .run = run_fault,
	  .how = VIEW_KERNEL,
	  .pattern = ONE_OF_MANY },
	{ .name = "kernel, each of many",
	  .run = run_fault,
	  .how = VIEW_KERNEL,
	  .pattern = EACH_OF_MANY },
	{ .name = "one area",
	  .run = run_fault,
	  .how = VIEW_LAZY,
	  .pattern = ONE },
	{ .name = "one of many",
	  .run = run_fault,
	  .how = VIEW_LAZY,
	  .pattern = ONE_OF_MANY },
	{ .name = "each of many",
	  .run = run_fault,
	  .how = VIEW_LAZY,
	  .pattern = EACH_OF_MANY },
	{ 0 },
};

static const struct bench_row rows[] = {
	{ .name = "map and unmap a sparse area",
	  .unit = "us",
	  .ways = map_ways,
	  .aims = { { "lazymap 1 TiB", NULL, .target = 50 },
		    { "lazymap 1 TiB, a touch", "kernel 1 TiB, a touch",
		      .bound = BENCH_SHOWN },
		    { "lazymap 1 TiB file", NULL, .target = 50 },
		    { "lazymap 1 TiB", "lazymap 1 GiB", .target = 1.25 },
		    { "lazymap 1 GiB beside 10,000", "lazymap 1 GiB",
		      .bound = BENCH_SHOWN } } },
	{ .name = "a fault, with 10,000 areas and with one",
	  .unit = "us",
	  .ways = fault_ways,
	  .aims = { { "one of many", "one area", .target = 1.1 },
		    { "each of many", "one area", .target = 1.1 },
		    { "kernel, each of many", "kernel, one area",
		      .bound = BENCH_SHOWN } } },
};

int main(void)
{
	repeats = bench_size(500, 50);
	areas = 10000;
	sparse = file_empty();
	if (ftruncate(sparse, (off_t)TIB) < 0) {
		perror("a sparse file of 1 TiB");
		return 1;
	}
	return bench_run("area", rows, sizeof(rows) / sizeof(rows[0]));
}
