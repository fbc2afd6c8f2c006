/*
 * io.c -- reading and writing with buffers that are absent, partly or wholly,
 * and with every other argument in lazy memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include <aio.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <linux/userfaultfd.h>
#include <time.h>

#define PAGES 64
#define SIZE (PAGES * PAGE)

ssize_t __read_chk(int fd, void *buf, size_t len, size_t size);
ssize_t __pread_chk(int fd, void *buf, size_t len, off_t at, size_t size);
ssize_t __pread64_chk(int fd, void *buf, size_t len, off_t at, size_t size);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t size, int flags,
		       struct sockaddr *from, socklen_t *from_len);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size);
size_t __fread_chk(void *buf, size_t room, size_t size, size_t n, FILE *file);
size_t __fread_unlocked_chk(void *buf, size_t room, size_t size, size_t n,
			    FILE *file);
char *__fgets_chk(char *buf, size_t room, int n, FILE *file);
ssize_t __readlink_chk(const char *path, char *buf, size_t len, size_t size);
char *__getcwd_chk(char *buf, size_t len, size_t size);

static char name[] = "file.XXXXXX";
static int file; /* SIZE bytes of pattern() */

static char pattern(size_t i)
{
	return (char)((i * 131 + i / PAGE * 7) >> 3);
}

/* What a buffer has now: a sum over it, and the first byte that is not the
 * pattern from `at` on. */
static void told(const char *what, ssize_t ret, const char *buf, size_t at)
{
	int error = errno;
	unsigned sum = 0;
	ssize_t good = 0;

	while (good < ret && buf[good] == pattern(at + (size_t)good))
		good++;
	for (ssize_t i = 0; i < ret; i++)
		sum = sum * 31 + (unsigned char)buf[i];
	printf("%s: %zd%s%s, %zd good, sum %x\n", what, ret, ret < 0 ? " " : "",
	       ret < 0 ? strerror(error) : "", good, sum);
}

static void make_file(void)
{
	char *all = malloc(SIZE);

	file = mkstemp(name);
	for (size_t i = 0; i < SIZE; i++)
		all[i] = pattern(i);
	if (file < 0 || write(file, all, SIZE) != (ssize_t)SIZE)
		perror(name);
	free(all);
}

static char *mapped(void)
{
	char *at =
		mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);

	if (at == MAP_FAILED)
		exit(9);
	return at;
}

