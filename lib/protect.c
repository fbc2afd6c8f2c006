/*
 * protect.c -- mprotect over lazy areas and whatever lies between them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "change.h"
#include "evict.h"
#include "fault.h"
#include "limit.h"
#include "start.h"

/* May it be executed (noexec mounts, security modules), may the shared file
 * still be written (seals)? Only the kernel knows: ask it with a page. */
static int ask_kernel(const struct lm_area *area, uintptr_t page, int prot)
{
	lm_page_word *word = lm_page_word_of(page);
	int more = prot & ~area->prot, before = PROT_NONE, ret;

	if (!(area->flags & LM_AREA_SHARED) || area->store != &lm_store_file)
		more &= PROT_EXEC;
	if (!more || !lm_store_direct(area->store))
		return 0;
	ret = lm_os_mprotect(page, LM_PAGE, prot);
	if (ret < 0)
		return ret;
	if (word && *word & LM_PAGE_GUARD)
		before = area->prot;
	else if (word)
		before = lm_area_prot(area, LM_PAGE_STATE(*word));
	/* It had that a moment ago. */
	return lm_os_mprotect(page, LM_PAGE, before);
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
	ret = ask_kernel(area, start, prot);
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
	lm_evict_keyed();
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
