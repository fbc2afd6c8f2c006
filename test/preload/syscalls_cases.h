/*
 * syscalls_cases.h -- the calls that syscalls.c makes: one function each, on
 * pieces of memory p[], and the table of them.
 *
 * A case makes its own descriptors and children, the same ones every time. What
 * it needs of memory for that is on its stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "syscalls.h"

#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>

#include <linux/futex.h>

#define BIG ((size_t)70000) /* many pages, more than one cluster */

static char bytes[BIG]; /* ordinary, known */

static void fill_bytes(void)
{
	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (char)(i * 13 + i / 4096);
}

/* A file with known bytes, at its start. */
static int known_file(void)
{
	int fd = memfd_create("known", 0);

	fill_bytes();
	if (write(fd, bytes, BIG) != (ssize_t)BIG)
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* A sum of what is in a file now, and where it stands. */
static void note_file(int fd)
{
	struct stat st;
	static char back[BIG];
	uint32_t sum = 1;
	ssize_t n;

	extra[0] = lseek(fd, 0, SEEK_CUR);
	fstat(fd, &st);
	extra[1] = st.st_size;
	n = pread(fd, back, sizeof(back), 0);
	for (ssize_t i = 0; i < n; i++)
		sum = sum * 31 + (unsigned char)back[i];
	extra[2] = sum;
}

/* -- Reading and writing ------------------------------------------------------ */

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

/* -- Sockets ------------------------------------------------------------------ */

static void pair(int type, int fds[2])
{
	if (socketpair(AF_UNIX, type, 0, fds) < 0)
		abort();
}

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

static const socklen_t name_len = 110;

static int named(const char *name, int type)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	/* Of the abstract name space; the process's own. */
	snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "%s-%d", name,
		 (int)getpid());
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		abort();
	return fd;
}