static void reads_fill_absent_pages(void)
{
	size_t len = 40 * PAGE - 77;
	char *buf;
	struct iovec iov[3];

#define READ(call)                                                             \
	do {                                                                   \
		buf = lazy(PAGES) + 33;                                        \
		lseek(file, 11, SEEK_SET);                                     \
		told(#call, call, buf, 11);                                    \
	} while (0)
	READ(read(file, buf, len));
	READ(pread(file, buf, len, 11));
	READ(pread64(file, buf, len, 11));
	READ(__read_chk(file, buf, len, len));
	READ(__pread_chk(file, buf, len, 11, len));
	READ(__pread64_chk(file, buf, len, 11, len));
	READ(syscall(SYS_read, file, buf, len));
	READ(read(file, buf, 0));
	READ(read(-1, buf, len));
#define VECTOR                                                                 \
	(iov[0].iov_base = buf, iov[0].iov_len = 5, iov[1].iov_base = buf + 5, \
	 iov[1].iov_len = 12 * PAGE, iov[2].iov_base = buf + 5 + 12 * PAGE,    \
	 iov[2].iov_len = 3)
	READ((VECTOR, readv(file, iov, 3)));
	READ((VECTOR, preadv(file, iov, 3, 11)));
	READ((VECTOR, preadv64(file, iov, 3, 11)));
	READ((VECTOR, preadv2(file, iov, 3, 11, 0)));
	READ((VECTOR, preadv64v2(file, iov, 3, 11, 0)));
	READ((VECTOR, syscall(SYS_readv, file, iov, 3)));
}

/* The bytes that came out at the other end. */
static void written(const char *what, ssize_t ret, int fd, size_t at)
{
	static char back[SIZE];
	int error = errno;
	ssize_t n = ret < 0 ? 0 : pread(fd, back, SIZE, 0);

	errno = error;
	told(what, ret < 0 ? ret : n, back, at);
	if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
		perror("ftruncate");
}

static void writes_take_absent_pages(void)
{
	size_t len = 40 * PAGE - 77;
	FILE *out = tmpfile();
	int fd = fileno(out);
	struct iovec iov[3];
	char *buf;

#define WRITE(call)                                                            \
	do {                                                                   \
		buf = mapped() + 33;                                           \
		written(#call, call, fd, 33);                                  \
		munmap(buf - 33, SIZE);                                        \
	} while (0)
	WRITE(write(fd, buf, len));
	WRITE(pwrite(fd, buf, len, 0));
	WRITE(pwrite64(fd, buf, len, 0));
	WRITE(syscall(SYS_write, fd, buf, len));
	WRITE((VECTOR, writev(fd, iov, 3)));
	WRITE((VECTOR, pwritev(fd, iov, 3, 0)));
	WRITE((VECTOR, pwritev64(fd, iov, 3, 0)));
	WRITE((VECTOR, pwritev2(fd, iov, 3, 0, 0)));
	WRITE((VECTOR, pwritev64v2(fd, iov, 3, 0, 0)));
}

static void many_vectors_go_in_one_call(void)
{
	struct iovec *iov = (struct iovec *)lazy(4);
	char *buf = lazy(1024);
	ssize_t ret;

	for (size_t i = 0; i < 1024; i++) {
		iov[i].iov_base = buf + i * PAGE + 7;
		iov[i].iov_len = 200;
	}
	lseek(file, 0, SEEK_SET);
	ret = readv(file, iov, 1024);
	for (size_t i = 0; i < 1024; i++)
		memmove(buf + i * 200, iov[i].iov_base, 200);
	told("readv of 1024", ret, buf, 0);
	errno = 0;
	printf("%zd", readv(file, iov, 1025));
	printf(" %s\n", strerror(errno));
}

static void *drain(void *argument)
{
	static char got[4 * SIZE];
	int fd = *(int *)argument;
	size_t all = 0;
	ssize_t n;

	while ((n = read(fd, got + all, 3333)) > 0)
		all += (size_t)n;
	told("drained", (ssize_t)all, got, 0);
	return NULL;
}

static void pipes_take_a_whole_write(void)
{
	char *buf = mapped();
	pthread_t thread;
	int ends[2];

	if (pipe(ends))
		return;
	pthread_create(&thread, NULL, drain, &ends[0]);
	printf("%zd\n", write(ends[1], buf, SIZE));
	close(ends[1]);
	pthread_join(thread, NULL);
}

static void stream_sockets_take_a_whole_send(void)
{
	char *buf = mapped();
	pthread_t thread;
	int ends[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	pthread_create(&thread, NULL, drain, &ends[0]);
	printf("%zd\n", send(ends[1], buf, SIZE, 0));
	close(ends[1]);
	pthread_join(thread, NULL);
}

static void datagrams_are_not_lost(void)
{
	struct mmsghdr *many = (struct mmsghdr *)lazy(1);
	struct msghdr *msg = (struct msghdr *)lazy(1);
	struct iovec *iov = (struct iovec *)lazy(1);
	struct sockaddr_un *from = (struct sockaddr_un *)lazy(1);
	socklen_t *from_len = (socklen_t *)lazy(1);
	char *buf, *out = mapped();
	int ends[2];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
#define DATAGRAM(call)                                                         \
	do {                                                                   \
		buf = lazy(4) + 3000;                                          \
		if (send(ends[1], out, 9000, 0) != 9000 ||                     \
		    send(ends[1], out, 1, 0) != 1)                             \
			perror("send");                                        \
		told(#call, call, buf, 0);                                     \
		printf("next: %zd\n", recv(ends[0], buf, 9, MSG_DONTWAIT));    \
	} while (0)
	DATAGRAM(read(ends[0], buf, 9000));
	DATAGRAM(recv(ends[0], buf, 9000, 0));
	DATAGRAM(__recv_chk(ends[0], buf, 9000, 9000, 0));
	*from_len = sizeof(*from);
	DATAGRAM(recvfrom(ends[0], buf, 9000, 0, (struct sockaddr *)from,
			  from_len));
	*from_len = sizeof(*from);
	DATAGRAM(__recvfrom_chk(ends[0], buf, 9000, 9000, 0,
				(struct sockaddr *)from, from_len));
#define MESSAGE                                                                \
	(iov[0].iov_base = buf, iov[0].iov_len = 5000,                         \
	 iov[1].iov_base = buf + 5000, iov[1].iov_len = 4000,                  \
	 msg->msg_iov = iov, msg->msg_iovlen = 2)
	DATAGRAM((MESSAGE, recvmsg(ends[0], msg, 0)));
	DATAGRAM((MESSAGE, many[0].msg_hdr = *msg,
		  recvmmsg(ends[0], many, 1, 0, NULL) == 1
			  ? (ssize_t)many[0].msg_len
			  : -1));
	DATAGRAM(recv(ends[0], buf, 100, MSG_TRUNC) - 8900);
	iov[0].iov_base = mapped();
	iov[0].iov_len = 7000;
	memset(msg, 0, sizeof(*msg));
	msg->msg_iov = iov;
	msg->msg_iovlen = 1;
	printf("sendmsg %zd\n", sendmsg(ends[1], msg, 0));
	iov[0].iov_base = mapped();
	many[0].msg_hdr = *msg;
	printf("sendmmsg %d\n", sendmmsg(ends[1], many, 1, 0));
	for (int i = 0; i < 2; i++) {
		buf = lazy(4);
		told("came", recv(ends[0], buf, 4 * PAGE, 0), buf, 0);
	}
}

static void descriptors_arrive_in_lazy_memory(void)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} *control = (void *)(lazy(1) + 100);
	struct iovec iov = { "x", 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(*control) };
	int ends[2], fd;
	char *byte = lazy(1);

	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	control->header.cmsg_level = SOL_SOCKET;
	control->header.cmsg_type = SCM_RIGHTS;
	control->header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control->header), &file, sizeof(int));
	printf("%zd\n", sendmsg(ends[0], &msg, 0));
	msg.msg_control = lazy(1);
	iov.iov_base = byte;
	printf("%zd", recvmsg(ends[1], &msg, 0));
	printf(" %c\n", *byte);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	byte = lazy(3);
	told("through it", pread(fd, byte, 3 * PAGE, 5), byte, 5);
}

