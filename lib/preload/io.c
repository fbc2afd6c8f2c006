/*
 * io.c -- reading and writing through lazy memory: the buffer is present and
 * pinned before the kernel looks, and the call is made once, whole.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "preload.h"
#include "signal.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* What one call has pinned; undone when it returns, or is cancelled. */
struct pins {
	unsigned count;
	struct pin {
		uintptr_t start;
		size_t len;
	} pin[64];
};

static void pin(struct pins *pins, uintptr_t start, size_t len, int write)
{
	struct pin *pin = &pins->pin[pins->count];

	if (!lm_access_lazy(start, len) ||
	    pins->count == sizeof(pins->pin) / sizeof(pins->pin[0]))
		return;
	pin->start = start;
	pin->len = lm_access_pin(start, len, write);
	pins->count += pin->len > 0;
}

static void unpin(void *argument)
{
	struct pins *pins = argument;
	int saved = errno;

	while (pins->count) {
		struct pin *pin = &pins->pin[--pins->count];

		lm_access_unpin(pin->start, pin->len);
	}
	errno = saved;
}

/* The vector itself, and each buffer. Beyond the table's room (IOV_MAX is
 * 1024) buffers are made present and not pinned. */
static void pin_vector(struct pins *pins, const struct iovec *iov, int count,
		       int write)
{
	if (count < 0 || count > IOV_MAX)
		return;
	pin(pins, (uintptr_t)iov, (size_t)count * sizeof(*iov), 0);
	for (int i = 0; i < count; i++)
		pin(pins, (uintptr_t)iov[i].iov_base, iov[i].iov_len, write);
}

static void pin_message(struct pins *pins, const struct msghdr *msg, int write)
{
	pin(pins, (uintptr_t)msg, sizeof(*msg), write);
	pin(pins, (uintptr_t)msg->msg_name, msg->msg_namelen, write);
	pin(pins, (uintptr_t)msg->msg_control, msg->msg_controllen, write);
	pin_vector(pins, msg->msg_iov, (int)msg->msg_iovlen, write);
}

/* Make `call` with what `pinning` pins; a cancelled call lets go too. */
#define PINNED(type, pinning, call)                                            \
	do {                                                                   \
		struct pins pins_;                                             \
		struct pins *pins = &pins_;                                    \
		type ret_;                                                     \
                                                                               \
		pins->count = 0;                                               \
		pinning;                                                       \
		if (!pins->count)                                              \
			return call;                                           \
		pthread_cleanup_push(unpin, pins);                             \
		ret_ = call;                                                   \
		pthread_cleanup_pop(1);                                        \
		return ret_;                                                   \
	} while (0)

#define IN(buf, len) pin(pins, (uintptr_t)(buf), len, 0)
#define OUT(buf, len) pin(pins, (uintptr_t)(buf), len, 1)

static ssize_t read_once(int fd, void *buf, size_t len)
{
	PINNED(ssize_t, OUT(buf, len), REAL(read)(fd, buf, len));
}

LM_EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	ssize_t ret = read_once(fd, buf, len);

	lm_mask_read(buf, ret);
	return ret;
}

LM_EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	PINNED(ssize_t, IN(buf, len), REAL(write)(fd, buf, len));
}

LM_EXPORT ssize_t pread(int fd, void *buf, size_t len, off_t at)
{
	PINNED(ssize_t, OUT(buf, len), REAL(pread)(fd, buf, len, at));
}

LM_EXPORT ssize_t pread64(int fd, void *buf, size_t len, off64_t at)
{
	PINNED(ssize_t, OUT(buf, len), REAL(pread64)(fd, buf, len, at));
}

LM_EXPORT ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
	PINNED(ssize_t, IN(buf, len), REAL(pwrite)(fd, buf, len, at));
}

LM_EXPORT ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t at)
{
	PINNED(ssize_t, IN(buf, len), REAL(pwrite64)(fd, buf, len, at));
}

/* What a fortified program calls in place of read and the like; the length of
 * the object is checked by libc behind us. */
ssize_t __read_chk(int fd, void *buf, size_t len, size_t size);
ssize_t __pread_chk(int fd, void *buf, size_t len, off_t at, size_t size);
ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t at, size_t size);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t size, int flags,
		       struct sockaddr *from, socklen_t *from_len);

LM_EXPORT ssize_t __read_chk(int fd, void *buf, size_t len, size_t size)
{
	PINNED(ssize_t, OUT(buf, len), REAL(__read_chk)(fd, buf, len, size));
}

LM_EXPORT ssize_t __pread_chk(int fd, void *buf, size_t len, off_t at,
			      size_t size)
{
	PINNED(ssize_t, OUT(buf, len),
	       REAL(__pread_chk)(fd, buf, len, at, size));
}

