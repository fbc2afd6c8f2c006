/*
 * mmapcopy.c -- examples/mmapcopy, which maps a file and writes it out, on the
 * kernel and unchanged under the shim: to a file, and to a pipe.
 *
 * It does not use the library. The time is that of the whole process, from
 * fork to exit (a pipe: to its end). Peers: read(2) and write(2) of 2 MiB at a
 * time, here, without any other program.
 *
 *	mmapcopy
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "file.h"

#define PIECE (2 * BENCH_MIB)

enum { KERNEL, SHIM, COPY };
enum { TO_FILE, TO_PIPE };

static size_t size;
static int file, parent;
static char build[4000];

static void copy(int to)
{
	char *buffer = malloc(PIECE);
	ssize_t n, done, more;

	while ((n = read(file, buffer, PIECE)) > 0)
		for (done = 0; done < n; done += more) {
			more = write(to, buffer + done, (size_t)(n - done));
			if (more < 0)
				_exit(1);
		}
	_exit(n < 0);
}

static void become(const struct bench_way *way, int to)
{
	char program[4200], lazymap[4200], name[64];

	snprintf(program, sizeof(program), "%s/examples/mmapcopy", build);
	snprintf(lazymap, sizeof(lazymap), "%s/lazymap", build);
	/* The file has no other name. */
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", parent, file);
	if (lseek(file, 0, SEEK_SET) < 0 || dup2(to, STDOUT_FILENO) < 0)
		_exit(126);
	if (way->how == COPY)
		copy(STDOUT_FILENO);
	if (way->how == KERNEL)
		execl(program, program, name, (char *)NULL);
	else if (way->text)
		execl(lazymap, lazymap, "run", way->text, "--", program, name,
		      (char *)NULL);
	else
		execl(lazymap, lazymap, "run", "--", program, name,
		      (char *)NULL);
	_exit(127);
}

/* All of a pipe; where it differs from the file, or size. */
static size_t drain(int fd, bool verify, size_t *total)
{
	char *buffer = malloc(PIECE);
	size_t have = 0, good = 0;
	ssize_t n;

	*total = 0;
	while ((n = read(fd, buffer + have, PIECE - have)) > 0) {
		have += (size_t)n;
		if (have == PIECE || !verify) {
			if (verify && file_same(buffer, have, *total) &&
			    good == *total)
				good += have;
			*total += have;
			have = 0;
		}
	}
	*total += have;
	free(buffer);
	return verify ? good : *total;
}

static bool same_file(int fd)
{
	struct stat st;
	void *at;
	bool same;

	if (fstat(fd, &st) < 0 || (size_t)st.st_size != size)
		return false;
	at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	same = at != MAP_FAILED && file_same(at, size, 0);
	munmap(at, size);
	return same;
}

/* Returns whether the bytes are right, as far as they were looked at. */
static bool once(const struct bench_way *way, bool verify, double *seconds,
		 int *status)
{
	size_t good = size, total = size;
	int fds[2] = { -1, -1 };
	bool piped = way->pattern == TO_PIPE, same = true;
	double from;
	pid_t pid;

	if (piped && pipe2(fds, O_CLOEXEC) < 0)
		abort();
	if (!piped)
		fds[1] = file_empty();
	from = bench_now();
	pid = fork();
	if (pid == 0)
		become(way, fds[1]);
	if (piped) {
		close(fds[1]);
		good = drain(fds[0], verify, &total);
		close(fds[0]);
	}
	if (pid < 0 || waitpid(pid, status, 0) < 0)
		abort();
	*seconds = bench_now() - from;
	if (!piped) {
		same = !verify || same_file(fds[1]);
		close(fds[1]);
	}
	return same && good == size && total == size;
}

static void run(const struct bench_way *way, struct bench_result *result)
{
	double seconds = 1;
	int status;
	bool same = once(way, false, &seconds, &status);

	result->value = (double)size / seconds / 1e9;
	/* Looking at what comes through a pipe takes time: another run. */
	if (same && bench_verify)
		same = once(way, true, &seconds, &status);
	if (status)
		bench_wrong(result, "ended with status %#x", status);
	else if (!same)
		bench_wrong(result, "the copy differs");
}

static int cache(char *why, size_t len)
{
	(void)why;
	(void)len;
	file_cache(file);
	return 0;
}

#define WAYS(p)                                                                \
	{ .name = "kernel", .run = run, .how = KERNEL, .pattern = p },         \
		{ .name = "read and write",                                    \
		  .run = run,                                                  \
		  .how = COPY,                                                 \
		  .pattern = p },                                              \
		{ .name = "lazymap", .run = run, .how = SHIM, .pattern = p },  \
		{ .name = "lazymap 64M",                                       \
		  .run = run,                                                  \
		  .how = SHIM,                                                 \
		  .pattern = p,                                                \
		  .text = "--resident=64M" },                                  \
	{                                                                      \
		0                                                              \
	}

static const struct bench_way to_file[] = { WAYS(TO_FILE) };
static const struct bench_way to_pipe[] = { WAYS(TO_PIPE) };

#define LEAST(a, b, t)                                                         \
	{                                                                      \
		a, b, .bound = BENCH_AT_LEAST, .target = t                     \
	}

static const struct bench_row rows[] = {
	{ .name = "mmapcopy to a file",
	  .unit = "GB/s",
	  .rate = true,
	  .ways = to_file,
	  .before = cache,
	  .aims = { LEAST("lazymap", "kernel", 1.5),
		    LEAST("lazymap 64M", "kernel", 1.5) } },
	{ .name = "mmapcopy to a pipe",
	  .unit = "GB/s",
	  .rate = true,
	  .ways = to_pipe,
	  .before = cache,
	  .aims = { LEAST("lazymap", "kernel", 1.5),
		    LEAST("lazymap 64M", "kernel", 1.5) } },
};

int main(void)
{
	ssize_t n = readlink("/proc/self/exe", build, sizeof(build) - 1);

	/* BUILD/bench/mmapcopy */
	if (n < 0)
		return 1;
	build[n] = '\0';
	*strrchr(build, '/') = '\0';
	*strrchr(build, '/') = '\0';
	size = bench_size(1024, 64) * BENCH_MIB;
	file = file_make(size, BENCH_PAGE);
	parent = getpid();
	return bench_run("mmapcopy", rows, sizeof(rows) / sizeof(rows[0]));
}
