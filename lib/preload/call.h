/*
 * call.h -- how a function of the C library that hands memory to the kernel is
 * interposed: what the table of system calls says it uses is present and pinned
 * while libc's own function runs, once, whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PRELOAD_CALL_H
#define LM_PRELOAD_CALL_H

#include "preload.h"

#include "../own.h"
#include "../syscall/call.h"
#include "../syscall/table.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#if __has_include(<sys/single_threaded.h>) /* glibc 2.32 */
#include <sys/single_threaded.h>
#else
#define __libc_single_threaded 0
#endif

/* Only these, that the table can be told of them by name. */
#define LM_IN LM_ARG_IN
#define LM_OUT LM_ARG_OUT
#define LM_INOUT LM_ARG_INOUT

/*
 * The C library's older way to have a function called where a thread is cancelled,
 * or leaves by a jump: pthread_cleanup_push() saves all registers, which takes as
 * long as all the rest that is done for a short call.
 */
void _pthread_cleanup_push(struct _pthread_cleanup_buffer *buffer,
			   void (*routine)(void *), void *arg);
void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *buffer, int execute);

/* Who else is there may be a task that has this thread's variables, the list
 * among them: see own.h. */
static inline bool lm_shim_cancels(void)
{
	return !__libc_single_threaded && !lm_own_any();
}

/* ret = call, with left(arg) where it does not return, if another thread could
 * cancel it. */
#define LM_LEAVING(ret, call, left, arg)                                       \
	do {                                                                   \
		struct _pthread_cleanup_buffer cleanup_;                       \
		bool listed_ = lm_shim_cancels();                              \
                                                                               \
		if (listed_)                                                   \
			_pthread_cleanup_push(&cleanup_, left, arg);           \
		ret = call;                                                    \
		if (listed_)                                                   \
			_pthread_cleanup_pop(&cleanup_, 0);                    \
	} while (0)

static inline void lm_shim_unpin(void *pins)
{
	lm_call_unpin(pins);
}

/* Make `call` with what `pinning` adds to `pins`. For a function's last
 * statement. */
#define LM_PINNED(type, pinning, call)                                         \
	do {                                                                   \
		struct lm_call_pins pins_;                                     \
		struct lm_call_pins *pins = &pins_;                            \
		type ret_;                                                     \
                                                                               \
		if (!lm_call_any())                                            \
			return call;                                           \
		lm_call_begin(pins);                                           \
		pinning;                                                       \
		if (!pins->count && !pins->nested)                             \
			return call;                                           \
		LM_LEAVING(ret_, call, lm_shim_unpin, pins);                   \
		lm_call_unpin(pins);                                           \
		return ret_;                                                   \
	} while (0)

#define LM_LONGS_(a, b, c, d, e, f, ...)                                       \
	(const long[])                                                         \
	{                                                                      \
		(long)(a), (long)(b), (long)(c), (long)(d), (long)(e),         \
			(long)(f)                                              \
	}
#define LM_LONGS(...) LM_LONGS_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* LM_CALL(ssize_t, read, SYS_read, (int fd, void *buf, size_t len), fd, buf,
 * len): the whole function, where its arguments are the system call's. */
#define LM_CALL(type, name, nr, parameters, ...)                               \
	LM_EXPORT type name parameters                                         \
	{                                                                      \
		LM_PINNED(type, lm_call_pin(pins, nr, LM_LONGS(__VA_ARGS__)),  \
			  REAL(name)(__VA_ARGS__));                            \
	}

/* Where they are not: `names` are the function's, the rest the call's. */
#define LM_CALL_AS(type, name, nr, parameters, names, ...)                     \
	LM_EXPORT type name parameters                                         \
	{                                                                      \
		LM_PINNED(type, lm_call_pin(pins, nr, LM_LONGS(__VA_ARGS__)),  \
			  REAL(name) names);                                   \
	}

#endif
