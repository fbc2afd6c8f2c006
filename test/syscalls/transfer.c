/*
 * transfer.c -- reading and writing, between files, pipes and what is like them.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static long c_read(char *p[PARAMS], bool raw)
{
	int fd = known_file();
	long ret = CALL(read(fd, p[0], BIG), SYS_read, fd, p[0], BIG);

	note_file(fd);
	return ret;
}

static long c_write(char *p[PARAMS], bool raw)
{
	int fd = memfd_create("w", 0);
	long ret = CALL(write(fd, p[0], BIG), SYS_write, fd, p[0], BIG);

	note_file(fd);
	return ret;
}

static long c_pread(char *p[PARAMS], bool raw)
{
	int fd = known_file();

	return CALL(pread(fd, p[0], BIG, 5), SYS_pread64, fd, p[0], BIG, 5L);
}

static long c_pwrite(char *p[PARAMS], bool raw)
{
	int fd = known_file();
	long ret =
		CALL(pwrite(fd, p[0], BIG, 5), SYS_pwrite64, fd, p[0], BIG, 5L);

	note_file(fd);
	return ret;
}

static void prepare_iov(char *c[PARAMS], char *p[PARAMS])
{
	struct iovec iov[2] = { { p[1], 5000 }, { p[2], 9000 } };

	memcpy(c[0], iov, sizeof(iov));
}

static long c_readv(char *p[PARAMS], bool raw)
{
	int fd = known_file();
	long ret = CALL(readv(fd, (struct iovec *)p[0], 2), SYS_readv, fd, p[0],
			2);

	note_file(fd);
	return ret;
}

static long c_writev(char *p[PARAMS], bool raw)
{
	int fd = memfd_create("w", 0);
	long ret = CALL(writev(fd, (struct iovec *)p[0], 2), SYS_writev, fd,
			p[0], 2);

	note_file(fd);
	return ret;
}

static long c_preadv2(char *p[PARAMS], bool raw)
{
	int fd = known_file();

	return CALL(preadv2(fd, (struct iovec *)p[0], 2, 3, 0), SYS_preadv2, fd,
		    p[0], 2, 3L, 0L, 0);
}

static long c_pwritev(char *p[PARAMS], bool raw)
{
	int fd = known_file();
	long ret = CALL(pwritev(fd, (struct iovec *)p[0], 2, 3), SYS_pwritev,
			fd, p[0], 2, 3L, 0L);

	note_file(fd);
	return ret;
}

static long c_read_pipe(char *p[PARAMS], bool raw)
{
	int fds[2], left = 0;
	long ret;

	fill_bytes();
	if (pipe(fds) < 0 || write(fds[1], bytes, 20000) != 20000)
		abort();
	ret = CALL(read(fds[0], p[0], 20000), SYS_read, fds[0], p[0], 20000L);
	ioctl(fds[0], FIONREAD, &left);
	extra[0] = left;
	return ret;
}

static long c_write_pipe(char *p[PARAMS], bool raw)
{
	int fds[2], left = 0;
	long ret;

	if (pipe(fds) < 0)
		abort();
	ret = CALL(write(fds[1], p[0], 20000), SYS_write, fds[1], p[0], 20000L);
	ioctl(fds[0], FIONREAD, &left);
	extra[0] = left;
	return ret;
}

/* What the counter is after a read that failed, or did not. */
static long c_eventfd(char *p[PARAMS], bool raw)
{
	int fd = eventfd(7, EFD_NONBLOCK);
	long ret = CALL(read(fd, p[0], 8), SYS_read, fd, p[0], 8L);
	uint64_t rest = 0;

	extra[0] = read(fd, &rest, 8);
	extra[1] = (long)rest;
	return ret;
}

static long c_timerfd(char *p[PARAMS], bool raw)
{
	struct itimerspec in = { .it_value = { 0, 1 } };
	struct pollfd poll_in = { .events = POLLIN };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	uint64_t rest = 0;
	long ret;

	poll_in.fd = fd;
	timerfd_settime(fd, 0, &in, NULL);
	poll(&poll_in, 1, 1000);
	ret = CALL(read(fd, p[0], 8), SYS_read, fd, p[0], 8L);
	extra[0] = read(fd, &rest, 8);
	return ret;
}

static long c_timerfd_settime(char *p[PARAMS], bool raw)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	return CALL(timerfd_settime(fd, 0, (struct itimerspec *)p[0],
				    (struct itimerspec *)p[1]),
		    SYS_timerfd_settime, fd, 0, p[0], p[1]);
}

static long c_sendfile(char *p[PARAMS], bool raw)
{
	int from = known_file(), to = memfd_create("to", 0);
	long ret = CALL(sendfile(to, from, (off_t *)p[0], 9000), SYS_sendfile,
			to, from, p[0], 9000L);

	note_file(to);
	return ret;
}

static long c_copy_file_range(char *p[PARAMS], bool raw)
{
	int from = known_file(), to = memfd_create("to", 0);
	long ret = CALL(copy_file_range(from, (off64_t *)p[0], to,
					(off64_t *)p[1], 9000, 0),
			SYS_copy_file_range, from, p[0], to, p[1], 9000L, 0);

	note_file(to);
	return ret;
}

