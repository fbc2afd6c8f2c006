/*
 * pager.c -- the thread that makes room before it is needed. See pager.h.
 *
 * Of what wakes it, a low reserve waits until no fault comes; what it is called
 * for does not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pager.h"

#include "ahead.h"
#include "area.h"
#include "beside.h"
#include "os.h"
#include "resident.h"
#include "start.h"
#include "thread.h"
#include "turn.h"

#include <sched.h>

/* How long no fault is to come before room is made; the longer they do. */
#define QUIET_MIN_NS 1000000
#define QUIET_MAX_NS 8000000

/* For how long the program does not see it after a look. */
#define HIDDEN_NS UINT64_C(1000000000)

/* STARTING: until it runs; RESTING: until no fault comes, or it is called;
 * ENDING: it is told to end, until it has. */
enum { NONE, STARTING, RUNNING, RESTING, SLEEPING, ENDING };

static _Atomic uint32_t state;
static struct lm_thread pager; /* of whoever took the state from NONE */
/* How many want it to stay away. Atomic. */
static _Atomic int held;
/* Never any more. Atomic; stays so in a child. */
static _Atomic bool forgone;
/* When it may be seen again. Atomic; 0: it was never hidden. */
static _Atomic uint64_t hidden_until;
/* How many pages a stream will want free. Atomic; 0: none asks. */
static _Atomic size_t stream_wants;

/* Sequentially consistent, as is the state: pairs with the fence in
 * lm_pager_call(). */
static bool called(void)
{
	return lm_ahead_waiting() || atomic_load(&stream_wants);
}

