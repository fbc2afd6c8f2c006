/*
 * copy.h -- reading memory that may not be there, without dying of it.
 *
 * A system call's nested structs have to be read before the kernel reads them,
 * and a bad pointer must get the kernel's EFAULT, not a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_COPY_H
#define LM_SYSCALL_COPY_H

#include <stddef.h>
#include <stdint.h>

/* 0; or -EFAULT, and `to` is garbage. Async-signal-safe. */
int lm_copy(void *to, uintptr_t from, size_t len);

/* The other way: what was asked for, to where the program wants it. 0; or
 * -EFAULT, perhaps after a part. Async-signal-safe. */
int lm_copy_out(uintptr_t to, const void *from, size_t len);

/* Have the page at `at` there as for a write, which changes nothing. Where faults
 * come to us, and SIGSEGV is not blocked. 0; or -EFAULT. Async-signal-safe. */
int lm_copy_touch(uintptr_t at) __attribute__((visibility("hidden")));

/* A SIGSEGV or SIGBUS that is nobody's, at instruction *pc: was it lm_copy()'s?
 * Then *pc is where to go on. 0 or 1. Async-signal-safe. */
int lm_copy_fault(uintptr_t *pc);

#endif
