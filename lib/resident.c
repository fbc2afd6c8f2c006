/*
 * resident.c -- counting frames, and making room when a limit is reached. See
 * resident.h. The counts are atomics; who goes next, quota.c says, and what the
 * limits are, bound.c.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "resident.h"

#include "ahead.h"
#include "bound.h"
#include "demote.h"
#include "evict.h"
#include "fault.h"
#include "frame.h"
#include "gate.h"
#include "guard.h"
#include "huge.h"
#include "pager.h"
#include "start.h"
#include "swap/swap.h"
#include "widen.h"

/* Of clusters that go first there is room for so many times more. */
#define COLD_SHARE 4

/* From so many blocks on that are the limit one goes whole. */
#define WHOLE_BLOCKS 4

/* How long to wait for frames that others are about to give back. */
#define WAIT_NS 1000000
#define WAITS 20
/* Who is about to may have to wait for a processor. */
#define WAITS_FOR_ONE 1000
/* The most frames that the pager keeps free for the next faults. */
#define RESERVE_MAX 2048

/* When nothing could be evicted: how long not to try again. */
#define PAUSE_NS 100000000
/* Or, where swap takes no more, which costs a look at every frame and at what it
 * holds: so many times as long as that took. */
#define PAUSE_FACTOR 16

_Atomic size_t lm_resident_max;

static _Atomic uint32_t given;    /* changes when frames are given back */
static _Atomic uint32_t waiting;  /* threads that wait for that */
static _Atomic uint32_t evicting; /* threads that may be about to */

static bool announced; /* a fork; guarded by the map lock */

/* The smaller of the two limits; 0: there is none. */
static size_t max_of(const struct lm_quota *quota)
{
	size_t max = atomic_load_explicit(&lm_quota_process.max,
					  memory_order_relaxed);
	size_t own =
		quota ? atomic_load_explicit(&quota->max, memory_order_relaxed)
		      : 0;

	return own && (!max || own < max) ? own : max;
}

size_t lm_resident_cluster(const struct lm_quota *quota)
{
	size_t max = max_of(quota);
	size_t cluster = LM_BLOCK;

	/* Many clusters must fit at once, or they drive each other out. */
	while (max && cluster > LM_PAGE &&
	       cluster > (max << LM_PAGE_SHIFT) / LM_BOUND_PAGES_A_THREAD)
		cluster /= 2;
	return cluster;
}

size_t lm_resident_reach(const struct lm_quota *quota)
{
	size_t max = max_of(quota);
	size_t reach = LM_BLOCK;

	while (max && reach > LM_PAGE && reach > (max << LM_PAGE_SHIFT) / 16)
		reach /= 2;
	return reach;
}

size_t lm_resident_ahead(const struct lm_quota *quota)
{
	size_t max = max_of(quota) << LM_PAGE_SHIFT;

	if (max / 16 >= 2 * LM_BLOCK)
		return 2 * LM_BLOCK;
	return lm_resident_reach(quota);
}

/* -- The policy's frames ---------------------------------------------------------- */

void lm_resident_came(struct lm_quota *quota, uintptr_t start, uintptr_t end,
		      size_t cluster, bool cold)
{
	size_t most;

	if (!lm_resident_bounded(quota))
		return;
	most = lm_resident_cluster(quota);
	/* Some cold frames always stay: they are not to be the whole limit, or
	 * no more is cold than anything else. */
	if (cold)
		most = lm_max(most / COLD_SHARE, LM_PAGE);
	lm_quota_came(quota, start, end, lm_min(cluster, most), cold);
}

void lm_resident_forget(struct lm_quota *quota, uintptr_t start, uintptr_t end)
{
	if (lm_resident_bounded(quota))
		lm_quota_forget(quota, start, end);
}

size_t lm_resident_moved(const struct lm_area *area, uintptr_t start,
			 uintptr_t end)
{
	size_t count = 0;

	for (; (start = lm_page_next_block(start, end)) < end;
	     start += LM_PAGE) {
		uint64_t word = atomic_load_explicit(lm_page_word_of(start),
						     memory_order_relaxed);

		if (!lm_page_resident(LM_PAGE_STATE(word)))
			continue;
		count++;
		lm_resident_came(area->quota, start, start + LM_PAGE,
				 area->cluster,
				 area->flags & LM_AREA_SEQUENTIAL);
	}
	return count;
}

void lm_resident_cool(struct lm_quota *quota, uintptr_t start, uintptr_t end)
{
	if (lm_resident_bounded(quota))
		lm_quota_cool(quota, start, end);
}

/* -- Making room -------------------------------------------------------------------- */

