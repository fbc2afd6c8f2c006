/*
 * fill.c -- see fill.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fill.h"

#include "bounce.h"
#include "frame.h"
#include "guard.h"
#include "huge.h"
#include "os_linux.h"
#include "place/ladder.h"
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

/* A marker there, and none of ours? */
static bool may_be_theirs(uintptr_t at, uintptr_t end)
{
	for (size_t n; at < end; at += n << LM_PAGE_SHIFT) {
		n = lm_min((end - at) >> LM_PAGE_SHIFT, 64);
		if (lm_place_marked(at, n))
			return true;
	}
	return false;
}

/* Of the kernel's own copy, which asks for each page and clears none; but a page
 * that is huge comes at its first byte, by a write. The bytes placed. */
static size_t place_copy(const struct lm_claim *claim, uintptr_t at,
			 const void *buffer, size_t len)
{
	long n = lm_place_over(at, buffer, len, claim->low, claim->high);

	return n > 0 ? (size_t)n : 0;
}

/* Neither way is said, and both are there. */
static struct lm_ladder ladder(const struct lm_claim *claim, size_t len)
{
	struct lm_ladder placed = { LM_LADDER_MEM, false, 0 };

	if (claim->huge || claim->theirs || !lm_place_copies())
		return placed;
	if (lm_place == &lm_place_mem)
		return lm_ladder_begin(len);
	placed.way = LM_LADDER_COPY;
	return placed;
}

static int place_hidden(const struct lm_claim *claim, uintptr_t at,
			const char *buffer, size_t len)
{
	struct lm_ladder placed;
	int ret = -EOPNOTSUPP;
	size_t done = 0;

	if (lm_store_direct(claim->store))
		return place_direct(claim, at, buffer, len);
	placed = ladder(claim, len);
	if (placed.way == LM_LADDER_COPY)
		done = place_copy(claim, at, buffer, len);
	if (done == len) {
		lm_ladder_end(&placed);
		return 0;
	}
	at += done;
	buffer += done;
	len -= done;
	/* By the way that fails over a marker of the program's. */
	if (claim->theirs)
		ret = lm_place_direct_write(at, buffer, len, true);
	if (ret == -EOPNOTSUPP) {
		ret = lm_place->write(at, buffer, len);
		if (!ret && placed.way == LM_LADDER_MEM)
			lm_ladder_end(&placed);
		return ret;
	}
	if (ret < 0)
		return may_be_theirs(at, at + len) ? -EFAULT : -ENOMEM;
	return 0;
}

/* Of claimed pages: hidden by protection, and no longer by markers. */
static int cover(uintptr_t at, uintptr_t end)
{
	int ret = lm_os_mprotect(at, end - at, PROT_NONE);

	return ret < 0 ? ret : lm_guard_remove(at, end);
}

/* Over their markers: seen from the moment that they are there. What
 * userfaultfd cannot place, for want of a descriptor or memory, is placed while
 * it is hidden otherwise. *seen: which are, from the claim's start on. */
static int place_over(const struct lm_claim *claim, uintptr_t at,
		      const char *buffer, size_t len, uintptr_t *seen)
{
	uintptr_t end = at + len;
	int ret;
	long n;

	if (claim->track)
		n = lm_place_over_tracked(at, buffer, len, claim->low,
					  claim->high);
	else
		n = lm_place_over(at, buffer, len, claim->low, claim->high);
	if (n > 0) {
		at += (size_t)n;
		buffer += n;
	}
	*seen = at;
	if (at == end)
		return 0;
	lm_step(LM_STEP_REFUSED, at);
	ret = cover(at, end);
	if (!ret)
		ret = place_hidden(claim, at, buffer, end - at);
	if (!ret)
		ret = lm_os_mprotect(at, end - at, claim->rest_prot);
	if (ret < 0)
		return ret;
	*seen = end;
	/* Where this fails the next touch mends it. */
	if (claim->prot != claim->rest_prot && claim->page >= at)
		lm_os_mprotect(claim->page, LM_PAGE, claim->prot);
	return 0;
}

/* What stays hidden is in place then, as if it were seen. */
static int place_marker(const struct lm_claim *claim, const char *buffer,
			uintptr_t *seen)
{
	int ret = cover(claim->marker, claim->marker + LM_PAGE);

	*seen = claim->marker;
	if (!ret)
		ret = place_hidden(claim, claim->marker, buffer, LM_PAGE);
	if (!ret)
		*seen = claim->marker + LM_PAGE;
	return ret;
}

