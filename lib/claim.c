/*
 * claim.c -- see claim.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "claim.h"

#include "frame.h"
#include "guard.h"
#include "huge.h"
#include "readahead.h"
#include "resident.h"
#include "set.h"
#include "step.h"
#include "stream.h"
#include "swap/swap.h"
#include "widen.h"

#define WIDE ((uintptr_t)1 << 30)
#define SMALL ((uintptr_t)64 * 1024)
#define BATCH (LM_SWAP_BATCH * LM_PAGE)
/* So many strides at once are to find room for what they ask for. */
#define STRIDES 4
/* What a fault shows besides, of the steps that come next. */
#define SHOWN ((size_t)64 * 1024)

bool lm_claim_allowed(int prot, enum lm_access access)
{
	switch (access) {
	case LM_WRITE:
		return prot & PROT_WRITE;
	case LM_EXEC:
		return prot & PROT_EXEC;
	case LM_READ:
	case LM_UNKNOWN:
		/* On every machine we know PROT_WRITE implies reading. */
		return prot != PROT_NONE;
	}
	return false;
}

/* To show a page of a private area without PROT_WRITE, among others that have
 * markers, makes VM areas again. What is won: it is known whether it changes.
 * Of zeros the pager finds that out by looking, of what a store has the kernel
 * says it, without a limit nobody asks, and when VM areas are short a page is
 * rather written to swap once more. */
static bool not_tracked(const struct lm_area *area,
			const struct lm_claim *claim)
{
	bool known = claim->from == LM_PAGE_ABSENT &&
		     (area->store == &lm_store_zero || lm_guard_tracks(area));

	return claim->guard && !(area->flags & LM_AREA_SHARED) &&
	       (known || !lm_resident_bounded(area->quota) || lm_widen_tight());
}

/* What the page becomes by this access. Where the trap cannot tell, a fault on
 * a page that is readable already was a write. */
static enum lm_page_state next_state(const struct lm_area *area,
				     const struct lm_claim *claim)
{
	enum lm_page_state from = claim->from;
	bool write = claim->access == LM_WRITE ||
		     (claim->access == LM_UNKNOWN && from == LM_PAGE_CLEAN) ||
		     not_tracked(area, claim);

	if (from == LM_PAGE_DIRTY || from == LM_PAGE_HIDDEN_DIRTY ||
	    (write && area->prot & PROT_WRITE))
		return LM_PAGE_DIRTY;
	return LM_PAGE_CLEAN;
}

/* Are a page's neighbours to stay clean when it is written? Not where that
 * would only cost: who knows whether they change matters for swap, and for
 * shared stores. */
static bool neighbours_differ(const struct lm_area *area,
			      const struct lm_claim *claim)
{
	if (claim->from == LM_PAGE_HIDDEN_DIRTY ||
	    (claim->from == LM_PAGE_ABSENT && not_tracked(area, claim)))
		return false;
	if (claim->from == LM_PAGE_SWAPPED || !lm_store_direct(area->store))
		return true;
	return area->store == &lm_store_file &&
	       lm_resident_bounded(area->quota);
}

/* Zeros that are shown take no memory until they are touched: where nothing is
 * limited, a small area is shown at once, whatever was guessed wrong before. */
static bool is_small(const struct lm_area *area)
{
	return area->end - area->start <= SMALL &&
	       area->store == &lm_store_zero &&
	       !(area->flags & LM_AREA_SHARED) &&
	       !lm_resident_bounded(area->quota);
}

/* Of a step's pages those that are around the page, in the area and block. */
static void reach_step(const struct lm_area *area, struct lm_claim *claim,
		       uintptr_t start, uintptr_t end)
{
	uintptr_t block = claim->page & ~(LM_BLOCK - 1);

	claim->start = lm_max(start, lm_max(block, area->start));
	claim->end = lm_min(end, lm_min(block + LM_BLOCK, area->end));
}

