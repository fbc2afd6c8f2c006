/*
 * range.c -- pages brought for system calls, for pins, and ahead of a touch. See
 * fault.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fault.h"

#include "fill.h"
#include "guard.h"
#include "start.h"
#include "stats.h"
#include "widen.h"

/* -- A range, for the kernel, for pins, for populating ---------------------- */

/* Claim and bring in at `addr` unless it is there as wanted. The next address
 * to go on with, or addr itself to try again; *error when it cannot go on. */
static uintptr_t bring_range(uintptr_t addr, uintptr_t end,
			     enum lm_access access, bool pin, int *error)
{
	struct lm_slot *slot = lm_gate_enter();
	struct lm_area *area = lm_area_at_or_after(addr);
	enum lm_page_state good =
		access == LM_WRITE ? LM_PAGE_DIRTY : LM_PAGE_CLEAN;
	lm_page_word *word;
	uint64_t seen;

	if (!area || area->start >= end) {
		addr = end;
		goto out;
	}
	addr = lm_max(addr, area->start);
	end = lm_min(end, area->end);
	if (!lm_claim_allowed(area->prot, access)) {
		*error = -EFAULT;
		goto out;
	}
	/* Shared direct pages are revealed for writing whatever they are. */
	if (lm_store_direct(area->store) && area->flags & LM_AREA_SHARED)
		good = LM_PAGE_CLEAN;
	for (; addr < end; addr += LM_PAGE) {
		word = lm_page_word_of(addr);
		seen = word ? atomic_load_explicit(word, memory_order_relaxed)
			    : 0;
		while (lm_page_present(seen) && LM_PAGE_STATE(seen) >= good) {
			if (!pin)
				break;
			if (LM_PAGE_PINS(seen) == LM_PAGE_PINS_MAX) {
				*error = -EAGAIN;
				goto out;
			}
			/* Acquire: pairs with the settle that filled it. */
			if (atomic_compare_exchange_weak_explicit(
				    word, &seen, seen + LM_PAGE_PIN,
				    memory_order_acquire, memory_order_relaxed))
				break;
		}
		if (!lm_page_present(seen) || LM_PAGE_STATE(seen) < good)
			break;
	}
out:
	lm_gate_leave(slot);
	return addr;
}

static uintptr_t range_steps(uintptr_t start, uintptr_t end,
			     enum lm_access access, bool pin, int *error)
{
	while (start < end) {
		uintptr_t at = bring_range(start, end, access, pin, error);

		start = at;
		if (*error || at >= end)
			break;
		switch (lm_fault_serve(at, access, end)) {
		case LM_SERVED:
			break;
		case LM_FOREIGN: /* changed meanwhile: bring_range tells */
			break;
		case LM_FAILED:
			*error = -EIO;
			return at;
		}
	}
	return start;
}

uintptr_t lm_fault_range(uintptr_t start, uintptr_t end, enum lm_access access,
			 bool pin, int *error)
{
	uint64_t mask = lm_os_block_signals();
	uintptr_t reached;

	*error = 0;
	if (lm_os_forked())
		lm_forked();
	reached = range_steps(lm_page_down(start), end, access, pin, error);
	lm_os_restore_signals(mask);
	return reached < end ? reached : end;
}

void lm_fault_unpin(uintptr_t start, uintptr_t end)
{
	uint64_t mask = lm_os_block_signals();
	struct lm_slot *slot = lm_gate_enter();

	for (start = lm_page_down(start);
	     (start = lm_page_next_block(start, end)) < end; start += LM_PAGE)
		lm_page_unpin(start, start + LM_PAGE);
	lm_gate_leave(slot);
	lm_os_restore_signals(mask);
}

/* -- Ahead of a touch -------------------------------------------------------- */

/* For pages that may turn out to be absent; a moment each. */
#define WAITS 4

static uintptr_t next_swapped(uintptr_t at, uintptr_t end)
{
	struct lm_slot *slot = lm_gate_enter();

	for (; (at = lm_page_next_block(at, end)) < end; at += LM_PAGE)
		if (LM_PAGE_STATE(atomic_load_explicit(lm_page_word_of(at),
						       memory_order_relaxed)) ==
		    LM_PAGE_SWAPPED)
			break;
	lm_gate_leave(slot);
	return lm_min(at, end);
}

