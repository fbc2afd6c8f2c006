/*
 * program.c -- see program.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "program.h"

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

int program_run(Suite *suite)
{
	SRunner *runner;
	int failures;

	program_seed();
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures != 0;
}
