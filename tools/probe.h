/*
 * probe.h -- what this kernel and container permit, each thing tried for real.
 * A probe returns 0 (it works) or -errno. Those that fork need one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PROBE_H
#define LM_PROBE_H

#include <stdint.h>

/* SIGSEGV is raised, a handler gives access, the instruction goes on. */
int lm_probe_fault(void);
/* A file's page under PROT_NONE, revealed with mprotect: the direct way. */
int lm_probe_direct(void);
/* A write through /proc/self/mem to a page without access, and a read. */
int lm_probe_mem(void);
/* UFFDIO_COPY into a registered page. *features: what the kernel offers. */
int lm_probe_uffd(uint64_t *features);
/* A descriptor from the system call; from /dev/userfaultfd. */
int lm_probe_uffd_call(void);
int lm_probe_uffd_device(void);
/* A twin page, moved into place with mremap. */
int lm_probe_mremap(void);
/* madvise with one of the two MADV_POPULATE_. */
int lm_probe_populate(int write);
/* A huge page on first touch of aligned memory, after MADV_HUGEPAGE. */
int lm_probe_huge(void);
/* no_new_privs and a filter that answers a call with SIGSYS (in a child). */
int lm_probe_seccomp(void);
/* A shared object is loaded with all that it needs (in a child). */
int lm_probe_load(const char *path);

/* Of lm_probe_uffd's features. */
#define LM_PROBE_UFFD_WP (1ULL << 0)     /* UFFD_FEATURE_PAGEFAULT_FLAG_WP */
#define LM_PROBE_UFFD_SIGBUS (1ULL << 7) /* UFFD_FEATURE_SIGBUS */
#define LM_PROBE_UFFD_MOVE (1ULL << 16)  /* UFFD_FEATURE_MOVE, 6.8 */

#endif
