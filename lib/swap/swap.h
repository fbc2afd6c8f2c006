/*
 * swap.h -- where evicted private dirty pages go, and come back from.
 *
 * A page of one repeated byte takes no room: its handle says it all. Others are
 * compressed (LZ4) into a pool in memory, from where those that have been there
 * longest move to an unlinked file when there is little room left; they go to
 * the file at once when there is none, or when they do not compress. What a
 * handle names carries a checksum; it is checked whenever the page comes back.
 *
 * A handle belongs to the page word that holds it: out makes it, free ends it,
 * in leaves it. It is 36 bits, never 0, and names the same bytes in a forked
 * child, which may read and free what it inherited but shares no room with its
 * parent that either writes.
 *
 * Everything here is async-signal-safe with all signals blocked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SWAP_SWAP_H
#define LM_SWAP_SWAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The handle of a page of zeros. */
#define LM_SWAP_ZEROS ((uint64_t)1 << 34)

/* The most pages of one lm_swap_out(). */
#define LM_SWAP_BATCH 16

struct lm_swap_limits {
	size_t pool;   /* bytes of compressed pages in memory; 0: none */
	uint64_t file; /* bytes of the file; 0: no file */
	bool encrypt;  /* what is in the file */
};

/* Before the first page goes out; once. 0; -ENOENT: no cipher is installed;
 * -ENOTDIR: no file where it is to be; or -ENOMEM. */
int lm_swap_start(const struct lm_swap_limits *limits);

/* Have the file that pages may go to, before that cannot be opened any more. */
void lm_swap_open(void);

/*
 * Keep the bytes of n (<= LM_SWAP_BATCH) pages at `pages`, which is scratch
 * afterwards; they are those of the addresses from `at` on. handles[i] is 0
 * where there was no room; then the result is why, -errno (-ENOSPC: full), else
 * 0.
 */
int lm_swap_out(void *pages, size_t n, uintptr_t at, uint64_t *handles);

/*
 * The pages of n handles, which go on naming them, to buf. 0; -EBADMSG: the
 * bytes are not those that went out; or the read's -errno. Neighbours in the
 * file are read together.
 */
int lm_swap_in(const uint64_t *handles, size_t n, void *buf);

void lm_swap_free(uint64_t handle);

/* Is the pool short of room, and is there a file? */
bool lm_swap_crowded(void);

/*
 * One of the pages that went to the pool longest ago, by its handle and its
 * address; another one at each call, and false once all were named. Only a
 * hint: who holds the page BUSY sees whether it still has this handle.
 */
bool lm_swap_oldest(uint64_t *handle, uintptr_t *at);
/* Is it in the pool, and has it been there for long, too? */
bool lm_swap_old(uint64_t handle);

/*
 * Write to the file what n (<= LM_SWAP_BATCH) handles name in the pool, where it
 * stays until they are freed. moved[i] names it there; 0: it could not be moved,
 * and the result is why, or it is damaged. The pages are the caller's, BUSY.
 */
int lm_swap_demote(const uint64_t *handles, size_t n, uint64_t *moved);

/* The page with this handle is at another address now. */
void lm_swap_moved(uint64_t handle, uintptr_t to);

/* How many bytes are in use: of the pool's memory, of the file. */
void lm_swap_used(uint64_t *pool, uint64_t *file);

/*
 * Before a fork, after it in the parent, and in the child. No page is on its
 * way in or out; but `surprise`: the child comes of a fork that did not announce
 * itself.
 */
void lm_swap_fork(void);
void lm_swap_fork_parent(void);
void lm_swap_forked(bool surprise);

#endif
