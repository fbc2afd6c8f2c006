/*
 * bound.c -- setting the limits, and what goes with it: is one large enough, is
 * there swap, do the frames in place fit. See bound.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "bound.h"

#include "change.h"
#include "fault.h"
#include "frame.h"
#include "gate.h"
#include "pager.h"
#include "permit.h"
#include "resident.h"
#include "start.h"
#include "swap/swap.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

static uint64_t swap_bytes; /* there may be; guarded by the map lock */
static bool swap_ready;     /* the same */

/* The program's: the pager touches nothing lazy. */
static size_t threads(void)
{
	struct stat st;
	size_t ours = lm_pager_runs();

	/* "." and ".." and one for each. */
	if (lm_sys(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &st, 0) < 0 ||
	    st.st_nlink < 3 + ours)
		return 1;
	return st.st_nlink - 2 - ours;
}

static size_t least_for(size_t n)
{
	return LM_BOUND_PAGES_A_THREAD * LM_PAGE * n;
}

static int check(const char *whose, size_t bytes)
{
	size_t n = threads();
	char line[200];

	if (!bytes || bytes >= least_for(n))
		return 0;
	snprintf(line, sizeof(line),
		 "%s: %zu KiB is less than %zu KiB, %zu KiB for each of %zu "
		 "threads",
		 whose, bytes >> 10, least_for(n) >> 10, least_for(1) >> 10, n);
	lm_error_report(LAZYMAP_ERROR_START, EINVAL, 0, line);
	return -EINVAL;
}

/* How many more there may be before it is worth counting them; and the most that
 * were seen where that was more than the limit has room for. Nothing fails for
 * it, so it is not an error's message: a program's own output may be looked at. */
static _Atomic long threads_left;
static _Atomic size_t crowd;

size_t lm_bound_crowd(void)
{
	return atomic_load_explicit(&crowd, memory_order_relaxed);
}

void lm_bound_thread(void)
{
	size_t max, n;

	if (!lm_resident_limited() ||
	    atomic_fetch_sub_explicit(&threads_left, 1, memory_order_relaxed) >
		    0)
		return;
	max = atomic_load_explicit(&lm_resident_max, memory_order_relaxed);
	n = threads();
	atomic_store_explicit(&threads_left,
			      (long)(max / LM_BOUND_PAGES_A_THREAD) - (long)n,
			      memory_order_relaxed);
	if (max * LM_PAGE < least_for(n) && n > lm_bound_crowd())
		atomic_store_explicit(&crowd, n, memory_order_relaxed);
}

static int ready_swap(size_t bytes)
{
	struct lm_swap_limits limits = {
		.pool = lm_options.swap_pool ? lm_options.swap_pool : bytes / 4,
		.file = lm_options.swap_max,
		.encrypt = lm_options.swap_encrypt > 0,
	};
	int ret = 0;

	if (limits.pool == LAZYMAP_NONE)
		limits.pool = 0;
	if (limits.file == LAZYMAP_NONE)
		limits.file = 0;
	else if (!limits.file)
		limits.file = (uint64_t)64 << 30;
	if (!swap_ready)
		ret = lm_swap_start(&limits);
	if (ret == -ENOENT)
		lm_error_report(LAZYMAP_ERROR_START, ENOENT, 0,
				"swap cannot be encrypted: lazymap-swap-sodium"
				".so is not installed");
	if (ret == -ENOTDIR)
		lm_error_report(LAZYMAP_ERROR_START, ENOTDIR, 0,
				"LAZYMAP_SWAPDIR takes no swap file");
	if (!ret && !swap_ready)
		swap_bytes = limits.pool + limits.file;
	if (!ret)
		swap_ready = true;
	return ret;
}

static int set_limit(size_t bytes)
{
	size_t pages = bytes >> LM_PAGE_SHIFT;
	struct lm_quota_table table;
	int ret = pages ? ready_swap(bytes) : 0;

	if (!ret)
		ret = lm_quota_table(&table, pages);
	if (ret < 0)
		return ret;
	lm_gate_drain();
	lm_quota_set(&lm_quota_process, pages, &table);
	atomic_store(&threads_left, 0);
	lm_resident_count_anew();
	lm_gate_open();
	return 0;
}

static void count_again(void)
{
	uint64_t mask = lm_map_lock();

	lm_gate_drain();
	lm_resident_count_anew();
	lm_gate_open();
	lm_map_unlock(mask);
}

static bool drop_spare(const struct lm_quota *quota)
{
	struct lm_slot *slot = lm_gate_enter();
	bool dropped;

	/* As with a page that is BUSY: no quota ends meanwhile. */
	lm_gate_filling(slot);
	lm_gate_leave(slot);
	dropped = lm_frame_drop(quota);
	lm_gate_filled(slot);
	return dropped;
}

