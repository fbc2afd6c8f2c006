/*
 * widen.h -- keeping the kernel's VM areas few.
 *
 * Each page that is shown alone costs up to two VM areas, and at
 * vm.max_map_count everything in the process fails with ENOMEM, malloc and
 * pthread_create too. So they are counted now and then, and when those in lazy
 * areas come to more than their part (half of what the program's others leave)
 * fewer and larger pieces are shown: whole blocks, whose untouched pages then
 * come by the kernel's own faults; under a resident limit, frames are evicted
 * instead.
 *
 * Async-signal-safe with all signals blocked; outside the gate.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_WIDEN_H
#define LM_WIDEN_H

#include "gate.h"
#include "quota.h"

/* Pages at addr, of an area with this quota (NULL: none), have just been
 * shown. */
void lm_widen_note(struct lm_slot *slot, uintptr_t addr,
		   struct lm_quota *quota);

/* Are VM areas short, so that blocks are better not opened (guard.h)? And: the
 * kernel has just refused one. */
bool lm_widen_tight(void);
void lm_widen_refused(void);
/* A frame was hidden among pages that are shown. */
void lm_widen_hidden(void);

/* In ordinary context, once. */
void lm_widen_start(void);

#endif
