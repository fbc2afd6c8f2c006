/*
 * guard.c -- see guard.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "guard.h"

#include "change.h"
#include "gate.h"
#include "os_linux.h"
#include "place/place.h"
#include "resident.h"
#include "start.h"
#include "stats.h"
#include "step.h"

#include <string.h>

/* Atomic; set before the first area that asks for it (permit.h), or that a limit
 * makes ask for it: until then nothing can be swapped. */
static _Atomic bool anonymous, files, over, copied, tracks;

static bool get(const _Atomic bool *what)
{
	return atomic_load_explicit(what, memory_order_relaxed);
}

static void set(_Atomic bool *what, bool value)
{
	atomic_store_explicit(what, value, memory_order_relaxed);
}

int lm_guard_install(uintptr_t start, uintptr_t end)
{
	return lm_os_madvise(start, end - start, MADV_GUARD_INSTALL);
}

int lm_guard_remove(uintptr_t start, uintptr_t end)
{
	return lm_os_madvise(start, end - start, MADV_GUARD_REMOVE);
}

bool lm_guard_can(const struct lm_area *area)
{
	bool ours = area->store == &lm_store_zero &&
		    !(area->flags & LM_AREA_SHARED);

	/* A locked mapping takes no markers. */
	if (area->flags & (LM_AREA_LOCKED | LM_AREA_GUARDS) ||
	    atomic_load_explicit(&area->no_guard, memory_order_relaxed))
		return false;
	if (lm_store_direct(area->store))
		return get(ours ? &anonymous : &files);
	return get(&copied) &&
	       !(area->flags & LM_AREA_SHARED && area->prot & PROT_WRITE);
}

bool lm_guard_can_swap(const struct lm_area *area)
{
	bool ours = area->store == &lm_store_zero &&
		    !(area->flags & LM_AREA_SHARED);

	return get(&over) && (ours || !lm_store_direct(area->store)) &&
	       lm_guard_can(area);
}

bool lm_guard_tracks(const struct lm_area *area)
{
	return get(&tracks) && !lm_store_direct(area->store) &&
	       lm_guard_can(area);
}

bool lm_guard_opened(uintptr_t addr)
{
	lm_page_word *word = lm_page_word_of(addr & ~(LM_BLOCK - 1));

	for (size_t i = 0; word && i < LM_BLOCK_PAGES; i++)
		if (atomic_load_explicit(&word[i], memory_order_relaxed) &
		    LM_PAGE_GUARD)
			return true;
	return false;
}

/* -- Opening and shutting a block ------------------------------------------------ */

struct block {
	uintptr_t start, end; /* of the block within its area */
	int prot;
	bool shut;            /* it is to be: else, to be opened */
	bool swaps;           /* what is in swap is to be taken, too */
	bool untracked;       /* nobody asks which of its pages are clean */
	size_t count, others; /* taken; in place, or another thread's */
	uint64_t taken[LM_BLOCK_PAGES / 64];
	uintptr_t shown; /* so far they may have the area's protection */
	struct lm_slot *slot;
};

static bool taken(const struct block *block, uintptr_t at)
{
	size_t i = (at >> LM_PAGE_SHIFT) & (LM_BLOCK_PAGES - 1);

	return block->taken[i / 64] >> (i % 64) & 1;
}

static bool hidden(const struct block *block, uintptr_t at)
{
	return taken(block, at) &&
	       LM_PAGE_WAS(atomic_load_explicit(lm_page_word_of(at),
						memory_order_relaxed)) !=
		       LM_PAGE_CLEAN;
}

/* What is in place nowhere; to open it, what has no marker yet; and what is
 * CLEAN and not writable among what is, which would be VM areas of its own. */
static bool wanted(const struct block *block, uint64_t seen)
{
	if (LM_PAGE_STATE(seen) == LM_PAGE_CLEAN)
		return block->untracked && !LM_PAGE_SWAP(seen);
	if (!block->shut && seen & LM_PAGE_GUARD)
		return false;
	return LM_PAGE_STATE(seen) == LM_PAGE_ABSENT ||
	       (LM_PAGE_STATE(seen) == LM_PAGE_SWAPPED && block->swaps);
}

static void claim_one(struct block *block, uintptr_t at)
{
	lm_page_word *word = lm_page_make(at);
	size_t i = (at >> LM_PAGE_SHIFT) & (LM_BLOCK_PAGES - 1);
	uint64_t seen;

	if (!word)
		return;
	seen = atomic_load_explicit(word, memory_order_relaxed);
	while (wanted(block, seen))
		if (lm_page_claim(word, &seen)) {
			block->taken[i / 64] |= (uint64_t)1 << (i % 64);
			block->count++;
			return;
		}
	block->others += LM_PAGE_STATE(seen) == LM_PAGE_BUSY ||
			 lm_page_resident(LM_PAGE_STATE(seen));
}

