/*
 * change.c -- the frame of every call that changes areas. See change.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "change.h"

#include "fault.h"
#include "gate.h"
#include "guard.h"
#include "meta.h"
#include "resident.h"
#include "start.h"
#include "step.h"

#include <assert.h>

/* Pages of metadata that are promised; 128 GiB of areas need them. */
#define PROMISE_MAX ((size_t)65536)

static void wait_not_busy(uintptr_t start, uintptr_t end)
{
	lm_page_word *word;
	uint32_t ticket;

	/* With the gate open meanwhile: who fills may be a store that touches
	 * other lazy memory. */
	while ((word = lm_page_find_busy(start, end, &ticket))) {
		lm_gate_open();
		lm_page_wait(word, ticket);
		lm_gate_shut();
	}
}

/* The map lock, and room for what may be done. */
static int prepare(struct lm_change *change)
{
	int ret;

	change->mask = lm_map_lock();
	if (lm_os_forked()) {
		lm_forked(); /* the lock is as new, and not ours */
		lm_map_unlock(change->mask);
		change->mask = lm_map_lock();
	}
	ret = lm_area_reserve();
	if (ret < 0)
		lm_map_unlock(change->mask);
	return ret;
}

int lm_change_begin(struct lm_change *change, uintptr_t start, uintptr_t end)
{
	int ret = prepare(change);

	if (ret < 0)
		return ret;
	lm_step(LM_STEP_CHANGE, start);
	lm_gate_shut();
	wait_not_busy(start, end);
	return 0;
}

int lm_change_begin_drained(struct lm_change *change)
{
	int ret = prepare(change);

	if (ret < 0)
		return ret;
	lm_step(LM_STEP_CHANGE, 0);
	lm_gate_drain();
	return 0;
}

void lm_change_also(uintptr_t start, uintptr_t end)
{
	wait_not_busy(start, end);
}

void lm_change_end(struct lm_change *change)
{
	assert(lm_area_sound());
	lm_gate_open();
	lm_map_unlock(change->mask);
	lm_store_close_dropped();
}

int lm_change_promise(uintptr_t start, size_t more)
{
	size_t areas = lm_area_count() + 1;
	/* Each area begins and ends in a block that it may not share. */
	size_t blocks =
		((lm_area_bytes() + more) >> LM_BLOCK_SHIFT) + 2 * areas;
	/* The areas themselves lie in such pages, too. */
	size_t others = areas / (LM_PAGE / sizeof(struct lm_area)) + 4;
	int ret = lm_meta_promise(lm_min(blocks + others, PROMISE_MAX));

	return ret < 0 ? ret : lm_page_promise(start, more);
}

void lm_change_forget(uintptr_t start, uintptr_t end)
{
	struct lm_area *area;

	while (start < end && (area = lm_area_at_or_after(start)) &&
	       area->start < end) {
		uintptr_t from = lm_max(start, area->start), frames;

		start = lm_min(end, area->end);
		lm_resident_forget(area->quota, from, start);
		frames = lm_page_reset(from, start);
		lm_stats_add(LM_COUNT_pages_made_absent, frames);
		lm_resident_give(area->quota, frames);
	}
}

void lm_change_clear(uintptr_t start, uintptr_t end)
{
	/* In this order: whose the frames were, the areas know. */
	lm_change_forget(start, end);
	lm_area_carve(start, end);
}

int lm_change_reprotect(const struct lm_area *area, uintptr_t start,
			uintptr_t end)
{
	struct lm_run run = { .end = start };
	int ret;

	if (area->prot == PROT_NONE)
		return lm_os_mprotect(start, end - start, PROT_NONE);
	/* What is not writable among what is makes VM areas. */
	if (lm_guard_can(area) && area->prot & PROT_WRITE &&
	    !(area->flags & LM_AREA_SHARED) &&
	    !lm_resident_bounded(area->quota))
		lm_page_forget_clean(start, end);
	while (lm_page_run(run.end, end, &run)) {
		if (run.state < LM_PAGE_CLEAN && !run.guard)
			continue; /* hidden already */
		ret = lm_os_mprotect(run.start, run.end - run.start,
				     run.guard ? area->prot
					       : lm_area_prot(area, run.state));
		if (ret < 0)
			return ret;
	}
	return 0;
}

int lm_return(int ret)
{
	if (ret >= 0)
		return 0;
	errno = -ret;
	return -1;
}

int lm_range(const void *start, size_t len, bool zero_ok, int overflow,
	     uintptr_t *first, uintptr_t *end)
{
	*first = (uintptr_t)start;
	if (*first & (LM_PAGE - 1))
		return -EINVAL;
	*end = *first + lm_page_up(len);
	if (!len)
		return zero_ok ? 0 : -EINVAL;
	if (!lm_page_up(len) || *end < *first)
		return overflow;
	return 0;
}
