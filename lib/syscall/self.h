/*
 * self.h -- a descriptor of the process's own memory, /proc/self/mem: the kernel
 * reads and writes there what the descriptor's position says. Of what is not
 * present it makes zeros, or refuses it (EIO); what it writes there is lost.
 *
 * Thread-safe and async-signal-safe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_SELF_H
#define LM_SYSCALL_SELF_H

#include "call.h"

#include "../area.h"

#include <limits.h>
#include <sys/syscall.h>

/* Has a position been sought that no file has, or that is lazy memory's? Atomic:
 * set once, and never back. */
extern _Atomic bool lm_self_seeks;

/* Is this a read or write at a position that lazy memory has? Quick; false is
 * certain, if what was sought has been told. */
static inline bool lm_self_wanted(long nr, const long args[6])
{
	bool seeks = atomic_load_explicit(&lm_self_seeks, memory_order_relaxed);

	/* Most calls. */
	if (!seeks && args[3] <= 0)
		return false;
	switch (nr) {
	case SYS_preadv2:
	case SYS_pwritev2:
		/* -1: where the file is. */
		if (args[3] != -1)
			break;
		/* fall through */
	case SYS_read:
	case SYS_write:
	case SYS_readv:
	case SYS_writev:
		return seeks;
	case SYS_pread64:
	case SYS_pwrite64:
	case SYS_preadv:
	case SYS_pwritev:
		break;
	default:
		return false;
	}
	return args[3] > 0 &&
	       lm_area_near((uintptr_t)args[3], (uintptr_t)args[3] + INT_MAX);
}

/* Pin what such a call reads or writes. */
void lm_self_pin(struct lm_call_pins *pins, long nr, const long args[6]);

/* The program seeks to `at`, in whatever file. */
void lm_self_sought(long at);

#endif
