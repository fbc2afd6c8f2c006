/*
 * program.c -- see program.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "program.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t program_seed(void)
{
	static uint64_t seed;
	const char *text = getenv("LAZYMAP_SEED");

	if (seed)
		return seed;
	seed = text ? strtoull(text, NULL, 0)
		    : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
	seed = seed ? seed : 1;
	printf("LAZYMAP_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

bool program_sanitized(const char *by)
{
	const char *text = getenv("SANITIZE");

	return text && *text && strstr(text, by);
}

unsigned program_scaled(unsigned n)
{
	unsigned by = program_sanitized("thread")    ? 16
		      : program_sanitized("address") ? 4
						     : 1;

	return n / by ? n / by : 1;
}

bool program_trap_knows(void)
{
	const char *trap = getenv("LAZYMAP_TRAP");

	return !trap || !*trap || !strcmp(trap, "native");
}

/* Does this thread of the process run, or could it, at this moment? */
static int runs(const char *tid)
{
	char path[64], stat[512] = "", *state;
	int fd, got;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* it has ended */
	got = (int)read(fd, stat, sizeof(stat) - 1);
	close(fd);
	state = got > 0 ? strrchr(stat, ')') : NULL;
	return state && state[1] && state[2] == 'R';
}

static int others_run(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	int found = 0;

	while (tasks && (task = readdir(tasks)) != NULL)
		if (task->d_name[0] != '.' && atoi(task->d_name) != gettid() &&
		    runs(task->d_name))
			found = 1;
	if (tasks)
		closedir(tasks);
	return found;
}

/*
 * The sanitizers (gcc 12) do not hold their allocators' locks over a fork.
 * AddressSanitizer takes them while a thread starts, after pthread_create has
 * returned in the thread's creator; ThreadSanitizer in any atomic operation (it
 * allocates a block of a clock): a child born in that moment hangs at its own.
 * Let other threads come to rest, but not wait for those whose work it is to
 * run.
 */
static void settle(void)
{
	for (int naps = 0, rest = 0; naps < 100 && rest < 2; naps++) {
		rest = others_run() ? 0 : rest + 1;
		usleep(1000);
	}
}

int program_run(Suite *suite)
{
	SRunner *runner;
	int failures;

	program_seed();
	if (program_sanitized(""))
		pthread_atfork(settle, NULL, NULL);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures != 0;
}
