/*
 * caught.h -- an access that may raise a signal, and the signal it raised.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CAUGHT_H
#define CAUGHT_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Install the handlers for SIGSEGV and SIGBUS, by sigaction. */
void caught_install(void);

/* What the last caught_read or caught_write of this thread raised: its
 * siginfo; si_signo is 0 if it raised nothing. */
extern __thread siginfo_t caught;

/* Read or write a word. The signal, or 0. */
int caught_read(const void *at, uint64_t *value);
int caught_write(void *at, uint64_t value);

/* Run `body` in a forked child that leaves no core. Its wait status; the child
 * exits with what body returned. */
int caught_child(int (*body)(void));
/* The same by clone(2), past the C library: no atfork handler is run. */
int caught_clone(int (*body)(void));
/* In such a child that is about to die: leave a core after all, in TESTDIR. */
void caught_dump_here(void);

#endif