static void between_descriptors_offsets_are_lazy(void)
{
	FILE *out = tmpfile();
	int fd = fileno(out), ends[2];
	off_t *at = (off_t *)(lazy(1) + 800), *to = (off_t *)(lazy(1) + 96);

	if (pipe(ends))
		return;
	*at = 100;
	errno = 0;
	written("sendfile", sendfile(fd, file, at, 30000), fd, 100);
	printf("at %ld\n", (long)*at);
	*at = 200;
	written("copy_file_range", copy_file_range(file, at, fd, to, 30000, 0),
		fd, 200);
	printf("at %ld %ld\n", (long)*at, (long)*to);
	*at = 300;
	*to = 0;
	printf("splice %zd\n", splice(file, at, ends[1], NULL, 30000, 0));
	written("splice", splice(ends[0], NULL, fd, to, 30000, 0), fd, 300);
	printf("at %ld %ld\n", (long)*at, (long)*to);
}

static void other_process_memory_is_read_and_written(void)
{
	char *from = mapped(), *to = lazy(PAGES);
	struct iovec here = { to, 20 * PAGE }, there = { from + 5, 20 * PAGE };

	told("process_vm_readv",
	     process_vm_readv(getpid(), &here, 1, &there, 1, 0), to, 5);
	here.iov_base = mapped() + 9;
	there.iov_base = to = lazy(PAGES);
	told("process_vm_writev",
	     process_vm_writev(getpid(), &here, 1, &there, 1, 0), to, 9);
}

/* Not known to the compiler to be bad. */
static char *volatile bad = (char *)8;
static char *volatile nothing = NULL;

