/*
 * held.h -- one thread held at one step of its way (lib/step.h) while the test
 * lets another thread come along.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HELD_H
#define HELD_H

#include "step.h"

#include <stdbool.h>

/* Hold the first thread that comes to `step` with an address in this page (0:
 * any), until held_release(), or until some thread comes to `releases`
 * (LM_STEP_MAX: none does). */
void held_at(enum lm_step step, const void *page, enum lm_step releases);
/* Wait until there is one; fails the test after half a minute. */
void held_wait(void);
void held_release(void);
/* How many came to `step` since held_at(); and wait for the first. */
unsigned held_passed(enum lm_step step);
void held_wait_passed(enum lm_step step);

#endif
