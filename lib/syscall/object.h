/*
 * object.h -- the objects whose system calls are hooked: those that are loaded
 * at the start, and those that dlopen brings later.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_OBJECT_H
#define LM_SYSCALL_OBJECT_H

/* Hook what is loaded, and have the dynamic linker tell us of more. Once, while
 * the process has one thread. 0 or -errno, as lm_hook_start(). */
int lm_object_start(void);

/* The dynamic linker's list has changed, or is about to: hook what is new,
 * before any of it runs. Called by it, with its lock held; keeps errno. */
long lm_object_changed(long a, long b, long c);

/* How many sites are hooked, or were. */
unsigned lm_object_hooked(void);

#endif
