/*
 * socket.c -- sockets: datagrams and descriptors that arrive in lazy memory are
 * taken once, and not lost.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "buffer.h"

#include <sys/socket.h>

/* The C library's headers give these a transparent union, or not. */
#define ADDRESS struct sockaddr *__restrict
#undef __SOCKADDR_ARG

/* clang-format off */
LM_BUFFER_CALL(ssize_t, send, SYS_sendto, LM_IN, 0, (int fd, const void *buf, size_t len, int flags), fd, buf, len, flags)
LM_CALL(ssize_t, sendto, SYS_sendto, (int fd, const void *buf, size_t len, int flags, const struct sockaddr *to, socklen_t to_len), fd, buf, len, flags, to, to_len)
LM_CALL(ssize_t, sendmsg, SYS_sendmsg, (int fd, const struct msghdr *msg, int flags), fd, msg, flags)
LM_CALL(int, sendmmsg, SYS_sendmmsg, (int fd, struct mmsghdr *msgs, unsigned count, int flags), fd, msgs, count, flags)
LM_BUFFER_CALL(ssize_t, recv, SYS_recvfrom, LM_OUT, 0, (int fd, void *buf, size_t len, int flags), fd, buf, len, flags)
LM_CALL(ssize_t, recvfrom, SYS_recvfrom, (int fd, void *buf, size_t len, int flags, ADDRESS from, socklen_t *from_len), fd, buf, len, flags, from, from_len)
LM_CALL(ssize_t, recvmsg, SYS_recvmsg, (int fd, struct msghdr *msg, int flags), fd, msg, flags)
LM_CALL(int, recvmmsg, SYS_recvmmsg, (int fd, struct mmsghdr *msgs, unsigned count, int flags, struct timespec *timeout), fd, msgs, count, flags, timeout)

ssize_t __recv_chk(int fd, void *buf, size_t len, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t size, int flags, struct sockaddr *from, socklen_t *from_len);
LM_BUFFER_CALL_AS(ssize_t, __recv_chk, SYS_recvfrom, LM_OUT, 0, (int fd, void *buf, size_t len, size_t size, int flags), (fd, buf, len, size, flags), fd, buf, len, flags)
LM_CALL_AS(ssize_t, __recvfrom_chk, SYS_recvfrom, (int fd, void *buf, size_t len, size_t size, int flags, struct sockaddr *from, socklen_t *from_len), (fd, buf, len, size, flags, from, from_len), fd, buf, len, flags, from, from_len)

LM_CALL(int, bind, SYS_bind, (int fd, const struct sockaddr *address, socklen_t len), fd, address, len)
LM_CALL(int, connect, SYS_connect, (int fd, const struct sockaddr *address, socklen_t len), fd, address, len)
LM_CALL(int, accept, SYS_accept, (int fd, ADDRESS address, socklen_t *len), fd, address, len)
LM_CALL(int, accept4, SYS_accept4, (int fd, ADDRESS address, socklen_t *len, int flags), fd, address, len, flags)
LM_CALL(int, getsockname, SYS_getsockname, (int fd, ADDRESS address, socklen_t *len), fd, address, len)
LM_CALL(int, getpeername, SYS_getpeername, (int fd, ADDRESS address, socklen_t *len), fd, address, len)
LM_CALL(int, getsockopt, SYS_getsockopt, (int fd, int level, int name, void *value, socklen_t *len), fd, level, name, value, len)
LM_CALL(int, setsockopt, SYS_setsockopt, (int fd, int level, int name, const void *value, socklen_t len), fd, level, name, value, len)
LM_CALL(int, socketpair, SYS_socketpair, (int domain, int type, int protocol, int fds[2]), domain, type, protocol, fds)
