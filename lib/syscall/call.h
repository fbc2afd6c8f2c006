/*
 * call.h -- a system call on memory that may be lazy: what the table says it
 * uses is made present and pinned first, then it is made, once, whole.
 *
 * Around a function of the C library:
 *
 *	struct lm_call_pins pins;
 *	long args[6] = { fd, (long)buf, (long)len };
 *
 *	lm_call_pin(&pins, SYS_read, args);
 *	ret = REAL(read)(fd, buf, len);
 *	lm_call_unpin(&pins);
 *
 * where lm_call_unpin() keeps errno and does no harm when called twice (a
 * cancellation handler calls it too). While no area exists, and for calls that
 * have no memory to look at, both cost a few loads. What is not lazy, what is
 * not there and what forbids the access is left as it is: the kernel then says
 * EFAULT as always. A pin holds its pages and nothing else: a call may block
 * for hours.
 *
 * execve and execveat pin nothing (a child of vfork never comes back to unpin):
 * their memory is made present only, and lm_call() tries again on EFAULT, which
 * loses nothing there.
 *
 * Everything here is thread-safe and async-signal-safe, allocates nothing with
 * malloc, and keeps errno.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_CALL_H
#define LM_SYSCALL_CALL_H

#include "../area.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lm_pin {
	uintptr_t start;
	size_t len;
};

#define LM_CALL_PINS 6

struct lm_call_pins {
	uint32_t count;            /* in pin[] */
	bool present_only;         /* make present, do not pin */
	bool long_strings;         /* strings may be longer than a page */
	bool nested;               /* what its memory names was looked at */
	struct lm_call_more *more; /* the rest, when there are many */
	struct lm_pin pin[LM_CALL_PINS];
};

/* Is there anything to do for any call? */
static inline bool lm_call_any(void)
{
	return lm_area_ever();
}

/* Has this thread anything pinned for a call? */
bool lm_call_holding(void);

/* Pin what call `nr` with these arguments uses. */
void lm_call_pin(struct lm_call_pins *pins, long nr, const long args[6]);
void lm_call_unpin(struct lm_call_pins *pins);

/* For one that may not come back to unpin: what it uses is present, and only what
 * the kernel goes on using is pinned. */
void lm_call_present(long nr, const long args[6]);

/* For a function that is no single system call: begin with count and more 0,
 * then a range at a time. dir is LM_ARG_IN, LM_ARG_OUT or LM_ARG_INOUT. */
static inline void lm_call_begin(struct lm_call_pins *pins)
{
	pins->count = 0;
	pins->present_only = pins->long_strings = pins->nested = false;
	pins->more = NULL;
}
void lm_call_add(struct lm_call_pins *pins, uintptr_t start, size_t len,
		 int dir);

/*
 * The whole of it, with the kernel's own result: >= 0 or -errno. Calls of
 * mmap's family on lazy areas become lazymap's own. Not for rt_sigreturn, and
 * not for a clone, clone3 or vfork that returns on another stack.
 */
long lm_call(long nr, const long args[6]);

#endif