static bool claim(struct block *block, uintptr_t addr, bool shut)
{
	const struct lm_area *area;

	*block = (struct block){ .slot = lm_gate_enter(), .shut = shut };
	area = lm_area_find(addr);
	/* Where that cannot be, markers may be the program's own. */
	if (area && lm_guard_can(area) && (shut || area->prot != PROT_NONE)) {
		block->start = lm_max(addr & ~(LM_BLOCK - 1), area->start);
		block->end = lm_min((addr | (LM_BLOCK - 1)) + 1, area->end);
		block->prot = area->prot;
		block->swaps = shut || lm_guard_can_swap(area);
		block->untracked =
			!shut &&
			lm_area_prot(area, LM_PAGE_CLEAN) != area->prot &&
			!lm_resident_bounded(area->quota);
		for (uintptr_t at = block->start; at < block->end;
		     at += LM_PAGE)
			claim_one(block, at);
	}
	if (block->count)
		lm_gate_filling(block->slot);
	lm_gate_leave(block->slot);
	return block->count;
}

/* The next run of pages for which `which` holds, from *at on. */
static bool next_run(const struct block *block, uintptr_t *at, uintptr_t *end,
		     bool (*which)(const struct block *block, uintptr_t at))
{
	while (*at < block->end && !which(block, *at))
		*at += LM_PAGE;
	for (*end = *at; *end < block->end && which(block, *end);)
		*end += LM_PAGE;
	return *at < block->end;
}

/* Clean pages that are going to be writable before they are settled. */
static void say_filled(const struct block *block)
{
	for (uintptr_t at = block->start; at < block->end; at += LM_PAGE)
		if (taken(block, at) && !hidden(block, at))
			lm_page_set_filled(lm_page_word_of(at));
}

/* Markers first: nothing may be seen without. */
static int put(struct block *block)
{
	uintptr_t at, end;
	int ret = 0;

	for (at = block->start; !ret && next_run(block, &at, &end, hidden);
	     at = end)
		ret = lm_guard_install(at, end);
	lm_step(LM_STEP_GUARDED, block->start);
	say_filled(block);
	for (at = block->start; !ret && next_run(block, &at, &end, taken);
	     at = end) {
		ret = lm_os_mprotect(at, end - at, block->prot);
		block->shown = end;
	}
	return ret;
}

static void undo(const struct block *block)
{
	uintptr_t at, end;

	for (at = block->start; next_run(block, &at, &end, hidden); at = end)
		/* Fewer pieces than there were: it cannot fail. A page whose
		 * marker stays is found out by its fault. */
		if (!lm_os_mprotect(at, end - at, PROT_NONE))
			lm_guard_remove(at, end);
}

enum outcome { AS_BEFORE, HAVE_GUARDS, HAVE_NONE };

/* What was clean may have been written by now, if it was shown. */
static void settle(const struct block *block, enum outcome outcome)
{
	for (uintptr_t at = block->start; at < block->end; at += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(at);

		if (!taken(block, at))
			continue;
		if (!hidden(block, at)) {
			lm_page_settle(word, at < block->shown ? LM_PAGE_DIRTY
							       : LM_PAGE_CLEAN);
			continue;
		}
		if (outcome != AS_BEFORE)
			lm_page_set_guard(word, outcome == HAVE_GUARDS);
		lm_page_settle(word, LM_PAGE_WAS(atomic_load_explicit(
					     word, memory_order_relaxed)));
	}
}

static void refuse(uintptr_t addr)
{
	struct lm_slot *slot = lm_gate_enter();
	struct lm_area *area = lm_area_find(addr);

	if (area)
		atomic_store_explicit(&area->no_guard, true,
				      memory_order_relaxed);
	lm_gate_leave(slot);
}

void lm_guard_open(uintptr_t addr)
{
	struct block block;
	int ret;

	if (!claim(&block, addr, false))
		return;
	ret = put(&block);
	if (ret < 0)
		undo(&block);
	settle(&block, ret < 0 ? AS_BEFORE : HAVE_GUARDS);
	lm_gate_filled(block.slot);
	/* Else it may do when there are VM areas, or memory, again. */
	if (ret == -EINVAL)
		refuse(addr);
}

void lm_guard_shut(uintptr_t addr)
{
	struct block block;
	bool done;

	if (!claim(&block, addr, true))
		return;
	done = !block.others &&
	       !lm_os_mprotect(block.start, block.end - block.start, PROT_NONE);
	if (done)
		lm_guard_remove(block.start, block.end);
	settle(&block, done ? HAVE_NONE : AS_BEFORE);
	lm_gate_filled(block.slot);
}

/* -- And closing ------------------------------------------------------------------ */