static void faults_come_where_the_kernel_has_them(void)
{
	char *buf, *out;
	int ends[2];

	errno = 0;
	buf = lazy(8);
	mprotect(buf + 4 * PAGE, PAGE, PROT_NONE);
	lseek(file, 0, SEEK_SET);
	told("read to a page without access", read(file, buf + 2 * PAGE, 9999),
	     buf + 2 * PAGE, 0);
	told("read at it", read(file, buf + 4 * PAGE, 10), buf, 0);
	buf = lazy(8);
	munmap(buf + 4 * PAGE, PAGE);
	told("pread to a hole", pread(file, buf + PAGE + 5, 5 * PAGE, 0),
	     buf + PAGE + 5, 0);
	buf = lazy(8);
	touch(buf + 3 * PAGE);
	mprotect(buf, 8 * PAGE, PROT_READ);
	told("read to what is read-only", read(file, buf, 10000), buf, 0);
	out = mapped();
	munmap(out + 20 * PAGE, PAGE);
	buf = malloc(SIZE);
	if (pipe(ends))
		return;
	printf("write from before a hole: %zd",
	       write(ends[1], out + 18 * PAGE, 3 * PAGE));
	printf(" %s\n", strerror(errno));
	told("what came", read(ends[0], buf, SIZE), buf, 18 * PAGE);
	printf("write from a hole: %zd", write(ends[1], out + 20 * PAGE, 1));
	printf(" %s\n", strerror(errno));
	printf("read to NULL: %zd", read(file, nothing, 10));
	printf(" %s\n", strerror(errno));
	printf("write from a bad place: %zd", write(ends[1], bad, 10));
	printf(" %s\n", strerror(errno));
	printf("half of a datagram: ");
	socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
	printf("%zd", send(ends[0], out + 19 * PAGE, 2 * PAGE, 0));
	printf(" %s\n", strerror(errno));
	printf("stat to a bad place: %d", stat("/", (struct stat *)bad));
	printf(" %s\n", strerror(errno));
	printf("open of a bad name: %d", open(bad, O_RDONLY));
	printf(" %s\n", strerror(errno));
}

static void past_the_end_of_a_file_is_a_fault(void)
{
	FILE *small = tmpfile();
	char *at;
	int ends[2];

	if (ftruncate(fileno(small), 5000) || pipe(ends))
		return;
	at = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fileno(small), 0);
	printf("%zd\n", write(ends[1], at, 4 * PAGE));
	errno = 0;
	printf("%zd", write(ends[1], at + 2 * PAGE, PAGE));
	printf(" %s\n", strerror(errno));
}

static void streams_read_and_write_lazy_memory(void)
{
	size_t len = 30 * PAGE + 55;
	FILE *in = fopen(name, "r"), *out = tmpfile();
	char *buf = lazy(PAGES), *line = NULL;
	size_t room = 0;

	told("fread", (ssize_t)fread(buf, 1, len, in), buf, 0);
	rewind(in);
	buf = lazy(PAGES);
	told("fread of 7", (ssize_t)fread(buf, 7, len / 7, in) * 7, buf, 0);
	rewind(in);
	buf = lazy(PAGES);
	told("__fread_chk", (ssize_t)__fread_chk(buf, SIZE, 1, len, in), buf,
	     0);
	rewind(in);
	buf = lazy(PAGES);
	told("fread_unlocked", (ssize_t)fread_unlocked(buf, 1, len, in), buf,
	     0);
	rewind(in);
	buf = lazy(PAGES);
	told("__fread_unlocked_chk",
	     (ssize_t)__fread_unlocked_chk(buf, SIZE, 1, len, in), buf, 0);
	buf = mapped();
	printf("fwrite %zu\n", fwrite(buf, 1, len, out));
	fflush(out);
	written("came", 0, fileno(out), 0);
	rewind(out);
	buf = lazy(PAGES);
	memset(buf, 'a', 10 * PAGE);
	buf[8 * PAGE] = '\n';
	fputs(buf, out);
	rewind(out);
	buf = lazy(PAGES);
	printf("fgets %d", fgets(buf, 9 * (int)PAGE, out) == buf);
	printf(" %zu\n", strlen(buf));
	rewind(out);
	buf = lazy(PAGES);
	printf("__fgets_chk %d",
	       __fgets_chk(buf, SIZE, 9 * (int)PAGE, out) == buf);
	printf(" %zu\n", strlen(buf));
	rewind(out);
	printf("getline %zd\n", getline(&line, &room, out));
}

