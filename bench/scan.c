/*
 * scan.c -- the first touch of every page of a file, in order, while 64 MiB of
 * its 1 GiB may be resident: forward, backward, four streams in turn, two
 * threads; with the page cache warm and dropped.
 *
 * One word a page is touched, as in a first-touch scan: what is measured is
 * paging, not the memory's bandwidth. One row reads every byte. read(2) into a
 * buffer of 2 MiB is what is possible without any mapping. The kernel has no
 * limit, but for the way that drops 2 MiB behind it for each 2 MiB that it comes
 * to (MADV_DONTNEED), which is what a program has to do that keeps to one.
 *
 *	scan
 *
 * SPDX-License-Identifier: MIT
 */
#include <lazymap.h>

#include "view.h"

#define BUFFER (2 * BENCH_MIB)
#define BLOCKS 32 /* of the limit, at most */
#define STREAMS 4
#define THREADS 2

enum pattern { FORWARD, BACKWARD, INTERLEAVED, HALVES };

static size_t size, limit;
static int small_file, large_file;

/* Of each stream: read(2)'s memory, or what is to be dropped. */
struct window {
	char *buffer;
	size_t at;              /* in the file; (size_t)-1: nothing read yet */
	size_t entered[BLOCKS]; /* the latest of them, in a ring */
	size_t turn;
};

struct job {
	const struct bench_way *way;
	int fd;
	char *base;
	bool every_byte;
	struct window window[STREAMS];
	uint64_t sum[THREADS];
};

/* A block is come to: one that is `limit` behind, all streams together, goes. */
static void drop_behind(struct job *job, struct window *window, size_t block)
{
	int pattern = job->way->pattern;
	size_t streams = pattern == INTERLEAVED ? STREAMS
			 : pattern == HALVES    ? THREADS
						: 1;
	size_t n = limit / BUFFER / streams;
	size_t *entered = &window->entered[window->turn % n];

	if (window->turn++ >= n &&
	    madvise(job->base + *entered * BUFFER, BUFFER, MADV_DONTNEED) < 0)
		abort();
	*entered = window->at = block;
}

static const uint64_t *page_of(struct job *job, size_t page, size_t stream)
{
	size_t at = page * BENCH_PAGE;
	struct window *window = &job->window[stream];

	if (job->way->how == VIEW_BEHIND && window->at != at / BUFFER)
		drop_behind(job, window, at / BUFFER);
	if (job->base)
		return (const uint64_t *)(job->base + at);
	if (window->at != at / BUFFER) {
		window->at = at / BUFFER;
		if (pread(job->fd, window->buffer, BUFFER,
			  (off_t)(window->at * BUFFER)) <= 0)
			abort();
	}
	return (const uint64_t *)(window->buffer + at % BUFFER);
}

static inline uint64_t use(struct job *job, size_t page, size_t stream)
{
	const uint64_t *word = page_of(job, page, stream);
	uint64_t sum = 0;

	if (!job->every_byte)
		return *(const volatile uint64_t *)word;
	for (size_t i = 0; i < BENCH_PAGE / 8; i++)
		sum += word[i];
	return sum;
}

static void scan(void *data, int thread)
{
	struct job *job = data;
	size_t n = size / BENCH_PAGE, stream = (size_t)thread;
	uint64_t sum = 0;

	switch (job->way->pattern) {
	case FORWARD:
		for (size_t i = 0; i < n; i++)
			sum += use(job, i, 0);
		break;
	case BACKWARD:
		for (size_t i = n; i-- > 0;)
			sum += use(job, i, 0);
		break;
	case INTERLEAVED:
		for (size_t i = 0; i < n / STREAMS; i++)
			for (size_t s = 0; s < STREAMS; s++)
				sum += use(job, s * (n / STREAMS) + i, s);
		break;
	case HALVES:
		for (size_t i = 0; i < n / THREADS; i++)
			sum += use(job, stream * (n / THREADS) + i, stream);
		break;
	}
	job->sum[thread] = sum;
}

