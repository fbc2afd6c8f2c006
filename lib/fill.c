/*
 * fill.c -- see fill.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fill.h"

#include "bounce.h"
#include "guard.h"
#include "huge.h"
#include "os_linux.h"
#include "place/place.h"
#include "resident.h"
#include "stats.h"
#include "step.h"
#include "swap/swap.h"
#include "turn.h"

static int place_direct(const struct lm_claim *claim, uintptr_t at,
			const void *buffer, size_t len)
{
	bool file = claim->store == &lm_store_file;
	int ret = lm_place_direct_write(at, buffer, len, file);

	/* A marker that nobody expected, as after a fork? */
	if (ret < 0 && !claim->theirs && lm_guard_anonymous() &&
	    !lm_guard_remove(at, at + len))
		ret = lm_place_direct_write(at, buffer, len, file);
	return ret;
}

static int place_hidden(const struct lm_claim *claim, uintptr_t at,
			const void *buffer, size_t len)
{
	int ret = -EOPNOTSUPP;

	if (lm_store_direct(claim->store))
		return place_direct(claim, at, buffer, len);
	/* By the way that fails over a marker of the program's. */
	if (claim->theirs)
		ret = lm_place_direct_write(at, buffer, len, true);
	if (ret == -EOPNOTSUPP)
		return lm_place->write(at, buffer, len);
	return ret < 0 ? -EFAULT : 0;
}

/* Of claimed pages: hidden by protection, and no longer by markers. */
static int cover(uintptr_t at, uintptr_t end)
{
	int ret = lm_os_mprotect(at, end - at, PROT_NONE);

	return ret < 0 ? ret : lm_guard_remove(at, end);
}

/* Over their markers: seen from the moment that they are there. What
 * userfaultfd cannot place, for want of a descriptor or memory, is placed while
 * it is hidden otherwise. */
static int place_over(const struct lm_claim *claim, uintptr_t at,
		      const char *buffer, size_t len)
{
	uintptr_t end = at + len;
	int ret;
	long n;

	if (claim->track)
		n = lm_place_over_tracked(at, buffer, len, claim->low,
					  claim->high);
	else
		n = lm_place_over(at, buffer, len, claim->low, claim->high);
	if (n == (long)len)
		return 0;
	if (n > 0) {
		at += (size_t)n;
		buffer += n;
	}
	ret = cover(at, end);
	if (!ret)
		ret = place_hidden(claim, at, buffer, end - at);
	if (!ret)
		ret = lm_os_mprotect(at, end - at, claim->rest_prot);
	if (!ret && claim->prot != claim->rest_prot && claim->page >= at)
		ret = lm_os_mprotect(claim->page, LM_PAGE, claim->prot);
	return ret;
}

/* A marker is at one end of what is read ahead, so that it is at one end here. */
static int place_marked(const struct lm_claim *claim, uintptr_t at,
			const char *buffer, size_t len)
{
	uintptr_t seen = claim->marker == at ? at + LM_PAGE : at;
	int ret = cover(claim->marker, claim->marker + LM_PAGE);

	if (!ret)
		ret = place_hidden(claim, claim->marker,
				   buffer + (claim->marker - at), LM_PAGE);
	if (!ret && len > LM_PAGE)
		ret = place_over(claim, seen, buffer + (seen - at),
				 len - LM_PAGE);
	return ret;
}

static int place(const struct lm_claim *claim, uintptr_t at, const void *buffer,
		 size_t len)
{
	if (!claim->guard)
		return place_hidden(claim, at, buffer, len);
	if (claim->marker >= at && claim->marker < at + len)
		return place_marked(claim, at, buffer, len);
	return place_over(claim, at, buffer, len);
}

static int read_store(const struct lm_claim *claim, void *buffer, size_t len,
		      uint64_t offset)
{
	if (claim->here)
		return lm_store_read_here(claim->store, buffer, len, offset);
	return lm_store_read(claim->store, buffer, len, offset);
}

static int swap_in(uintptr_t at, void *buffer, size_t len)
{
	uint64_t handles[LM_SWAP_BATCH];
	size_t n = len >> LM_PAGE_SHIFT;

	for (size_t i = 0; i < n; i++)
		handles[i] = lm_page_swap(lm_page_word_of(at + i * LM_PAGE));
	return lm_swap_in(handles, n, buffer);
}

/* Copy the bytes into the claimed pages, which nobody can see. *placed: some of
 * them may be there, though it failed. */
static int fill(const struct lm_claim *claim, bool *placed)
{
	bool swapped = claim->from == LM_PAGE_SWAPPED;
	size_t size, len;
	char *buffer = lm_bounce_take(&size);
	int ret = buffer ? 0 : -ENOMEM;

	if (swapped)
		size = lm_min(size, LM_SWAP_BATCH * LM_PAGE);
	for (uintptr_t at = claim->start; !ret && at < claim->end; at += len) {
		len = lm_min(size, claim->end - at);
		ret = swapped ? swap_in(at, buffer, len)
			      : read_store(claim, buffer, len,
					   claim->offset + (at - claim->start));
		lm_step(LM_STEP_READ, at);
		if (ret)
			break;
		*placed = true;
		ret = place(claim, at, buffer, len);
	}
	if (buffer)
		lm_bounce_give(buffer);
	return ret;
}

