/*
 * probe.h -- what this kernel and container permit, each thing tried for real.
 * The ways of
 * placing bring their own probes (place.h); these are the rest. A probe returns
 * 0 (it works) or -errno. Those that fork need one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PROBE_H
#define LM_PROBE_H

#include <stdint.h>

#include "place/place.h"

/* SIGSEGV is raised, a handler gives access, the instruction goes on. */
int lm_probe_fault(void);
/* A file's page under PROT_NONE, revealed with mprotect: the direct way. */
int lm_probe_direct(void);
/* A descriptor from the system call; from /dev/userfaultfd. */
int lm_probe_uffd_call(void);
int lm_probe_uffd_device(void);
/* What userfaultfd offers: LM_PROBE_UFFD_... and more. */
int lm_probe_uffd_features(uint64_t *features);
/* What placing a page and showing it takes by this way, which its probe has found
 * to work: the median of some, in ns; or -errno. */
long lm_probe_place_ns(const struct lm_place *way);
/* A round of lm_ladder_begin(), where both of its ways are permitted. */
int lm_probe_ladder(void);
/* madvise with one of the two MADV_POPULATE_. */
int lm_probe_populate(int write);
/* A huge page on first touch of aligned memory, after MADV_HUGEPAGE. */
int lm_probe_huge(void);
/* no_new_privs and a filter that answers a call with SIGSYS (in a child). */
int lm_probe_seccomp(void);
/* A shared object is loaded with all that it needs (in a child). */
int lm_probe_load(const char *path);

/* Of lm_probe_uffd_features(). */
#define LM_PROBE_UFFD_WP (1ULL << 0)     /* UFFD_FEATURE_PAGEFAULT_FLAG_WP */
#define LM_PROBE_UFFD_SIGBUS (1ULL << 7) /* UFFD_FEATURE_SIGBUS */
#define LM_PROBE_UFFD_MOVE (1ULL << 16)  /* UFFD_FEATURE_MOVE, 6.8 */

#endif