static void check(struct job *job, struct bench_result *result)
{
	size_t step = job->every_byte ? 1 : BENCH_PAGE / 8;
	uint64_t sum = 0;

	for (size_t i = 0; i < size / 8; i += step)
		sum += file_word(i);
	for (int i = 0; i < THREADS; i++)
		sum -= job->sum[i];
	if (sum)
		bench_wrong(result, "the words' sum is wrong");
	for (size_t at = 0; bench_verify && job->base && at < size;
	     at += BENCH_PAGE)
		if (!file_same(job->base + at, BENCH_PAGE, at)) {
			bench_wrong(result, "page %zu is not the file's",
				    at / BENCH_PAGE);
			return;
		}
}

static void run(const struct bench_way *way, struct bench_result *result,
		int fd, bool every_byte)
{
	bool kernel = way->how < VIEW_LAZY;
	int threads = way->pattern == HALVES ? THREADS : 1;
	struct view view = { .len = size,
			     .fd = fd,
			     .keep = kernel ? 0 : limit,
			     .cluster = way->cluster,
			     .threads = threads };
	struct job job = { .way = way, .fd = fd, .every_byte = every_byte };
	double seconds;

	for (size_t s = 0; s < STREAMS; s++) {
		job.window[s].at = (size_t)-1;
		job.window[s].buffer = malloc(BUFFER);
		if (!job.window[s].buffer)
			abort();
		memset(job.window[s].buffer, 1, BUFFER);
	}
	if (view_map(&view, way->how, result) < 0)
		return;
	job.base = view.base;
	seconds =
		bench_threads(way->pattern == HALVES ? THREADS : 1, scan, &job);
	result->value = (double)size / seconds / 1e9;
	if (way->how == VIEW_LAZY)
		result->more[0] = view_faults();
	check(&job, result);
}

static void run_small(const struct bench_way *way, struct bench_result *result)
{
	run(way, result, small_file, false);
}

static void run_bytes(const struct bench_way *way, struct bench_result *result)
{
	run(way, result, small_file, true);
}

static void run_large(const struct bench_way *way, struct bench_result *result)
{
	run(way, result, large_file, false);
}

static int cache_small(char *why, size_t len)
{
	(void)why;
	(void)len;
	file_cache(small_file);
	return 0;
}

static int cache_large(char *why, size_t len)
{
	(void)why;
	(void)len;
	file_cache(large_file);
	return 0;
}

static int drop(char *why, size_t len)
{
	return file_drop(small_file, why, len);
}

#define BARE(w) (VIEW_BARE + BARE_##w)
#define HUGE (2 * BENCH_MIB)

#define WAYS(fn, p)                                                            \
	{ .name = "kernel", .run = fn, .pattern = p, .how = VIEW_KERNEL },     \
		{ .name = "kernel MADV_SEQUENTIAL",                            \
		  .run = fn,                                                   \
		  .pattern = p,                                                \
		  .how = VIEW_SEQUENTIAL },                                    \
		{ .name = "kernel, dropping behind",                           \
		  .run = fn,                                                   \
		  .pattern = p,                                                \
		  .how = VIEW_BEHIND },                                        \
		{ .name = "read", .run = fn, .pattern = p, .how = VIEW_READ }, \
		{ .name = "bare populate 2M",                                  \
		  .run = fn,                                                   \
		  .pattern = p,                                                \
		  .how = BARE(POPULATE),                                       \
		  .cluster = HUGE,                                             \
		  .floor = true },                                             \
		{ .name = "bare huge frames",                                  \
		  .run = fn,                                                   \
		  .pattern = p,                                                \
		  .how = BARE(HUGE),                                           \
		  .cluster = HUGE,                                             \
		  .floor = true },                                             \
		{ .name = "uffd thread 64K",                                   \
		  .run = fn,                                                   \
		  .pattern = p,                                                \
		  .how = BARE(UFFD_THREAD),                                    \
		  .cluster = 65536 },                                          \
		{ .name = "uffd SIGBUS 64K",                                   \
		  .run = fn,                                                   \
		  .pattern = p,                                                \
		  .how = BARE(UFFD_SIGBUS),                                    \
		  .cluster = 65536 },                                          \
		{ .name = "lazymap",                                           \
		  .run = fn,                                                   \
		  .pattern = p,                                                \
		  .how = VIEW_LAZY },                                          \
		{ .name = "lazymap 2M",                                        \
		  .run = fn,                                                   \
		  .pattern = p,                                                \
		  .how = VIEW_LAZY,                                            \
		  .cluster = HUGE },                                           \
		{ .name = "lazymap store",                                     \
		  .run = fn,                                                   \
		  .pattern = p,                                                \
		  .how = VIEW_STORE },                                         \
	{                                                                      \
		0                                                              \
	}

