/*
 * latency.c -- how long single touches take when each of them has to drive
 * another page out: the median, and the slowest of 100 and of 1000.
 *
 * One page out of each 64 KiB, in random order, twice around: the first time
 * fills memory, the second is measured, touch by touch.
 *
 *	latency
 *
 * SPDX-License-Identifier: MIT
 */
#include <lazymap.h>

#include "view.h"

#define APART ((size_t)65536)

static size_t size, limit;
static int file;

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void percentiles(double *us, size_t n, struct bench_result *result)
{
	qsort(us, n, sizeof(*us), compare);
	result->value = us[n / 2];
	result->more[0] = us[n * 99 / 100];
	result->more[1] = us[n * 999 / 1000];
	result->more[2] = us[n - 1];
	result->more[3] = us[n * 99 / 100] / us[n / 2];
}

/* Returns the sum of what was read. */
static uint64_t pass(const char *base, const uint32_t *page, size_t n,
		     double *us)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		double from = bench_now();

		sum += *(const volatile uint64_t *)(base +
						    page[i] * BENCH_PAGE);
		us[i] = (bench_now() - from) * 1e6;
	}
	return sum;
}

static void write_all(char *base, const uint32_t *page, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = page[i] * BENCH_PAGE;
		uint64_t *to = (uint64_t *)(base + at);

		/* Half of it is noise: what memory often is. */
		for (size_t k = 0; k < BENCH_PAGE / 16; k++)
			to[k] = file_word(at / 8 + k);
	}
}

static void run(const struct bench_way *way, struct bench_result *result,
		bool written)
{
	size_t n;
	uint32_t *first = view_order(size, APART, 1, &n);
	uint32_t *second = view_order(size, APART, written ? 1 : 2, &n);
	double *us = calloc(n, sizeof(*us));
	struct view view = { .len = size,
			     .fd = written ? -1 : file,
			     .keep = limit,
			     .pool = written ? size : 0,
			     .cluster = way->cluster };
	uint64_t sum;

	if (!us)
		abort();
	memset(us, 0, n * sizeof(*us));
	if (view_map(&view, way->how, result) < 0)
		return;
	if (written)
		write_all(view.base, first, n);
	else
		pass(view.base, first, n, us);
	sum = pass(view.base, second, n, us);
	percentiles(us, n, result);
	for (size_t i = 0; i < n; i++)
		sum -= file_word(second[i] * BENCH_PAGE / 8);
	if (sum)
		bench_wrong(result, "the words' sum is wrong");
}

static void run_file(const struct bench_way *way, struct bench_result *result)
{
	run(way, result, false);
}

static void run_swap(const struct bench_way *way, struct bench_result *result)
{
	run(way, result, true);
}

static int cache(char *why, size_t len)
{
	(void)why;
	(void)len;
	file_cache(file);
	return 0;
}

#define BARE(w) (VIEW_BARE + BARE_##w)

static const struct bench_way file_ways[] = {
	{ .name = "bare populate",
	  .run = run_file,
	  .how = BARE(POPULATE),
	  .floor = true },
	{ .name = "bare mem",
	  .run = run_file,
	  .how = BARE(MEM),
	  .floor = true },
	{ .name = "uffd thread", .run = run_file, .how = BARE(UFFD_THREAD) },
	{ .name = "uffd SIGBUS", .run = run_file, .how = BARE(UFFD_SIGBUS) },
	{ .name = "lazymap", .run = run_file, .how = VIEW_LAZY },
	{ .name = "lazymap 4K",
	  .run = run_file,
	  .how = VIEW_LAZY,
	  .cluster = BENCH_PAGE },
	{ .name = "lazymap store 4K",
	  .run = run_file,
	  .how = VIEW_STORE,
	  .cluster = BENCH_PAGE },
	{ 0 },
};

static const struct bench_way swap_ways[] = {
	{ .name = "lazymap", .run = run_swap, .how = VIEW_LAZY },
	{ .name = "lazymap 4K",
	  .run = run_swap,
	  .how = VIEW_LAZY,
	  .cluster = BENCH_PAGE },
	{ 0 },
};

#define TAIL(way)                                                              \
	{                                                                      \
		way, NULL, "p99/p50", .target = 5                              \
	}

static const struct bench_row rows[] = {
	{ .name = "a touch that evicts, cached file",
	  .unit = "us, p50",
	  .ways = file_ways,
	  .more = { "p99", "p99.9", "most", "p99/p50" },
	  .before = cache,
	  .aims = { TAIL("lazymap"),
		    TAIL("lazymap 4K"),
		    TAIL("lazymap store 4K"),
		    { "bare populate", NULL, "p99/p50", .bound = BENCH_SHOWN },
		    { "lazymap", "floor", .bound = BENCH_SHOWN } } },
	{ .name = "a touch that evicts, and comes back from swap's pool",
	  .unit = "us, p50",
	  .ways = swap_ways,
	  .more = { "p99", "p99.9", "most", "p99/p50" },
	  .aims = { TAIL("lazymap"), TAIL("lazymap 4K") } },
};

int main(void)
{
	size = bench_size(1024, 128) * BENCH_MIB;
	limit = size / 64;
	file = file_make(size, BENCH_PAGE);
	return bench_run("latency", rows, sizeof(rows) / sizeof(rows[0]));
}
