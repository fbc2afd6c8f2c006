/*
 * truncate.c -- see truncate.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "truncate.h"

#include "call.h"
#include "old.h"
#include "../cut.h"
#include "../os_linux.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

/* The file, by its descriptor or its path; and from where on it is cut. */
struct target {
	long fd;
	const char *path;
	uint64_t from;
};

static bool truncates(long flags)
{
	return flags & O_TRUNC && !(flags & O_PATH);
}

static bool find(long nr, const long args[6], struct target *target)
{
	const int moves = FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE;

	*target = (struct target){ .fd = args[0] };
	switch (nr) {
	case SYS_ftruncate:
		target->from = (uint64_t)args[1];
		return true;
	case SYS_fallocate:
		target->from = (uint64_t)args[2];
		return args[1] & moves;
	case SYS_truncate:
		target->fd = AT_FDCWD;
		target->path = (const char *)args[0];
		target->from = (uint64_t)args[1];
		return true;
	case SYS_openat:
		target->path = (const char *)args[1];
		return truncates(args[2]);
	case SYS_open:
		target->fd = AT_FDCWD;
		target->path = (const char *)args[0];
		return truncates(args[1]);
	case SYS_creat:
		target->fd = AT_FDCWD;
		target->path = (const char *)args[0];
		return true;
	}
	return false;
}

static bool identify(const struct target *target, struct stat *st)
{
	long ret = target->path ? lm_sys(SYS_newfstatat, target->fd,
					 target->path, st, 0)
				: lm_sys(SYS_fstat, target->fd, st);

	return !ret && S_ISREG(st->st_mode);
}

bool lm_truncate_call(long nr, const long args[6], long *result)
{
	struct lm_call_pins pins;
	struct target target;
	struct lm_cut cut;
	struct stat st;
	bool made;

	if (!lm_cut_possible() || !find(nr, args, &target))
		return false;
	lm_call_pin(&pins, nr, args);
	made = identify(&target, &st) &&
	       lm_cut_begin(&cut, st.st_dev, st.st_ino);
	if (made) {
		*result = lm_sys(nr, args[0], args[1], args[2], args[3],
				 args[4], args[5]);
		lm_cut_end(&cut, *result < 0 ? UINT64_MAX : target.from);
	}
	lm_call_unpin(&pins);
	return made;
}

void lm_truncate_done(int fd)
{
	struct target target = { .fd = fd };
	struct lm_cut cut;
	struct stat st;

	if (lm_cut_possible() && identify(&target, &st) &&
	    lm_cut_begin(&cut, st.st_dev, st.st_ino))
		lm_cut_end(&cut, 0);
}
