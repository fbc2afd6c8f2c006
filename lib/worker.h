/*
 * worker.h -- threads that run stores' reads, which may allocate, lock and
 * block, while the faulting thread waits in its handler.
 *
 * None before the first store that needs one. There is always one more than
 * reads under way (up to a bound), so that a read may touch another store's
 * lazy memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_WORKER_H
#define LM_WORKER_H

#include "store/store.h"

/* What a worker is to do, once. The worker does not look at it any more when it
 * has begun with it. */
struct lm_job {
	struct lm_job *next; /* the queue's */
	void (*run)(struct lm_job *job);
};

/* In ordinary context: see that there is a worker. 0 or -errno. */
int lm_worker_start(void);

/* Run the store's read in a worker and wait for it. Async-signal-safe; all
 * signals blocked. */
int lm_worker_read(struct lm_store *store, void *buf, size_t len,
		   uint64_t offset);

/* The same with its write; -EAGAIN when there are no workers. */
int lm_worker_write(struct lm_store *store, const void *buf, size_t len,
		    uint64_t offset);

/* Have one do that, before what is read ahead. False: there are no workers.
 * Async-signal-safe. */
bool lm_worker_run(struct lm_job *job);

/* There is something to read ahead (readahead.h). Async-signal-safe. */
void lm_worker_call(void);

/* In a forked child: the workers are gone. Were there any? Async-signal-safe. */
bool lm_worker_forked(void);

#endif
