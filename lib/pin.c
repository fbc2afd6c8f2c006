/*
 * pin.c -- lazy memory that the kernel, or a device, is going to use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "change.h"
#include "fault.h"
#include "os_linux.h"
#include "start.h"
#include "syscall/access.h"

#include <string.h>

bool lm_access_lazy(uintptr_t start, size_t len)
{
	uintptr_t end = start + len;

	if (!len)
		return false;
	return lm_area_overlaps(start, end < start ? UINTPTR_MAX : end);
}

size_t lm_access_pin(uintptr_t start, size_t len, int write)
{
	uintptr_t reached;
	int error;

	if (start + len < start)
		len = -start;
	reached = lm_fault_range(start, start + len, write ? LM_WRITE : LM_READ,
				 true, &error);
	return reached > start ? reached - start : 0;
}

size_t lm_access_keep(uintptr_t start, size_t len, int write)
{
	size_t kept = lm_access_pin(start, len, write);

	lm_page_keep(start, start + kept);
	return kept;
}

void lm_access_unpin(uintptr_t start, size_t len)
{
	if (len)
		lm_fault_unpin(start, start + len);
}

size_t lm_access_strnlen(const char *start, size_t max)
{
	/* The touch itself brings the pages in: this is not the kernel. */
	return strnlen(start, max);
}

int lazymap_pin(const void *start, size_t len, int access)
{
	uintptr_t first = (uintptr_t)start, reached;
	int error;

	if (access != LAZYMAP_READ && access != LAZYMAP_WRITE)
		return lm_return(-EINVAL);
	if (first + len < first)
		return lm_return(-EFAULT);
	reached = lm_fault_range(first, first + len,
				 access == LAZYMAP_WRITE ? LM_WRITE : LM_READ,
				 true, &error);
	if (!error) {
		lm_page_keep(first, first + len);
		return 0;
	}
	if (reached > first)
		lm_fault_unpin(first, reached);
	return lm_return(error);
}

int lazymap_unpin(const void *start, size_t len)
{
	uintptr_t first = (uintptr_t)start;

	if (first + len < first)
		return lm_return(-EFAULT);
	if (len)
		lm_fault_unpin(first, first + len);
	return 0;
}
