/*
 * access.h -- lazy memory that the kernel is going to use.
 *
 * The kernel does not fault lazy pages in: a system call that meets one fails
 * with EFAULT, or worse, loses data. So pages are made present, and pinned,
 * before the call. Where nothing of the range is lazy, a call costs a few
 * loads.
 *
 * Thread-safe; async-signal-safe unless a store's read runs in a worker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_ACCESS_H
#define LM_SYSCALL_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Can any byte of [start, start+len) be lazy? Quick; false is certain. */
bool lm_access_lazy(uintptr_t start, size_t len);

/*
 * Make present and pin as much of [start, start+len), from its start on, as
 * can be: returns the number of bytes that the kernel may use. Less than len
 * where a page forbids the access or cannot be filled: the kernel, given the
 * whole range, then does what it does with memory that ends there. Ranges that
 * are not lazy count as usable.
 *
 * `write`: the kernel will write there (pages become DIRTY).
 */
size_t lm_access_pin(uintptr_t start, size_t len, int write);

/* The same for good, until its owner unmaps it, or much longer than a call: a
 * forked child has it pinned, too. */
size_t lm_access_keep(uintptr_t start, size_t len, int write);

/* Undo: with what lm_access_pin() returned as len. */
void lm_access_unpin(uintptr_t start, size_t len);

/* The length of a string at `start` (at most max), making the pages it is in
 * present on the way: as strnlen. For paths and the like. */
size_t lm_access_strnlen(const char *start, size_t max);

#endif
