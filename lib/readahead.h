/*
 * readahead.h -- what a stream in a store comes to next, read by workers
 * meanwhile.
 *
 * A fault that goes on a stream (stream.h) asks for twice as much beyond it, up
 * to 2 MiB; workers fill it in pieces, several at once, into frames that count
 * under the limits. The page that the stream comes to first, the marker, is
 * filled and stays hidden: its touch, a soft fault, asks for what is next. A
 * marker that is driven out untouched tells of a wrong guess, which is counted
 * (pages_ahead_unused). What cannot be read is left absent: who touches it hears
 * of it.
 *
 * Within a limit that leaves room for them blocks of 2 MiB come whole (crew.h),
 * each of which is a marker.
 *
 * So it is with a stride (stride.h): the steps that come next are asked for, each
 * of which is a piece, and the first page of the first is the marker.
 *
 * Only for stores whose reads run in workers; not with LAZYMAP_THREADS=0,
 * where the cluster is fixed, or with MADV_RANDOM. Hints: what finds no place
 * is not read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_READAHEAD_H
#define LM_READAHEAD_H

#include "claim.h"

/* Is it read ahead at all? */
bool lm_readahead_can(const struct lm_store *store);

/* Of a fault that was served: ask, if it goes on a stream. Async-signal-safe;
 * all signals blocked. */
void lm_readahead(const struct lm_claim *claim);

/* Does anybody ask? */
bool lm_readahead_waiting(void);

/* In a worker: read a piece. False: nobody asks for any. */
bool lm_readahead_step(void);

/* In a forked child: nobody asked. */
void lm_readahead_forked(void);

#endif
