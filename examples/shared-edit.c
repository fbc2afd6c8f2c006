/*
 * shared-edit.c -- edit a file in memory. A MAP_SHARED area is the file: a line
 * that is written into memory is there for a process that reads the file in the
 * ordinary way, and lazymap_sync() has it on the disk. The reader here is a
 * child that opens the file anew and uses read(2).
 *
 *	shared-edit FILE			FILE is made, or overwritten
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lazymap.h>

#define LEN ((size_t)1 << 20)
#define PLACE ((size_t)700000) /* in the middle of a page, far from the start */

static const char line[] = "This line was written by a store instruction.\n";

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* The other process: read the file, compare. Its exit status tells. */
static int reader(const char *path)
{
	char buf[sizeof(line)] = "";
	int fd = open(path, O_RDONLY);

	if (fd == -1)
		fail(path);
	if (lseek(fd, (off_t)PLACE, SEEK_SET) == -1)
		fail("lseek");
	if (read(fd, buf, sizeof(line) - 1) != (ssize_t)sizeof(line) - 1)
		fail("read");
	printf("process %ld reads: %s", (long)getpid(), buf);
	fflush(stdout);
	return strcmp(buf, line) != 0;
}

static int ask_reader(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == -1)
		fail("fork");
	if (pid == 0)
		_exit(reader(path));
	if (waitpid(pid, &status, 0) == -1)
		fail("waitpid");
	return !WIFEXITED(status) || WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	char *text;
	int fd, wrong;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0666);
	if (fd == -1)
		fail(argv[1]);
	if (ftruncate(fd, (off_t)LEN))
		fail("ftruncate");
	text = lazymap_map(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
	if (text == LAZYMAP_FAILED)
		fail("lazymap_map");
	close(fd); /* the area does not need it */

	printf("process %ld writes: %s", (long)getpid(), line);
	fflush(stdout);
	memcpy(text + PLACE, line, sizeof(line) - 1);
	if (lazymap_sync(text, LEN, MS_SYNC))
		fail("lazymap_sync");
	wrong = ask_reader(argv[1]);
	if (lazymap_unmap(text, LEN))
		fail("lazymap_unmap");
	return wrong;
}