/* Of a frame that was read ahead and nobody has touched yet. */
static bool is_unseen(const struct lm_area *area, const struct lm_claim *claim)
{
	uintptr_t block = claim->page & ~(LM_BLOCK - 1);

	return claim->from == LM_PAGE_HIDDEN_CLEAN && area->start <= block &&
	       block + LM_BLOCK <= area->end &&
	       lm_page_ahead(lm_page_word_of(block)) &&
	       lm_huge_is(claim->page) && lm_frame_moved(claim->page);
}

/* How far around the page a claim may reach. */
static void reach(struct lm_area *area, struct lm_claim *claim)
{
	uintptr_t cluster = claim->cluster, start, end, wide;

	claim->strided = false;
	if (!claim->alone &&
	    (is_unseen(area, claim) || lm_huge_shown(area, claim))) {
		claim->start = claim->page & ~(LM_BLOCK - 1);
		claim->end = claim->start + LM_BLOCK;
		return;
	}
	if (claim->may_stream) {
		wide = lm_stream_cluster(&claim->slot->streams, claim->page,
					 lm_resident_reach(area->quota),
					 &claim->stream);
		if (!claim->fixed)
			cluster = is_small(area) ? lm_max(wide, SMALL) : wide;
		claim->strided = !claim->fixed && !claim->stream &&
				 !is_small(area) &&
				 lm_stride_of(&claim->slot->strides,
					      claim->page, &start, &end);
	}
	if (area->flags & LM_AREA_RANDOM || claim->from == claim->to ||
	    claim->alone)
		cluster = LM_PAGE;
	/* A page that is not written must not become dirty. */
	if (claim->from == LM_PAGE_CLEAN && neighbours_differ(area, claim))
		cluster = LM_PAGE;
	claim->start = lm_max(claim->page & ~(cluster - 1), area->start);
	claim->end =
		lm_min((claim->page & ~(cluster - 1)) + cluster, area->end);
	if (claim->strided && !claim->alone)
		reach_step(area, claim, start, end);
	if (claim->wide && !lm_resident_bounded(area->quota)) {
		claim->start = lm_max(claim->page - lm_min(claim->page, WIDE),
				      area->start);
		claim->end = lm_min(claim->page + WIDE, area->end);
	}
	if (!claim->until || claim->alone)
		return;
	end = lm_min(area->end, claim->until);
	/* The kernel's range is known: no guess around copied pages; and so is
	 * a step's. */
	if (!lm_store_direct(area->store) || claim->apart) {
		claim->start = claim->page;
		claim->end = claim->page + LM_PAGE;
	}
	if (lm_resident_bounded(area->quota))
		end = lm_min(end,
			     claim->page + lm_resident_cluster(area->quota));
	claim->end = lm_max(claim->end, end);
}

/* What is placed over markers is seen at once: so it is read at once, or some of
 * it would be in use when the rest turns out to be damaged. */
static void keep_to_batch(const struct lm_area *area, struct lm_claim *claim)
{
	uintptr_t start = claim->page & ~(BATCH - 1);

	if (!claim->guard || lm_page_resident(claim->from) ||
	    (claim->from == LM_PAGE_ABSENT && lm_store_direct(area->store)))
		return;
	claim->start = lm_max(claim->start, start);
	claim->end = lm_min(claim->end, start + BATCH);
}

/* The words of a block lie one after the other: `word` is the one of the page
 * beside the page at `border`. */
static lm_page_word *next_word(lm_page_word *word, uintptr_t border, int step)
{
	if (border & (LM_BLOCK - 1))
		return word + step;
	return lm_page_make(step < 0 ? border - LM_PAGE : border);
}

static bool claim_one(const struct lm_claim *claim, lm_page_word *word)
{
	enum lm_page_state from = claim->from;
	uint64_t seen;

	if (!word)
		return false;
	seen = atomic_load_explicit(word, memory_order_relaxed);
	/* A clean page that is not going to be written keeps its swap. */
	while (LM_PAGE_STATE(seen) == from &&
	       !(seen & LM_PAGE_GUARD) == !claim->guard &&
	       !(from == LM_PAGE_CLEAN && LM_PAGE_SWAP(seen)))
		if (lm_page_claim(word, &seen))
			return true;
	return false;
}

