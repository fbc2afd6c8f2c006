/*
 * hooks.c -- what a hooked system call must leave as it was: every register
 * but those that the call itself changes, the red zone, a thread's way out by
 * cancellation, and the process as its children see it.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__x86_64__)
/* uname(at), as a compiler might have it, with all that it may count on. What
 * is in %xmm0-15 and the red zone: `in`; afterwards: `out`. */
long bare_uname(char *at, const char in[384], char out[384]);
__asm__(".text\n.globl bare_uname\n.type bare_uname,@function\n"
	"bare_uname:\n"
	"push %rbx\n"
	"push %r12\n"
	"mov %rsi, %rbx\n"
	"mov %rdx, %r12\n"
#define LOAD(n) "movups " #n "*16(%rbx), %xmm" #n "\n"
#define SAVE(n) "movups %xmm" #n ", " #n "*16(%r12)\n"
#define ALL(x)                                                                 \
	x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12)    \
		x(13) x(14) x(15)
	/* The red zone first, by way of a register that is loaded later. */
	"lea -128(%rsp), %r8\n"
	"xor %ecx, %ecx\n"
	"1: mov 256(%rbx,%rcx), %rax\n"
	"mov %rax, (%r8,%rcx)\n"
	"add $8, %ecx\n"
	"cmp $128, %ecx\n"
	"jne 1b\n"
	/* clang-format off */
	ALL(LOAD)
	/* clang-format on */
	"mov $0x1111, %esi\n"
	"mov $0x2222, %edx\n"
	"mov $0x3333, %r10d\n"
	"mov $0x4444, %r9d\n"
	"mov $63, %eax\n"
	"syscall\n"
	"cmp $0x1111, %esi\n"
	"jne 3f\n"
	"cmp $0x2222, %edx\n"
	"jne 3f\n"
	"cmp $0x3333, %r10d\n"
	"jne 3f\n"
	"cmp $0x4444, %r9d\n"
	"jne 3f\n"
	/* clang-format off */
	ALL(SAVE)
	/* clang-format on */
	"lea -128(%rsp), %r8\n"
	"xor %ecx, %ecx\n"
	"2: mov (%r8,%rcx), %rdx\n"
	"mov %rdx, 256(%r12,%rcx)\n"
	"add $8, %ecx\n"
	"cmp $128, %ecx\n"
	"jne 2b\n"
	"4: pop %r12\n"
	"pop %rbx\n"
	"ret\n"
	"3: mov $-1000, %rax\n"
	"jmp 4b\n"
	".size bare_uname, .-bare_uname\n");

/* uname(at), with the number in a register: several instructions have to give
 * way. And getpid(), where a jump leads between them, so that they may not. */
long window_uname(char *at, long nr);
long jumped_getpid(long nr, long way);
__asm__(".text\n.balign 16\n.globl window_uname\n"
	".type window_uname,@function\n"
	"window_uname:\n"
	".cfi_startproc\n"
	"mov %rsi, %r8\n"
	"push %rbx\n"
	".cfi_adjust_cfa_offset 8\n"
	"mov $0x1111, %ebx\n"
	"xor %esi, %esi\n"
	"xor %r10d, %r10d\n"
	"mov %r8d, %eax\n"
	"syscall\n"
	"cmp $0x1111, %ebx\n"
	"jne 1f\n"
	"cmp $63, %r8d\n"
	"jne 1f\n"
	"or %r10d, %esi\n"
	"jne 1f\n"
	"pop %rbx\n"
	"ret\n"
	"1: ud2\n"
	".cfi_endproc\n"
	".size window_uname, .-window_uname\n"
	".balign 16\n.globl jumped_getpid\n"
	".type jumped_getpid,@function\n"
	"jumped_getpid:\n"
	".cfi_startproc\n"
	"mov %edi, %r8d\n"
	"test %esi, %esi\n"
	"jne 1f\n"
	"xor %esi, %esi\n"
	"xor %edx, %edx\n"
	"1: mov %r8d, %eax\n"
	"syscall\n"
	"ret\n"
	".cfi_endproc\n"
	".size jumped_getpid, .-jumped_getpid\n");

static void windows(void)
{
	char *at = fresh();

	EXPECT(window_uname(at + 5000, 63) == 0);
	EXPECT(!strcmp(at + 5000, "Linux"));
	EXPECT(window_uname(at + 5000, 63) == 0);
	EXPECT(window_uname((char *)8, 63) == -EFAULT);
	EXPECT(jumped_getpid(39, 0) == getpid());
	EXPECT(jumped_getpid(39, 1) == getpid());
	munmap(at, SIZE);
}

