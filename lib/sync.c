/*
 * sync.c -- msync, and the write-back of shared stores.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync.h"

#include "change.h"
#include "fault.h"
#include "gate.h"
#include "start.h"
#include "step.h"

struct writeback {
	uintptr_t page;
	struct lm_store *store; /* stays while the page is BUSY */
	uint64_t offset;
	int prot_clean, prot_dirty;
	bool pinned; /* it stays writable, and dirty */
	struct lm_slot *slot;
};

/* Set before such an area is there, by who will tell others of it: relaxed. */
static _Atomic bool ever;

void lm_sync_expect(void)
{
	atomic_store_explicit(&ever, true, memory_order_relaxed);
}

bool lm_sync_ever(void)
{
	return atomic_load_explicit(&ever, memory_order_relaxed);
}

static bool written_back(const struct lm_area *area)
{
	return area->flags & LM_AREA_SHARED && !lm_store_direct(area->store);
}

/* Inside the gate: the first dirty page from addr on in this area, claimed. */
static bool claim_dirty(const struct lm_area *area, uintptr_t addr,
			uintptr_t end, struct writeback *back)
{
	for (addr = lm_max(addr, area->start), end = lm_min(end, area->end);
	     (addr = lm_page_next_block(addr, end)) < end; addr += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(addr);
		uint64_t seen =
			atomic_load_explicit(word, memory_order_relaxed);

		while (LM_PAGE_STATE(seen) == LM_PAGE_DIRTY ||
		       LM_PAGE_STATE(seen) == LM_PAGE_HIDDEN_DIRTY)
			if (lm_page_claim(word, &seen)) {
				back->page = addr;
				back->store = area->store;
				back->offset =
					area->offset + (addr - area->start);
				back->prot_clean =
					lm_area_prot(area, LM_PAGE_CLEAN);
				back->prot_dirty = area->prot;
				back->pinned = LM_PAGE_PINS(seen) &&
					       area->prot != PROT_NONE;
				lm_gate_filling(back->slot);
				return true;
			}
	}
	return false;
}

static bool next_dirty(uintptr_t *addr, uintptr_t end, struct writeback *back)
{
	bool found = false;
	struct lm_area *area;

	back->slot = lm_gate_enter();
	while (!found && (area = lm_area_at_or_after(*addr)) &&
	       area->start < end) {
		if (written_back(area))
			found = claim_dirty(area, *addr, end, back);
		if (!found)
			*addr = area->end;
	}
	lm_gate_leave(back->slot);
	return found;
}

/* The page stops being writable before it is read; writers wait meanwhile. An
 * area without access is read through its clean protection all the same. Into
 * one that is pinned the kernel, or a device, may be writing, which can neither
 * wait nor be seen. */
static int write_page(const struct writeback *back)
{
	int prot = back->prot_clean ? back->prot_clean : PROT_READ;
	int ret = 0;

	lm_step(LM_STEP_WRITE_BACK, back->page);
	if (!back->pinned)
		ret = lm_os_mprotect(back->page, LM_PAGE, prot);
	if (!ret)
		ret = lm_store_write(back->store, (void *)back->page, LM_PAGE,
				     back->offset);
	lm_step(LM_STEP_WRITTEN, back->page);
	if (ret < 0) {
		/* It was so before: the kernel has the room for it. */
		if (!back->pinned)
			lm_os_mprotect(back->page, LM_PAGE, back->prot_dirty);
		lm_error_report(LAZYMAP_ERROR_WRITE, -ret, back->page,
				"a dirty page could not be written to its "
				"store; it stays in memory");
	} else {
		if (prot != back->prot_clean && !back->pinned)
			lm_os_mprotect(back->page, LM_PAGE, back->prot_clean);
		lm_stats_add(LM_COUNT_pages_written, 1);
	}
	return ret;
}

int lm_sync_stores(uintptr_t start, uintptr_t end)
{
	struct writeback back;
	int first = 0, ret;
	uint64_t mask;

	if (!lm_sync_ever())
		return 0;
	mask = lm_os_block_signals();
	if (lm_os_forked())
		lm_forked();
	while (next_dirty(&start, end, &back)) {
		ret = write_page(&back);
		lm_page_settle(lm_page_word_of(back.page),
			       ret < 0 || back.pinned ? LM_PAGE_DIRTY
						      : LM_PAGE_CLEAN);
		lm_gate_filled(back.slot);
		if (ret < 0 && !first)
			first = ret;
		start = back.page + LM_PAGE;
	}
	lm_os_restore_signals(mask);
	return first;
}

/* ops.sync of every shared store in the range. */
static int sync_all(uintptr_t start, uintptr_t end)
{
	struct lm_store *store = NULL, *last = NULL;
	int first = 0, ret;

	while (start < end) {
		uint64_t mask = lm_map_lock();
		struct lm_area *area = lm_area_at_or_after(start);

		store = NULL;
		start = area && area->start < end ? area->end : end;
		if (area && area->start < end && written_back(area) &&
		    area->store != last && area->store->ops.sync) {
			store = area->store;
			lm_store_hold(store);
		}
		lm_map_unlock(mask);
		if (!store)
			continue;
		ret = store->ops.sync(store->data);
		if (ret < 0 && !first)
			first = ret;
		last = store;
		mask = lm_map_lock();
		lm_store_drop(store);
		lm_map_unlock(mask);
	}
	lm_store_close_dropped();
	return first;
}

int lazymap_sync(void *start, size_t len, int flags)
{
	uintptr_t first, end;
	/* The kernel's own part: every error of arguments and holes, EBUSY,
	 * and the write-back of what it maps itself. */
	int ret = (int)lm_sys(SYS_msync, start, len, flags);
	int stored = 0;

	if (ret == -EINVAL ||
	    lm_range(start, len, true, -ENOMEM, &first, &end) < 0 ||
	    !lm_area_overlaps(first, end))
		return lm_return(ret);
	if (flags & (MS_SYNC | MS_ASYNC))
		stored = lm_sync_stores(first, end);
	if (!stored && flags & MS_SYNC)
		stored = sync_all(first, end);
	return lm_return(ret < 0 ? ret : stored);
}

void lm_exit_flush(void)
{
	lm_sync_stores(0, (uintptr_t)1 << LM_ADDRESS_BITS);
}
