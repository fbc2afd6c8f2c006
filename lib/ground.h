/*
 * ground.h -- the stack under what may not fault.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_GROUND_H
#define LM_GROUND_H

/* Before SIGSEGV is blocked: have as much of this thread's stack there as
 * lazymap needs meanwhile, where it may be lazy. Async-signal-safe. */
void lm_ground_stack(void);

#endif
