/*
 * huge.h -- blocks that come as one huge page, where a stream writes to new
 * anonymous memory, or within a limit reads what is copied.
 *
 * A block that comes whole, and of which nothing was there, costs the kernel
 * one page to clear and one entry to map in the place of 512. It is asked for
 * such a page block by block and only then, and told not to make one as soon as
 * any page of the block goes: khugepaged would fill the others in again, beyond
 * the limit. Where the program gave advice of its own, that stands.
 *
 * Async-signal-safe with all signals blocked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_HUGE_H
#define LM_HUGE_H

#include "claim.h"

/* Is what was claimed of the area worth a huge page? */
bool lm_huge_wanted(const struct lm_area *area, const struct lm_claim *claim);

/* The same: is it to come as a frame (frame.h)? */
bool lm_huge_frame(const struct lm_area *area, const struct lm_claim *claim);

/* Is addr's block one, or a huge page, still? */
bool lm_huge_is(uintptr_t addr);

/* Is it, and all of one area? Outside the gate. */
bool lm_huge_whole(uintptr_t addr);

/* Inside the gate: is a page that is there, and hidden, to be shown with all of its
 * block? */
bool lm_huge_shown(const struct lm_area *area, const struct lm_claim *claim);

/* The claimed block is about to be filled, or shown. */
void lm_huge_ask(const struct lm_claim *claim);

/* It could not be filled, and nobody has seen it: it is all there, at its first
 * byte, and goes. */
void lm_huge_undo(const struct lm_claim *claim);

/* Some of the pages in addr's block are about to be hidden, or to go. */
void lm_huge_end(uintptr_t addr);

#endif
