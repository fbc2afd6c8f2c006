/*
 * mem.c -- placing by writing to /proc/self/mem.
 *
 * The kernel reaches private pages through that file with FOLL_FORCE, whatever
 * their protection: no thread can see the page while it is written, and the
 * kernel's own first-touch path allocates it. Needs no privilege, and works on
 * every kernel since 2.6.39 but for those that were told to forbid it (6.12,
 * proc_mem.force_override= and its Kconfig twin), which the probe finds out.
 *
 * The kernel binds the descriptor to the mm of the process that opened it: a
 * forked child that used its parent's would write into the parent. fd.h takes
 * care of that.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "place/place.h"

#include <errno.h>

#include "fd.h"
#include "os_linux.h"
#include "syscall/raw.h"

static int mem_open(void)
{
	return (int)lm_sys(SYS_openat, AT_FDCWD, "/proc/self/mem",
			   O_RDWR | O_CLOEXEC);
}

static struct lm_fd mem_fd = { .open = mem_open, .check = 1 };

/*
 * All of it, or -errno with *done bytes done. The kernel goes page by page and
 * returns a short count when one of them fails or a fatal signal is pending.
 */
static int mem_transfer(long nr, uintptr_t addr, char *buf, size_t len,
			size_t *done)
{
	unsigned lost = 0;

	while (*done < len) {
		int fd = lm_fd_get(&mem_fd);
		long n;

		if (fd < 0)
			return fd;
		n = lm_sys(nr, fd, buf + *done, len - *done, addr + *done);
		if (n > 0)
			*done += (size_t)n;
		else if (n == 0)
			return -EIO;
		/* Closed after the check: once is chance. */
		else if (n != -EINTR && (n != -EBADF || lost++ > 8))
			return (int)n;
	}
	return 0;
}

int lm_place_mem_write(uintptr_t dst, const void *src, size_t len)
{
	size_t done = 0;

	return mem_transfer(SYS_pwrite64, dst, (char *)(uintptr_t)src, len,
			    &done);
}

int lm_place_mem_read(void *dst, uintptr_t src, size_t len)
{
	size_t done = 0;

	return mem_transfer(SYS_pread64, src, dst, len, &done);
}

int lm_place_mem_begin(void)
{
	return lm_fd_begin(&mem_fd);
}

bool lm_place_mem_mine(void)
{
	return lm_fd_mine(&mem_fd);
}

bool lm_place_mem_there(void)
{
	return lm_fd_get(&mem_fd) >= 0;
}

static int mem_probe(void)
{
	int err = lm_place_try(lm_place_mem_write, lm_place_mem_read);

	/* Opened again by the first page that is copied: a process that maps
	 * only what the kernel maps itself has no descriptor of ours. */
	lm_fd_drop(&mem_fd);
	return err;
}

static int mem_write(uintptr_t dst, const void *src, size_t len)
{
	if (!lm_place_mem_write(dst, src, len))
		return 0;
	return lm_place_mremap.write(dst, src, len);
}

static int mem_read(void *dst, uintptr_t src, size_t len)
{
	if (!lm_place_mem_read(dst, src, len))
		return 0;
	return lm_place_mremap.read(dst, src, len);
}

static int mem_forked(void)
{
	/* Opened again by the first use: most children exec at once. */
	lm_fd_forked(&mem_fd);
	return 0;
}

const struct lm_place lm_place_mem = {
	.name = "mem",
	.probe = mem_probe,
	.write = mem_write,
	.read = mem_read,
	.forked = mem_forked,
};