/* The page itself is BUSY: claim the neighbours that are as it was. */
static void claim_neighbours(struct lm_claim *claim, lm_page_word *page)
{
	uintptr_t low = claim->page, high = claim->page + LM_PAGE;
	lm_page_word *word = page;

	while (low > claim->start &&
	       claim_one(claim, word = next_word(word, low, -1)))
		low -= LM_PAGE;
	word = page;
	while (high < claim->end &&
	       claim_one(claim, word = next_word(word, high, 1)))
		high += LM_PAGE;
	claim->start = low;
	claim->end = high;
}

/* A page that comes alone, by a write, is not: it would be known already. */
static bool tracked(const struct lm_area *area, const struct lm_claim *claim)
{
	bool written = claim->access == LM_WRITE &&
		       claim->end - claim->start == LM_PAGE;

	return claim->guard && claim->from == LM_PAGE_ABSENT &&
	       claim->to == LM_PAGE_DIRTY && claim->rest == LM_PAGE_DIRTY &&
	       !written && lm_guard_tracks(area) &&
	       lm_resident_bounded(area->quota);
}

/* Keep what is needed of the area once the gate is left. */
static void remember(struct lm_area *area, struct lm_claim *claim)
{
	claim->rest = claim->to;
	claim->back = claim->back_rest = claim->from;
	if (!claim->until && neighbours_differ(area, claim))
		claim->rest = LM_PAGE_CLEAN;
	claim->theirs = area->flags & LM_AREA_GUARDS;
	claim->served = area->flags & LM_AREA_SERVED;
	claim->area_prot = area->prot;
	claim->low = lm_max(claim->page & ~(LM_BLOCK - 1), area->start);
	claim->high = lm_min((claim->page | (LM_BLOCK - 1)) + 1, area->end);
	if (!lm_store_direct(area->store)) {
		claim->low = area->start;
		claim->high = area->end;
	}
	claim->track = tracked(area, claim);
	claim->prot = lm_area_prot(area, claim->to);
	claim->rest_prot = lm_area_prot(area, claim->rest);
	claim->store = area->store;
	claim->follows = area->store == &lm_store_file &&
			 !(area->flags & LM_AREA_SHARED);
	/* Never what others may be writing to, nor what is only read and may
	 * be written to in the file. */
	claim->prime =
		(claim->access == LM_WRITE || !claim->follows) &&
		claim->from != LM_PAGE_DIRTY && claim->to == LM_PAGE_DIRTY &&
		lm_store_direct(area->store) && !claim->served &&
		!(area->flags & LM_AREA_SHARED) &&
		area->end - area->start > LM_BLOCK && lm_area_prime(area);
	claim->huge = lm_huge_wanted(area, claim);
	claim->frame = lm_huge_frame(area, claim);
	claim->sequential = area->flags & LM_AREA_SEQUENTIAL;
	claim->offset = area->offset + (claim->start - area->start);
}

/* Would this fault make VM areas of its own beside those of others? But what an
 * eviction has to hide first, and cannot give a marker then, is hidden by its
 * protection. */
static bool worth_opening(const struct lm_area *area,
			  const struct lm_claim *claim)
{
	if (claim->opened || lm_page_resident(claim->from) || claim->guard ||
	    (claim->stream && !claim->fixed) ||
	    (claim->until && !claim->apart) ||
	    claim->end - claim->start >= LM_BLOCK ||
	    (claim->start == area->start && claim->end == area->end))
		return false;
	if (!lm_store_direct(area->store))
		return lm_guard_can(area) && claim->cluster <= BATCH &&
		       (!lm_resident_bounded(area->quota) ||
			lm_guard_tracks(area) ||
			lm_area_prot(area, LM_PAGE_CLEAN) == area->prot);
	if (lm_guard_can_swap(area))
		return true;
	return claim->from == LM_PAGE_ABSENT && lm_guard_can(area) &&
	       (!lm_resident_bounded(area->quota) ||
		lm_area_prot(area, LM_PAGE_CLEAN) == area->prot);
}

