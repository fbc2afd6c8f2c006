/*
 * store.c -- the stores there are, and their life. See store.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store.h"

#include "../gate.h"
#include "../meta.h"
#include "../worker.h"

#include <string.h>

/* A block of 32 such reads by four workers takes as long as a disk's seek. */
_Atomic uint32_t lm_store_slow_ns = 500000;
#define PACE_MAX ((uint64_t)100000000)

struct lm_store lm_store_zero = { .kind = LM_STORE_ZERO };
struct lm_store lm_store_file = { .kind = LM_STORE_FILE };

static struct lm_store *_Atomic dropped;

static int check_ops(const struct lazymap_store_ops *ops)
{
	if (!ops || ops->version != LAZYMAP_STORE_VERSION ||
	    ops->size < sizeof(*ops) || !ops->read ||
	    ops->flags & ~LAZYMAP_STORE_IN_HANDLER)
		return -EINVAL;
	return 0;
}

struct lm_store *lm_store_callback(const struct lazymap_store_ops *ops,
				   void *data, int *error)
{
	struct lm_store *store = NULL;

	*error = check_ops(ops);
	if (*error)
		return NULL;
	store = lm_meta_run(sizeof(*store));
	if (!store) {
		*error = -ENOMEM;
		return NULL;
	}
	store->kind = LM_STORE_CALLBACK;
	store->refs = 1;
	store->ops = *ops;
	store->data = data;
	return store;
}

void lm_store_discard(struct lm_store *store)
{
	lm_meta_free_run(store, sizeof(*store));
}

void lm_store_hold(struct lm_store *store)
{
	if (!lm_store_direct(store))
		store->refs++;
}

void lm_store_drop(struct lm_store *store)
{
	struct lm_store *head;

	if (lm_store_direct(store) || --store->refs)
		return;
	head = atomic_load(&dropped);
	do {
		store->next = head;
	} while (!atomic_compare_exchange_weak(&dropped, &head, store));
}

void lm_store_close_dropped(void)
{
	struct lm_store *store = atomic_exchange(&dropped, NULL);

	while (store) {
		struct lm_store *next = store->next;

		if (store->ops.close)
			store->ops.close(store->data);
		lm_meta_free_run(store, sizeof(*store));
		store = next;
	}
}

int lm_store_read_here(struct lm_store *store, void *buf, size_t len,
		       uint64_t offset)
{
	int ret;

	LM_OWN(lm_gate_nested)++;
	ret = store->ops.read(store->data, buf, len, (off_t)offset);
	LM_OWN(lm_gate_nested)--;
	/* A byte count, say, is not what was promised: do not believe it. */
	return ret > 0 ? -EIO : ret;
}

int lm_store_read_ahead(struct lm_store *store, void *buf, size_t len,
			uint64_t offset)
{
	uint64_t then = lm_os_now_ns(), took;
	int ret = lm_store_read_here(store, buf, len, offset);
	uint32_t pace =
		atomic_load_explicit(&store->pace, memory_order_relaxed);

	took = lm_min(lm_os_now_ns() - then, PACE_MAX);
	/* Of several at once one may get lost. */
	atomic_store_explicit(&store->pace, (7 * pace + (uint32_t)took) / 8,
			      memory_order_relaxed);
	return ret;
}

bool lm_store_slow(const struct lm_store *store)
{
	return atomic_load_explicit(&store->pace, memory_order_relaxed) >
	       atomic_load_explicit(&lm_store_slow_ns, memory_order_relaxed);
}

int lm_store_write(struct lm_store *store, const void *buf, size_t len,
		   uint64_t offset)
{
	int ret;

	LM_OWN(lm_gate_nested)++;
	ret = store->ops.write(store->data, buf, len, (off_t)offset);
	LM_OWN(lm_gate_nested)--;
	return ret > 0 ? -EIO : ret;
}

int lm_store_read(struct lm_store *store, void *buf, size_t len,
		  uint64_t offset)
{
	if (store->ops.flags & LAZYMAP_STORE_IN_HANDLER)
		return lm_store_read_here(store, buf, len, offset);
	return lm_worker_read(store, buf, len, offset);
}

int lm_store_write_elsewhere(struct lm_store *store, const void *buf,
			     size_t len, uint64_t offset)
{
	int ret = lm_worker_write(store, buf, len, offset);

	return ret > 0 ? -EIO : ret;
}
