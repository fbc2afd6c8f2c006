/*
 * area.h -- the mapped ranges, in address order.
 *
 * A sorted array of pointers, looked up by bisection; changed only with the
 * map lock held and the gate shut, read by faults inside the gate. Areas never
 * overlap, and neighbours that could be one are one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_AREA_H
#define LM_AREA_H

#include "os.h"
#include "page.h"
#include "quota.h"
#include "store/store.h"

enum lm_area_flags {
	LM_AREA_SHARED = 1 << 0,    /* MAP_SHARED */
	LM_AREA_READ_ONLY = 1 << 1, /* PROT_WRITE is EACCES */
	LM_AREA_LOCKED = 1 << 2,    /* mlock: what is present stays */
	LM_AREA_DONTFORK = 1 << 3,
	LM_AREA_GUARDS = 1 << 4,   /* the kernel keeps guard pages in it */
	LM_AREA_RANDOM = 1 << 5,   /* MADV_RANDOM: one page a fault */
	LM_AREA_ADAPTIVE = 1 << 7, /* nobody fixed the cluster: see stream.h */
	LM_AREA_SEQUENTIAL = 1 << 6,   /* MADV_SEQUENTIAL: goes before others */
	LM_AREA_HUGE_ADVISED = 1 << 8, /* the program says which are huge */
	LM_AREA_WIPEONFORK = 1 << 9,   /* a child finds zeros */
	/* The program serves its faults (userfaultfd): it is asked for what is
	 * touched alone, and what is there stays. */
	LM_AREA_SERVED = 1 << 10,
	/* The kernel's mapping has something else of the program's that a new
	 * one would not have. */
	LM_AREA_ADVISED = 1 << 11,
};

/* All fields are guarded by the gate: written when shut, read inside. */
struct lm_area {
	uintptr_t start, end;
	uint64_t offset; /* of start, in the store */
	struct lm_store *store;
	struct lm_quota *quota; /* NULL: no limit of its own */
	uint64_t object;        /* which mapping, where the store is of many */
	uint64_t dev, ino;      /* the file's; 0, 0: it has none */
	int prot;               /* what the program asked for */
	unsigned flags;         /* LM_AREA_... */
	_Atomic bool primed;    /* it was written to: see lm_area_prime() */
	_Atomic bool no_guard;  /* its mapping takes none: see guard.h */
	size_t cluster;         /* bytes, a power of two, <= LM_BLOCK */
};

/* What the kernel's protection of its pages in this state is. */
int lm_area_prot(const struct lm_area *area, enum lm_page_state state);

/* The area that holds addr, or NULL. */
struct lm_area *lm_area_find(uintptr_t addr);
/* The first area whose end is above addr, or NULL. */
struct lm_area *lm_area_at_or_after(uintptr_t addr);
/*
 * Which 16 GiB of addresses hold areas or did: a byte for each. A mark is also
 * on the 16 GiB before, so that a range no longer than that is near an area
 * only if its start is in marked ones: one load answers for most. Read by
 * lib/syscall/hook.c in assembly. Atomic; marks stay.
 */
#define LM_NEAR_SHIFT 34
#define LM_NEAR ((uintptr_t)1 << (LM_ADDRESS_BITS - LM_NEAR_SHIFT))
extern _Atomic uint8_t lm_area_marks[LM_NEAR];
extern _Atomic uint8_t lm_area_marked; /* is any of them? */

/* Was there ever an area? */
static inline bool lm_area_ever(void)
{
	return atomic_load_explicit(&lm_area_marked, memory_order_relaxed);
}

/* Can any area be in the 16 GiB from `start` on? False is certain. */
static inline bool lm_area_near_start(uintptr_t start)
{
	uintptr_t i = start >> LM_NEAR_SHIFT;

	return i < LM_NEAR &&
	       atomic_load_explicit(&lm_area_marks[i], memory_order_relaxed);
}

/* Can any area be in [start, end), start < end? False is certain. */
static inline bool lm_area_near(uintptr_t start, uintptr_t end)
{
	uintptr_t i = start >> LM_NEAR_SHIFT, last = (end - 1) >> LM_NEAR_SHIFT;

	/* More than one is rare, and more than two would be a huge range. */
	for (last = lm_min(last, LM_NEAR - 1); i <= last; i++)
		if (atomic_load_explicit(&lm_area_marks[i],
					 memory_order_relaxed))
			return true;
	return false;
}

/* Does any area overlap [start, end)? Enters the gate itself: not for callers
 * that have shut it. The answer may be old as soon as it is given. */
bool lm_area_overlaps(uintptr_t start, uintptr_t end);

/* True for the first to ask, and so to do what comes before the first write. */
static inline bool lm_area_prime(struct lm_area *area)
{
	return !atomic_load_explicit(&area->primed, memory_order_relaxed) &&
	       !atomic_exchange_explicit(&area->primed, true,
					 memory_order_relaxed);
}

/* Has the process as many areas as the kernel would let it have (ENOMEM)? */
bool lm_area_full(void);

/* -- With the map lock ------------------------------------------------------ */

/* Reserve what the next insert, two splits included, will need: 0, -ENOMEM.
 * After it, insert, carve and split cannot fail. */
int lm_area_reserve(void);
/* The same with the gate shut already, for one more within a change. */
int lm_area_reserve_inside(void);

/* Before a copy of an area is inserted: what it points to is held once more. */
void lm_area_hold(const struct lm_area *area);

/* The same with the gate shut: */
void lm_area_insert(const struct lm_area *area);
/* Cut [start, end) out. Page states are not touched; each area removed drops
 * its store and quota. */
void lm_area_carve(uintptr_t start, uintptr_t end);
/* Make addr a border between areas where it is inside one. */
void lm_area_split(uintptr_t addr);
/* Join neighbours in and around [start, end) that could be one. */
void lm_area_merge(uintptr_t start, uintptr_t end);

/* A free range of len bytes with start = phase (mod align) for a new area, in
 * the window where areas are kept; 0 when there is none. `above`: do not look
 * below. A hint only: the kernel has the last word. */
uintptr_t lm_area_pick(size_t len, uintptr_t align, uintptr_t phase,
		       uintptr_t above);

/* In order, not empty, not overlapping, as far as anything has changed since it
 * was asked: for assert. */
bool lm_area_sound(void);

size_t lm_area_count(void);
uint64_t lm_area_bytes(void);

int lm_area_start(void);

#endif
