/*
 * touch.c -- what the first touch of one page costs: of a file that is in the
 * page cache, of a store that is copied, of zeros; and of two threads at once.
 *
 * One page out of each 64 KiB is touched, in random order, so that no page
 * comes in with another: what is measured is the fault.
 *
 *	touch
 *
 * SPDX-License-Identifier: MIT
 */
#include <lazymap.h>

#include "view.h"

#define APART ((size_t)65536)

static size_t size;
static int file;

struct job {
	const struct bench_way *way;
	char *base;
	const uint32_t *page;
	size_t n;
	bool write;
	uint64_t sum[16];
};

static void touch(void *data, int thread)
{
	struct job *job = data;
	size_t step = (size_t)(job->way->threads ? job->way->threads : 1);
	uint64_t sum = 0, word;

	for (size_t i = (size_t)thread; i < job->n; i += step) {
		size_t at = job->page[i] * BENCH_PAGE;

		if (job->way->how == VIEW_READ) {
			uint64_t page[BENCH_PAGE / 8];

			if (pread(file, page, BENCH_PAGE, (off_t)at) < 0)
				abort();
			word = page[0];
		} else if (job->write) {
			word = file_word(at / 8);
			*(volatile uint64_t *)(job->base + at) = word;
		} else {
			word = *(volatile uint64_t *)(job->base + at);
		}
		sum += word;
	}
	job->sum[thread] = sum;
}

static void check(const struct job *job, struct bench_result *result)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < job->n; i++) {
		size_t at = job->page[i] * BENCH_PAGE;
		const uint64_t *page = (uint64_t *)(job->base + at);

		sum += file_word(at / 8);
		if (!bench_verify || job->way->how == VIEW_READ)
			continue;
		if (!job->write && !file_same(page, BENCH_PAGE, at))
			bench_wrong(result, "page %u is not the file's",
				    job->page[i]);
		if (job->write && (page[0] != file_word(at / 8) || page[511]))
			bench_wrong(result, "page %u lost a write",
				    job->page[i]);
	}
	for (int i = 0; i < 16; i++)
		sum -= job->sum[i];
	if (sum)
		bench_wrong(result, "the words' sum is wrong");
}

static void run(const struct bench_way *way, struct bench_result *result,
		int fd)
{
	struct view view = { .len = size, .fd = fd, .cluster = way->cluster };
	struct job job = { .way = way, .write = fd < 0 };
	double seconds;

	job.page = view_order(size, APART, 1, &job.n);
	if (view_map(&view, way->how, result) < 0)
		return;
	job.base = view.base;
	seconds = bench_threads(way->threads, touch, &job);
	result->value = seconds * 1e6 / (double)job.n;
	check(&job, result);
}

static void run_file(const struct bench_way *way, struct bench_result *result)
{
	run(way, result, file);
}

static void run_zero(const struct bench_way *way, struct bench_result *result)
{
	run(way, result, -1);
}

static void run_rate(const struct bench_way *way, struct bench_result *result)
{
	run(way, result, file);
	result->value = 1e3 / result->value;
}

static int cache(char *why, size_t len)
{
	(void)why;
	(void)len;
	file_cache(file);
	return 0;
}

#define BARE(w) (VIEW_BARE + BARE_##w)

#define WAY(fn, ...)                                                           \
	{                                                                      \
		.run = fn, __VA_ARGS__                                         \
	}

static const struct bench_way file_ways[] = {
	WAY(run_file, .name = "kernel", .how = VIEW_KERNEL),
	WAY(run_file, .name = "kernel MADV_RANDOM", .how = VIEW_RANDOM),
	WAY(run_file, .name = "pread", .how = VIEW_READ),
	WAY(run_file, .name = "bare reveal", .how = BARE(REVEAL),
	    .floor = true),
	WAY(run_file, .name = "bare populate", .how = BARE(POPULATE),
	    .floor = true),
	WAY(run_file, .name = "bare in place", .how = BARE(INPLACE),
	    .floor = true),
	WAY(run_file, .name = "bare mem", .how = BARE(MEM), .floor = true),
	WAY(run_file, .name = "uffd thread", .how = BARE(UFFD_THREAD)),
	WAY(run_file, .name = "uffd SIGBUS", .how = BARE(UFFD_SIGBUS)),
	WAY(run_file, .name = "lazymap", .how = VIEW_LAZY),
	WAY(run_file, .name = "lazymap 4K", .how = VIEW_LAZY,
	    .cluster = BENCH_PAGE),
	{ 0 },
};

