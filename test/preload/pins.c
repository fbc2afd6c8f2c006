/*
 * pins.c -- what the kernel uses of lazy memory is there as long as it does, and no
 * longer: in calls that wait, in Linux AIO, and in a child.
 *
 *	pins [-lazy]
 *
 * -lazy: under lazymap, with a limit, where mincore tells what is resident.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "expect.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define PAGES ((size_t)16)
#define LEN (PAGES * PAGE)
#define ROOM ((size_t)16 << 20)

static int lazy; /* is it lazymap's? */
static int file;
static aio_context_t context;

static char *area(void)
{
	char *at = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

/* As libaio makes them, and not the C library. */
#if defined(__x86_64__)
static long make(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
	long ret;

#define MAKE(number)                                                           \
	__asm__ volatile("mov %1, %%eax\n\tsyscall"                            \
			 : "=&a"(ret)                                          \
			 : "i"(number), "D"(a), "S"(b), "d"(c), "r"(r10),      \
			   "r"(r8)                                             \
			 : "rcx", "r11", "memory")
	if (nr == SYS_readv)
		MAKE(SYS_readv);
	else if (nr == SYS_io_submit)
		MAKE(SYS_io_submit);
	else if (nr == SYS_io_getevents)
		MAKE(SYS_io_getevents);
	else
		MAKE(SYS_io_destroy);
	return ret;
}
#else
#define make(...) syscall(__VA_ARGS__)
#endif

static int is_file(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != (char)(i / 7 + i / PAGE))
			return 0;
	return 1;
}

static struct iocb request(int what, void *buf, size_t len)
{
	return (struct iocb){ .aio_lio_opcode = (uint16_t)what,
			      .aio_fildes = (uint32_t)file,
			      .aio_buf = (uint64_t)(uintptr_t)buf,
			      .aio_nbytes = len };
}

static long submit(struct iocb *block)
{
	return make(SYS_io_submit, (long)context, 1, (long)&block, 0, 0);
}

static long end_of(int n)
{
	struct io_event event[4];
	long got = make(SYS_io_getevents, (long)context, n, n, (long)event, 0);

	return got == n ? event[0].res : -1;
}

/* What is still there after all that can go was told to. */
static size_t staying(char *at)
{
	unsigned char there[PAGES];
	size_t n = 0;

	madvise(at, LEN, MADV_PAGEOUT);
	if (mincore(at, LEN, there))
		return 0;
	for (size_t i = 0; i < PAGES; i++)
		n += there[i] & 1;
	return n;
}

#define EXPECT_STAYING(at, n)                                                  \
	do {                                                                   \
		size_t s_ = lazy ? staying(at) : (n);                          \
		if (s_ != (n))                                                 \
			printf("%zu stay\n", s_);                              \
		EXPECT(s_ == (n));                                             \
	} while (0)

static void read_stays_until_its_event(void)
{
	char *at = area();
	struct iocb block = request(IOCB_CMD_PREAD, at, LEN);

	EXPECT(submit(&block) == 1);
	EXPECT_STAYING(at, PAGES);
	EXPECT(end_of(1) == (long)LEN);
	EXPECT(is_file(at, LEN));
	EXPECT_STAYING(at, 0);
	EXPECT(is_file(at, LEN));
	munmap(at, LEN);
}

static void buffers_of_a_vector_stay(void)
{
	char *at = area();
	struct iovec iov[2] = { { at, PAGE }, { at + PAGE, 2 * PAGE } };
	struct iocb block = request(IOCB_CMD_PREADV, iov, 2);

	EXPECT(submit(&block) == 1);
	EXPECT_STAYING(at, 3);
	EXPECT(end_of(1) == 3 * (long)PAGE && is_file(at, 3 * PAGE));
	EXPECT_STAYING(at, 0);
	munmap(at, LEN);
}

static void what_was_swapped_out_is_written(void)
{
	char *at = area();
	struct iocb block = request(IOCB_CMD_PWRITE, at, LEN);

	EXPECT(pread(file, at, LEN, 0) == (ssize_t)LEN);
	EXPECT_STAYING(at, 0);
	EXPECT(submit(&block) == 1 && end_of(1) == (long)LEN);
	EXPECT_STAYING(at, 0);
	EXPECT(pread(file, at, LEN, 0) == (ssize_t)LEN && is_file(at, LEN));
	munmap(at, LEN);
}

