/*
 * map.c -- mapping and unmapping.
 *
 * An area of a direct store is the kernel's own mapping, held under PROT_NONE:
 * it keeps no descriptor (closing one that refers to a file the program has
 * locked would drop the program's fcntl locks), and truncation, coherence and
 * end of file are the kernel's. An area of another store is anonymous memory.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "advise.h"
#include "bound.h"
#include "change.h"
#include "fault.h"
#include "gate.h"
#include "limit.h"
#include "locked.h"
#include "os_linux.h"
#include "pager.h"
#include "permit.h"
#include "resident.h"
#include "place/place.h"
#include "start.h"
#include "step.h"
#include "sync.h"
#include "worker.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Flags that leave a mapping lazy. Any other one goes to the kernel whole. */
#define LAZY_FLAGS                                                             \
	(MAP_SHARED | MAP_PRIVATE | MAP_SHARED_VALIDATE | MAP_FIXED |          \
	 MAP_FIXED_NOREPLACE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED |     \
	 MAP_NORESERVE | MAP_NONBLOCK | MAP_32BIT | MAP_DENYWRITE |            \
	 MAP_EXECUTABLE)

/* Those of them that MAP_SHARED_VALIDATE knows, for a file. */
#define VALIDATED_FLAGS (LAZY_FLAGS & ~(MAP_FIXED_NOREPLACE | MAP_ANONYMOUS))

#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

/* An adaptive area's frames, which come and go as one: what a fault brings in
 * may be several of them, or a part of one. */
#define CLUSTER_FRAME ((size_t)64 * 1024)

struct request {
	uintptr_t start;
	size_t len; /* whole pages */
	int prot, flags, fd;
	off_t offset;
	struct lm_area area; /* what is to be made */
};

static _Atomic uint64_t next_object = 1;

static bool fixed(const struct request *request)
{
	return request->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
}

static bool huge_pages(int fd, const struct stat *st)
{
	struct statfs fs;

	/* A file of hugetlbfs says its page size as its block size. */
	if (st->st_blksize < (blksize_t)LM_BLOCK)
		return false;
	return lm_sys(SYS_fstatfs, fd, &fs) == 0 &&
	       (uint32_t)fs.f_type == HUGETLBFS_MAGIC;
}

/* A regular file of ordinary pages? Says what the area is to know of it. */
static bool lazy_file(struct request *request)
{
	struct stat st;
	long mode;

	if (lm_sys(SYS_fstat, request->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    huge_pages(request->fd, &st))
		return false;
	request->area.dev = st.st_dev;
	request->area.ino = st.st_ino;
	mode = lm_sys(SYS_fcntl, request->fd, F_GETFL);
	if (mode < 0)
		return false;
	if ((mode & O_ACCMODE) == O_RDONLY &&
	    request->area.flags & LM_AREA_SHARED)
		request->area.flags |= LM_AREA_READ_ONLY;
	return true;
}

/*
 * Can it be lazy? Finding errors is left to the kernel, so what looks wrong
 * goes to it as it is.
 */
static bool can_be_lazy(struct request *request, size_t len)
{
	int type = request->flags & MAP_TYPE;

	if (!len || !request->len ||
	    request->prot & ~(PROT_READ | PROT_WRITE) ||
	    request->flags & ~LAZY_FLAGS)
		return false;
	if (type != MAP_SHARED && type != MAP_PRIVATE &&
	    type != MAP_SHARED_VALIDATE)
		return false;
	if (fixed(request) && request->start & (LM_PAGE - 1))
		return false;
	if (type == MAP_SHARED_VALIDATE && request->flags & ~VALIDATED_FLAGS)
		return false;
	if (type != MAP_PRIVATE)
		request->area.flags |= LM_AREA_SHARED;
	request->area.store = &lm_store_zero;
	if (request->flags & MAP_ANONYMOUS)
		return true;
	request->area.store = &lm_store_file;
	request->area.offset = (uint64_t)request->offset;
	return lazy_file(request);
}

/* One mmap of the kernel's, as it will lie below the area. */
static uintptr_t kernel_map(const struct request *request, uintptr_t at,
			    int more)
{
	int flags = request->flags & ~(MAP_POPULATE | MAP_NONBLOCK);
	int prot = PROT_NONE;

	flags = (flags & ~(MAP_FIXED | MAP_FIXED_NOREPLACE)) | MAP_NORESERVE |
		more;
	/* Validated; `more` may hold what the kernel would refuse with it. */
	if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE)
		flags = (flags & ~MAP_TYPE) | MAP_SHARED;
	if (!lm_store_direct(request->area.store))
		return lm_os_mmap(at, request->len, PROT_NONE,
				  (flags & ~MAP_TYPE) | MAP_PRIVATE |
					  MAP_ANONYMOUS,
				  -1, 0);
	/* With the protection asked for, so that every error is found;
	 * hidden before anybody knows the address. Where somebody may, nothing
	 * that is not known to be written; a private file can always be. */
	if (request->area.store == &lm_store_file)
		prot = request->prot;
	if (fixed(request) && !(request->area.flags & LM_AREA_SHARED))
		prot &= ~PROT_WRITE;
	return lm_os_mmap(at, request->len, prot, flags, request->fd,
			  request->offset);
}