/* A marker is at one end of what is read ahead, so that it is at one end here. */
static int place_marked(const struct lm_claim *claim, uintptr_t at,
			const char *buffer, size_t len, uintptr_t *seen)
{
	size_t rest = len - LM_PAGE;
	int ret;

	if (claim->marker == at) {
		ret = place_marker(claim, buffer, seen);
		if (!ret && rest)
			ret = place_over(claim, at + LM_PAGE, buffer + LM_PAGE,
					 rest, seen);
		return ret;
	}
	ret = place_over(claim, at, buffer, rest, seen);
	if (!ret)
		ret = place_marker(claim, buffer + rest, seen);
	return ret;
}

static int place(const struct lm_claim *claim, uintptr_t at, const char *buffer,
		 size_t len, uintptr_t *seen)
{
	if (!claim->guard)
		return place_hidden(claim, at, buffer, len);
	if (claim->marker >= at && claim->marker < at + len)
		return place_marked(claim, at, buffer, len, seen);
	return place_over(claim, at, buffer, len, seen);
}

static int read_store(const struct lm_claim *claim, void *buffer, size_t len,
		      uint64_t offset)
{
	if (claim->here)
		return lm_store_read_ahead(claim->store, buffer, len, offset);
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

/* Copy the bytes into the claimed pages, which nobody can see; but over markers
 * they can be seen at once, up to *seen. */
static int fill(const struct lm_claim *claim, uintptr_t *seen)
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
		if (!ret)
			ret = place(claim, at, buffer, len, seen);
	}
	if (buffer)
		lm_bounce_give(buffer);
	return ret;
}

