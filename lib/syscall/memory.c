/*
 * memory.c -- system calls about memory itself, on lazy areas: they are
 * lazymap's to do, or its areas and the kernel's mappings part company.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "pins.h"

#include "../area.h"
#include "../lazymap.h"
#include "../os.h"
#include "../os_linux.h"

static long of(int ret)
{
	return ret < 0 ? -errno : 0;
}

static bool lazy(const long args[6])
{
	uintptr_t start = (uintptr_t)args[0];

	return start + (size_t)args[1] > start &&
	       lm_area_overlaps(start, start + (size_t)args[1]);
}

static long map(const long args[6])
{
	void *at = lazymap_map((void *)args[0], (size_t)args[1], (int)args[2],
			       (int)args[3], (int)args[4], args[5]);

	return at == LAZYMAP_FAILED ? -errno : (long)at;
}

static long remap(const long args[6])
{
	void *at =
		lazymap_remap((void *)args[0], (size_t)args[1], (size_t)args[2],
			      (int)args[3], (void *)args[4]);

	return at == LAZYMAP_FAILED ? -errno : (long)at;
}

static long call(long nr, const long args[6])
{
	void *start = (void *)args[0];
	size_t len = (size_t)args[1];

	switch (nr) {
	case SYS_mmap:
		return map(args);
	case SYS_munmap:
		return of(lazymap_unmap(start, len));
	case SYS_mprotect:
		return of(lazymap_protect(start, len, (int)args[2]));
	case SYS_msync:
		return of(lazymap_sync(start, len, (int)args[2]));
	case SYS_madvise:
		return of(lazymap_advise(start, len, (int)args[2]));
	case SYS_mremap:
		return remap(args);
	case SYS_mincore:
		return of(
			lazymap_resident(start, len, (unsigned char *)args[2]));
	case SYS_mlock:
		return of(lazymap_lock(start, len, 0));
	case SYS_mlock2:
		return of(lazymap_lock(start, len, (int)args[2]));
	case SYS_munlock:
		return of(lazymap_unlock(start, len));
	}
	return -ENOSYS;
}

bool lm_memory_call(long nr, const long args[6], long *result)
{
	int saved = errno;

	switch (nr) {
	case SYS_mmap:
		if (!((int)args[3] & MAP_FIXED))
			return false;
		break;
	case SYS_mremap:
		if ((int)args[3] & MREMAP_FIXED) {
			const long to[6] = { args[4], args[2] };

			if (lazy(to))
				goto ours;
		}
		break;
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_msync:
	case SYS_madvise:
	case SYS_mincore:
	case SYS_mlock:
	case SYS_mlock2:
	case SYS_munlock:
		break;
	default:
		return false;
	}
	if (!lazy(args))
		return false;
ours:
	*result = call(nr, args);
	errno = saved;
	return true;
}
