/*
 * ahead.c -- what is wanted ahead of need. See ahead.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ahead.h"

#include "fault.h"
#include "lock.h"
#include "pager.h"
#include "resident.h"
#include "start.h"

#include <string.h>

#define WISHES 16

struct wish {
	uintptr_t start, end;
	size_t pages; /* that may come yet */
};

static struct lm_lock lock;
static struct wish wishes[WISHES];  /* guarded by lock; the oldest first */
static _Atomic unsigned wish_count; /* changed with lock */
static struct wish current;         /* the pager's own */

/* As much as one advice may bring: the first of it must not be driven out by
 * the last. */
static size_t most(void)
{
	size_t max =
		atomic_load_explicit(&lm_resident_max, memory_order_relaxed);

	return max ? max / 2 : SIZE_MAX;
}

/* False: all of it that can be done is done. */
static bool go_on(struct wish *wish)
{
	size_t pages;

	if (wish->start >= wish->end || !wish->pages)
		return false;
	pages = lm_fault_ahead(&wish->start, wish->end, wish->pages);
	wish->pages -= lm_min(pages, wish->pages);
	return true;
}

static bool push(const struct wish *wish)
{
	unsigned n;

	lm_lock_take(&lock);
	n = wish_count;
	if (n < WISHES) {
		wishes[n] = *wish;
		wish_count = n + 1;
	}
	lm_lock_drop(&lock);
	return n < WISHES;
}

static bool pop(struct wish *wish)
{
	unsigned n;

	lm_lock_take(&lock);
	n = wish_count;
	if (n) {
		*wish = wishes[0];
		memmove(wishes, wishes + 1, (n - 1) * sizeof(*wishes));
		wish_count = n - 1;
	}
	lm_lock_drop(&lock);
	return n;
}

void lm_ahead(uintptr_t start, uintptr_t end)
{
	struct wish wish = { start, end, most() };
	uint64_t mask = lm_os_block_signals();

	if (lm_os_forked())
		lm_forked();
	if (lm_pager_runs() && push(&wish))
		lm_pager_call();
	else
		while (go_on(&wish))
			;
	lm_os_restore_signals(mask);
}

bool lm_ahead_waiting(void)
{
	/* Sequentially consistent, as is the pager's state: pairs with the
	 * fence in lm_pager_call(). */
	return atomic_load(&wish_count);
}

bool lm_ahead_step(void)
{
	uint64_t mask = lm_os_block_signals();
	bool any = go_on(&current) || pop(&current);

	lm_os_restore_signals(mask);
	return any;
}

void lm_ahead_forked(void)
{
	LM_PUT(&lock.word, 0);
	if (wish_count)
		wish_count = 0;
	if (current.pages)
		current.pages = 0;
}
