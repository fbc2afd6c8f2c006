/*
 * bare.h -- the peers: demand paging by the fewest lines that can do it, with
 * no state of pages, no locks, no statistics, and no care for races or errors.
 * What they cost is what the system costs; the rest is ours.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include "bench.h"

enum bare_way {
	/* A SIGSEGV handler, and the kernel's own mapping behind PROT_NONE: */
	BARE_REVEAL,   /* mprotect; the touch itself has the kernel map it */
	BARE_POPULATE, /* mprotect, MADV_POPULATE_* */
	/* Copying into anonymous memory: */
	BARE_INPLACE, /* mprotect, pread in place */
	BARE_MEM,     /* pread, pwrite to /proc/self/mem, mprotect */
	BARE_HUGE,    /* pread into a 2 MiB frame used again and again, which
		       * mremap moves; needs `keep` */
	/* userfaultfd, pread, UFFDIO_COPY (zeros: UFFDIO_ZEROPAGE): */
	BARE_UFFD_THREAD,
	BARE_UFFD_SIGBUS,
};

struct bare {
	enum bare_way way;
	size_t len;
	int fd; /* -1: zeros, writable */
	size_t cluster;
	size_t keep; /* bytes in memory at most, oldest go; 0: any number */
	int threads; /* that will touch it at once; 0: one */
	char *base;  /* out */
};

/* One in a process. 0, or -1 with errno. */
int bare_map(struct bare *bare);

#endif
