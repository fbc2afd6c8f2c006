/*
 * own_memory.c -- /proc/self/mem is the program's memory, wherever that is: read
 * and written at a position, in order, by vectors and by a stream.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "expect.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define PAGES ((size_t)640)
#define EACH for (size_t i = 0; i < PAGES; i++)

static unsigned char *memory;
static int fd;

/* What page i has, which no page of zeros is. */
static unsigned char byte(size_t i, int round)
{
	return (unsigned char)(1 + (i * 7 + (size_t)round) % 250);
}

static void fill(int round)
{
	EACH memset(memory + i * PAGE, byte(i, round), PAGE);
}

static off_t place(size_t i)
{
	return (off_t)(uintptr_t)(memory + i * PAGE);
}

static bool all(const unsigned char *at, size_t len, unsigned char want)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != want)
			return false;
	return true;
}

/* -- Reading ---------------------------------------------------------------- */

static unsigned char buf[PAGE];

static ssize_t by_pread(size_t i)
{
	return pread(fd, buf, PAGE, place(i));
}

static ssize_t by_read(size_t i)
{
	return lseek(fd, place(i), SEEK_SET) < 0 ? -1 : read(fd, buf, PAGE);
}

static ssize_t by_readv(size_t i)
{
	struct iovec iov[2] = { { buf, 100 }, { buf + 100, PAGE - 100 } };

	return lseek64(fd, place(i), SEEK_SET) < 0 ? -1 : readv(fd, iov, 2);
}

static ssize_t by_preadv2(size_t i)
{
	struct iovec iov[2] = { { buf, 100 }, { buf + 100, PAGE - 100 } };

	return preadv2(fd, iov, 2, place(i), 0);
}

static ssize_t by_number(size_t i)
{
	return syscall(SYS_lseek, fd, place(i), SEEK_SET) < 0
		       ? -1
		       : syscall(SYS_read, fd, buf, PAGE);
}

/* Over the border of two pages. */
static ssize_t by_halves(size_t i)
{
	size_t n = i + 1 < PAGES ? PAGE / 2 : 0;
	ssize_t ret = pread(fd, buf, PAGE, place(i) + (off_t)n);

	if (n && !all(buf + n, n, buf[n]))
		return -1;
	memset(buf + n, buf[0], PAGE - n);
	return ret;
}

static FILE *stream;

static ssize_t by_stream(size_t i)
{
	return fseek(stream, place(i), SEEK_SET) < 0
		       ? -1
		       : (ssize_t)fread(buf, 1, PAGE, stream);
}

static void reads(const char *what, ssize_t (*by)(size_t), int round)
{
	size_t failed = 0, wrong = 0;

	fill(round);
	EACH
	{
		memset(buf, 0, PAGE);
		if (by(i) != (ssize_t)PAGE)
			failed++;
		else if (!all(buf, PAGE, byte(i, round)))
			wrong++;
	}
	if (failed || wrong) {
		printf("FAILED: %s: %zu refused, %zu wrong of %zu pages\n",
		       what, failed, wrong, PAGES);
		failures++;
	}
}

/* -- Writing ---------------------------------------------------------------- */

static ssize_t to_pwrite(size_t i)
{
	return pwrite(fd, buf, PAGE, place(i));
}

static ssize_t to_write(size_t i)
{
	return lseek(fd, place(i), SEEK_SET) < 0 ? -1 : write(fd, buf, PAGE);
}

static ssize_t to_pwritev(size_t i)
{
	struct iovec iov[2] = { { buf, 100 }, { buf + 100, PAGE - 100 } };

	return pwritev(fd, iov, 2, place(i));
}

static void writes(const char *what, ssize_t (*to)(size_t), int round)
{
	size_t failed = 0, wrong = 0;

	EACH
	{
		memset(buf, byte(i, round), PAGE);
		if (to(i) != (ssize_t)PAGE)
			failed++;
	}
	EACH if (!all(memory + i * PAGE, PAGE, byte(i, round))) wrong++;
	if (failed || wrong) {
		printf("FAILED: %s: %zu refused, %zu lost of %zu pages\n", what,
		       failed, wrong, PAGES);
		failures++;
	}
}

/* Memory that may only be read is written all the same, and stays so. */
static void over_protection(void)
{
	size_t wrong = 0;

	fill(40);
	EXPECT(mprotect(memory, 64 * PAGE, PROT_READ) == 0);
	for (size_t i = 0; i < 64; i += 2) {
		memset(buf, byte(i, 41), PAGE);
		EXPECT(to_pwrite(i) == (ssize_t)PAGE);
	}
	for (size_t i = 64; i < PAGES; i++)
		memory[i * PAGE] = 1;
	for (size_t i = 0; i < 64; i++)
		wrong += !all(memory + i * PAGE, PAGE, byte(i, 40 + !(i % 2)));
	EXPECT(wrong == 0);
	EXPECT(mprotect(memory, 64 * PAGE, PROT_READ | PROT_WRITE) == 0);
}

/* More at once than there may be in memory. */
static void at_once(void)
{
	unsigned char *copy = malloc(PAGES * PAGE);
	size_t wrong = 0;

	fill(50);
	EXPECT(pread(fd, copy, PAGES * PAGE, place(0)) ==
	       (ssize_t)(PAGES * PAGE));
	EACH wrong += !all(copy + i * PAGE, PAGE, byte(i, 50));
	EXPECT(wrong == 0);
	free(copy);
}

/* A child's descriptor of its parent's is not its own. */
static void in_child(void)
{
	int status = -1;
	pid_t child;

	fill(60);
	child = fork();
	if (child == 0) {
		close(fd);
		fd = open("/proc/self/mem", O_RDWR);
		reads("pread in a child", by_pread, 61);
		writes("pwrite in a child", to_pwrite, 62);
		fflush(stdout);
		_exit(failures != 0);
	}
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
	reads("read after a child", by_read, 63);
}

int main(void)
{
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fd = open("/proc/self/mem", O_RDWR);
	stream = fopen("/proc/self/mem", "r");
	if (memory == MAP_FAILED || fd < 0 || !stream)
		return 1;
	setvbuf(stream, NULL, _IONBF, 0);
	reads("pread", by_pread, 1);
	reads("preadv2", by_preadv2, 2);
	reads("pread of halves", by_halves, 3);
	writes("pwrite", to_pwrite, 4);
	writes("pwritev", to_pwritev, 5);
	reads("a stream", by_stream, 6);
	reads("read", by_read, 7);
	reads("readv", by_readv, 8);
	reads("read by number", by_number, 9);
	writes("write", to_write, 10);
	over_protection();
	at_once();
	in_child();
	if (!failures)
		puts("the memory is its own");
	return failures != 0;
}
