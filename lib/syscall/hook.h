/*
 * hook.h -- system calls that no interposed function makes: those inside the C
 * library itself, and other libraries' and the program's own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_HOOK_H
#define LM_SYSCALL_HOOK_H

/*
 * Make the system calls in the text of every object that is loaded now pass
 * through lm_call() when they name lazy memory. Once, while the process has one
 * thread; not async-signal-safe. 0, or -errno and nothing is changed:
 *   -ENOSYS  not on this architecture, or not in a build with a sanitizer,
 *   -EBUSY   the process has more than one thread already,
 *   -EPERM, -EACCES, -ENOMEM: the text cannot be written, or no executable
 *            memory can be had near it.
 */
int lm_hook_start(void);

/* How many are hooked; 0: not started. */
unsigned lm_hook_count(void);

/*
 * fn(a, b, c), with the vector registers afterwards as they were: for code that
 * the hooks reach, which is compiled to use none (see Makefile), on its way to
 * code that may. Async-signal-safe if fn is.
 */
long lm_hook_keeping_vectors(long (*fn)(long, long, long), long a, long b,
			     long c);

#endif
