/*
 * resident.c -- the limit, and who goes when it is reached. See resident.h.
 *
 * Lock order: after all others. The lock guards the policy's frames only; the
 * count is one atomic. Where a frame stands in the policy and whether it is
 * in place may differ for a moment: a frame without pages is passed over, and
 * pages without a frame get one when they are next touched or walked over.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "resident.h"

#include "change.h"
#include "evict.h"
#include "fault.h"
#include "gate.h"
#include "lock.h"
#include "meta.h"
#include "pager.h"
#include "policy/policy.h"
#include "start.h"
#include "swap/swap.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* The most pages that one instruction can need at once: a gather of 16
 * elements that each lie across two pages, its mask and its own code, with
 * room to spare. */
#define PAGES_A_THREAD 64

/* How long to wait for frames that others are about to give back. */
#define WAIT_NS 1000000
#define WAITS 20
/* The most frames that the pager keeps free for the next faults. */
#define RESERVE_MAX 2048

/* When nothing could be evicted: how long not to try again. */
#define PAUSE_NS 100000000

_Atomic size_t lm_resident_max;

static _Atomic size_t used;       /* frames counted; with a limit only */
static _Atomic uint32_t given;    /* changes when frames are given back */
static _Atomic uint32_t waiting;  /* threads that wait for that */
static _Atomic uint64_t pause_to; /* when to try to evict again */
static _Atomic int said_over;

static struct lm_lock lock;
static struct lm_frames frames;        /* guarded by lock */
static void *memory;                   /* of frames; guarded by the map lock */
static size_t memory_size;             /* the same */
static const struct lm_policy *policy; /* immutable after the start */
static bool announced;                 /* a fork; guarded by the map lock */
static uint64_t swap_bytes;            /* there may be; the same */
static bool swap_ready;                /* guarded by the map lock */

size_t lm_resident_cluster(void)
{
	size_t max =
		atomic_load_explicit(&lm_resident_max, memory_order_relaxed);
	size_t cluster = LM_BLOCK;

	/* Many clusters must fit at once, or they drive each other out. */
	while (max && cluster > LM_PAGE &&
	       cluster > (max << LM_PAGE_SHIFT) / PAGES_A_THREAD)
		cluster /= 2;
	return cluster;
}

size_t lm_resident_reach(void)
{
	size_t max =
		atomic_load_explicit(&lm_resident_max, memory_order_relaxed);
	size_t reach = LM_BLOCK;

	while (max && reach > LM_PAGE && reach > (max << LM_PAGE_SHIFT) / 16)
		reach /= 2;
	return reach;
}

/* -- The policy's frames ---------------------------------------------------------- */

void lm_resident_came(uintptr_t start, uintptr_t end, size_t cluster, bool cold)
{
	if (!lm_resident_limited())
		return;
	cluster = lm_min(cluster, lm_resident_cluster());
	lm_lock_take(&lock);
	for (start &= ~(cluster - 1); start < end; start += cluster)
		lm_frames_came(&frames, policy, start, cluster >> LM_PAGE_SHIFT,
			       cold);
	lm_lock_drop(&lock);
}

void lm_resident_forget(uintptr_t start, uintptr_t end)
{
	uint32_t id;

	if (!lm_resident_limited())
		return;
	lm_lock_take(&lock);
	for (; (start = lm_page_next_block(start, end)) < end; start += LM_PAGE)
		if ((id = lm_frames_find(&frames, start)))
			lm_frames_remove(&frames, id, false);
	lm_lock_drop(&lock);
}

void lm_resident_moved(const struct lm_area *area, uintptr_t start,
		       uintptr_t end)
{
	if (!lm_resident_limited())
		return;
	for (; (start = lm_page_next_block(start, end)) < end;
	     start += LM_PAGE) {
		uint64_t word = atomic_load_explicit(lm_page_word_of(start),
						     memory_order_relaxed);

		if (lm_page_resident(LM_PAGE_STATE(word)))
			lm_resident_came(start, start + LM_PAGE, area->cluster,
					 area->flags & LM_AREA_SEQUENTIAL);
	}
}

void lm_resident_cool(uintptr_t start, uintptr_t end)
{
	uint32_t id;

	if (!lm_resident_limited())
		return;
	lm_lock_take(&lock);
	for (; (start = lm_page_next_block(start, end)) < end; start += LM_PAGE)
		if ((id = lm_frames_find(&frames, start)))
			lm_frames_move(&frames, id, LM_LIST_COLD);
	lm_lock_drop(&lock);
}

/* -- Making room -------------------------------------------------------------------- */

static bool next_victim(struct lm_victim *victim, uint32_t *count)
{
	bool any;

	lm_lock_take(&lock);
	any = lm_frames_next(&frames, policy, victim);
	*count = frames.count;
	lm_lock_drop(&lock);
	return any;
}