static void registers(void)
{
	char in[384], out[384], *at = fresh();

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 5 + 1);
	/* Absent, then resident, then not lazy. */
	for (int i = 0; i < 3; i++) {
		char ordinary[512];

		memset(out, 0, sizeof(out));
		EXPECT(bare_uname(i < 2 ? at + 5000 : ordinary, in, out) == 0);
		EXPECT(!memcmp(in, out, sizeof(in)));
	}
	EXPECT(!strcmp(at + 5000, "Linux"));
	EXPECT(bare_uname((char *)8, in, out) == -EFAULT);
	munmap(at, SIZE);
}
#else
static void windows(void)
{
}

static void registers(void)
{
}
#endif

/* -- Cancellation ------------------------------------------------------------- */

static int pair[2];
static int cleaned;

static void clean(void *argument)
{
	(void)argument;
	cleaned++;
}

static void wait_here(int how, char *at)
{
	struct pollfd *fds = (struct pollfd *)at;
	FILE *file;

	switch (how) {
	case 0:
		EXPECT(read(pair[0], at, 10) == 0);
		break;
	case 1:
		EXPECT(recv(pair[0], at, 10, 0) == 0);
		break;
	case 2:
		fds->fd = pair[0];
		fds->events = POLLIN;
		EXPECT(poll(fds, 1, -1) == 0);
		break;
	case 3: /* libc's own call */
		file = fdopen(pair[0], "r");
		setvbuf(file, at, _IOFBF, 4096);
		EXPECT(getc(file) == 0);
		break;
	}
}