static int fill_hidden(const struct lm_claim *claim)
{
	uintptr_t seen;
	int ret;

	if (claim->huge)
		lm_huge_ask(claim);
	ret = fill(claim, &seen);
	if (ret < 0 && claim->huge)
		lm_huge_undo(claim);
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

/* What is in sight from the claim's start to `seen` may be in use: that is what
 * the claim is of, from here on. The others are out of sight, as they were. */
static int keep_seen(struct lm_claim *claim, uintptr_t seen, int error)
{
	bool covered = !cover(seen, claim->end);

	for (uintptr_t at = seen; covered && at < claim->end; at += LM_PAGE)
		lm_page_set_guard(lm_page_word_of(at), false);
	if (seen == claim->start)
		return error;
	for (uintptr_t at = seen; at < claim->end; at += LM_PAGE)
		lm_page_settle(lm_page_word_of(at), claim->from);
	lm_resident_give(claim->quota, (claim->end - seen) >> LM_PAGE_SHIFT);
	claim->end = seen;
	return 0;
}

/* What cannot be read leaves the markers, with the area's protection below them;
 * what cannot be placed has none. */
static int fill_over(struct lm_claim *claim)
{
	bool changed = claim->prot != claim->area_prot ||
		       claim->rest_prot != claim->area_prot;
	uintptr_t seen = 0; /* none was to be placed */
	int ret = protect(claim);

	if (!ret)
		ret = fill(claim, &seen);
	for (uintptr_t at = claim->start; claim->track && at < seen;
	     at += LM_PAGE)
		lm_page_set_tracked(lm_page_word_of(at));
	if (ret < 0 && (changed || seen))
		ret = keep_seen(claim, lm_max(seen, claim->start), ret);
	return ret;
}

static enum lm_page_state hidden(enum lm_page_state state)
{
	return state == LM_PAGE_DIRTY ? LM_PAGE_HIDDEN_DIRTY
				      : LM_PAGE_HIDDEN_CLEAN;
}

/*
 * Of several VM areas the kernel may have shown some, and not the rest: none is to
 * be in sight. If one could be written, and so may have been, all are in place, and
 * dirty, whatever they were before.
 */
static void refused(struct lm_claim *claim)
{
	bool writable = claim->rest == LM_PAGE_DIRTY &&
			claim->from != LM_PAGE_DIRTY &&
			lm_os_writable(claim->start);
	bool out = false;

	lm_step(LM_STEP_REFUSED, claim->page);
	if (claim->guard)
		out = writable && !cover(claim->start, claim->end);
	else if (claim->from < LM_PAGE_CLEAN)
		out = !lm_os_mprotect(claim->start, claim->end - claim->start,
				      PROT_NONE);
	if (!writable)
		return;
	claim->back = out ? hidden(claim->to) : claim->to;
	claim->back_rest = out ? hidden(claim->rest) : claim->rest;
	for (uintptr_t at = claim->start; out && at < claim->end; at += LM_PAGE)
		lm_page_set_guard(lm_page_word_of(at), false);
}

static int reveal(struct lm_claim *claim)
{
	int ret;

	if (claim->guard && lm_fill_needed(claim))
		return fill_over(claim);
	if (lm_page_resident(claim->from) && claim->from != claim->to &&
	    (claim->end - claim->start < LM_BLOCK ||
	     claim->prot != claim->rest_prot))
		lm_huge_end(claim->page);
	if (claim->huge && !lm_fill_needed(claim))
		lm_huge_ask(claim);
	ret = protect(claim);
	if (!ret && claim->guard)
		ret = lm_guard_remove(claim->start, claim->end);
	if (ret < 0)
		refused(claim);
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

static int read_into(const struct lm_claim *claim, char *window)
{
	size_t len = LM_BOUNCE_SIZE;
	int ret = 0;

	for (size_t at = 0; !ret && at < LM_BLOCK; at += len) {
		ret = read_store(claim, window + at, len, claim->offset + at);
		lm_step(LM_STEP_READ, claim->start + at);
	}
	return ret;
}

/* A block, filled where nobody knows of it, and put in place whole. 0; *other: not
 * so, and nothing has happened; or -errno. */
static int fill_frame(const struct lm_claim *claim, bool *other)
{
	uintptr_t window;
	int ret = lm_resident_take_frame(claim->quota, &window);

	*other = ret < 0;
	if (ret < 0)
		return ret;
	lm_step(LM_STEP_CLAIMED, claim->page);
	ret = read_into(claim, (char *)window);
	lm_step(LM_STEP_FILLED, claim->page);
	if (!ret) {
		bool turn = lm_turn_begin();

		ret = lm_frame_show(window, claim->start, claim->prot);
		lm_turn_end(turn);
		*other = ret < 0;
		lm_step(LM_STEP_REVEALED, claim->page);
	}
	if (ret < 0)
		lm_frame_spare(window, claim->quota);
	return ret;
}

/* Pages that are not in place get frames, which count from here on. */
int lm_fill(struct lm_claim *claim)
{
	size_t pages = (claim->end - claim->start) >> LM_PAGE_SHIFT;
	bool resident = lm_page_resident(claim->from), other = true;
	int ret = 0;

	if (claim->frame)
		ret = fill_frame(claim, &other);
	if (!other)
		return ret;
	ret = 0;
	if (!resident && claim->apart)
		ret = lm_resident_try(claim->quota, pages);
	else if (!resident)
		ret = lm_resident_take(claim->quota, pages);
	lm_step(LM_STEP_CLAIMED, claim->page);
	if (ret < 0)
		return ret;
	if (lm_fill_needed(claim) && !claim->guard)
		ret = fill_hidden(claim);
	lm_step(LM_STEP_FILLED, claim->page);
	if (!ret) {
		bool turn = lm_turn_begin();

		prime(claim);
		say_filled(claim);
		ret = reveal(claim);
		lm_turn_end(turn);
	}
	lm_step(LM_STEP_REVEALED, claim->page);
	if (ret < 0 && !resident && !lm_page_resident(claim->back))
		lm_resident_give(claim->quota, pages);
	return ret;
}

int lm_fill_ahead(struct lm_claim *claim)
{
	size_t pages = (claim->end - claim->start) >> LM_PAGE_SHIFT;
	int ret = lm_resident_try(claim->quota, pages);
	uintptr_t seen;

	lm_step(LM_STEP_CLAIMED, claim->page);
	if (ret < 0)
		return ret;
	ret = claim->guard ? 0 : fill(claim, &seen);
	lm_step(LM_STEP_FILLED, claim->page);
	if (!ret) {
		/* A fault goes first. */
		lm_turn_wait();
		ret = reveal(claim);
		lm_turn_done();
	}
	lm_step(LM_STEP_REVEALED, claim->page);
	if (ret < 0 && !lm_page_resident(claim->back))
		lm_resident_give(claim->quota, pages);
	return ret == -ENOMEM ? -EAGAIN : ret;
}
