/*
 * served.c -- a program that serves faults itself, with a userfaultfd: what it
 * places before anybody touches it stays, and a thread that has just begun can
 * answer for a fork. "skipped" where it may have none.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define PAGES ((size_t)2048)

static int fd;
static char *served, *source;

static uint64_t *word(char *area, size_t page)
{
	return (uint64_t *)(area + page * PAGE);
}

static char *map(void)
{
	char *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		exit(1);
	return area;
}

static void place(size_t page)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)word(served, page),
				    .src = (uintptr_t)word(source, page),
				    .len = PAGE };
	struct uffdio_range range = { copy.dst, PAGE };

	/* What is lost after it was placed cannot be had again. */
	if (!ioctl(fd, UFFDIO_COPY, &copy))
		*word(source, page) = 0;
	else if (copy.copy == -EEXIST) /* the other thread was first */
		ioctl(fd, UFFDIO_WAKE, &range);
}

/* Answers until a fork is told of, or it is cancelled. */
static void *answer(void *forked)
{
	struct uffd_msg msg;

	while (read(fd, &msg, sizeof(msg)) == sizeof(msg)) {
		if (msg.event == UFFD_EVENT_FORK) {
			*(int *)forked = 1;
			close((int)msg.arg.fork.ufd);
			return NULL;
		}
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		place((msg.arg.pagefault.address - (uintptr_t)served) / PAGE);
	}
	return NULL;
}

static void *place_all(void *unused)
{
	(void)unused;
	/* None beside the last. */
	for (size_t i = 0; i < PAGES; i++)
		place(i * 1021 % PAGES);
	return NULL;
}

static size_t wrong(void)
{
	size_t n = 0;

	for (size_t i = 0; i < PAGES; i++)
		n += *word(served, i) != i + 1;
	return n;
}

static int begin(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register where = {
		.range = { (uintptr_t)served, PAGES * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	return fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	       ioctl(fd, UFFDIO_REGISTER, &where);
}

/* One thread places all, another touches all and is served by a third. */
static void race(void)
{
	struct uffdio_range all = { (uintptr_t)served, PAGES * PAGE };
	pthread_t placing, answering;
	int unused;

	pthread_create(&answering, NULL, answer, &unused);
	pthread_create(&placing, NULL, place_all, NULL);
	for (size_t i = 0; i < PAGES; i++)
		if (*word(served, i * 1531 % PAGES) != i * 1531 % PAGES + 1)
			printf("page %zu is not what was placed\n",
			       i * 1531 % PAGES);
	pthread_join(placing, NULL);
	printf("%zu wrong while served\n", wrong());
	ioctl(fd, UFFDIO_UNREGISTER, &all);
	printf("%zu wrong after\n", wrong());
	madvise(served, PAGES * PAGE, MADV_DONTNEED);
	printf("%s after it was dropped\n",
	       *word(served, 5) ? "something" : "zeros");
	pthread_cancel(answering);
	pthread_join(answering, NULL);
	close(fd);
}

/* The kernel's fork waits for a thread that has hardly begun. */
static void forks(void)
{
	pthread_t answering;
	int forked = 0, status = -1;

	for (int i = 0; i < 20; i++) {
		if (begin(UFFD_FEATURE_EVENT_FORK)) {
			printf("skipped: no events of forks\n");
			return;
		}
		forked = 0;
		pthread_create(&answering, NULL, answer, &forked);
		if (!fork())
			_exit(0);
		wait(&status);
		pthread_join(answering, NULL);
		close(fd);
		if (!forked || status)
			printf("a fork: %d, %#x\n", forked, (unsigned)status);
	}
	printf("forks end\n");
}

/* How many pages of `served` are there, once so much else was touched. */
static void count_after(size_t pages)
{
	char *much = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t there = 0;
	uint64_t entry;

	for (size_t i = 0; i < pages; i++)
		much[i * PAGE] = (char)i;
	for (size_t i = 0; i < PAGES; i++)
		if (pread(pagemap, &entry, 8,
			  (off_t)((uintptr_t)word(served, i) / PAGE * 8)) == 8)
			there += entry >> 63;
	printf("%zu there, %zu wrong\n", there, wrong());
}

/* Its userfaultfd is closed without more, in one of many ways; the range is
 * the kernel's to swap again, and lazymap's to evict. */
static int closed(const char *how)
{
	int copy;

	place_all(NULL);
	for (size_t i = 0; i < PAGES; i++)
		*word(source, i) = i + 1;
	if (!strcmp(how, "inherited")) {
		int status = -1;

		if (!fork()) {
			count_after(8192);
			exit(0);
		}
		wait(&status);
		printf("%x\n", (unsigned)status);
		return 0;
	}
	copy = dup(fd);
	if (!strcmp(how, "close"))
		close(fd);
	else if (!strcmp(how, "dup2"))
		dup2(2, fd);
	else
		close_range((unsigned)fd, (unsigned)fd, 0);
	/* One descriptor is left. */
	count_after(1024);
	close(copy);
	count_after(8192);
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	alarm(60);
	served = map();
	source = map();
	for (size_t i = 0; i < PAGES; i++)
		*word(source, i) = i + 1;
	if (begin(0)) {
		printf("skipped: no userfaultfd\n");
		return 0;
	}
	if (argc > 1)
		return closed(argv[1]);
	race();
	forks();
	return 0;
}
