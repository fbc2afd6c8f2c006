/*
 * memory.c -- system calls about memory itself, on lazy areas: they are
 * lazymap's to do, or its areas and the kernel's mappings part company.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "pins.h"

#include "../advise.h"
#include "../area.h"
#include "../change.h"
#include "../lazymap.h"
#include "../os.h"
#include "../os_linux.h"
#include "copy.h"

#include <limits.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/uio.h>

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

/* The key stays with the mapping when its protection changes. */
static long protect_with(const long args[6])
{
	long ret;

	if (args[3] != -1) {
		ret = lm_protect_key((uintptr_t)args[0], (size_t)args[1],
				     (int)args[3]);
		if (ret < 0)
			return ret;
	}
	return of(lazymap_protect((void *)args[0], (size_t)args[1],
				  (int)args[2]));
}

/* It replaces what is there. */
static long attach(const long args[6])
{
	struct shmid_ds ds;

	if (lm_sys(SYS_shmctl, args[0], IPC_STAT, &ds) == 0 &&
	    lazymap_unmap((void *)args[1], ds.shm_segsz) < 0)
		return -errno;
	return lm_sys(SYS_shmat, args[0], args[1], args[2]);
}

/* -- Advice by way of a process ---------------------------------------------------- */

/* Is it a descriptor of this very process? */
static bool is_myself(int pidfd)
{
	char path[64] = "/proc/self/fdinfo/", text[512], *at = path;
	long len, pid = 0;

	if (pidfd == -10000 || pidfd == -10001) /* PIDFD_SELF of Linux 6.14 */
		return true;
	if (pidfd < 0)
		return false;
	at += strlen(path);
	for (int unit = 1000000000; unit; unit /= 10)
		if (at > path + strlen("/proc/self/fdinfo/") || unit == 1 ||
		    pidfd / unit)
			*at++ = (char)('0' + pidfd / unit % 10);
	len = lm_os_read_file(path, text, sizeof(text));
	at = len > 0 ? strstr(text, "\nPid:\t") : NULL;
	for (at = at ? at + 6 : text + strlen(text); *at >= '0' && *at <= '9';)
		pid = pid * 10 + (*at++ - '0');
	return pid == lm_sys(SYS_getpid);
}

static bool any_lazy(uintptr_t iov, size_t count)
{
	struct iovec one;

	for (size_t i = 0; i < lm_min(count, IOV_MAX); i++) {
		if (lm_copy(&one, iov + i * sizeof(one), sizeof(one)) < 0)
			return false;
		if (lazy((const long[6]){ (long)one.iov_base,
					  (long)one.iov_len }))
			return true;
	}
	return false;
}

/* All of them have been read. */
static long advise_each(const long args[6])
{
	/* Does the kernel take this advice, from us? */
	long done = 0, ret = lm_sys(SYS_process_madvise, args[0], args[1], 0,
				    args[3], args[4]);
	struct iovec one;

	for (long i = 0; !ret && i < args[2]; i++) {
		lm_copy(&one, (uintptr_t)args[1] + (size_t)i * sizeof(one),
			sizeof(one));
		ret = of(lazymap_advise(one.iov_base, one.iov_len,
					(int)args[3]));
		if (!ret)
			done += (long)one.iov_len;
	}
	return done ? done : ret;
}

static bool wants_advice(const long args[6])
{
	return (size_t)args[2] <= IOV_MAX &&
	       any_lazy((uintptr_t)args[1], (size_t)args[2]) &&
	       is_myself((int)args[0]);
}

/* It stays with the kernel's mapping, which is not to be replaced from now on. */
static void keep_policy(const long args[6])
{
	uintptr_t start = lm_page_down((uintptr_t)args[0]);

	lm_advise_flags(start, lm_page_up((uintptr_t)args[0] + (size_t)args[1]),
			LM_AREA_ADVISED);
}

/* -- All of them ------------------------------------------------------------------- */

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
	case SYS_pkey_mprotect:
		return protect_with(args);
	case SYS_remap_file_pages:
		return lm_remap_file_pages((uintptr_t)args[0], len,
					   (int)args[2], (size_t)args[3],
					   (int)args[4]);
	case SYS_shmat:
		return attach(args);
	case SYS_process_madvise:
		return advise_each(args);
	case SYS_mseal:
		/* No page could come in any more. */
		return -ENOSYS;
	}
	return -ENOSYS;
}

/* What is replaced by it, for those that put something in place. */
static bool replaces(long nr, const long args[6])
{
	struct shmid_ds ds;

	switch (nr) {
	case SYS_process_madvise:
		return wants_advice(args);
	case SYS_mmap:
		return (int)args[3] & MAP_FIXED && lazy(args);
	case SYS_mremap:
		return ((int)args[3] & MREMAP_FIXED &&
			lazy((const long[6]){ args[4], args[2] })) ||
		       lazy(args);
	case SYS_shmat:
		return args[1] && (int)args[2] & SHM_REMAP &&
		       lm_sys(SYS_shmctl, args[0], IPC_STAT, &ds) == 0 &&
		       lazy((const long[6]){ args[1], (long)ds.shm_segsz });
	}
	return lazy(args);
}

bool lm_memory_wanted(long nr)
{
	switch (nr) {
	case SYS_mmap:
	case SYS_mremap:
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_remap_file_pages:
	case SYS_msync:
	case SYS_madvise:
	case SYS_mincore:
	case SYS_mlock:
	case SYS_mlock2:
	case SYS_munlock:
	case SYS_shmat:
	case SYS_process_madvise:
	case SYS_mseal:
	case SYS_mbind:
	case SYS_set_mempolicy_home_node:
		return true;
	}
	return false;
}

bool lm_memory_call(long nr, const long args[6], long *result)
{
	int saved = errno;

	if (!replaces(nr, args))
		return false;
	if (nr == SYS_mbind || nr == SYS_set_mempolicy_home_node) {
		keep_policy(args);
		return false;
	}
	*result = call(nr, args);
	errno = saved;
	return true;
}
