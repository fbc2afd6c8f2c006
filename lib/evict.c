/*
 * evict.c -- the way out of memory, in phases.
 *
 *  1 claim   inside the gate: pages that are neither busy nor pinned (prey.c)
 *  2 hide    no thread can read or write them any more; what need not be saved
 *            and can have markers (guard.h) is hidden and dropped in one, in 4;
 *            many anonymous pages at once are frozen, which can be read in
 *            place; what the kernel knows not to have been written is clean
 *            (hide.c)
 *  3 save    private dirty pages go to swap, shared ones of a store to it; what
 *            cannot be saved stays, hidden and dirty; what was frozen is hidden
 *            (save.c)
 *  4 drop    the kernel takes the frames (hide.c)
 *  5 settle  the pages are ABSENT or SWAPPED, and counted out
 *
 * A page is writable until 2 and gone from 4, and its content is safe before.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "evict.h"

#include "demote.h"
#include "frame.h"
#include "guard.h"
#include "hide.h"
#include "huge.h"
#include "resident.h"
#include "save.h"
#include "stats.h"
#include "step.h"
#include "swap/swap.h"
#include "turn.h"
#include "widen.h"

#include <sys/mman.h>

static _Atomic int last_error; /* why a page was not saved, -errno */

/* In sight still, all of them or some. What is frozen cannot be written: so what
 * was saved before it turned out that it cannot be hidden is clean. */
static void settle_shown(const struct lm_prey *prey, uintptr_t at)
{
	lm_page_word *word = &prey->word[lm_prey_index(prey, at)];
	enum lm_page_state state = LM_PAGE_WAS(*word);
	bool tracked = !(prey->shared && lm_store_direct(prey->store));

	if (lm_prey_is(prey, &prey->frozen, at))
		state = lm_prey_is(prey, &prey->dirty, at) &&
					!lm_page_swap(word)
				? LM_PAGE_DIRTY
				: LM_PAGE_CLEAN;
	/* Where this fails, too, the next touch mends it. */
	lm_os_mprotect(at, LM_PAGE,
		       tracked && state != LM_PAGE_DIRTY
			       ? prey->prot & ~PROT_WRITE
			       : prey->prot);
	lm_page_settle(word, state);
}

static void settle_kept(const struct lm_prey *prey, uintptr_t at)
{
	lm_page_word *word = &prey->word[lm_prey_index(prey, at)];
	uint64_t handle = lm_page_swap(word);
	bool changed = lm_prey_is(prey, &prey->dirty, at);

	if (lm_prey_is(prey, &prey->shown, at)) {
		settle_shown(prey, at);
		return;
	}
	if (changed && handle) {
		lm_page_set_swap(word, 0);
		lm_swap_free(handle);
	}
	lm_page_settle(word,
		       changed ? LM_PAGE_HIDDEN_DIRTY : LM_PAGE_HIDDEN_CLEAN);
}

static void settle_all_kept(const struct lm_prey *prey,
			    const struct lm_set *kept)
{
	uintptr_t end;

	for (uintptr_t at = prey->start; lm_prey_run(prey, kept, &at, &end);
	     at = end)
		for (uintptr_t page = at; page < end; page += LM_PAGE)
			settle_kept(prey, page);
}

static size_t settle(struct lm_prey *prey)
{
	struct lm_set kept = lm_set_and(prey->taken, prey->kept);
	struct lm_set gone = lm_set_less(prey->taken, prey->kept);
	size_t count = 0, unused = 0;

	settle_all_kept(prey, &kept);
	for (size_t i = lm_set_next(&gone, 0, true); i < LM_BLOCK_PAGES;
	     i = lm_set_next(&gone, i + 1, true)) {
		lm_page_word *word = &prey->word[i];

		unused += lm_page_ahead(word);
		lm_page_settle(word, lm_set_has(&prey->swapped, i)
					     ? LM_PAGE_SWAPPED
					     : LM_PAGE_ABSENT);
		count++;
	}
	lm_stats_add(LM_COUNT_pages_ahead_unused, unused);
	return count;
}

