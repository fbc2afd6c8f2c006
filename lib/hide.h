/*
 * hide.h -- what an eviction (evict.h) asks the kernel for: that nobody can read
 * or write its pages any more, and that their frames go.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_HIDE_H
#define LM_HIDE_H

#include "prey.h"

/* No thread can write to these any more, or read them, but for two kinds: those
 * that lm_hide_drop() hides and drops in one, and those that are `frozen`. What
 * the kernel knows not to have been written is clean. What cannot be hidden is
 * kept, as `shown`. */
void lm_hide(struct lm_prey *prey);

/* The same for what was frozen, once it has been read. */
void lm_hide_frozen(struct lm_prey *prey);

/* Hide all, to see the next touch. */
void lm_hide_only(struct lm_prey *prey);

/* The frames go, of all that is not kept; what the kernel does not let go is
 * kept, hidden. */
void lm_hide_drop(struct lm_prey *prey);

#endif
