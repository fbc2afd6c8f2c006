/*
 * advise.c -- madvise and mincore over lazy areas.
 *
 * The kernel's own call is made for the whole range first: it finds the errors,
 * and for direct areas it does the work. What is lazymap's follows for the
 * areas in the range.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "advise.h"

#include "ahead.h"
#include "change.h"
#include "evict.h"
#include "fault.h"
#include "frame.h"
#include "gate.h"
#include "guard.h"
#include "huge.h"
#include "os_linux.h"
#include "resident.h"
#include "start.h"
#include "stats.h"
#include "step.h"
#include "sync.h"
#include "syscall/access.h"

/* What goes out at once, as much as swap's pool makes room for before; and what
 * is brought in. */
#define PIECE ((uintptr_t)128 * 1024)

/* -- madvise ----------------------------------------------------------------- */

/* Inside a change, for the part of each area in [start, end). */
static void each_area(uintptr_t start, uintptr_t end,
		      void (*visit)(struct lm_area *area, uintptr_t from,
				    uintptr_t to, int argument),
		      int argument)
{
	struct lm_area *area;

	/* A visit may join the area with its neighbour beyond the end. */
	while (start < end && (area = lm_area_at_or_after(start)) &&
	       area->start < end) {
		uintptr_t from = lm_max(area->start, start);
		uintptr_t to = lm_min(area->end, end);

		visit(area, from, to, argument);
		start = to;
	}
}

static void count_dropped(const struct lm_run *run)
{
	lm_stats_add(LM_COUNT_pages_dropped,
		     (run->end - run->start) >> LM_PAGE_SHIFT);
}

/*
 * The kernel has dropped the content of direct pages (zeros, or the file,
 * again): hide them so that the next touch is ours, except those that the
 * kernel is using. Those that stay in sight are not what swap has any more.
 */
static void drop_direct(const struct lm_area *area, uintptr_t from,
			uintptr_t to, int advice)
{
	struct lm_run run = { .end = from };

	while (lm_page_run(run.end, to, &run)) {
		if (run.state == LM_PAGE_ABSENT)
			continue;
		if (lm_page_pinned(run.start, run.end)) {
			lm_page_forget_swap(run.start, run.end);
			continue;
		}
		if (lm_guard_drop(area, &run)) {
			count_dropped(&run);
			continue;
		}
		/* Fewer pieces than before: there is room for it. */
		if (lm_os_mprotect(run.start, run.end - run.start, PROT_NONE)) {
			lm_page_forget_swap(run.start, run.end);
			continue;
		}
		count_dropped(&run);
		/* What was written since then would be seen, and then not. */
		if (run.state == LM_PAGE_DIRTY)
			lm_os_madvise(run.start, run.end - run.start, advice);
		if (run.guard)
			lm_guard_remove(run.start, run.end);
		lm_change_forget(run.start, run.end);
	}
}

/* Where frames came, and nothing is left of them. */
static void level(uintptr_t from, uintptr_t to)
{
	from = (from + LM_BLOCK - 1) & ~(LM_BLOCK - 1);
	for (; from + LM_BLOCK <= to; from += LM_BLOCK)
		if (lm_frame_moved(from))
			lm_frame_level(from);
}

/* Copied pages are hidden before they are dropped: what the kernel shows after
 * that are zeros, which are not the store's bytes. Among others with markers they
 * get one, which does both. */
static int drop_copied(const struct lm_area *area, uintptr_t from, uintptr_t to,
		       int advice)
{
	bool guard = *lm_page_word_of(from) & LM_PAGE_GUARD;
	struct lm_run run = { .start = from, .end = to, .guard = guard };
	/* Before: a marker that is put in sight lets zeros be seen. */
	int ret = guard ? 0 : lm_os_mprotect(from, to - from, PROT_NONE);

	if (!ret && lm_guard_drop(area, &run)) {
		count_dropped(&run);
		return 0;
	}
	if (!ret)
		ret = lm_os_mprotect(from, to - from, PROT_NONE);
	if (!ret)
		ret = lm_os_madvise(from, to - from, advice);
	if (!ret && guard)
		ret = lm_guard_remove(from, to);
	if (ret < 0) {
		/* It was so before: the kernel has the room for it. */
		lm_change_reprotect(area, from, to);
		return ret;
	}
	lm_stats_add(LM_COUNT_pages_dropped, (to - from) >> LM_PAGE_SHIFT);
	level(from, to);
	lm_change_forget(from, to);
	return 0;
}

