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
#include <linux/aio_abi.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

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

static long c_epoll_pwait2(char *p[PARAMS], bool raw)
{
	struct epoll_event event = { EPOLLIN, { .u64 = 77 } };
	int fd;

	pipe_3_4();
	fd = epoll_create1(0);
	epoll_ctl(fd, EPOLL_CTL_ADD, 3, &event);
	return CALL(epoll_pwait2(fd, (struct epoll_event *)p[0], 4,
				 (struct timespec *)p[1], (sigset_t *)p[2]),
		    SYS_epoll_pwait2, fd, p[0], 4, p[1], p[2], 8);
}

CASE_RAW(old_signalfd, SYS_signalfd, -1, p[0], 8)
CASE(signalfd, signalfd(-1, (sigset_t *)p[0], 0), SYS_signalfd4, -1, p[0], 8, 0)

static long c_timerfd_gettime(char *p[PARAMS], bool raw)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	return CALL(timerfd_gettime(fd, (struct itimerspec *)p[0]),
		    SYS_timerfd_gettime, fd, p[0]);
}

/* -- Asynchronous ---------------------------------------------------------------- */

static char block_bytes[100];
/* One for all, without what others have left in it: to end one takes long. */
static unsigned long context(void)
{
	static unsigned long id;
	struct io_event left[4];
	struct timespec no = { 0, 0 };

	if (!id)
		syscall(SYS_io_setup, 4, &id);
	syscall(SYS_io_getevents, id, 0, 4, left, &no);
	return id;
}

static long c_io_setup(char *p[PARAMS], bool raw)
{
	unsigned long id = 0;
	long ret;

	(void)raw;
	ret = RAW(SYS_io_setup, 4, p[0]);
	if (!ret && read(known_file(), &id, 0) == 0) {
		memcpy(&id, p[0], sizeof(id));
		syscall(SYS_io_destroy, id);
	}
	return ret;
}

/* p: pointers, a block: which reads from descriptor 3 to ordinary memory */
static void prepare_block(char *c[PARAMS], char *p[PARAMS])
{
	struct iocb block = { .aio_data = 77,
			      .aio_lio_opcode = IOCB_CMD_PREAD,
			      .aio_fildes = 3,
			      .aio_buf = (uint64_t)(uintptr_t)block_bytes,
			      .aio_nbytes = sizeof(block_bytes) };

	memcpy(c[0], &p[1], sizeof(p[1]));
	memcpy(c[1], &block, sizeof(block));
}

static long c_io_submit(char *p[PARAMS], bool raw)
{
	struct io_event event = { 0 };
	unsigned long id = context();
	struct timespec no = { 0, 0 };
	long ret;

	(void)raw;
	known_file();
	ret = RAW(SYS_io_submit, id, 1, p[0]);
	extra[0] = syscall(SYS_io_getevents, id, 0, 1, &event, &no);
	extra[1] = event.res;
	return ret;
}

/* One event is there, two are wanted. */
static unsigned long one_event(void)
{
	static struct iocb block = { .aio_data = 77,
				     .aio_lio_opcode = IOCB_CMD_PREAD,
				     .aio_nbytes = sizeof(block_bytes) };
	struct iocb *blocks[] = { &block };
	unsigned long id = context();

	block.aio_fildes = (unsigned)known_file();
	block.aio_buf = (uint64_t)(uintptr_t)block_bytes;
	syscall(SYS_io_submit, id, 1, blocks);
	return id;
}

static long c_io_getevents(char *p[PARAMS], bool raw)
{
	unsigned long id = one_event();

	(void)raw;
	return RAW(SYS_io_getevents, id, 2, 2, p[0], p[1]);
}

/* p: events, a time-out, {mask, size}, mask */
static void prepare_io_mask(char *c[PARAMS], char *p[PARAMS])
{
	uintptr_t mask[2] = { (uintptr_t)p[3], 8 };

	memcpy(c[2], mask, sizeof(mask));
}

static long c_io_pgetevents(char *p[PARAMS], bool raw)
{
	unsigned long id = one_event();

	(void)raw;
	return RAW(SYS_io_pgetevents, id, 2, 2, p[0], p[1], p[2]);
}

/* Waiting for a pipe that stays empty. */
static void prepare_poll_block(char *c[PARAMS], char *p[PARAMS])
{
	struct iocb block = { .aio_data = 77,
			      .aio_lio_opcode = IOCB_CMD_POLL,
			      .aio_fildes = 4,
			      .aio_buf = POLLIN };

	(void)p;
	memcpy(c[0], &block, sizeof(block));
}

