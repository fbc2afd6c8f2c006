/*
 * policies.c -- what the replacement policies make of ways in which programs
 * use memory, through lazymap and with real faults, so that the default is
 * chosen by measurement. A quarter of the pages may be resident.
 *
 *  zipf        few pages often, many seldom (the k-th most used one with 1/k)
 *  scan+hot    nine in ten touches in a set that fits, the tenth goes through
 *              the rest in order
 *  shift       a set that fits, another one after some time
 *  loop        a set that is a quarter too large, in order, again and again
 *  sequential  all pages in order, each 16 times in a row
 *
 * Clusters are of one page: a policy's choice, not the neighbour's. "lru" and
 * "best" are no policies of lazymap's, and no time is measured of them: what
 * true LRU, and what knowing the future (Belady, 1966), would have to fault.
 *
 *	policies
 *
 * SPDX-License-Identifier: MIT
 */
#include <lazymap.h>
#include <math.h>
#include <stdint.h>

#include "view.h"

enum pattern { ZIPF, SCAN_HOT, SHIFT, LOOP, SEQUENTIAL };

static size_t pages, limit, touches;
static int file;

/* -- Patterns -------------------------------------------------------------------- */

static uint64_t seed = 1;

static double uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) / 9007199254740992.0;
}

static size_t below(size_t n)
{
	return (size_t)(uniform() * (double)n);
}

static void fill_zipf(uint32_t *page)
{
	double *sum = calloc(pages + 1, sizeof(*sum));
	size_t n;
	uint32_t *rank = view_order(pages * BENCH_PAGE, BENCH_PAGE, 3, &n);

	if (!sum)
		abort();
	for (size_t k = 0; k < pages; k++)
		sum[k + 1] = sum[k] + 1.0 / (double)(k + 1);
	for (size_t i = 0; i < touches; i++) {
		double at = uniform() * sum[pages];
		size_t low = 0, high = pages;

		while (high - low > 1) {
			size_t middle = (low + high) / 2;

			*(sum[middle] <= at ? &low : &high) = middle;
		}
		page[i] = rank[low];
	}
	free(rank);
	free(sum);
}

static void fill(enum pattern pattern, uint32_t *page)
{
	size_t hot = limit * 3 / 4, at = 0, sets = 4;

	seed = 1;
	if (pattern == ZIPF)
		fill_zipf(page);
	for (size_t i = 0; i < touches; i++)
		switch (pattern) {
		case ZIPF:
			break;
		case SCAN_HOT:
			page[i] = (uint32_t)(uniform() < 0.9
						     ? below(hot)
						     : hot + at++ % (pages -
								     hot));
			break;
		case SHIFT:
			page[i] =
				(uint32_t)(i * sets / touches * (pages / sets) +
					   below(hot));
			break;
		case LOOP:
			page[i] = (uint32_t)(i % (limit + limit / 4));
			break;
		case SEQUENTIAL:
			page[i] = (uint32_t)(i / 16 % pages);
			break;
		}
}

/* -- What could be had ------------------------------------------------------------- */

/* When each touch's page is touched again; touches: never. */
static uint32_t *next_touches(const uint32_t *page)
{
	uint32_t *next = calloc(touches, sizeof(*next));
	uint32_t *last = calloc(pages, sizeof(*last));

	if (!next || !last)
		abort();
	for (size_t i = 0; i < pages; i++)
		last[i] = (uint32_t)touches;
	for (size_t i = touches; i-- > 0;) {
		next[i] = last[page[i]];
		last[page[i]] = (uint32_t)i;
	}
	free(last);
	return next;
}

/*
 * Faults of a memory of `limit` pages from which the page with the highest
 * (`best`) or lowest key goes: keys are the next touch, or the last one. Both
 * are unique, so memory is an array over time of who has that key.
 */
