/*
 * buffer.h -- the most frequent calls, which name one buffer and nothing else: read,
 * write and their like. Where it is not lazy two loads tell so; where it is, and
 * there, as mostly, nothing is called but the C library's function. What is more
 * than that goes the way of all calls.
 *
 * To be compiled together, and so lie together: behind a transfer of a page little
 * of what a program had in the processor's first caches is left, and each line of
 * code or data that a call touches costs some nanoseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PRELOAD_BUFFER_H
#define LM_PRELOAD_BUFFER_H

#include "call.h"

#include "../pin.h"
#include "../syscall/copy.h"
#include "../syscall/made.h"
#include "../syscall/pins.h"

#include <sys/uio.h>

#define LM_HOT __attribute__((hot))
#define LM_APART __attribute__((noinline))

/* By the buffer, or by the position in the file, which may be memory. Where the
 * program has sought there, 0 is no such position: see lm_self_sought(). */
static inline bool lm_buffer_far(const void *buf, long at)
{
	return !lm_area_near_start((uintptr_t)buf) &&
	       !lm_area_near_start((uintptr_t)at);
}

struct lm_buffer {
	struct lm_made *made;
	uintptr_t start;
	size_t len;
};

/* Pin it, if that is all there is to do. */
static inline __attribute__((always_inline)) bool
lm_buffer_hold(struct lm_buffer *buffer, long nr, long fd, const void *buf,
	       size_t len, long at, int dir)
{
	const long args[6] = { fd, (long)buf, (long)len };

	if (lm_area_near_start((uintptr_t)at) ||
	    !lm_pin_within((uintptr_t)buf, len, LM_PIECES_LEAST,
			   dir & LM_ARG_OUT))
		return false;
	*buffer = (struct lm_buffer){ lm_made_mine(), (uintptr_t)buf, len };
	buffer->made->holding++;
	lm_made_note(buffer->made, buffer, nr, args);
	return true;
}

static inline void lm_buffer_let_go(const struct lm_buffer *buffer)
{
	buffer->made->within = NULL;
	buffer->made->holding--;
	lm_pin_drop_within(buffer->start, buffer->len);
}

static inline void lm_buffer_left(void *buffer)
{
	lm_buffer_let_go(buffer);
}

/*
 * The whole function: see LM_CALL(). Its buffer is `buf` and `len`, which it uses as
 * `dir` says; `at`: the position in the file, or 0.
 */
#define LM_BUFFER_CALL(type, name, nr, dir, at, parameters, ...)               \
	LM_BUFFER_CALL_AS(type, name, nr, dir, at, parameters, (__VA_ARGS__),  \
			  __VA_ARGS__)
#define LM_BUFFER_CALL_AS(type, name, nr, dir, at, parameters, names, ...)     \
	LM_BUFFER_NEAR(type, name, nr, dir, at, parameters, names,             \
		       __VA_ARGS__)                                            \
	LM_EXPORT LM_HOT type name parameters                                  \
	{                                                                      \
		if (lm_buffer_far(buf, at) && LM_KNOWN(name))                  \
			return LM_KNOWN(name) names;                           \
		return name##_near names;                                      \
	}

