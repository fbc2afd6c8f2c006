/*
 * sync.h -- writing dirty pages of shared stores back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYNC_H
#define LM_SYNC_H

#include <stdbool.h>
#include <stdint.h>

/* Write back every dirty page of shared, copied areas in [start, end). Without
 * any lock held: a store's write may do what it likes. 0, or the first
 * -errno; what could not be written stays dirty. */
int lm_sync_stores(uintptr_t start, uintptr_t end);

/* Has there been such an area in this process or its parents? Without, there is
 * nothing to do, and no system call is made for it. */
void lm_sync_expect(void);
bool lm_sync_ever(void);

#endif
