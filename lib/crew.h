/*
 * crew.h -- a block of a store that workers read ahead together.
 *
 * One of them claims the block and has a frame for it (frame.h), in a window that
 * nobody else knows of. It reads piece after piece into that, and where the store
 * takes longer for one than it takes to call others, those read some of them. Who
 * is done last puts the frame in place, all of it hidden: its first touch, a soft
 * fault, shows it whole, and tells that the stream has come.
 *
 * Who has claimed a block reads whatever of it nobody else does: so a touch that
 * waits for it waits for threads that run, as for any other BUSY page.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_CREW_H
#define LM_CREW_H

#include "store/store.h"

/* In a worker: all of a block of that store, if it can be had so, or what of it
 * the others leave. False: it has to come by pieces, if at all. */
bool lm_crew_begin(uintptr_t block, const struct lm_store *store);

/* The same in a fault that has come there before the workers: has one begin. The
 * next touch waits for it. Async-signal-safe. */
bool lm_crew_order(uintptr_t block, const struct lm_store *store);

/* Does one want help? And in a worker: read a piece. False: none does. */
bool lm_crew_calls(void);
bool lm_crew_help(void);

/* In a forked child: there are none. */
void lm_crew_forked(void);

#endif
