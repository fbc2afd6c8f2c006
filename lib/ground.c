/*
 * ground.c -- the stack under what may not fault. See ground.h.
 *
 * A program may run on lazy memory (coroutines on mmap'ed stacks) and make a call
 * that lazymap serves there, with all signals blocked while it holds a lock: a
 * page of the stack that is absent then kills. So they are touched before, and
 * pinned, or another thread could evict them under a limit.
 *
 * Only pages of the area that the stack is in: what lies beyond its ends is
 * somebody else's, who may mind a write.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ground.h"

#include "area.h"
#include "gate.h"
#include "os.h"
#include "page.h"
#include "syscall/copy.h"
#include "trap/trap.h"

#include <signal.h>

/* More than anything does there: 5 KiB are the most that was seen. */
#define DEPTH ((uintptr_t)12 * 1024)
/* What has been called, and is to be returned to meanwhile. */
#define HEIGHT ((uintptr_t)2 * 1024)
/* What bounds() needs. */
#define FIRST ((uintptr_t)1024)
/* Somebody would have to evict a page that often right after its touch. */
#define TRIES 100

static bool pin(uintptr_t page)
{
	for (int i = 0; i < TRIES; i++) {
		if (lm_copy_touch(page) < 0)
			return false;
		if (lm_page_pin(page, page + LM_PAGE, false) == page)
			continue;
		/* It may have become clean in between: now it stays dirty. */
		if (lm_copy_touch(page) == 0)
			return true;
		lm_page_unpin(page, page + LM_PAGE);
		return false;
	}
	return false;
}

/* From *ground on, which is pinned, to these ends, as far as it goes. */
static void grow(struct lm_ground *ground, uintptr_t start, uintptr_t end)
{
	while (ground->start > start && pin(ground->start - LM_PAGE))
		ground->start -= LM_PAGE;
	while (ground->end < end && pin(ground->end))
		ground->end += LM_PAGE;
}

/* The area that `here` is in; its page is pinned. */
static struct lm_ground bounds(uintptr_t here)
{
	uint64_t all = ~(uint64_t)0, mask = 0;
	struct lm_ground found = { here, here };
	struct lm_area *area;
	struct lm_slot *slot;

	lm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof(all));
	slot = lm_gate_enter();
	area = lm_area_find(here);
	if (area)
		found = (struct lm_ground){ area->start, area->end };
	lm_gate_leave(slot);
	lm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	return found;
}

static bool is_lazy(uintptr_t page)
{
	lm_page_word *word = lm_page_word_of(page);

	/* It has been written to: it cannot be absent and lazy. */
	return word && LM_PAGE_STATE(atomic_load_explicit(
			       word, memory_order_relaxed)) != LM_PAGE_ABSENT;
}

struct lm_ground lm_ground_take(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	struct lm_ground ground = { 0 }, area;

	if (!lm_area_near(here, here + 1) || !is_lazy(lm_page_down(here)) ||
	    !lm_trap_installed())
		return ground;
	ground.start = ground.end = lm_page_up(here);
	grow(&ground, lm_page_down(here - FIRST), ground.end);
	if (ground.start == ground.end)
		return ground;
	area = bounds(here);
	grow(&ground, lm_max(area.start, lm_page_down(here - DEPTH)),
	     lm_min(area.end, lm_page_up(here + HEIGHT)));
	return ground;
}

struct lm_ground lm_ground_below(uintptr_t top, size_t depth)
{
	struct lm_ground ground = { 0 }, area;

	if (!top || !lm_area_near(top - 1, top) || !lm_trap_installed())
		return ground;
	area = bounds(top - 1);
	if (area.start == area.end)
		return ground;
	ground.start = ground.end = lm_page_up(top);
	grow(&ground, lm_max(area.start, lm_page_down(top - depth)),
	     ground.end);
	return ground;
}

void lm_ground_drop(const struct lm_ground *ground)
{
	if (ground->start < ground->end)
		lm_page_unpin(ground->start, ground->end);
}
