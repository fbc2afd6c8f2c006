/*
 * meta.h -- memory for lazymap's own tables, never from malloc.
 *
 * Single pages, and runs of pages. Freed single pages are kept and used again
 * (they stay mapped: a late futex wait may still look at one). Async-signal-safe provided that
 * all signals are blocked, which they are in the handler and under the map
 * lock. All memory comes zeroed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_META_H
#define LM_META_H

#include <stddef.h>

/* One zeroed page, or NULL. */
void *lm_meta_page(void);
void lm_meta_free_page(void *page);

/* Have `pages` single pages in all, taken or not, so that lm_meta_page() finds
 * one when no limit lets us map more: address space only. 0 or -ENOMEM. */
int lm_meta_promise(size_t pages);

/* Zeroed pages for len bytes straight from the kernel, or NULL. */
void *lm_meta_run(size_t len);
void lm_meta_free_run(void *run, size_t len);

/* In a forked child: the lock's holder is gone. */
void lm_meta_forked(void);

#endif