LM_EXPORT ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t at,
				size_t size)
{
	PINNED(ssize_t, OUT(buf, len),
	       REAL(__pread64_chk)(fd, buf, len, at, size));
}

LM_EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
	PINNED(ssize_t, pin_vector(pins, iov, count, 1),
	       REAL(readv)(fd, iov, count));
}

LM_EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	PINNED(ssize_t, pin_vector(pins, iov, count, 0),
	       REAL(writev)(fd, iov, count));
}

LM_EXPORT ssize_t preadv(int fd, const struct iovec *iov, int count, off_t at)
{
	PINNED(ssize_t, pin_vector(pins, iov, count, 1),
	       REAL(preadv)(fd, iov, count, at));
}

LM_EXPORT ssize_t preadv64(int fd, const struct iovec *iov, int count,
			   off64_t at)
{
	PINNED(ssize_t, pin_vector(pins, iov, count, 1),
	       REAL(preadv64)(fd, iov, count, at));
}

LM_EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	PINNED(ssize_t, pin_vector(pins, iov, count, 0),
	       REAL(pwritev)(fd, iov, count, at));
}

LM_EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int count,
			    off64_t at)
{
	PINNED(ssize_t, pin_vector(pins, iov, count, 0),
	       REAL(pwritev64)(fd, iov, count, at));
}

/* -- Sockets ------------------------------------------------------------------ */

LM_EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	PINNED(ssize_t, OUT(buf, len), REAL(recv)(fd, buf, len, flags));
}

LM_EXPORT ssize_t __recv_chk(int fd, void *buf, size_t len, size_t size,
			     int flags)
{
	PINNED(ssize_t, OUT(buf, len),
	       REAL(__recv_chk)(fd, buf, len, size, flags));
}

LM_EXPORT ssize_t recvfrom(int fd, void *buf, size_t len, int flags,
			   struct sockaddr *from, socklen_t *from_len)
{
	PINNED(ssize_t,
	       (OUT(buf, len), OUT(from_len, sizeof(*from_len)),
		OUT(from, from && from_len ? *from_len : 0)),
	       REAL(recvfrom)(fd, buf, len, flags, from, from_len));
}

LM_EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t size,
				 int flags, struct sockaddr *from,
				 socklen_t *from_len)
{
	PINNED(ssize_t,
	       (OUT(buf, len), OUT(from_len, sizeof(*from_len)),
		OUT(from, from && from_len ? *from_len : 0)),
	       REAL(__recvfrom_chk)(fd, buf, len, size, flags, from, from_len));
}

LM_EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	PINNED(ssize_t, IN(buf, len), REAL(send)(fd, buf, len, flags));
}

LM_EXPORT ssize_t sendto(int fd, const void *buf, size_t len, int flags,
			 const struct sockaddr *to, socklen_t to_len)
{
	PINNED(ssize_t, (IN(buf, len), IN(to, to_len)),
	       REAL(sendto)(fd, buf, len, flags, to, to_len));
}

LM_EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	PINNED(ssize_t, pin_message(pins, msg, 1),
	       REAL(recvmsg)(fd, msg, flags));
}

LM_EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	PINNED(ssize_t, pin_message(pins, msg, 0),
	       REAL(sendmsg)(fd, msg, flags));
}

/* -- stdio: the caller's buffer may go to the kernel as it is ------------------ */

LM_EXPORT size_t fread(void *buf, size_t size, size_t n, FILE *file)
{
	size_t len;

	if (__builtin_mul_overflow(size, n, &len))
		len = 0;
	PINNED(size_t, OUT(buf, len), REAL(fread)(buf, size, n, file));
}

LM_EXPORT size_t fwrite(const void *buf, size_t size, size_t n, FILE *file)
{
	size_t len;

	if (__builtin_mul_overflow(size, n, &len))
		len = 0;
	PINNED(size_t, IN(buf, len), REAL(fwrite)(buf, size, n, file));
}

#undef fread_unlocked
#undef fwrite_unlocked

LM_EXPORT size_t fread_unlocked(void *buf, size_t size, size_t n, FILE *file)
{
	size_t len;

	if (__builtin_mul_overflow(size, n, &len))
		len = 0;
	PINNED(size_t, OUT(buf, len), REAL(fread_unlocked)(buf, size, n, file));
}

LM_EXPORT size_t fwrite_unlocked(const void *buf, size_t size, size_t n,
				 FILE *file)
{
	size_t len;

	if (__builtin_mul_overflow(size, n, &len))
		len = 0;
	PINNED(size_t, IN(buf, len), REAL(fwrite_unlocked)(buf, size, n, file));
}