/* In the window, where the kernel agrees; else wherever it likes. */
static uintptr_t map_anywhere(const struct request *request)
{
	uintptr_t align = request->len >= LM_BLOCK ? LM_BLOCK : LM_PAGE;
	uintptr_t above = 0, at, got;

	if (request->flags & MAP_32BIT)
		return kernel_map(request, 0, 0);
	/* Congruent to the file, so that its large folios can be mapped. */
	while ((at = lm_area_pick(request->len, align,
				  request->area.offset & (align - 1), above))) {
		got = kernel_map(request, at, MAP_FIXED_NOREPLACE);
		if (got != (uintptr_t)-EEXIST)
			return got;
		above = at + align;
	}
	return kernel_map(request, 0, 0);
}

static uintptr_t map_somewhere(const struct request *request)
{
	uintptr_t hint = lm_page_down(request->start), got;

	if (fixed(request))
		return kernel_map(request, request->start,
				  request->flags &
					  (MAP_FIXED | MAP_FIXED_NOREPLACE));
	if (!hint)
		return map_anywhere(request);
	got = kernel_map(request, hint, 0);
	if (lm_os_failed(got) || got == hint || request->flags & MAP_32BIT)
		return got;
	/* The hint is taken: as without one. */
	lm_os_munmap(got, request->len);
	return map_anywhere(request);
}

static void undo(const struct request *request, uintptr_t at)
{
	/* Of what MAP_FIXED replaced nothing can be brought back; leave the
	 * new mapping to the kernel rather than a hole. */
	if (!fixed(request))
		lm_os_munmap(at, request->len);
}

/* What the kernel counts of a mapping that it can see. */
static int within_limits(const struct request *request)
{
	if (lm_area_full())
		return -ENOMEM;
	if (request->prot & PROT_WRITE &&
	    !(request->area.flags & LM_AREA_SHARED)) {
		int ret = lm_limit_data(request->len);

		return ret ? ret : lm_bound_commit(request->len);
	}
	return 0;
}

/* Clusters that are asked to be huge pages' size are huge pages, where the
 * kernel has some: a block is shown at once, and its first touch brings it. */
static void ask_for_huge_pages(const struct lm_area *area, uintptr_t at,
			       size_t len)
{
	bool whole = area->cluster == LM_BLOCK &&
		     lm_resident_cluster(NULL) == LM_BLOCK;

	if (whole && area->store == &lm_store_zero &&
	    !(area->flags & (LM_AREA_SHARED | LM_AREA_ADAPTIVE)))
		lm_os_madvise(at, len, MADV_HUGEPAGE);
}

/* Inside a change: the kernel's mapping, and the area over it. */
static uintptr_t map_lazily(struct request *request)
{
	uintptr_t at = map_somewhere(request);
	struct lm_area *area = &request->area;
	int ret = 0;

	if (lm_os_failed(at))
		return at;
	if (fixed(request))
		lm_change_clear(at, at + request->len);
	lm_step(LM_STEP_MAPPED, at);
	if (area->store == &lm_store_file && request->prot != PROT_NONE)
		ret = lm_os_mprotect(at, request->len, PROT_NONE);
	else if (!lm_store_direct(area->store) && lm_place->attach)
		ret = lm_place->attach(at, request->len);
	if (ret < 0) {
		undo(request, at);
		return (uintptr_t)ret;
	}
	ret = lm_change_promise(at, request->len);
	if (ret < 0) {
		undo(request, at);
		return (uintptr_t)ret;
	}
	ask_for_huge_pages(area, at, request->len);
	area->start = at;
	area->end = at + request->len;
	if (area->flags & LM_AREA_SHARED && !lm_store_direct(area->store))
		lm_sync_expect();
	if (area->store != &lm_store_zero || area->flags & LM_AREA_SHARED)
		area->object = atomic_fetch_add(&next_object, 1);
	lm_area_hold(area);
	lm_area_insert(area);
	return at;
}