static void streams_have_buffers_in_lazy_memory(void)
{
	FILE *in = fopen(name, "r"), *out = tmpfile();
	char *buf = malloc(SIZE);
	int c;

	setvbuf(in, lazy(3), _IOFBF, 3 * PAGE);
	setvbuf(out, lazy(5), _IOFBF, 5 * PAGE);
	while ((c = getc(in)) != EOF)
		putc(c, out);
	fflush(out);
	told("copy", pread(fileno(out), buf, SIZE, 0), buf, 0);
}

static void waiting_tells_in_lazy_memory(void)
{
	struct pollfd *fds = (struct pollfd *)(lazy(1) + 64);
	fd_set *set = (fd_set *)lazy(1);
	struct timeval *time = (struct timeval *)(lazy(1) + 160);
	struct epoll_event *event = (struct epoll_event *)lazy(1);
	int ends[2], *status = (int *)lazy(1), epoll = epoll_create1(0);
	pid_t child;

	if (pipe(ends) || write(ends[1], "x", 1) != 1)
		return;
	fds->fd = ends[0];
	fds->events = POLLIN;
	printf("poll %d", poll(fds, 1, 1000));
	printf(" %d\n", fds->revents);
	fds = (struct pollfd *)lazy(1);
	fds->fd = ends[0];
	fds->events = POLLIN;
	printf("__poll_chk %d", __poll_chk(fds, 1, 1000, sizeof(*fds)));
	printf(" %d\n", fds->revents);
	FD_SET(ends[0], set);
	time->tv_sec = 1;
	printf("select %d", select(ends[0] + 1, set, NULL, NULL, time));
	printf(" %d\n", FD_ISSET(ends[0], set));
	event->events = EPOLLIN;
	event->data.u64 = 4711;
	printf("epoll_ctl %d\n",
	       epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], event));
	event = (struct epoll_event *)lazy(1);
	printf("epoll_wait %d", epoll_wait(epoll, event, 5, 1000));
	printf(" %u\n", (unsigned)event->data.u64);
	event = (struct epoll_event *)lazy(1);
	printf("epoll_pwait %d", epoll_pwait(epoll, event, 5, 1000, NULL));
	printf(" %u\n", (unsigned)event->data.u64);
	child = fork();
	if (!child)
		_exit(7);
	printf("waitpid %d", waitpid(child, status, 0) == child);
	printf(" %x\n", (unsigned)*status);
}

static void counts_are_not_lost(void)
{
	eventfd_t *value = (eventfd_t *)lazy(1);
	uint64_t *ticks = (uint64_t *)lazy(1);
	struct itimerspec *soon = (struct itimerspec *)lazy(1);
	int fd = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);

	eventfd_write(fd, 33);
	printf("%d", eventfd_read(fd, value));
	printf(" %u\n", (unsigned)*value);
	soon->it_value.tv_nsec = 1000;
	printf("%d\n", timerfd_settime(timer, 0, soon, NULL));
	printf("%zd", read(timer, ticks, 8));
	printf(" %u\n", (unsigned)*ticks);
}

static void connections_are_not_lost(void)
{
	struct sockaddr_un *me = (struct sockaddr_un *)(lazy(1) + 1000);
	socklen_t *len = (socklen_t *)(lazy(1) + 4);
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	int client = socket(AF_UNIX, SOCK_STREAM, 0), *value = (int *)lazy(1);

	me->sun_family = AF_UNIX;
	strcpy(me->sun_path, "socket");
	unlink("socket");
	printf("%d %d", bind(server, (struct sockaddr *)me, sizeof(*me)),
	       listen(server, 5));
	printf(" %d\n", connect(client, (struct sockaddr *)me, sizeof(*me)));
	me = (struct sockaddr_un *)lazy(1);
	*len = sizeof(*me);
	printf("accept %d\n", accept(server, (struct sockaddr *)me, len) > 0);
	printf("%d %u\n", me->sun_family, *len);
	*len = sizeof(*me);
	printf("getsockname %d",
	       getsockname(server, (struct sockaddr *)me, len));
	printf(" %s\n", me->sun_path);
	*len = sizeof(*value);
	printf("getsockopt %d",
	       getsockopt(server, SOL_SOCKET, SO_TYPE, value, len));
	printf(" %d\n", *value);
	printf("setsockopt %d\n", setsockopt(server, SOL_SOCKET, SO_REUSEADDR,
					     lazy(1), sizeof(int)));
	unlink("socket");
}

