/*
 * swap.c -- anonymous memory that does not fit, and memory that does.
 *
 * A sequential pass writes four times the resident limit, which goes to the
 * compressed pool; a second pass reads it back. Held against the bare "trap,
 * unprotect" of each page, what a program pays that pages by mprotect and keeps
 * everything. Then random reads of a working set that fits: after the warm-up
 * there must be no fault, and nothing between the program and its memory.
 *
 *	swap
 *
 * SPDX-License-Identifier: MIT
 */
#include <lazymap.h>
#include <signal.h>
#include <sys/resource.h>

#include "view.h"

static size_t size, set, reads;

/* -- Streams ------------------------------------------------------------------- */

/* Half of a page is noise, half zeros: LZ4 halves it. */
static void make_page(uint64_t *words)
{
	memset(words, 0, BENCH_PAGE);
	for (size_t k = 0; k < BENCH_PAGE / 16; k++)
		words[k] = file_word(k);
}

static void write_pass(char *base, const uint64_t *pattern)
{
	for (size_t at = 0; at < size; at += BENCH_PAGE) {
		memcpy(base + at, pattern, BENCH_PAGE);
		*(uint64_t *)(base + at) = file_word(at / 8);
	}
}

static uint64_t read_pass(const char *base)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < size; at += BENCH_PAGE)
		sum += *(const volatile uint64_t *)(base + at);
	return sum;
}

static uint64_t sum_wanted(void)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < size; at += BENCH_PAGE)
		sum += file_word(at / 8);
	return sum;
}

static void check_all(const char *base, uint64_t *pattern,
		      struct bench_result *result)
{
	for (size_t at = 0; at < size; at += BENCH_PAGE) {
		pattern[0] = file_word(at / 8);
		if (memcmp(base + at, pattern, BENCH_PAGE)) {
			bench_wrong(result, "page %zu lost a write",
				    at / BENCH_PAGE);
			return;
		}
	}
}

static void unprotect(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (mprotect((void *)((uintptr_t)info->si_addr & ~(BENCH_PAGE - 1)),
		     BENCH_PAGE, PROT_READ | PROT_WRITE))
		abort();
}

/* Memory that is all there, its pages protected. */
static char *map_protected(void)
{
	struct sigaction action = { .sa_sigaction = unprotect,
				    .sa_flags = SA_SIGINFO };
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED || mprotect(at, size, PROT_NONE) ||
	    sigaction(SIGSEGV, &action, NULL))
		abort();
	return at;
}

#define UNPROTECT (-1)
/* Patterns. */
#define UNLIMITED 1
#define NO_PAGER 2

static void run_pass(const struct bench_way *way, struct bench_result *result,
		     bool back)
{
	struct view view = { .len = size, .fd = -1, .cluster = way->cluster };
	uint64_t pattern[BENCH_PAGE / 8], sum;
	double from, write_us, read_us;

	if (way->how == VIEW_LAZY && way->pattern != UNLIMITED) {
		view.keep = size / 4;
		view.pool = size;
	}
	make_page(pattern);
	if (way->how == UNPROTECT)
		view.base = map_protected();
	else if (view_map(&view, way->how, result) < 0)
		return;
	from = bench_now();
	write_pass(view.base, pattern);
	write_us = (bench_now() - from) * 1e6 / (double)(size / BENCH_PAGE);
	if (way->how == UNPROTECT && back &&
	    mprotect(view.base, size, PROT_NONE))
		abort();
	from = bench_now();
	sum = read_pass(view.base);
	read_us = (bench_now() - from) * 1e6 / (double)(size / BENCH_PAGE);
	result->value = back ? read_us : write_us;
	if (sum != sum_wanted())
		bench_wrong(result, "the words' sum is wrong");
	if (bench_verify)
		check_all(view.base, pattern, result);
}

static void run_write(const struct bench_way *way, struct bench_result *result)
{
	run_pass(way, result, false);
}

static void run_read(const struct bench_way *way, struct bench_result *result)
{
	run_pass(way, result, true);
}

/* -- Random writes ---------------------------------------------------------------- */

/* Pages that are shown alone make two VM areas each, of which there are 65,530:
 * the bare trap shows so many, and then, while nobody looks at the clock, all
 * are protected again. */
