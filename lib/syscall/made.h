/*
 * made.h -- the call that this thread is making inside a function of the C
 * library, and for which all it uses is pinned already: the hook that it meets
 * there need not look again.
 *
 * Async-signal-safe; a thread's own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_MADE_H
#define LM_SYSCALL_MADE_H

#include "call.h"
#include "hook.h"

#include "../gate.h"
#include "../own.h"

/* The call as it is going to be, but for arguments that are no memory's. The
 * assembly knows the offsets. */
struct lm_made {
	const void *within; /* in the function's frame; NULL: nothing */
	uint64_t changes;   /* lm_map_changes, then */
	long nr, args[3];
	/* How many of the thread's calls have something pinned: those that it is
	 * in, and those that were left by a jump. */
	unsigned holding;
};
extern __thread struct lm_made lm_made
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

#if LM_HOOKS
/* Where stubs go on: straight to the system call if it is that one, else as
 * lm_hook_enter(), _any() and _read(). */
void lm_made_enter(void) __attribute__((visibility("hidden")));
void lm_made_enter_any(void) __attribute__((visibility("hidden")));
void lm_made_enter_read(void) __attribute__((visibility("hidden")));
#endif

static inline struct lm_made *lm_made_mine(void)
{
	return &LM_OWN(lm_made);
}

/* The function whose frame `within` is in is about to make this call. */
static inline void lm_made_note(struct lm_made *made, const void *within,
				long nr, const long args[6])
{
	made->within = NULL; /* nothing, for a handler between the lines */
	atomic_signal_fence(memory_order_seq_cst);
	made->nr = nr;
	made->changes =
		atomic_load_explicit(&lm_map_changes, memory_order_relaxed);
	for (int i = 0; i < 3; i++)
		made->args[i] = args[i];
	atomic_signal_fence(memory_order_seq_cst);
	made->within = within;
}

/* It has returned, or was left. */
static inline void lm_made_end(const void *within)
{
	struct lm_made *made = lm_made_mine();

	if (made->within == within)
		made->within = NULL;
}

/* A handler of the program's begins: it may make the same call with other memory,
 * where the arguments only name it, or leave the function by a jump. */
static inline void lm_made_forget(void)
{
	lm_made_mine()->within = NULL;
}

/* Is it this call? As long as the function runs, whose frame lies further up on the
 * stack, and nothing was unmapped. What a jump left pinned stays so until then. */
static inline bool lm_made_is(long nr, const long args[6])
{
	const struct lm_made *made = lm_made_mine();

	return made->within && made->nr == nr && made->args[0] == args[0] &&
	       made->args[1] == args[1] && made->args[2] == args[2] &&
	       made->changes == atomic_load_explicit(&lm_map_changes,
						     memory_order_relaxed) &&
	       (uintptr_t)made->within > (uintptr_t)__builtin_frame_address(0);
}

#endif