/* One that is not ended by it is when its pipe is closed. */
static long c_io_cancel(char *p[PARAMS], bool raw)
{
	struct iocb *blocks[] = { (struct iocb *)p[0] };
	unsigned long id = context();

	(void)raw;
	pipe_3_4();
	extra[0] = syscall(SYS_io_submit, id, 1, blocks);
	away(p[0]);
	return RAW(SYS_io_cancel, id, p[0], p[1]);
}

CASE_RAW(ring, SYS_io_uring_setup, 4, p[0])

static int a_ring(void)
{
	uint32_t params[30] = { 0 };

	return (int)syscall(SYS_io_uring_setup, 4, params);
}

/* p: {mask, size, time-out}, mask, time-out */
static void prepare_ring_wait(char *c[PARAMS], char *p[PARAMS])
{
	uint64_t wait[3] = { (uintptr_t)p[1], 8, (uintptr_t)p[2] };

	memcpy(c[0], wait, sizeof(wait));
}

CASE_RAW(ring_wait, SYS_io_uring_enter, a_ring(), 0, 1, 1 | 8, p[0], 24)
CASE_RAW(ring_files, SYS_io_uring_register, a_ring(), 2, p[0], 3)
CASE_RAW(ring_event, SYS_io_uring_register, a_ring(), 4, p[0], 1)
CASE_RAW(ring_probe, SYS_io_uring_register, a_ring(), 8, p[0], 40)
static const int no_files[3] = { -1, -1, -1 };

/* Buffers to be, for good; p: {where, how much} twice, two buffers. */
static void prepare_buffers(char *c[PARAMS], char *p[PARAMS])
{
	struct iovec iov[2] = { { p[1], 5000 }, { p[2], 100 } };

	memcpy(c[0], iov, sizeof(iov));
}
CASE_RAW(ring_buffers, SYS_io_uring_register, a_ring(), 0, p[0], 2)

static long c_ring_update(char *p[PARAMS], bool raw)
{
	int ring = a_ring();

	(void)raw;
	syscall(SYS_io_uring_register, ring, 2, no_files, 3);
	return RAW(SYS_io_uring_register, ring, 6, p[0], 3);
}

static void prepare_ring_update(char *c[PARAMS], char *p[PARAMS])
{
	uint64_t update[2] = { 0, (uintptr_t)p[1] };

	memcpy(c[0], update, sizeof(update));
}

static void prepare_event_fd(char *c[PARAMS], char *p[PARAMS])
{
	(void)p;
	memset(c[0], 0, 4); /* no such thing: EINVAL, when it was read */
}

static void prepare_probe(char *c[PARAMS], char *p[PARAMS])
{
	(void)p;
	memset(c[0], 0, 336);
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
	T(epoll_pwait2, OUT(64), STRUCT(moment), STRUCT(mask_usr1)),
	TR(old_signalfd, STRUCT(mask_usr1)), T(signalfd, STRUCT(mask_usr1)),
	T(timerfd_gettime, OUT(32)),
	{ "io_setup", c_io_setup, { TIME(8) }, NULL, RAW_ONLY, true },
	T_(io_submit, prepare_block, RAW_ONLY, POINTERS(8), POINTERS(64)),
	TR(io_getevents, OUT(64), STRUCT(moment)),
	T_(io_pgetevents, prepare_io_mask, RAW_ONLY, OUT(64), STRUCT(moment), POINTERS(16), STRUCT(mask_usr1)),
	T_(io_cancel, prepare_poll_block, RAW_ONLY, OUT(64), OUT(32)),
	TR(ring, POINTERS(120)),
	T_(ring_wait, prepare_ring_wait, RAW_ONLY, POINTERS(24), STRUCT(mask_usr1), STRUCT(moment)),
	TR(ring_files, STRUCT(no_files)),
	T_(ring_event, prepare_event_fd, RAW_ONLY, OUT(4)),
	T_(ring_probe, prepare_probe, RAW_ONLY, OUT(336)),
	T_(ring_buffers, prepare_buffers, RAW_ONLY, POINTERS(32), OUT(5000), OUT(100)),
	T_(ring_update, prepare_ring_update, RAW_ONLY, POINTERS(16), STRUCT(no_files)),
	END_OF_TESTS,
};
/* clang-format on */
