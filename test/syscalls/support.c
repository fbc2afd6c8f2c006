/*
 * support.c -- what the cases have in common: files, sockets and numbers that are known.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

char bytes[BIG];

void fill_bytes(void)
{
	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (char)(i * 13 + i / 4096);
}

/* A file with known bytes, at its start. */
int known_file(void)
{
	int fd = memfd_create("known", 0);

	fill_bytes();
	if (write(fd, bytes, BIG) != (ssize_t)BIG)
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

void note_sum(int fd, long *to)
{
	static char back[BIG];
	uint32_t sum = 1;
	ssize_t n;

	n = pread(fd, back, sizeof(back), 0);
	for (ssize_t i = 0; i < n; i++)
		sum = sum * 31 + (unsigned char)back[i];
	*to = sum;
}

void note_file(int fd)
{
	struct stat st;

	extra[0] = lseek(fd, 0, SEEK_CUR);
	fstat(fd, &st);
	extra[1] = st.st_size;
	note_sum(fd, &extra[2]);
}

char *page_of(char *at)
{
	return (char *)((uintptr_t)at & ~4095UL);
}

const struct timespec moment = { 0, 1000 };

const uint64_t mask_usr1 = 1 << (SIGUSR1 - 1);

const struct itimerspec hour = { .it_value = { 3600, 0 } };

void pipe_3_4(void)
{
	int fds[2];

	if (pipe(fds) < 0 || fds[0] != 3 || fds[1] != 4 ||
	    write(fds[1], "x", 1) != 1)
		abort();
}

void note_output(pid_t pid, int fd)
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

/* Out with what the case itself has just put there, where it goes out. */
void away(char *at)
{
	madvise(page_of(at), 4096, MADV_PAGEOUT);
}

int named(const char *name, int type)
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

void name_of(int fd, struct sockaddr_un *sun)
{
	socklen_t len = sizeof(*sun);

	if (getsockname(fd, (struct sockaddr *)sun, &len) < 0)
		abort();
}

void pair(int type, int fds[2])
{
	if (socketpair(AF_UNIX, type, 0, fds) < 0)
		abort();
}

const int five = 5;

const socklen_t name_len = 110;
