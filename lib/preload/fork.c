/*
 * fork.c -- children with memory of their own whose makers run no atfork handlers:
 * _Fork(), clone() without CLONE_VM, and the same calls by number. They are
 * announced here as fork() is by its handlers, or the parent would use again
 * what the child has to find in swap.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"
#include "signal.h"
#include "task.h"

#include "../os.h"
#include "../start.h"
#include "../syscall/copy.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a child needs of a stack until it can have more of it. */
#define STACK_TOP ((uintptr_t)64 * 1024)

/* The beginning of clone3's struct clone_args. */
struct clone_args_head {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack;
};

/* A child with memory of its own, that goes on from here. */
static bool forks(long nr, const long args[6])
{
	unsigned long flags = (unsigned long)args[0];
	struct clone_args_head head;

	switch (nr) {
#ifdef SYS_fork
	case SYS_fork:
		return true;
#endif
	case SYS_clone:
		return !(flags & CLONE_VM) && !args[1];
#ifdef SYS_clone3
	case SYS_clone3:
		return (size_t)args[1] >= sizeof(head) &&
		       lm_copy(&head, (uintptr_t)args[0], sizeof(head)) == 0 &&
		       !(head.flags & CLONE_VM) && !head.stack;
#endif
	}
	return false;
}

/* Is there lazy memory, and is it this process's? */
static bool to_announce(void)
{
	return !lm_shim_off() && lm_call_any() && !lm_shim_vforked();
}

bool lm_fork_raw(long nr, const long args[6], long *result)
{
	struct lm_call_pins pins;

	if (!forks(nr, args) || !to_announce())
		return false;
	/* Nothing can come in between. */
	lm_call_pin(&pins, nr, args);
	lm_fork_announce();
	*result = lm_sys(nr, args[0], args[1], args[2], args[3], args[4],
			 args[5]);
	lm_fork_done(!*result);
	lm_call_unpin(&pins);
	return true;
}

LM_EXPORT pid_t _Fork(void)
{
	__typeof__(&_Fork) real = REAL(_Fork);
	pid_t pid;

	if (!to_announce())
		return real();
	lm_fork_announce();
	pid = real();
	lm_fork_done(!pid);
	return pid;
}

/* On the parent's stack: the child has a copy. */
struct start {
	int (*fn)(void *argument);
	void *argument;
	struct lm_call_pins pins;
};

static int start_child(void *argument)
{
	struct start *start = argument;
	int status;

	lm_fork_done(true);
	lm_call_unpin(&start->pins);
	status = start->fn(start->argument);
	lm_process_left();
	return status;
}

LM_EXPORT int clone(int (*fn)(void *argument), void *stack, int flags,
		    void *argument, ...)
{
	__typeof__(&clone) real = REAL(clone);
	struct start start = { .fn = fn, .argument = argument };
	void *parent_tid, *tls, *child_tid;
	uintptr_t top = (uintptr_t)stack;
	va_list more;
	int child, error;

	va_start(more, argument);
	parent_tid = va_arg(more, void *);
	tls = va_arg(more, void *);
	child_tid = va_arg(more, void *);
	va_end(more);
	if (fn && lm_task_is((unsigned)flags, top) && !lm_shim_off())
		return lm_task_clone(fn, stack, flags, argument, parent_tid,
				     tls, child_tid);
	if (flags & CLONE_VM || !fn || !stack || !to_announce())
		return real(fn, stack, flags, argument, parent_tid, tls,
			    child_tid);
	lm_call_pin(&start.pins, SYS_clone,
		    LM_LONGS(flags, stack, parent_tid, child_tid, tls));
	lm_call_add(&start.pins, top - lm_min(STACK_TOP, top),
		    lm_min(STACK_TOP, top), LM_INOUT);
	lm_fork_announce();
	child = real(start_child, stack, flags, &start, parent_tid, tls,
		     child_tid);
	error = errno;
	lm_fork_done(false);
	lm_call_unpin(&start.pins);
	errno = error;
	return child;
}
