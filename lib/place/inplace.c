/*
 * inplace.c -- placing by making the page writable and filling it there.
 *
 * Right only while the process has one thread: any other could see the page
 * half filled. So it is used when asked for by name, and refuses with -EBUSY
 * from the second thread on (a worker thread of lazymap's own counts).
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "place/place.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#if __has_include(<sys/single_threaded.h>) /* glibc 2.32 */
#include <sys/single_threaded.h>
#define HAVE_SINGLE_THREADED 1
#endif

#include "os_linux.h"
#include "syscall/raw.h"

/* 1, 0, or -errno. Threads made by a raw clone(2) are the caller's affair
 * with the C library's flag, which does not know of them. */
static int one_thread(void)
{
#ifdef HAVE_SINGLE_THREADED
	return __libc_single_threaded != 0;
#else
	struct stat st;
	long ret = lm_sys(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &st, 0);

	/* A directory's links: ".", "..", and one a thread. */
	return ret < 0 ? (int)ret : st.st_nlink <= 3;
#endif
}

static int copy_in_place(uintptr_t page, void *to, const void *from, size_t len,
			 int prot)
{
	int one = one_thread();
	long ret;

	if (one <= 0)
		return one ? one : -EBUSY;
	ret = lm_sys(SYS_mprotect, page, len, prot);
	if (ret < 0)
		return (int)ret;
	memcpy(to, from, len);
	return (int)lm_sys(SYS_mprotect, page, len, PROT_NONE);
}

static int inplace_write(uintptr_t dst, const void *src, size_t len)
{
	return copy_in_place(dst, (void *)dst, src, len,
			     PROT_READ | PROT_WRITE);
}

static int inplace_read(void *dst, uintptr_t src, size_t len)
{
	return copy_in_place(src, dst, (const void *)src, len, PROT_READ);
}

static int inplace_probe(void)
{
	return lm_place_try(inplace_write, inplace_read);
}

static int inplace_forked(void)
{
	return 0;
}

const struct lm_place lm_place_inplace = {
	.name = "inplace",
	.probe = inplace_probe,
	.write = inplace_write,
	.read = inplace_read,
	.forked = inplace_forked,
};