/* One that is refused is held for nobody. */
static void refused_requests_let_go(void)
{
	char *at = area();
	struct iocb good = request(IOCB_CMD_PREAD, at, PAGE),
		    bad = request(IOCB_CMD_PREAD, at + PAGE, PAGE);
	struct iocb *blocks[2] = { &good, &bad };

	bad.aio_fildes = 9999;
	EXPECT(syscall(SYS_io_submit, context, 2, blocks) == 1);
	EXPECT_STAYING(at, 1);
	EXPECT(end_of(1) == (long)PAGE);
	EXPECT(submit(&bad) < 0);
	EXPECT_STAYING(at, 0);
	munmap(at, LEN);
}

/* The same block for two requests at once: the event does not say which. */
static void one_block_for_two_requests(void)
{
	char *at = area();
	struct iocb block = request(IOCB_CMD_PREAD, at, PAGE);

	EXPECT(submit(&block) == 1);
	block.aio_buf += PAGE;
	EXPECT(submit(&block) == 1);
	EXPECT_STAYING(at, 2);
	EXPECT(end_of(1) == (long)PAGE);
	EXPECT_STAYING(at, 2);
	EXPECT(end_of(1) == (long)PAGE);
	EXPECT_STAYING(at, 0);
	EXPECT(is_file(at, PAGE) && is_file(at + PAGE, PAGE));
	munmap(at, LEN);
}

static void a_child_holds_nothing(void)
{
	char *at = area();
	struct iocb block = request(IOCB_CMD_PREAD, at, LEN);
	int status = -1;
	pid_t child;

	EXPECT(submit(&block) == 1);
	child = fork();
	if (!child) {
		EXPECT_STAYING(at, 0);
		_exit(failures);
	}
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
	EXPECT_STAYING(at, PAGES);
	EXPECT(end_of(1) == (long)LEN && is_file(at, LEN));
	munmap(at, LEN);
}

static void the_end_of_the_context_lets_go(void)
{
	char *at = area();
	struct iocb block = request(IOCB_CMD_PREAD, at, LEN);

	EXPECT(submit(&block) == 1);
	EXPECT(make(SYS_io_destroy, (long)context, 0, 0, 0, 0) == 0);
	EXPECT_STAYING(at, 0);
	EXPECT(is_file(at, LEN));
	munmap(at, LEN);
}

/* -- Calls that wait ----------------------------------------------------------- */

static int ends[2];

static void *read_all(void *at)
{
	return (void *)read(ends[0], at, LEN);
}

/* In a moment, from another process: which then writes, to end the call. */
static pid_t signal_soon(void)
{
	pid_t child = fork();

	if (child)
		return child;
	usleep(30000);
	kill(getppid(), SIGUSR2);
	usleep(30000);
	EXPECT(write(ends[1], "some", 4) == 4);
	_exit(failures);
}

static void handle(void (*handler)(int sig))
{
	struct sigaction act = { .sa_handler = handler,
				 .sa_flags = SA_RESTART };

	sigaction(SIGUSR2, &act, NULL);
}

static char *looked_at;
static volatile size_t stayed;

static void look(int sig)
{
	(void)sig;
	stayed = staying(looked_at);
}

/* Where a call waits for which `pages` of what is there are to stay, and go then. */
#define EXPECT_HELD(at, pages, call)                                           \
	do {                                                                   \
		pid_t child_;                                                  \
		int status_ = -1;                                              \
                                                                               \
		memset(at, 'x', LEN);                                          \
		looked_at = at;                                                \
		child_ = signal_soon();                                        \
		EXPECT(call == 4);                                             \
		EXPECT(!lazy || stayed == (pages));                            \
		EXPECT(waitpid(child_, &status_, 0) == child_ && !status_);    \
		EXPECT_STAYING(at, 0);                                         \
	} while (0)

static void what_is_there_stays_during_a_call(void)
{
	char *at = area(), some[2];
	struct iovec iov[3] = { { at + PAGE, 1 },
				{ some, sizeof(some) },
				{ at + 3 * PAGE - 1, 2 } };

	EXPECT(pipe(ends) == 0);
	handle(look);
	EXPECT_HELD(at, 1, read(ends[0], at + 10, 100));
	EXPECT(!memcmp(at, "xxxxxxxxxxsomex", 15));
	EXPECT_HELD(at, 3, read(ends[0], at + PAGE - 1, PAGE + 2));
	EXPECT(!memcmp(at + PAGE - 2, "xsomex", 6));
	EXPECT_HELD(at, 3, readv(ends[0], iov, 3));
	EXPECT(at[PAGE] == 's' && !memcmp(some, "om", 2) &&
	       at[3 * PAGE - 1] == 'e');
	close(ends[0]);
	close(ends[1]);
	munmap(at, LEN);
}