static size_t evict(struct lm_quota *from, const struct lm_victim *victim)
{
	uintptr_t end = victim->start + (victim->pages << LM_PAGE_SHIFT);
	size_t left, gone;

	atomic_fetch_add(&evicting, 1);
	gone = lm_evict(victim->start, end, &left);
	if (left)
		lm_quota_stayed(from, victim);
	atomic_fetch_sub(&evicting, 1);
	return gone;
}

/* Among pages that have markers a hidden one is VM areas of its own: where these
 * are short it is not seen whether it is used. */
static void hide(const struct lm_victim *victim)
{
	uintptr_t end = victim->start + (victim->pages << LM_PAGE_SHIFT);

	if (lm_guard_swap() && lm_widen_tight())
		return;
	lm_widen_hidden();
	lm_evict_hide(victim->start, end);
}

/* Frames that lie side by side are hidden by one call: those of `row`. */
static void hide_later(struct lm_victim *row, const struct lm_victim *more)
{
	uintptr_t end = row->start + (row->pages << LM_PAGE_SHIFT);

	if (row->pages && more->start == end && end & (LM_BLOCK - 1)) {
		row->pages += more->pages;
		return;
	}
	if (row->pages)
		hide(row);
	*row = *more;
}

/* Where one block is no large part of the limit. */
static bool goes_whole(const struct lm_victim *victim,
		       const struct lm_quota *from)
{
	return lm_huge_whole(victim->start) &&
	       max_of(from) >= WHOLE_BLOCKS * LM_BLOCK_PAGES;
}

size_t lm_resident_shed(struct lm_quota *quota, size_t n)
{
	struct lm_quota *from;
	uint32_t count = 0, in_vain = 0;
	struct lm_victim victim, row = { 0 };
	size_t gone = 0;

	/* A victim is out of its table: who asks for one deals with it. */
	while (gone < n && in_vain <= 2 * count + 16) {
		size_t more;

		if (!lm_quota_next(quota, &from, &victim, &count))
			break;
		if (goes_whole(&victim, from))
			lm_quota_whole(from, &victim);
		if (victim.hide) {
			hide_later(&row, &victim);
			in_vain++;
			continue;
		}
		lm_quota_join(from, &victim, lm_resident_reach(from));
		more = evict(from, &victim);
		in_vain = more ? 0 : in_vain + 1;
		gone += more;
	}
	if (row.pages)
		hide(&row);
	return gone;
}

/* Acquire: pairs with the release of who gave back what is taken now. */
static bool fits(struct lm_quota *quota, size_t n, size_t max)
{
	size_t now = atomic_load_explicit(&quota->used, memory_order_acquire);

	do {
		if (now + n > max)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&quota->used, &now, now + n, memory_order_acquire,
		memory_order_acquire));
	return true;
}

static bool count_in(struct lm_quota *quota, size_t n, size_t max)
{
	while (!fits(quota, n, max))
		if (!atomic_load_explicit(&quota->spare,
					  memory_order_relaxed) ||
		    !lm_frame_drop(quota))
			return false;
	return true;
}

static const char *why_over(const struct lm_quota *quota)
{
	bool swap = lm_evict_error();

	if (quota == &lm_quota_process)
		return swap ? "the resident limit is exceeded: swap takes no "
			      "more pages"
			    : "the resident limit is exceeded: all pages are "
			      "locked or in use";
	return swap ? "an area's resident limit is exceeded: swap takes no "
		      "more pages"
		    : "an area's resident limit is exceeded: all its pages "
		      "are locked or in use";
}

static int go_over(struct lm_quota *quota, size_t n)
{
	if (lm_options.strict > 0)
		return -ENOMEM;
	atomic_fetch_add_explicit(&quota->used, n, memory_order_relaxed);
	lm_stats_add(LM_COUNT_pages_over_limit, n);
	if (!atomic_exchange(&quota->said_over, 1))
		lm_error_report(LAZYMAP_ERROR_LIMIT, -lm_evict_error(), 0,
				why_over(quota));
	return 0;
}

/* What is counted, but for what can be dropped at once: a hint. */
static size_t in_use(const struct lm_quota *quota)
{
	size_t used = atomic_load_explicit(&quota->used, memory_order_relaxed);
	size_t spare =
		atomic_load_explicit(&quota->spare, memory_order_relaxed);

	return used - lm_min(used, spare);
}

/* The pager keeps between one and two of this free: few enough not to be
 * missed, enough for some clusters. */
static size_t reserve(size_t max)
{
	return lm_min(max / 64, RESERVE_MAX);
}

/* Nothing could go, in what has gone on since then. */
static void pause_since(struct lm_quota *quota, uint64_t then)
{
	uint64_t now = lm_os_now_ns(), pause = PAUSE_NS;

	if (lm_evict_error())
		pause = lm_max(pause, (now - then) * PAUSE_FACTOR);
	atomic_store(&quota->pause_to, now + pause);
}

