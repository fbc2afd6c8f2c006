/*
 * random_calls.c -- calls on memory and files chosen at random, and what became of
 * them: for test_random_once.sh, which compares what this prints with and without
 * the shim.
 *
 *	random_calls SEED COUNT
 *
 * All is within one range of addresses and a few files. A line for each call says
 * what it was and returned; touches may raise signals, which are part of the
 * record. At the end comes a sum of each page and of each file.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define PAGES ((size_t)640)
#define FILES 4
#define FILE_PAGES ((size_t)100)
#define BASE ((void *)0x100000000000)
#define RW (PROT_READ | PROT_WRITE)

static uint64_t state;
static char *base;
static int fds[FILES];
static int depth; /* of children */

static size_t random_below(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

/* -- Touches --------------------------------------------------------------------- */

static sigjmp_buf back;
static volatile sig_atomic_t armed;
static volatile int caught; /* signal and code */

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!armed)
		_exit(99);
	caught = sig * 1000 + info->si_code;
	siglongjmp(back, 1);
}

/* What was caught, or 0. */
static int touch(char *at, unsigned char *value, int write)
{
	caught = 0;
	armed = 1;
	if (!sigsetjmp(back, 1)) {
		if (write)
			*(volatile unsigned char *)at = *value;
		else
			*value = *(volatile unsigned char *)at;
	}
	armed = 0;
	return caught;
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * UINT64_C(1099511628211);
}

static uint64_t sum_of_page(size_t page)
{
	volatile uint64_t *words = (uint64_t *)(base + page * PAGE);
	volatile uint64_t sum = 1;

	armed = 1;
	if (sigsetjmp(back, 1))
		sum = (uint64_t)caught;
	else
		for (size_t i = 0; i < PAGE / 8; i++)
			sum = mix(sum, words[i]);
	armed = 0;
	return sum;
}

static void print_pages(const char *what)
{
	uint64_t sum = 1;

	for (size_t page = 0; page < PAGES; page++)
		sum = mix(sum, sum_of_page(page));
	printf("%s %jx\n", what, (uintmax_t)sum);
}

/* But mlock: a locked private page becomes a copy when it could be written
 * (mprotect, Linux), which lazymap puts off. */

/* -- Calls ----------------------------------------------------------------------- */

struct range {
	size_t page, n;
	char *at;
	size_t len;
};

static struct range range_at(size_t page, size_t n)
{
	n = page + n > PAGES ? PAGES - page : n;
	return (struct range){ page, n, base + page * PAGE, n * PAGE };
}

static struct range any_range(void)
{
	size_t page = random_below(PAGES);

	return range_at(page, 1 + random_below(random_below(4) ? 16 : PAGES));
}

/* Some bytes, at most `most` of them. */
static struct iovec any_bytes(size_t most)
{
	size_t at = random_below(PAGES * PAGE), len = random_below(most);

	len = at + len > PAGES * PAGE ? 0 : len;
	return (struct iovec){ base + at, len };
}

static int any_prot(void)
{
	static const int prots[] = { RW,        RW,        RW,
				     PROT_READ, PROT_NONE, RW | PROT_EXEC };

	return prots[random_below(6)];
}

static void said(const char *call, const struct range *range, long result)
{
	int error = result == -1 ? errno : 0;

	printf("%s %zu+%zu: %ld %d\n", call, range->page, range->n, result,
	       error);
}

static long place_of(const void *at)
{
	return at == MAP_FAILED ? -1 : (const char *)at - base;
}

static void map_anonymous(void)
{
	struct range range = any_range();
	int flags = random_below(3) ? MAP_PRIVATE : MAP_SHARED;

	flags |= MAP_ANONYMOUS | MAP_FIXED;
	flags |= random_below(8) ? 0 : MAP_POPULATE;
	said("anonymous", &range,
	     place_of(mmap(range.at, range.len, any_prot(), flags, -1, 0)));
}

static void map_file(void)
{
	struct range range = any_range();
	int flags = random_below(2) ? MAP_PRIVATE : MAP_SHARED;
	int fd = fds[random_below(FILES)];
	off_t offset = (off_t)(random_below(FILE_PAGES) * PAGE);

	said("file", &range,
	     place_of(mmap(range.at, range.len, any_prot(), flags | MAP_FIXED,
			   fd, offset)));
}

static void protect(void)
{
	struct range range = any_range();

	said("protect", &range, mprotect(range.at, range.len, any_prot()));
}

/* Of one mapping: what a failing one leaves is not the same on all kernels. */
static void remap(void)
{
	struct range from = range_at(random_below(PAGES), 1 + random_below(60));
	struct range to = range_at(random_below(PAGES), from.n);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	int shared = random_below(2) ? MAP_SHARED : MAP_PRIVATE;
	unsigned char value = (unsigned char)random_below(256);

	to.len = to.n * PAGE;
	mmap(from.at, from.len, RW, shared | MAP_FIXED,
	     fds[random_below(FILES)], 0);
	for (size_t i = 0; i < from.n; i += 1 + random_below(9))
		touch(from.at + i * PAGE, &value, 1);
	if (from.page + from.n > to.page && to.page + to.n > from.page) {
		said("no remap", &from, 0);
		return;
	}
	said("remap", &from,
	     place_of(mremap(from.at, from.len, to.len, flags, to.at)));
	mmap(from.at, from.len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	     0);
}