static int close_run(const struct lm_area *area, const struct lm_run *run)
{
	size_t pages = (run->end - run->start) >> LM_PAGE_SHIFT;
	bool writable = area->prot & PROT_WRITE;
	int ret;

	if (lm_store_direct(area->store) && !lm_resident_bounded(area->quota) &&
	    run->state != LM_PAGE_SWAPPED) {
		ret = lm_guard_remove(run->start, run->end);
		if (ret < 0)
			return ret;
		lm_page_become(run->start, run->end,
			       writable && !(area->flags & LM_AREA_SHARED)
				       ? LM_PAGE_DIRTY
				       : LM_PAGE_CLEAN);
		if (run->state == LM_PAGE_ABSENT)
			lm_stats_add(LM_COUNT_pages_made_present, pages);
		return 0;
	}
	ret = lm_os_mprotect(run->start, run->end - run->start, PROT_NONE);
	if (ret < 0)
		return ret;
	lm_page_clear_guards(run->start, run->end);
	return lm_guard_remove(run->start, run->end);
}

int lm_guard_close(uintptr_t start, uintptr_t end)
{
	struct lm_run run = { .end = start };
	struct lm_area *area;
	int ret = 0;

	while (!ret && lm_page_run(run.end, end, &run)) {
		if (!run.guard)
			continue;
		area = lm_area_find(run.start);
		run.end = lm_min(run.end, area->end);
		ret = close_run(area, &run);
	}
	return ret;
}

/* -- Dropping, and forking --------------------------------------------------------- */

static bool has_marker(uintptr_t at)
{
	lm_page_word *word = lm_page_word_of(at);

	return word && *word & LM_PAGE_GUARD;
}

bool lm_guard_drop(const struct lm_area *area, const struct lm_run *run)
{
	uintptr_t block = run->start & ~(LM_BLOCK - 1);
	size_t len = run->end - run->start;

	/* The neighbour's word keeps the block that the others are in. */
	if (!lm_guard_can(area) || run->end > block + LM_BLOCK)
		return false;
	if (!(run->start > block && has_marker(run->start - LM_PAGE)) &&
	    !(run->end < block + LM_BLOCK && has_marker(run->end)))
		return false;
	if (!run->guard && lm_guard_install(run->start, run->end) < 0)
		return false;
	if (!run->guard && lm_os_mprotect(run->start, len, area->prot) < 0) {
		lm_guard_remove(run->start, run->end);
		return false;
	}
	lm_change_forget(run->start, run->end);
	lm_page_give_guards(run->start, run->end);
	return true;
}

void lm_guard_forked(uintptr_t page, enum lm_page_state state)
{
	const struct lm_area *area = lm_area_find(page);

	/* There is no other thread. If it fails the next touch mends it. */
	if (!area || lm_os_mprotect(page, LM_PAGE, lm_area_prot(area, state)))
		return;
	if (area->flags & LM_AREA_GUARDS)
		return;
	lm_guard_remove(page, page + LM_PAGE);
	lm_page_set_guard(lm_page_word_of(page), false);
}

/* -- What the kernel has ------------------------------------------------------------ */

static bool probe(int fd)
{
	int flags = MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0);
	uintptr_t at = lm_os_mmap(0, LM_PAGE, PROT_READ, flags, fd, 0);
	bool can;

	if (lm_os_failed(at))
		return false;
	can = !lm_guard_install(at, at + LM_PAGE) &&
	      !lm_guard_remove(at, at + LM_PAGE);
	lm_os_munmap(at, LM_PAGE);
	return can;
}

/* Who asks for a way of placing gets it. */
static bool may_place_over(void)
{
	const char *asked = lm_options.place;

	return !asked || !strcmp(asked, "auto") ||
	       !strcmp(asked, lm_place_uffd.name);
}

void lm_guard_look(void)
{
	set(&anonymous, lm_options.guard >= 0 && probe(-1));
}

void lm_guard_look_over(void)
{
	bool may = get(&anonymous), track;

	track = may && may_place_over() && !lm_place_tracked_probe();
	may = track || (may && !lm_place_over_probe());
	set(&tracks, track);
	set(&over, may);
	set(&copied, may && may_place_over());
}

void lm_guard_look_files(void)
{
	int fd = get(&anonymous)
			 ? (int)lm_sys(SYS_memfd_create, "lazymap", MFD_CLOEXEC)
			 : -1;

	if (fd < 0)
		return;
	set(&files, !lm_sys(SYS_ftruncate, fd, LM_PAGE) && probe(fd));
	lm_sys(SYS_close, fd);
}

bool lm_guard_anonymous(void)
{
	return get(&anonymous);
}

bool lm_guard_files(void)
{
	return get(&files);
}

bool lm_guard_swap(void)
{
	return get(&over);
}

bool lm_guard_stores(void)
{
	return get(&copied);
}