int lm_evict_error(void)
{
	return atomic_load_explicit(&last_error, memory_order_relaxed);
}

static void take_pages(struct lm_prey *prey)
{
	lm_huge_end(prey->start);
	lm_hide(prey);
	lm_step(LM_STEP_EVICT_HIDDEN, prey->start);
	atomic_store_explicit(&last_error, lm_save(prey), memory_order_relaxed);
	lm_step(LM_STEP_EVICT_SAVED, prey->start);
	lm_hide_frozen(prey);
	lm_hide_drop(prey);
}

static bool is_empty(const struct lm_set *set)
{
	return lm_set_next(set, 0, true) == LM_BLOCK_PAGES;
}

/* All of a block whose content is the store's: hidden, and taken out for what
 * comes next, or dropped. */
static bool take_frame(struct lm_prey *prey)
{
	uintptr_t window = 0;
	bool wanted = lm_huge_is(prey->start) && lm_frame_wanted();
	int ret = 0;

	if (!prey->whole || !(wanted || prey->moved) ||
	    !is_empty(&prey->dirty) || !is_empty(&prey->swapped) ||
	    !is_empty(&prey->marked))
		return false;
	lm_turn_wait();
	if (wanted && !is_empty(&prey->in_sight))
		ret = lm_os_mprotect(prey->start, LM_BLOCK, PROT_NONE);
	lm_step(LM_STEP_EVICT_HIDDEN, prey->start);
	if (!ret && wanted)
		ret = lm_frame_take_out(prey->start, &window);
	else if (!ret)
		ret = lm_frame_level(prey->start);
	lm_turn_done();
	/* What was counted goes with it. */
	if (window)
		lm_frame_spare(window, prey->quota);
	prey->spare = window;
	lm_stats_add(LM_COUNT_blocks_moved, window != 0);
	return !ret;
}

/* What was claimed of one area. */
static size_t take(struct lm_prey *prey)
{
	size_t gone;

	lm_step(LM_STEP_EVICT_CLAIMED, prey->start);
	if (!take_frame(prey))
		take_pages(prey);
	lm_step(LM_STEP_EVICT_DROPPED, prey->start);
	gone = settle(prey);
	prey->left += prey->count - gone;
	lm_stats_add(LM_COUNT_pages_made_absent, gone);
	lm_stats_add(LM_COUNT_pages_evicted, gone);
	if (!prey->spare)
		lm_resident_give(prey->quota, gone);
	lm_gate_filled(prey->slot);
	return gone;
}

size_t lm_evict(uintptr_t start, uintptr_t end, size_t *left)
{
	struct lm_prey prey;
	size_t gone = 0;

	*left = 0;
	for (; start < end; start = prey.end) {
		lm_demote(); /* what goes now is to find room in the pool */
		if (lm_prey_claim(&prey, start, end, LM_PAGE_HIDDEN_CLEAN))
			gone += take(&prey);
		if (prey.count && lm_widen_tight())
			lm_guard_shut(prey.start);
		if (prey.count && prey.moved)
			lm_frame_close(prey.start);
		*left += prey.left;
	}
	return gone;
}

size_t lm_evict_hide(uintptr_t start, uintptr_t end)
{
	struct lm_prey prey;
	size_t hidden = 0;

	for (; start < end; start = prey.end) {
		if (!lm_prey_claim(&prey, start, end, LM_PAGE_CLEAN))
			continue;
		/* All of it at once, and it stays what it is. */
		if (prey.count < LM_BLOCK_PAGES)
			lm_huge_end(prey.start);
		lm_hide_only(&prey);
		settle_all_kept(&prey, &prey.taken);
		lm_gate_filled(prey.slot);
		hidden += prey.count;
	}
	return hidden;
}