static void names_and_structs_are_lazy(void)
{
	char *path = strcpy(lazy(2) + PAGE - 4, name), *buf = lazy(2);
	char *link_name = strcpy(lazy(2) + PAGE - 3, "link");
	struct stat *st = (struct stat *)(lazy(2) + PAGE - 16);
	struct utsname *uts = (struct utsname *)lazy(1);
	int fd, *n = (int *)lazy(1);
	DIR *dir;

	fd = open(path, O_RDONLY);
	printf("open %d\n", fd > 0);
	printf("stat %d", stat(path, st));
	printf(" %ld\n", (long)st->st_size);
	st = (struct stat *)lazy(1);
	printf("fstat %d", fstat(fd, st));
	printf(" %ld\n", (long)st->st_size);
	printf("symlink %d\n", symlink(path, link_name));
	printf("readlink %zd", readlink(link_name, buf + 4090, 60));
	printf(" %d\n", !strcmp(buf + 4090, name));
	buf = lazy(1);
	printf("__readlink_chk %zd", __readlink_chk(link_name, buf, 60, 60));
	printf(" %d\n", !strcmp(buf, name));
	printf("access %d", access(link_name, W_OK));
	printf(" rename %d", rename(link_name, strcpy(lazy(1), "other")));
	printf(" unlink %d\n", unlink(strcpy(lazy(1), "other")));
	printf("mkdir %d", mkdir(strcpy(lazy(1), "dir"), 0700));
	dir = opendir(strcpy(lazy(1), "dir"));
	printf(" opendir %d %d", dir != NULL, readdir(dir) != NULL);
	printf(" rmdir %d\n", rmdir(strcpy(lazy(1), "dir")));
	printf("getcwd %d\n", getcwd(lazy(1), PAGE) != NULL);
	printf("uname %d", uname(uts));
	printf(" %s\n", uts->sysname);
	lseek(file, 100, SEEK_SET);
	printf("ioctl %d", ioctl(file, FIONREAD, n));
	printf(" %d\n", *n);
	printf("fopen %d\n", fopen(path, "r") != NULL);
}

