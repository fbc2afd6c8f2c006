/*
 * locked.c -- mlock, munlock, mlockall, munlockall. See locked.h.
 *
 * The kernel's own lock is on the mapping below the area, and counts and
 * limits; what lazymap adds is that the pages are not hidden.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "locked.h"

#include "advise.h"
#include "change.h"
#include "fault.h"
#include "frame.h"
#include "gate.h"
#include "os_linux.h"
#include "start.h"

#define ADDRESS_END ((uintptr_t)1 << LM_ADDRESS_BITS)

static int kernel_lock(const void *start, size_t len, int flags)
{
	return (int)(flags ? lm_sys(SYS_mlock2, start, len, flags)
			   : lm_sys(SYS_mlock, start, len));
}

/* MS_INVALIDATE of private and of direct memory does nothing but this. */
static bool is_locked(uintptr_t page)
{
	return lm_sys(SYS_msync, page, LM_PAGE, MS_INVALIDATE) == -EBUSY;
}

/* A lock that fails has locked what is before the hole that it came to. */
static void note_part(uintptr_t first, uintptr_t end)
{
	uintptr_t stop;
	int prot;

	for (; first < end && is_locked(first); first = stop) {
		stop = lm_advise_piece(first, end, &prot);
		lm_advise_flags(first, stop, LM_AREA_LOCKED);
	}
}

/* The end, up to `end`, of what is one area at `at`, or none. `own`: with what is
 * private and can be written the kernel's lock does as with a write: it is the
 * process's own from then on, whatever becomes of the file. */
static uintptr_t piece(uintptr_t at, uintptr_t end, bool *own)
{
	uint64_t mask = lm_os_block_signals();
	struct lm_slot *slot = lm_gate_enter();
	struct lm_area *area = lm_area_at_or_after(at);

	*own = false;
	if (area && area->start > at) {
		end = lm_min(end, area->start);
	} else if (area) {
		end = lm_min(end, area->end);
		*own = area->prot & PROT_WRITE &&
		       !(area->flags & LM_AREA_SHARED) &&
		       lm_store_direct(area->store);
	}
	lm_gate_leave(slot);
	lm_os_restore_signals(mask);
	return end;
}

/* As far as it goes; or (all) what cannot be is passed over. */
static void make_present(uintptr_t at, uintptr_t end, bool all)
{
	uintptr_t stop;
	int error;
	bool own;

	for (; at < end; at = stop) {
		stop = piece(at, end, &own);
		if (own)
			error = lm_advise_populate(at, stop,
						   MADV_POPULATE_WRITE);
		else
			lm_fault_range(at, stop, LM_READ, false, &error);
		if (error && !all)
			break;
	}
}

int lazymap_lock(const void *start, size_t len, int flags)
{
	uintptr_t first = lm_page_down((uintptr_t)start);
	uintptr_t end = lm_page_up((uintptr_t)start + len);
	int ret;

	/* Where it is refused nothing is noted. */
	if (end <= first || flags & ~MLOCK_ONFAULT ||
	    !lm_area_overlaps(first, end))
		return lm_return(kernel_lock(start, len, flags));
	/* Before: a frame that is taken out is not to take the lock along. */
	lm_advise_flags(first, end, LM_AREA_ADVISED);
	/* What comes must stay from then on: at a resident limit it would be
	 * driven out by what comes after it, before the kernel can lock it. */
	ret = kernel_lock(start, len, flags | MLOCK_ONFAULT);
	if (ret < 0) {
		note_part(first, end);
		return lm_return(ret);
	}
	lm_advise_flags(first, end, LM_AREA_LOCKED);
	if (flags & MLOCK_ONFAULT)
		return 0;
	make_present(first, end, false);
	return lm_return(kernel_lock(start, len, flags));
}

/* What mlockall(MCL_FUTURE) asked for; atomic. The kernel has its own note. */
static _Atomic int future;

int lm_locked_future(void)
{
	return atomic_load_explicit(&future, memory_order_relaxed);
}

void lm_locked_forked(void)
{
	uintptr_t at = 0;
	struct lm_area *area;

	LM_PUT(&future, 0);
	for (; (area = lm_area_at_or_after(at)); at = area->end)
		area->flags &= ~(unsigned)LM_AREA_LOCKED;
}

int lazymap_lock_all(int flags)
{
	struct lm_change change;
	int ret = lm_change_begin_drained(&change);

	if (ret < 0)
		return lm_return(ret);
	/* Their windows would be locked, made present, and what is spare there
	 * could not be dropped. */
	lm_frame_end();
	lm_change_end(&change);
	ret = (int)lm_sys(SYS_mlockall, flags);
	if (ret < 0)
		return lm_return(ret);
	atomic_store_explicit(&future, flags & MCL_FUTURE ? flags : 0,
			      memory_order_relaxed);
	if (!(flags & MCL_CURRENT))
		return 0;
	lm_advise_flags(0, ADDRESS_END, LM_AREA_LOCKED);
	if (!(flags & MCL_ONFAULT))
		/* As the kernel does it: what cannot be is passed over. */
		make_present(0, ADDRESS_END, true);
	return 0;
}

int lazymap_unlock_all(void)
{
	int ret = (int)lm_sys(SYS_munlockall);

	if (ret < 0)
		return lm_return(ret);
	atomic_store_explicit(&future, 0, memory_order_relaxed);
	lm_advise_flags(0, ADDRESS_END, ~LM_AREA_LOCKED);
	return 0;
}

int lazymap_unlock(const void *start, size_t len)
{
	uintptr_t first = lm_page_down((uintptr_t)start);
	uintptr_t end = lm_page_up((uintptr_t)start + len);
	int ret = (int)lm_sys(SYS_munlock, start, len);

	if (!ret && end > first && lm_area_overlaps(first, end))
		lm_advise_flags(first, end, ~LM_AREA_LOCKED);
	return lm_return(ret);
}
