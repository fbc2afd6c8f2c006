/*
 * pieces.c -- a transfer larger than the resident limit lets be pinned at once:
 * made in pieces, where the sum is what the one call would have done.
 *
 * That is so for bytes without borders: regular files, block devices, pipes,
 * stream sockets. A datagram goes whole, whatever the limit. A look at a stream
 * socket (MSG_PEEK) cannot be made in pieces, but its buffer is cut to what is
 * there.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "pins.h"

#include "../area.h"
#include "../resident.h"
#include "copy.h"
#include "self.h"

#include <limits.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* So that eight threads have room. */
#define SHARE 8
/* Without a limit: a MiB was faster than 64 KiB and than all at once. */
#define TO_PIPE ((size_t)1024 * 1024)
/* What the kernel transfers at most in one call: MAX_RW_COUNT. */
#define MOST ((size_t)INT_MAX & ~(LM_PAGE - 1))
/* Buffers of one piece, and of what is read at once of the program's array. */
#define BUFFERS 16

/* Of sends and receives, those that change nothing between pieces. */
#define PLAIN_FLAGS                                                            \
	(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_WAITALL |                \
	 MSG_CMSG_CLOEXEC)
#define RWF_ATOMIC_ 0x40 /* Linux 6.11 */

/* How a call names its buffers. */
enum shape { NO_SHAPE, BUFFER, VECTOR, MESSAGE };

struct shaped {
	enum shape shape;
	bool in;       /* it reads */
	int flags;     /* of a socket's call: which argument; 0: none */
	bool position; /* argument 3 says where in the file */
};

static struct shaped shape_of(long nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_write:
		return (struct shaped){ BUFFER, nr == SYS_read, 0, false };
	case SYS_pread64:
	case SYS_pwrite64:
		return (struct shaped){ BUFFER, nr == SYS_pread64, 0, true };
	case SYS_recvfrom:
	case SYS_sendto:
		return (struct shaped){ BUFFER, nr == SYS_recvfrom, 3, false };
	case SYS_readv:
	case SYS_writev:
		return (struct shaped){ VECTOR, nr == SYS_readv, 0, false };
	case SYS_preadv:
	case SYS_preadv2:
		return (struct shaped){ VECTOR, true, 0, true };
	case SYS_pwritev:
	case SYS_pwritev2:
		return (struct shaped){ VECTOR, false, 0, true };
	case SYS_recvmsg:
	case SYS_sendmsg:
		return (struct shaped){ MESSAGE, nr == SYS_recvmsg, 2, false };
	}
	return (struct shaped){ NO_SHAPE, false, 0, false };
}

/* -- What is at the other end --------------------------------------------------- */

enum stream { NONE, FILE_LIKE, PIPE, SOCKET };

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
		return PIPE;
	case S_IFSOCK:
		if (lm_sys(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type,
			   &len) == 0 &&
		    type == SOCK_STREAM)
			return SOCKET;
	}
	return NONE;
}

/* -- How much at once ------------------------------------------------------------- */

/* Without a limit, too: a pipe takes little at a time, and what has been mapped
 * just before it is written is still in the processor's caches. */
static bool to_pipe(long nr, const long args[6])
{
	return nr == SYS_write && (size_t)args[2] > LM_BLOCK &&
	       stream_of((int)args[0]) == PIPE;
}

static size_t piece_size(void)
{
	size_t pages =
		atomic_load_explicit(&lm_resident_max, memory_order_relaxed);

	return pages ? lm_max(pages / SHARE * LM_PAGE, LM_PIECES_LEAST)
		     : TO_PIPE;
}

/* -- The program's buffers ------------------------------------------------------ */

/* A place in them. */
struct buffers {
	struct iovec first; /* what is left of the first */
	uintptr_t array;    /* the others, in the program's memory */
	size_t count;
};

static int find_buffers(enum shape shape, const long args[6],
			struct buffers *buffers)
{
	struct msghdr msg;

