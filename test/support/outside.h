/*
 * outside.h -- what the kernel says of this process, past lazymap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef OUTSIDE_H
#define OUTSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An entry of a pagemap: is there a frame, in memory or in the kernel's swap? A
 * guard marker looks like the latter, but for its bit (Linux 6.15). */
static inline bool outside_frame(uint64_t entry)
{
	return entry >> 62 && !(entry >> 58 & 1);
}

/* Is there memory (or swap) behind this page? From /proc/self/pagemap, so
 * without touching it. */
bool outside_present(const void *page);
/* How many of these pages are there. */
size_t outside_count(const void *start, size_t len);

/* A field of /proc/self/status in KiB, such as "VmRSS". */
size_t outside_status(const char *field);
/* Kernel VM areas of this process. */
size_t outside_vm_areas(void);
/* Open descriptors of this process. */
size_t outside_descriptors(void);

#endif
