/*
 * sync.h -- writing dirty pages of shared stores back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYNC_H
#define LM_SYNC_H

#include <stdint.h>

/* Write back every dirty page of shared, copied areas in [start, end). Without
 * any lock held: a store's write may do what it likes. 0, or the first
 * -errno; what could not be written stays dirty. */
int lm_sync_stores(uintptr_t start, uintptr_t end);

#endif
