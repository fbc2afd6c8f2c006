/*
 * aio.c -- the buffers of Linux AIO: pinned before io_submit, until the event that
 * tells of the request's end has been got, or its context is destroyed. See aio.h.
 *
 * Without it a page that absent memory begins with would be EFAULT, and one that
 * is evicted under way, and comes back, not have what the disk wrote to it.
 *
 * A request is known by its context and the address of its control block, which
 * the event names. A program may use one control block for several requests at
 * once, and then which of them has ended is not said: all are let go of when all
 * have. One that takes its events out of the ring itself, without a call, is seen
 * by nobody, and its buffers stay pinned until the context ends.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "aio.h"

#include "../lock.h"
#include "../meta.h"
#include "access.h"
#include "copy.h"

#include <limits.h>
#include <linux/aio_abi.h>
#include <stdatomic.h>
#include <sys/uio.h>

/* More at once are not looked at; they wait for EFAULT, or for luck. */
#define REQUESTS_MAX 65536
#define BUCKETS 64

/* A buffer of a request. */
struct held {
	struct held *next;
	uint64_t context, block;
	long turn; /* the request's: each has its own */
	bool ended;
	uintptr_t start;
	size_t len;
};

static struct lm_lock lock;
static struct held *buckets[BUCKETS], *spare; /* guarded by lock */
static _Atomic long turns;
static _Atomic size_t count; /* in buckets: a hint */

static struct held **bucket(uint64_t block)
{
	return &buckets[block * 0x9E3779B97F4A7C15u >> 58];
}

/* -- With the lock --------------------------------------------------------------- */

static struct held *get(void)
{
	struct held *held = spare;
	size_t n = LM_PAGE / sizeof(*held);

	if (!held) {
		held = lm_meta_page();
		for (size_t i = 0; held && i < n; i++)
			held[i].next = i + 1 < n ? &held[i + 1] : NULL;
	}
	if (held)
		spare = held->next;
	return held;
}

/* Out of its bucket, for let_go(). */
static struct held *take(struct held **at, struct held *taken)
{
	struct held *held = *at;

	*at = held->next;
	held->next = taken;
	atomic_fetch_sub_explicit(&count, 1, memory_order_relaxed);
	return held;
}

/* -- A request ------------------------------------------------------------------- */

struct request {
	uint64_t context, block;
	long turn;
};

static void hold(const struct request *request, uintptr_t start, size_t len,
		 int write)
{
	uint64_t mask;
	struct held *held;

	if (!start || !len || len > SSIZE_MAX || !lm_access_lazy(start, len))
		return;
	len = lm_access_pin(start, len, write);
	if (!len)
		return;
	mask = lm_os_block_signals();
	lm_lock_take(&lock);
	held = get();
	/* Without memory for the record it stays pinned. */
	if (held) {
		*held = (struct held){ *bucket(request->block),
				       request->context,
				       request->block,
				       request->turn,
				       false,
				       start,
				       len };
		*bucket(request->block) = held;
		atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
	}
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
}

static void hold_all(const struct request *request, const struct iocb *block)
{
	struct iovec iov;
	uintptr_t at = (uintptr_t)block->aio_buf;
	int write = block->aio_lio_opcode == IOCB_CMD_PREAD ||
		    block->aio_lio_opcode == IOCB_CMD_PREADV;

	switch (block->aio_lio_opcode) {
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PWRITE:
		hold(request, at, block->aio_nbytes, write);
		break;
	case IOCB_CMD_PREADV:
	case IOCB_CMD_PWRITEV:
		if (block->aio_nbytes > IOV_MAX)
			break;
		for (size_t i = 0; i < block->aio_nbytes; i++) {
			if (lm_copy(&iov, at + i * sizeof(iov), sizeof(iov)))
				break;
			hold(request, (uintptr_t)iov.iov_base, iov.iov_len,
			     write);
		}
		break;
	}
}

/* Unpin what was taken, and keep the records. */
static void let_go(struct held *taken)
{
	uint64_t mask;
	struct held *held;

	while ((held = taken)) {
		taken = held->next;
		lm_access_unpin(held->start, held->len);
		mask = lm_os_block_signals();
		lm_lock_take(&lock);
		held->next = spare;
		spare = held;
		lm_lock_drop(&lock);
		lm_os_restore_signals(mask);
	}
}