static void name_of(int fd, struct sockaddr_un *sun)
{
	socklen_t len = sizeof(*sun);

	if (getsockname(fd, (struct sockaddr *)sun, &len) < 0)
		abort();
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

/* -- Waiting ------------------------------------------------------------------ */

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

static void pipe_3_4(void)
{
	int fds[2];

	if (pipe(fds) < 0 || fds[0] != 3 || fds[1] != 4 ||
	    write(fds[1], "x", 1) != 1)
		abort();
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

static pid_t dead_child(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(42);
	/* It is there to be waited for when this returns. */
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	return pid;
}

/* Is the child still to be had? */
static void note_child(pid_t pid)
{
	int status = 0;

	extra[0] = waitpid(pid, &status, WNOHANG) == pid;
	extra[1] = status;
}

static long c_wait4(char *p[PARAMS], bool raw)
{
	pid_t pid = dead_child();
	long ret = CALL(wait4(pid, (int *)p[0], 0, (struct rusage *)p[1]),
			SYS_wait4, pid, p[0], 0, p[1]);

	note_child(pid);
	return ret == pid ? 1 : ret;
}

static long c_waitpid(char *p[PARAMS], bool raw)
{
	pid_t pid = dead_child();
	long ret = CALL(waitpid(pid, (int *)p[0], 0), SYS_wait4, pid, p[0], 0,
			NULL);

	note_child(pid);
	return ret == pid ? 1 : ret;
}

static long c_waitid(char *p[PARAMS], bool raw)
{
	pid_t pid = dead_child();
	long ret = CALL(waitid(P_PID, (id_t)pid, (siginfo_t *)p[0], WEXITED),
			SYS_waitid, P_PID, pid, p[0], WEXITED, NULL);

	note_child(pid);
	return ret;
}

/* -- Files -------------------------------------------------------------------- */

#define PASSWD "/etc/passwd"

static long c_open(char *p[PARAMS], bool raw)
{
	return CALL(open(p[0], O_RDONLY), SYS_open, p[0], O_RDONLY);
}

static long c_openat(char *p[PARAMS], bool raw)
{
	return CALL(openat(AT_FDCWD, p[0], O_RDONLY), SYS_openat, AT_FDCWD,
		    p[0], O_RDONLY);
}

static long c_access(char *p[PARAMS], bool raw)
{
	return CALL(access(p[0], R_OK), SYS_access, p[0], R_OK);
}

static long c_stat(char *p[PARAMS], bool raw)
{
	return CALL(stat(p[0], (struct stat *)p[1]), SYS_stat, p[0], p[1]);
}

static long c_lstat(char *p[PARAMS], bool raw)
{
	return CALL(lstat(p[0], (struct stat *)p[1]), SYS_lstat, p[0], p[1]);
}

static long c_fstat(char *p[PARAMS], bool raw)
{
	int fd = open(PASSWD, O_RDONLY);

	return CALL(fstat(fd, (struct stat *)p[0]), SYS_fstat, fd, p[0]);
}

static long c_fstatat(char *p[PARAMS], bool raw)
{
	return CALL(fstatat(AT_FDCWD, p[0], (struct stat *)p[1], 0),
		    SYS_newfstatat, AT_FDCWD, p[0], p[1], 0);
}

static long c_statx(char *p[PARAMS], bool raw)
{
	return CALL(statx(AT_FDCWD, p[0], 0, STATX_SIZE, (struct statx *)p[1]),
		    SYS_statx, AT_FDCWD, p[0], 0, STATX_SIZE, p[1]);
}

static long c_statfs(char *p[PARAMS], bool raw)
{
	return CALL(statfs(p[0], (struct statfs *)p[1]), SYS_statfs, p[0],
		    p[1]);
}

static long c_readlink(char *p[PARAMS], bool raw)
{
	return CALL(readlink(p[0], p[1], 4096), SYS_readlink, p[0], p[1],
		    4096L);
}

static long c_getcwd(char *p[PARAMS], bool raw)
{
	if (raw)
		return syscall(SYS_getcwd, p[0], 4096L);
	return getcwd(p[0], 4096) ? 0 : -1;
}

static long c_chdir(char *p[PARAMS], bool raw)
{
	return CALL(chdir(p[0]), SYS_chdir, p[0]);
}

/* Names of its own, made and unmade. */
static long c_mkdir(char *p[PARAMS], bool raw)
{
	long ret = CALL(mkdir(p[0], 0700), SYS_mkdir, p[0], 0700);

	if (!ret)
		ret = CALL(rmdir(p[0]), SYS_rmdir, p[0]);
	return ret;
}

static long c_rename(char *p[PARAMS], bool raw)
{
	long ret = CALL(rename(p[0], p[1]), SYS_rename, p[0], p[1]);

	return ret;
}

static long c_symlink(char *p[PARAMS], bool raw)
{
	long ret = CALL(symlink(p[0], p[1]), SYS_symlink, p[0], p[1]);

	if (!ret)
		ret = CALL(unlink(p[1]), SYS_unlink, p[1]);
	return ret;
}

static long c_utimensat(char *p[PARAMS], bool raw)
{
	return CALL(utimensat(AT_FDCWD, p[0], (struct timespec *)p[1], 0),
		    SYS_utimensat, AT_FDCWD, p[0], p[1], 0);
}

static long c_getdents(char *p[PARAMS], bool raw)
{
	int fd = open("/proc/self/ns", O_RDONLY | O_DIRECTORY);

	return CALL(getdents64(fd, p[0], 9000), SYS_getdents64, fd, p[0],
		    9000L);
}

static long c_pipe2(char *p[PARAMS], bool raw)
{
	return CALL(pipe2((int *)p[0], 0), SYS_pipe2, p[0], 0);
}

static long c_pipe(char *p[PARAMS], bool raw)
{
	return CALL(pipe((int *)p[0]), SYS_pipe, p[0]);
}

static long c_memfd(char *p[PARAMS], bool raw)
{
	return CALL(memfd_create(p[0], 0), SYS_memfd_create, p[0], 0);
}

static long c_getxattr(char *p[PARAMS], bool raw)
{
	return CALL(getxattr(p[0], p[1], p[2], 64), SYS_getxattr, p[0], p[1],
		    p[2], 64L);
}

static long c_inotify(char *p[PARAMS], bool raw)
{
	int fd = inotify_init();

	return CALL(inotify_add_watch(fd, p[0], IN_OPEN), SYS_inotify_add_watch,
		    fd, p[0], IN_OPEN);
}

static const struct flock lock = { .l_type = F_WRLCK, .l_len = 5 };

static long c_setlk(char *p[PARAMS], bool raw)
{
	int fd = known_file();

	return CALL(fcntl(fd, F_SETLK, p[0]), SYS_fcntl, fd, F_SETLK, p[0]);
}

static long c_getlk(char *p[PARAMS], bool raw)
{
	int fd = known_file();

	return CALL(fcntl(fd, F_GETLK, p[0]), SYS_fcntl, fd, F_GETLK, p[0]);
}

static long c_fionread(char *p[PARAMS], bool raw)
{
	pipe_3_4();
	return CALL(ioctl(3, FIONREAD, p[0]), SYS_ioctl, 3, FIONREAD, p[0]);
}

/* -- The process, time, signals ----------------------------------------------- */

static long c_clock_gettime(char *p[PARAMS], bool raw)
{
	return CALL(clock_gettime(CLOCK_MONOTONIC, (struct timespec *)p[0]),
		    SYS_clock_gettime, CLOCK_MONOTONIC, p[0]);
}

static long c_clock_getres(char *p[PARAMS], bool raw)
{
	return CALL(
		clock_getres(CLOCK_PROCESS_CPUTIME_ID, (struct timespec *)p[0]),
		SYS_clock_getres, CLOCK_PROCESS_CPUTIME_ID, p[0]);
}

static long c_gettimeofday(char *p[PARAMS], bool raw)
{
	return CALL(gettimeofday((struct timeval *)p[0], NULL),
		    SYS_gettimeofday, p[0], NULL);
}

static const struct timespec moment = { 0, 1000 };

static long c_nanosleep(char *p[PARAMS], bool raw)
{
	return CALL(nanosleep((struct timespec *)p[0], (struct timespec *)p[1]),
		    SYS_nanosleep, p[0], p[1]);
}

static long c_times(char *p[PARAMS], bool raw)
{
	long ret = CALL(times((struct tms *)p[0]), SYS_times, p[0]);

	return ret == -1 ? -1 : 0;
}

static long c_uname(char *p[PARAMS], bool raw)
{
	return CALL(uname((struct utsname *)p[0]), SYS_uname, p[0]);
}

static long c_sysinfo(char *p[PARAMS], bool raw)
{
	return CALL(sysinfo((struct sysinfo *)p[0]), SYS_sysinfo, p[0]);
}

static long c_getrusage(char *p[PARAMS], bool raw)
{
	return CALL(getrusage(RUSAGE_SELF, (struct rusage *)p[0]),
		    SYS_getrusage, RUSAGE_SELF, p[0]);
}

static long c_prlimit(char *p[PARAMS], bool raw)
{
	return CALL(prlimit(0, RLIMIT_CORE, NULL, (struct rlimit *)p[0]),
		    SYS_prlimit64, 0, RLIMIT_CORE, NULL, p[0]);
}

static long c_getaffinity(char *p[PARAMS], bool raw)
{
	long ret = CALL(sched_getaffinity(0, 128, (cpu_set_t *)p[0]),
			SYS_sched_getaffinity, 0, 128L, p[0]);

	return ret;
}

static long c_getresuid(char *p[PARAMS], bool raw)
{
	return CALL(getresuid((uid_t *)p[0], (uid_t *)p[1], (uid_t *)p[2]),
		    SYS_getresuid, p[0], p[1], p[2]);
}

static long c_set_name(char *p[PARAMS], bool raw)
{
	char name[17] = { 0 };
	long ret = CALL(prctl(PR_SET_NAME, p[0]), SYS_prctl, PR_SET_NAME, p[0]);

	prctl(PR_GET_NAME, name);
	memcpy(&extra[0], name, 8);
	return ret;
}

static long c_get_name(char *p[PARAMS], bool raw)
{
	prctl(PR_SET_NAME, "a name");
	return CALL(prctl(PR_GET_NAME, p[0]), SYS_prctl, PR_GET_NAME, p[0]);
}

static const uint64_t mask_usr1 = 1 << (SIGUSR1 - 1);

static long c_sigprocmask(char *p[PARAMS], bool raw)
{
	(void)raw;
	return syscall(SYS_rt_sigprocmask, SIG_BLOCK, p[0], p[1], 8L);
}

static long c_sigpending(char *p[PARAMS], bool raw)
{
	return CALL(sigpending((sigset_t *)p[0]), SYS_rt_sigpending, p[0], 8L);
}

static long c_sigtimedwait(char *p[PARAMS], bool raw)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	return CALL(sigtimedwait((sigset_t *)p[0], (siginfo_t *)p[1],
				 (struct timespec *)p[2]),
		    SYS_rt_sigtimedwait, p[0], p[1], p[2], 8L);
}

static long c_timer(char *p[PARAMS], bool raw)
{
	timer_t timer;
	long ret;

	if (timer_create(CLOCK_MONOTONIC, NULL, &timer) < 0)
		abort();
	ret = CALL(timer_settime(timer, 0, (struct itimerspec *)p[0],
				 (struct itimerspec *)p[1]),
		   SYS_timer_settime, (long)(intptr_t)timer, 0, p[0], p[1]);
	timer_delete(timer);
	return ret;
}

static const struct itimerspec hour = { .it_value = { 3600, 0 } };

static long c_setitimer(char *p[PARAMS], bool raw)
{
	const struct itimerval off = { 0 };

	setitimer(ITIMER_PROF, &off, NULL);
	return CALL(setitimer(ITIMER_PROF, (struct itimerval *)p[0],
			      (struct itimerval *)p[1]),
		    SYS_setitimer, ITIMER_PROF, p[0], p[1]);
}

/* -- Futexes, queues ---------------------------------------------------------- */

static long c_futex_wait(char *p[PARAMS], bool raw)
{
	(void)raw;
	/* Equal: times out; what p[0] holds is 5. */
	return syscall(SYS_futex, p[0], FUTEX_WAIT, 5, p[1], NULL, 0);
}

static long c_futex_wake(char *p[PARAMS], bool raw)
{
	(void)raw;
	return syscall(SYS_futex, p[0], FUTEX_WAKE, 1, NULL, NULL, 0);
}

static long c_futex_requeue(char *p[PARAMS], bool raw)
{
	(void)raw;
	return syscall(SYS_futex, p[0], FUTEX_CMP_REQUEUE, 1, 1L, p[1], 5);
}

static const int five = 5;

static long c_msg(char *p[PARAMS], bool raw)
{
	int id = msgget(IPC_PRIVATE, 0600);
	long ret =
		CALL(msgsnd(id, p[0], 5000, 0), SYS_msgsnd, id, p[0], 5000L, 0);

	extra[0] = ret;
	ret = CALL(msgrcv(id, p[1], 5000, 0, IPC_NOWAIT), SYS_msgrcv, id, p[1],
		   5000L, 0L, IPC_NOWAIT);
	extra[1] = msgrcv(id, bytes, 5000, 0, IPC_NOWAIT);
	msgctl(id, IPC_RMID, NULL);
	return ret;
}

static void prepare_msgbuf(char *c[PARAMS], char *p[PARAMS])
{
	long type = 1;

	(void)p;
	memcpy(c[0], &type, sizeof(type));
}

static long c_semop(char *p[PARAMS], bool raw)
{
	int id = semget(IPC_PRIVATE, 2, 0600);
	long ret = CALL(semop(id, (struct sembuf *)p[0], 2), SYS_semop, id,
			p[0], 2L);

	extra[0] = semctl(id, 1, GETVAL);
	semctl(id, 0, IPC_RMID);
	return ret;
}

static const struct sembuf ups[2] = { { 0, 1, 0 }, { 1, 3, 0 } };

/* -- Programs ----------------------------------------------------------------- */

/* p: path, argv, envp, two arguments, a variable */
static void prepare_exec(char *c[PARAMS], char *p[PARAMS])
{
	char *argv[] = { p[0], p[3], p[4], NULL };
	char *envp[] = { p[5], NULL };

	memcpy(c[1], argv, sizeof(argv));
	memcpy(c[2], envp, sizeof(envp));
}

static void note_output(pid_t pid, int fd)
{
	char c;
	int status = 0;
	unsigned sum = 1;

	while (read(fd, &c, 1) == 1)
		sum = sum * 31 + (unsigned char)c;
	waitpid(pid, &status, 0);
	extra[0] = sum;
	extra[1] = status;
}

static long c_execve(char *p[PARAMS], bool raw)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		/* Not on with the next case, should it die here. */
		signal(SIGSEGV, SIG_DFL);
		dup2(fds[1], 1);
		CALL(execve(p[0], (char **)p[1], (char **)p[2]), SYS_execve,
		     p[0], p[1], p[2]);
		_exit(errno);
	}
	close(fds[1]);
	note_output(pid, fds[0]);
	return 0;
}

