/*
 * fork.c -- a child sees exactly its parent's memory at that moment.
 *
 * Areas, page table and frames are ordinary private memory (or the kernel's
 * shared objects): the kernel copies them. What is left is that no page may be
 * between two states, that other threads' locks have no holder in the child,
 * and what is bound to the parent: placing, workers.
 *
 * A fork that runs no atfork handlers (clone, _Fork) is announced by the shim
 * where it sees the call; else it is noticed at the child's first fault or call: pages that another thread was changing go back to what
 * they were. vfork shares the memory, and needs nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "change.h"
#include "gate.h"
#include "guard.h"
#include "locked.h"
#include "meta.h"
#include "place/place.h"
#include "readahead.h"
#include "resident.h"
#include "start.h"
#include "step.h"
#include "syscall/aio.h"
#include "worker.h"

#include <pthread.h>

static uint64_t mask; /* guarded by the map lock */

/* New faults wait at the gate, those under way end; nothing is between. */
static void prepare(void)
{
	uint64_t before = lm_map_lock();

	mask = before;
	lm_step(LM_STEP_FORK, 0);
	lm_gate_drain();
	lm_resident_fork();
}

static void parent(void)
{
	uint64_t before = mask;

	lm_resident_fork_parent();
	lm_gate_open();
	lm_map_unlock(before);
}

static void settle_areas(void)
{
	uintptr_t at = 0;
	struct lm_area *area;

	while ((area = lm_area_at_or_after(at))) {
		at = area->end;
		/* The child has a copy of a store's pages. What the parent
		 * has not written back yet is the parent's to write. */
		if (!lm_store_direct(area->store))
			area->flags &= ~(unsigned)LM_AREA_SHARED;
		/* The kernel has wiped what was in place. */
		if (area->flags & LM_AREA_WIPEONFORK)
			lm_page_forget_swap(area->start, area->end);
		if (!(area->flags & LM_AREA_DONTFORK))
			continue;
		if (lm_area_reserve_inside() < 0)
			continue; /* its faults fail as they should */
		lm_change_clear(area->start, area->end);
	}
}

static bool copied(uintptr_t page)
{
	const struct lm_area *area = lm_area_find(page);

	return area && !lm_store_direct(area->store);
}

/* Were there workers? Not started here: the handler calls this, too. */
static bool forked(void)
{
	size_t fewer;

	lm_os_fork_seen();
	lm_gate_forked();
	lm_meta_forked();
	lm_stats_forked();
	fewer = lm_page_forked(lm_guard_forked, copied);
	lm_stats_add(LM_COUNT_pages_made_absent, fewer);
	lm_resident_forked();
	lm_readahead_forked();
	lm_place_forked();
	lm_locked_forked();
	lm_aio_forked();
	settle_areas();
	return lm_worker_forked();
}

void lm_forked(void)
{
	forked();
}

static void child(void)
{
	uint64_t before = mask;

	if (forked())
		lm_worker_start(); /* without one, reads run in the handler */
	lm_os_restore_signals(before);
}

void lm_fork_announce(void)
{
	prepare();
}

void lm_fork_done(bool in_child)
{
	if (in_child)
		child();
	else
		parent();
}

int lm_fork_start(void)
{
	return -pthread_atfork(prepare, parent, child);
}
