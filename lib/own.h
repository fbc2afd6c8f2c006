/*
 * own.h -- thread-local variables of lazymap's in tasks that share a thread's.
 *
 * A task that the program makes by clone() with its memory, and without thread-
 * local storage of its own, goes on with its maker's, beside it. What lazymap
 * keeps there of one is not true of the other. So such tasks have a block each
 * that holds lazymap's variables, and LM_OWN(variable) is the one of the task
 * that asks. Where there is no such task it costs a load.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_OWN_H
#define LM_OWN_H

#include "os.h"

/* So many at a time; others share. */
#define LM_OWN_TASKS 128

struct lm_own_task {
	/* 0: free. Written by the kernel, for who is made (CLONE_CHILD_SETTID)
	 * and when he is gone (CLONE_CHILD_CLEARTID), unless the program asks
	 * for these for itself: then who takes one looks. Atomic. */
	_Atomic uint32_t tid;
	_Atomic uintptr_t pointer; /* its thread pointer */
	_Atomic(char *) block;     /* its variables; kept for the next one */
	/* What it begins on, for the hooks of code with small stacks. */
	_Atomic uintptr_t stack, size;
};

extern struct lm_own_task lm_own_task[LM_OWN_TASKS]
	__attribute__((visibility("hidden")));
/* None of these and what follows has ever been used. Atomic. */
extern _Atomic uint32_t lm_own_tasks __attribute__((visibility("hidden")));

/* Has there ever been such a task? */
static inline bool lm_own_any(void)
{
	return __builtin_expect(
		atomic_load_explicit(&lm_own_tasks, memory_order_relaxed) != 0,
		0);
}

void *lm_own_find(void *variable);

static inline void *lm_own_at(void *variable)
{
	return lm_own_any() ? lm_own_find(variable) : variable;
}

/* A thread-local variable, as this task has it. */
#define LM_OWN(variable) (*(__typeof__(&(variable)))lm_own_at(&(variable)))

/* One for a task that is about to be made with this thread pointer, with all
 * variables 0; NULL: there is none left. Given back where it could not be made. */
struct lm_own_task *lm_own_take(uintptr_t pointer);
void lm_own_give(struct lm_own_task *task);
/* In the task, where the kernel does not say so. */
void lm_own_begin(struct lm_own_task *task);

/* The task's own of this thread's variable. */
#define LM_OWN_OF(task, variable)                                              \
	(*(__typeof__(&(variable)))lm_own_of(task, &(variable)))
void *lm_own_of(struct lm_own_task *task, void *variable);

/* Before a fork, with the map lock; in the child: the other tasks are not here. */
void lm_own_fork(void);
void lm_own_forked(void);

#endif
