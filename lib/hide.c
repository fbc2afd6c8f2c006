/*
 * hide.c -- see hide.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "hide.h"

#include "guard.h"
#include "os_linux.h"
#include "place/place.h"
#include "turn.h"

/* Pages in a run from which on one more mprotect costs less than to have the
 * kernel copy each of them out. */
#define FREEZE_MIN 16

/* The kernel has their content, whatever becomes of the pages. */
static struct lm_set plain(const struct lm_prey *prey)
{
	struct lm_set none = { { 0 } };

	if (prey->shared)
		return lm_store_direct(prey->store) ? prey->taken : none;
	return lm_set_less(lm_set_less(prey->taken, prey->dirty),
			   prey->swapped);
}

/*
 * In sight, and to be given a marker. The kernel first drops what is there and
 * then puts the marker: a touch between the two finds a new page of the mapping
 * (seen with Linux 6.18, at one of twenty that are read all the time). So only
 * where that page is what it was.
 */
static struct lm_set to_mark(const struct lm_prey *prey)
{
	struct lm_set none = { { 0 } };

	return prey->guards ? lm_set_and(plain(prey), prey->in_sight) : none;
}

/* -- Out of sight --------------------------------------------------------------- */

/* Without a marker, and to be without one. */
static struct lm_set to_freeze(const struct lm_prey *prey)
{
	return lm_set_less(lm_set_less(prey->taken, to_mark(prey)),
			   prey->marked);
}

static struct lm_set to_hide(const struct lm_prey *prey)
{
	return lm_set_less(lm_set_and(to_freeze(prey), prey->in_sight),
			   prey->frozen);
}

static void say_frozen(struct lm_prey *prey, uintptr_t at, uintptr_t end)
{
	for (; at < end; at += LM_PAGE)
		lm_set_add(&prey->frozen, lm_prey_index(prey, at));
}

/* Nobody writes to many that lie together, whether they were in sight or hidden:
 * where that fails they are dealt with like few. */
static void freeze(struct lm_prey *prey)
{
	struct lm_set set = to_freeze(prey);
	uintptr_t end;

	for (uintptr_t at = prey->start; lm_prey_run(prey, &set, &at, &end);
	     at = end) {
		int ret;

		if (end - at < FREEZE_MIN * LM_PAGE)
			continue;
		lm_turn_wait();
		ret = lm_os_mprotect(at, end - at, prey->prot & ~PROT_WRITE);
		if (!ret) {
			say_frozen(prey, at, end);
		} else if (lm_os_mprotect(at, end - at, PROT_NONE)) {
			/* Some may be in sight now that were hidden. */
			say_frozen(prey, at, end);
			lm_prey_leave_shown(prey, at, end);
		}
		lm_turn_done();
	}
}

static void hide_runs(struct lm_prey *prey, struct lm_set set)
{
	uintptr_t end;
	int ret = 0;

	for (uintptr_t at = prey->start; lm_prey_run(prey, &set, &at, &end);
	     at = end) {
		lm_turn_wait();
		if (!ret)
			ret = lm_os_mprotect(at, end - at, PROT_NONE);
		lm_turn_done();
		if (ret < 0)
			lm_prey_leave_shown(prey, at, end);
	}
	prey->in_sight = lm_set_less(prey->in_sight, set);
}

static void find_among(struct lm_prey *prey, struct lm_set set,
		       uint64_t (*find)(uintptr_t at, size_t n))
{
	uintptr_t at = prey->start, end;

	while (lm_prey_run(prey, &set, &at, &end)) {
		size_t n = lm_min((end - at) >> LM_PAGE_SHIFT, 64);
		uint64_t unwritten = find(at, n);

		for (size_t i = 0; i < n; i++, at += LM_PAGE)
			if (unwritten >> i & 1)
				lm_prey_set_unwritten(prey, at);
	}
}

