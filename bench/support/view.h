/*
 * view.h -- a file, or zeros, as memory: by the kernel, by lazymap, by a peer.
 *
 * Functions of the header alone: programs that include it are linked with the
 * library, others are not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_VIEW_H
#define BENCH_VIEW_H

#include <errno.h>
#include <lazymap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bare.h"
#include "bench.h"
#include "file.h"

/* How; beyond VIEW_BARE an enum bare_way. */
enum view_how {
	VIEW_KERNEL,
	VIEW_SEQUENTIAL, /* the kernel's, MADV_SEQUENTIAL */
	VIEW_RANDOM,     /* the kernel's, MADV_RANDOM */
	VIEW_HUGE,       /* the kernel's, MADV_HUGEPAGE */
	VIEW_BEHIND,     /* the kernel's; the program drops what it has used */
	VIEW_LAZY,
	VIEW_STORE, /* lazymap, with a store of the program's own */
	VIEW_READ,  /* no memory at all: the program reads */
	VIEW_BARE,
};

struct view {
	size_t len;
	int fd;         /* -1: zeros, writable */
	size_t keep;    /* the resident limit; 0: none */
	size_t pool;    /* of swap; 0: default */
	size_t cluster; /* 0: default */
	int threads;    /* that will touch it at once; 0: one */
	const char *policy;
	char *base; /* out */
};

static inline int view_pread(void *data, void *buf, size_t len, off_t offset)
{
	return pread(*(int *)data, buf, len, offset) == (ssize_t)len ? 0 : -EIO;
}

static inline int view_lazy(struct view *view, bool store)
{
	static int fd;
	struct lazymap_options options = { .size = sizeof(options),
					   .resident = view->keep,
					   .swap_pool = view->pool,
					   .cluster = view->cluster,
					   .policy = view->policy };
	struct lazymap_store_ops ops = { .size = sizeof(ops),
					 .version = LAZYMAP_STORE_VERSION,
					 .flags = LAZYMAP_STORE_IN_HANDLER,
					 .read = view_pread };
	int prot = view->fd < 0 ? PROT_READ | PROT_WRITE : PROT_READ;
	void *at;

	if (lazymap_start(&options) < 0)
		return -1;
	fd = view->fd;
	if (store)
		at = lazymap_map_store(NULL, view->len, prot, MAP_PRIVATE, &ops,
				       &fd, 0);
	else
		at = lazymap_map(NULL, view->len, prot,
				 MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd,
				 0);
	view->base = at;
	return at == LAZYMAP_FAILED ? -1 : 0;
}

static inline int view_kernel(struct view *view, int how)
{
	int advice = how == VIEW_SEQUENTIAL ? MADV_SEQUENTIAL
		     : how == VIEW_RANDOM   ? MADV_RANDOM
		     : how == VIEW_HUGE     ? MADV_HUGEPAGE
					    : MADV_NORMAL;
	int prot = view->fd < 0 ? PROT_READ | PROT_WRITE : PROT_READ;
	int flags = view->fd < 0 ? MAP_ANONYMOUS | MAP_NORESERVE : 0;

	view->base =
		mmap(NULL, view->len, prot, MAP_PRIVATE | flags, view->fd, 0);
	if (view->base == MAP_FAILED)
		return -1;
	return madvise(view->base, view->len, advice);
}

static inline int view_bare(struct view *view, int how)
{
	struct bare bare = { .way = (enum bare_way)(how - VIEW_BARE),
			     .len = view->len,
			     .fd = view->fd,
			     .cluster =
				     view->cluster ? view->cluster : BENCH_PAGE,
			     .keep = view->keep,
			     .threads = view->threads };
	int ret = bare_map(&bare);

	view->base = bare.base;
	return ret;
}

/* 0, or -1: the way is skipped, and the result says so. */
static inline int view_map(struct view *view, int how,
			   struct bench_result *result)
{
	int ret;

	if (how == VIEW_READ)
		ret = 0;
	else if (how < VIEW_LAZY)
		ret = view_kernel(view, how);
	else if (how < VIEW_READ)
		ret = view_lazy(view, how == VIEW_STORE);
	else
		ret = view_bare(view, how);
	if (ret < 0)
		bench_skip(result, "%s", strerror(errno));
	return ret;
}

/* Faults that filled pages, since the start of this process. */
static inline double view_faults(void)
{
	struct lazymap_stats stats;

	lazymap_stats(&stats, sizeof(stats));
	return (double)(stats.faults_read + stats.faults_write);
}

static inline double view_soft(void)
{
	struct lazymap_stats stats;

	lazymap_stats(&stats, sizeof(stats));
	return (double)stats.faults_soft;
}

/* One page out of each `apart` bytes of len, in random order: no page comes in
 * with another. For every way the same. */
static inline uint32_t *view_order(size_t len, size_t apart, uint64_t seed,
				   size_t *count)
{
	size_t n = len / apart;
	uint32_t *page = malloc(n * sizeof(*page));

	if (!page)
		abort();
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		page[i] = (uint32_t)(i * (apart / BENCH_PAGE) +
				     (seed >> 33) % (apart / BENCH_PAGE));
	}
	for (size_t i = n; i-- > 1;) {
		size_t k;
		uint32_t swap = page[i];

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		k = (seed >> 33) % (i + 1);
		page[i] = page[k];
		page[k] = swap;
	}
	*count = n;
	return page;
}

#endif
