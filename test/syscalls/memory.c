/*
 * memory.c -- calls about memory itself, and its policies.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include "os_linux.h"

#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/uio.h>

#define PAGE ((size_t)4096)
#define FIXED (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
/* Its bytes are not there for all of these to be compared. */
#define PAGES                                                                  \
	{                                                                      \
		8192, NULL, IGNORED                                            \
	}

/* The page that a piece of two pages begins in is the one that is changed; what
 * the kernel makes of both after that. */
static void note_pages(char *at)
{
	int fd = memfd_create("pages", 0);

	extra[0] = write(fd, page_of(at), PAGE);
	extra[1] = write(fd, page_of(at) + PAGE, PAGE);
	note_sum(fd, &extra[2]);
	extra[3] = pread(fd, page_of(at) + 8, 8, 0);
	close(fd);
}

/* The result is an address where it is none of errno's. */
#define CASE_PAGES(name, libc, nr, ...)                                        \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		char *at = page_of(p[0]);                                      \
		long ret = CALL(libc, nr, __VA_ARGS__);                        \
                                                                               \
		note_pages(at);                                                \
		return ret == (long)at ? 0 : ret;                              \
	}

CASE_PAGES(mmap, mmap(at, PAGE, PROT_READ, FIXED, -1, 0), SYS_mmap, at, PAGE,
	   PROT_READ, FIXED, -1, 0)
CASE_PAGES(munmap, munmap(at, PAGE), SYS_munmap, at, PAGE)
CASE_PAGES(mprotect, mprotect(at, PAGE, PROT_READ), SYS_mprotect, at, PAGE,
	   PROT_READ)
CASE_PAGES(mprotect_none, mprotect(at, PAGE, PROT_NONE), SYS_mprotect, at, PAGE,
	   PROT_NONE)
CASE_PAGES(pkey_mprotect, pkey_mprotect(at, PAGE, PROT_READ, -1),
	   SYS_pkey_mprotect, at, PAGE, PROT_READ, -1)
CASE_PAGES(msync, msync(at, 2 * PAGE, MS_SYNC), SYS_msync, at, 2 * PAGE,
	   MS_SYNC)
CASE_PAGES(madvise, madvise(at, PAGE, MADV_DONTNEED), SYS_madvise, at, PAGE,
	   MADV_DONTNEED)
CASE_PAGES(mremap, mremap(at, 2 * PAGE, PAGE, 0), SYS_mremap, at, 2 * PAGE,
	   PAGE, 0)
CASE_PAGES(mlock, mlock(at, 2 * PAGE), SYS_mlock, at, 2 * PAGE)
CASE_PAGES(mlock2, mlock2(at, 2 * PAGE, MLOCK_ONFAULT), SYS_mlock2, at,
	   2 * PAGE, MLOCK_ONFAULT)
CASE_PAGES(munlock, munlock(at, 2 * PAGE), SYS_munlock, at, 2 * PAGE)
CASE_PAGES(remap_file_pages, remap_file_pages(at, PAGE, 0, 1, 0),
	   SYS_remap_file_pages, at, PAGE, 0, 1, 0)
/* Aligned to nothing. */
CASE_PAGES(shadow_stack, -1, SYS_map_shadow_stack, at + 1, PAGE, 0)
CASE_PAGES(home_node, -1, SYS_set_mempolicy_home_node, at, PAGE, 0, 0)

/* From a new place to the piece's. */
static long c_mremap_to(char *p[PARAMS], bool raw)
{
	char *at = page_of(p[0]), *from;
	long ret;

	from = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	memset(from, 7, PAGE);
	ret = CALL(mremap(from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at),
		   SYS_mremap, from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   at);
	if (ret == -1)
		munmap(from, PAGE);
	note_pages(at);
	return ret == (long)at ? 0 : ret;
}

/* Only that it answers: what is resident is another matter here. */
static long c_mincore(char *p[PARAMS], bool raw)
{
	return CALL(mincore(page_of(p[0]), 2 * PAGE, (unsigned char *)p[1]),
		    SYS_mincore, page_of(p[0]), 2 * PAGE, p[1]);
}

