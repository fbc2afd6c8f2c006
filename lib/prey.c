/*
 * prey.c -- see prey.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "prey.h"

#include "frame.h"
#include "guard.h"

#include <string.h>
#include <sys/mman.h>

#define KEPT ((unsigned)(LM_AREA_LOCKED | LM_AREA_SERVED))

/* The program uses protection keys; set inside changes, read inside the gate. */
static _Atomic bool keyed;

/* What the word says of the page that is claimed. */
static void enter(struct lm_prey *prey, size_t i, uint64_t seen)
{
	enum lm_page_state state = LM_PAGE_STATE(seen);

	lm_set_add(&prey->taken, i);
	if (lm_page_present(seen))
		lm_set_add(&prey->in_sight, i);
	if (state == LM_PAGE_DIRTY || state == LM_PAGE_HIDDEN_DIRTY)
		lm_set_add(&prey->dirty, i);
	if (LM_PAGE_SWAP(seen))
		lm_set_add(&prey->swapped, i);
	if (seen & LM_PAGE_GUARD)
		lm_set_add(&prey->marked, i);
	if (seen & LM_PAGE_TRACKED)
		lm_set_add(&prey->tracked, i);
	prey->count++;
}

static void claim_one(struct lm_prey *prey, size_t i, enum lm_page_state least)
{
	lm_page_word *word = &prey->word[i];
	uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);

	while (LM_PAGE_STATE(seen) >= least && !LM_PAGE_PINS(seen))
		if (lm_page_claim(word, &seen)) {
			enter(prey, i, seen);
			return;
		}
	prey->left += lm_page_resident(LM_PAGE_STATE(seen)) ||
		      LM_PAGE_STATE(seen) == LM_PAGE_BUSY;
}

static void claim_all(struct lm_prey *prey, enum lm_page_state least)
{
	size_t n = (prey->end - prey->start) >> LM_PAGE_SHIFT;

	prey->word = lm_page_word_of(prey->start);
	for (size_t i = 0; prey->word && i < n; i++)
		claim_one(prey, i, least);
}

bool lm_prey_claim(struct lm_prey *prey, uintptr_t start, uintptr_t end,
		   enum lm_page_state least)
{
	const struct lm_area *area;

	memset(prey, 0, sizeof(*prey));
	prey->slot = lm_gate_enter();
	area = lm_area_at_or_after(start);
	prey->start = prey->end = end;
	if (area && area->start < end) {
		prey->start = lm_max(start, area->start);
		end = lm_min(end, (prey->start | (LM_BLOCK - 1)) + 1);
		prey->end = lm_min(end, area->end);
	}
	if (prey->start < end && area->flags & KEPT) {
		prey->left = 1;
	} else if (prey->start < end) {
		prey->store = area->store;
		prey->quota = area->quota;
		prey->offset = area->offset + (prey->start - area->start);
		prey->shared = area->flags & LM_AREA_SHARED;
		prey->zero = area->store->kind == LM_STORE_ZERO;
		/* Where a clean page has the area's own protection. */
		prey->guards = lm_guard_can(area) &&
			       lm_store_direct(area->store) &&
			       lm_area_prot(area, LM_PAGE_CLEAN) == area->prot;
		/* Blocks of stores are closed again, all but those that are
		 * touched at random. */
		prey->swaps = lm_guard_can_swap(area) &&
			      (lm_store_direct(area->store) ||
			       lm_guard_opened(prey->start));
		prey->freezes =
			prey->zero && !prey->shared && area->prot & PROT_READ &&
			!(area->flags & LM_AREA_GUARDS) && !lm_prey_keys();
		prey->prot = area->prot;
		claim_all(prey, least);
		prey->moved = lm_frame_moved(prey->start);
		prey->whole =
			prey->count == LM_BLOCK_PAGES && lm_frame_fits(area);
	}
	if (prey->count)
		lm_gate_filling(prey->slot);
	lm_gate_leave(prey->slot);
	return prey->count;
}

bool lm_prey_keys(void)
{
	return atomic_load_explicit(&keyed, memory_order_relaxed);
}

void lm_prey_keyed(void)
{
	atomic_store_explicit(&keyed, true, memory_order_relaxed);
}

void lm_prey_keep(struct lm_prey *prey, uintptr_t at)
{
	lm_set_add(&prey->kept, lm_prey_index(prey, at));
}

void lm_prey_leave_shown(struct lm_prey *prey, uintptr_t at, uintptr_t end)
{
	for (; at < end; at += LM_PAGE) {
		lm_prey_keep(prey, at);
		lm_set_add(&prey->shown, lm_prey_index(prey, at));
	}
}

void lm_prey_set_unwritten(struct lm_prey *prey, uintptr_t at)
{
	size_t i = lm_prey_index(prey, at);

	lm_page_set_unwritten(&prey->word[i]);
	lm_set_remove(&prey->dirty, i);
}

void lm_prey_set_swap(struct lm_prey *prey, uintptr_t at, uint64_t handle)
{
	size_t i = lm_prey_index(prey, at);

	lm_page_set_swap(&prey->word[i], handle);
	if (handle)
		lm_set_add(&prey->swapped, i);
	else
		lm_set_remove(&prey->swapped, i);
}

void lm_prey_set_marked(struct lm_prey *prey, uintptr_t at, uintptr_t end,
			bool marked)
{
	for (; at < end; at += LM_PAGE) {
		size_t i = lm_prey_index(prey, at);

		lm_page_set_guard(&prey->word[i], marked);
		if (marked)
			lm_set_add(&prey->marked, i);
		else
			lm_set_remove(&prey->marked, i);
	}
}

struct lm_set lm_prey_to_save(const struct lm_prey *prey)
{
	return lm_set_less(lm_set_and(prey->taken, prey->dirty), prey->kept);
}

bool lm_prey_run(const struct lm_prey *prey, const struct lm_set *set,
		 uintptr_t *at, uintptr_t *end)
{
	size_t from = lm_set_next(set, lm_prey_index(prey, *at), true);
	size_t to = lm_set_next(set, from, false);

	/* No page beyond the prey's end was taken. */
	*at = prey->start + (from << LM_PAGE_SHIFT);
	*end = prey->start + (to << LM_PAGE_SHIFT);
	return from < to;
}
