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

/* Hints: would even a small object find no room; is there little left? */
bool lm_pool_full(void);
bool lm_pool_low(void);

/* Keep len bytes (1 to LM_POOL_MAX) and two numbers with them, of 32 and of 48
 * bits; *object (under 2^34) names them. 0 or -ENOSPC. */
#define LM_POOL_MAX 4096
int lm_pool_put(const void *data, size_t len, uint32_t sum, uint64_t owner,
		uint64_t *object);

/* Another owner. */
void lm_pool_own(uint64_t object, uint64_t owner);

/* An object of those that went in longest ago, another one each time; false:
 * all were named, next time from the beginning. It may be gone already. */
bool lm_pool_oldest(uint64_t *object, uint64_t *owner);
/* Is this one of the older half? A hint, of any object there ever was. */
bool lm_pool_old(uint64_t object);

/* Its length; the bytes stay until it is freed. */
size_t lm_pool_get(uint64_t object, const char **data, uint32_t *sum);
void lm_pool_free(uint64_t object);

/* Around a fork, so that the child finds the pool whole. */
void lm_pool_fork(void);
void lm_pool_fork_end(void);

/* In a child that another thread's work may have been cut in half in: nothing
 * is put in or freed any more, what is there can be read. */
void lm_pool_freeze(void);

/* Bytes of memory that hold objects. */
uint64_t lm_pool_used(void);

#endif