/* The environment's pointers are read by the C library, the rest is not. */
static long c_spawn(char *p[PARAMS], bool raw)
{
	posix_spawn_file_actions_t actions;
	int fds[2], ret;
	pid_t pid = 0;

	(void)raw;
	if (pipe(fds) < 0)
		abort();
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	ret = posix_spawn(&pid, p[0], &actions, NULL, (char **)p[1],
			  (char **)p[2]);
	close(fds[1]);
	if (!ret)
		note_output(pid, fds[0]);
	posix_spawn_file_actions_destroy(&actions);
	return ret;
}

/* -- Inside the C library ----------------------------------------------------- */

/* A stream whose buffer is the program's. */
static long c_stream_write(char *p[PARAMS], bool raw)
{
	int fd = memfd_create("s", 0);
	FILE *file = fdopen(dup(fd), "w");

	(void)raw;
	fill_bytes();
	setvbuf(file, p[0], _IOFBF, 9000);
	for (int i = 0; i < 3000; i++)
		fprintf(file, "line %d\n", i);
	extra[3] = fclose(file);
	note_file(fd);
	return 0;
}

static long c_stream_read(char *p[PARAMS], bool raw)
{
	FILE *file = fdopen(known_file(), "r");
	uint32_t sum = 1;
	int c;

	(void)raw;
	setvbuf(file, p[0], _IOFBF, 9000);
	while ((c = getc(file)) != EOF)
		sum = sum * 31 + (unsigned)c;
	extra[0] = sum;
	return fclose(file);
}

