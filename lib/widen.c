/*
 * widen.c -- keeping the kernel's VM areas few. See widen.h.
 *
 * Only areas whose pages are the kernel's own (direct) are widened: showing
 * more of them is showing what a touch would have shown. Copied pages would
 * have to be filled.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "widen.h"

#include "area.h"
#include "bounce.h"
#include "fault.h"
#include "os_linux.h"
#include "page.h"
#include "resident.h"
#include "step.h"

/* Faults between a slot's additions to the common count. */
#define BATCH 64
/* At most so many faults lie between two counts of the VM areas where there
 * are enough left: one costs half a microsecond an area. */
#define APART ((size_t)4096)
#define WIDTH_MAX ((uintptr_t)1 << 30)
#define FRAMES_AT_ONCE 16

struct tally {
	size_t all, own; /* VM areas; of them in lazy areas */
};

static _Atomic size_t shown;    /* faults since the last count */
static _Atomic size_t due;      /* when to count */
static _Atomic uint32_t busy;   /* somebody counts */
static _Atomic uintptr_t width; /* how much to show; 0: just the cluster */
static _Atomic size_t to_evict; /* frames, under a limit */
static _Atomic bool full;       /* one for each that comes, too */

void lm_widen_start(void)
{
	atomic_store(&due, BATCH); /* who knows what others have already */
}

/* The lines of /proc/self/maps, each of which begins with an address in
 * hexadecimal digits and a dash. False: it cannot be read. */
static bool count_vm_areas(struct tally *tally)
{
	size_t size;
	char *buffer = lm_bounce_take(&size);
	uintptr_t start = 0;
	bool in_start = true;
	long fd, n = 0;

	*tally = (struct tally){ 0 };
	if (!buffer)
		return false;
	fd = lm_sys(SYS_openat, AT_FDCWD, "/proc/self/maps",
		    O_RDONLY | O_CLOEXEC, 0);
	while (fd >= 0 && (n = lm_sys(SYS_read, fd, buffer, size)) > 0) {
		struct lm_slot *slot = lm_gate_enter();

		for (long i = 0; i < n; i++) {
			unsigned c = (unsigned char)buffer[i];

			if (c == '\n') {
				tally->all++;
				start = 0;
				in_start = true;
			} else if (in_start && c == '-') {
				tally->own += lm_area_find(start) != NULL;
				in_start = false;
			} else if (in_start) {
				start = start << 4 |
					(c <= '9' ? c - '0' : c - 'a' + 10);
			}
		}
		lm_gate_leave(slot);
	}
	if (fd >= 0)
		lm_sys(SYS_close, fd);
	lm_bounce_give(buffer);
	return tally->all;
}

/* Half of what the others leave may be ours. */
static void judge(const struct tally *tally)
{
	size_t others = tally->all - tally->own, own = tally->own;
	size_t most = lm_os_max_map_count();
	size_t budget = (most - lm_min(others, most)) / 2;
	size_t high = budget - budget / 8, apart = lm_min(APART, budget / 8);
	uintptr_t now = atomic_load(&width);
	bool hold = false;

	if (lm_resident_limited()) {
		/* An isolated page that goes joins three VM areas to one. */
		atomic_store(&to_evict,
			     own > high ? 1 + (own - high + budget / 8) / 2
					: 0);
		hold = own > high - budget / 8;
	}
	if (lm_resident_bounded(NULL)) {
		now = 0; /* no page comes uncounted */
	} else if (own > high) {
		now = lm_min(lm_max(now * 8, LM_BLOCK), WIDTH_MAX);
	} else if (own < budget / 4) {
		now = 0;
	}
	atomic_store(&width, now);
	atomic_store(&full, hold);
	/* A fault adds two at most; while their number is held, counting need
	 * not cost more than the faults. */
	if (hold)
		apart = lm_max(apart, tally->all / 32);
	else if (own < high)
		apart = lm_max(apart, (high - own) / 2);
	atomic_store(&due, lm_max(apart, BATCH));
}

/* -- Showing a block ------------------------------------------------------------ */