#define ROUND ((size_t)20000)

static double cpu_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Wall and processor time of a write to each of these pages are added. */
static void write_words(char *base, const uint32_t *page, size_t n,
			double *wall, double *cpu)
{
	double from = bench_now(), cpu_from = cpu_now();

	for (size_t i = 0; i < n; i++)
		*(volatile uint64_t *)(base + page[i] * BENCH_PAGE) =
			file_word(page[i] * BENCH_PAGE / 8);
	*wall += bench_now() - from;
	*cpu += cpu_now() - cpu_from;
}

/* All has been written; now a word of each page, in random order: what is
 * compared is a fault that evicts a page and brings one back, with the fault
 * that finds all in place. */
static void run_random(const struct bench_way *way, struct bench_result *result)
{
	struct view view = { .len = size,
			     .fd = -1,
			     .keep = size / 4,
			     .pool = size,
			     .cluster = way->cluster };
	uint64_t pattern[BENCH_PAGE / 8];
	bool bare = way->how == UNPROTECT;
	size_t n, most;
	uint32_t *page = view_order(size, BENCH_PAGE, 1, &n);
	double faults = 0, wall = 0, cpu = 0;

	make_page(pattern);
	if (way->pattern == NO_PAGER)
		setenv("LAZYMAP_THREADS", "0", 1);
	if (bare)
		view.base = map_protected();
	else if (view_map(&view, way->how, result) < 0)
		return;
	write_pass(view.base, pattern);
	if (!bare)
		faults = view_faults();
	for (size_t i = 0; i < n; i += most) {
		most = !bare || n - i < ROUND ? n - i : ROUND;
		if (bare && mprotect(view.base, size, PROT_NONE))
			abort();
		write_words(view.base, page + i, most, &wall, &cpu);
	}
	if (bare && mprotect(view.base, size, PROT_READ | PROT_WRITE))
		abort();
	faults = bare ? (double)n : view_faults() - faults;
	result->value = wall * 1e6 / faults;
	result->more[0] = faults / (double)n;
	result->more[1] = cpu * 1e6 / faults;
	if (bench_verify)
		check_all(view.base, pattern, result);
	free(page);
}

/* -- A working set that fits ----------------------------------------------------- */

static uint64_t random_reads(const uint64_t *base, size_t n)
{
	uint64_t at = 1, sum = 0;

	for (size_t i = 0; i < n; i++) {
		at = at * 6364136223846793005u + 1442695040888963407u;
		sum += base[(at >> 20) % (set / 8)];
	}
	return sum;
}

static void run_set(const struct bench_way *way, struct bench_result *result)
{
	bool lazy = way->how == VIEW_LAZY;
	struct view view = { .len = set, .fd = -1, .cluster = way->cluster };
	uint64_t sum, *word;
	double from, faults = 0, soft = 0;

	if (lazy && way->pattern != UNLIMITED)
		view.keep = 2 * set;
	if (view_map(&view, way->how, result) < 0)
		return;
	word = (uint64_t *)view.base;
	for (size_t i = 0; i < set / 8; i++)
		word[i] = file_word(i);
	sum = random_reads(word, reads / 4);
	if (lazy) {
		faults = view_faults();
		soft = view_soft();
	}
	from = bench_now();
	sum += random_reads(word, reads);
	result->value = (bench_now() - from) * 1e9 / (double)reads;
	if (lazy) {
		result->more[0] = view_faults() - faults;
		result->more[1] = view_soft() - soft;
	}
	if (!sum || (bench_verify && !file_same(word, set, 0)))
		bench_wrong(result, "the words are not those written");
}

/* -- Rows -------------------------------------------------------------------------- */

#define HUGE (2 * BENCH_MIB)