/* Not what is pinned; nor what was written to a shared store since it was
 * written back, for the store has not seen it. */
static bool can_drop(const struct lm_area *area, uint64_t seen)
{
	bool dirty = LM_PAGE_STATE(seen) == LM_PAGE_DIRTY ||
		     LM_PAGE_STATE(seen) == LM_PAGE_HIDDEN_DIRTY;

	return LM_PAGE_STATE(seen) != LM_PAGE_ABSENT && !LM_PAGE_PINS(seen) &&
	       !(dirty && area->flags & LM_AREA_SHARED);
}

static bool to_drop(const struct lm_area *area, uintptr_t at)
{
	lm_page_word *word = lm_page_word_of(at);

	return word && can_drop(area, *word);
}

/* Where pages that are dropped together end: some are hidden by markers and some
 * are not, and markers go by blocks. */
static uintptr_t drop_end(const struct lm_area *area, uintptr_t from,
			  uintptr_t to)
{
	bool guard = *lm_page_word_of(from) & LM_PAGE_GUARD;
	uintptr_t at = from + LM_PAGE;

	if (lm_guard_can(area))
		to = lm_min(to, (from | (LM_BLOCK - 1)) + 1);
	while (at < to && to_drop(area, at) &&
	       !(*lm_page_word_of(at) & LM_PAGE_GUARD) == !guard)
		at += LM_PAGE;
	return at;
}

/* The pages of a copied area that are there and that can go. */
static int drop_some(const struct lm_area *area, uintptr_t from, uintptr_t to,
		     int advice)
{
	uintptr_t at = from, end;
	int ret = 0;

	/* As the kernel says of the whole area, present or not. */
	if (area->flags & LM_AREA_LOCKED && advice == MADV_DONTNEED)
		return -EINVAL;
	for (; !ret && (at = lm_page_next_block(at, to)) < to; at = end) {
		end = at + LM_PAGE;
		if (!to_drop(area, at))
			continue;
		end = drop_end(area, at, to);
		ret = drop_copied(area, at, end, advice);
	}
	return ret;
}

/* Inside a change. As madvise, piece by piece: holes are passed over and told
 * at the end. */
static int drop(uintptr_t start, uintptr_t end, int advice)
{
	int ret = 0, holes = 0;

	while (start < end) {
		struct lm_area *area = lm_area_at_or_after(start);
		bool lazy = area && area->start <= start;
		uintptr_t stop = end;

		if (lazy)
			stop = lm_min(end, area->end);
		else if (area)
			stop = lm_min(end, area->start);
		if (lazy && !lm_store_direct(area->store)) {
			ret = drop_some(area, start, stop, advice);
		} else {
			ret = lm_os_madvise(start, stop - start, advice);
			lm_step(LM_STEP_DROPPED, start);
			if (lazy && !ret)
				drop_direct(area, start, stop, advice);
		}
		if (ret == -ENOMEM && !lazy)
			holes = ret;
		else if (ret < 0)
			return ret;
		start = stop;
	}
	return holes;
}

static void mark(struct lm_area *area, uintptr_t from, uintptr_t to,
		 int argument)
{
	if (lm_area_reserve_inside() < 0)
		return; /* advice lost for want of memory is no error */
	lm_area_split(from);
	lm_area_split(to);
	area = lm_area_find(from);
	if (argument < 0)
		area->flags &= (unsigned)argument;
	else
		area->flags |= (unsigned)argument;
	lm_area_merge(from, to);
}