/* Of the steps that come next workers read some, or the fault shows them. */
static struct lm_stride_room room_for(const struct lm_area *area,
				      const struct lm_claim *claim)
{
	struct lm_stride_room room = { .low = area->start, .high = area->end };

	/* What is locked could not go again. */
	if (claim->from == LM_PAGE_SWAPPED ||
	    area->flags & (LM_AREA_SERVED | LM_AREA_GUARDS | LM_AREA_LOCKED))
		return room;
	room.shown = lm_store_direct(area->store);
	if (room.shown || lm_readahead_can(area->store))
		room.most = lm_resident_reach(area->quota) / STRIDES;
	if (room.shown)
		room.most = lm_min(room.most, SHOWN);
	return room;
}

/* What stream or stride it is on has come so far. */
static void learn(const struct lm_area *area, struct lm_claim *claim)
{
	struct lm_slot *slot = claim->slot;
	struct lm_stride_room room = room_for(area, claim);

	claim->come_start = claim->start;
	claim->come_end = claim->end;
	claim->ask = LM_WAY_NONE;
	claim->whole = !claim->guard && lm_readahead_can(area->store) &&
		       lm_frame_fits(area) && !lm_widen_tight() &&
		       lm_resident_reach(area->quota) == LM_BLOCK;
	claim->steps.count = 0;
	if (claim->strided)
		claim->steps =
			lm_stride_claimed(&slot->strides, claim->page, &room);
	else if (claim->may_stream)
		claim->ask = lm_stream_claimed(&slot->streams, claim->page,
					       &claim->come_start,
					       &claim->come_end, claim->whole);
	else if (claim->from == LM_PAGE_HIDDEN_CLEAN && !claim->until)
		claim->steps =
			lm_stride_touched(&slot->strides, claim->page, &room);
	if (claim->fixed)
		claim->ask = LM_WAY_NONE;
	else if (claim->may_stream && !claim->strided && !claim->stream)
		lm_stats_add(LM_COUNT_pages_ahead_unused,
			     lm_stride_alone(&slot->strides, claim->page));
	/* More than it brings: what was asked for, and has not begun to come. */
	claim->late = claim->whole && claim->ask != LM_WAY_NONE &&
		      claim->come_end - claim->come_start >= LM_BLOCK &&
		      claim->end - claim->start < LM_BLOCK;
}

/* Inside the gate: claim the page and its neighbours. */
static enum lm_claimed claim_page(struct lm_area *area, struct lm_claim *claim,
				  lm_page_word **word, uint32_t *ticket)
{
	bool first = !lm_page_word_of(claim->page); /* in its block */
	uint64_t seen;

	*word = lm_page_make(claim->page);
	if (!*word)
		return LM_CLAIM_NO_MEMORY;
	seen = atomic_load_explicit(*word, memory_order_relaxed);
	do {
		while (LM_PAGE_STATE(seen) == LM_PAGE_BUSY) {
			if (lm_page_will_wait(*word, ticket))
				return LM_CLAIM_WAIT;
			seen = atomic_load_explicit(*word,
						    memory_order_relaxed);
		}
	} while (!lm_page_claim(*word, &seen));
	claim->from = LM_PAGE_STATE(seen);
	claim->guard = seen & LM_PAGE_GUARD;
	claim->to = next_state(area, claim);
	claim->quota = area->quota;
	claim->cluster =
		lm_min(area->cluster, lm_resident_cluster(area->quota));
	claim->fixed = !(area->flags & LM_AREA_ADAPTIVE);
	claim->may_stream =
		(!claim->fixed || claim->cluster >= LM_STREAM_MIN) &&
		!(area->flags & LM_AREA_RANDOM) && !claim->until &&
		!lm_page_resident(claim->from);
	claim->stream = LM_WAY_NONE;
	reach(area, claim);
	keep_to_batch(area, claim);
	if ((!first || lm_widen_tight()) && worth_opening(area, claim)) {
		lm_page_settle(*word, claim->from);
		return LM_CLAIM_OPEN;
	}
	claim_neighbours(claim, *word);
	learn(area, claim);
	remember(area, claim);
	lm_gate_filling(claim->slot);
	return LM_CLAIM_DONE;
}

