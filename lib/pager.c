/*
 * pager.c -- the thread that makes room before it is needed. See pager.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pager.h"

#include "ahead.h"
#include "area.h"
#include "resident.h"
#include "start.h"
#include "thread.h"
#include "turn.h"

#include <sched.h>

/* How long no fault is to come before room is made; the longer they do. */
#define QUIET_MIN_NS 1000000
#define QUIET_MAX_NS 8000000

/* STARTING: until it runs; ENDING: it is told to end, until it has. */
enum { NONE, STARTING, RUNNING, SLEEPING, ENDING };

static _Atomic uint32_t state;
static struct lm_thread pager; /* of whoever took the state from NONE */

/* Sleep until there is something to do; not where that came just now. */
static void sleep_here(bool not_yet)
{
	uint32_t seen = RUNNING;

	if (!atomic_compare_exchange_strong(&state, &seen, SLEEPING))
		return;
	/* Who took the last room before this saw us run. */
	if ((!not_yet && lm_resident_low()) || lm_ahead_waiting()) {
		seen = SLEEPING;
		atomic_compare_exchange_strong(&state, &seen, RUNNING);
	} else {
		lm_os_wait(&state, SLEEPING);
	}
	seen = SLEEPING; /* a wake for no reason */
	atomic_compare_exchange_strong(&state, &seen, RUNNING);
}

static bool ending(void)
{
	return atomic_load(&state) == ENDING;
}

/*
 * While faults come one after the other they make room for themselves: both
 * would wait for the same lock of the address space, and each change of it
 * would interrupt the other's processor. So two are no faster than one, and
 * each fault takes longer.
 */
static void wait_for_quiet(void)
{
	uint64_t ns = QUIET_MIN_NS;
	uint32_t seen;

	do {
		seen = lm_turn_count();
		/* Woken to end, or for no reason. */
		lm_os_wait_for(&state, RUNNING, ns);
		ns = lm_min(2 * ns, QUIET_MAX_NS);
	} while (lm_turn_count() != seen && !lm_ahead_waiting() && !ending());
}

/* Until a fault comes, or there is something else to do. 0: there is room
 * enough; 1: perhaps not; -EBUSY: nothing can go. */
static int make_room(void)
{
	uint32_t seen;
	int more;

	if (!lm_resident_low())
		return 0;
	wait_for_quiet();
	seen = lm_turn_count();
	do
		more = lm_resident_reserve();
	while (more > 0 && lm_turn_count() == seen && !lm_ahead_waiting() &&
	       !ending());
	return more;
}

static void work(void)
{
	struct sched_param none = { 0 };

	atomic_store(&state, RUNNING);
	/* The fault that wakes it goes on, and does not make way for it. */
	lm_sys(SYS_sched_setscheduler, 0, SCHED_BATCH, &none);
	while (!ending()) {
		int more;

		lm_turn_work(true);
		if (lm_ahead_step())
			continue;
		more = make_room();
		if (more > 0)
			continue;
		lm_turn_work(false);
		if (more < 0) /* all is locked or in use, or swap is full */
			lm_os_pause();
		sleep_here(more < 0);
	}
	lm_turn_work(false);
}

void lm_pager_wake(void)
{
	uint32_t seen = SLEEPING;

	if (atomic_load_explicit(&state, memory_order_relaxed) != SLEEPING)
		return;
	if (atomic_compare_exchange_strong(&state, &seen, RUNNING))
		lm_os_wake(&state, 1);
}

bool lm_pager_runs(void)
{
	return atomic_load_explicit(&state, memory_order_relaxed) != NONE;
}

/* It sees none of the program's signals, and counts on none. */
static int spawn(void)
{
	uint64_t mask = lm_os_block_signals();
	int ret = lm_thread_start(&pager, work);

	lm_os_restore_signals(mask);
	return ret;
}

void lm_pager_start(void)
{
	uint32_t seen = NONE;

	if (lm_options.threads < 0 || !lm_resident_bounded(NULL) ||
	    atomic_load_explicit(&state, memory_order_relaxed) != NONE ||
	    lm_area_bytes() <= lm_quota_process.max * LM_PAGE)
		return;
	if (atomic_compare_exchange_strong(&state, &seen, STARTING) && spawn())
		atomic_store(&state, NONE);
}

void lm_pager_stop(void)
{
	uint32_t seen;

	/* Nobody who starts or ends it takes long. */
	while ((seen = atomic_load(&state)) == STARTING || seen == ENDING)
		lm_os_pause();
	while (seen == RUNNING || seen == SLEEPING)
		if (atomic_compare_exchange_weak(&state, &seen, ENDING)) {
			lm_os_wake(&state, 1);
			lm_thread_join(&pager);
			atomic_store(&state, NONE);
			return;
		}
}

void lm_pager_forked(void)
{
	atomic_store(&pager.alive, 0);
	atomic_store(&state, NONE);
	lm_turn_forked();
}