/* The frame next to it in time lies next to it in space: both at once. */
static void take_neighbour(struct lm_victim *victim)
{
	uintptr_t end = victim->start + (victim->pages << LM_PAGE_SHIFT);
	uint32_t id;

	while (victim->neighbour == end && end & (LM_BLOCK - 1) &&
	       end - victim->start < lm_resident_reach() / 2) {
		lm_lock_take(&lock);
		id = lm_frames_find(&frames, end);
		if (id) {
			size_t pages = frames.frame[id].pages;

			victim->neighbour =
				frames.frame[frames.frame[id].next].start;
			lm_frames_remove(&frames, id, true);
			victim->pages += pages;
			end += pages << LM_PAGE_SHIFT;
		}
		lm_lock_drop(&lock);
		if (!id)
			return;
	}
}

static size_t evict(struct lm_victim *victim)
{
	uintptr_t end = victim->start + (victim->pages << LM_PAGE_SHIFT);
	size_t left, gone = lm_evict(victim->start, end, &left);

	/* As new: its turn comes again when others have had theirs. */
	if (left)
		lm_resident_came(victim->start, end,
				 victim->pages << LM_PAGE_SHIFT, false);
	return gone;
}

/* Evict at least n frames. Returns false if it cannot now. */
static bool make_room(size_t n)
{
	uint32_t count, in_vain = 0;
	struct lm_victim victim;
	size_t gone = 0;

	while (gone < n) {
		size_t more;

		if (!next_victim(&victim, &count) || in_vain > 2 * count + 16)
			return gone;
		if (victim.hide) {
			lm_evict_hide(victim.start,
				      victim.start +
					      (victim.pages << LM_PAGE_SHIFT));
			in_vain++;
			continue;
		}
		take_neighbour(&victim);
		more = evict(&victim);
		in_vain = more ? 0 : in_vain + 1;
		gone += more;
	}
	return true;
}

