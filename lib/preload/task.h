/*
 * task.h -- tasks that clone() makes with this process's memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PRELOAD_TASK_H
#define LM_PRELOAD_TASK_H

#include <stdbool.h>
#include <stdint.h>

struct lm_task;

/* What the kernel is going to be asked for. */
struct lm_task_made {
	uint64_t flags;
	uintptr_t top; /* of the stack, where it begins */
	uintptr_t child_tid, tls;
	uint64_t mask; /* its maker's */
};

/* Does it go on beside its maker, in the same memory, on a stack of its own? */
bool lm_task_is(uint64_t flags, uintptr_t stack);

/*
 * Before it is made: flags and child_tid may change. All signals are blocked from
 * here on, in the task, too, until lm_task_begin() there and lm_task_made() in its
 * maker, which is told whether there is one. NULL: make it as it is.
 */
struct lm_task *lm_task_prepare(struct lm_task_made *made);
void lm_task_begin(struct lm_task *task);
void lm_task_made(const struct lm_task_made *made, struct lm_task *task,
		  bool is);

/* Both, and children with a copy, where an instruction of the program's makes
 * them. */
extern const struct lm_clone_ops lm_clone_raw;

/* clone() of the C library: a function that the task is to call. */
int lm_task_clone(int (*fn)(void *argument), void *stack, int flags,
		  void *argument, void *parent_tid, void *tls, void *child_tid);

#endif