/* With the first one there alone: what is taken at once is given back. */
static void what_is_there_in_part_is_let_go(void)
{
	char *at = area();
	struct iovec iov[2] = { { at, PAGE }, { at + PAGE, PAGE } };

	/* The first call of a function goes another way. */
	for (int i = 0; i < 4; i++) {
		int vector = i & 1;

		memset(at, 'x', LEN);
		madvise(at + PAGE, PAGE, MADV_DONTNEED);
		EXPECT((vector ? preadv(file, iov, 2, 0)
			       : pread(file, at, 2 * PAGE, 0)) ==
		       2 * (ssize_t)PAGE);
		EXPECT(is_file(at, 2 * PAGE));
		EXPECT_STAYING(at, 0);
	}
	munmap(at, LEN);
}

/* The kernel goes as far as it may. */
static void what_may_not_be_written_holds_nothing(void)
{
	char *at = area(), text[6000];
	struct iovec iov[2] = { { at, PAGE }, { at + PAGE, PAGE } };

	memset(text, 'y', sizeof(text));
	memset(at, 'x', LEN);
	EXPECT(mprotect(at + PAGE, PAGE, PROT_READ) == 0);
	EXPECT(pwrite(file, text, sizeof(text), LEN) == (ssize_t)sizeof(text));
	EXPECT(pread(file, at, 2 * PAGE, LEN) == (ssize_t)PAGE);
	EXPECT(at[PAGE - 1] == 'y' && at[PAGE] == 'x');
	EXPECT_STAYING(at, 0);
	memset(at, 'x', PAGE);
	EXPECT(preadv(file, iov, 2, LEN) == (ssize_t)PAGE);
	EXPECT(at[PAGE - 1] == 'y' && at[PAGE] == 'x');
	EXPECT_STAYING(at, 0);
	munmap(at, LEN);
}

static sigjmp_buf out;

static void leave(int sig)
{
	(void)sig;
	siglongjmp(out, 1);
}

__attribute__((noinline)) static long read_deeper(const struct iovec *iov)
{
	volatile char room[8192];

	room[0] = room[sizeof(room) - 1] = 0;
	return make(SYS_readv, ends[0], (long)iov, 1, 0, 0);
}

/* What the call was going to use is not what another one uses, though it is made
 * with the same arguments. */
static void a_call_that_was_left_is_not_made_later(void)
{
	char *at = area(), ordinary[4];
	static struct iovec iov;
	int status = -1;
	pid_t child;

	EXPECT(pipe(ends) == 0);
	handle(leave);
	iov = (struct iovec){ ordinary, sizeof(ordinary) };
	child = signal_soon();
	if (!sigsetjmp(out, 1)) {
		EXPECT(readv(ends[0], &iov, 1) == -1);
		EXPECT(0);
	}
	iov.iov_base = at;
	EXPECT(read_deeper(&iov) == 4 && !memcmp(at, "some", 4));
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
	close(ends[0]);
	close(ends[1]);
	munmap(at, LEN);
}

static void *read_one(void *at)
{
	return (void *)read(ends[0], at, PAGE);
}

static void *leave_one(void *at)
{
	if (!sigsetjmp(out, 1))
		return read_one(at);
	return NULL;
}

/* Beside other threads; one alone holds it until it is unmapped. */
static void a_thread_that_leaves_a_call_lets_go(void)
{
	char *at = area();
	pthread_t thread;
	void *n = NULL;

	EXPECT(pipe(ends) == 0);
	for (int jump = 0; jump < 2; jump++) {
		memset(at, 'x', LEN);
		handle(leave);
		EXPECT(pthread_create(&thread, NULL,
				      jump ? leave_one : read_one, at) == 0);
		/* It is there when the call comes, as mostly. */
		usleep(30000);
		for (int i = 0; lazy && i < 1000 && staying(at) != 1; i++)
			usleep(1000);
		EXPECT(jump ? !pthread_kill(thread, SIGUSR2)
			    : !pthread_cancel(thread));
		EXPECT(pthread_join(thread, &n) == 0);
		EXPECT(n == (jump ? NULL : PTHREAD_CANCELED));
		EXPECT_STAYING(at, 0);
	}
	close(ends[0]);
	close(ends[1]);
	munmap(at, LEN);
}