static void *poster(void *argument)
{
	sem_post(argument);
	return NULL;
}

static long c_semaphore(char *p[PARAMS], bool raw)
{
	sem_t *sem = (sem_t *)p[0];
	pthread_t thread;

	(void)raw;
	sem_init(sem, 0, 0);
	pthread_create(&thread, NULL, poster, sem);
	sem_wait(sem);
	pthread_join(thread, NULL);
	return sem_destroy(sem);
}

struct meeting {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int turn;
};

static void *meet(void *argument)
{
	struct meeting *at = argument;

	for (int i = 0; i < 10; i++) {
		pthread_mutex_lock(&at->mutex);
		while (at->turn % 2 == 0)
			pthread_cond_wait(&at->cond, &at->mutex);
		at->turn++;
		pthread_cond_broadcast(&at->cond);
		pthread_mutex_unlock(&at->mutex);
	}
	return NULL;
}

static long c_condition(char *p[PARAMS], bool raw)
{
	struct meeting *at = (struct meeting *)p[0];
	pthread_t thread;
	long turns;

	(void)raw;
	memset(at, 0, sizeof(*at));
	pthread_create(&thread, NULL, meet, at);
	for (int i = 0; i < 10; i++) {
		pthread_mutex_lock(&at->mutex);
		while (at->turn % 2 == 1)
			pthread_cond_wait(&at->cond, &at->mutex);
		at->turn++;
		pthread_cond_broadcast(&at->cond);
		pthread_mutex_unlock(&at->mutex);
	}
	pthread_join(thread, NULL);
	turns = at->turn;
	memset(at, 0, sizeof(*at));
	return turns;
}