static void *waiter(void *argument)
{
	int how = (int)(intptr_t)argument;

	pthread_cleanup_push(clean, NULL);
	wait_here(how, fresh());
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancellation(void)
{
	for (int how = 0; how < 4; how++) {
		pthread_t thread;
		void *result = NULL;

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			abort();
		cleaned = 0;
		pthread_create(&thread, NULL, waiter, (void *)(intptr_t)how);
		usleep(20000); /* in the call, or else on its way there */
		pthread_cancel(thread);
		pthread_join(thread, &result);
		EXPECT(result == PTHREAD_CANCELED);
		EXPECT(cleaned == 1);
		if (how < 3)
			close(pair[0]);
		close(pair[1]);
	}
}

/* -- Threads that all do system calls on lazy memory that comes and goes ------ */

static void *worker(void *argument)
{
	unsigned seed = (unsigned)(intptr_t)argument;
	char *at = fresh(), *expected = malloc(70000);
	int fd = memfd_create("hooks", 0);

	for (int i = 0; i < 300; i++) {
		size_t where = rand_r(&seed) % (SIZE - 70000);
		size_t len = 1 + rand_r(&seed) % 70000;
		struct stat *st = (struct stat *)(at + (where & ~(size_t)15));

		memset(expected, i, len);
		EXPECT(syscall(SYS_pwrite64, fd, expected, len, 0L) ==
		       (long)len);
		EXPECT(syscall(SYS_pread64, fd, at + where, len, 0L) ==
		       (long)len);
		EXPECT(!memcmp(at + where, expected, len));
		EXPECT(fstat(fd, st) == 0 && st->st_size >= (off_t)len);
		if (i % 8 == 0)
			madvise(at, SIZE, MADV_DONTNEED);
	}
	close(fd);
	free(expected);
	munmap(at, SIZE);
	return NULL;
}

static void threads(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, worker, (void *)(intptr_t)i);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

/* -- Transfers larger than the resident limit that the script sets ------------ */

#define LARGE ((size_t)32 << 20)

static char *large_fresh(void)
{
	char *at = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

static void *drain(void *argument)
{
	static char buffer[100000];
	size_t total = 0;
	ssize_t n;

	while ((n = read(*(int *)argument, buffer, sizeof(buffer))) > 0)
		total += (size_t)n;
	return (void *)total;
}

static void large(void)
{
	char *from = large_fresh(), *to = large_fresh();
	int fd = memfd_create("large", 0), fds[2];
	void *drained = NULL;
	pthread_t thread;

	for (size_t i = 0; i < LARGE; i += 4096)
		memcpy(from + i, &i, sizeof(i));
	EXPECT(write(fd, from, LARGE) == (ssize_t)LARGE);
	EXPECT(lseek(fd, 0, SEEK_CUR) == (off_t)LARGE);
	EXPECT(pread(fd, to, LARGE, 4096) == (ssize_t)LARGE - 4096);
	for (size_t i = 4096; i < LARGE; i += 4096)
		EXPECT(!memcmp(to + i - 4096, &i, sizeof(i)));
	lseek(fd, 0, SEEK_SET);
	EXPECT(syscall(SYS_read, fd, to, LARGE) == (long)LARGE);
	for (size_t i = 0; i < LARGE; i += 4096)
		EXPECT(!memcmp(to + i, &i, sizeof(i)));
	if (pipe(fds) < 0)
		abort();
	pthread_create(&thread, NULL, drain, &fds[0]);
	EXPECT(write(fds[1], from, LARGE) == (ssize_t)LARGE);
	close(fds[1]);
	pthread_join(thread, &drained);
	EXPECT((size_t)drained == LARGE);
	/* What is there, and no waiting for more. */
	if (pipe(fds) < 0 || write(fds[1], "few", 3) != 3)
		abort();
	EXPECT(read(fds[0], to, LARGE) == 3);
	close(fd);
	munmap(from, LARGE);
	munmap(to, LARGE);
}

/* Buffers of all sizes, one of them empty, that make up the whole. */
#define PARTS 20
static void cut(char *at, struct iovec iov[PARTS])
{
	size_t len = LARGE / 200, left = LARGE;

	for (int i = 0; i < PARTS; i++) {
		iov[i].iov_base = at + (LARGE - left);
		iov[i].iov_len = i == 7 ? 0 : i == PARTS - 1 ? left : len;
		left -= iov[i].iov_len;
		len += i * 1000 + 1;
	}
}

static char *large_pattern(void)
{
	char *at = large_fresh();

	for (size_t i = 0; i < LARGE; i += 1024)
		memcpy(at + i, &i, sizeof(i));
	return at;
}

static bool is_pattern(const char *at, size_t from, size_t to)
{
	for (size_t i = from; i < to; i += 1024)
		if (memcmp(at + i, &i, sizeof(i)) != 0)
			return false;
	return true;
}

static void large_vectors(void)
{
	char *from = large_pattern(), *to = large_fresh();
	struct iovec out[PARTS], in[PARTS];
	int fd = memfd_create("large", 0);

	cut(from, out);
	cut(to, in);
	EXPECT(writev(fd, out, PARTS) == (ssize_t)LARGE);
	EXPECT(lseek(fd, 0, SEEK_CUR) == (off_t)LARGE);
	EXPECT(preadv(fd, in, PARTS, 1024) == (ssize_t)LARGE - 1024);
	EXPECT(is_pattern(to - 1024, 1024, LARGE));
	lseek(fd, 0, SEEK_SET);
	EXPECT(readv(fd, in, PARTS) == (ssize_t)LARGE);
	EXPECT(is_pattern(to, 0, LARGE));
	EXPECT(readv(fd, in, PARTS) == 0);
	madvise(to, LARGE, MADV_DONTNEED);
	EXPECT(ftruncate(fd, 0) == 0);
	EXPECT(pwritev(fd, out, PARTS, 2048) == (ssize_t)LARGE);
	lseek(fd, 2048, SEEK_SET);
	EXPECT(syscall(SYS_preadv2, fd, in, PARTS, -1L, 0L, 0) == (long)LARGE);
	EXPECT(is_pattern(to, 0, LARGE));
	EXPECT(lseek(fd, 0, SEEK_CUR) == (off_t)LARGE + 2048);
	/* Refused as a whole. */
	in[3].iov_len = (size_t)-1;
	errno = 0;
	EXPECT(readv(fd, in, PARTS) == -1 && errno == EINVAL);
	EXPECT(syscall(SYS_readv, fd, 8L, PARTS) == -1 && errno == EFAULT);
	close(fd);
	munmap(from, LARGE);
	munmap(to, LARGE);
}

/* The other end: what is read before `enough`, and a sum of it. */
struct other_end {
	int fd;
	size_t enough, got, wrong;
};

static void *read_large(void *argument)
{
	static char buffer[1024 * 64];
	struct other_end *end = argument;
	size_t have = 0;
	ssize_t n;

	while (end->got < end->enough &&
	       (n = read(end->fd, buffer + have, sizeof(buffer) - have)) > 0) {
		have += (size_t)n;
		if (have < sizeof(buffer))
			continue;
		for (size_t i = 0; i < have; i += 1024, end->got += 1024)
			end->wrong += memcmp(buffer + i, &end->got,
					     sizeof(end->got)) != 0;
		have = 0;
	}
	close(end->fd);
	return NULL;
}

enum way { SEND, SENDMSG, WRITE, WRITEV };

static ssize_t send_large(int fd, char *from, enum way way)
{
	struct iovec iov[PARTS];
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_iov = iov,
			      .msg_iovlen = PARTS,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *rights = CMSG_FIRSTHDR(&msg);

	cut(from, iov);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	switch (way) {
	case SEND:
		return send(fd, from, LARGE, 0);
	case SENDMSG:
		return sendmsg(fd, &msg, 0);
	case WRITE:
		return write(fd, from, LARGE);
	case WRITEV:
		return writev(fd, iov, PARTS);
	}
	return -1;
}

static void large_sends(void)
{
	char *from = large_pattern();

	for (enum way way = SEND; way <= WRITEV; way++)
		for (int early = 0; early < 2; early++) {
			struct other_end end = { .enough = LARGE };
			pthread_t thread;
			ssize_t ret;
			int fds[2];

			if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
				abort();
			end.fd = fds[1];
			/* Who has sent something is told that, and not killed
			 * by SIGPIPE. */
			if (early)
				end.enough = LARGE / 2;
			pthread_create(&thread, NULL, read_large, &end);
			ret = send_large(fds[0], from, way);
			close(fds[0]);
			pthread_join(thread, NULL);
			if (early)
				EXPECT(ret >= (ssize_t)LARGE / 2 &&
				       ret < (ssize_t)LARGE);
			else
				EXPECT(ret == (ssize_t)LARGE);
			EXPECT(end.got == end.enough && end.wrong == 0);
		}
	munmap(from, LARGE);
}

static void *write_large(void *argument)
{
	send_large(*(int *)argument, large_pattern(), SENDMSG);
	shutdown(*(int *)argument, SHUT_WR);
	return NULL;
}

static void large_receives(void)
{
	for (int how = 0; how < 2; how++) {
		char control[CMSG_SPACE(sizeof(int))], *to = large_fresh();
		struct iovec iov[PARTS];
		struct msghdr msg = { .msg_iov = iov,
				      .msg_iovlen = PARTS,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t all = 0, n;
		pthread_t thread;
		int fds[2];

		cut(to, iov);
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
			abort();
		pthread_create(&thread, NULL, write_large, &fds[0]);
		/* Descriptors come with the first bytes, once, and end it. */
		if (how == 0) {
			all = recvmsg(fds[1], &msg, MSG_WAITALL);
			EXPECT(all > 0 && msg.msg_controllen > 0);
			EXPECT(CMSG_FIRSTHDR(&msg)->cmsg_type == SCM_RIGHTS);
			close(*(int *)CMSG_DATA(CMSG_FIRSTHDR(&msg)));
		} else {
			/* Or are lost, where there is no room. */
			msg.msg_controllen = 0;
			n = recvmsg(fds[1], &msg, 0);
			EXPECT(n > 0 && msg.msg_flags & MSG_CTRUNC);
			EXPECT(!msg.msg_controllen);
			all = n > 0 ? n : 0;
		}
		n = recv(fds[1], to + all, LARGE - (size_t)all, MSG_WAITALL);
		EXPECT(n == (ssize_t)LARGE - all);
		EXPECT(is_pattern(to, 0, LARGE));
		/* What is there, and no waiting for more. */
		EXPECT(send(fds[1], "few", 3, 0) == 3);
		EXPECT(recv(fds[0], to, LARGE, 0) == 3);
		EXPECT(recv(fds[0], to, LARGE, MSG_DONTWAIT) == -1 &&
		       errno == EAGAIN);
		EXPECT(recv(fds[1], to, LARGE, 0) == 0);
		pthread_join(thread, NULL);
		close(fds[0]);
		close(fds[1]);
		munmap(to, LARGE);
	}
}

/* One that is larger than a piece goes whole all the same. */
static void datagram(void)
{
	char *from = large_pattern(), *to = large_fresh();
	const size_t len = 150000;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0)
		abort();
	EXPECT(send(fds[0], from, len, 0) == (ssize_t)len);
	EXPECT(send(fds[0], "second", 6, 0) == 6);
	EXPECT(recv(fds[1], to, 300000, 0) == (ssize_t)len);
	EXPECT(is_pattern(to, 0, len));
	EXPECT(read(fds[1], to, len) == 6);
	close(fds[0]);
	close(fds[1]);
	munmap(from, LARGE);
	munmap(to, LARGE);
}

static int tcp_pair(int fds[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&at, len) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&at, &len))
		return -1;
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fds[0], (struct sockaddr *)&at, len))
		return -1;
	fds[1] = accept(listener, NULL, NULL);
	close(listener);
	return fds[1] < 0 ? -1 : 0;
}