bool lm_resident_low(void)
{
	struct lm_quota *all = &lm_quota_process;
	size_t max = atomic_load_explicit(&all->max, memory_order_relaxed);

	return max && in_use(all) + reserve(max) > max &&
	       lm_os_now_ns() >= atomic_load(&all->pause_to);
}

bool lm_resident_has_room(size_t n)
{
	struct lm_quota *all = &lm_quota_process;
	size_t max = atomic_load_explicit(&all->max, memory_order_relaxed);

	return !max || in_use(all) + lm_min(n, max / 2) <= max ||
	       lm_os_now_ns() < atomic_load(&all->pause_to);
}

int lm_resident_room(size_t n)
{
	uint64_t mask, then;
	int ret;

	if (lm_resident_has_room(n))
		return 0;
	mask = lm_os_block_signals();
	then = lm_os_now_ns();
	ret = lm_resident_shed(&lm_quota_process, 1) ? 1 : -EBUSY;
	if (ret < 0 && lm_evict_error())
		pause_since(&lm_quota_process, then);
	lm_os_restore_signals(mask);
	return ret;
}

int lm_resident_reserve(void)
{
	struct lm_quota *all = &lm_quota_process;

	return lm_resident_room(2 * reserve(atomic_load_explicit(
					    &all->max, memory_order_relaxed)));
}

/* Nothing can go: wait for frames that others give back. Returns false when
 * that was long enough. */
static bool wait_for_frames(uint32_t seen, int *waits)
{
	do {
		if (*waits >= (atomic_load(&evicting) ? WAITS_FOR_ONE : WAITS))
			return false;
		++*waits;
		atomic_fetch_add(&waiting, 1);
		lm_os_wait_for(&given, seen, WAIT_NS);
		atomic_fetch_sub(&waiting, 1);
		/* What is locked or in use now may not be so then. But to
		 * swap that takes no more nothing else brings room. */
	} while (lm_evict_error() && atomic_load(&given) == seen);
	return true;
}

/* Several at once are worth no waiting: one may find room. */
static int make_for_several(struct lm_quota *quota, size_t n, size_t max)
{
	uint64_t now = lm_os_now_ns();

	if (now < atomic_load(&quota->alone_to))
		return -EAGAIN;
	while (lm_resident_shed(quota, n))
		if (count_in(quota, n, max))
			return 0;
	if (!atomic_load(&evicting))
		atomic_store(&quota->alone_to, now + PAUSE_NS);
	return -EAGAIN;
}

static int make_and_count(struct lm_quota *quota, size_t n, size_t max)
{
	uint64_t then, took;
	int waits = 0;

	while (!count_in(quota, n, max)) {
		uint32_t seen = atomic_load(&given);

		/* Who is to be let in anyway need not wait. */
		if (lm_options.strict <= 0 &&
		    lm_os_now_ns() < atomic_load(&quota->pause_to))
			return go_over(quota, n);
		if (n > 1)
			return make_for_several(quota, n, max);
		then = lm_os_now_ns();
		if (lm_resident_shed(quota, n))
			continue;
		took = lm_os_now_ns() - then;
		if (wait_for_frames(seen, &waits))
			continue;
		pause_since(quota, lm_os_now_ns() - took);
		return go_over(quota, n);
	}
	return 0;
}

static int take(struct lm_quota *quota, size_t n, size_t max)
{
	int ret;

	if (count_in(quota, n, max))
		return 0;
	/* The claim that this is for holds up whoever drains the gate: what it
	 * takes to go on may pass. */
	LM_OWN(lm_gate_nested)++;
	ret = make_and_count(quota, n, max);
	LM_OWN(lm_gate_nested)--;
	return ret;
}

static int take_of_process(size_t n)
{
	struct lm_quota *all = &lm_quota_process;
	size_t max = atomic_load_explicit(&all->max, memory_order_relaxed);
	int ret;

	if (!max)
		return 0;
	ret = take(all, n, max);
	if (in_use(all) + reserve(max) > max)
		lm_pager_wake();
	return ret;
}

static void count_out(struct lm_quota *quota, size_t n)
{
	atomic_fetch_sub_explicit(&quota->used, n, memory_order_relaxed);
}

int lm_resident_take(struct lm_quota *quota, size_t n)
{
	int ret;

	if (!quota)
		return take_of_process(n);
	ret = take(quota, n,
		   atomic_load_explicit(&quota->max, memory_order_relaxed));
	if (ret)
		return ret;
	ret = take_of_process(n);
	if (ret)
		count_out(quota, n);
	return ret;
}

/* What goes for it may become spare. */
static int shed_block(struct lm_quota *quota)
{
	size_t gone;

	if (lm_os_now_ns() < atomic_load(&quota->alone_to))
		return -EAGAIN;
	LM_OWN(lm_gate_nested)++;
	gone = lm_resident_shed(quota, LM_BLOCK_PAGES);
	LM_OWN(lm_gate_nested)--;
	return gone ? 0 : -EAGAIN;
}

