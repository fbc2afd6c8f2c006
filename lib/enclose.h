/*
 * enclose.h -- before the program gives up what it may do: a sandbox's filter, a
 * directory of its own, another user.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_ENCLOSE_H
#define LM_ENCLOSE_H

/* Have what later faults and evictions would open for themselves, when it may
 * not be opened any more: what pages are placed with and, with a limit, the swap
 * file. What cannot be had now is tried again when it is needed. Nothing
 * where the program has its calls filtered already, which may forbid these. Not in
 * a child
 * that shares its parent's memory, and not in handlers. Keeps errno. */
void lm_enclose(void);

#endif
