/*
 * memory.c -- mmap and its family, interposed.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"

#include "../area.h"
#include "../os.h"
#include "../os_linux.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/uio.h>

static long result(long ret)
{
	if (ret < 0 && ret >= -4095) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

/* Short mappings are not worth a trap, unless they lie over lazy ones. */
static int wants(void *start, size_t len, int flags)
{
	if (lm_shim_off())
		return 0;
	if (len >= lm_shim_min_size())
		return 1;
	return flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) &&
	       lm_access_lazy((uintptr_t)start, len);
}

LM_EXPORT void *mmap(void *start, size_t len, int prot, int flags, int fd,
		     off_t offset)
{
	if (!wants(start, len, flags))
		return (void *)result((long)lm_os_mmap(
			(uintptr_t)start, len, prot, flags, fd, offset));
	return lazymap_map(start, len, prot, flags, fd, offset);
}

LM_EXPORT void *mmap64(void *start, size_t len, int prot, int flags, int fd,
		       off64_t offset)
{
	return mmap(start, len, prot, flags, fd, offset);
}

LM_EXPORT int munmap(void *start, size_t len)
{
	return lazymap_unmap(start, len);
}

LM_EXPORT int mprotect(void *start, size_t len, int prot)
{
	return lazymap_protect(start, len, prot);
}

LM_EXPORT int msync(void *start, size_t len, int flags)
{
	return lazymap_sync(start, len, flags);
}

LM_EXPORT int madvise(void *start, size_t len, int advice)
{
	return lazymap_advise(start, len, advice);
}

/* Returns the error, and ignores POSIX_MADV_DONTNEED, as glibc does: the
 * advice must not lose what was written. */
LM_EXPORT int posix_madvise(void *start, size_t len, int advice)
{
	int saved = errno, ret = 0;

	if (advice == POSIX_MADV_DONTNEED)
		return 0;
	if (lazymap_advise(start, len, advice) < 0)
		ret = errno;
	errno = saved;
	return ret;
}

LM_EXPORT void *mremap(void *start, size_t old_len, size_t new_len, int flags,
		       ...)
{
	void *new_start = NULL;
	va_list args;

	if (flags & (MREMAP_FIXED | 4 /* MREMAP_DONTUNMAP */)) {
		va_start(args, flags);
		new_start = va_arg(args, void *);
		va_end(args);
	}
	return lazymap_remap(start, old_len, new_len, flags, new_start);
}

LM_EXPORT int mincore(void *start, size_t len, unsigned char *vec)
{
	return lazymap_resident(start, len, vec);
}

LM_EXPORT int mlock(const void *start, size_t len)
{
	return lazymap_lock(start, len, 0);
}

LM_EXPORT int mlock2(const void *start, size_t len, unsigned flags)
{
	if (!flags)
		return lazymap_lock(start, len, 0);
	return lazymap_lock(start, len, (int)flags);
}

LM_EXPORT int munlock(const void *start, size_t len)
{
	return lazymap_unlock(start, len);
}

LM_EXPORT int mlockall(int flags)
{
	return lazymap_lock_all(flags);
}

LM_EXPORT int munlockall(void)
{
	return lazymap_unlock_all();
}

/* -- Rarer ones ---------------------------------------------------------------- */

LM_EXPORT int remap_file_pages(void *start, size_t len, int prot, size_t page,
			       int flags)
{
	return (int)result(lm_call(SYS_remap_file_pages,
				   LM_LONGS(start, len, prot, page, flags)));
}

LM_EXPORT int pkey_mprotect(void *start, size_t len, int prot, int key)
{
	return (int)result(
		lm_call(SYS_pkey_mprotect, LM_LONGS(start, len, prot, key)));
}

LM_EXPORT ssize_t process_madvise(int pidfd, const struct iovec *iov,
				  size_t count, int advice, unsigned flags)
{
	return result(lm_call(SYS_process_madvise,
			      LM_LONGS(pidfd, iov, count, advice, flags)));
}

LM_EXPORT void *shmat(int id, const void *at, int flags)
{
	return (void *)result(lm_call(SYS_shmat, LM_LONGS(id, at, flags)));
}