/* It has not the thread that waits. */
static void a_child_holds_nothing_of_other_threads(void)
{
	char *at = area(), *kept = area();
	pthread_t thread;
	void *n = NULL;
	int status = -1;
	pid_t child;

	EXPECT(pipe(ends) == 0);
	EXPECT(pthread_create(&thread, NULL, read_all, at) == 0);
	/* What is pinned for longer than a call stays so. */
	for (int i = 0; lazy && i < 1000 && staying(at) != PAGES; i++)
		usleep(1000);
	syscall(SYS_set_robust_list, kept, sizeof(struct robust_list_head));
	child = fork();
	if (!child) {
		EXPECT_STAYING(at, 0);
		EXPECT_STAYING(kept, 1);
		_exit(failures);
	}
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
	EXPECT_STAYING(at, PAGES);
	EXPECT(write(ends[1], "some", 4) == 4);
	EXPECT(pthread_join(thread, &n) == 0 && (long)n == 4);
	EXPECT(!memcmp(at, "some", 4));
	EXPECT_STAYING(at, 0);
	close(ends[0]);
	close(ends[1]);
	munmap(at, LEN);
}

static volatile pid_t forked = -1;

static void fork_here(int sig)
{
	char *more;

	(void)sig;
	forked = fork();
	if (forked)
		return;
	/* Drive out what can go. */
	more = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (more != MAP_FAILED)
		memset(more, 1, ROOM);
}

/* It goes on with the call that its parent's handler has interrupted. */
static void a_child_holds_what_its_own_call_uses(void)
{
	struct sigaction act = { .sa_handler = fork_here,
				 .sa_flags = SA_RESTART };
	char *at = area(), text[200];
	int status = -1;
	pid_t writer;

	memset(text, 'x', sizeof(text));
	sigaction(SIGUSR1, &act, NULL);
	EXPECT(pipe(ends) == 0);
	writer = fork();
	if (!writer) {
		usleep(50000);
		kill(getppid(), SIGUSR1);
		usleep(50000);
		EXPECT(write(ends[1], text, 200) == 200);
		_exit(failures);
	}
	EXPECT(read(ends[0], at, 100) == 100 && !memcmp(at, text, 100));
	if (!forked)
		_exit(failures);
	EXPECT(waitpid(writer, &status, 0) == writer && status == 0);
	EXPECT(waitpid(forked, &status, 0) == forked && status == 0);
	munmap(at, LEN);
	close(ends[0]);
	close(ends[1]);
}

/* The pipe has the pages themselves: that they go changes nothing. */
static void spliced_pages_may_go(void)
{
	char *at = area(), back[4 * 4096];
	struct iovec iov = { at, sizeof(back) };

	EXPECT(pread(file, at, LEN, 0) == (ssize_t)LEN);
	EXPECT(pipe(ends) == 0);
	EXPECT(vmsplice(ends[1], &iov, 1, 0) == (ssize_t)sizeof(back));
	EXPECT_STAYING(at, 0);
	EXPECT(is_file(at, LEN));
	EXPECT(read(ends[0], back, sizeof(back)) == (ssize_t)sizeof(back));
	EXPECT(is_file(back, sizeof(back)));
	close(ends[0]);
	close(ends[1]);
	munmap(at, LEN);
}

int main(int argc, char **argv)
{
	char byte;

	lazy = argc > 1 && !strcmp(argv[1], "-lazy");
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(60);
	file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (size_t i = 0; i < LEN; i++) {
		byte = (char)(i / 7 + i / PAGE);
		if (pwrite(file, &byte, 1, (off_t)i) != 1)
			return 1;
	}
	what_is_there_stays_during_a_call();
	what_is_there_in_part_is_let_go();
	what_may_not_be_written_holds_nothing();
	a_call_that_was_left_is_not_made_later();
	a_thread_that_leaves_a_call_lets_go();
	/* And with what a thread needs more. */
	what_is_there_stays_during_a_call();
	a_call_that_was_left_is_not_made_later();
	a_child_holds_nothing_of_other_threads();
	a_child_holds_what_its_own_call_uses();
	spliced_pages_may_go();
	if (syscall(SYS_io_setup, 8, &context)) {
		perror("Linux AIO is not tried");
	} else {
		read_stays_until_its_event();
		buffers_of_a_vector_stay();
		what_was_swapped_out_is_written();
		refused_requests_let_go();
		one_block_for_two_requests();
		a_child_holds_nothing();
		the_end_of_the_context_lets_go();
	}
	printf("%d failed\n", failures);
	return failures > 0;
}