static long c_shmat(char *p[PARAMS], bool raw)
{
	char *at = page_of(p[0]);
	int id = shmget(IPC_PRIVATE, PAGE, 0600);
	long ret = CALL(shmat(id, at, SHM_REMAP), SYS_shmat, id, at, SHM_REMAP);

	shmctl(id, IPC_RMID, NULL);
	note_pages(at);
	if (ret == (long)at)
		extra[0] += CALL(shmdt(at), SYS_shmdt, at);
	return ret == (long)at ? 0 : ret;
}

/* p: the memory, {where, how much} */
static void prepare_where(char *c[PARAMS], char *p[PARAMS])
{
	struct iovec iov = { page_of(p[0]), 2 * PAGE };

	memcpy(c[1], &iov, sizeof(iov));
}

static long c_process_madvise(char *p[PARAMS], bool raw)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	return CALL(process_madvise(fd, (struct iovec *)p[1], 1, MADV_COLD, 0),
		    SYS_process_madvise, fd, p[1], 1, MADV_COLD, 0);
}

/* -- Where memory is taken from -------------------------------------------------- */

static const uint64_t node_0[2] = { 1, 0 };
CASE_RAW(get_mempolicy, SYS_get_mempolicy, p[0], p[1], 1024, NULL, 0)

/* MPOL_F_NODE | MPOL_F_ADDR: of the page that this is in. */
CASE_RAW(node_of, SYS_get_mempolicy, p[0], NULL, 0, p[1], 3)

static long c_set_mempolicy(char *p[PARAMS], bool raw)
{
	long ret;

	(void)raw;
	ret = RAW(SYS_set_mempolicy, 1 /* MPOL_PREFERRED */, p[0], 65);
	syscall(SYS_set_mempolicy, 0, NULL, 0);
	return ret;
}

static long c_mbind(char *p[PARAMS], bool raw)
{
	(void)raw;
	return RAW(SYS_mbind, page_of(p[0]), PAGE, 1, p[1], 65, 0);
}

CASE_RAW(migrate_pages, SYS_migrate_pages, 0, 65, p[0], p[1])

/* Of a page that is there: to where it is. */
static char there[2 * PAGE] __attribute__((aligned(4096)));
static void prepare_pages(char *c[PARAMS], char *p[PARAMS])
{
	char *pages[1] = { there };
	int node = 0;

	(void)p;
	there[0] = 1;
	memcpy(c[0], pages, sizeof(pages));
	memcpy(c[1], &node, sizeof(node));
}

CASE_RAW(move_pages, SYS_move_pages, 0, 1, p[0], p[1], p[2], 0)

/* clang-format off */
const struct test memory_tests[] = {
	T(mmap, PAGES), T(munmap, PAGES), T(mprotect, PAGES),
	T(mprotect_none, PAGES), T(pkey_mprotect, PAGES), T(msync, PAGES),
	T(madvise, PAGES), T(mremap, PAGES), T(mremap_to, PAGES),
	T(mlock, PAGES), T(mlock2, PAGES), T(munlock, PAGES),
	T(remap_file_pages, PAGES), TR(shadow_stack, PAGES),
	TR(home_node, PAGES), T(mincore, PAGES, TIME(2)), T(shmat, PAGES),
	TP(process_madvise, where, PAGES, POINTERS(16)),
	TR(get_mempolicy, OUT(4), OUT(128)), TR(node_of, OUT(4), OUT(8)),
	TR(set_mempolicy, STRUCT(node_0)),
	TR(mbind, PAGES, STRUCT(node_0)),
	TR(migrate_pages, STRUCT(node_0), STRUCT(node_0)),
	T_(move_pages, prepare_pages, RAW_ONLY, POINTERS(8), OUT(4), OUT(4)),
	END_OF_TESTS,
};
/* clang-format on */