/* Out with what the case itself has just put there, where it goes out. */
static void away(char *at)
{
	madvise((void *)((uintptr_t)at & ~4095UL), 4096, MADV_PAGEOUT);
}

static void *pass(void *argument)
{
	pthread_barrier_t *barrier = argument;

	for (int i = 0; i < 10; i++)
		pthread_barrier_wait(barrier);
	return NULL;
}

static long c_barrier(char *p[PARAMS], bool raw)
{
	pthread_barrier_t *barrier = (pthread_barrier_t *)p[0];
	pthread_t thread;

	(void)raw;
	pthread_barrier_init(barrier, NULL, 2);
	pthread_create(&thread, NULL, pass, barrier);
	for (int i = 0; i < 10; i++) {
		away(p[0]);
		pthread_barrier_wait(barrier);
	}
	pthread_join(thread, NULL);
	return pthread_barrier_destroy(barrier);
}

static void *write_once(void *argument)
{
	long ret = pthread_rwlock_wrlock(argument);

	pthread_rwlock_unlock(argument);
	return (void *)ret;
}

static long c_rwlock(char *p[PARAMS], bool raw)
{
	pthread_rwlock_t *rwlock = (pthread_rwlock_t *)p[0];
	pthread_t thread;
	void *ret;

	(void)raw;
	pthread_rwlock_init(rwlock, NULL);
	pthread_rwlock_rdlock(rwlock);
	pthread_create(&thread, NULL, write_once, rwlock);
	usleep(2000);
	away(p[0]);
	pthread_rwlock_unlock(rwlock);
	pthread_join(thread, &ret);
	extra[0] = (long)ret;
	return pthread_rwlock_destroy(rwlock);
}

