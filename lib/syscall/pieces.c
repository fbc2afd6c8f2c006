/*
 * pieces.c -- a transfer larger than the resident limit lets be pinned at once:
 * made in pieces, where the sum is what the one call would have done.
 *
 * That is so for bytes without borders: regular files, block devices, pipes,
 * stream sockets. A datagram goes whole, whatever the limit.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "pins.h"

#include "../area.h"
#include "../resident.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* So that eight threads have room. */
#define SHARE 8
#define LEAST ((size_t)64 * 1024)

static size_t piece_size(void)
{
	size_t pages =
		atomic_load_explicit(&lm_resident_max, memory_order_relaxed);

	return lm_max(pages / SHARE * LM_PAGE, LEAST);
}

bool lm_pieces_wanted(long nr, const long args[6])
{
	uintptr_t start = (uintptr_t)args[1];
	size_t len = (size_t)args[2];

	if (nr != SYS_read && nr != SYS_write && nr != SYS_pread64 &&
	    nr != SYS_pwrite64)
		return false;
	return len > LEAST && lm_resident_limited() && len > piece_size() &&
	       start + len > start && lm_area_near(start, start + len);
}

enum stream { NONE, FILE_LIKE, PIPE_LIKE };

static enum stream stream_of(int fd)
{
	int type = 0, len = sizeof(type);
	struct stat st;

	if (lm_sys(SYS_fstat, fd, &st) < 0)
		return NONE;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
	case S_IFBLK:
	case S_IFCHR:
		return FILE_LIKE;
	case S_IFIFO:
		return PIPE_LIKE;
	case S_IFSOCK:
		if (lm_sys(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type,
			   &len) == 0 &&
		    type == SOCK_STREAM)
			return PIPE_LIKE;
	}
	return NONE;
}

/* Another read of a pipe would wait: the first one's bytes are the answer. */
static bool would_wait(int fd)
{
	int left = 0;

	return lm_sys(SYS_ioctl, fd, FIONREAD, &left) < 0 || left <= 0;
}

bool lm_pieces_call(long nr, const long args[6], long *result)
{
	size_t len = (size_t)args[2], done = 0, piece = piece_size();
	long part[6] = { args[0], args[1], 0, args[3], args[4], args[5] };
	enum stream stream;
	long ret = 0;

	if (!lm_pieces_wanted(nr, args))
		return false;
	stream = stream_of((int)args[0]);
	if (stream == NONE)
		return false;
	while (done < len) {
		part[2] = (long)lm_min(len - done, piece);
		ret = lm_call_once(nr, part);
		if (ret > 0)
			done += (size_t)ret;
		if (ret < part[2] || (stream == PIPE_LIKE && nr == SYS_read &&
				      done < len && would_wait((int)args[0])))
			break;
		part[1] += ret;
		part[3] += ret; /* pread's and pwrite's offset */
	}
	*result = done ? (long)done : ret;
	return true;
}