size_t lm_fault_ahead(uintptr_t *at, uintptr_t end, size_t most)
{
	struct lm_claim claim = { .opened = true };
	int ret;

	*at = next_swapped(*at, end);
	if (*at == end)
		return 0;
	if (most < (end - *at) >> LM_PAGE_SHIFT)
		end = *at + (most << LM_PAGE_SHIFT);
	claim.until = end;
	/* Another thread came for it meanwhile, or it is gone. */
	if (lm_claim(&claim, *at, LM_READ) != LM_CLAIM_DONE) {
		*at += LM_PAGE;
		return 0;
	}
	claim.until = 0;
	ret = claim.from == LM_PAGE_SWAPPED ? lm_fill_ahead(&claim) : -EAGAIN;
	if (ret < 0)
		lm_claim_undo(&claim);
	else
		lm_claim_settle(&claim, claim.to, claim.rest);
	*at = ret == -ENOMEM ? UINTPTR_MAX : claim.end;
	return ret < 0 ? 0 : (claim.end - claim.start) >> LM_PAGE_SHIFT;
}

/* `busy`: or may be so again, when who has it is done. */
static bool is_absent(uintptr_t page, bool busy)
{
	struct lm_slot *slot = lm_gate_enter();
	lm_page_word *word = lm_page_word_of(page);
	uint64_t seen =
		word ? atomic_load_explicit(word, memory_order_relaxed) : 0;
	enum lm_page_state state = LM_PAGE_STATE(seen);

	lm_gate_leave(slot);
	if (state == LM_PAGE_BUSY && busy)
		state = LM_PAGE_WAS(seen);
	return state == LM_PAGE_ABSENT;
}

/* What is claimed there: the next address, or 0 when it is not worth going on. */
static uintptr_t read_ahead(struct lm_claim *claim,
			    const struct lm_store *store)
{
	int ret = -EAGAIN;

	claim->until = 0;
	if (claim->store == store && claim->from == LM_PAGE_ABSENT &&
	    !claim->theirs)
		ret = lm_fill_ahead(claim);
	if (ret < 0) {
		lm_claim_undo(claim);
		return 0;
	}
	lm_stats_add(LM_COUNT_pages_ahead,
		     (claim->end - claim->start) >> LM_PAGE_SHIFT);
	lm_claim_settle(claim, claim->to, claim->rest);
	return claim->end;
}

void lm_fault_read_ahead(uintptr_t start, uintptr_t end,
			 const struct lm_store *store, uintptr_t marker,
			 unsigned ahead, bool apart)
{
	bool opened = !apart;
	int waits = 0;

	while (start && start < end) {
		struct lm_claim claim = { .until = end,
					  .opened = opened,
					  .apart = apart,
					  .here = true,
					  .marker = marker,
					  .ahead = ahead };

		if (!is_absent(start, apart)) {
			start += LM_PAGE;
			continue;
		}
		switch (lm_claim(&claim, start, LM_READ)) {
		case LM_CLAIM_DONE:
			start = read_ahead(&claim, store);
			break;
		case LM_CLAIM_WAIT:
			/* It was another's, who fills it; but among pages
			 * that lie apart who opens a block has all of it. */
			if (!apart || waits++ == WAITS)
				start += LM_PAGE;
			break;
		case LM_CLAIM_OPEN:
			lm_guard_open(start);
			opened = true;
			break;
		default:
			return;
		}
	}
}

/* What is claimed of a step. False: it is not worth going on. */
static bool show_claimed(struct lm_claim *claim, const struct lm_store *store)
{
	int ret = -EAGAIN;

	claim->until = 0;
	if (claim->store == store && claim->from == LM_PAGE_ABSENT)
		ret = lm_fill(claim);
	if (ret < 0) {
		lm_claim_undo(claim);
		return false;
	}
	lm_stats_add(LM_COUNT_pages_ahead,
		     (claim->end - claim->start) >> LM_PAGE_SHIFT);
	lm_claim_settle(claim, claim->to, claim->rest);
	lm_widen_note(claim->slot, claim->page, claim->quota);
	return true;
}

static bool show_step(uintptr_t start, uintptr_t end,
		      const struct lm_store *store, enum lm_access access)
{
	struct lm_claim claim = { .until = end, .apart = true, .here = true };

	if (!is_absent(start, false))
		return true;
	for (;;) {
		switch (lm_claim(&claim, start, access)) {
		case LM_CLAIM_DONE:
			return show_claimed(&claim, store);
		case LM_CLAIM_OPEN:
			lm_guard_open(start);
			claim.opened = true;
			break;
		default:
			return false;
		}
	}
}

void lm_fault_show(const struct lm_steps *steps, const struct lm_store *store,
		   enum lm_access access)
{
	uintptr_t start = steps->start, end = steps->end;

	for (uint32_t i = 0; i < steps->count; i++) {
		if (!show_step(start, end, store, access))
			return;
		start += (uintptr_t)steps->step;
		end += (uintptr_t)steps->step;
	}
}
