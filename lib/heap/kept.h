/*
 * kept.h -- freed allocations that wait for the next of their size.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_HEAP_KEPT_H
#define LM_HEAP_KEPT_H

#include <stddef.h>

/* So many bytes at most. Before other threads come; until then, none. */
void lm_kept_bound(size_t bytes);

/* A mapping of *bytes, a multiple of pages, or of somewhat more: *bytes tells. Or
 * NULL. What is in it nobody knows. */
void *lm_kept_take(size_t *bytes);

/* To be kept, or unmapped. */
void lm_kept_give(void *p, size_t bytes);

/* Unmaps all that is kept. Returns the bytes. */
size_t lm_kept_drop(void);

#endif
