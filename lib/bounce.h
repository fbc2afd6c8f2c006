/*
 * bounce.h -- buffers between a store and the pages being filled.
 *
 * A few are kept; when all are in use another one comes from the kernel.
 * Async-signal-safe, lock-free.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_BOUNCE_H
#define LM_BOUNCE_H

#include <stddef.h>

/* What is read at once: it fits the second-level cache, with room for the pages it
 * is copied to. */
#define LM_BOUNCE_SIZE ((size_t)64 * 1024)

/* A buffer of *size bytes, page-aligned; NULL when out of memory. */
void *lm_bounce_take(size_t *size);
void lm_bounce_give(void *buffer);

#endif
