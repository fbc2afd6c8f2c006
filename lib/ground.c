/*
 * ground.c -- the stack under what may not fault. See ground.h.
 *
 * A program may run on lazy memory (coroutines on mmap'ed stacks) and make a call
 * that lazymap serves there, with all signals blocked while it holds a lock: a
 * page of the stack that is absent then kills. So they are touched before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ground.h"

#include "area.h"
#include "os.h"
#include "syscall/copy.h"
#include "trap/trap.h"

/* More than anything does there: 5 KiB are the most that was seen. */
#define DEPTH ((uintptr_t)12 * 1024)

void lm_ground_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (!lm_area_near(here - DEPTH, here) || !lm_trap_installed())
		return;
	/* Past its end they are somebody else's, or nobody's. */
	for (uintptr_t down = LM_PAGE; down <= DEPTH; down += LM_PAGE)
		if (lm_copy_touch(here - down) < 0)
			return;
}
