/*
 * protect.c -- mprotect over lazy areas and whatever lies between them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "change.h"
#include "fault.h"
#include "limit.h"
#include "prey.h"
#include "start.h"
#include "step.h"

/* For a moment others may see the page that the kernel is asked with: so none
 * whose content is elsewhere, or that another thread is changing; and beyond
 * `end` none that the kernel may be using. */
static bool can_ask(const struct lm_run *run, uintptr_t end)
{
	if (run->state == LM_PAGE_BUSY ||
	    (run->start >= end && lm_page_present(run->state)))
		return false;
	return run->guard || run->state != LM_PAGE_SWAPPED;
}

/* With this one: it gets the protection, and its own back. */
static int ask_with(const struct lm_area *area, const struct lm_run *page,
		    int prot)
{
	int before = page->guard ? area->prot : lm_area_prot(area, page->state);
	bool dirty = page->state == LM_PAGE_DIRTY ||
		     page->state == LM_PAGE_HIDDEN_DIRTY;
	int ret;

	/* Nor may it be written to and not be known to be. */
	if (!dirty && !(area->flags & LM_AREA_SHARED))
		prot &= ~PROT_WRITE;
	ret = lm_os_mprotect(page->start, LM_PAGE, prot);
	lm_step(LM_STEP_ASKED, page->start);
	/* It had that a moment ago. */
	return ret < 0 ? ret : lm_os_mprotect(page->start, LM_PAGE, before);
}

/* All of an area of private memory is in swap: any such memory will do. */
static int ask_elsewhere(int prot)
{
	uintptr_t page = lm_os_mmap(0, LM_PAGE, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret;

	if (lm_os_failed(page))
		return (int)page;
	ret = lm_os_mprotect(page, LM_PAGE, prot);
	lm_os_munmap(page, LM_PAGE);
	return ret;
}

/* May it be executed (noexec mounts, security modules), may the shared file
 * still be written (seals)? Only the kernel knows: ask it with a page. */
static int ask_kernel(const struct lm_area *area, uintptr_t start,
		      uintptr_t end, int prot)
{
	struct lm_run run = { .end = start };
	int more = prot & ~area->prot;

	if (!(area->flags & LM_AREA_SHARED) || area->store != &lm_store_file)
		more &= PROT_EXEC;
	if (!more || !lm_store_direct(area->store))
		return 0;
	while (lm_page_run(run.end, area->end, &run))
		if (can_ask(&run, end))
			return ask_with(area, &run, prot);
	/* A file's is told later, by what cannot be shown. */
	return area->store == &lm_store_zero ? ask_elsewhere(prot) : 0;
}

/* Inside a change. As mprotect, piece by piece: what comes before the piece
 * that fails has been changed, as with the kernel. */
static int protect_area(uintptr_t start, uintptr_t end, int prot)
{
	struct lm_area *area = lm_area_find(start);
	int ret, before;

	if (prot & PROT_WRITE && area->flags & LM_AREA_READ_ONLY)
		return -EACCES;
	if (prot != area->prot && lm_area_full() &&
	    (start > area->start || end < area->end))
		return -ENOMEM;
	ret = ask_kernel(area, start, end, prot);
	if (!ret && prot & ~area->prot & PROT_WRITE &&
	    !(area->flags & LM_AREA_SHARED))
		ret = lm_limit_data(end - start);
	if (ret < 0)
		return ret;
	lm_area_split(start);
	lm_area_split(end);
	area = lm_area_find(start);
	before = area->prot;
	area->prot = prot;
	ret = lm_change_reprotect(area, start, end);
	if (ret < 0) {
		/* Too many VM areas: what was so before has room again. */
		area->prot = before;
		lm_change_reprotect(area, start, end);
	}
	lm_area_merge(start, end);
	return ret;
}

static int protect(uintptr_t start, uintptr_t end, int prot)
{
	while (start < end) {
		struct lm_area *area = lm_area_at_or_after(start);
		uintptr_t stop = end;
		int ret;

		if (area && area->start <= start) {
			stop = lm_min(end, area->end);
			ret = lm_area_reserve_inside();
			if (!ret)
				ret = protect_area(start, stop, prot);
		} else {
			if (area)
				stop = lm_min(end, area->start);
			ret = lm_os_mprotect(start, stop - start, prot);
		}
		if (ret < 0)
			return ret;
		start = stop;
	}
	return 0;
}

int lm_protect_key(uintptr_t start, size_t len, int key)
{
	struct lm_change change;
	uintptr_t first, end;
	int ret = lm_range((void *)start, len, true, -ENOMEM, &first, &end);

	if (!ret)
		ret = lm_change_begin(&change, first, end);
	if (ret < 0)
		return ret;
	lm_prey_keyed();
	ret = (int)lm_sys(SYS_pkey_mprotect, start, len, PROT_NONE, key);
	lm_change_end(&change);
	return ret;
}

int lazymap_protect(void *start, size_t len, int prot)
{
	uintptr_t first, end;
	struct lm_change change;
	int ret = lm_range(start, len, true, -ENOMEM, &first, &end);

	if (ret < 0 || !lm_area_overlaps(first, end) ||
	    prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return lm_return((int)lm_sys(SYS_mprotect, start, len, prot));
	ret = lm_change_begin(&change, first, end);
	if (ret < 0)
		return lm_return(ret);
	ret = protect(first, end, prot);
	lm_change_end(&change);
	return lm_return(ret);
}