/* NAME_near(), where it is not far, or not known yet, and LM_KNOWN(). */
#define LM_BUFFER_NEAR(type, name, nr, dir, at, parameters, names, ...)        \
	static void *_Atomic name##_kept;                                      \
                                                                               \
	static LM_APART type name##_other parameters                           \
	{                                                                      \
		__typeof__(&name) real = lm_real(#name, &name##_kept);         \
                                                                               \
		LM_PINNED(type, lm_call_pin(pins, nr, LM_LONGS(__VA_ARGS__)),  \
			  real names);                                         \
	}                                                                      \
	static LM_APART LM_HOT type name##_near parameters                     \
	{                                                                      \
		struct lm_buffer buffer;                                       \
		type ret;                                                      \
                                                                               \
		if (!LM_KNOWN(name) ||                                         \
		    !lm_buffer_hold(&buffer, nr, fd, buf, len, at, dir))       \
			return name##_other names;                             \
		LM_LEAVING(ret, LM_KNOWN(name) names, lm_buffer_left,          \
			   &buffer);                                           \
		lm_buffer_let_go(&buffer);                                     \
		return ret;                                                    \
	}
#define LM_KNOWN(name)                                                         \
	((__typeof__(&name))atomic_load_explicit(&name##_kept,                 \
						 memory_order_relaxed))

/* -- Several buffers -------------------------------------------------------------- */

#define LM_VECTOR_MOST 8

struct lm_vector {
	struct lm_made *made;
	long count;
	bool any;                          /* is anything held? */
	struct iovec held[LM_VECTOR_MOST]; /* a length of 0: nothing is */
};

static inline void lm_vector_drop(const struct lm_vector *vector, long count)
{
	for (long i = 0; i < count; i++)
		if (vector->held[i].iov_len)
			lm_pin_drop_within((uintptr_t)vector->held[i].iov_base,
					   vector->held[i].iov_len);
}

/* The same for all of them, so that the hook need not look what their names name. */
static inline bool lm_vector_pin(struct lm_vector *vector, int dir)
{
	size_t left = LM_PIECES_LEAST;

	vector->any = false;
	for (long i = 0; i < vector->count; i++) {
		struct iovec *one = &vector->held[i];

		if (!lm_area_near_start((uintptr_t)one->iov_base))
			one->iov_len = 0;
		if (one->iov_len &&
		    !lm_pin_within((uintptr_t)one->iov_base, one->iov_len, left,
				   dir & LM_ARG_OUT)) {
			lm_vector_drop(vector, i);
			return false;
		}
		left -= one->iov_len;
		vector->any |= one->iov_len > 0;
	}
	return true;
}

static inline __attribute__((always_inline)) bool
lm_vector_hold(struct lm_vector *vector, long nr, long fd,
	       const struct iovec *iov, long count, long at, int dir)
{
	const long args[6] = { fd, (long)iov, count };

	vector->count = count;
	if (lm_area_near_start((uintptr_t)at) ||
	    lm_area_near_start((uintptr_t)iov) || count < 0 ||
	    count > LM_VECTOR_MOST ||
	    lm_copy(vector->held, (uintptr_t)iov,
		    (size_t)count * sizeof(*iov)) < 0 ||
	    !lm_vector_pin(vector, dir))
		return false;
	vector->made = lm_made_mine();
	vector->made->holding += vector->any;
	lm_made_note(vector->made, vector, nr, args);
	return true;
}

static inline void lm_vector_let_go(const struct lm_vector *vector)
{
	vector->made->within = NULL;
	vector->made->holding -= vector->any;
	lm_vector_drop(vector, vector->count);
}

static inline void lm_vector_left(void *vector)
{
	lm_vector_let_go(vector);
}

/* The whole function: its buffers are what `iov` and `count` name. */
#define LM_VECTOR_CALL(type, name, nr, dir, at, parameters, ...)               \
	static void *_Atomic name##_kept;                                      \
                                                                               \
	static LM_APART type name##_other parameters                           \
	{                                                                      \
		__typeof__(&name) real = lm_real(#name, &name##_kept);         \
                                                                               \
		LM_PINNED(type, lm_call_pin(pins, nr, LM_LONGS(__VA_ARGS__)),  \
			  real(__VA_ARGS__));                                  \
	}                                                                      \
	LM_EXPORT LM_HOT type name parameters                                  \
	{                                                                      \
		struct lm_vector vector;                                       \
		type ret;                                                      \
                                                                               \
		if (!LM_KNOWN(name) || !lm_call_any() ||                       \
		    !lm_vector_hold(&vector, nr, fd, iov, count, at, dir))     \
			return name##_other(__VA_ARGS__);                      \
		LM_LEAVING(ret, LM_KNOWN(name)(__VA_ARGS__), lm_vector_left,   \
			   &vector);                                           \
		lm_vector_let_go(&vector);                                     \
		return ret;                                                    \
	}

#endif