void lm_advise_flags(uintptr_t start, uintptr_t end, int argument)
{
	struct lm_change change;

	if (lm_change_begin(&change, start, end) < 0)
		return;
	each_area(start, end, mark, argument);
	lm_change_end(&change);
}

bool lm_advise_flags_while(uintptr_t start, uintptr_t end, int argument,
			   bool (*still)(uint32_t what), uint32_t what)
{
	struct lm_change change;
	bool is;

	if (lm_change_begin(&change, start, end) < 0)
		return false;
	is = still(what);
	if (is)
		each_area(start, end, mark, argument);
	lm_change_end(&change);
	return is;
}

static int advise_dontneed(uintptr_t start, size_t len, int advice)
{
	uintptr_t end = start + lm_page_up(len);
	struct lm_change change;
	/* A shared store keeps what was written, as a file would. */
	int ret = lm_sync_stores(start, end);

	if (ret < 0)
		return ret;
	ret = lm_change_begin(&change, start, end);
	if (ret < 0)
		return ret;
	ret = drop(start, end, advice);
	lm_change_end(&change);
	return ret;
}

uintptr_t lm_advise_piece(uintptr_t at, uintptr_t end, int *prot)
{
	uint64_t mask = lm_os_block_signals();
	struct lm_slot *slot = lm_gate_enter();
	struct lm_area *area = lm_area_at_or_after(at);

	*prot = area && area->start <= at ? area->prot : -1;
	if (area)
		end = lm_min(end, *prot < 0 ? area->start : area->end);
	lm_gate_leave(slot);
	lm_os_restore_signals(mask);
	return end;
}

/*
 * As the kernel does it, from the start on up to what cannot be: a piece at a
 * time, pinned until the kernel has brought it in, or under a limit the end of a
 * range would drive out its beginning, and the kernel say that it may not be
 * touched.
 */
int lm_advise_populate(uintptr_t start, uintptr_t end, int advice)
{
	enum lm_access access =
		advice == MADV_POPULATE_WRITE ? LM_WRITE : LM_READ;

	while (start < end) {
		uintptr_t reached, stop = lm_min(start + PIECE, end);
		int ret = 0, prot, error;

		stop = lm_advise_piece(start, stop, &prot);
		/* Even where what can be written can be read. */
		if (access == LM_READ && prot >= 0 && !(prot & PROT_READ))
			return -EINVAL;
		reached = lm_fault_range(start, stop, access, true, &error);
		if (reached > start) {
			ret = lm_os_madvise(start, reached - start, advice);
			lm_fault_unpin(start, reached);
		}
		if (ret < 0)
			return ret;
		if (error)
			return error == -EFAULT ? -EINVAL : -EFAULT;
		start = stop;
	}
	return 0;
}

static void cool_part(struct lm_area *area, uintptr_t from, uintptr_t to,
		      int unused)
{
	(void)unused;
	lm_resident_cool(area->quota, from, to);
}

/* Advice to the pager: of use only where a limit makes it choose. */
static void cool(uintptr_t start, uintptr_t end)
{
	struct lm_change change;

	if (lm_change_begin(&change, start, end) < 0)
		return;
	each_area(start, end, cool_part, 0);
	lm_change_end(&change);
}

static void page_out(uintptr_t start, uintptr_t end)
{
	uint64_t mask = lm_os_block_signals();

	while (lm_resident_limited() && start < end) {
		uintptr_t stop = lm_min((start | (PIECE - 1)) + 1, end);
		size_t left;

		/* What is a frame that moves needs no room in swap. */
		if (!(start & (LM_BLOCK - 1)) && end - start >= LM_BLOCK &&
		    lm_frame_moved(start) && lm_huge_whole(start))
			stop = start + LM_BLOCK;
		lm_evict(start, stop, &left);
		start = stop;
	}
	lm_os_restore_signals(mask);
}

/* Where the program has guard regions of its own, and where a child's markers
 * are not its parent's: ours go, and no more come. */
