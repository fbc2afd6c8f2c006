/*
 * thread.h -- a thread of lazymap's own, of which the C library does not know.
 *
 * pthread_create allocates memory by malloc, and who maps memory may be malloc,
 * with its locks held: an allocator that the program brings along waits for
 * itself then. A thread that the C library does not know is not counted by it
 * either: a process whose last other thread ends, ends.
 *
 * Such a thread may use nothing of the C library that has a state a thread, but
 * errno. Where we do not know how to make one, and under a sanitizer, which has
 * to know of each, it is one of pthread_create's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_THREAD_H
#define LM_THREAD_H

#include "os.h"

/* Is it made by the kernel, and not by pthread_create? */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LM_THREAD_RAW 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LM_THREAD_RAW 0
#endif
#endif
#ifndef LM_THREAD_RAW
#ifdef __x86_64__
#define LM_THREAD_RAW 1
#else
#define LM_THREAD_RAW 0
#endif
#endif

struct lm_thread {
	uintptr_t memory; /* its stack and what is thread-local; kept */
	size_t tls;       /* bytes of it that lie below the thread pointer */
	_Atomic uint32_t alive; /* a futex: the kernel clears it, and wakes */
	int id;                 /* the kernel's; 0: not known */
};

/* Run work() with all signals blocked, as they are here: 0 or -errno. It ends by
 * returning. Not while it is alive. Async-signal-safe where LM_THREAD_RAW. */
int lm_thread_start(struct lm_thread *thread, void (*work)(void));
/* Wait until it has ended. */
void lm_thread_join(struct lm_thread *thread);

#endif