/* What the kernel keeps for itself, over lazy areas or not. */
static uintptr_t map_by_kernel(const struct request *request, size_t len)
{
	uintptr_t at = lm_os_mmap(request->start, len, request->prot,
				  request->flags, request->fd, request->offset);

	if (!lm_os_failed(at) && request->flags & MAP_FIXED)
		lm_change_clear(at, at + request->len);
	return at;
}

static uintptr_t map(struct request *request, size_t len, bool lazy)
{
	uintptr_t end =
		fixed(request) ? request->start + request->len : request->start;
	struct lm_change change;
	uintptr_t at;
	int ret;

	if (end < request->start)
		end = request->start; /* the kernel will say ENOMEM */
	if (!lazy && !lm_area_overlaps(request->start, end))
		return lm_os_mmap(request->start, len, request->prot,
				  request->flags, request->fd, request->offset);
	if (request->flags & MAP_FIXED) {
		ret = lm_sync_stores(request->start, end);
		if (ret < 0)
			return (uintptr_t)ret;
	}
	ret = lm_change_begin(&change, request->start, end);
	if (ret < 0)
		return (uintptr_t)ret;
	ret = lazy ? within_limits(request) : 0;
	if (ret < 0)
		at = (uintptr_t)ret;
	else
		at = lazy ? map_lazily(request) : map_by_kernel(request, len);
	lm_change_end(&change);
	return at;
}

static void populate(const struct request *request, uintptr_t at)
{
	bool wanted = request->flags & MAP_LOCKED ||
		      (request->flags & MAP_POPULATE &&
		       !(request->flags & MAP_NONBLOCK));

	if (lm_locked_future() && !(lm_locked_future() & MCL_ONFAULT))
		wanted = true;
	if (!wanted || request->prot == PROT_NONE)
		return;
	/* Like the kernel: what cannot be brought in now comes, or fails,
	 * when it is touched; and what can be written and is private is the
	 * process's own from now on, whatever becomes of the file. */
	lm_advise_populate(at, at + request->len,
			   request->prot & PROT_WRITE && !(request->area.flags &
							   LM_AREA_SHARED)
				   ? MADV_POPULATE_WRITE
				   : MADV_POPULATE_READ);
}

static int cluster_of(const struct lazymap_area_options *options,
		      struct request *request)
{
	size_t cluster = 0;

	if (options && options->size >= sizeof(*options))
		cluster = options->cluster;
	if (!cluster)
		cluster = lm_options.cluster;
	if (!cluster) {
		/* By what the faults show. */
		request->area.cluster = CLUSTER_FRAME;
		request->area.flags |= LM_AREA_ADAPTIVE;
		return 0;
	}
	if (cluster < LM_PAGE || cluster > LM_BLOCK || cluster & (cluster - 1))
		return -EINVAL;
	request->area.cluster = cluster;
	return 0;
}

static void *finish(struct request *request, size_t len, bool lazy)
{
	int ret = lazy ? lm_permit_ask(lm_permit_for(&request->area)) : 0;
	uintptr_t at;

	/* It is the kernel's then; not where that would be no bound, or there is
	 * nothing that it could map. */
	if (ret < 0 &&
	    (lm_resident_limited() || !lm_store_direct(request->area.store))) {
		errno = -ret;
		return LAZYMAP_FAILED;
	}
	lazy = lazy && !ret;
	at = map(request, len, lazy);
	if (lm_os_failed(at)) {
		errno = -(int)(intptr_t)at;
		return LAZYMAP_FAILED;
	}
	if (lazy) {
		lm_pager_start();
		populate(request, at);
	}
	return (void *)at;
}