static int give_guards(uintptr_t start, uintptr_t end)
{
	struct lm_change change;
	int ret = lm_change_begin(&change, start, end);

	if (ret < 0)
		return ret;
	ret = lm_guard_close(start, end);
	if (!ret)
		each_area(start, end, mark, LM_AREA_GUARDS);
	lm_change_end(&change);
	return ret;
}

/* A guard region of the program's has dropped what was there: what swap has of
 * it, too, and of a copied page, which the kernel does not bring again when the
 * region is removed, what is in place. */
static void forget_guarded(struct lm_area *area, uintptr_t from, uintptr_t to,
			   int unused)
{
	(void)unused;
	if (lm_store_direct(area->store))
		lm_page_forget_swap(from, to);
	/* If they cannot be hidden, their markers do that. */
	else if (!lm_os_mprotect(from, to - from, PROT_NONE))
		lm_change_forget(from, to);
}

/* What swap has would come back after the kernel has freed what was in place, and
 * zeros were seen. */
static void forget_swap(struct lm_area *area, uintptr_t from, uintptr_t to,
			int unused)
{
	(void)unused;
	if (area->store == &lm_store_zero && !(area->flags & LM_AREA_SHARED))
		lm_page_forget_swap(from, to);
}

static void change_each(uintptr_t start, uintptr_t end,
			void (*visit)(struct lm_area *area, uintptr_t from,
				      uintptr_t to, int argument))
{
	struct lm_change change;

	if (lm_change_begin(&change, start, end) < 0)
		return;
	each_area(start, end, visit, 0);
	lm_change_end(&change);
}

static bool any_copied(uintptr_t start, uintptr_t end)
{
	uint64_t mask = lm_os_block_signals();
	struct lm_slot *slot = lm_gate_enter();
	struct lm_area *area;

	while ((area = lm_area_at_or_after(start)) && area->start < end &&
	       lm_store_direct(area->store))
		start = area->end;
	lm_gate_leave(slot);
	lm_os_restore_signals(mask);
	return area && area->start < end;
}

/* What the kernel has done is noted. */
static void note(uintptr_t start, uintptr_t end, int advice)
{
	if (advice == MADV_WIPEONFORK)
		lm_advise_flags(start, end, LM_AREA_WIPEONFORK);
	else if (advice == MADV_GUARD_INSTALL)
		change_each(start, end, forget_guarded);
}

/* Where it has failed, it has done it up to there. */
static void note_part(uintptr_t start, uintptr_t end, int advice)
{
	uintptr_t stop;
	int prot, ret = 0;

	for (; start < end && (!ret || ret == -ENOMEM); start = stop) {
		stop = lm_advise_piece(start, end, &prot);
		ret = lm_os_madvise(start, stop - start, advice);
		if (!ret && prot >= 0)
			note(start, stop, advice);
	}
}

