/*
 * ahead.c -- a scan of a store whose reads take their time, as a disk's or a
 * network's do, and of one that only copies; every byte is used. What workers
 * read ahead of the stream is not waited for. read is the program that has no
 * mapping: a piece of 64 KiB, or of 2 MiB, after the other.
 *
 * And one page out of each 256 KiB of the first, upwards, and in four places in
 * turn, two of which go down; read then is one of a page for each.
 *
 *	ahead
 *
 * SPDX-License-Identifier: MIT
 */
#include <time.h>

#include <lazymap.h>

#include "view.h"

#define READ_NS 200000
#define STRIDE (64 * BENCH_PAGE)

enum { READ_4K, READ_64K, READ_2M, STORE, STORE_NO_THREADS };

static size_t size, limit;
static int file;
static bool slow;

static int read_slowly(void *data, void *buf, size_t len, off_t offset)
{
	struct timespec moment = { .tv_nsec = READ_NS };

	(void)data;
	if (slow)
		nanosleep(&moment, NULL);
	return pread(file, buf, len, offset) == (ssize_t)len ? 0 : -EIO;
}

static uint64_t sum_of(const uint64_t *words, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len / 8; i++)
		sum += words[i];
	return sum;
}

static uint64_t scan_by_read(size_t len)
{
	char *buffer = malloc(len);
	uint64_t sum = 0;

	if (!buffer)
		abort();
	for (size_t at = 0; at < size; at += len) {
		if (read_slowly(NULL, buffer, len, (off_t)at) < 0)
			abort();
		sum += sum_of((uint64_t *)buffer, len);
	}
	free(buffer);
	return sum;
}

static void *map_store(bool threads)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .resident = limit,
					   .threads = threads ? 1 : -1 };
	struct lazymap_store_ops ops = { .size = sizeof(ops),
					 .version = LAZYMAP_STORE_VERSION,
					 .read = read_slowly };

	if (lazymap_start(&options) < 0)
		return LAZYMAP_FAILED;
	return lazymap_map_store(NULL, size, PROT_READ, MAP_PRIVATE, &ops, NULL,
				 0);
}

/* What the way reads by: *base, or read(2) where that is NULL. False: it cannot. */
static bool map(const struct bench_way *way, struct bench_result *result,
		char **base)
{
	*base = way->how >= STORE ? map_store(way->how == STORE) : NULL;
	if (*base != LAZYMAP_FAILED)
		return true;
	bench_skip(result, "%s", strerror(errno));
	return false;
}

static void run(const struct bench_way *way, struct bench_result *result)
{
	struct lazymap_stats stats;
	uint64_t sum = 0;
	double from;
	char *base;

	if (!map(way, result, &base))
		return;
	from = bench_now();
	if (base)
		sum = sum_of((uint64_t *)base, size);
	else
		sum = scan_by_read(way->how == READ_64K ? 16 * BENCH_PAGE
							: 2 * BENCH_MIB);
	result->value = (double)size / (bench_now() - from) / 1e9;
	for (size_t i = 0; i < size / 8; i++)
		sum -= file_word(i);
	if (sum)
		bench_wrong(result, "the words' sum is wrong");
	if (base && !lazymap_stats(&stats, sizeof(stats)))
		result->more[0] =
			(double)stats.pages_ahead / (double)(size / BENCH_PAGE);
}

/* Where the i-th of n steps is, in so many places in turn. */
static size_t step_at(size_t i, size_t n, size_t places)
{
	size_t place = i % places, k = i / places, each = n / places;

	return (place * each + (place % 2 ? each - 1 - k : k)) * STRIDE;
}

static uint64_t word_at(const char *base, size_t at)
{
	static uint64_t page[BENCH_PAGE / 8];

	if (base)
		return *(const uint64_t *)(base + at);
	if (read_slowly(NULL, page, sizeof(page), (off_t)at) < 0)
		abort();
	return page[0];
}