static void aio_reads_and_writes(void)
{
	struct aiocb block = { .aio_fildes = file, .aio_nbytes = 9 * PAGE };
	const struct aiocb *list[] = { &block };

	block.aio_buf = lazy(16);
	block.aio_offset = 77;
	printf("%d\n", aio_read(&block));
	while (aio_error(&block) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	told("aio_read", aio_return(&block), (char *)block.aio_buf, 77);
}

static int ends_of_waiting[2];

static void *wait_for_bytes(void *buf)
{
	return (void *)read(ends_of_waiting[0], buf, 3 * PAGE);
}

static void *wait_for_lock(void *mutex)
{
	return (void *)(long)pthread_mutex_lock(mutex);
}

/* Their memory is held until they return, and nothing else is: others touch more
 * than fits, map, unmap and fork. Whoever waited for them would wait for ever. */
static void calls_that_wait_hold_up_nobody(void)
{
	char *buf = lazy(8), *all, *more;
	pthread_mutex_t *mutex = (pthread_mutex_t *)lazy(2);
	pthread_t reader, locker;
	size_t pages = 4096;
	int wrong = 0, status;
	void *ret;

	pthread_mutex_init(mutex, NULL);
	pthread_mutex_lock(mutex);
	if (pipe(ends_of_waiting))
		return;
	pthread_create(&reader, NULL, wait_for_bytes, buf + 77);
	pthread_create(&locker, NULL, wait_for_lock, mutex);
	usleep(50000);
	all = lazy(pages);
	for (size_t i = 0; i < pages; i++)
		memset(all + i * PAGE, (int)(i % 100 + 1), PAGE);
	for (size_t i = 0; i < pages; i++)
		wrong += all[i * PAGE + 9] != (char)(i % 100 + 1);
	for (int i = 0; i < 10; i++) {
		pid_t child;

		more = lazy(100);
		touch(more + 50 * PAGE);
		mprotect(more, 60 * PAGE, PROT_READ);
		munmap(more, 100 * PAGE);
		child = fork();
		if (!child)
			_exit(all[PAGE] != 2);
		waitpid(child, &status, 0);
		wrong += status != 0;
	}
	munmap(all, pages * PAGE);
	printf("wrong %d\n", wrong);
	more = mapped();
	printf("write %zd\n", write(ends_of_waiting[1], more, 3 * PAGE));
	pthread_mutex_unlock(mutex);
	pthread_join(reader, &ret);
	told("read", (ssize_t)ret, buf + 77, 0);
	pthread_join(locker, &ret);
	printf("lock %ld\n", (long)ret);
}

/* After a write of pages that were absent the memory is what it was, and after
 * a read what is around the buffer is. */
static void what_is_around_stays(void)
{
	char *map = mapped(), *copy = malloc(SIZE);
	FILE *out = tmpfile();

	printf("%zd\n", write(fileno(out), map + 5000, 9000));
	told("the memory", SIZE, map, 0);
	memset(copy, 'z', SIZE);
	lseek(file, 0, SEEK_SET);
	map = mapped();
	printf("%zd\n", pread(fileno(out), map + 20000, 3000, 0));
	printf("before %d, after %d\n", map[19999] == pattern(19999),
	       map[23000] == pattern(23000));
	map = lazy(3);
	printf("%zd", pread(file, map + 4000, 200, 0));
	printf(" %d %d\n", map[3999], map[4200]);
}

/* -- A program that serves faults itself --------------------------------------- */

#define SERVED 1024 /* pages */

static int served_by = -1;
static _Atomic size_t asked;

/* Each page that it is asked for, and no other. */
static void *serve(void *unused)
{
	static uint64_t page[PAGE / 8];
	struct uffd_msg msg;

	(void)unused;
	while (read(served_by, &msg, sizeof(msg)) == sizeof(msg)) {
		uintptr_t at = msg.arg.pagefault.address & ~(PAGE - 1);
		struct uffdio_copy copy = { .dst = at,
					    .src = (uintptr_t)page,
					    .len = PAGE };

		page[0] = at / PAGE;
		asked++;
		ioctl(served_by, UFFDIO_COPY, &copy);
	}
	return NULL;
}

static void faults_are_served_by_the_program(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	size_t len = SERVED * PAGE, wrong = 0;
	pthread_t thread;
	char *at;

	served_by = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (served_by < 0 || ioctl(served_by, UFFDIO_API, &api)) {
		printf("no userfaultfd\n");
		return;
	}
	at = mmap(NULL, len, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)at;
	range.range.len = len;
	printf("register %d\n", ioctl(served_by, UFFDIO_REGISTER, &range));
	pthread_create(&thread, NULL, serve, NULL);
	for (size_t i = 0; i < SERVED / 4 + 40; i++) {
		*(volatile char *)(at + i * PAGE + 100) = 1;
		wrong += *(volatile uint64_t *)(at + i * PAGE) !=
			 (uintptr_t)at / PAGE + i;
	}
	printf("asked %zu, wrong %zu\n", (size_t)asked, wrong);
	munmap(at, len);
	/* The thread waits for what never comes. */
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(reads_fill_absent_pages),
		CASE(writes_take_absent_pages),
		CASE(many_vectors_go_in_one_call),
		CASE(pipes_take_a_whole_write),
		CASE(stream_sockets_take_a_whole_send),
		CASE(datagrams_are_not_lost),
		CASE(descriptors_arrive_in_lazy_memory),
		CASE(between_descriptors_offsets_are_lazy),
		CASE(other_process_memory_is_read_and_written),
		CASE(faults_come_where_the_kernel_has_them),
		CASE(past_the_end_of_a_file_is_a_fault),
		CASE(streams_read_and_write_lazy_memory),
		CASE(streams_have_buffers_in_lazy_memory),
		CASE(waiting_tells_in_lazy_memory),
		CASE(counts_are_not_lost),
		CASE(connections_are_not_lost),
		CASE(names_and_structs_are_lazy),
		CASE(aio_reads_and_writes),
		CASE(calls_that_wait_hold_up_nobody),
		CASE(what_is_around_stays),
		CASE(faults_are_served_by_the_program),
		{ NULL, NULL },
	};
	int status;

	make_file();
	status = run_cases(cases, argc, argv);
	unlink(name);
	return status;
}