	*buffers = (struct buffers){ { NULL, 0 },
				     (uintptr_t)args[1],
				     (size_t)args[2] };
	if (shape == BUFFER) {
		buffers->first =
			(struct iovec){ (void *)args[1], (size_t)args[2] };
		buffers->count = 0;
	} else if (shape == MESSAGE) {
		if (lm_copy(&msg, (uintptr_t)args[1], sizeof(msg)) < 0)
			return -EFAULT;
		buffers->array = (uintptr_t)msg.msg_iov;
		buffers->count = msg.msg_iovlen;
	}
	return buffers->count > IOV_MAX ? -EINVAL : 0;
}

/* Take up to `size` bytes, of as many buffers as have room. How many bytes;
 * *count: of how many buffers. */
static size_t take(struct buffers *buffers, size_t size,
		   struct iovec part[BUFFERS], size_t *count)
{
	size_t taken = 0, len;

	for (*count = 0; *count < BUFFERS && taken < size;) {
		if (!buffers->first.iov_len) {
			if (!buffers->count ||
			    lm_copy(&buffers->first, buffers->array,
				    sizeof(buffers->first)) < 0)
				break;
			buffers->array += sizeof(buffers->first);
			buffers->count--;
			continue;
		}
		len = lm_min(buffers->first.iov_len, size - taken);
		part[(*count)++] =
			(struct iovec){ buffers->first.iov_base, len };
		buffers->first.iov_base = (char *)buffers->first.iov_base + len;
		buffers->first.iov_len -= len;
		taken += len;
	}
	return taken;
}

/* All of them: how many bytes, as far as the kernel goes; 0 where it is not to
 * be done in pieces, or to be refused, or nothing is lazy, unless the file is. */
static size_t total_of(struct buffers buffers, bool lazy)
{
	struct iovec part[BUFFERS];
	size_t total = 0, count;

	do {
		total += take(&buffers, SSIZE_MAX, part, &count);
		for (size_t i = 0; i < count; i++) {
			uintptr_t start = (uintptr_t)part[i].iov_base;
			uintptr_t end = start + part[i].iov_len;

			if (part[i].iov_len > SSIZE_MAX || end < start ||
			    total > SSIZE_MAX)
				return 0;
			lazy |= lm_area_near(start, end);
		}
	} while (count);
	if (buffers.count)
		return 0; /* the array cannot be read: EFAULT */
	return lazy ? lm_min(total, MOST) : 0;
}

bool lm_pieces_wanted(long nr, const long args[6])
{
	struct shaped shaped = shape_of(nr);
	struct buffers buffers;

	if (shaped.shape == NO_SHAPE ||
	    (!lm_resident_limited() && !to_pipe(nr, args)))
		return false;
	if (shaped.shape == BUFFER && (size_t)args[2] <= LM_PIECES_LEAST)
		return false;
	return find_buffers(shaped.shape, args, &buffers) == 0 &&
	       total_of(buffers, lm_self_wanted(nr, args)) > piece_size();
}

/* -- What may be done again ------------------------------------------------------ */

/* Another read of a pipe would wait: the first one's bytes are the answer. */
static bool would_wait(int fd)
{
	int left = 0;

	return lm_sys(SYS_ioctl, fd, FIONREAD, &left) < 0 || left <= 0;
}

/* May the call be made more than once? Not one that looks without taking, goes
 * to an address, or is all or nothing. */
static bool may_repeat(long nr, const struct shaped *shaped, const long args[6])
{
	if (shaped->flags && (int)args[shaped->flags] & ~PLAIN_FLAGS)
		return false;
	if (nr == SYS_sendto && args[4])
		return false;
	return (nr != SYS_preadv2 && nr != SYS_pwritev2) ||
	       !((int)args[5] & RWF_ATOMIC_);
}

/* -- The pieces ----------------------------------------------------------------- */

