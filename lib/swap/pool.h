/*
 * pool.h -- compressed pages in memory.
 *
 * Ordinary private memory: a forked child has a copy of its own.
 * Async-signal-safe with all signals blocked; one lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SWAP_POOL_H
#define LM_SWAP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A pool of at most `bytes` of memory, its own tables aside; 0: it is always
 * full. 0 or -ENOMEM. Once. */
int lm_pool_start(size_t bytes);

/* A hint: would even a small object find no room? */
bool lm_pool_full(void);

/* Keep len bytes (1 to LM_POOL_MAX) and a number with them; *object (under
 * 2^34) names them. 0 or -ENOSPC. */
#define LM_POOL_MAX 4096
int lm_pool_put(const void *data, size_t len, uint32_t sum, uint64_t *object);

/* Its length; the bytes stay until it is freed. */
size_t lm_pool_get(uint64_t object, const char **data, uint32_t *sum);
void lm_pool_free(uint64_t object);

/* In a child that another thread's work may have been cut in half in: nothing
 * is put in or freed any more, what is there can be read. */
void lm_pool_freeze(void);

/* Bytes of memory that hold objects. */
uint64_t lm_pool_used(void);

#endif
