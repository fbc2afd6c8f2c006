/*
 * turn.c -- see turn.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "turn.h"

_Atomic uint32_t lm_turn_on, lm_turn_faults, lm_turn_pager;

/* This thread is the pager. */
static __thread bool here __attribute__((tls_model("initial-exec")));

void lm_turn_work(bool on)
{
	here = true;
	atomic_store_explicit(&lm_turn_on, on, memory_order_relaxed);
}

static bool faults_now(void)
{
	return atomic_load(&lm_turn_faults) & LM_TURN_NOW;
}

void lm_turn_wait(void)
{
	if (!here)
		return;
	for (int i = 0; i < LM_TURN_PAGER; i++) {
		atomic_store(&lm_turn_pager, 1);
		if (!faults_now())
			return;
		atomic_store(&lm_turn_pager, 0);
		while (i++ < LM_TURN_PAGER && faults_now())
			lm_os_relax();
	}
	atomic_store(&lm_turn_pager, 1);
}

void lm_turn_done(void)
{
	if (here)
		atomic_store(&lm_turn_pager, 0);
}

void lm_turn_forked(void)
{
	here = false;
	LM_PUT(&lm_turn_on, 0);
	LM_PUT(&lm_turn_faults, 0);
	LM_PUT(&lm_turn_pager, 0);
}
