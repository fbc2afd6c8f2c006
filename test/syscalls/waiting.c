/*
 * waiting.c -- waiting for descriptors.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

static void prepare_poll(char *c[PARAMS], char *p[PARAMS])
{
	struct pollfd fds[2] = { { 3, POLLIN, 0 }, { 4, POLLOUT, 0 } };
	struct timespec soon = { 0, 1000 };
	uint64_t mask = 0;

	(void)p;
	memcpy(c[0], fds, sizeof(fds));
	memcpy(c[1], &soon, sizeof(soon));
	memcpy(c[2], &mask, sizeof(mask));
}

static long c_poll(char *p[PARAMS], bool raw)
{
	pipe_3_4();
	return CALL(poll((struct pollfd *)p[0], 2, 10), SYS_poll, p[0], 2L, 10);
}

static long c_ppoll(char *p[PARAMS], bool raw)
{
	pipe_3_4();
	return CALL(ppoll((struct pollfd *)p[0], 2, (struct timespec *)p[1],
			  (sigset_t *)p[2]),
		    SYS_ppoll, p[0], 2L, p[1], p[2], 8L);
}

/* p: three sets, a time-out, {mask, size}, mask */
static void prepare_select(char *c[PARAMS], char *p[PARAMS])
{
	struct timeval soon = { 0, 0 };
	struct {
		void *set;
		size_t size;
	} mask = { p[5], 8 };

	for (int i = 0; i < 3; i++) {
		memset(c[i], 0, sizeof(fd_set));
		c[i][0] = (char)(i == 0 ? 1 << 3 : i == 1 ? 1 << 4 : 0);
	}
	memcpy(c[3], &soon, sizeof(soon));
	memcpy(c[4], &mask, sizeof(mask));
	memset(c[5], 0, sizeof(sigset_t));
}

static long c_select(char *p[PARAMS], bool raw)
{
	pipe_3_4();
	return CALL(select(64, (fd_set *)p[0], (fd_set *)p[1], (fd_set *)p[2],
			   (struct timeval *)p[3]),
		    SYS_select, 64, p[0], p[1], p[2], p[3]);
}

static long c_pselect(char *p[PARAMS], bool raw)
{
	pipe_3_4();
	return CALL(pselect(64, (fd_set *)p[0], (fd_set *)p[1], (fd_set *)p[2],
			    (struct timespec *)p[3], (sigset_t *)p[5]),
		    SYS_pselect6, 64, p[0], p[1], p[2], p[3], p[4]);
}

static void prepare_epoll(char *c[PARAMS], char *p[PARAMS])
{
	struct epoll_event event = { EPOLLIN, { .u64 = 77 } };

	(void)p;
	memcpy(c[0], &event, sizeof(event));
}

static long c_epoll_ctl(char *p[PARAMS], bool raw)
{
	struct epoll_event event = { 0 };
	int fd;
	long ret;

	pipe_3_4();
	fd = epoll_create1(0);
	ret = CALL(epoll_ctl(fd, EPOLL_CTL_ADD, 3, (struct epoll_event *)p[0]),
		   SYS_epoll_ctl, fd, EPOLL_CTL_ADD, 3, p[0]);
	extra[0] = epoll_wait(fd, &event, 1, 0);
	extra[1] = (long)event.data.u64;
	return ret;
}

static long c_epoll_wait(char *p[PARAMS], bool raw)
{
	struct epoll_event event = { EPOLLIN, { .u64 = 77 } };
	int fd;

	pipe_3_4();
	fd = epoll_create1(0);
	epoll_ctl(fd, EPOLL_CTL_ADD, 3, &event);
	return CALL(epoll_wait(fd, (struct epoll_event *)p[0], 4, 100),
		    SYS_epoll_wait, fd, p[0], 4, 100);
}

static long c_epoll_pwait(char *p[PARAMS], bool raw)
{
	struct epoll_event event = { EPOLLIN, { .u64 = 77 } };
	int fd;

	pipe_3_4();
	fd = epoll_create1(0);
	epoll_ctl(fd, EPOLL_CTL_ADD, 3, &event);
	return CALL(epoll_pwait(fd, (struct epoll_event *)p[0], 4, 100,
				(sigset_t *)p[1]),
		    SYS_epoll_pwait, fd, p[0], 4, 100, p[1], 8L);
}

/* clang-format off */
const struct test waiting_tests[] = {
	TP(poll, poll, OUT(16), OUT(16), OUT(8)),
	TP(ppoll, poll, OUT(16), TIME(16), OUT(8)),
	TP(select, select, OUT(128), OUT(128), OUT(128), OUT(16), POINTERS(16), OUT(128)),
	TP(pselect, select, OUT(128), OUT(128), OUT(128), OUT(16), POINTERS(16), OUT(128)),
	TP(epoll_ctl, epoll, OUT(16)),
	T(epoll_wait, OUT(64)),
	T(epoll_pwait, OUT(64), STRUCT(mask_usr1)),
	END_OF_TESTS,
};
/* clang-format on */
