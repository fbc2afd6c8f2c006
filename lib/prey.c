/*
 * prey.c -- see prey.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "prey.h"

#include "guard.h"

#include <string.h>
#include <sys/mman.h>

/* The program uses protection keys; set inside changes, read inside the gate. */
static _Atomic bool keyed;

static bool claim_one(uintptr_t at, enum lm_page_state least, size_t *left)
{
	lm_page_word *word = lm_page_word_of(at);
	uint64_t seen;

	if (!word)
		return false;
	seen = atomic_load_explicit(word, memory_order_relaxed);
	while (LM_PAGE_STATE(seen) >= least && !LM_PAGE_PINS(seen))
		if (lm_page_claim(word, &seen))
			return true;
	*left += lm_page_resident(LM_PAGE_STATE(seen)) ||
		 LM_PAGE_STATE(seen) == LM_PAGE_BUSY;
	return false;
}

static void claim_all(struct lm_prey *prey, enum lm_page_state least)
{
	for (uintptr_t at = prey->start; at < prey->end; at += LM_PAGE) {
		size_t i = lm_prey_index(prey, at);

		if (!claim_one(at, least, &prey->left))
			continue;
		prey->taken[i / 64] |= (uint64_t)1 << (i % 64);
		prey->count++;
	}
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
		prey->end = lm_min(end, area->end);
	}
	if (prey->start < end && area->flags & LM_AREA_LOCKED) {
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
			!(area->flags & LM_AREA_GUARDS) &&
			!atomic_load_explicit(&keyed, memory_order_relaxed);
		prey->prot = area->prot;
		claim_all(prey, least);
	}
	if (prey->count)
		lm_gate_filling(prey->slot);
	lm_gate_leave(prey->slot);
	return prey->count;
}

void lm_prey_keyed(void)
{
	atomic_store_explicit(&keyed, true, memory_order_relaxed);
}

void lm_prey_keep(struct lm_prey *prey, uintptr_t at)
{
	size_t i = lm_prey_index(prey, at);

	prey->kept[i / 64] |= (uint64_t)1 << (i % 64);
}

void lm_prey_leave_shown(struct lm_prey *prey, uintptr_t at, uintptr_t end)
{
	for (; at < end; at += LM_PAGE) {
		size_t i = lm_prey_index(prey, at);

		lm_prey_keep(prey, at);
		prey->shown[i / 64] |= (uint64_t)1 << (i % 64);
	}
}

bool lm_prey_run(const struct lm_prey *prey, uintptr_t *at, uintptr_t *end,
		 bool (*wanted)(const struct lm_prey *prey, uintptr_t at))
{
	uintptr_t start = *at;

	while (start < prey->end && !wanted(prey, start))
		start += LM_PAGE;
	*at = *end = start;
	while (*end < prey->end && wanted(prey, *end))
		*end += LM_PAGE;
	return start < prey->end;
}