static void advise(void)
{
	static const int advices[] = {
		MADV_DONTNEED,      MADV_DONTNEED,   MADV_WILLNEED,
		MADV_SEQUENTIAL,    MADV_RANDOM,     MADV_NORMAL,
		MADV_POPULATE_READ, MADV_HUGEPAGE,   MADV_NOHUGEPAGE,
		MADV_COLD,          MADV_PAGEOUT,    MADV_DONTFORK,
		MADV_DOFORK,        MADV_WIPEONFORK, MADV_KEEPONFORK,
	};
	struct range range = any_range();
	size_t i = random_below(sizeof(advices) / sizeof(advices[0]));

	printf("%d ", advices[i]);
	said("advice", &range, madvise(range.at, range.len, advices[i]));
}

static void sync_range(void)
{
	struct range range = any_range();

	said("sync", &range, msync(range.at, range.len, MS_SYNC));
}

static void transfer(void)
{
	struct iovec parts[8];
	int n = 1 + (int)random_below(8), fd = fds[random_below(FILES)];
	off_t offset = (off_t)random_below(FILE_PAGES * PAGE);
	int out = random_below(2) != 0;
	struct range none = { 0 };

	for (int i = 0; i < n; i++)
		parts[i] = any_bytes(12 * PAGE);
	said(out ? "pwritev" : "preadv", &none,
	     out ? pwritev(fd, parts, n, offset)
		 : preadv(fd, parts, n, offset));
}

static void through_a_pipe(void)
{
	struct iovec from = any_bytes(60000), to = any_bytes(60000);
	struct range none = { 0 };
	int ends[2];

	if (pipe(ends))
		abort();
	said("write", &none, write(ends[1], from.iov_base, from.iov_len));
	close(ends[1]);
	said("read", &none, read(ends[0], to.iov_base, to.iov_len));
	close(ends[0]);
}

static void touch_some(void)
{
	size_t n = 1 + random_below(40), step = 1 + random_below(9);
	size_t page = random_below(PAGES), kind = random_below(3);
	uint64_t sum = 1;

	for (size_t i = 0; i < n && page < PAGES; i++, page += step) {
		char *at = base + page * PAGE + random_below(PAGE);
		unsigned char value = (unsigned char)random_below(256), read;
		int raised = touch(at, &value, kind != 0);

		if (kind == 2 && !raised && !touch(at, &read, 0) &&
		    read != value)
			printf("lost: %zu\n", page);
		sum = mix(sum, raised ? (uint64_t)raised : value);
	}
	printf("touched %jx\n", (uintmax_t)sum);
}

static void call_some(size_t count);

static void fork_one(void)
{
	pid_t child;
	int status;

	if (depth || random_below(3)) {
		touch_some();
		return;
	}
	fflush(stdout);
	child = fork();
	if (!child) {
		depth++;
		state ^= UINT64_C(0x12345678abcdef);
		call_some(random_below(30));
		print_pages("child");
		fflush(stdout);
		_exit((int)random_below(100));
	}
	waitpid(child, &status, 0);
	printf("status %x\n", (unsigned)status);
}

static void (*const calls[])(void) = {
	map_anonymous, map_file,       map_file,   protect,    remap,
	advise,        advise,         sync_range, transfer,   transfer,
	touch_some,    through_a_pipe, fork_one,   touch_some, touch_some,
	touch_some,    touch_some,
};

static void call_some(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		errno = 0;
		calls[random_below(sizeof(calls) / sizeof(calls[0]))]();
	}
}

static void make_files(void)
{
	static unsigned char bytes[FILE_PAGES * PAGE];
	char name[16];

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		fds[i] = i ? open(name, O_RDWR | O_CREAT | O_TRUNC, 0600)
			   : memfd_create(name, 0);
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (unsigned char)random_below(256);
		if (write(fds[i], bytes, sizeof(bytes) - 1234) < 0)
			abort();
	}
}

static void print_files(void)
{
	unsigned char bytes[4096];

	for (int i = 0; i < FILES; i++) {
		uint64_t sum = 1;
		off_t at = 0;
		ssize_t n;

		while ((n = pread(fds[i], bytes, sizeof(bytes), at)) > 0) {
			for (ssize_t k = 0; k < n; k++)
				sum = mix(sum, bytes[k]);
			at += n;
		}
		printf("file %jd bytes, %jx\n", (intmax_t)at, (uintmax_t)sum);
	}
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_sigaction = on_signal,
				 .sa_flags = SA_SIGINFO };

	if (argc != 3)
		return 2;
	state = (strtoull(argv[1], NULL, 10) + 1) *
		UINT64_C(0x9e3779b97f4a7c15);
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	base = mmap(BASE, PAGES * PAGE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (base == MAP_FAILED)
		return 1;
	make_files();
	call_some(strtoul(argv[2], NULL, 10));
	print_pages("end");
	print_files();
	return 0;
}