/* Since nobody can write any more: what was not written is clean. */
static void find_unwritten(struct lm_prey *prey)
{
	find_among(prey, lm_set_and(lm_prey_to_save(prey), prey->tracked),
		   lm_place_unwritten);
	/* What could be written, and only was perhaps: a page that a system
	 * call did not fill, or that was shown with others. */
	if (!prey->shared && prey->store == &lm_store_file)
		find_among(prey, lm_prey_to_save(prey), lm_place_of_file);
}

/*
 * Markers, and what they have below them: the area's protection. The word says
 * so first: a marker that is not there is found out, one that nobody expects
 * would be in the way. 0; 1: they are hidden by protection instead; or -errno:
 * they could not be hidden.
 */
static int put(struct lm_prey *prey, uintptr_t at, uintptr_t end, bool prot)
{
	int ret;
	bool there;

	lm_prey_set_marked(prey, at, end, true);
	lm_turn_wait();
	ret = lm_guard_install(at, end);
	there = !ret;
	if (there && prot)
		ret = lm_os_mprotect(at, end - at, prey->prot);
	/* Too many VM areas? */
	if (ret < 0 && !lm_os_mprotect(at, end - at, PROT_NONE)) {
		lm_guard_remove(at, end);
		ret = 1;
	} else if (there) {
		ret = 0; /* the touch will mend what they have below */
	}
	lm_turn_done();
	if (ret)
		lm_prey_set_marked(prey, at, end, false);
	return ret;
}

/* Hidden, and dropped: the kernel has what they were. */
static void mark(struct lm_prey *prey)
{
	struct lm_set set = to_mark(prey);
	uintptr_t end;

	for (uintptr_t at = prey->start; lm_prey_run(prey, &set, &at, &end);
	     at = end)
		if (put(prey, at, end, false) < 0)
			lm_prey_leave_shown(prey, at, end);
}

void lm_hide(struct lm_prey *prey)
{
	if (prey->freezes)
		freeze(prey);
	hide_runs(prey, to_hide(prey));
	find_unwritten(prey);
}

void lm_hide_frozen(struct lm_prey *prey)
{
	hide_runs(prey, prey->frozen);
}

void lm_hide_only(struct lm_prey *prey)
{
	mark(prey);
	hide_runs(prey, to_hide(prey));
}

/* -- Out of memory -------------------------------------------------------------- */

static struct lm_set to_drop(const struct lm_prey *prey)
{
	return lm_set_less(lm_set_less(prey->taken, prey->kept), prey->marked);
}

/* Does a page beside them have the area's protection, that they would part? */
static bool open_beside(uintptr_t page)
{
	lm_page_word *word = lm_page_word_of(page);
	uint64_t seen =
		word ? atomic_load_explicit(word, memory_order_relaxed) : 0;

	return seen & LM_PAGE_GUARD || LM_PAGE_STATE(seen) == LM_PAGE_DIRTY;
}

static bool among_open(uintptr_t at, uintptr_t end)
{
	return (at & (LM_BLOCK - 1) && open_beside(at - LM_PAGE)) ||
	       (end & (LM_BLOCK - 1) && open_beside(end));
}

/* Pages that the kernel does not let go stay what they are, hidden. Of several
 * it drops those before the one that it refuses, and they are not what they were
 * any more: each goes by itself then, those that are gone once more. */
static void drop_run(struct lm_prey *prey, uintptr_t at, uintptr_t end)
{
	int ret;

	lm_turn_wait();
	ret = lm_os_madvise(at, end - at, MADV_DONTNEED);
	lm_turn_done();
	for (; ret < 0 && at < end; at += LM_PAGE)
		if (lm_os_madvise(at, LM_PAGE, MADV_DONTNEED) < 0)
			lm_prey_keep(prey, at);
}

void lm_hide_drop(struct lm_prey *prey)
{
	struct lm_set set;
	uintptr_t end;

	mark(prey);
	set = to_drop(prey);
	for (uintptr_t at = prey->start; lm_prey_run(prey, &set, &at, &end);
	     at = end) {
		if (prey->swaps && among_open(at, end) &&
		    !put(prey, at, end, true))
			continue;
		drop_run(prey, at, end);
	}
}
