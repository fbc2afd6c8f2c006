/*
 * watched.h -- a store of known pages (known.h) that counts how often each was
 * read, and whose reads can be stopped or made to fail.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WATCHED_H
#define WATCHED_H

#include "known.h"
#include "lazymap.h"

#include <stdatomic.h>
#include <stdbool.h>

#define WATCHED_MAX ((size_t)65536)
#define WATCHED_NONE SIZE_MAX

extern char *watched_base;
extern _Atomic unsigned watched_reads[WATCHED_MAX];
/* Pages: a read of this one does not go on while it is so; reads of what is from
 * here on fail. WATCHED_NONE: none. */
extern _Atomic size_t watched_stop_at, watched_bad_from;
extern _Atomic bool watched_stopped; /* there was such a read */
/* Errors that were told; and, when it was closed, reads that went on, plus 1. */
extern _Atomic unsigned watched_reports, watched_closed;

/* Its operations; a test may set their flags before it begins. */
extern struct lazymap_store_ops watched_ops;

/* Start with these options and map so many pages, private, to read and write.
 * Fails the test otherwise. */
void watched_begin(const struct lazymap_options *options, size_t pages);

struct lazymap_stats watched_stats(void);

/* With a read of a worker's stopped: unmap them. The store is closed once, when that
 * read, which goes on meanwhile, is over. */
void watched_unmap_while_reading(size_t pages);

/* A tenth of a millisecond; and up to half a minute, or the test fails. */
void watched_nap(void);
void watched_wait_for(_Atomic bool *what);

#endif