/* Two processes, and one that ends with the mutex held. */
static long c_shared_mutex(char *p[PARAMS], bool raw)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)p[0];
	pthread_mutexattr_t attr;
	pid_t pid;

	(void)raw;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(mutex, &attr);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		pthread_mutex_lock(mutex);
		away(p[0]);
		pthread_mutex_unlock(mutex);
		pthread_mutex_lock(mutex);
		away(p[0]);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	away(p[0]);
	extra[0] = pthread_mutex_lock(mutex);
	if (extra[0] == EOWNERDEAD)
		pthread_mutex_consistent(mutex);
	extra[1] = pthread_mutex_lock(mutex);
	away(p[0]);
	extra[2] = pthread_mutex_unlock(mutex);
	return pthread_mutex_destroy(mutex);
}

static void *hold(void *argument)
{
	pthread_mutex_lock(argument);
	away(argument);
	return NULL;
}

/* A thread ends that holds one. */
static long c_robust_mutex(char *p[PARAMS], bool raw)
{
	pthread_mutexattr_t attr;
	pthread_t thread;

	(void)raw;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (int i = 0; i < 2; i++) {
		pthread_mutex_t *mutex = (pthread_mutex_t *)p[i];

		pthread_mutex_init(mutex, &attr);
		pthread_create(&thread, NULL, hold, mutex);
		pthread_join(thread, NULL);
		extra[i] = pthread_mutex_trylock(mutex);
		if (extra[i] == EOWNERDEAD)
			pthread_mutex_consistent(mutex);
		pthread_mutex_unlock(mutex);
		pthread_mutex_destroy(mutex);
	}
	return 0;
}

/* p: name of the host, of the service, hints, the pointer to what was found */
static long c_getaddrinfo(char *p[PARAMS], bool raw)
{
	struct addrinfo *hints = (struct addrinfo *)p[2];
	struct addrinfo **found = (struct addrinfo **)p[3];
	long ret;

	(void)raw;
	memset(hints, 0, sizeof(*hints));
	hints->ai_flags = AI_NUMERICHOST;
	hints->ai_family = AF_INET;
	hints->ai_socktype = SOCK_STREAM;
	away(p[2]);
	ret = getaddrinfo(p[0], p[1], hints, found);
	if (!ret) {
		extra[0] = (*found)->ai_family;
		extra[1] = (*found)->ai_addrlen;
		freeaddrinfo(*found);
	}
	return ret;
}

/* p: a name, the struct, its buffer */
static long c_getpwnam(char *p[PARAMS], bool raw)
{
	struct passwd *result = NULL;
	long ret;

	(void)raw;
	ret = getpwnam_r(p[0], (struct passwd *)p[1], p[2], 4000, &result);
	extra[0] = result ? (long)result->pw_uid : -1;
	extra[1] = result ? result->pw_dir[0] : -1;
	return ret;
}

static long c_getnameinfo(char *p[PARAMS], bool raw)
{
	struct sockaddr_in *address = (struct sockaddr_in *)p[0];

	(void)raw;
	memset(address, 0, sizeof(*address));
	address->sin_family = AF_INET;
	address->sin_port = htons(80);
	away(p[0]);
	return getnameinfo((struct sockaddr *)address, sizeof(*address), p[1],
			   64, p[2], 32, NI_NUMERICHOST | NI_NUMERICSERV);
}

/* p: path, argv, envp, an argument, file actions, attributes */
static long c_spawn_actions(char *p[PARAMS], bool raw)
{
	posix_spawn_file_actions_t *actions =
		(posix_spawn_file_actions_t *)p[4];
	posix_spawnattr_t *attr = (posix_spawnattr_t *)p[5];
	int fds[2], ret;
	pid_t pid = 0;

	(void)raw;
	if (pipe(fds) < 0)
		abort();
	posix_spawn_file_actions_init(actions);
	posix_spawn_file_actions_adddup2(actions, fds[1], 1);
	posix_spawnattr_init(attr);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP);
	away(p[4]);
	away(p[5]);
	ret = posix_spawn(&pid, p[0], actions, attr, (char **)p[1],
			  (char **)p[2]);
	close(fds[1]);
	if (!ret)
		note_output(pid, fds[0]);
	posix_spawn_file_actions_destroy(actions);
	return ret;
}

static void prepare_spawn(char *c[PARAMS], char *p[PARAMS])
{
	char *argv[] = { p[0], p[3], NULL };

	memcpy(c[1], argv, sizeof(argv));
	memcpy(c[2], &argv[2], sizeof(argv[2])); /* no variables */
}

