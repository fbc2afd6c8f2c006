/*
 * worker.c -- threads that run stores' reads. See worker.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "worker.h"

#include "readahead.h"

#include <pthread.h>
#include <signal.h>

#define WORKERS_MAX 16

/* Lives on the waiting thread's stack until `done`. */
struct transfer {
	struct lm_job job;
	struct lm_store *store;
	void *buf;
	const void *from; /* write these bytes: buf is NULL */
	size_t len;
	uint64_t offset;
	int result;
	_Atomic uint32_t done;
};

/* A stack: pushed by handlers, emptied whole by one worker (so no ABA). */
static _Atomic(struct lm_job *) queue;
static _Atomic uint32_t queued; /* counts pushes; workers sleep on it */
static _Atomic int workers, idle;

static const int raised[] = {
	SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS
};

static void *work(void *unused);

/* Threads that run store operations see none of the program's signals. */
static int spawn(void)
{
	uint64_t mask = lm_os_block_signals();
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	atomic_fetch_add(&workers, 1);
	atomic_fetch_add(&idle, 1);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, work, NULL);
	pthread_attr_destroy(&attr);
	if (ret) {
		atomic_fetch_sub(&workers, 1);
		atomic_fetch_sub(&idle, 1);
	}
	lm_os_restore_signals(mask);
	return -ret;
}

static void run_transfer(struct lm_job *job)
{
	struct transfer *all = (struct transfer *)job;

	if (all->buf)
		all->result = lm_store_read_here(all->store, all->buf, all->len,
						 all->offset);
	else
		all->result = lm_store_write(all->store, all->from, all->len,
					     all->offset);
	/* It is gone as soon as this is seen; the wake may then go to
	 * whatever is there, which has to expect it as any futex has. */
	atomic_store(&all->done, 1);
	lm_os_wake(&all->done, 1);
}

/* Take one job; hand the rest back for others. */
static struct lm_job *take(void)
{
	struct lm_job *job = atomic_exchange(&queue, NULL), *rest, *tail;

	if (!job || !job->next)
		return job;
	rest = tail = job->next;
	job->next = NULL;
	while (tail->next)
		tail = tail->next;
	tail->next = atomic_load(&queue);
	while (!atomic_compare_exchange_weak(&queue, &tail->next, rest))
		;
	atomic_fetch_add(&queued, 1);
	lm_os_wake(&queued, 1);
	return job;
}

/* What this runs may touch what needs another worker. */
static void begin(void)
{
	if (atomic_fetch_sub(&idle, 1) == 1 &&
	    atomic_load(&workers) < WORKERS_MAX)
		spawn();
}

static void end(void)
{
	atomic_fetch_add(&idle, 1);
}

/* Those who wait come first. False: there is nothing to do. */
static bool step(void)
{
	struct lm_job *job = take();
	bool any = true;

	if (!job && !lm_readahead_waiting())
		return false;
	begin();
	if (job)
		job->run(job);
	else
		any = lm_readahead_step();
	end();
	return any;
}

static void *work(void *unused)
{
	/* Signals that an instruction raises: a read may touch lazy memory,
	 * and the kernel kills where they are blocked. */
	uint64_t own = 0;

	(void)unused;
	for (unsigned i = 0; i < sizeof(raised) / sizeof(raised[0]); i++)
		own |= (uint64_t)1 << (raised[i] - 1);
	lm_os_restore_signals(~own);
	for (;;) {
		uint32_t seen = atomic_load(&queued);

		if (!step())
			lm_os_wait(&queued, seen);
	}
	return NULL;
}

int lm_worker_start(void)
{
	return atomic_load(&workers) ? 0 : spawn();
}

bool lm_worker_run(struct lm_job *job)
{
	if (!atomic_load(&workers))
		return false;
	job->next = atomic_load(&queue);
	while (!atomic_compare_exchange_weak(&queue, &job->next, job))
		;
	atomic_fetch_add(&queued, 1);
	lm_os_wake(&queued, 1);
	return true;
}

static int wait_for(struct transfer *transfer)
{
	while (!atomic_load(&transfer->done))
		lm_os_wait(&transfer->done, 0);
	return transfer->result;
}

int lm_worker_read(struct lm_store *store, void *buf, size_t len,
		   uint64_t offset)
{
	struct transfer read = { .job.run = run_transfer,
				 .store = store,
				 .buf = buf,
				 .len = len,
				 .offset = offset };

	/* A child whose fork ran no handler has no workers: do it here. */
	if (!lm_worker_run(&read.job))
		return lm_store_read_here(store, buf, len, offset);
	return wait_for(&read);
}

int lm_worker_write(struct lm_store *store, const void *buf, size_t len,
		    uint64_t offset)
{
	struct transfer write = { .job.run = run_transfer,
				  .store = store,
				  .from = buf,
				  .len = len,
				  .offset = offset };

	return lm_worker_run(&write.job) ? wait_for(&write) : -EAGAIN;
}

void lm_worker_call(void)
{
	atomic_fetch_add(&queued, 1);
	lm_os_wake(&queued, 1);
}

bool lm_worker_forked(void)
{
	int had = atomic_load(&workers);

	LM_PUT(&workers, 0);
	LM_PUT(&idle, 0);
	LM_PUT(&queue, NULL);
	return had;
}