bool lm_fill_needed(const struct lm_claim *claim)
{
	return claim->from == LM_PAGE_SWAPPED ||
	       (claim->from == LM_PAGE_ABSENT &&
		!lm_store_direct(claim->store));
}

static int protect(const struct lm_claim *claim)
{
	bool alone = claim->end - claim->start == LM_PAGE;
	int all = alone ? claim->prot : claim->rest_prot, ret = 0;
	uintptr_t start = claim->start, end = claim->end;

	if (claim->marker == start)
		start += LM_PAGE;
	else if (claim->marker == end - LM_PAGE)
		end -= LM_PAGE;
	/* Where there are markers the protection is the area's. */
	if (start < end && (!claim->guard || all != claim->area_prot))
		ret = lm_os_mprotect(start, end - start, all);
	if (!ret && claim->prot != all)
		ret = lm_os_mprotect(claim->page, LM_PAGE, claim->prot);
	return ret;
}

/* What fails here leaves nothing in sight: the markers, with the area's protection
 * below them, or none. */
static int fill_over(const struct lm_claim *claim)
{
	bool placed = claim->prot != claim->area_prot ||
		      claim->rest_prot != claim->area_prot;
	int ret = protect(claim);

	if (!ret)
		ret = fill(claim, &placed);
	for (uintptr_t at = claim->start; !ret && at < claim->end;
	     at += LM_PAGE)
		if (claim->track)
			lm_page_set_tracked(lm_page_word_of(at));
	if (ret < 0 && placed && !cover(claim->start, claim->end))
		for (uintptr_t at = claim->start; at < claim->end;
		     at += LM_PAGE)
			lm_page_set_guard(lm_page_word_of(at), false);
	return ret;
}

static int reveal(const struct lm_claim *claim)
{
	int ret;

	if (claim->guard && lm_fill_needed(claim))
		return fill_over(claim);
	if (claim->huge)
		lm_huge_ask(claim);
	ret = protect(claim);
	if (!ret && claim->guard)
		return lm_guard_remove(claim->start, claim->end);
	/* It is there, and faults: there may be one all the same. A kernel that
	 * has none refuses. */
	if (!ret && claim->from == claim->to && !claim->theirs)
		lm_guard_remove(claim->start, claim->end);
	return ret;
}

/*
 * VM areas that were split before they had an anon_vma each get one of their
 * own, and never join again; those split after share it. So the first page of
 * a private area that is to be written is written, with what it holds, while it
 * and the area are one.
 */
static void prime(const struct lm_claim *claim)
{
	char byte;

	/* Where it cannot be done there are more VM areas, and that is all. */
	if (claim->prime && !lm_place_mem_read(&byte, claim->page, 1))
		lm_place_mem_write(claim->page, &byte, 1);
}

/* The pages that will be writable before they are settled, and were not. */
static void say_filled(const struct lm_claim *claim)
{
	if (claim->to != LM_PAGE_DIRTY || claim->from == LM_PAGE_DIRTY ||
	    claim->from == LM_PAGE_HIDDEN_DIRTY)
		return;
	/* What comes over its marker is known by being there. */
	if (claim->guard && lm_fill_needed(claim))
		return;
	for (uintptr_t at = claim->start; at < claim->end; at += LM_PAGE)
		if (at == claim->page || claim->rest == LM_PAGE_DIRTY)
			lm_page_set_filled(lm_page_word_of(at));
}

/* Pages that are not in place get frames, which count from here on. */
int lm_fill(const struct lm_claim *claim)
{
	size_t pages = (claim->end - claim->start) >> LM_PAGE_SHIFT;
	bool resident = lm_page_resident(claim->from), placed;
	int ret = resident ? 0 : lm_resident_take(claim->quota, pages);

	lm_step(LM_STEP_CLAIMED, claim->page);
	if (ret < 0)
		return ret;
	if (lm_fill_needed(claim) && !claim->guard)
		ret = fill(claim, &placed);
	lm_step(LM_STEP_FILLED, claim->page);
	if (!ret) {
		bool turn = lm_turn_begin();

		prime(claim);
		say_filled(claim);
		ret = reveal(claim);
		lm_turn_end(turn);
	}
	lm_step(LM_STEP_REVEALED, claim->page);
	if (ret < 0 && !resident)
		lm_resident_give(claim->quota, pages);
	return ret;
}

int lm_fill_ahead(const struct lm_claim *claim)
{
	size_t pages = (claim->end - claim->start) >> LM_PAGE_SHIFT;
	int ret = lm_resident_try(claim->quota, pages);
	bool placed;

	lm_step(LM_STEP_CLAIMED, claim->page);
	if (ret < 0)
		return ret;
	ret = claim->guard ? 0 : fill(claim, &placed);
	lm_step(LM_STEP_FILLED, claim->page);
	if (!ret) {
		/* A fault goes first. */
		lm_turn_wait();
		ret = reveal(claim);
		lm_turn_done();
	}
	lm_step(LM_STEP_REVEALED, claim->page);
	if (ret < 0)
		lm_resident_give(claim->quota, pages);
	return ret == -ENOMEM ? -EAGAIN : ret;
}