static const struct bench_way forward[] = { WAYS(run_small, FORWARD) };
static const struct bench_way backward[] = { WAYS(run_small, BACKWARD) };
static const struct bench_way streams[] = { WAYS(run_small, INTERLEAVED) };
static const struct bench_way halves[] = { WAYS(run_small, HALVES) };
static const struct bench_way bytes[] = { WAYS(run_bytes, FORWARD) };
static const struct bench_way large[] = { WAYS(run_large, FORWARD) };

#define SHOWN(a, b)                                                            \
	{                                                                      \
		a, b, .bound = BENCH_SHOWN                                     \
	}
#define LEAST(a, b, t)                                                         \
	{                                                                      \
		a, b, .bound = BENCH_AT_LEAST, .target = t                     \
	}

static const struct bench_row rows[] = {
	{ .name = "scan, cached file, forward",
	  .unit = "GB/s",
	  .rate = true,
	  .ways = forward,
	  .more = { "faults" },
	  .before = cache_small,
	  .aims = { LEAST("lazymap", "kernel", 3),
		    LEAST("lazymap", "read", 0.6),
		    SHOWN("lazymap", "kernel, dropping behind"),
		    SHOWN("lazymap 2M", "kernel"),
		    SHOWN("lazymap 2M", "read") } },
	{ .name = "scan, cached file, backward",
	  .unit = "GB/s",
	  .rate = true,
	  .ways = backward,
	  .more = { "faults" },
	  .before = cache_small,
	  .aims = { LEAST("lazymap", "kernel", 2),
		    SHOWN("lazymap", "kernel, dropping behind") } },
	{ .name = "scan, cached file, 4 streams in turn",
	  .unit = "GB/s",
	  .rate = true,
	  .ways = streams,
	  .more = { "faults" },
	  .before = cache_small,
	  .aims = { LEAST("lazymap", "kernel", 2),
		    SHOWN("lazymap", "kernel, dropping behind") } },
	{ .name = "scan, cached file, 2 threads",
	  .unit = "GB/s",
	  .rate = true,
	  .ways = halves,
	  .more = { "faults" },
	  .before = cache_small,
	  .aims = { LEAST("lazymap", "kernel", 2),
		    SHOWN("lazymap", "kernel, dropping behind") } },
	{ .name = "scan, cached file, forward, every byte used",
	  .unit = "GB/s",
	  .rate = true,
	  .rounds_max = 3,
	  .ways = bytes,
	  .more = { "faults" },
	  .before = cache_small,
	  .aims = { SHOWN("lazymap", "kernel"), SHOWN("lazymap", "read") } },
	{ .name = "scan, cached in large folios, forward",
	  .unit = "GB/s",
	  .rate = true,
	  .rounds_max = 3,
	  .ways = large,
	  .more = { "faults" },
	  .before = cache_large,
	  .aims = { SHOWN("lazymap", "kernel"), SHOWN("lazymap", "read") } },
	/* Last: what comes back from the disk comes in large folios. */
	{ .name = "scan, cold file, forward",
	  .unit = "GB/s",
	  .rate = true,
	  .rounds_max = 3,
	  .ways = forward,
	  .more = { "faults" },
	  .before = drop,
	  .aims = { LEAST("lazymap", "kernel MADV_SEQUENTIAL", 1),
		    SHOWN("lazymap 2M", "kernel MADV_SEQUENTIAL") } },
};

int main(void)
{
	size = bench_size(1024, 128) * BENCH_MIB;
	limit = bench_size(64, 32) * BENCH_MIB;
	small_file = file_make(size, BENCH_PAGE);
	large_file = file_make(size, 2 * BENCH_MIB);
	return bench_run("scan", rows, sizeof(rows) / sizeof(rows[0]));
}