struct transfer {
	long nr;
	const long *args;
	struct shaped shaped;
	enum stream stream;
	struct buffers left;
	size_t done;
	struct msghdr msg; /* the program's, and what has come of it */
	bool last;         /* nothing may come after this piece */
};

/* A part of a message. What goes beside the bytes goes with the first one; what
 * comes beside them ends the call, for the next may have some, too. */
static long message_piece(struct transfer *transfer, struct iovec *part,
			  size_t count, int flags)
{
	struct msghdr msg = transfer->msg;
	long ret;

	msg.msg_iov = part;
	msg.msg_iovlen = count;
	if (transfer->done) {
		msg.msg_name = NULL;
		msg.msg_namelen = 0;
	}
	if (transfer->done && !transfer->shaped.in) {
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	ret = lm_call_once(transfer->nr, (const long[6]){ transfer->args[0],
							  (long)&msg, flags });
	if (!transfer->shaped.in || ret < 0)
		return ret;
	if (!transfer->done)
		transfer->msg.msg_namelen = msg.msg_namelen;
	transfer->msg.msg_flags =
		msg.msg_flags | (transfer->done ? transfer->msg.msg_flags : 0);
	transfer->last = msg.msg_controllen && transfer->msg.msg_controllen;
	if (transfer->last)
		transfer->msg.msg_controllen = msg.msg_controllen;
	return ret;
}

static long piece(struct transfer *transfer, struct iovec *part, size_t count)
{
	long args[6], nr = transfer->nr;
	const struct shaped *shaped = &transfer->shaped;
	struct msghdr msg = { .msg_iov = part, .msg_iovlen = count };

	for (int i = 0; i < 6; i++)
		args[i] = transfer->args[i];
	/* One call that has sent something returns that; only when it has sent
	 * nothing is there a SIGPIPE. */
	if (transfer->stream == SOCKET && transfer->done && !shaped->in) {
		if (!shaped->flags)
			return lm_call_once(SYS_sendmsg,
					    (const long[6]){ args[0],
							     (long)&msg,
							     MSG_NOSIGNAL });
		args[shaped->flags] |= MSG_NOSIGNAL;
	}
	if (shaped->position &&
	    !((nr == SYS_preadv2 || nr == SYS_pwritev2) && args[3] == -1))
		args[3] += (long)transfer->done;
	if (nr == SYS_recvfrom && transfer->done)
		args[4] = args[5] = 0;
	if (shaped->shape == MESSAGE)
		return message_piece(transfer, part, count, (int)args[2]);
	if (shaped->shape == VECTOR) {
		args[1] = (long)part;
		args[2] = (long)count;
	} else {
		args[1] = (long)part[0].iov_base;
		args[2] = (long)part[0].iov_len;
	}
	return lm_call_once(nr, args);
}

static bool ends(const struct transfer *transfer)
{
	const struct shaped *shaped = &transfer->shaped;

	if (transfer->last)
		return true;
	if (!shaped->in || transfer->stream == FILE_LIKE ||
	    (shaped->flags && (int)transfer->args[shaped->flags] & MSG_WAITALL))
		return false;
	return would_wait((int)transfer->args[0]);
}

static long make_pieces(struct transfer *transfer, size_t total)
{
	struct iovec part[BUFFERS];
	size_t size, count;
	long ret = 0;

	while (transfer->done < total) {
		size = lm_min(piece_size(), total - transfer->done);
		size = take(&transfer->left, size, part, &count);
		ret = size ? piece(transfer, part, count) : -EFAULT;
		if (ret > 0)
			transfer->done += (size_t)ret;
		if (ret < (long)size || !size ||
		    (transfer->done < total && ends(transfer)))
			break;
	}
	return transfer->done ? (long)transfer->done : ret;
}

/* What recvmsg has to say beside the bytes. */
static long tell(struct transfer *transfer, long ret)
{
	struct lm_call_pins pins;
	uintptr_t at = (uintptr_t)transfer->args[1];
	struct msghdr *msg = &transfer->msg;

	if (!transfer->last)
		msg->msg_controllen = 0;
	lm_call_begin(&pins);
	lm_call_add(&pins, at, sizeof(*msg), LM_ARG_INOUT);
	if (lm_copy((void *)at, (uintptr_t)msg, sizeof(*msg)) < 0)
		ret = -EFAULT;
	lm_call_unpin(&pins);
	return ret;
}

/* -- A look at what a socket has ------------------------------------------------- */

/* Whether what such a call finds may be looked at twice: nothing comes beside the
 * bytes (descriptors would come again), and looks do not move on. */
static bool may_peek(const struct transfer *transfer)
{
	int flags = (int)transfer->args[transfer->shaped.flags];
	int fd = (int)transfer->args[0], offset = -1, len = sizeof(offset);

	if (transfer->stream != SOCKET || !transfer->shaped.in ||
	    !(flags & MSG_PEEK) ||
	    flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_NOSIGNAL) ||
	    (transfer->shaped.shape == MESSAGE && transfer->msg.msg_controllen))
		return false;
	return lm_sys(SYS_getsockopt, fd, SOL_SOCKET, SO_PEEK_OFF, &offset,
		      &len) < 0 ||
	       offset < 0;
}