/* -- The calls ------------------------------------------------------------------- */

static long requests(const long args[6])
{
	return args[1] < REQUESTS_MAX ? args[1] : REQUESTS_MAX;
}

static long submit(const long args[6])
{
	long n = requests(args), turn;
	struct iocb block;
	uint64_t at;

	if (n <= 0)
		return 0;
	turn = atomic_fetch_add_explicit(&turns, n, memory_order_relaxed);
	for (long i = 0; i < n; i++) {
		if (lm_copy(&at, (uintptr_t)args[2] + (size_t)i * sizeof(at),
			    sizeof(at)) < 0 ||
		    lm_copy(&block, at, sizeof(block)) < 0)
			break;
		hold_all(&(struct request){ (uint64_t)args[0], at, turn + i },
			 &block);
	}
	return turn;
}

/* Those of these turns were not begun; or, end 0, the context is no more. */
static void drop(long turn, long end, uint64_t context)
{
	uint64_t mask = lm_os_block_signals();
	struct held *taken = NULL, **at;

	lm_lock_take(&lock);
	for (int i = 0; i < BUCKETS; i++)
		for (at = &buckets[i]; *at;)
			if (end ? (*at)->turn >= turn && (*at)->turn < end
				: (*at)->context == context)
				taken = take(at, taken);
			else
				at = &(*at)->next;
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
	let_go(taken);
}

/* One more request of this control block has ended: the first that has not. Are
 * there others under way? */
static bool end_one(uint64_t context, uint64_t block)
{
	long first = LONG_MAX, last = -1;

	for (struct held *held = *bucket(block); held; held = held->next)
		if (held->context == context && held->block == block &&
		    !held->ended) {
			first = held->turn < first ? held->turn : first;
			last = held->turn > last ? held->turn : last;
		}
	for (struct held *held = *bucket(block); held; held = held->next)
		if (held->context == context && held->block == block &&
		    held->turn == first)
			held->ended = true;
	return first < last;
}

static void end(uint64_t context, uint64_t block)
{
	uint64_t mask = lm_os_block_signals();
	struct held *taken = NULL, **at = bucket(block);

	lm_lock_take(&lock);
	if (end_one(context, block))
		at = NULL;
	while (at && *at)
		if ((*at)->context == context && (*at)->block == block)
			taken = take(at, taken);
		else
			at = &(*at)->next;
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
	let_go(taken);
}

static void got(const long args[6], long n)
{
	struct io_event event;

	for (long i = 0; i < n; i++)
		if (lm_copy(&event,
			    (uintptr_t)args[3] + (size_t)i * sizeof(event),
			    sizeof(event)) == 0)
			end((uint64_t)args[0], event.obj);
}

bool lm_aio_wanted(long nr)
{
	return nr == SYS_io_submit || nr == SYS_io_getevents ||
	       nr == SYS_io_pgetevents || nr == SYS_io_destroy;
}

long lm_aio_before(long nr, const long args[6])
{
	return nr == SYS_io_submit ? submit(args) : 0;
}

void lm_aio_after(long nr, const long args[6], long turn, long result)
{
	if (!atomic_load_explicit(&count, memory_order_relaxed))
		return;
	if (nr == SYS_io_submit) {
		if (result < requests(args) && args[1] > 0)
			drop(turn + (result > 0 ? result : 0),
			     turn + requests(args), 0);
	} else if (nr == SYS_io_destroy) {
		/* It has waited for all of them. */
		if (!result)
			drop(0, 0, (uint64_t)args[0]);
	} else {
		got(args, result);
	}
}

void lm_aio_forked(void)
{
	bool changing = atomic_load(&lock.word);

	LM_PUT(&lock.word, 0);
	for (int i = 0; i < BUCKETS; i++) {
		struct held *taken = buckets[i];

		if (!taken)
			continue;
		buckets[i] = NULL;
		/* Else another thread had them in its hands. */
		if (!changing)
			let_go(taken);
	}
	if (changing)
		spare = NULL;
	LM_PUT(&count, 0);
}
