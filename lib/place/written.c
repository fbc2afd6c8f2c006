/*
 * written.c -- what /proc/self/pagemap tells: which of the pages that were placed
 * write-protected were written since, which of a private mapping of a file are the
 * file's, and what has a guard marker.
 *
 * The bit (57: "pte is uffd-wp write-protected", 5.13) is set by placing and
 * taken away by the first write, by fork in the child, by mremap (6.13), and by
 * the end of the userfaultfd. So what has it is as it was placed, and what lost it
 * may be.
 *
 * The descriptor is bound to the memory of the process that opened it: fd.h sees
 * to it that a child opens its own, and that what the program put in its place is
 * not read.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "place/place.h"

#include <errno.h>

#include "fd.h"
#include "os_linux.h"
#include "os.h"
#include "syscall/raw.h"

#define UNWRITTEN ((uint64_t)1 << 57)
/* Bit 62: swapped, which is what a marker looks like. */
#define SWAPPED ((uint64_t)1 << 62)
/* Bit 61: of a file, or shared; in a private mapping: not written. Bit 63: there. */
#define OF_FILE ((uint64_t)1 << 61)
#define PRESENT ((uint64_t)1 << 63)
#define PAGES_MAX 64

static int pagemap_open(void)
{
	return (int)lm_sys(SYS_openat, AT_FDCWD, "/proc/self/pagemap",
			   O_RDONLY | O_CLOEXEC);
}

static struct lm_fd pagemap_fd = { .open = pagemap_open, .check = 1 };

/* How many were read, at most PAGES_MAX; 0: none can be. */
static size_t read_entries(uintptr_t at, size_t n, uint64_t entry[PAGES_MAX])
{
	size_t size = lm_min(n, PAGES_MAX) * sizeof(entry[0]);
	int fd = lm_fd_get(&pagemap_fd);

	if (fd < 0 ||
	    lm_sys(SYS_pread64, fd, entry, size,
		   (at >> LM_PAGE_SHIFT) * sizeof(entry[0])) != (long)size)
		return 0;
	return size / sizeof(entry[0]);
}

uint64_t lm_place_unwritten(uintptr_t at, size_t n)
{
	uint64_t entry[PAGES_MAX], which = 0;

	n = read_entries(at, n, entry);
	for (size_t i = 0; i < n; i++)
		which |= (uint64_t) !!(entry[i] & UNWRITTEN) << i;
	return which;
}

uint64_t lm_place_of_file(uintptr_t at, size_t n)
{
	uint64_t entry[PAGES_MAX], which = 0;

	n = read_entries(at, n, entry);
	for (size_t i = 0; i < n; i++) {
		bool own = entry[i] & SWAPPED ||
			   (entry[i] & PRESENT && !(entry[i] & OF_FILE));

		which |= (uint64_t)!own << i;
	}
	return which;
}

bool lm_place_present(uintptr_t at)
{
	uint64_t entry[PAGES_MAX];

	return read_entries(at, 1, entry) && entry[0] & PRESENT;
}

bool lm_place_marked(uintptr_t at, size_t n)
{
	uint64_t entry[PAGES_MAX];

	n = read_entries(at, n, entry);
	for (size_t i = 0; i < n; i++)
		if (entry[i] & SWAPPED)
			return true;
	return !n;
}

int lm_place_unwritten_begin(void)
{
	return lm_fd_begin(&pagemap_fd);
}

void lm_place_unwritten_drop(void)
{
	lm_fd_drop(&pagemap_fd);
}

void lm_place_unwritten_open(void)
{
	lm_fd_get(&pagemap_fd);
}

void lm_place_unwritten_forked(void)
{
	lm_fd_forked(&pagemap_fd);
}