/*
 * The same instruction faults again and again on a page that is there: the
 * kernel forbids what the area allows (guard pages, protection keys, or a write
 * that the trap could not tell from a read). Then the fault is not ours.
 */
static bool stuck(struct lm_slot *slot, uintptr_t addr)
{
	return atomic_load_explicit(&slot->idle_addr, memory_order_relaxed) ==
		       addr &&
	       atomic_load_explicit(&slot->idle, memory_order_relaxed) > 64;
}

void lm_claim_progress(const struct lm_claim *claim, uintptr_t addr)
{
	struct lm_slot *slot = claim->slot;

	if (claim->from != claim->to) {
		atomic_store_explicit(&slot->idle_addr, 0,
				      memory_order_relaxed);
		return;
	}
	if (atomic_exchange_explicit(&slot->idle_addr, addr,
				     memory_order_relaxed) != addr)
		atomic_store_explicit(&slot->idle, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&slot->idle, 1, memory_order_relaxed);
}

/*
 * Look the address up and claim. A page that is there already and faults all
 * the same was revealed between the trap and here, or lost its protection to
 * a failure: revealing it again is right in both cases.
 */
enum lm_claimed lm_claim(struct lm_claim *claim, uintptr_t addr,
			 enum lm_access access)
{
	lm_page_word *word = NULL;
	struct lm_area *area;
	enum lm_claimed verdict = LM_CLAIM_FOREIGN;
	uint32_t ticket = 0;

	claim->page = lm_page_down(addr);
	claim->access = access;
	claim->slot = lm_gate_enter();
	area = lm_area_find(addr);
	if (area && lm_claim_allowed(area->prot, access) &&
	    (claim->until || !stuck(claim->slot, addr))) {
		lm_step(LM_STEP_CLAIM, claim->page);
		verdict = claim_page(area, claim, &word, &ticket);
	}
	lm_gate_leave(claim->slot);
	if (verdict == LM_CLAIM_WAIT) {
		lm_step(LM_STEP_WAIT, claim->page);
		/* Who holds it may wait for this very worker, where there can
		 * be no other. */
		if (claim->here)
			lm_page_wait_a_moment(word, ticket);
		else
			lm_page_wait(word, ticket);
	}
	return verdict;
}

bool lm_claim_block(struct lm_claim *claim, uintptr_t block,
		    const struct lm_store *store)
{
	struct lm_slot *slot = lm_gate_enter();
	const struct lm_area *area = lm_area_find(block);
	lm_page_word *word = NULL;
	bool claimed;

	lm_step(LM_STEP_CLAIM, block);
	if (area && area->store == store && block + LM_BLOCK <= area->end &&
	    lm_claim_allowed(area->prot, LM_READ) && lm_frame_fits(area) &&
	    !(area->flags & LM_AREA_RANDOM) && !lm_store_slow(area->store))
		word = lm_page_make(block);
	claimed = word && lm_page_claim_block(word);
	if (claimed) {
		*claim = (struct lm_claim){
			.start = block,
			.end = block + LM_BLOCK,
			.page = block,
			.from = LM_PAGE_ABSENT,
			.back = LM_PAGE_ABSENT,
			.back_rest = LM_PAGE_ABSENT,
			.cluster = lm_min(area->cluster,
					  lm_resident_cluster(area->quota)),
			.sequential = area->flags & LM_AREA_SEQUENTIAL,
			.store = area->store,
			.quota = area->quota,
			.offset = area->offset + (block - area->start),
			.slot = slot,
		};
		lm_gate_filling(slot);
	}
	lm_gate_leave(slot);
	return claimed;
}