#define QUEUED ((size_t)90000)

static void *send_later(void *fd)
{
	char *from = large_pattern();

	usleep(50000);
	EXPECT(send(*(int *)fd, from, QUEUED, 0) == (ssize_t)QUEUED);
	munmap(from, LARGE);
	return NULL;
}

/* Takes nothing, waits for the first byte only, and says what there is. */
static void peeks(int fds[2])
{
	char *from = large_pattern(), *to = large_fresh();
	struct iovec iov[PARTS];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = PARTS };
	struct timeval moment = { .tv_usec = 20000 };
	pthread_t thread;
	int there = 0;
	ssize_t n;

	cut(to, iov);
	EXPECT(recv(fds[1], to, LARGE, MSG_PEEK | MSG_DONTWAIT) == -1 &&
	       errno == EAGAIN);
	setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment));
	EXPECT(recv(fds[1], to, LARGE, MSG_PEEK) == -1 && errno == EAGAIN);
	moment.tv_usec = 0;
	setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment));
	pthread_create(&thread, NULL, send_later, &fds[0]);
	n = recv(fds[1], to, LARGE, MSG_PEEK);
	EXPECT(n > 0 && n <= (ssize_t)QUEUED && is_pattern(to, 0, (size_t)n));
	pthread_join(thread, NULL);
	for (int i = 0; i < 1000 && there < (int)QUEUED; i++, usleep(1000))
		if (ioctl(fds[1], FIONREAD, &there) < 0)
			break;
	for (int i = 0; i < 2; i++) {
		munmap(to, LARGE);
		to = large_fresh();
		n = recv(fds[1], to, LARGE, MSG_PEEK);
		EXPECT(n == (ssize_t)QUEUED && is_pattern(to, 0, QUEUED));
	}
	munmap(to, LARGE);
	to = large_fresh();
	cut(to, iov);
	n = recvmsg(fds[1], &msg, MSG_PEEK | MSG_DONTWAIT);
	EXPECT(n == (ssize_t)QUEUED && is_pattern(to, 0, QUEUED));
	EXPECT(msg.msg_iov == iov && msg.msg_iovlen == PARTS &&
	       !msg.msg_controllen);
	EXPECT(recv(fds[1], to, QUEUED, MSG_WAITALL) == (ssize_t)QUEUED);
	close(fds[0]);
	EXPECT(recv(fds[1], to, LARGE, MSG_PEEK) == 0);
	close(fds[1]);
	munmap(from, LARGE);
	munmap(to, LARGE);
}

