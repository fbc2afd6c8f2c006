/*
 * huge.c -- see huge.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "huge.h"

#include "page.h"

#include <sys/mman.h>

bool lm_huge_wanted(const struct lm_area *area, const struct lm_claim *claim)
{
	return claim->stream && claim->from == LM_PAGE_ABSENT &&
	       claim->to == LM_PAGE_DIRTY && claim->rest == LM_PAGE_DIRTY &&
	       !claim->guard && claim->end - claim->start == LM_BLOCK &&
	       area->store == &lm_store_zero &&
	       !(area->flags & (LM_AREA_SHARED | LM_AREA_HUGE_ADVISED));
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

void lm_huge_end(uintptr_t addr)
{
	uintptr_t block = addr & ~(LM_BLOCK - 1);
	lm_page_word *word = lm_page_word_of(block);

	if (!word ||
	    !(atomic_load_explicit(word, memory_order_relaxed) & LM_PAGE_HUGE))
		return;
	if (atomic_fetch_and_explicit(word, ~LM_PAGE_HUGE,
				      memory_order_relaxed) &
	    LM_PAGE_HUGE)
		/* It was asked for; what keeps this from being taken back, want
		 * of VM areas, passes as they are given back. */
		lm_os_madvise(block, LM_BLOCK, MADV_NOHUGEPAGE);
}