struct block {
	uintptr_t start, end; /* of the block within its area */
	int prot;
	bool shared;
	uint64_t taken[LM_BLOCK_PAGES / 64];
	/* Shown already as they are to be: BUSY as well, for one call for all
	 * must not meet another's for these. */
	uint64_t alike[LM_BLOCK_PAGES / 64];
	size_t count, alike_count;
	struct lm_slot *slot;
};

static bool is_set(const uint64_t *map, uintptr_t at)
{
	size_t i = (at >> LM_PAGE_SHIFT) & (LM_BLOCK_PAGES - 1);

	return map[i / 64] >> (i % 64) & 1;
}

static void set(uint64_t *map, uintptr_t at)
{
	size_t i = (at >> LM_PAGE_SHIFT) & (LM_BLOCK_PAGES - 1);

	map[i / 64] |= (uint64_t)1 << (i % 64);
}

static bool taken(const struct block *block, uintptr_t at)
{
	return is_set(block->taken, at);
}

/* Absent pages, and of private ones those that are shown without PROT_WRITE,
 * which makes a VM area as well. What a marker hides (guard.h) makes none. */
static bool wanted(const struct block *block, uint64_t seen)
{
	if (LM_PAGE_SWAP(seen) || seen & LM_PAGE_GUARD)
		return false;
	return LM_PAGE_STATE(seen) == LM_PAGE_ABSENT ||
	       (LM_PAGE_STATE(seen) == LM_PAGE_CLEAN && !block->shared);
}

static bool alike(uint64_t seen)
{
	if (LM_PAGE_STATE(seen) == LM_PAGE_ABSENT)
		return seen & LM_PAGE_GUARD;
	return lm_page_present(seen) && !LM_PAGE_SWAP(seen);
}

static void claim_page(struct block *block, uintptr_t at)
{
	lm_page_word *word = lm_page_make(at);
	uint64_t seen;

	if (!word)
		return;
	seen = atomic_load_explicit(word, memory_order_relaxed);
	while (wanted(block, seen) || alike(seen)) {
		bool want = wanted(block, seen);

		if (!lm_page_claim(word, &seen))
			continue;
		set(want ? block->taken : block->alike, at);
		block->count += want;
		block->alike_count += !want;
		return;
	}
}

static bool any_wanted(const struct block *block)
{
	for (uintptr_t at = block->start; at < block->end; at += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(at);

		if (!word || wanted(block, atomic_load_explicit(
						   word, memory_order_relaxed)))
			return true;
	}
	return false;
}

static bool claim_block(struct block *block, uintptr_t addr)
{
	const struct lm_area *area;

	*block = (struct block){ .slot = lm_gate_enter() };
	area = lm_area_at_or_after(addr);
	if (area && area->start < addr + LM_BLOCK &&
	    lm_store_direct(area->store) && !lm_resident_bounded(area->quota) &&
	    area->prot != PROT_NONE) {
		block->start = lm_max(addr, area->start);
		block->end = lm_min(addr + LM_BLOCK, area->end);
		block->prot = area->prot;
		block->shared = area->flags & LM_AREA_SHARED;
		if (any_wanted(block))
			for (uintptr_t at = block->start; at < block->end;
			     at += LM_PAGE)
				claim_page(block, at);
	}
	if (block->count + block->alike_count)
		lm_gate_filling(block->slot);
	lm_gate_leave(block->slot);
	return block->count + block->alike_count;
}

/* mprotect of each run of pages that were taken. */
static int protect_runs(const struct block *block, int prot)
{
	uintptr_t at = block->start, end;
	int ret = 0;

	for (; !ret && at < block->end; at = end) {
		for (end = at; end < block->end && taken(block, end);
		     end += LM_PAGE)
			;
		if (end > at)
			ret = lm_os_mprotect(at, end - at, prot);
		else
			end += LM_PAGE;
	}
	return ret;
}

/* From here on others may write to them. */
static void say_filled(const struct block *block)
{
	for (uintptr_t at = block->start; at < block->end; at += LM_PAGE)
		if (!block->shared && taken(block, at))
			lm_page_set_filled(lm_page_word_of(at));
}

