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
#include "turn.h"

#include <pthread.h>
#include <sched.h>

#define STACK ((size_t)128 * 1024)

enum { NONE, RUNNING, SLEEPING };

static _Atomic uint32_t state;

static void *work(void *unused)
{
	struct sched_param none = { 0 };

	(void)unused;
	/* The fault that wakes it goes on, and does not make way for it. */
	lm_sys(SYS_sched_setscheduler, 0, SCHED_BATCH, &none);
	for (;;) {
		int more;

		lm_turn_work(true);
		more = lm_resident_reserve();
		if (more > 0 || lm_ahead_step())
			continue;
		lm_turn_work(false);
		if (more < 0) /* all is locked or in use, or swap is full */
			lm_os_pause();
		atomic_store(&state, SLEEPING);
		/* Who took the last room before this saw us run. */
		if ((!more && lm_resident_low()) || lm_ahead_waiting())
			atomic_store(&state, RUNNING);
		else
			lm_os_wait(&state, SLEEPING);
	}
	return NULL;
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
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	ret = pthread_create(&thread, &attr, work, NULL);
	pthread_attr_destroy(&attr);
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
	if (atomic_compare_exchange_strong(&state, &seen, RUNNING) && spawn())
		atomic_store(&state, NONE);
}

void lm_pager_forked(void)
{
	atomic_store(&state, NONE);
	lm_turn_forked();
}
