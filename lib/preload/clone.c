/*
 * clone.c -- clone and clone3 by an instruction of the program's own: what a hook
 * of theirs is to do. Tasks that go on in the same memory are task.c's; children
 * with a copy of it are announced (fork.c), on whatever stack they begin.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"
#include "signal.h"
#include "task.h"

#include "../ground.h"
#include "../os.h"
#include "../start.h"
#include "../syscall/clone.h"
#include "../syscall/copy.h"

#include <sched.h>

/* What a child with a copy needs of a stack until it can have more of it. */
#define BEGINNING ((size_t)16 * 1024)

/* clone3's struct, as far as it is known: eleven words. */
struct clone_args3 {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack,
		stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* What the maker keeps. */
struct own {
	struct lm_task_made made;
	struct clone_args3 args;
};
_Static_assert(sizeof(struct own) <= LM_CLONE_OWN * sizeof(uint64_t),
	       "the maker keeps no more");

/* A child with a copy of the memory: which one is clear, for the map is locked. */
static struct lm_ground copied;

static bool read_clone3(struct own *own, const long args[6])
{
	size_t size = (size_t)args[1];

	if (size < 64 || size > sizeof(own->args) ||
	    lm_copy(&own->args, (uintptr_t)args[0], size) < 0)
		return false; /* refused, or newer than this */
	own->made = (struct lm_task_made){
		.flags = own->args.flags,
		.top = own->args.stack + own->args.stack_size,
		.child_tid = own->args.child_tid,
		.tls = own->args.tls,
	};
	if (!own->args.stack)
		own->made.top = 0;
	return true;
}

static bool read_call(struct own *own, const struct lm_clone_call *call)
{
	memset(own, 0, sizeof(*own));
	if (call->nr == SYS_clone3)
		return read_clone3(own, call->args);
	own->made = (struct lm_task_made)
	{
		.flags = (uint64_t)call->args[0] & UINT32_MAX,
		.top = (uintptr_t)call->args[1],
#if defined(__x86_64__)
		.child_tid = (uintptr_t)call->args[3],
		.tls = (uintptr_t)call->args[4],
#else
		.child_tid = (uintptr_t)call->args[4],
		.tls = (uintptr_t)call->args[3],
#endif
	};
	return true;
}

static void write_call(struct own *own, struct lm_clone_call *call)
{
	if (call->nr == SYS_clone3) {
		own->args.flags = own->made.flags;
		own->args.child_tid = own->made.child_tid;
		call->args[0] = (long)&own->args;
		return;
	}
	call->args[0] = (long)own->made.flags;
#if defined(__x86_64__)
	call->args[3] = (long)own->made.child_tid;
#else
	call->args[4] = (long)own->made.child_tid;
#endif
}

/* Is a child with a copy to be announced? */
static bool forks(const struct own *own)
{
	return !(own->made.flags & CLONE_VM) && lm_call_any() &&
	       !lm_shim_vforked();
}

static void prepare(struct lm_clone_call *call)
{
	struct own *own = (struct own *)call->own;

	lm_call_present(call->nr, call->args);
	if (lm_shim_off() || !read_call(own, call))
		return;
	call->top = own->made.top;
	/* Its child dies there, and not its maker. */
	if (call->top && (lm_copy_touch(call->top - 1) < 0 ||
			  lm_copy_touch(call->top - LM_CLONE_STACK) < 0))
		return;
	if (lm_task_is(own->made.flags, own->made.top)) {
		call->data = lm_task_prepare(&own->made);
		if (call->data)
			write_call(own, call);
	} else if (forks(own) && !own->made.top) {
		call->done = lm_fork_raw(call->nr, call->args, &call->result);
	} else if (forks(own)) {
		struct lm_ground ground =
			lm_ground_below(own->made.top, BEGINNING);

		lm_fork_announce();
		copied = ground;
		call->data = &copied;
	}
}

static void drop(bool in_child)
{
	struct lm_ground ground = copied;

	lm_fork_done(in_child);
	lm_ground_drop(&ground);
}

static void begin(void *data)
{
	if (data == &copied)
		drop(true);
	else
		lm_task_begin(data);
}

static void made(void *data, uint64_t *own, long result)
{
	if (data == &copied)
		drop(false);
	else
		lm_task_made(&((struct own *)own)->made, data, result > 0);
}

const struct lm_clone_ops lm_clone_raw = {
	.prepare = prepare,
	.begin = begin,
	.made = made,
};