static int show(const struct block *block)
{
	size_t pages = (block->end - block->start) >> LM_PAGE_SHIFT;
	int ret;

	lm_step(LM_STEP_WIDEN, block->start);
	if (!block->count)
		return 0;
	say_filled(block);
	/* One call for all of it joins what lies in between. */
	if (block->count + block->alike_count == pages)
		ret = lm_os_mprotect(block->start, block->end - block->start,
				     block->prot);
	else
		ret = protect_runs(block, block->prot);
	/* What was shown before it failed would be taken for hidden; what was
	 * clean comes back by its next touch. */
	if (ret < 0)
		protect_runs(block, PROT_NONE);
	return ret;
}

static void settle(const struct block *block, bool failed)
{
	size_t new = 0;

	for (uintptr_t at = block->start; at < block->end; at += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(at);
		enum lm_page_state was;

		if (!taken(block, at) && !is_set(block->alike, at))
			continue;
		was = LM_PAGE_WAS(
			atomic_load_explicit(word, memory_order_relaxed));
		if (!taken(block, at)) {
			lm_page_settle(word, was);
			continue;
		}
		new += was == LM_PAGE_ABSENT;
		if (!failed)
			was = block->shared ? LM_PAGE_CLEAN : LM_PAGE_DIRTY;
		lm_page_settle(word, was);
	}
	if (failed)
		return;
	lm_stats_add(LM_COUNT_pages_made_present, new);
	lm_stats_add(LM_COUNT_pages_widened, new);
}

static void widen_block(uintptr_t addr)
{
	struct block block;

	if (!claim_block(&block, addr))
		return;
	settle(&block, show(&block) < 0);
	lm_gate_filled(block.slot);
}

static void widen(uintptr_t addr, uintptr_t bytes)
{
	uintptr_t start = addr & ~(bytes - 1);

	for (uintptr_t at = start; at < start + bytes; at += LM_BLOCK)
		widen_block(at);
}

/* -- When ----------------------------------------------------------------------- */

static void look(void)
{
	uint32_t free = 0;
	struct tally tally;

	if (!atomic_compare_exchange_strong(&busy, &free, 1))
		return;
	atomic_store(&shown, 0);
	if (count_vm_areas(&tally))
		judge(&tally);
	else
		atomic_store(&due, lm_max(lm_os_max_map_count() / 8, BATCH));
	atomic_store(&busy, 0);
}

/* A few at a fault, so that none waits long; that two threads may both do it
 * does no harm. */
static void evict_some(struct lm_quota *quota)
{
	size_t left = atomic_load_explicit(&to_evict, memory_order_relaxed);
	size_t n = lm_min(left, FRAMES_AT_ONCE);

	if (left)
		atomic_store_explicit(&to_evict, left - n,
				      memory_order_relaxed);
	n += atomic_load_explicit(&full, memory_order_relaxed);
	if (n)
		lm_resident_shed(quota, n);
}

bool lm_widen_tight(void)
{
	return atomic_load_explicit(&full, memory_order_relaxed) ||
	       atomic_load_explicit(&to_evict, memory_order_relaxed);
}

void lm_widen_hidden(void)
{
	atomic_fetch_add_explicit(&shown, 1, memory_order_relaxed);
}

void lm_widen_refused(void)
{
	if (lm_resident_limited())
		atomic_store(&full, true); /* until they are counted */
}

void lm_widen_note(struct lm_slot *slot, uintptr_t addr, struct lm_quota *quota)
{
	uintptr_t bytes;

	if (atomic_fetch_add_explicit(&slot->shown, 1, memory_order_relaxed) %
			    BATCH ==
		    BATCH - 1 &&
	    atomic_fetch_add_explicit(&shown, BATCH, memory_order_relaxed) >=
		    atomic_load_explicit(&due, memory_order_relaxed))
		look();
	bytes = atomic_load_explicit(&width, memory_order_relaxed);
	if (lm_resident_bounded(quota))
		evict_some(quota);
	else if (bytes)
		widen(addr, bytes);
}