static bool count_in(size_t n, size_t max)
{
	size_t now = atomic_load_explicit(&used, memory_order_relaxed);

	while (now + n <= max)
		if (atomic_compare_exchange_weak_explicit(&used, &now, now + n,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	return false;
}

static int go_over(size_t n)
{
	if (lm_options.strict > 0)
		return -ENOMEM;
	atomic_fetch_add_explicit(&used, n, memory_order_relaxed);
	lm_stats_add(LM_COUNT_pages_over_limit, n);
	if (!atomic_exchange(&said_over, 1))
		lm_error_report(LAZYMAP_ERROR_LIMIT, -lm_evict_error(), 0,
				lm_evict_error()
					? "the resident limit is exceeded: "
					  "swap takes no more pages"
					: "the resident limit is exceeded: all "
					  "pages are locked or in use");
	return 0;
}

/* The pager keeps between one and two of this free: few enough not to be
 * missed, enough for some clusters. */
static size_t reserve(size_t max)
{
	return lm_min(max / 64, RESERVE_MAX);
}

bool lm_resident_low(void)
{
	size_t max =
		atomic_load_explicit(&lm_resident_max, memory_order_relaxed);

	return max && atomic_load(&used) + reserve(max) > max &&
	       lm_os_now_ns() >= atomic_load(&pause_to);
}

int lm_resident_reserve(void)
{
	uint64_t mask = lm_os_block_signals();
	size_t max =
		atomic_load_explicit(&lm_resident_max, memory_order_relaxed);
	int ret = max && atomic_load(&used) + 2 * reserve(max) > max;

	if (ret && !make_room(1))
		ret = -EBUSY;
	lm_os_restore_signals(mask);
	return ret;
}

static int make_and_count(size_t n, size_t max)
{
	int waits = 0;

	while (!count_in(n, max)) {
		uint32_t seen = atomic_load(&given);

		if (lm_os_now_ns() < atomic_load(&pause_to))
			return go_over(n);
		if (make_room(n) || count_in(0, max - lm_min(n, max)))
			continue;
		if (waits++ < WAITS) {
			atomic_fetch_add(&waiting, 1);
			lm_os_wait_for(&given, seen, WAIT_NS);
			atomic_fetch_sub(&waiting, 1);
			continue;
		}
		atomic_store(&pause_to, lm_os_now_ns() + PAUSE_NS);
		return go_over(n);
	}
	return 0;
}

void lm_resident_shed(size_t n)
{
	make_room(n);
}

int lm_resident_take(size_t n)
{
	size_t max =
		atomic_load_explicit(&lm_resident_max, memory_order_relaxed);
	int ret;

	if (!max)
		return 0;
	if (count_in(n, max)) {
		ret = 0;
	} else {
		/* The claim that this is for holds up whoever drains the
		 * gate: what it takes to go on may pass. */
		lm_gate_nested++;
		ret = make_and_count(n, max);
		lm_gate_nested--;
	}
	if (atomic_load_explicit(&used, memory_order_relaxed) + reserve(max) >
	    max)
		lm_pager_wake();
	return ret;
}

int lm_resident_commit(size_t len)
{
	uint64_t have = atomic_load(&lm_resident_max) * LM_PAGE, need = len;
	struct lm_area *area;

	if (!have || lm_options.strict <= 0)
		return 0;
	for (uintptr_t at = 0; (area = lm_area_at_or_after(at)); at = area->end)
		if (!(area->flags & LM_AREA_SHARED) && area->prot & PROT_WRITE)
			need += area->end - area->start;
	have += swap_bytes;
	return need > have ? -ENOMEM : 0;
}

void lm_resident_give(size_t n)
{
	if (!n || !lm_resident_limited())
		return;
	atomic_fetch_sub_explicit(&used, n, memory_order_relaxed);
	/* Sequentially consistent, as is the pair in make_and_count(): either
	 * we see who waits or it sees that there is news. */
	atomic_fetch_add(&given, 1);
	if (atomic_load(&waiting))
		lm_os_wake(&given, INT32_MAX);
}

/* -- Setting it ----------------------------------------------------------------------- */

static size_t threads(void)
{
	struct stat st;

	/* "." and ".." and one for each. */
	if (lm_sys(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &st, 0) < 0 ||
	    st.st_nlink < 3)
		return 1;
	return st.st_nlink - 2;
}

static int check(size_t bytes)
{
	size_t least = PAGES_A_THREAD * LM_PAGE * threads();
	char line[160];

	if (!bytes || bytes >= least)
		return 0;
	snprintf(line, sizeof(line),
		 "resident limit: %zu KiB is less than %zu KiB, %u KiB for "
		 "each of %zu threads",
		 bytes >> 10, least >> 10,
		 (unsigned)(PAGES_A_THREAD * LM_PAGE >> 10), threads());
	lm_error_report(LAZYMAP_ERROR_START, EINVAL, 0, line);
	return -EINVAL;
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
	if (!ret && !swap_ready)
		swap_bytes = limits.pool + limits.file;
	if (!ret)
		swap_ready = true;
	return ret;
}

/* With the gate shut: every frame there is, into the new table. */
static void walk(void)
{
	uintptr_t at = 0;
	struct lm_area *area;

	for (; (area = lm_area_at_or_after(at)); at = area->end)
		lm_resident_moved(area, area->start, area->end);
}

static int set_limit(size_t bytes)
{
	size_t pages = bytes >> LM_PAGE_SHIFT, size;
	uint32_t capacity = (uint32_t)lm_min(pages + 1024, UINT32_MAX / 4);
	void *table = NULL;

	size = lm_frames_size(capacity);
	if (pages) {
		int ret = ready_swap(bytes);

		table = ret ? NULL : lm_meta_run(size);
		if (!table)
			return ret ? ret : -ENOMEM;
	}
	lm_gate_drain();
	lm_meta_free_run(memory, memory_size);
	memory = table;
	memory_size = table ? size : 0;
	if (table)
		lm_frames_init(&frames, table, capacity);
	atomic_store(&used, lm_stats_resident());
	atomic_store(&pause_to, 0);
	atomic_store(&said_over, 0);
	atomic_store(&lm_resident_max, pages);
	walk();
	lm_gate_open();
	return 0;
}

/* Down to a limit that was lowered. */
static void shrink(void)
{
	uint64_t mask = lm_os_block_signals();
	size_t max = atomic_load(&lm_resident_max), now;

	while (max && (now = atomic_load(&used)) > max)
		if (!make_room(lm_min(now - max, LM_BLOCK_PAGES)))
			break;
	lm_os_restore_signals(mask);
}

int lazymap_limit(size_t bytes)
{
	int ret = lm_start();
	uint64_t mask;

	if (!ret)
		ret = check(bytes);
	if (ret < 0)
		return lm_return(ret);
	mask = lm_map_lock();
	ret = set_limit(bytes);
	lm_map_unlock(mask);
	if (!ret) {
		shrink();
		lm_pager_start();
	}
	return lm_return(ret);
}

int lm_resident_start(void)
{
	uint64_t mask;
	int ret = check(lm_options.resident);

	policy = lm_policy_by_name(lm_options.policy);
	if (ret || !lm_options.resident)
		return ret;
	mask = lm_map_lock();
	ret = set_limit(lm_options.resident);
	lm_map_unlock(mask);
	return ret;
}

/* -- Forks ------------------------------------------------------------------------------ */

void lm_resident_fork(void)
{
	lm_lock_take(&lock);
	announced = true;
	lm_swap_fork();
}

void lm_resident_fork_parent(void)
{
	lm_swap_fork_parent();
	announced = false;
	lm_lock_drop(&lock);
}

void lm_resident_forked(void)
{
	atomic_store(&lock.word, 0);
	lm_pager_forked();
	lm_swap_forked(!announced);
	if (!announced && memory) {
		/* Another thread may have been changing the table. Private
		 * memory that is dropped is zeros again. */
		lm_os_madvise((uintptr_t)memory, memory_size, MADV_DONTNEED);
		lm_frames_init(&frames, memory, frames.capacity);
		walk();
	}
	announced = false;
}
