/*
 * sockets.c -- sockets: datagrams, connections, messages.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/filter.h>
#include <linux/if_xdp.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>

/* One datagram waits, and another one behind it: which is left? */
static void two_datagrams(int fds[2])
{
	pair(SOCK_DGRAM, fds);
	fill_bytes();
	if (send(fds[1], bytes, 9000, 0) != 9000 ||
	    send(fds[1], "second", 6, 0) != 6)
		abort();
}

static void note_datagram(int fd)
{
	char rest[32] = { 0 };

	extra[0] = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);
	extra[1] = rest[0];
}

static long c_recv(char *p[PARAMS], bool raw)
{
	int fds[2];
	long ret;

	two_datagrams(fds);
	ret = CALL(recv(fds[0], p[0], 9000, 0), SYS_recvfrom, fds[0], p[0],
		   9000L, 0, NULL, NULL);
	note_datagram(fds[0]);
	return ret;
}

static long c_read_datagram(char *p[PARAMS], bool raw)
{
	int fds[2];
	long ret;

	two_datagrams(fds);
	ret = CALL(read(fds[0], p[0], 9000), SYS_read, fds[0], p[0], 9000L);
	note_datagram(fds[0]);
	return ret;
}

static long c_recvfrom(char *p[PARAMS], bool raw)
{
	int to = named("to", SOCK_DGRAM), from = named("from", SOCK_DGRAM);
	struct sockaddr_un sun;
	long ret;

	name_of(to, &sun);
	fill_bytes();
	if (sendto(from, bytes, 9000, 0, (struct sockaddr *)&sun,
		   sizeof(sun)) != 9000)
		abort();
	ret = CALL(recvfrom(to, p[0], 9000, 0, (struct sockaddr *)p[1],
			    (socklen_t *)p[2]),
		   SYS_recvfrom, to, p[0], 9000L, 0, p[1], p[2]);
	note_datagram(to);
	return ret;
}

/* The address is that of a socket which the case makes: "to". */
static void put_address(char *c)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "to-%d",
		 (int)getpid());
	memcpy(c, &sun, sizeof(sun));
}

static void prepare_address(char *c[PARAMS], char *p[PARAMS])
{
	(void)p;
	put_address(c[0]);
}

static long c_sendto(char *p[PARAMS], bool raw)
{
	int to = named("to", SOCK_DGRAM), fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	static char back[9000];
	uint32_t sum = 1;
	long ret;

	ret = CALL(sendto(fd, p[1], 9000, 0, (struct sockaddr *)p[0],
			  sizeof(struct sockaddr_un)),
		   SYS_sendto, fd, p[1], 9000L, 0, p[0],
		   (long)sizeof(struct sockaddr_un));
	extra[0] = recv(to, back, sizeof(back), MSG_DONTWAIT);
	for (size_t i = 0; i < sizeof(back); i++)
		sum = sum * 31 + (unsigned char)back[i];
	extra[1] = sum;
	return ret;
}

static long c_connect(char *p[PARAMS], bool raw)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	named("to", SOCK_DGRAM);
	return CALL(connect(fd, (struct sockaddr *)p[0],
			    sizeof(struct sockaddr_un)),
		    SYS_connect, fd, p[0], (long)sizeof(struct sockaddr_un));
}

static long c_bind(char *p[PARAMS], bool raw)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	return CALL(
		bind(fd, (struct sockaddr *)p[0], sizeof(struct sockaddr_un)),
		SYS_bind, fd, p[0], (long)sizeof(struct sockaddr_un));
}

/* A connection waits; is it still there when accept could not say whose? */
static long c_accept(char *p[PARAMS], bool raw)
{
	int to = named("to", SOCK_STREAM), from = named("from", SOCK_STREAM);
	struct sockaddr_un sun;
	long ret;

	name_of(to, &sun);
	if (listen(to, 4) < 0 ||
	    connect(from, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		abort();
	ret = CALL(accept(to, (struct sockaddr *)p[0], (socklen_t *)p[1]),
		   SYS_accept, to, p[0], p[1]);
	fcntl(to, F_SETFL, O_NONBLOCK);
	extra[0] = accept(to, NULL, NULL);
	return ret;
}

static long c_getsockname(char *p[PARAMS], bool raw)
{
	int fd = named("to", SOCK_DGRAM);

	return CALL(getsockname(fd, (struct sockaddr *)p[0], (socklen_t *)p[1]),
		    SYS_getsockname, fd, p[0], p[1]);
}

static long c_getsockopt(char *p[PARAMS], bool raw)
{
	int fds[2];

	pair(SOCK_STREAM, fds);
	return CALL(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, p[0],
			       (socklen_t *)p[1]),
		    SYS_getsockopt, fds[0], SOL_SOCKET, SO_TYPE, p[0], p[1]);
}

static long c_setsockopt(char *p[PARAMS], bool raw)
{
	int fds[2];

	pair(SOCK_STREAM, fds);
	return CALL(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, p[0], 16),
		    SYS_setsockopt, fds[0], SOL_SOCKET, SO_RCVTIMEO, p[0], 16);
}

