/*
 * uring.c -- io_uring's calls, in a way in which programs make them:
 *
 *	uring WAY
 *
 * a way of raw.h, or 6: the C library's syscall(), which it is asked for. Prints
 * what each call gives. 77: this system has no io_uring.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "raw.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static long by_libc(long nr, long a, long b, long c, long d, long e, long f)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW);
	long (*call)(long, ...) = (long (*)(long, ...))dlsym(libc, "syscall");
	long ret = call(nr, a, b, c, d, e, f);

	return ret == -1 ? -errno : ret;
}

static long ask(int by, long nr, long a, long b, long c, long d, long e)
{
	if (by == RAW_WAYS)
		return by_libc(nr, a, b, c, d, e, 0);
	return raw(nr, a, b, c, d, e);
}

static void tell(const char *what, long ret)
{
	printf("%s: %s\n", what, ret < 0 ? strerror((int)-ret) : "done");
}

int main(int argc, char **argv)
{
	/* struct io_uring_params; what a probe is answered in. */
	uint32_t params[30] = { 0 }, probe[64] = { 0 };
	int by = argc > 1 ? atoi(argv[1]) : 0;
	long ring;

	way = (enum raw_way)by;
	ring = ask(by, SYS_io_uring_setup, 4, (long)params, 0, 0, 0);
	tell("setup", ring);
	/* Nothing to submit; IORING_REGISTER_PROBE. */
	tell("enter", ask(by, SYS_io_uring_enter, ring, 0, 0, 0, 0));
	tell("register",
	     ask(by, SYS_io_uring_register, ring, 8, (long)probe, 8, 0));
	return 0;
}
