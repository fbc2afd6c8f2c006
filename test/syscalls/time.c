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
#include <signal.h>
#include <sys/timex.h>

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

/* A signal comes during the call. */
static void on_signal(int sig)
{
	(void)sig;
}

static timer_t signal_soon(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR2 };
	struct itimerspec soon = { .it_value = { 0, 2000000 },
				   .it_interval = { 0, 2000000 } };
	struct sigaction act = { .sa_handler = on_signal };
	timer_t timer;

	sigaction(SIGUSR2, &act, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
		abort();
	timer_settime(timer, 0, &soon, NULL);
	return timer;
}

static long c_nanosleep_left(char *p[PARAMS], bool raw)
{
	timer_t timer = signal_soon();
	long ret = CALL(
		nanosleep((struct timespec *)p[0], (struct timespec *)p[1]),
		SYS_nanosleep, p[0], p[1]);

	timer_delete(timer);
	return ret;
}

static long c_clock_nanosleep(char *p[PARAMS], bool raw)
{
	timer_t timer = signal_soon();
	long ret = CALL(clock_nanosleep(CLOCK_MONOTONIC, 0,
					(struct timespec *)p[0],
					(struct timespec *)p[1]),
			SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, p[0], p[1]);

	timer_delete(timer);
	return ret;
}
static const struct timespec second = { 1, 0 };

/* Nothing is set: of the values one is wrong, which is seen when they were
 * read. */
static const long wrong[4] = { 1, -1, 0, 0 };
static const int wrong_zone[2] = { 100000, 0 };
CASE(clock_settime, clock_settime(CLOCK_REALTIME, (struct timespec *)p[0]),
     SYS_clock_settime, CLOCK_REALTIME, p[0])
CASE(settimeofday, settimeofday((struct timeval *)p[0], NULL), SYS_settimeofday,
     p[0], NULL)
CASE(setzone, settimeofday(NULL, (struct timezone *)p[0]), SYS_settimeofday,
     NULL, p[0])
static long c_getzone(char *p[PARAMS], bool raw)
{
	struct timeval now;

	return CALL(gettimeofday(&now, p[0]), SYS_gettimeofday, &now, p[0]);
}

static const long no_modes[26];
CASE(adjtimex, adjtimex((struct timex *)p[0]), SYS_adjtimex, p[0])
CASE(clock_adjtime, clock_adjtime(CLOCK_REALTIME, (struct timex *)p[0]),
     SYS_clock_adjtime, CLOCK_REALTIME, p[0])
CASE(getitimer, getitimer(ITIMER_VIRTUAL, (struct itimerval *)p[0]),
     SYS_getitimer, ITIMER_VIRTUAL, p[0])

static long c_time(char *p[PARAMS], bool raw)
{
	long ret = CALL(time((time_t *)p[0]), SYS_time, p[0]);

	return ret > 0 ? 1 : ret;
}

static const struct sigevent usr1 = { .sigev_notify = SIGEV_SIGNAL,
				      .sigev_signo = SIGUSR1 };
static long c_timer_create(char *p[PARAMS], bool raw)
{
	return CALL(timer_create(CLOCK_MONOTONIC, (struct sigevent *)p[0],
				 (timer_t *)p[1]),
		    SYS_timer_create, CLOCK_MONOTONIC, p[0], p[1]);
}

static long c_timer_gettime(char *p[PARAMS], bool raw)
{
	timer_t timer;
	long ret;

	if (timer_create(CLOCK_MONOTONIC, NULL, &timer) < 0)
		abort();
	ret = CALL(timer_gettime(timer, (struct itimerspec *)p[0]),
		   SYS_timer_gettime, (intptr_t)timer, p[0]);
	timer_delete(timer);
	return ret;
}

/* clang-format off */
const struct test time_tests[] = {
	T(clock_gettime, TIME(16)),
	T(clock_getres, OUT(16)),
	T(gettimeofday, TIME(16)),
	T(nanosleep, STRUCT(moment), OUT(16)),
	T(timer, STRUCT(hour), OUT(sizeof(hour))),
	T(setitimer, STRUCT(hour), OUT(32)),
	T(nanosleep_left, STRUCT(second), TIME(16)),
	T(clock_nanosleep, STRUCT(second), TIME(16)),
	T(clock_settime, STRUCT(wrong)), T(settimeofday, STRUCT(wrong)),
	T(setzone, STRUCT(wrong_zone)), T(getzone, OUT(8)),
	T(adjtimex, { 208, no_modes, CHANGED }), T(clock_adjtime, { 208, no_modes, CHANGED }),
	T(getitimer, OUT(32)), T(time, TIME(8)),
	T(timer_create, STRUCT(usr1), TIME(8)), T(timer_gettime, OUT(32)),
	END_OF_TESTS,
};
/* clang-format on */
