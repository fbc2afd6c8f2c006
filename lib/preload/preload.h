/*
 * preload.h -- what the shim's files share.
 *
 * Each file interposes one family of calls. A call that lazymap has nothing to
 * do with goes straight on: to the kernel for the memory family (libc's own
 * functions do no more), to libc's function for the others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PRELOAD_PRELOAD_H
#define LM_PRELOAD_PRELOAD_H

#include "../start.h"
#include "../syscall/access.h"
#include "../syscall/raw.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define LM_EXPORT __attribute__((visibility("default")))

/* libc's function behind ours; looked up at the first call. */
void *lm_real(const char *name, void *_Atomic *kept);

/* REAL(read)(fd, buf, n): the next `read` after ours. */
#define REAL(name)                                                             \
	({                                                                     \
		static void *_Atomic kept_;                                    \
		void *real_ =                                                  \
			atomic_load_explicit(&kept_, memory_order_relaxed);    \
                                                                               \
		if (__builtin_expect(!real_, 0))                               \
			real_ = lm_real(#name, &kept_);                        \
		(__typeof__(&name))real_;                                      \
	})

/* Lazymap is not there (yet): calls go on as they are. Starts it when it can be
 * started. */
int lm_shim_off(void);

/* Is this a child that shares its parent's memory, by vfork? */
int lm_shim_vforked(void);
void lm_process_start(void);

/* The program is about to look at a path: where that tells of its threads, ours
 * is not among them for a while. */
void lm_process_look(int fd, const char *path);

/* This thread is about to end by exit(2), and if it is the process's first may be
 * the last of the program's: ours is not to keep the process. */
void lm_process_left(void);

/* A call, seccomp or prctl, that has a filter look at all that come after it:
 * call(args) makes it, and it has failed if the result is below zero. */
long lm_process_filter(long (*call)(const long args[6]), const long args[6]);

/* This thread ends: its robust mutexes are there when the kernel looks. And has
 * it any, in a process with lazy memory? */
void lm_robust_pin(void);
bool lm_robust_held(void);

/* Once, at the start; and when the program names a list that is not the C
 * library's. */
void lm_robust_start(void);
void lm_robust_other(void);

/* In the child of a posix_spawn of this thread's, before it becomes a program. */
void lm_exec_spawned(void);

/* Keep what the next program is to be given. */
void lm_exec_start(void);

/* The process ends normally: write back, print the statistics. */
void lm_shim_end(void);

/* LAZYMAP_IO_URING: the program pins what it gives to a ring. */
bool lm_shim_io_uring(void);

/* Mappings shorter than this stay the kernel's. */
size_t lm_shim_min_size(void);

#endif
