/*
 * cut.c -- see cut.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cut.h"

#include "gate.h"

/* Some was, at some time. Relaxed: who cuts a file comes after who wrote to the
 * page, or races with it. */
static _Atomic bool swapped;

void lm_cut_swapped(void)
{
	atomic_store_explicit(&swapped, true, memory_order_relaxed);
}

bool lm_cut_possible(void)
{
	return atomic_load_explicit(&swapped, memory_order_relaxed);
}

static bool concerned(const struct lm_area *area, uint64_t dev, uint64_t ino)
{
	return area->store == &lm_store_file &&
	       !(area->flags & LM_AREA_SHARED) && area->dev == dev &&
	       area->ino == ino;
}

static bool any(uint64_t dev, uint64_t ino)
{
	uint64_t mask = lm_os_block_signals();
	struct lm_slot *slot = lm_gate_enter();
	const struct lm_area *area;
	uintptr_t at = 0;

	for (; (area = lm_area_at_or_after(at)); at = area->end)
		if (concerned(area, dev, ino))
			break;
	lm_gate_leave(slot);
	lm_os_restore_signals(mask);
	return area;
}

bool lm_cut_begin(struct lm_cut *cut, uint64_t dev, uint64_t ino)
{
	cut->dev = dev;
	cut->ino = ino;
	return lm_cut_possible() && any(dev, ino) &&
	       !lm_change_begin_drained(&cut->change);
}

void lm_cut_end(struct lm_cut *cut, uint64_t from)
{
	const struct lm_area *area;
	uintptr_t at = 0;

	/* The page that it ends in stays. */
	from = from > UINT64_MAX - LM_PAGE ? UINT64_MAX : lm_page_up(from);
	for (; (area = lm_area_at_or_after(at)); at = area->end) {
		uint64_t before = from > area->offset ? from - area->offset : 0;

		if (concerned(area, cut->dev, cut->ino) &&
		    before < area->end - area->start)
			lm_page_forget_swap(area->start + before, area->end);
	}
	lm_change_end(&cut->change);
}