static void run_steps(const struct bench_way *way, struct bench_result *result)
{
	size_t n = size / STRIDE, wrong = 0;
	struct lazymap_stats stats;
	double from;
	char *base;

	slow = true;
	if (!map(way, result, &base))
		return;
	from = bench_now();
	for (size_t i = 0; i < n; i++) {
		size_t at = step_at(i, n, (size_t)way->pattern);

		wrong += word_at(base, at) != file_word(at / 8);
	}
	result->value = (bench_now() - from) / (double)n * 1e6;
	if (wrong)
		bench_wrong(result, "%zu words are wrong", wrong);
	if (base && !lazymap_stats(&stats, sizeof(stats))) {
		result->more[0] = (double)stats.pages_ahead / (double)n;
		result->more[1] = (double)stats.pages_filled / (double)n;
	}
}

static void run_slow(const struct bench_way *way, struct bench_result *result)
{
	slow = true;
	run(way, result);
}

static int cache(char *why, size_t len)
{
	(void)why;
	(void)len;
	file_cache(file);
	return 0;
}

#define WAYS(fn)                                                               \
	{ .name = "read 64K", .run = fn, .how = READ_64K },                    \
		{ .name = "read 2M", .run = fn, .how = READ_2M },              \
		{ .name = "lazymap store", .run = fn, .how = STORE },          \
		{ .name = "lazymap store, no threads",                         \
		  .run = fn,                                                   \
		  .how = STORE_NO_THREADS },                                   \
	{                                                                      \
		0                                                              \
	}

#define STEP_WAYS(places)                                                      \
	{ .name = "read 4K",                                                   \
	  .run = run_steps,                                                    \
	  .how = READ_4K,                                                      \
	  .pattern = places },                                                 \
		{ .name = "lazymap store",                                     \
		  .run = run_steps,                                            \
		  .how = STORE,                                                \
		  .pattern = places },                                         \
		{ .name = "lazymap store, no threads",                         \
		  .run = run_steps,                                            \
		  .how = STORE_NO_THREADS,                                     \
		  .pattern = places },                                         \
	{                                                                      \
		0                                                              \
	}

static const struct bench_way step_ways[] = { STEP_WAYS(1) };
static const struct bench_way place_ways[] = { STEP_WAYS(4) };
static const struct bench_way slow_ways[] = { WAYS(run_slow) };
static const struct bench_way copy_ways[] = { WAYS(run) };

#define SHOWN(a, b)                                                            \
	{                                                                      \
		a, b, .bound = BENCH_SHOWN                                     \
	}

#define AIMS                                                                   \
	{                                                                      \
		SHOWN("lazymap store", "lazymap store, no threads"),           \
			SHOWN("lazymap store", "read 64K"),                    \
			SHOWN("lazymap store", "read 2M")                      \
	}

#define STEP_AIMS                                                              \
	{                                                                      \
		SHOWN("lazymap store", "lazymap store, no threads"),           \
			SHOWN("lazymap store", "read 4K")                      \
	}

static const struct bench_row rows[] = {
	{ .name = "scan, a store whose reads take 0.2 ms",
	  .unit = "GB/s",
	  .rate = true,
	  .rounds_max = 5,
	  .ways = slow_ways,
	  .more = { "ahead" },
	  .before = cache,
	  .aims = AIMS },
	{ .name = "scan, a store that copies",
	  .unit = "GB/s",
	  .rate = true,
	  .ways = copy_ways,
	  .more = { "ahead" },
	  .before = cache,
	  .aims = AIMS },
	{ .name = "a page of each 256 KiB, reads take 0.2 ms",
	  .unit = "us a page",
	  .rounds_max = 5,
	  .ways = step_ways,
	  .more = { "ahead", "filled" },
	  .before = cache,
	  .aims = STEP_AIMS },
	{ .name = "the same in four places, two of them backward",
	  .unit = "us a page",
	  .rounds_max = 5,
	  .ways = place_ways,
	  .more = { "ahead", "filled" },
	  .before = cache,
	  .aims = STEP_AIMS },
};

int main(void)
{
	size = bench_size(256, 32) * BENCH_MIB;
	limit = size / 4;
	file = file_make(size, BENCH_PAGE);
	return bench_run("ahead", rows, sizeof(rows) / sizeof(rows[0]));
}
