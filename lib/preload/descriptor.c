/*
 * descriptor.c -- the table of descriptors as the program knows it: lazymap's
 * own numbers are not open in it. They survive being closed, and make room.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"

#include "../fd.h"
#include "../served.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_UNSHARE /* 5.9 */
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
#ifndef CLOSE_RANGE_CLOEXEC /* 5.11 */
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

static int ours(int fd)
{
	if (fd < 0 || lm_fd_kept((unsigned)fd, (unsigned)fd) < 0)
		return 0;
	errno = EBADF;
	return 1;
}

/* A userfaultfd may have been closed, and be nobody's any more. */
static void look_served(void)
{
	int saved = errno;

	if (!lm_shim_vforked())
		lm_served_look();
	errno = saved;
}

LM_EXPORT int close(int fd)
{
	bool serves;
	int ret;

	if (ours(fd))
		return -1;
	serves = lm_served_by(fd);
	ret = REAL(close)(fd);
	if (serves)
		look_served();
	return ret;
}

/* The parts between lazymap's numbers, of which there is at least one. */
static int close_each(unsigned first, unsigned last, int flags)
{
	int number, ret = 0;

	for (; !ret; first = (unsigned)number + 1) {
		number = lm_fd_kept(first, last);
		if (number < 0)
			return first > last
				       ? 0
				       : REAL(close_range)(first, last, flags);
		if ((unsigned)number > first) {
			ret = REAL(close_range)(first, (unsigned)number - 1,
						flags);
			flags &= ~(int)CLOSE_RANGE_UNSHARE;
		}
	}
	return ret;
}

static int close_parts(unsigned first, unsigned last, int flags)
{
	int ret = close_each(first, last, flags);

	if (lm_served_by(-1))
		look_served();
	return ret;
}

LM_EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	/* Ours are close-on-exec already. */
	if (first > last || flags & (int)CLOSE_RANGE_CLOEXEC)
		return REAL(close_range)(first, last, flags);
	return close_parts(first, last, flags);
}

LM_EXPORT void closefrom(int low)
{
	unsigned first = low < 0 ? 0 : (unsigned)low;
	struct rlimit limit = { 1024, 1024 };

	if (lm_fd_kept(first, UINT_MAX) < 0 && !lm_served_by(-1)) {
		REAL(closefrom)(low);
		return;
	}
	if (close_parts(first, UINT_MAX, 0) == 0)
		return;
	/* Before Linux 5.9. */
	getrlimit(RLIMIT_NOFILE, &limit);
	for (; first < limit.rlim_cur; first++)
		close((int)first);
}

LM_EXPORT int dup(int fd)
{
	return ours(fd) ? -1 : REAL(dup)(fd);
}

/* Only a number that is going to be taken is given up. */
static void make_room(int fd, int number)
{
	if (number >= 0 && number != fd &&
	    lm_fd_kept((unsigned)number, (unsigned)number) >= 0 &&
	    REAL(fcntl)(fd, F_GETFD) >= 0)
		lm_fd_vacate(number);
}

LM_EXPORT int dup2(int fd, int number)
{
	bool serves;
	int ret;

	if (ours(fd))
		return -1;
	make_room(fd, number);
	serves = number >= 0 && lm_served_by(number);
	ret = REAL(dup2)(fd, number);
	if (serves)
		look_served();
	return ret;
}

LM_EXPORT int dup3(int fd, int number, int flags)
{
	bool serves;
	int ret;

	if (ours(fd))
		return -1;
	make_room(fd, number);
	serves = number >= 0 && lm_served_by(number);
	ret = REAL(dup3)(fd, number, flags);
	if (serves)
		look_served();
	return ret;
}

#define FCNTL(name)                                                            \
	static int name##_with(int fd, int command, long word)                 \
	{                                                                      \
		LM_PINNED(int,                                                 \
			  lm_call_pin(pins, SYS_fcntl,                         \
				      LM_LONGS(fd, command, word)),            \
			  REAL(name)(fd, command, word));                      \
	}                                                                      \
	LM_EXPORT int name(int fd, int command, ...)                           \
	{                                                                      \
		va_list more;                                                  \
		long word;                                                     \
                                                                               \
		if (ours(fd))                                                  \
			return -1;                                             \
		va_start(more, command);                                       \
		word = va_arg(more, long);                                     \
		va_end(more);                                                  \
		return name##_with(fd, command, word);                         \
	}

FCNTL(fcntl)
FCNTL(fcntl64)

/* How programs look which descriptors they have. */
int __fxstat(int version, int fd, struct stat *st);
int __fxstat64(int version, int fd, struct stat64 *st);

#define FSTAT(name, old_name, type)                                            \
	static int name##_with(int fd, type *st)                               \
	{                                                                      \
		LM_PINNED(int, lm_call_pin(pins, SYS_fstat, LM_LONGS(fd, st)), \
			  REAL(name)(fd, st));                                 \
	}                                                                      \
	LM_EXPORT int name(int fd, type *st)                                   \
	{                                                                      \
		return ours(fd) ? -1 : name##_with(fd, st);                    \
	}                                                                      \
	static int old_name##_with(int version, int fd, type *st)              \
	{                                                                      \
		LM_PINNED(int, lm_call_pin(pins, SYS_fstat, LM_LONGS(fd, st)), \
			  REAL(old_name)(version, fd, st));                    \
	}                                                                      \
	LM_EXPORT int old_name(int version, int fd, type *st)                  \
	{                                                                      \
		return ours(fd) ? -1 : old_name##_with(version, fd, st);       \
	}

FSTAT(fstat, __fxstat, struct stat)
FSTAT(fstat64, __fxstat64, struct stat64)
