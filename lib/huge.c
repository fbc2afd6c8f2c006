/*
 * huge.c -- see huge.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "huge.h"

#include "frame.h"
#include "gate.h"
#include "page.h"
#include "place/place.h"
#include "resident.h"
#include "widen.h"

#include <sys/mman.h>

/* So many pages at each end of a block: who reads a field of each record comes to
 * one of them, and who touches at random seldom. */
#define ENDS 8

/* Zeros that are written. */
static bool is_new(const struct lm_area *area, const struct lm_claim *claim)
{
	return area->store == &lm_store_zero && claim->to == LM_PAGE_DIRTY &&
	       !(area->flags & LM_AREA_SHARED);
}

/* By the way that has the kernel make the page at its first byte. Only within a
 * limit, where what is made is what has just been given back: memory that was
 * never used costs more by the block than by the page. */
static bool is_copied(const struct lm_area *area)
{
	return !lm_store_direct(area->store) && lm_place == &lm_place_mem &&
	       lm_resident_bounded(area->quota);
}

/* All of a block that a stream comes to, of which nothing is in place. */
static bool is_block(const struct lm_claim *claim)
{
	return claim->stream && claim->from == LM_PAGE_ABSENT &&
	       claim->to == claim->rest && !claim->guard &&
	       claim->end - claim->start == LM_BLOCK;
}

bool lm_huge_wanted(const struct lm_area *area, const struct lm_claim *claim)
{
	return is_block(claim) && !(area->flags & LM_AREA_HUGE_ADVISED) &&
	       (is_new(area, claim) || is_copied(area));
}

/* What is to be written stays where it is: it would not go as a frame. */
bool lm_huge_frame(const struct lm_area *area, const struct lm_claim *claim)
{
	return is_block(claim) && claim->to == LM_PAGE_CLEAN &&
	       lm_frame_fits(area) && !lm_widen_tight();
}

bool lm_huge_is(uintptr_t addr)
{
	lm_page_word *word = lm_page_word_of(addr & ~(LM_BLOCK - 1));

	return word &&
	       atomic_load_explicit(word, memory_order_relaxed) & LM_PAGE_HUGE;
}

static bool is_whole(const struct lm_area *area, uintptr_t addr)
{
	uintptr_t block = addr & ~(LM_BLOCK - 1);

	return area && area->start <= block && block + LM_BLOCK <= area->end &&
	       lm_huge_is(block);
}

bool lm_huge_whole(uintptr_t addr)
{
	struct lm_slot *slot = lm_gate_enter();
	bool whole = is_whole(lm_area_find(addr), addr);

	lm_gate_leave(slot);
	return whole;
}

/* At one of its ends, where a stream comes to it, or where one has come last. Else
 * within it the policy had better learn which pieces are used: a page that is
 * touched at random again and again would keep all of the block. */
bool lm_huge_shown(const struct lm_area *area, const struct lm_claim *claim)
{
	size_t from_end = lm_page_index(claim->page);

	from_end = lm_min(from_end, LM_BLOCK_PAGES - 1 - from_end);
	return (claim->from == LM_PAGE_HIDDEN_CLEAN ||
		claim->from == LM_PAGE_HIDDEN_DIRTY) &&
	       (from_end < ENDS ||
		lm_stream_at(&claim->slot->streams, claim->page)) &&
	       is_whole(area, claim->page);
}

void lm_huge_ask(const struct lm_claim *claim)
{
	/* A wish: a kernel without huge pages refuses it. */
	if (lm_os_madvise(claim->start, LM_BLOCK, MADV_HUGEPAGE))
		return;
	/* Relaxed, as below: who ends it has claimed pages of the block, and
	 * so comes after who settled them. */
	atomic_fetch_or_explicit(lm_page_word_of(claim->start), LM_PAGE_HUGE,
				 memory_order_relaxed);
}

void lm_huge_undo(const struct lm_claim *claim)
{
	lm_huge_end(claim->start);
	lm_os_madvise(claim->start, LM_BLOCK, MADV_DONTNEED);
}

void lm_huge_end(uintptr_t addr)
{
	uintptr_t block = addr & ~(LM_BLOCK - 1);

	if (!lm_huge_is(block))
		return;
	if (atomic_fetch_and_explicit(lm_page_word_of(block), ~LM_PAGE_HUGE,
				      memory_order_relaxed) &
	    LM_PAGE_HUGE)
		/* It was asked for; what keeps this from being taken back, want
		 * of VM areas, passes as they are given back. */
		lm_os_madvise(block, LM_BLOCK, MADV_NOHUGEPAGE);
}