static long c_realpath(char *p[PARAMS], bool raw)
{
	(void)raw;
	return realpath(p[0], p[1]) ? 0 : -1;
}

/* -- The table ---------------------------------------------------------------- */

#define NAME(text)                                                             \
	{                                                                      \
		sizeof(text), text, SAME                                       \
	}
#define MISSING NAME("/nonexistent/name-1")
#define STRUCT(object)                                                         \
	{                                                                      \
		sizeof(object), &(object), SAME                                \
	}
#define OUT(size)                                                              \
	{                                                                      \
		size, NULL, SAME                                               \
	}
#define TIME(size)                                                             \
	{                                                                      \
		size, NULL, CHANGED                                            \
	}
#define POINTERS(size)                                                         \
	{                                                                      \
		size, NULL, CHANGED                                            \
	}
#define T(call, ...)                                                           \
	{                                                                      \
#call, c_##call, { __VA_ARGS__ }, NULL, BOTH                   \
	}
#define TP(call, prepare, ...)                                                 \
	{                                                                      \
#call, c_##call, { __VA_ARGS__ }, prepare_##prepare, BOTH      \
	}
#define TL(call, ...)                                                          \
	{                                                                      \
#call, c_##call, { __VA_ARGS__ }, NULL, LIBC_ONLY              \
	}
#define TR(call, ...)                                                          \
	{                                                                      \
#call, c_##call, { __VA_ARGS__ }, NULL, RAW_ONLY               \
	}
#define IOV POINTERS(2 * sizeof(struct iovec)), OUT(5000), OUT(9000)
#define MSG                                                                    \
	POINTERS(sizeof(struct msghdr)), POINTERS(2 * sizeof(struct iovec)),   \
		OUT(5000), OUT(4000), OUT(64), OUT(128)

static const int64_t zero;
static const char program[] = "/bin/echo";