static long c_socketpair(char *p[PARAMS], bool raw)
{
	return CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)p[0]),
		    SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, p[0]);
}

/* p: the msghdr, its vector, data, data, control, name */
static void prepare_msg(char *c[PARAMS], char *p[PARAMS])
{
	struct iovec iov[2] = { { p[2], 5000 }, { p[3], 4000 } };
	struct msghdr msg = { .msg_iov = (struct iovec *)p[1],
			      .msg_iovlen = 2,
			      .msg_control = p[4],
			      .msg_controllen = CMSG_SPACE(sizeof(int)),
			      .msg_name = p[5],
			      .msg_namelen = name_len };
	struct cmsghdr control = { CMSG_LEN(sizeof(int)), SOL_SOCKET,
				   SCM_RIGHTS };
	int zero = 0;

	memcpy(c[0], &msg, sizeof(msg));
	memcpy(c[1], iov, sizeof(iov));
	memcpy(c[4], &control, sizeof(control));
	memcpy(c[4] + CMSG_LEN(0), &zero, sizeof(zero));
	put_address(c[5]);
}

static long c_sendmsg(char *p[PARAMS], bool raw)
{
	int to = named("to", SOCK_DGRAM), fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	long ret = CALL(sendmsg(fd, (struct msghdr *)p[0], 0), SYS_sendmsg, fd,
			p[0], 0);

	note_datagram(to);
	return ret;
}

static long c_recvmsg(char *p[PARAMS], bool raw)
{
	int to = named("to", SOCK_DGRAM), from = named("from", SOCK_DGRAM);
	struct sockaddr_un sun;
	long ret;

	name_of(to, &sun);
	fill_bytes();
	if (sendto(from, bytes, 9000, 0, (struct sockaddr *)&sun,
		   sizeof(sun)) != 9000)
		abort();
	ret = CALL(recvmsg(to, (struct msghdr *)p[0], 0), SYS_recvmsg, to, p[0],
		   0);
	note_datagram(to);
	return ret;
}

