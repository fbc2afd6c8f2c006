/*
 * tsan.h -- orders that ThreadSanitizer cannot see.
 *
 * It does not know of our raw system calls, and takes two threads that are
 * given the same address, one after the other, for a race. The kernel's lock on
 * the address space is what orders them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_TSAN_H
#define LM_TSAN_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#include <stddef.h>

#ifdef __SANITIZE_THREAD__
extern void __tsan_acquire(void *addr);
extern void __tsan_release(void *addr);
#define lm_tsan_acquire(addr) __tsan_acquire((void *)(addr))
#define lm_tsan_release(addr) __tsan_release((void *)(addr))
#else
#define lm_tsan_acquire(addr) ((void)(addr))
#define lm_tsan_release(addr) ((void)(addr))
#endif

/*
 * The kernel gave us these pages, and will give them on. Page by page: who had
 * one before may have had it with other neighbours, or further in.
 */
#define LM_TSAN_PAGE 4096

static inline void lm_tsan_given(const char *mem, size_t len)
{
	for (size_t i = 0; i < len; i += LM_TSAN_PAGE)
		lm_tsan_acquire(mem + i);
}

static inline void lm_tsan_given_back(const char *mem, size_t len)
{
	for (size_t i = 0; i < len; i += LM_TSAN_PAGE)
		lm_tsan_release(mem + i);
}

#endif