/* Into the first `size` bytes of the program's buffers. False: of too many. */
static bool peek(struct transfer *transfer, size_t size, int more, long *result)
{
	const long *args = transfer->args;
	struct buffers buffers = transfer->left;
	struct iovec part[BUFFERS];
	long changed[6];
	size_t count;

	if (take(&buffers, size, part, &count) < size)
		return false;
	for (int i = 0; i < 6; i++)
		changed[i] = args[i];
	changed[transfer->shaped.flags] |= more;
	transfer->args = changed;
	*result = piece(transfer, part, count);
	transfer->args = args;
	return true;
}

/*
 * A look returns at once with what is there, and that is what has to be pinned.
 * Where the first one is full more may have come while it waited.
 */
static bool made_peek(struct transfer *transfer, size_t total, long *result)
{
	size_t size = piece_size();
	long again;
	int there;

	if (lm_sys(SYS_ioctl, transfer->args[0], FIONREAD, &there) < 0)
		return false;
	if (there > 0)
		size = lm_max(size, (size_t)there);
	size = lm_min(size, total);
	if (!peek(transfer, size, 0, result))
		return false;
	if (*result < (long)size || size == total ||
	    lm_sys(SYS_ioctl, transfer->args[0], FIONREAD, &there) < 0 ||
	    there <= *result)
		return true;
	size = lm_min((size_t)there, total);
	if (peek(transfer, size, MSG_DONTWAIT, &again) && again > *result)
		*result = again;
	return true;
}

bool lm_pieces_call(long nr, const long args[6], long *result)
{
	struct transfer transfer = { .nr = nr, .args = args };
	size_t total;

	if (!lm_pieces_wanted(nr, args))
		return false;
	transfer.shaped = shape_of(nr);
	transfer.stream = stream_of((int)args[0]);
	if (transfer.stream == NONE ||
	    find_buffers(transfer.shaped.shape, args, &transfer.left) < 0)
		return false;
	if (transfer.shaped.shape == MESSAGE &&
	    lm_copy(&transfer.msg, (uintptr_t)args[1], sizeof(transfer.msg)) <
		    0)
		return false;
	total = total_of(transfer.left, lm_self_wanted(nr, args));
	if (may_repeat(nr, &transfer.shaped, args))
		*result = make_pieces(&transfer, total);
	else if (!may_peek(&transfer) || !made_peek(&transfer, total, result))
		return false;
	if (nr == SYS_recvmsg && *result >= 0)
		*result = tell(&transfer, *result);
	return true;
}