static const struct bench_way store_ways[] = {
	WAY(run_file, .name = "kernel", .how = VIEW_KERNEL),
	WAY(run_file, .name = "bare in place", .how = BARE(INPLACE),
	    .floor = true),
	WAY(run_file, .name = "bare mem", .how = BARE(MEM), .floor = true),
	WAY(run_file, .name = "uffd thread", .how = BARE(UFFD_THREAD)),
	WAY(run_file, .name = "uffd SIGBUS", .how = BARE(UFFD_SIGBUS)),
	WAY(run_file, .name = "lazymap", .how = VIEW_STORE),
	WAY(run_file, .name = "lazymap 4K", .how = VIEW_STORE,
	    .cluster = BENCH_PAGE),
	{ 0 },
};

static const struct bench_way zero_ways[] = {
	WAY(run_zero, .name = "kernel", .how = VIEW_KERNEL),
	WAY(run_zero, .name = "bare reveal", .how = BARE(REVEAL),
	    .floor = true),
	WAY(run_zero, .name = "bare populate", .how = BARE(POPULATE),
	    .floor = true),
	WAY(run_zero, .name = "bare mem", .how = BARE(MEM), .floor = true),
	WAY(run_zero, .name = "uffd thread", .how = BARE(UFFD_THREAD)),
	WAY(run_zero, .name = "uffd SIGBUS", .how = BARE(UFFD_SIGBUS)),
	WAY(run_zero, .name = "lazymap", .how = VIEW_LAZY),
	WAY(run_zero, .name = "lazymap 4K", .how = VIEW_LAZY,
	    .cluster = BENCH_PAGE),
	{ 0 },
};

static const struct bench_way rate_ways[] = {
	WAY(run_rate, .name = "kernel", .how = VIEW_KERNEL),
	WAY(run_rate, .name = "kernel x2", .how = VIEW_KERNEL, .threads = 2),
	/* No mapping at all: were two processors to be had? */
	WAY(run_rate, .name = "pread", .how = VIEW_READ),
	WAY(run_rate, .name = "pread x2", .how = VIEW_READ, .threads = 2),
	WAY(run_rate, .name = "bare populate", .how = BARE(POPULATE)),
	WAY(run_rate, .name = "bare populate x2", .how = BARE(POPULATE),
	    .threads = 2),
	WAY(run_rate, .name = "bare mem", .how = BARE(MEM)),
	WAY(run_rate, .name = "bare mem x2", .how = BARE(MEM), .threads = 2),
	WAY(run_rate, .name = "uffd SIGBUS", .how = BARE(UFFD_SIGBUS)),
	WAY(run_rate, .name = "uffd SIGBUS x2", .how = BARE(UFFD_SIGBUS),
	    .threads = 2),
	WAY(run_rate, .name = "lazymap", .how = VIEW_LAZY),
	WAY(run_rate, .name = "lazymap x2", .how = VIEW_LAZY, .threads = 2),
	WAY(run_rate, .name = "lazymap store", .how = VIEW_STORE),
	WAY(run_rate, .name = "lazymap store x2", .how = VIEW_STORE,
	    .threads = 2),
	{ 0 },
};

static const struct bench_row rows[] = {
	{ .name = "first touch, random 4 KiB, cached file",
	  .unit = "us a page",
	  .ways = file_ways,
	  .before = cache,
	  .aims = { { "lazymap", "floor", .target = 1.25 },
		    { "lazymap 4K", "floor", .target = 1.25 } } },
	{ .name = "first touch, random 4 KiB, a store of one's own",
	  .unit = "us a page",
	  .ways = store_ways,
	  .before = cache,
	  .aims = { { "lazymap", "floor", .target = 1.25 },
		    { "lazymap 4K", "floor", .target = 1.25 } } },
	{ .name = "first touch, random 4 KiB, anonymous",
	  .unit = "us a page",
	  .ways = zero_ways,
	  .aims = { { "lazymap", "floor", .target = 1.25 },
		    { "lazymap 4K", "floor", .target = 1.25 } } },
	{ .name = "two threads, random 4 KiB of one area",
	  .unit = "1000 touches a second",
	  .rate = true,
	  .ways = rate_ways,
	  .before = cache,
	  .aims = { { "lazymap x2", "lazymap", .bound = BENCH_AT_LEAST,
		      .target = 1.6 },
		    { "lazymap store x2", "lazymap store",
		      .bound = BENCH_AT_LEAST, .target = 1.6 },
		    { "bare populate x2", "bare populate",
		      .bound = BENCH_SHOWN },
		    { "bare mem x2", "bare mem", .bound = BENCH_SHOWN },
		    { "pread x2", "pread", .bound = BENCH_SHOWN },
		    { "kernel x2", "kernel", .bound = BENCH_SHOWN } } },
};

int main(void)
{
	size = bench_size(1024, 64) * BENCH_MIB;
	file = file_make(size, BENCH_PAGE);
	return bench_run("touch", rows, sizeof(rows) / sizeof(rows[0]));
}
