/*
 * own.c -- see own.h. Tasks are told apart by their number, among those that
 * have the same thread pointer. Async-signal-safe.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "own.h"

#include "meta.h"

#include <string.h>

/* How far from the thread pointer lazymap's variables may lie: below it on
 * x86-64, above it elsewhere. A library's that is preloaded lie next to it. */
#define REACH ((uintptr_t)64 * 1024)
/* A number that no task has: it is about to be made. */
#define RESERVED (UINT32_C(1) << 31)

struct lm_own_task lm_own_task[LM_OWN_TASKS];
_Atomic uint32_t lm_own_tasks;

static struct lm_own_task *forker; /* guarded by the map lock */

static struct lm_own_task *here(void)
{
	uint32_t count = atomic_load(&lm_own_tasks), self = 0;
	uintptr_t pointer = lm_os_thread_pointer();

	for (struct lm_own_task *task = lm_own_task; task < lm_own_task + count;
	     task++) {
		uint32_t tid = atomic_load(&task->tid);

		if (!tid || tid == RESERVED ||
		    atomic_load(&task->pointer) != pointer)
			continue;
		self = self ? self : (uint32_t)lm_sys(SYS_gettid);
		if (tid == self)
			return task;
	}
	return NULL;
}

static void *in_block(const struct lm_own_task *task, const void *variable,
		      uintptr_t pointer)
{
	return atomic_load(&task->block) +
	       ((uintptr_t)variable + REACH - pointer);
}

void *lm_own_find(void *variable)
{
	struct lm_own_task *task = here();

	return task ? in_block(task, variable, lm_os_thread_pointer())
		    : variable;
}

void *lm_own_of(struct lm_own_task *task, void *variable)
{
	return in_block(task, variable, lm_os_thread_pointer());
}

static bool gone(uint32_t tid)
{
	return tid != RESERVED && lm_sys(SYS_tkill, tid, 0) == -ESRCH;
}

static bool reserve(struct lm_own_task *task, bool probing)
{
	uint32_t tid = atomic_load(&task->tid);

	return (!tid || (probing && gone(tid))) &&
	       atomic_compare_exchange_strong(&task->tid, &tid, RESERVED);
}

static bool prepare(struct lm_own_task *task, uintptr_t pointer)
{
	char *block = atomic_load(&task->block);

	if (!block)
		block = lm_meta_run(2 * REACH);
	else /* Its content is nothing from here on; it cannot fail. */
		lm_os_madvise((uintptr_t)block, 2 * REACH, MADV_DONTNEED);
	atomic_store(&task->block, block);
	atomic_store(&task->pointer, pointer);
	atomic_store(&task->size, 0);
	return block;
}

struct lm_own_task *lm_own_take(uintptr_t pointer)
{
	for (uint32_t i = 0; i < 2 * LM_OWN_TASKS; i++) {
		uint32_t n = i % LM_OWN_TASKS, before;

		if (!reserve(&lm_own_task[n], i >= LM_OWN_TASKS))
			continue;
		if (!prepare(&lm_own_task[n], pointer)) {
			lm_own_give(&lm_own_task[n]);
			return NULL;
		}
		before = atomic_load(&lm_own_tasks);
		while (before < n + 1 && !atomic_compare_exchange_weak(
						 &lm_own_tasks, &before, n + 1))
			;
		return &lm_own_task[n];
	}
	return NULL;
}

void lm_own_give(struct lm_own_task *task)
{
	atomic_store(&task->tid, 0);
}

void lm_own_begin(struct lm_own_task *task)
{
	atomic_store(&task->tid, (uint32_t)lm_sys(SYS_gettid));
}

void lm_own_fork(void)
{
	if (atomic_load(&lm_own_tasks))
		forker = here();
}

void lm_own_forked(void)
{
	uint32_t count = atomic_load(&lm_own_tasks);

	for (uint32_t i = 0; i < count; i++)
		LM_PUT(&lm_own_task[i].tid, 0);
	if (!forker)
		return;
	lm_own_begin(forker);
	forker = NULL;
}