void *lazymap_map_with(void *start, size_t len, int prot, int flags, int fd,
		       off_t offset, const struct lazymap_area_options *options)
{
	struct request request = {
		.start = (uintptr_t)start,
		.len = lm_page_up(len),
		.prot = prot,
		.flags = flags,
		.fd = fd,
		.offset = offset,
		.area.prot = prot,
	};
	int ret = lm_start();

	if (!ret)
		ret = cluster_of(options, &request);
	if (ret < 0) {
		errno = -ret;
		return LAZYMAP_FAILED;
	}
	if (flags & MAP_LOCKED || lm_locked_future())
		request.area.flags |= LM_AREA_LOCKED;
	return finish(&request, len, can_be_lazy(&request, len));
}

void *lazymap_map(void *start, size_t len, int prot, int flags, int fd,
		  off_t offset)
{
	return lazymap_map_with(start, len, prot, flags, fd, offset, NULL);
}

static int check_store_request(const struct request *request, size_t len,
			       const struct lazymap_store_ops *ops)
{
	int type = request->flags & MAP_TYPE;

	if (!len || request->offset < 0 ||
	    request->offset & (off_t)(LM_PAGE - 1) ||
	    request->prot & ~(PROT_READ | PROT_WRITE) ||
	    request->flags & ~(LAZY_FLAGS) ||
	    (type != MAP_SHARED && type != MAP_PRIVATE) ||
	    (fixed(request) && request->start & (LM_PAGE - 1)))
		return -EINVAL;
	if (!request->len)
		return -ENOMEM;
	if ((uint64_t)request->offset + request->len > INT64_MAX)
		return -EOVERFLOW;
	if (type == MAP_SHARED && request->prot & PROT_WRITE && ops &&
	    !ops->write)
		return -EACCES;
	return 0;
}

/* What is evicted is written by one, wherever it is read. */
static bool needs_worker(const struct lazymap_store_ops *ops, int flags)
{
	return !(ops->flags & LAZYMAP_STORE_IN_HANDLER) ||
	       (ops->write && (flags & MAP_TYPE) == MAP_SHARED);
}

void *lazymap_map_store(void *start, size_t len, int prot, int flags,
			const struct lazymap_store_ops *ops, void *data,
			off_t offset)
{
	struct request request = {
		.start = (uintptr_t)start,
		.len = lm_page_up(len),
		.prot = prot,
		.flags = flags,
		.fd = -1,
		.offset = offset,
		.area = { .prot = prot, .offset = (uint64_t)offset },
	};
	struct lm_store *store = NULL;
	uint64_t mask;
	void *at;
	int ret = lm_start();

	if (!ret)
		ret = cluster_of(NULL, &request);
	if (!ret)
		ret = check_store_request(&request, len, ops);
	if (!ret)
		store = lm_store_callback(ops, data, &ret);
	if (store && needs_worker(ops, flags))
		ret = lm_worker_start();
	if (ret < 0) {
		if (store)
			lm_store_discard(store);
		errno = -ret;
		return LAZYMAP_FAILED;
	}
	request.area.store = store;
	if ((flags & MAP_TYPE) == MAP_SHARED) {
		request.area.flags |= LM_AREA_SHARED;
		if (!ops->write)
			request.area.flags |= LM_AREA_READ_ONLY;
	}
	at = finish(&request, len, true);
	mask = lm_map_lock();
	if (at == LAZYMAP_FAILED)
		store->ops.close = NULL; /* the caller still has the data */
	lm_store_drop(store);
	lm_map_unlock(mask);
	ret = errno;
	lm_store_close_dropped();
	errno = ret;
	return at;
}

/* Inside a change. The kernel first: if it refuses, nothing has happened. */
static int unmap(uintptr_t start, uintptr_t end)
{
	int ret = lm_os_munmap(start, end - start);

	if (ret < 0)
		return ret;
	lm_change_clear(start, end);
	return 0;
}

int lazymap_unmap(void *start, size_t len)
{
	uintptr_t first, end;
	struct lm_change change;
	int ret = lm_range(start, len, false, -EINVAL, &first, &end);

	if (ret < 0 || !lm_area_overlaps(first, end))
		return lm_return(lm_os_munmap((uintptr_t)start, len));
	ret = lm_sync_stores(first, end);
	if (ret < 0)
		return lm_return(ret);
	ret = lm_change_begin(&change, first, end);
	if (ret < 0)
		return lm_return(ret);
	ret = unmap(first, end);
	lm_change_end(&change);
	return lm_return(ret);
}