static void prepare_mmsg(char *c[PARAMS], char *p[PARAMS])
{
	struct iovec iov[2] = { { p[2], 9000 }, { p[3], 4000 } };
	struct mmsghdr msg[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		msg[i].msg_hdr.msg_iov = (struct iovec *)p[1] + i;
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	memcpy(c[0], msg, sizeof(msg));
	memcpy(c[1], iov, sizeof(iov));
}

static long c_sendmmsg(char *p[PARAMS], bool raw)
{
	int fds[2];
	long ret;

	pair(SOCK_DGRAM, fds);
	ret = CALL(sendmmsg(fds[1], (struct mmsghdr *)p[0], 2, 0), SYS_sendmmsg,
		   fds[1], p[0], 2, 0);
	note_datagram(fds[0]);
	return ret;
}

static long c_recvmmsg(char *p[PARAMS], bool raw)
{
	int fds[2];
	long ret;

	two_datagrams(fds);
	ret = CALL(
		recvmmsg(fds[0], (struct mmsghdr *)p[0], 2, MSG_DONTWAIT, NULL),
		SYS_recvmmsg, fds[0], p[0], 2, MSG_DONTWAIT, NULL);
	note_datagram(fds[0]);
	return ret;
}

#define MSG                                                                    \
	POINTERS(sizeof(struct msghdr)), POINTERS(2 * sizeof(struct iovec)),   \
		OUT(5000), OUT(4000), OUT(64), OUT(128)

static long c_accept4(char *p[PARAMS], bool raw)
{
	int to = named("to", SOCK_STREAM), from = named("from", SOCK_STREAM);
	struct sockaddr_un sun;

	name_of(to, &sun);
	if (listen(to, 4) < 0 ||
	    connect(from, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		abort();
	return CALL(accept4(to, (struct sockaddr *)p[0], (socklen_t *)p[1], 0),
		    SYS_accept4, to, p[0], p[1], 0);
}

static long c_getpeername(char *p[PARAMS], bool raw)
{
	int to = named("to", SOCK_DGRAM), fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un sun;

	name_of(to, &sun);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		abort();
	return CALL(getpeername(fd, (struct sockaddr *)p[0], (socklen_t *)p[1]),
		    SYS_getpeername, fd, p[0], p[1]);
}

/* A filter that lets all pass; and back. */
static const struct sock_filter pass[2] = { { 0x28, 0, 0, 0 },
					    { 0x06, 0, 0, 0x40000 } };

static void prepare_filter(char *c[PARAMS], char *p[PARAMS])
{
	struct sock_fprog program = { 2, (struct sock_filter *)p[1] };

	memcpy(c[0], &program, sizeof(program));
}

static long c_attach_filter(char *p[PARAMS], bool raw)
{
	int fds[2];

	pair(SOCK_DGRAM, fds);
	return CALL(setsockopt(fds[0], SOL_SOCKET, SO_ATTACH_FILTER, p[0], 16),
		    SYS_setsockopt, fds[0], SOL_SOCKET, SO_ATTACH_FILTER, p[0],
		    16);
}

static const socklen_t two = 2;
static long c_get_filter(char *p[PARAMS], bool raw)
{
	struct sock_fprog program = { 2, (struct sock_filter *)pass };
	int fds[2];

	pair(SOCK_DGRAM, fds);
	setsockopt(fds[0], SOL_SOCKET, SO_ATTACH_FILTER, &program,
		   sizeof(program));
	return CALL(getsockopt(fds[0], SOL_SOCKET, SO_GET_FILTER, p[0],
			       (socklen_t *)p[1]),
		    SYS_getsockopt, fds[0], SOL_SOCKET, SO_GET_FILTER, p[0],
		    p[1]);
}

/* By the loopback device, where there is one: what comes is small enough to be
 * copied. p: the struct, its length, where it is copied to. */
static void prepare_copied(char *c[PARAMS], char *p[PARAMS])
{
	struct tcp_zerocopy_receive how = { 0 };

	how.length = 4096;
	how.copybuf_address = (uintptr_t)p[2];
	how.copybuf_len = 5000;
	memcpy(c[0], &how, sizeof(how));
}

static int tcp_with_5_bytes(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int to = socket(AF_INET, SOCK_STREAM, 0);
	int from = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd come = { .events = POLLIN };

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (to < 0 || bind(to, (struct sockaddr *)&in, len) < 0 ||
	    listen(to, 1) < 0 ||
	    getsockname(to, (struct sockaddr *)&in, &len) < 0 ||
	    connect(from, (struct sockaddr *)&in, len) < 0 ||
	    write(from, "hello", 5) != 5)
		return -1;
	come.fd = accept(to, NULL, NULL);
	poll(&come, 1, 1000);
	return come.fd;
}

static long c_tcp_copied(char *p[PARAMS], bool raw)
{
	int fd = tcp_with_5_bytes();
	long ret = CALL(getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, p[0],
				   (socklen_t *)p[1]),
			SYS_getsockopt, fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE,
			p[0], p[1]);

	if (fd < 0)
		errno = EPERM;
	return ret;
}
static const socklen_t copied_len = sizeof(struct tcp_zerocopy_receive);

/* The kernel receives to it. p: the struct, two pages. */
static void prepare_umem(char *c[PARAMS], char *p[PARAMS])
{
	struct xdp_umem_reg reg = { .addr = (uintptr_t)page_of(p[1]),
				    .len = 8192,
				    .chunk_size = 4096 };

	memcpy(c[0], &reg, sizeof(reg));
}

static long c_umem(char *p[PARAMS], bool raw)
{
	int fd = socket(AF_XDP, SOCK_RAW, 0);
	long ret = CALL(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, p[0],
				   sizeof(struct xdp_umem_reg)),
			SYS_setsockopt, fd, SOL_XDP, XDP_UMEM_REG, p[0],
			sizeof(struct xdp_umem_reg));

	if (fd < 0)
		errno = EPERM;
	return ret;
}

/* Two come, a third does not: it is waited for. p[4]: how long. */
static void prepare_mmsg_moment(char *c[PARAMS], char *p[PARAMS])
{
	prepare_mmsg(c, p);
	memset(c[4], 0, sizeof(struct timespec));
}

static long c_recvmmsg_moment(char *p[PARAMS], bool raw)
{
	int fds[2];

	two_datagrams(fds);
	return CALL(recvmmsg(fds[0], (struct mmsghdr *)p[0], 2, 0,
			     (struct timespec *)p[4]),
		    SYS_recvmmsg, fds[0], p[0], 2, 0, p[4]);
}

/* clang-format off */
const struct test sockets_tests[] = {
	T(recv, OUT(9000)),
	T(read_datagram, OUT(9000)),
	T(recvfrom, OUT(9000), OUT(128), STRUCT(name_len)),
	TP(sendto, address, OUT(128), OUT(9000)),
	TP(connect, address, OUT(128)),
	TP(bind, address, OUT(128)),
	T(accept, OUT(128), STRUCT(name_len)),
	T(getsockname, OUT(128), STRUCT(name_len)),
	T(getsockopt, OUT(4), STRUCT(name_len)),
	T(setsockopt, STRUCT(moment)),
	T(socketpair, OUT(8)),
	TP(sendmsg, msg, MSG),
	TP(recvmsg, msg, MSG),
	TP(sendmmsg, mmsg, POINTERS(128), POINTERS(32), OUT(9000), OUT(4000)),
	TP(recvmmsg, mmsg, POINTERS(128), POINTERS(32), OUT(9000), OUT(4000)),
	T(accept4, OUT(128), STRUCT(name_len)),
	T(getpeername, OUT(128), STRUCT(name_len)),
	TP(attach_filter, filter, POINTERS(16), STRUCT(pass)),
	T(get_filter, OUT(16), STRUCT(two)),
	TP(tcp_copied, copied, POINTERS(sizeof(struct tcp_zerocopy_receive)), STRUCT(copied_len), OUT(5000)),
	TP(umem, umem, POINTERS(sizeof(struct xdp_umem_reg)), OUT(8192)),
	TP(recvmmsg_moment, mmsg_moment, POINTERS(128), POINTERS(32), OUT(9000), OUT(4000), TIME(16)),
	END_OF_TESTS,
};
/* clang-format on */
