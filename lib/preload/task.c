/*
 * task.c -- tasks that clone() makes with this process's memory, beside their
 * maker (CLONE_VM without CLONE_VFORK): threads that the C library does not know,
 * and processes that share it. The kernel takes the alternate stack away from
 * them, and their stack may be lazy: so they begin on what is pinned of it, and
 * have an alternate stack before they go on. What lazymap keeps of a thread it
 * keeps of them in a block of their own (own.h): the thread-local storage may be
 * their maker's.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "task.h"

#include "preload.h"
#include "signal.h"

#include "../enclose.h"
#include "../ground.h"
#include "../os.h"
#include "../own.h"
#include "../syscall/call.h"

#include <sched.h>

/* What it needs of a stack until it has an alternate one. */
#define BEGINNING ((size_t)16 * 1024)
/* As much at most is taken to be its stack where that is not lazy. */
#define STACK_GUESS ((size_t)64 * 1024)

/* One for each of own.c's, guarded as these are: by who has taken it. */
struct lm_task {
	struct lm_own_task *own;
	void *_Atomic stack; /* the alternate one; kept for the next task */
	struct lm_ground ground;
	uint64_t mask;
	bool by_kernel; /* it says when the task is gone */
	int (*fn)(void *argument);
	void *argument;
};

static struct lm_task tasks[LM_OWN_TASKS];

bool lm_task_is(uint64_t flags, uintptr_t stack)
{
	return flags & CLONE_VM && !(flags & CLONE_VFORK) && stack;
}

struct lm_task *lm_task_prepare(struct lm_task_made *made)
{
	struct lm_own_task *own = lm_own_take(made->flags & CLONE_SETTLS
						      ? made->tls
						      : lm_os_thread_pointer());
	struct lm_task *task;

	if (!own)
		return NULL;
	/* A process can publish nothing that it opens, whose table it may be. */
	if ((made->flags & (CLONE_FILES | CLONE_THREAD)) !=
		    (CLONE_FILES | CLONE_THREAD) &&
	    lm_call_any())
		lm_enclose();
	task = &tasks[own - lm_own_task];
	task->own = own;
	if (!lm_stack_hand(own, &task->stack)) {
		lm_own_give(own);
		return NULL;
	}
	lm_mask_hand(own);
	task->ground = lm_ground_below(made->top, BEGINNING);
	atomic_store(&own->stack, made->top - STACK_GUESS);
	/* Its very top, too: there it ends by a call of its own. */
	atomic_store(&own->size, STACK_GUESS + 1);
	/* The word is the program's where it asks for either. */
	task->by_kernel =
		!(made->flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID));
	if (task->by_kernel) {
		made->flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
		made->child_tid = (uintptr_t)&own->tid;
	}
	made->mask = task->mask = lm_os_block_signals();
	return task;
}

void lm_task_begin(struct lm_task *task)
{
	if (!task->by_kernel)
		lm_own_begin(task->own);
	lm_stack_begin();
	lm_os_restore_signals(task->mask);
	lm_ground_drop(&task->ground);
}

/* If it is, it may have ended by now, and be another one. */
void lm_task_made(const struct lm_task_made *made, struct lm_task *task,
		  bool is)
{
	if (!is) {
		lm_ground_drop(&task->ground);
		lm_own_give(task->own);
	}
	lm_os_restore_signals(made->mask);
}

static int begin(void *data)
{
	struct lm_task *task = data;

	lm_task_begin(task);
	return task->fn(task->argument);
}

int lm_task_clone(int (*fn)(void *argument), void *stack, int flags,
		  void *argument, void *parent_tid, void *tls, void *child_tid)
{
	__typeof__(&clone) real = REAL(clone);
	struct lm_task_made made = { .flags = (unsigned)flags,
				     .top = (uintptr_t)stack,
				     .child_tid = (uintptr_t)child_tid,
				     .tls = (uintptr_t)tls };
	struct lm_task *task = lm_task_prepare(&made);
	int child, error;

	if (!task)
		return real(fn, stack, flags, argument, parent_tid, tls,
			    child_tid);
	task->fn = fn;
	task->argument = argument;
	child = real(begin, stack, (int)made.flags, task, parent_tid, tls,
		     (void *)made.child_tid);
	error = errno;
	lm_task_made(&made, task, child > 0);
	errno = error;
	return child;
}
