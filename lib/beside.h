/*
 * beside.h -- the pager beside streams: is there a processor for it, and which.
 *
 * What follows a stream is of use on a processor that the stream does not run
 * on. The kernel wakes a thread where who wakes it runs unless it sees that
 * another processor is idle, and an idle one of a virtual machine that has
 * given it back looks taken (Linux 6.18, vcpu_is_preempted()): both then take
 * turns on one, for as long as the stream lasts. And threads with streams of
 * their own on all processors make room for themselves as fast as the pager
 * could, without changing between threads.
 *
 * Hints: nothing depends on them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_BESIDE_H
#define LM_BESIDE_H

#include <stdbool.h>

/* The pager starts. */
void lm_beside_start(void);

/* A fault of the thread that `who` stands for goes on a stream. True: there is
 * a processor left for the pager. Async-signal-safe. */
bool lm_beside_stream(const void *who);

/* In the pager: not on the processor where the last of these faults was; and
 * wherever it may run. */
void lm_beside_away(void);
void lm_beside_anywhere(void);

#endif
