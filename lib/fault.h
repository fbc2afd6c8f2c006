/*
 * fault.h -- the way of a fault, and of a system call's buffer, from the
 * address to the page in place.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_FAULT_H
#define LM_FAULT_H

#include "area.h"
#include "page.h"
#include "stride.h"
#include "trap/trap.h"

/* Serve a fault: see struct lm_trap_core. All signals are blocked. */
enum lm_served lm_fault(uintptr_t addr, enum lm_access access);

/* The same, for the kernel's access to [addr, until); 0: a fault. What lies
 * before `until` is worth claiming beyond the cluster. */
enum lm_served lm_fault_serve(uintptr_t addr, enum lm_access access,
			      uintptr_t until);

/*
 * Make the pages of [start, end) present for `access` and (pin) pinned, from
 * start on, as far as it goes; holes and kernel mappings are passed over.
 * Returns the address reached, `end` when all is done; *error then is 0, else
 * -EFAULT (protection), -EAGAIN (too many pins), or the store's error.
 * Not from inside the gate.
 */
uintptr_t lm_fault_range(uintptr_t start, uintptr_t end, enum lm_access access,
			 bool pin, int *error);
void lm_fault_unpin(uintptr_t start, uintptr_t end);

/*
 * Bring back from swap the next pages of [*at, end) that are there, a cluster or
 * less, ahead of any touch: how many. *at is where to go on: end, when no more
 * can come. Silent when it fails, which the touch will tell. All signals are
 * blocked; not from inside the gate.
 */
size_t lm_fault_ahead(uintptr_t *at, uintptr_t end, size_t most);

/*
 * Read ahead what is absent of a store's [start, end): in a worker, whatever else
 * happens there meanwhile. A marker among it stays hidden, and is one of 1 <<
 * `ahead` pages. `apart`: a stride's, far from what else is read. Silent, too.
 */
void lm_fault_read_ahead(uintptr_t start, uintptr_t end,
			 const struct lm_store *store, uintptr_t marker,
			 unsigned ahead, bool apart);

/*
 * In a fault on a stride, which has been served: show what is absent of its next
 * steps, for the same access, where there is room. Silent, too.
 */
void lm_fault_show(const struct lm_steps *steps, const struct lm_store *store,
		   enum lm_access access);

/* The error callback: returns what it returned, 0 without one. */
int lm_error_report(int kind, int error, uintptr_t addr, const char *what);

#endif