/* Counted for the quota alone; or *frame is a spare one of its own, and all is. */
static int take_of_quota(struct lm_quota *quota, uintptr_t *frame)
{
	struct lm_quota *counts;
	int ret = 0;

	while (!ret) {
		*frame = lm_frame_take(quota, false, &counts);
		if (*frame || fits(quota, LM_BLOCK_PAGES,
				   atomic_load_explicit(&quota->max,
							memory_order_relaxed)))
			break;
		ret = shed_block(quota);
	}
	return ret;
}

/* Counted for the process: with a spare frame, which counts for its quota no more,
 * or (0) without. */
static int take_any(const struct lm_quota *quota, uintptr_t *frame)
{
	struct lm_quota *all = &lm_quota_process, *counts = NULL;
	size_t max = atomic_load_explicit(&all->max, memory_order_relaxed);
	int ret = 0;

	while (!ret) {
		*frame = lm_frame_take(quota, true, &counts);
		if (*frame || !max || fits(all, LM_BLOCK_PAGES, max))
			break;
		ret = shed_block(all);
	}
	if (*frame && counts)
		count_out(counts, LM_BLOCK_PAGES);
	return ret;
}

int lm_resident_take_frame(struct lm_quota *quota, uintptr_t *frame)
{
	int ret = 0;

	*frame = 0;
	lm_frame_wish();
	if (quota)
		ret = take_of_quota(quota, frame);
	if (ret < 0)
		return ret;
	if (!*frame)
		ret = take_any(quota, frame);
	if (lm_resident_low())
		lm_pager_wake();
	if (ret < 0 && quota)
		count_out(quota, LM_BLOCK_PAGES);
	if (ret < 0)
		return ret;
	if (!*frame)
		*frame = lm_frame_take_empty();
	if (*frame)
		return 0;
	lm_resident_give(quota, LM_BLOCK_PAGES);
	return -EAGAIN;
}

static int try(struct lm_quota *quota, size_t n)
{
	size_t max = atomic_load_explicit(&quota->max, memory_order_relaxed);
	bool room;

	if (!max || count_in(quota, n, max))
		return 0;
	if (lm_os_now_ns() < atomic_load(&quota->pause_to))
		return -ENOMEM;
	LM_OWN(lm_gate_nested)++;
	room = lm_resident_shed(quota, n);
	LM_OWN(lm_gate_nested)--;
	return room && count_in(quota, n, max) ? 0 : -ENOMEM;
}

int lm_resident_try(struct lm_quota *quota, size_t n)
{
	int ret = quota ? try(quota, n) : 0;

	if (ret < 0)
		return ret;
	ret = try(&lm_quota_process, n);
	if (ret < 0 && quota)
		count_out(quota, n);
	return ret;
}

void lm_resident_give(struct lm_quota *quota, size_t n)
{
	if (!n || !lm_resident_bounded(quota))
		return;
	if (quota)
		atomic_fetch_sub_explicit(&quota->used, n,
					  memory_order_release);
	/* Without a limit of the process nobody looks at its count. */
	atomic_fetch_sub_explicit(&lm_quota_process.used, n,
				  memory_order_release);
	lm_resident_tell();
}

void lm_resident_tell(void)
{
	/* Sequentially consistent, as is the pair in make_and_count(): either
	 * we see who waits or it sees that there is news. */
	atomic_fetch_add(&given, 1);
	if (atomic_load(&waiting))
		lm_os_wake(&given, INT32_MAX);
}

void lm_resident_count_anew(void)
{
	size_t all = 0;
	uintptr_t at = 0;
	struct lm_area *area;

	/* Nobody has any in use now. */
	while (lm_frame_drop(&lm_quota_process))
		;
	lm_quota_count_anew();
	for (; (area = lm_area_at_or_after(at)); at = area->end) {
		size_t n = lm_resident_moved(area, area->start, area->end);

		if (area->quota)
			atomic_fetch_add(&area->quota->used, n);
		all += n;
	}
	atomic_store(&lm_quota_process.used, all);
}

/* -- Forks ------------------------------------------------------------------------------ */

void lm_resident_fork(void)
{
	lm_quota_fork();
	announced = true;
	lm_swap_fork();
}

void lm_resident_fork_parent(void)
{
	lm_swap_fork_parent();
	announced = false;
	lm_quota_fork_parent();
}

void lm_resident_forked(void)
{
	LM_PUT(&evicting, 0); /* of other threads */
	lm_quota_forked(!announced);
	lm_pager_forked();
	lm_ahead_forked();
	lm_demote_forked();
	lm_swap_forked(!announced);
	if (!announced && lm_resident_limited())
		lm_resident_count_anew();
	announced = false;
}