/* Sleep until there is something to do; not where that came just now. */
static void sleep_here(bool not_yet)
{
	uint32_t seen = RUNNING;

	if (!atomic_compare_exchange_strong(&state, &seen, SLEEPING))
		return;
	/* Who took the last room before this saw us run. */
	if ((!not_yet && lm_resident_low()) || called()) {
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

static void rest(uint64_t ns)
{
	uint32_t seen = RUNNING;

	if (!atomic_compare_exchange_strong(&state, &seen, RESTING))
		return;
	if (!called())
		lm_os_wait_for(&state, RESTING, ns);
	seen = RESTING;
	atomic_compare_exchange_strong(&state, &seen, RUNNING);
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
		rest(ns);
		ns = lm_min(2 * ns, QUIET_MAX_NS);
	} while (lm_turn_count() != seen && !called() && !ending());
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
	if (!called())
		lm_beside_anywhere();
	seen = lm_turn_count();
	do
		more = lm_resident_reserve();
	while (more > 0 && lm_turn_count() == seen && !called() && !ending());
	return more;
}

/*
 * What a stream in a file leaves behind is clean, goes by one call for many
 * pages, and no mprotect; what one of writes leaves goes in blocks, which are
 * compressed for far longer than the address space is changed. That is done
 * beside the stream's faults, which map what comes next meanwhile.
 */
static bool follow_stream(void)
{
	size_t pages = atomic_exchange(&stream_wants, 0);

	if (pages)
		lm_beside_away();
	while (pages && lm_resident_room(pages) > 0 && !ending())
		;
	return pages;
}

static void work(void)
{
	struct sched_param none = { 0 };

	atomic_store(&state, RUNNING);
	/* The fault that wakes it goes on, and does not make way for it. */
	lm_sys(SYS_sched_setscheduler, 0, SCHED_BATCH, &none);
	lm_beside_start();
	while (!ending()) {
		int more;

		lm_turn_work(true);
		if (lm_ahead_step() || follow_stream())
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

static bool unwanted(void)
{
	uint64_t until = atomic_load(&hidden_until);

	return atomic_load(&held) || atomic_load(&forgone) ||
	       (until && lm_os_now_ns() < until);
}

void lm_pager_wake(void)
{
	uint32_t seen = atomic_load_explicit(&state, memory_order_relaxed);

	/* It is wanted, and was there before the program looked. */
	if (LM_THREAD_RAW && seen == NONE &&
	    atomic_load_explicit(&hidden_until, memory_order_relaxed) &&
	    !atomic_load_explicit(&forgone, memory_order_relaxed))
		lm_pager_start();
	if (seen != SLEEPING)
		return;
	if (atomic_compare_exchange_strong(&state, &seen, RUNNING))
		lm_os_wake(&state, 1);
}

void lm_pager_call(void)
{
	uint32_t seen;

	/* Either it sees what it is called for or we see it asleep. */
	atomic_thread_fence(memory_order_seq_cst);
	seen = atomic_load(&state);
	if (seen != SLEEPING && seen != RESTING)
		return;
	if (atomic_compare_exchange_strong(&state, &seen, RUNNING))
		lm_os_wake(&state, 1);
}

void lm_pager_stream(const void *who, size_t pages)
{
	if (!lm_pager_runs() || lm_resident_has_room(pages) ||
	    !lm_beside_stream(who))
		return;
	atomic_store(&stream_wants, pages);
	lm_pager_call();
}

bool lm_pager_runs(void)
{
	return atomic_load_explicit(&state, memory_order_relaxed) != NONE;
}

/* The process that it is part of. A child that shares its memory (vfork, clone)
 * would be kept by it when the program's own thread there has ended. */
static _Atomic int home;

void lm_pager_begin(void)
{
	atomic_store(&home, (int)lm_sys(SYS_getpid));
}

/* It sees none of the program's signals, and counts on none. */
static int spawn(void)
{
	uint64_t mask;
	int ret;

	if ((int)lm_sys(SYS_getpid) != atomic_load(&home))
		return -EPERM;
	mask = lm_os_block_signals();
	ret = lm_thread_start(&pager, work);
	lm_os_restore_signals(mask);
	return ret;
}

void lm_pager_start(void)
{
	uint32_t seen = NONE;

	if (lm_options.threads < 0 || !lm_resident_bounded(NULL) ||
	    atomic_load_explicit(&state, memory_order_relaxed) != NONE ||
	    lm_area_bytes() <= lm_quota_process.max * LM_PAGE || unwanted())
		return;
	/* Once more: either who wants it away sees it start, or this sees
	 * that. */
	if (atomic_compare_exchange_strong(&state, &seen, STARTING) &&
	    (unwanted() || spawn()))
		atomic_store(&state, NONE);
}

static void end(void)
{
	uint32_t seen;

	/* Nobody who starts or ends it takes long. */
	while ((seen = atomic_load(&state)) == STARTING || seen == ENDING)
		lm_os_pause();
	while (seen == RUNNING || seen == RESTING || seen == SLEEPING)
		if (atomic_compare_exchange_weak(&state, &seen, ENDING)) {
			lm_os_wake(&state, 1);
			lm_thread_join(&pager);
			atomic_store(&state, NONE);
			return;
		}
}

void lm_pager_stop(void)
{
	atomic_fetch_add(&held, 1);
	end();
}

void lm_pager_resume(void)
{
	atomic_fetch_sub(&held, 1);
	lm_pager_start();
}

void lm_pager_forgo(void)
{
	atomic_store(&forgone, true);
	atomic_fetch_sub(&held, 1);
}

bool lm_pager_forgone(void)
{
	return atomic_load_explicit(&forgone, memory_order_relaxed);
}

void lm_pager_hide(void)
{
	atomic_store(&hidden_until, lm_os_now_ns() + HIDDEN_NS);
	end();
}

void lm_pager_forked(void)
{
	LM_PUT(&pager.alive, 0);
	LM_PUT(&stream_wants, 0);
	LM_PUT(&hidden_until, 0);
	LM_PUT(&held, 0);
	LM_PUT(&state, NONE);
	lm_pager_begin();
	lm_turn_forked();
}
