/*
 * start.c -- what a process costs that does nothing: true(1), from posix_spawn to
 * its end, plainly and with the shim as children of `lazymap run` have it.
 *
 *	start
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { KERNEL, SHIM, HERE };

static size_t processes;
static char build[4000];

/* By a relative path nothing that is kept beside the shim is found. */
static void set_environment(const struct bench_way *way)
{
	char shim[4200];

	snprintf(shim, sizeof(shim), "%s/liblazymap-preload.so",
		 way->how == HERE ? "." : build);
	if (chdir(build) < 0 || unsetenv("LD_PRELOAD") < 0 ||
	    (way->how != KERNEL && setenv("LD_PRELOAD", shim, 1) < 0) ||
	    (way->text && setenv(way->text, "0", 1) < 0))
		abort();
}

static void run(const struct bench_way *way, struct bench_result *result)
{
	char name[] = "true", *argv[] = { name, NULL };
	double *us = calloc(processes, sizeof(*us));
	int status;
	pid_t pid;

	if (!us)
		abort();
	set_environment(way);
	for (size_t i = 0; i < processes; i++) {
		double from = bench_now();

		if (posix_spawnp(&pid, name, NULL, NULL, argv, environ) ||
		    waitpid(pid, &status, 0) != pid || status) {
			bench_wrong(result, "true: status %d", status);
			break;
		}
		us[i] = (bench_now() - from) * 1e6;
	}
	result->value = bench_median(us, processes);
	free(us);
}

static const struct bench_way ways[] = {
	{ .name = "kernel", .run = run, .how = KERNEL },
	{ .name = "lazymap", .run = run, .how = SHIM },
	{ .name = "lazymap, nothing kept", .run = run, .how = HERE },
	{ .name = "lazymap, no trap",
	  .run = run,
	  .how = SHIM,
	  .text = "LAZYMAP_SYSCALL_TRAP" },
	{ 0 },
};

static const struct bench_row rows[] = {
	{ .name = "a process that does nothing",
	  .unit = "us",
	  .ways = ways,
	  .aims = { { .of = "lazymap", .to = "kernel", .bound = BENCH_SHOWN },
		    { .of = "lazymap",
		      .to = "lazymap, nothing kept",
		      .bound = BENCH_SHOWN } } },
};

int main(void)
{
	ssize_t n = readlink("/proc/self/exe", build, sizeof(build) - 1);

	/* BUILD/bench/start */
	if (n < 0)
		return 1;
	build[n] = '\0';
	*strrchr(build, '/') = '\0';
	*strrchr(build, '/') = '\0';
	processes = bench_size(400, 20);
	return bench_run("start", rows, 1);
}
