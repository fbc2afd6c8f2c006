/*
 * file.h -- evicted pages in an unlinked file.
 *
 * One file a process, made when the first page goes there: mode 0600 and
 * without a name (O_TMPFILE), in $LAZYMAP_SWAPDIR, or if that is not set in the
 * first of $TMPDIR and /var/tmp that takes one. Slots are given out upwards, a
 * run for the pages of one call.
 *
 * A forked child reads what it inherited from its parent's file and writes to
 * a file of its own. The parent must not use a slot again that a child may
 * still read: each fork leaves a pipe between them that says, by its end, when
 * the child (and all of its own children) exec'ed or exited. Slots that were
 * in use at a fork and are freed later wait for that.
 *
 * Async-signal-safe with all signals blocked; one lock, not held while the file
 * is read or written.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SWAP_FILE_H
#define LM_SWAP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At most `bytes` in the file; 0: no file. Reads the environment. `encrypt`:
 * with a key that nobody but this process ever knows. Once, in ordinary
 * context. 0; -ENOENT: the cipher's module is not installed; -ENOTDIR: the
 * directory that is named takes no file; or -errno. */
int lm_swap_file_start(uint64_t bytes, bool encrypt);

/* In tests: called before each read and write of the file; below 0, it is what
 * that comes to. Atomic; NULL elsewhere. */
typedef int (*lm_swap_file_fn)(bool write);
extern _Atomic(lm_swap_file_fn) lm_swap_file_hook;

/* May there be a file? And have it now, if it can be had. */
bool lm_swap_file_wanted(void);
void lm_swap_file_open(void);

/*
 * Write *n pages, whose memory is scratch afterwards, to a run of slots from
 * *slot (under 2^34) on; *n becomes how many fitted. 0; -ENOSPC: no room under
 * the limit, or on the disk; -EFBIG: RLIMIT_FSIZE; -ENOENT: no directory takes
 * a file; -ENOMEM: no memory for the tables; or the write's -errno.
 */
int lm_swap_file_put(void *pages, const uint32_t *sums, size_t *n,
		     uint64_t *slot);

/* Read n slots from `slot` on. 0; -EIO: shorter than it was; -ESTALE: the
 * descriptor was lost to the program; or the read's -errno. */
int lm_swap_file_read(uint64_t slot, size_t n, void *buf);

uint32_t lm_swap_file_sum(uint64_t slot);
void lm_swap_file_free(uint64_t slot);

/* Bytes in use in this process's own file. */
uint64_t lm_swap_file_used(void);

void lm_swap_file_fork(void);
void lm_swap_file_fork_parent(void);
void lm_swap_file_forked(void);

#endif