#define PASS_WAYS(fn)                                                          \
	{ .name = "trap, unprotect", .run = fn, .how = UNPROTECT },            \
		{ .name = "kernel", .run = fn, .how = VIEW_KERNEL },           \
		{ .name = "lazymap", .run = fn, .how = VIEW_LAZY },            \
		{ .name = "lazymap 4K",                                        \
		  .run = fn,                                                   \
		  .how = VIEW_LAZY,                                            \
		  .cluster = BENCH_PAGE },                                     \
		{ .name = "lazymap 64K",                                       \
		  .run = fn,                                                   \
		  .how = VIEW_LAZY,                                            \
		  .cluster = 16 * BENCH_PAGE },                                \
		{ .name = "lazymap 2M",                                        \
		  .run = fn,                                                   \
		  .how = VIEW_LAZY,                                            \
		  .cluster = HUGE },                                           \
		{ .name = "lazymap, no limit",                                 \
		  .run = fn,                                                   \
		  .how = VIEW_LAZY,                                            \
		  .pattern = UNLIMITED },                                      \
	{                                                                      \
		0                                                              \
	}

static const struct bench_way write_ways[] = { PASS_WAYS(run_write) };
static const struct bench_way read_ways[] = { PASS_WAYS(run_read) };

static const struct bench_way random_ways[] = {
	{ .name = "trap, unprotect", .run = run_random, .how = UNPROTECT },
	{ .name = "lazymap", .run = run_random, .how = VIEW_LAZY },
	{ .name = "lazymap, no pager",
	  .run = run_random,
	  .how = VIEW_LAZY,
	  .pattern = NO_PAGER },
	{ .name = "lazymap 4K",
	  .run = run_random,
	  .how = VIEW_LAZY,
	  .cluster = BENCH_PAGE },
	{ .name = "lazymap 4K, no pager",
	  .run = run_random,
	  .how = VIEW_LAZY,
	  .cluster = BENCH_PAGE,
	  .pattern = NO_PAGER },
	{ 0 },
};

static const struct bench_way set_ways[] = {
	{ .name = "kernel", .run = run_set, .how = VIEW_KERNEL },
	{ .name = "kernel MADV_HUGEPAGE", .run = run_set, .how = VIEW_HUGE },
	{ .name = "lazymap", .run = run_set, .how = VIEW_LAZY },
	{ .name = "lazymap 2M",
	  .run = run_set,
	  .how = VIEW_LAZY,
	  .cluster = HUGE },
	{ .name = "lazymap, no limit",
	  .run = run_set,
	  .how = VIEW_LAZY,
	  .pattern = UNLIMITED },
	{ 0 },
};

static const struct bench_row rows[] = {
	{ .name = "sequential writes, 4 times the limit, compressed pool",
	  .unit = "us a page",
	  .ways = write_ways,
	  .aims = { { "lazymap", "trap, unprotect", .target = 0.4 },
		    { "lazymap 4K", "lazymap 64K", .bound = BENCH_AT_LEAST,
		      .target = 3 },
		    { "lazymap 2M", "trap, unprotect",
		      .bound = BENCH_SHOWN } } },
	{ .name = "sequential reads of that, back from the pool",
	  .unit = "us a page",
	  .ways = read_ways,
	  .aims = { { "lazymap", "trap, unprotect", .bound = BENCH_SHOWN } } },
	{ .name = "random writes, 4 times the limit, back from the pool",
	  .unit = "us a fault",
	  .ways = random_ways,
	  .more = { "faults/page", "cpu us" },
	  .aims = { { "lazymap", "trap, unprotect", .target = 3 },
		    { "lazymap 4K", "trap, unprotect", .target = 3 },
		    { "lazymap", "lazymap, no pager", .target = 1.05 },
		    { "lazymap 4K", "lazymap 4K, no pager",
		      .target = 1.05 } } },
	{ .name = "random reads of a working set that fits",
	  .unit = "ns a read",
	  .ways = set_ways,
	  .more = { "faults", "soft" },
	  .aims = { { "lazymap", NULL, "faults", BENCH_AT_MOST, 0 },
		    { "lazymap", NULL, "soft", BENCH_AT_MOST, 0 },
		    { "lazymap", "kernel", .target = 1.05 },
		    { "lazymap", "kernel MADV_HUGEPAGE", .target = 1.05 },
		    { "lazymap 2M", "kernel MADV_HUGEPAGE",
		      .target = 1.05 } } },
};

int main(void)
{
	size = bench_size(512, 32) * BENCH_MIB;
	set = bench_size(256, 32) * BENCH_MIB;
	reads = bench_size(20, 2) * 1000 * 1000;
	return bench_run("swap", rows, sizeof(rows) / sizeof(rows[0]));
}
