/*
 * library.c -- calls of the table that the library has no name for: what a
 * program that uses the library writes in their place.
 *
 * SPDX-License-Identifier: MIT
 */
#define SEM_NO_MACROS
#include "semantics.h"

void *hand_over(void *mem, size_t len)
{
#ifdef SEM_LIBRARY
	need(lazymap_pin(mem, len, LAZYMAP_READ) == 0);
#else
	(void)len;
#endif
	return mem;
}

#ifdef SEM_LIBRARY
/* glibc's: the error is returned, and DONTNEED must not lose what was
 * written. */
int sem_posix_madvise(void *start, size_t len, int advice)
{
	int saved = errno, error;

	if (advice == POSIX_MADV_DONTNEED)
		return 0;
	error = lazymap_advise(start, len, advice) < 0 ? errno : 0;
	errno = saved;
	return error;
}

/* What the kernel is handed is pinned; what cannot be, it will refuse. */
#define PINNED(buf, len, access, call)                                         \
	do {                                                                   \
		bool pinned_ = lazymap_pin(buf, len, access) == 0;             \
		ssize_t n_ = call;                                             \
		int saved_ = errno;                                            \
                                                                               \
		if (pinned_)                                                   \
			lazymap_unpin(buf, len);                               \
		errno = saved_;                                                \
		return n_;                                                     \
	} while (0)

ssize_t sem_read(int fd, void *buf, size_t len)
{
	PINNED(buf, len, LAZYMAP_WRITE, read(fd, buf, len));
}

ssize_t sem_write(int fd, const void *buf, size_t len)
{
	PINNED(buf, len, LAZYMAP_READ, write(fd, buf, len));
}

ssize_t sem_pread(int fd, void *buf, size_t len, off_t at)
{
	PINNED(buf, len, LAZYMAP_WRITE, pread(fd, buf, len, at));
}

ssize_t sem_pwrite(int fd, const void *buf, size_t len, off_t at)
{
	PINNED(buf, len, LAZYMAP_READ, pwrite(fd, buf, len, at));
}
#endif
