/*
 * time.c -- clocks and timers.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long c_clock_gettime(char *p[PARAMS], bool raw)
{
	return CALL(clock_gettime(CLOCK_MONOTONIC, (struct timespec *)p[0]),
		    SYS_clock_gettime, CLOCK_MONOTONIC, p[0]);
}

static long c_clock_getres(char *p[PARAMS], bool raw)
{
	return CALL(
		clock_getres(CLOCK_PROCESS_CPUTIME_ID, (struct timespec *)p[0]),
		SYS_clock_getres, CLOCK_PROCESS_CPUTIME_ID, p[0]);
}

static long c_gettimeofday(char *p[PARAMS], bool raw)
{
	return CALL(gettimeofday((struct timeval *)p[0], NULL),
		    SYS_gettimeofday, p[0], NULL);
}

static long c_nanosleep(char *p[PARAMS], bool raw)
{
	return CALL(nanosleep((struct timespec *)p[0], (struct timespec *)p[1]),
		    SYS_nanosleep, p[0], p[1]);
}

static long c_timer(char *p[PARAMS], bool raw)
{
	timer_t timer;
	long ret;

	if (timer_create(CLOCK_MONOTONIC, NULL, &timer) < 0)
		abort();
	ret = CALL(timer_settime(timer, 0, (struct itimerspec *)p[0],
				 (struct itimerspec *)p[1]),
		   SYS_timer_settime, (long)(intptr_t)timer, 0, p[0], p[1]);
	timer_delete(timer);
	return ret;
}

static long c_setitimer(char *p[PARAMS], bool raw)
{
	const struct itimerval off = { 0 };

	setitimer(ITIMER_PROF, &off, NULL);
	return CALL(setitimer(ITIMER_PROF, (struct itimerval *)p[0],
			      (struct itimerval *)p[1]),
		    SYS_setitimer, ITIMER_PROF, p[0], p[1]);
}

/* clang-format off */
const struct test time_tests[] = {
	T(clock_gettime, TIME(16)),
	T(clock_getres, OUT(16)),
	T(gettimeofday, TIME(16)),
	T(nanosleep, STRUCT(moment), OUT(16)),
	T(timer, STRUCT(hour), OUT(sizeof(hour))),
	T(setitimer, STRUCT(hour), OUT(32)),
	END_OF_TESTS,
};
/* clang-format on */
