/*
 * program.h -- what every test program does: its seed, its scale, its end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

/* LAZYMAP_SEED, else one of its own; printed once. */
uint64_t program_seed(void);

/* The next number of a sequence; the state must not be 0. */
static inline __attribute__((always_inline)) uint64_t
program_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Is this the build with this sanitizer ("thread", "address"; "": any)? */
bool program_sanitized(const char *by);
/* n, or less where a sanitizer makes everything slower; at least 1. */
unsigned program_scaled(unsigned n);
/* Of a function that only makes or compares the bytes of pages: looked on at
 * each, it takes twenty times as long, and nothing of lazymap is seen. */
#define PROGRAM_UNWATCHED __attribute__((no_sanitize("thread", "address")))

/* Is the trap one that tells reading from writing? */
bool program_trap_knows(void);

/* Run the tests of the suite; main's return value. */
int program_run(Suite *suite);

#endif