/* Down to a limit that was lowered. The table has room for little more than the
 * limit lets in: of what is in place the rest is found when that has gone. */
static void shrink(struct lm_quota *quota)
{
	uint64_t mask = lm_os_block_signals();
	size_t max = atomic_load(&quota->max), now, last = SIZE_MAX;

	while (max && (now = atomic_load(&quota->used)) > max) {
		if (drop_spare(quota) ||
		    lm_resident_shed(quota, lm_min(now - max, LM_BLOCK_PAGES)))
			continue;
		if (now >= last)
			break;
		last = now;
		count_again();
	}
	lm_os_restore_signals(mask);
}

int lazymap_limit(size_t bytes)
{
	int ret = lm_start();
	uint64_t mask;

	if (!ret)
		ret = check("resident limit", bytes);
	if (!ret)
		ret = lm_permit_ask(LM_PERMIT_OVER);
	if (ret < 0)
		return lm_return(ret);
	mask = lm_map_lock();
	ret = set_limit(bytes);
	lm_map_unlock(mask);
	if (!ret) {
		shrink(&lm_quota_process);
		lm_pager_start();
	}
	return lm_return(ret);
}

/* Inside a change that has drained the gate. */
static void belong(struct lm_area *area, struct lm_quota *quota)
{
	struct lm_quota *before = area->quota;
	size_t pages;

	lm_resident_forget(before, area->start, area->end);
	lm_quota_hold(quota);
	area->quota = quota;
	pages = lm_resident_moved(area, area->start, area->end);
	if (before)
		atomic_fetch_sub(&before->used, pages);
	if (quota)
		atomic_fetch_add(&quota->used, pages);
	lm_quota_drop(before);
}

/* The same. 0; -ENOMEM: no memory, or nothing lazy there. */
static int limit_areas(uintptr_t start, uintptr_t end, size_t pages,
		       struct lm_quota **quota)
{
	struct lm_area *area = lm_area_at_or_after(start);

	if (!area || area->start >= end)
		return -ENOMEM;
	if (pages && !(*quota = lm_quota_new(pages)))
		return -ENOMEM;
	atomic_store(&threads_left, 0);
	lm_area_split(start);
	lm_area_split(end);
	for (uintptr_t at = start;
	     (area = lm_area_at_or_after(at)) && area->start < end;
	     at = area->end)
		belong(area, *quota);
	lm_quota_drop(*quota); /* its areas hold it now */
	lm_area_merge(start, end);
	return 0;
}

static int limit_area(uintptr_t start, uintptr_t end, size_t bytes)
{
	struct lm_quota *quota = NULL;
	struct lm_change change;
	uint64_t mask = lm_map_lock();
	int ret = bytes ? ready_swap(bytes) : 0;

	lm_map_unlock(mask);
	if (!ret)
		ret = lm_change_begin_drained(&change);
	if (ret < 0)
		return ret;
	ret = limit_areas(start, end, bytes >> LM_PAGE_SHIFT, &quota);
	lm_change_end(&change);
	/* If its areas are gone already, it has no frames to be evicted. */
	if (!ret && quota)
		shrink(quota);
	return ret;
}

int lazymap_limit_area(void *start, size_t len, size_t bytes)
{
	uintptr_t first, end;
	int ret = lm_range(start, len, false, -ENOMEM, &first, &end);

	if (!ret)
		ret = lm_start();
	if (!ret)
		ret = check("an area's resident limit", bytes);
	if (!ret)
		ret = lm_permit_ask(LM_PERMIT_OVER);
	if (!ret)
		ret = limit_area(first, end, bytes);
	return lm_return(ret);
}

int lm_bound_commit(size_t len)
{
	uint64_t have = atomic_load(&lm_quota_process.max) * LM_PAGE,
		 need = len;
	struct lm_area *area;

	if (!have || lm_options.strict <= 0)
		return 0;
	for (uintptr_t at = 0; (area = lm_area_at_or_after(at)); at = area->end)
		if (!(area->flags & LM_AREA_SHARED) && area->prot & PROT_WRITE)
			need += area->end - area->start;
	have += swap_bytes;
	return need > have ? -ENOMEM : 0;
}

int lm_bound_start(void)
{
	uint64_t mask;
	int ret = check("resident limit", lm_options.resident);

	lm_quota_start(lm_options.policy);
	if (ret || !lm_options.resident)
		return ret;
	mask = lm_map_lock();
	ret = set_limit(lm_options.resident);
	lm_map_unlock(mask);
	return ret;
}
