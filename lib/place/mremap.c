/*
 * mremap.c -- placing by moving the page aside, and back when it is filled.
 *
 * The page's page-table entries are moved to a twin range where nobody knows
 * of them, filled or read there, and moved back in one step. Slower than the
 * other ways, but needs nothing that can be forbidden or lost: no descriptor,
 * no /proc. So the other ways turn to it when theirs is gone.
 *
 * MREMAP_DONTUNMAP (5.7) leaves the range in place, empty, for the time: no
 * hole in which another thread's mmap could settle. It also keeps the area in
 * one piece: memory remembers the address it was first touched at (vm_pgoff),
 * and only the twin that came from there merges when it comes back. A fresh
 * mapping does not: measured, 1024 VM areas for 1024 clusters, against 1; nor
 * does one moved out of an area that was never touched (mremap_attach).
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "place/place.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>

#include "os_linux.h"
#include "syscall/raw.h"
#include "tsan.h"

/* lm_sys returns addresses as they are: the last page is not one. */
static int failed(long ret)
{
	return ret < 0 && ret > -4096;
}

/*
 * The page is aside and its way back is barred: at vm.max_map_count mremap
 * wants room for more VM areas than it will use, and the twin has just taken
 * one. So some are kept in reserve, and given up to get the page home.
 */
#define RESERVE_PAGES 15 /* odd: the first and the last are PROT_READ */
static _Atomic uintptr_t reserve; /* 0: none. Atomic. */