/* clang-format off */
const struct test tests[] = {
	T(read, OUT(BIG)), T(write, OUT(BIG)),
	T(pread, OUT(BIG)), T(pwrite, OUT(BIG)),
	TP(readv, iov, IOV), TP(writev, iov, IOV),
	TP(preadv2, iov, IOV), TP(pwritev, iov, IOV),
	T(read_pipe, OUT(20000)), T(write_pipe, OUT(20000)),
	T(eventfd, OUT(8)), T(timerfd, TIME(8)),
	T(timerfd_settime, STRUCT(hour), OUT(sizeof(hour))),
	T(sendfile, STRUCT(zero)), T(splice, STRUCT(zero)),
	T(copy_file_range, STRUCT(zero), STRUCT(zero)),
	T(getrandom, TIME(9000)),
	T(recv, OUT(9000)), T(read_datagram, OUT(9000)),
	T(recvfrom, OUT(9000), OUT(128), STRUCT(name_len)),
	TP(sendto, address, OUT(128), OUT(9000)),
	TP(connect, address, OUT(128)), TP(bind, address, OUT(128)),
	T(accept, OUT(128), STRUCT(name_len)),
	T(getsockname, OUT(128), STRUCT(name_len)),
	T(getsockopt, OUT(4), STRUCT(name_len)),
	T(setsockopt, STRUCT(moment)), T(socketpair, OUT(8)),
	TP(sendmsg, msg, MSG), TP(recvmsg, msg, MSG),
	TP(sendmmsg, mmsg, POINTERS(128), POINTERS(32), OUT(9000), OUT(4000)),
	TP(recvmmsg, mmsg, POINTERS(128), POINTERS(32), OUT(9000), OUT(4000)),
	TP(poll, poll, OUT(16), OUT(16), OUT(8)),
	TP(ppoll, poll, OUT(16), TIME(16), OUT(8)),
	TP(select, select, OUT(128), OUT(128), OUT(128), OUT(16),
	   POINTERS(16), OUT(128)),
	TP(pselect, select, OUT(128), OUT(128), OUT(128), OUT(16),
	   POINTERS(16), OUT(128)),
	TP(epoll_ctl, epoll, OUT(16)), T(epoll_wait, OUT(64)),
	T(epoll_pwait, OUT(64), STRUCT(mask_usr1)),
	T(wait4, OUT(4), TIME(sizeof(struct rusage))), T(waitpid, OUT(4)),
	T(waitid, TIME(sizeof(siginfo_t))),
	T(open, NAME(PASSWD)), T(openat, NAME(PASSWD)),
	T(access, NAME(PASSWD)),
	T(stat, NAME(PASSWD), OUT(sizeof(struct stat))),
	T(lstat, NAME(PASSWD), OUT(sizeof(struct stat))),
	T(fstat, OUT(sizeof(struct stat))),
	T(fstatat, NAME(PASSWD), OUT(sizeof(struct stat))),
	T(statx, NAME(PASSWD), OUT(256)),
	T(statfs, NAME("/proc"), OUT(sizeof(struct statfs))),
	T(readlink, NAME("/proc/self/exe"), OUT(4096)),
	T(getcwd, OUT(4096)), T(chdir, NAME("/")),
	T(mkdir, NAME("/tmp/lazymap-syscalls.d")),
	T(rename, MISSING, MISSING),
	T(symlink, NAME("target"), NAME("/tmp/lazymap-syscalls.l")),
	T(utimensat, MISSING, STRUCT(hour)),
	T(getdents, OUT(9000)), T(pipe, OUT(8)), T(pipe2, OUT(8)),
	T(memfd, NAME("a name")),
	T(getxattr, NAME(PASSWD), NAME("user.none"), OUT(64)),
	T(inotify, NAME(PASSWD)),
	T(setlk, STRUCT(lock)), T(getlk, STRUCT(lock)), T(fionread, OUT(4)),
	T(clock_gettime, TIME(16)), T(clock_getres, OUT(16)),
	T(gettimeofday, TIME(16)), T(nanosleep, STRUCT(moment), OUT(16)),
	T(times, TIME(32)), T(uname, OUT(390)),
	T(sysinfo, TIME(sizeof(struct sysinfo))),
	T(getrusage, TIME(sizeof(struct rusage))), T(prlimit, OUT(16)),
	T(getaffinity, OUT(128)),
	T(getresuid, OUT(4), OUT(4), OUT(4)),
	T(set_name, NAME("another name ok")), T(get_name, OUT(16)),
	TR(sigprocmask, STRUCT(mask_usr1), OUT(8)), T(sigpending, OUT(8)),
	T(sigtimedwait, STRUCT(mask_usr1), TIME(sizeof(siginfo_t)),
	  STRUCT(moment)),
	T(timer, STRUCT(hour), OUT(sizeof(hour))),
	T(setitimer, STRUCT(hour), OUT(32)),
	TR(futex_wait, STRUCT(five), STRUCT(moment)),
	TR(futex_wake, STRUCT(five)),
	TR(futex_requeue, STRUCT(five), STRUCT(five)),
	TP(msg, msgbuf, OUT(5008), OUT(5008)), T(semop, STRUCT(ups)),
	TP(execve, exec, NAME(program), POINTERS(32), POINTERS(16),
	   NAME("one argument"), NAME("two"), NAME("VARIABLE=value")),
	{ "spawn", c_spawn,
	  { NAME(program), POINTERS(32), POINTERS(16), NAME("one argument"),
	    NAME("two"), NAME("VARIABLE=value") },
	  prepare_exec, LIBC_ONLY },
	TL(stream_write, TIME(9000)), TL(stream_read, OUT(9000)),
	TL(semaphore, TIME(sizeof(sem_t))),
	TL(condition, OUT(sizeof(struct meeting))),
	TL(barrier, TIME(sizeof(pthread_barrier_t))),
	TL(rwlock, TIME(sizeof(pthread_rwlock_t))),
	TL(robust_mutex, TIME(sizeof(pthread_mutex_t)),
	   TIME(sizeof(pthread_mutex_t))),
	TL(shared_mutex, TIME(sizeof(pthread_mutex_t))),
	TL(getaddrinfo, NAME("127.0.0.1"), NAME("80"),
	   TIME(sizeof(struct addrinfo)), TIME(sizeof(void *))),
	TL(getnameinfo, TIME(sizeof(struct sockaddr_in)), OUT(64),
	   OUT(32)),
	TL(getpwnam, NAME("root"), TIME(sizeof(struct passwd)), TIME(4000)),
	{ "spawn_actions", c_spawn_actions,
	  { NAME(program), POINTERS(24), POINTERS(8), NAME("one argument"),
	    TIME(sizeof(posix_spawn_file_actions_t)),
	    TIME(sizeof(posix_spawnattr_t)) },
	  prepare_spawn, LIBC_ONLY },
	TL(realpath, NAME("/proc/self/../self"), TIME(4096)),
};
/* clang-format on */

const size_t test_count = sizeof(tests) / sizeof(tests[0]);