static int advise(uintptr_t start, size_t len, int advice)
{
	uintptr_t end = start + lm_page_up(len);
	int ret;

	switch (advice) {
	case MADV_FREE:
	case MADV_WIPEONFORK:
		/* Zeros in the place of a store's bytes: no more than in the
		 * place of a file's. */
		if (any_copied(start, end))
			return -EINVAL;
		/* A child that finds nothing finds no markers either. */
		ret = advice == MADV_WIPEONFORK ? give_guards(start, end) : 0;
		if (ret < 0)
			return ret;
		break;
	case MADV_KEEPONFORK:
		/* Before: a child must not lose what is kept. */
		lm_advise_flags(start, end, ~LM_AREA_WIPEONFORK);
		break;
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTFORK:
		/* Before: no mapping is to be replaced by one without. */
		lm_advise_flags(start, end, LM_AREA_ADVISED);
		break;
	case MADV_GUARD_INSTALL:
	case MADV_GUARD_REMOVE:
		ret = give_guards(start, end);
		if (ret < 0)
			return ret;
		break;
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		return advise_dontneed(start, len, advice);
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return lm_advise_populate(start, end, advice);
	case MADV_REMOVE:
		/* Older kernels look for write permission; newer say what is
		 * wrong. */
		lm_fault_range(start, end, LM_WRITE, false, &ret);
		break;
	}
	ret = lm_os_madvise(start, len, advice);
	if (ret < 0 && ret != -ENOMEM &&
	    (advice == MADV_WIPEONFORK || advice == MADV_GUARD_INSTALL))
		note_part(start, end, advice);
	if (ret < 0 && ret != -ENOMEM)
		return ret;
	switch (advice) {
	case MADV_RANDOM:
		lm_advise_flags(start, end, ~LM_AREA_SEQUENTIAL);
		lm_advise_flags(start, end, LM_AREA_RANDOM);
		break;
	case MADV_NORMAL:
		lm_advise_flags(start, end,
				~(LM_AREA_RANDOM | LM_AREA_SEQUENTIAL));
		break;
	case MADV_SEQUENTIAL:
		lm_advise_flags(start, end, ~LM_AREA_RANDOM);
		lm_advise_flags(start, end, LM_AREA_SEQUENTIAL);
		break;
	case MADV_COLD:
		cool(start, end);
		break;
	case MADV_PAGEOUT:
		page_out(start, end);
		break;
	case MADV_WILLNEED:
		lm_ahead(start, end);
		break;
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		lm_advise_flags(start, end, LM_AREA_HUGE_ADVISED);
		break;
	case MADV_WIPEONFORK:
	case MADV_GUARD_INSTALL:
		note(start, end, advice);
		break;
	case MADV_FREE:
		change_each(start, end, forget_swap);
		break;
	case MADV_DONTFORK:
		lm_advise_flags(start, end, LM_AREA_DONTFORK);
		break;
	case MADV_DOFORK:
		lm_advise_flags(start, end, ~LM_AREA_DONTFORK);
		break;
	}
	return ret;
}

int lazymap_advise(void *start, size_t len, int advice)
{
	uintptr_t first, end;

	if (lm_range(start, len, true, -EINVAL, &first, &end) < 0 ||
	    first == end || !lm_area_overlaps(first, end))
		return lm_return(lm_os_madvise((uintptr_t)start, len, advice));
	return lm_return(advise(first, len, advice));
}

/* -- mincore ------------------------------------------------------------------ */

/* vec is the caller's, and present: a lazy one is written with the gate open,
 * a page of addresses' worth at a time. */
static int resident(uintptr_t first, uintptr_t end, unsigned char *vec)
{
	for (uintptr_t at = first; at < end;) {
		unsigned char part[512];
		struct lm_change change;
		size_t n = 0;
		int ret = lm_change_begin(&change, at, at + LM_PAGE);

		if (ret < 0)
			return ret;
		for (; n < sizeof(part) && at < end; n++, at += LM_PAGE) {
			lm_page_word *word = lm_page_word_of(at);

			if (!lm_area_find(at))
				part[n] = 2;
			else
				part[n] = word && lm_page_present(*word);
		}
		lm_change_end(&change);
		for (size_t i = 0; i < n; i++, vec++)
			if (part[i] != 2)
				*vec = part[i];
	}
	return 0;
}

int lazymap_resident(void *start, size_t len, unsigned char *vec)
{
	uintptr_t first, end;
	size_t pages, pinned = 0;
	int ret = lm_range(start, len, true, -ENOMEM, &first, &end);

	/* The kernel finds all errors; it writes vec, which may be lazy. */
	if (!ret) {
		pages = (end - first) >> LM_PAGE_SHIFT;
		if (lm_access_lazy((uintptr_t)vec, pages))
			pinned = lm_access_pin((uintptr_t)vec, pages, 1);
	}
	ret = (int)lm_sys(SYS_mincore, start, len, vec);
	if (!ret && lm_area_overlaps(first, end))
		ret = resident(first, end, vec);
	lm_access_unpin((uintptr_t)vec, pinned);
	return lm_return(ret);
}