static void reserve_fill(void)
{
	size_t page = getauxval(AT_PAGESZ);
	uintptr_t none = 0;
	long mem;

	if (atomic_load_explicit(&reserve, memory_order_relaxed))
		return;
	mem = lm_sys(SYS_mmap, NULL, RESERVE_PAGES * page, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (failed(mem))
		return;
	/* Every other page different: each is a VM area of its own. Where one
	 * fails the reserve is the smaller. */
	for (size_t i = 0; i < RESERVE_PAGES; i += 2)
		lm_sys(SYS_mprotect, (uintptr_t)mem + i * page, page,
		       PROT_READ);
	/* The address is all that is published: relaxed. */
	if (!atomic_compare_exchange_strong_explicit(
		    &reserve, &none, (uintptr_t)mem, memory_order_relaxed,
		    memory_order_relaxed))
		lm_sys(SYS_munmap, mem, RESERVE_PAGES * page);
}

static int reserve_spend(void)
{
	uintptr_t mem =
		atomic_exchange_explicit(&reserve, 0, memory_order_relaxed);

	if (!mem)
		return -ENOMEM;
	/* Ends that do not merge with the empty areas around: so nothing is
	 * split, which is what can fail. */
	return (int)lm_sys(SYS_munmap, mem,
			   RESERVE_PAGES * getauxval(AT_PAGESZ));
}

static int move_back(uintptr_t twin, uintptr_t page, size_t len)
{
	for (unsigned tries = 0;; tries++) {
		long ret = lm_sys(SYS_mremap, twin, len, len,
				  MREMAP_MAYMOVE | MREMAP_FIXED, page);

		if (!failed(ret))
			return 0;
		/* Other threads may take what was given up. */
		if (reserve_spend() < 0 && tries > 100)
			return (int)ret;
		lm_sys(SYS_sched_yield);
	}
}

/* Kernels before 5.7, gVisor. The twin is fresh, and does not merge. */
static int write_fresh(uintptr_t dst, const void *src, size_t len)
{
	long twin = lm_sys(SYS_mmap, NULL, len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	if (failed(twin))
		return (int)twin;
	lm_tsan_given((const char *)twin, len);
	memcpy((void *)twin, src, len);
	lm_tsan_given_back((const char *)twin, len);
	err = (int)lm_sys(SYS_mprotect, twin, len, PROT_NONE);
	if (!err)
		err = move_back((uintptr_t)twin, dst, len);
	if (err)
		lm_sys(SYS_munmap, twin, len);
	return err;
}

/*
 * The same kernels. Others can read the page for a moment: the right bytes,
 * but where the program forbade it they miss their SIGSEGV.
 */
static int read_visible(void *dst, uintptr_t src, size_t len)
{
	int err = (int)lm_sys(SYS_mprotect, src, len, PROT_READ);

	if (err)
		return err;
	memcpy(dst, (const void *)src, len);
	return (int)lm_sys(SYS_mprotect, src, len, PROT_NONE);
}

/*
 * Copy to the page at `page` from in, or from it to out. *aside: 0 when it
 * could not be moved aside and nothing has happened.
 */
static int copy_aside(uintptr_t page, void *out, const void *in, size_t len,
		      int *aside)
{
	int prot = in ? PROT_READ | PROT_WRITE : PROT_READ;
	long twin = lm_sys(SYS_mremap, page, len, len,
			   MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	int err, hidden, back;

	*aside = !failed(twin);
	if (!*aside)
		return (int)twin;
	lm_tsan_given((const char *)twin, len);
	err = (int)lm_sys(SYS_mprotect, twin, len, prot);
	if (!err && in)
		memcpy((void *)twin, in, len);
	else if (!err)
		memcpy(out, (const void *)twin, len);
	lm_tsan_given_back((const char *)twin, len);
	hidden = (int)lm_sys(SYS_mprotect, twin, len, PROT_NONE);
	back = move_back((uintptr_t)twin, page, len);
	if (hidden && !back)
		hidden = (int)lm_sys(SYS_mprotect, page, len, PROT_NONE);
	return back ? back : err ? err : hidden;
}

static int copy_page(uintptr_t page, void *out, const void *in, size_t len)
{
	int aside;
	int err = copy_aside(page, out, in, len, &aside);

	if (aside || err != -EINVAL)
		return err;
	return in ? write_fresh(page, in, len) : read_visible(out, page, len);
}

static int copy_pages(uintptr_t page, void *out, const void *in, size_t len)
{
	size_t step = getauxval(AT_PAGESZ);
	int aside;
	int err = copy_aside(page, out, in, len, &aside);

	/* mremap takes one VM area at a time (EFAULT); a page is in one. */
	if (aside || (err != -EFAULT && err != -EINVAL))
		return err;
	if (err == -EINVAL)
		step = len;
	for (size_t done = 0; done < len; done += step) {
		err = copy_page(page + done, out ? (char *)out + done : NULL,
				in ? (const char *)in + done : NULL, step);
		if (err)
			return err;
	}
	return 0;
}

static int mremap_write(uintptr_t dst, const void *src, size_t len)
{
	reserve_fill();
	return copy_pages(dst, NULL, src, len);
}

static int mremap_read(void *dst, uintptr_t src, size_t len)
{
	reserve_fill();
	return copy_pages(src, dst, NULL, len);
}

/*
 * Only memory that has been touched (has an anon_vma) remembers its address:
 * touch a page while the area is still in one piece, for all of it.
 */
static int mremap_attach(uintptr_t start, size_t len)
{
	size_t page = getauxval(AT_PAGESZ);

	if (len < page)
		return -EINVAL;
	if (lm_sys(SYS_mprotect, start, page, PROT_READ | PROT_WRITE) == 0) {
		*(volatile char *)start = 0;
		lm_sys(SYS_madvise, start, page, MADV_DONTNEED);
	}
	/* A failure here leaves a page of zeros to be seen: that counts. */
	return (int)lm_sys(SYS_mprotect, start, page, PROT_NONE);
}

static int mremap_probe(void)
{
	return lm_place_try(mremap_write, mremap_read);
}

static int mremap_forked(void)
{
	return 0; /* the reserve was copied like all memory */
}

const struct lm_place lm_place_mremap = {
	.name = "mremap",
	.probe = mremap_probe,
	.attach = mremap_attach,
	.write = mremap_write,
	.read = mremap_read,
	.forked = mremap_forked,
};