static double simulate(const uint32_t *page, bool best)
{
	uint32_t *next = next_touches(page);
	uint32_t *key_of = calloc(pages, sizeof(*key_of));
	bool *there = calloc(pages, sizeof(*there));
	/* By key; a page that is never touched again has a key behind all. */
	uint32_t *owner = calloc(2 * touches + 1, sizeof(*owner));
	size_t faults = 0, used = 0, oldest = 0, highest = 2 * touches;

	if (!key_of || !there || !owner)
		abort();
	for (size_t i = 0; i < touches; i++) {
		uint32_t p = page[i];
		size_t key = i;

		if (best)
			key = next[i] < touches ? next[i] : touches + i;
		if (there[p]) {
			owner[key_of[p]] = 0;
		} else {
			faults++;
			used++;
		}
		if (used > limit) {
			uint32_t *at;

			if (best) {
				while (!owner[highest])
					highest--;
				at = &owner[highest];
			} else {
				while (!owner[oldest])
					oldest++;
				at = &owner[oldest];
			}
			there[*at - 1] = false;
			*at = 0;
			used--;
		}
		there[p] = true;
		key_of[p] = (uint32_t)key;
		owner[key] = p + 1;
		if (key > highest)
			highest = key;
	}
	free(next);
	free(key_of);
	free(there);
	free(owner);
	return (double)faults;
}

/* -- Runs ---------------------------------------------------------------------------- */

static uint32_t *make(const struct bench_way *way)
{
	uint32_t *page = calloc(touches, sizeof(*page));

	if (!page)
		abort();
	fill((enum pattern)way->pattern, page);
	return page;
}

static void run_ideal(const struct bench_way *way, struct bench_result *result)
{
	result->value = NAN;
	result->more[0] = simulate(make(way), way->how);
	result->more[1] = 0;
}

static void run_policy(const struct bench_way *way, struct bench_result *result)
{
	struct view view = { .len = pages * BENCH_PAGE,
			     .fd = file,
			     .keep = limit * BENCH_PAGE,
			     .cluster = BENCH_PAGE,
			     .policy = way->text };
	uint32_t *page = make(way);
	uint64_t sum = 0;
	double from;

	if (view_map(&view, VIEW_LAZY, result) < 0)
		return;
	from = bench_now();
	for (size_t i = 0; i < touches; i++)
		sum += *(const volatile uint64_t *)(view.base +
						    page[i] * BENCH_PAGE);
	result->value = (bench_now() - from) * 1e6 / (double)touches;
	result->more[0] = view_faults();
	result->more[1] = view_soft();
	for (size_t i = 0; i < touches; i++)
		sum -= file_word(page[i] * BENCH_PAGE / 8);
	if (sum)
		bench_wrong(result, "the words' sum is wrong");
}

static int cache(char *why, size_t len)
{
	(void)why;
	(void)len;
	file_cache(file);
	return 0;
}

#define POLICY(p, t)                                                           \
	{                                                                      \
		.name = t, .run = run_policy, .pattern = p, .text = t          \
	}

#define WAYS(p)                                                                \
	POLICY(p, "s3fifo"), POLICY(p, "clock"), POLICY(p, "sieve"),           \
		POLICY(p, "fifo"),                                             \
		{ .name = "(lru)",                                             \
		  .run = run_ideal,                                            \
		  .pattern = p,                                                \
		  .how = false },                                              \
		{ .name = "(best)",                                            \
		  .run = run_ideal,                                            \
		  .pattern = p,                                                \
		  .how = true },                                               \
	{                                                                      \
		0                                                              \
	}

static const struct bench_way zipf[] = { WAYS(ZIPF) };
static const struct bench_way scan_hot[] = { WAYS(SCAN_HOT) };
static const struct bench_way shift[] = { WAYS(SHIFT) };
static const struct bench_way loop[] = { WAYS(LOOP) };
static const struct bench_way sequential[] = { WAYS(SEQUENTIAL) };

#define SHOWN(a, b)                                                            \
	{                                                                      \
		a, b, .bound = BENCH_SHOWN                                     \
	}

#define ROW(n, w)                                                              \
	{                                                                      \
		.name = n, .unit = "us a touch", .ways = w, .rounds_max = 3,   \
		.more = { "faults", "soft" }, .before = cache, .aims = {       \
			SHOWN("s3fifo", "clock"),                              \
			SHOWN("s3fifo", "sieve"),                              \
			SHOWN("s3fifo", "fifo")                                \
		}                                                              \
	}

static const struct bench_row rows[] = {
	ROW("policies, zipf", zipf),
	ROW("policies, scan+hot", scan_hot),
	ROW("policies, shift", shift),
	ROW("policies, loop", loop),
	ROW("policies, sequential", sequential),
};

int main(void)
{
	pages = bench_size(16384, 4096);
	limit = pages / 4;
	touches = bench_size(200000, 20000);
	file = file_make(pages * BENCH_PAGE, BENCH_PAGE);
	return bench_run("policies", rows, sizeof(rows) / sizeof(rows[0]));
}