static long c_splice(char *p[PARAMS], bool raw)
{
	int from = known_file(), fds[2];

	if (pipe(fds) < 0)
		abort();
	return CALL(splice(from, (off64_t *)p[0], fds[1], NULL, 100, 0),
		    SYS_splice, from, p[0], fds[1], NULL, 100L, 0);
}

static long c_getrandom(char *p[PARAMS], bool raw)
{
	return CALL(getrandom(p[0], 9000, 0), SYS_getrandom, p[0], 9000L, 0);
}

static const int64_t zero;

#define IOV POINTERS(2 * sizeof(struct iovec)), OUT(5000), OUT(9000)

static long c_preadv(char *p[PARAMS], bool raw)
{
	int fd = known_file();

	return CALL(preadv(fd, (struct iovec *)p[0], 2, 3), SYS_preadv, fd,
		    p[0], 2, 3, 0);
}

static long c_pwritev2(char *p[PARAMS], bool raw)
{
	int fd = known_file();
	long ret = CALL(pwritev2(fd, (struct iovec *)p[0], 2, 3, 0),
			SYS_pwritev2, fd, p[0], 2, 3, 0, 0);

	note_file(fd);
	return ret;
}

/* From a pipe to a place in a file. */
static long c_splice_to(char *p[PARAMS], bool raw)
{
	int to, fds[2];
	long ret;

	if (pipe(fds) < 0 || write(fds[1], "hello", 5) != 5)
		abort();
	to = memfd_create("to", 0);
	ret = CALL(splice(fds[0], NULL, to, (off64_t *)p[0], 5, 0), SYS_splice,
		   fds[0], NULL, to, p[0], 5, 0);
	note_file(to);
	return ret;
}

/* To a pipe, which has the pages then; and from it. */
static long c_vmsplice(char *p[PARAMS], bool raw)
{
	static char back[14000];
	uint32_t sum = 1;
	int fds[2];
	long ret;

	if (pipe(fds) < 0)
		abort();
	ret = CALL(vmsplice(fds[1], (struct iovec *)p[0], 2, 0), SYS_vmsplice,
		   fds[1], p[0], 2, 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	extra[0] = read(fds[0], back, sizeof(back));
	for (long i = 0; i < extra[0]; i++)
		sum = sum * 31 + (unsigned char)back[i];
	extra[1] = sum;
	return ret;
}

static long c_vmsplice_from(char *p[PARAMS], bool raw)
{
	int fds[2];

	fill_bytes();
	if (pipe(fds) < 0 || write(fds[1], bytes, 14000) != 14000)
		abort();
	return CALL(vmsplice(fds[0], (struct iovec *)p[0], 2, 0), SYS_vmsplice,
		    fds[0], p[0], 2, 0);
}

/* Of this process: p: iovec, two buffers, iovec, two buffers. */
static void prepare_two_iov(char *c[PARAMS], char *p[PARAMS])
{
	struct iovec iov[2] = { { p[1], 5000 }, { p[2], 9000 } };

	memcpy(c[0], iov, sizeof(iov));
	iov[0] = (struct iovec){ p[4], 9000 };
	iov[1] = (struct iovec){ p[5], 5000 };
	memcpy(c[3], iov, sizeof(iov));
}

CASE(process_vm_readv,
     process_vm_readv(getpid(), (struct iovec *)p[0], 2, (struct iovec *)p[3],
		      2, 0),
     SYS_process_vm_readv, getpid(), p[0], 2, p[3], 2, 0)
CASE(process_vm_writev,
     process_vm_writev(getpid(), (struct iovec *)p[0], 2, (struct iovec *)p[3],
		       2, 0),
     SYS_process_vm_writev, getpid(), p[0], 2, p[3], 2, 0)

/* clang-format off */
const struct test transfer_tests[] = {
	T(read, OUT(BIG)),
	T(write, OUT(BIG)),
	T(pread, OUT(BIG)),
	T(pwrite, OUT(BIG)),
	TP(readv, iov, IOV),
	TP(writev, iov, IOV),
	TP(preadv2, iov, IOV),
	TP(pwritev, iov, IOV),
	T(read_pipe, OUT(20000)),
	T(write_pipe, OUT(20000)),
	T(eventfd, OUT(8)),
	T(timerfd, TIME(8)),
	T(timerfd_settime, STRUCT(hour), OUT(sizeof(hour))),
	T(sendfile, STRUCT(zero)),
	T(splice, STRUCT(zero)),
	T(copy_file_range, STRUCT(zero), STRUCT(zero)),
	T(getrandom, TIME(9000)),
	TP(preadv, iov, IOV), TP(pwritev2, iov, IOV),
	T(splice_to, STRUCT(zero)),
	TP(vmsplice, iov, IOV), TP(vmsplice_from, iov, IOV),
	TP(process_vm_readv, two_iov, POINTERS(32), OUT(5000), OUT(9000), POINTERS(32), OUT(9000), OUT(5000)),
	TP(process_vm_writev, two_iov, POINTERS(32), OUT(5000), OUT(9000), POINTERS(32), OUT(9000), OUT(5000)),
	END_OF_TESTS,
};
/* clang-format on */
