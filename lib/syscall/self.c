/*
 * self.c -- reads and writes of /proc/self/mem. See self.h.
 *
 * Nobody asks of every read where its file is: that is looked at once a position
 * was sought that only memory has. Nor is it asked which file it is, if it has no
 * length, as those of /proc: memory that is pinned for another one's sake is
 * there for a moment, and that is all.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "self.h"

#include "copy.h"
#include "pins.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Files are shorter; memory begins there where the kernel chooses the place. */
#define FAR ((long)1 << 40)

_Atomic bool lm_self_seeks;

void lm_self_sought(long at)
{
	if (at <= 0 ||
	    atomic_load_explicit(&lm_self_seeks, memory_order_relaxed) ||
	    (at < FAR && !lm_area_near((uintptr_t)at, (uintptr_t)at + 1)))
		return;
	atomic_store_explicit(&lm_self_seeks, true, memory_order_relaxed);
	/* So that hooks, which see addresses only, let every call by that has a
	 * descriptor or a length. */
	atomic_store_explicit(&lm_area_marks[0], 1, memory_order_relaxed);
}

static bool reads(long nr)
{
	return nr == SYS_read || nr == SYS_readv || nr == SYS_pread64 ||
	       nr == SYS_preadv || nr == SYS_preadv2;
}

static bool has_length(int fd)
{
	struct stat st;

	return lm_sys(SYS_fstat, fd, &st) < 0 ||
	       (st.st_mode & S_IFMT) != S_IFREG || st.st_size;
}

static uintptr_t position(long nr, const long args[6])
{
	long at = args[3];

	if (nr == SYS_read || nr == SYS_write || nr == SYS_readv ||
	    nr == SYS_writev ||
	    ((nr == SYS_preadv2 || nr == SYS_pwritev2) && at == -1))
		at = lm_sys(SYS_lseek, args[0], 0, SEEK_CUR);
	return at > 0 ? (uintptr_t)at : 0;
}

static size_t length(long nr, const long args[6])
{
	size_t len = 0, count = (size_t)args[2];
	struct iovec one;

	if (nr == SYS_read || nr == SYS_write || nr == SYS_pread64 ||
	    nr == SYS_pwrite64)
		return count;
	for (size_t i = 0; i < lm_min(count, IOV_MAX); i++) {
		if (lm_copy(&one, (uintptr_t)args[1] + i * sizeof(one),
			    sizeof(one)) < 0)
			break;
		len += lm_min(one.iov_len, (size_t)INT_MAX);
	}
	return len;
}

void lm_self_pin(struct lm_call_pins *pins, long nr, const long args[6])
{
	uintptr_t at = position(nr, args), end;
	size_t len = at ? length(nr, args) : 0;

	if (!len || __builtin_add_overflow(at, lm_min(len, INT_MAX), &end) ||
	    !lm_area_near(at, end) || has_length((int)args[0]))
		return;
	if (reads(nr))
		lm_call_add(pins, at, end - at, LM_ARG_IN);
	else
		lm_pins_forced(pins, at, end);
}