static void large_peeks(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		abort();
	peeks(fds);
	if (tcp_pair(fds) < 0)
		printf("no loopback here\n");
	else
		peeks(fds);
}

/* -- Children ----------------------------------------------------------------- */

static long status_of(const char *name)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = atol(line + strlen(name));
	if (file)
		fclose(file);
	return value;
}

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#define PAGE ((size_t)4096)

/* What the program takes back from a private file is the file's again, also what
 * has been written to swap meanwhile. */
static void advice(void)
{
	int fd = open("advice", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct iovec iov;
	char *at;

	EXPECT(ftruncate(fd, (off_t)SIZE) == 0);
	at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	memset(at, 'x', SIZE);
	iov = (struct iovec){ at + PAGE, SIZE / 2 };
	if (syscall(SYS_process_madvise, self, &iov, 1, MADV_DONTNEED, 0) < 0) {
		printf("no process_madvise of this advice here\n");
	} else {
		EXPECT(at[0] == 'x' && at[SIZE / 2 + PAGE] == 'x');
		for (size_t i = PAGE; i < SIZE / 2 + PAGE; i += PAGE)
			EXPECT(at[i] == 0);
	}
	iov.iov_base = at;
	EXPECT(syscall(SYS_process_madvise, self, &iov, 1, MADV_PAGEOUT, 0) ==
	       (long)SIZE / 2);
	EXPECT(at[0] == 'x' && at[PAGE] == 0);
	close(self);
	close(fd);
	munmap(at, SIZE);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(200);
	registers();
	windows();
	cancellation();
	threads();
	large();
	large_vectors();
	large_sends();
	large_receives();
	large_peeks();
	datagram();
	advice();
	/* What a setuid program would lose its privileges by, or a static one
	 * be killed by: as without lazymap. */
	printf("%d failed; no_new_privs %ld, seccomp %ld\n", failures,
	       status_of("NoNewPrivs:"), status_of("Seccomp:"));
	return failures > 0;
}