/* -- Settling --------------------------------------------------------------- */

/* A page that is going to be written, or was, needs its swap no more. */
static void settle_one(lm_page_word *word, enum lm_page_state state)
{
	uint64_t handle = lm_page_swap(word);

	if (handle &&
	    (state == LM_PAGE_DIRTY || state == LM_PAGE_HIDDEN_DIRTY)) {
		lm_page_set_swap(word, 0);
		lm_swap_free(handle);
	}
	lm_page_settle(word, state);
}

/* A marker is there, and out of sight: by its protection alone. */
static void settle_marker(lm_page_word *word, unsigned ahead)
{
	lm_page_set_guard(word, false);
	lm_page_set_ahead(word, ahead);
	lm_page_settle(word, LM_PAGE_HIDDEN_CLEAN);
}

static void count_in(const struct lm_claim *claim, size_t pages)
{
	lm_stats_add(LM_COUNT_pages_made_present, pages);
	lm_stats_add(LM_COUNT_pages_filled, pages);
	lm_stats_add(LM_COUNT_bytes_filled, pages * LM_PAGE);
	if (claim->from == LM_PAGE_SWAPPED)
		lm_stats_add(LM_COUNT_pages_swapped_in, pages);
	if (claim->until)
		lm_stats_add(LM_COUNT_pages_kernel, pages);
}

void lm_claim_settle(const struct lm_claim *claim, enum lm_page_state page,
		     enum lm_page_state rest)
{
	size_t pages = (claim->end - claim->start) >> LM_PAGE_SHIFT;
	lm_page_word *word = NULL;

	for (uintptr_t at = claim->start; at < claim->end; at += LM_PAGE) {
		word = word && at & (LM_BLOCK - 1) ? word + 1
						   : lm_page_word_of(at);
		if (at == claim->marker && lm_page_resident(page))
			settle_marker(word, claim->ahead);
		else
			settle_one(word, at == claim->page ? page : rest);
	}
	if (!lm_page_resident(claim->from) && lm_page_resident(page))
		count_in(claim, pages);
	if (lm_page_resident(page) && claim->from != page)
		lm_resident_came(claim->quota, claim->start, claim->end,
				 claim->cluster, claim->sequential);
	lm_gate_filled(claim->slot);
}

void lm_claim_settle_block(const struct lm_claim *claim)
{
	lm_page_word *word = lm_page_word_of(claim->start);
	struct lm_set waited = { { 0 } };

	lm_page_set_ahead(word, LM_BLOCK_SHIFT - LM_PAGE_SHIFT);
	/* Who is woken finds all of it, to show it by one call; so does who comes
	 * to its first page just now. */
	for (size_t i = LM_BLOCK_PAGES; i--;)
		if (atomic_load_explicit(&word[i], memory_order_relaxed) &
		    LM_PAGE_WAITED)
			lm_set_add(&waited, i);
		else
			lm_page_settle(&word[i], LM_PAGE_HIDDEN_CLEAN);
	for (size_t i = lm_set_next(&waited, 0, true); i < LM_BLOCK_PAGES;
	     i = lm_set_next(&waited, i + 1, true))
		lm_page_settle(&word[i], LM_PAGE_HIDDEN_CLEAN);
	count_in(claim, LM_BLOCK_PAGES);
	lm_resident_came(claim->quota, claim->start, claim->end, claim->cluster,
			 claim->sequential);
	lm_gate_filled(claim->slot);
}

void lm_claim_undo(const struct lm_claim *claim)
{
	lm_claim_settle(claim, claim->back, claim->back_rest);
}
