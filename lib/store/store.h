/*
 * store.h -- where an area's initial bytes come from, and where shared dirty
 * pages go.
 *
 * A direct store's pages are the kernel's own: the area is the kernel's mapping
 * of it, held under PROT_NONE, and there is nothing to copy. The zero and file
 * stores are direct. Others have operations.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_STORE_STORE_H
#define LM_STORE_STORE_H

#include "../lazymap.h"
#include "../os.h"

enum lm_store_kind { LM_STORE_ZERO, LM_STORE_FILE, LM_STORE_CALLBACK };

struct lm_store {
	enum lm_store_kind kind;      /* immutable */
	uint32_t refs;                /* guarded by the map lock */
	struct lm_store *next;        /* of those to be closed; map lock */
	struct lazymap_store_ops ops; /* immutable */
	void *data;                   /* immutable */
	_Atomic int write_error;      /* -errno kept for the next sync */
	_Atomic uint32_t pace;        /* what reads ahead take of late, ns */
};

extern struct lm_store lm_store_zero, lm_store_file;

static inline bool lm_store_direct(const struct lm_store *store)
{
	return store->kind != LM_STORE_CALLBACK;
}

/* A store over the caller's operations (copied), with one reference. NULL and
 * *error = -errno. */
struct lm_store *lm_store_callback(const struct lazymap_store_ops *ops,
				   void *data, int *error);

/* Give back one that was never mapped; its close is not called. */
void lm_store_discard(struct lm_store *store);

/* With the map lock. */
void lm_store_hold(struct lm_store *store);
void lm_store_drop(struct lm_store *store);
/* Without any lock: close what lm_store_drop() left without a user. */
void lm_store_close_dropped(void);

/* Fill buf: from the faulting thread, in its handler or not. 0 or -errno. */
int lm_store_read(struct lm_store *store, void *buf, size_t len,
		  uint64_t offset);
/* The store's own operations, in this thread. 0 or -errno. */
int lm_store_read_here(struct lm_store *store, void *buf, size_t len,
		       uint64_t offset);
/* The same, in a worker that reads ahead, of LM_BOUNCE_SIZE or less: how long it
 * takes is remembered. */
int lm_store_read_ahead(struct lm_store *store, void *buf, size_t len,
			uint64_t offset);
/* Do these take so long that who waits is not to wait for many? How long that is
 * only tests change: on a busy machine all takes long. Atomic. */
extern _Atomic uint32_t lm_store_slow_ns;
bool lm_store_slow(const struct lm_store *store);
int lm_store_write(struct lm_store *store, const void *buf, size_t len,
		   uint64_t offset);

/* Have a worker keep len bytes of a shared area. 0; -EAGAIN: there is none. */
int lm_store_write_elsewhere(struct lm_store *store, const void *buf,
			     size_t len, uint64_t offset);

#endif
