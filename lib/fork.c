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
#define _GNU_SOURCE
#include "change.h"
#include "frame.h"
#include "gate.h"
#include "guard.h"
#include "locked.h"
#include "meta.h"
#include "own.h"
#include "place/place.h"
#include "readahead.h"
#include "resident.h"
#include "served.h"
#include "start.h"
#include "step.h"
#include "syscall/aio.h"
#include "syscall/call.h"
#include "worker.h"

#include <dlfcn.h>
#include <pthread.h>
#if __has_include(<sys/single_threaded.h>) /* glibc 2.32 */
#include <sys/single_threaded.h>
#else
#define __libc_single_threaded 0
#endif

/* guarded by the map lock */
static uint64_t mask;
static bool alone; /* no thread of the C library's but this one */

/* New faults wait at the gate, those under way end; nothing is between. */
static void prepare(void)
{
	uint64_t before = lm_map_lock();

	mask = before;
	alone = __libc_single_threaded;
	lm_step(LM_STEP_FORK, 0);
	lm_gate_drain();
	lm_own_fork();
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

/* By areas, for a look at all of the page table is a fault on each of its pages. */
static void settle_pages(void)
{
	uintptr_t at = 0;
	size_t fewer = 0;
	struct lm_area *area;

	for (; (area = lm_area_at_or_after(at)); at = area->end)
		fewer += lm_page_forked(area->start, area->end,
					!lm_store_direct(area->store),
					lm_guard_forked);
	lm_stats_add(LM_COUNT_pages_made_absent, fewer);
}

/* Were there workers? Not started here: the handler calls this, too. */
static bool forked(void)
{
	lm_os_fork_seen();
	lm_own_forked();
	lm_gate_forked();
	lm_meta_forked();
	lm_stats_forked();
	settle_pages();
	lm_frame_forked();
	lm_resident_forked();
	lm_readahead_forked();
	lm_place_forked();
	lm_locked_forked();
	lm_aio_forked();
	lm_served_forked();
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
	/* Whose they are is not known: where this thread has none (it has let
	 * go of its stack just now) they are the others', who are not here. */
	if (!alone && !lm_call_holding())
		lm_page_unpin_others();
	lm_served_look();
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

/* -- fork(), and the C library's streams ---------------------------------------- */

/*
 * glibc's fork takes the lock of the list of streams after these handlers. Who
 * has it may wait for a stream (fflush(NULL)), and who has that for the gate, at a
 * touch of lazy memory or in malloc: so it is taken here, before the gate is
 * shut. It is recursive; the child's is made anew, as glibc does it. With one
 * thread glibc leaves it alone, as does this.
 */
void _IO_list_lock(void) __attribute__((weak));
void _IO_list_unlock(void) __attribute__((weak));
void _IO_list_resetlock(void) __attribute__((weak));

static bool streams_locked; /* guarded by the map lock */

static void before_fork(void)
{
	bool lock = !__libc_single_threaded && _IO_list_lock &&
		    _IO_list_unlock && _IO_list_resetlock;

	if (lock)
		_IO_list_lock();
	prepare();
	streams_locked = lock;
}

static void in_parent(void)
{
	bool unlock = streams_locked;

	parent();
	if (unlock)
		_IO_list_unlock();
}

static void in_child(void)
{
	if (streams_locked)
		_IO_list_resetlock();
	child();
}

/* The C library's own, wherever a program has one of that name: Firefox runs
 * what it was told before a clone() of its own, with much to do in between. */
int lm_fork_start(void)
{
	extern void *__dso_handle __attribute__((weak, visibility("hidden")));
	int (*own)(void (*)(void), void (*)(void), void (*)(void), void *);

	*(void **)&own = dlsym(RTLD_NEXT, "__register_atfork");
	if (!own)
		return -pthread_atfork(before_fork, in_parent, in_child);
	return -own(before_fork, in_parent, in_child,
		    &__dso_handle ? __dso_handle : NULL);
}
