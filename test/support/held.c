/*
 * held.c -- see held.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "held.h"

#include "known.h"

#include <check.h>
#include <time.h>

static enum lm_step held_step, release_step; /* immutable once hooked */
static uintptr_t held_page;
static atomic_int state; /* 0: wanted, 1: held, 2: let go */
static atomic_uint passed[LM_STEP_MAX];

static void nap(void)
{
	struct timespec moment = { .tv_nsec = 100000 };

	lm_sys(SYS_nanosleep, &moment, NULL);
}

static void hook(enum lm_step step, uintptr_t addr)
{
	int wanted = 0;

	atomic_fetch_add(&passed[step], 1);
	if (step == release_step)
		atomic_store(&state, 2);
	if (step != held_step ||
	    (held_page && addr / PAGE != held_page / PAGE) ||
	    !atomic_compare_exchange_strong(&state, &wanted, 1))
		return;
	while (atomic_load(&state) == 1)
		nap();
}

void held_at(enum lm_step step, const void *page, enum lm_step releases)
{
	atomic_store(&lm_step_hook, NULL);
	for (int i = 0; i < LM_STEP_MAX; i++)
		atomic_store(&passed[i], 0);
	held_step = step;
	held_page = (uintptr_t)page;
	release_step = releases;
	atomic_store(&state, 0);
	atomic_store(&lm_step_hook, hook);
}

void held_wait(void)
{
	for (int i = 0; i < 300000; i++, nap())
		if (atomic_load(&state) != 0)
			return;
	ck_abort_msg("nobody came to step %d", (int)held_step);
}

void held_release(void)
{
	atomic_store(&state, 2);
}

unsigned held_passed(enum lm_step step)
{
	return atomic_load(&passed[step]);
}

void held_wait_passed(enum lm_step step)
{
	for (int i = 0; i < 300000; i++, nap())
		if (held_passed(step))
			return;
	ck_abort_msg("nobody came to step %d", (int)step);
}
