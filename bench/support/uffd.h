/*
 * uffd.h -- userfaultfd, as far as the peers need it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_UFFD_H
#define BENCH_UFFD_H

#include <stdbool.h>
#include <stddef.h>

/* Register memory; `sigbus`: faults are signals, else they are read by a
 * thread that calls serve(). 0, or -1 with errno. */
int uffd_start(void *base, size_t len, bool sigbus, void (*serve)(void *addr));
/* Abort where they fail, but not if the page is there already. */
void uffd_copy(void *to, const void *from, size_t len);
void uffd_zero(void *at, size_t len);

#endif
