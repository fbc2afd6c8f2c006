/*
 * bare.c -- see bare.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uffd.h"

/* Linux 5.14, and Debian 12 has them; others may not. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define HUGE (2 * BENCH_MIB)
#define RING_MAX 65536

static struct bare our;
static int mem_fd;
static int prot;
static __thread char *buffer;
/* What is in memory, the oldest first: the next to come takes its place. Each
 * thread has a part of its own, so that none takes away what another is just
 * bringing in. */
static char *ring[RING_MAX];
static size_t ring_len, part_len;
static _Atomic size_t parts;
static __thread size_t turn, part;
static __thread bool has_part;
static char *frames; /* BARE_HUGE: where frames are filled */

static void must(bool good)
{
	if (!good)
		abort();
}

static void *reserve(size_t len, int how, int flags, int fd)
{
	char *hole = mmap(NULL, len + HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at;

	if (hole == MAP_FAILED)
		return hole;
	at = (char *)(((uintptr_t)hole + HUGE - 1) & ~(HUGE - 1));
	return mmap(at, len, how, flags | MAP_FIXED, fd, 0);
}

static char *own_buffer(void)
{
	if (!buffer) {
		buffer =
			mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		must(buffer != MAP_FAILED);
	}
	return buffer;
}

static void read_file(char *to, const char *at)
{
	off_t offset = at - our.base;

	must(pread(our.fd, to, our.cluster, offset) == (ssize_t)our.cluster);
}

static void drop(char *at)
{
	if (our.way < BARE_UFFD_THREAD)
		must(mprotect(at, our.cluster, PROT_NONE) == 0);
	must(madvise(at, our.cluster, MADV_DONTNEED) == 0);
}

/* The next place of this thread's part. */
static size_t next_place(void)
{
	if (!has_part) {
		part = atomic_fetch_add(&parts, 1) % (ring_len / part_len);
		has_part = true;
	}
	return part * part_len + turn++ % part_len;
}

/* -- The ways ------------------------------------------------------------------- */

static void by_reveal(char *at)
{
	must(mprotect(at, our.cluster, prot) == 0);
	if (our.way == BARE_POPULATE)
		must(madvise(at, our.cluster,
			     our.fd < 0 ? MADV_POPULATE_WRITE
					: MADV_POPULATE_READ) == 0);
}

static void by_inplace(char *at)
{
	must(mprotect(at, our.cluster, PROT_READ | PROT_WRITE) == 0);
	if (our.cluster > BENCH_PAGE)
		must(madvise(at, our.cluster, MADV_POPULATE_WRITE) == 0);
	read_file(at, at);
}

static void by_mem(char *at)
{
	char *from = own_buffer();

	if (our.fd >= 0)
		read_file(from, at);
	must(pwrite(mem_fd, from, our.cluster, (off_t)(uintptr_t)at) ==
	     (ssize_t)our.cluster);
	must(mprotect(at, our.cluster, prot) == 0);
}

static void by_huge(char *at)
{
	size_t i = next_place();
	char *frame = frames + i * HUGE;
	char *old = ring[i];

	ring[i] = at;
	if (old) {
		must(mremap(old, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    frame) == frame);
		must(mmap(old, HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				  MAP_FIXED,
			  -1, 0) == old);
	}
	read_file(frame, at);
	must(mremap(frame, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) ==
	     at);
}

static void by_uffd(char *at)
{
	if (our.fd < 0) {
		uffd_zero(at, our.cluster);
		return;
	}
	read_file(own_buffer(), at);
	uffd_copy(at, own_buffer(), our.cluster);
}

static void serve(void *addr)
{
	char *at = (char *)((uintptr_t)addr & ~(our.cluster - 1));

	must(at >= our.base && at < our.base + our.len);
	if (our.way == BARE_HUGE) {
		by_huge(at);
		return;
	}
	if (ring_len) {
		size_t i = next_place();

		if (ring[i])
			drop(ring[i]);
		ring[i] = at;
	}
	switch (our.way) {
	case BARE_REVEAL:
	case BARE_POPULATE:
		by_reveal(at);
		break;
	case BARE_INPLACE:
		by_inplace(at);
		break;
	case BARE_MEM:
		by_mem(at);
		break;
	default:
		by_uffd(at);
		break;
	}
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	serve(info->si_addr);
}

/* -- Setting up ------------------------------------------------------------------- */

static int map_memory(void)
{
	bool kernel = our.fd >= 0 && our.way <= BARE_POPULATE;
	int anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	our.base = reserve(
		our.len,
		our.way < BARE_UFFD_THREAD ? PROT_NONE : PROT_READ | PROT_WRITE,
		kernel ? MAP_PRIVATE : anonymous, kernel ? our.fd : -1);
	if (our.base == MAP_FAILED)
		return -1;
	if (our.way != BARE_HUGE)
		return 0;
	frames =
		reserve(ring_len * HUGE, PROT_READ | PROT_WRITE, anonymous, -1);
	if (frames == MAP_FAILED)
		return -1;
	return madvise(frames, ring_len * HUGE, MADV_HUGEPAGE);
}

int bare_map(struct bare *bare)
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_NODEFER };
	bool uffd = bare->way >= BARE_UFFD_THREAD;

	our = *bare;
	ring_len = our.keep / our.cluster;
	part_len = ring_len / (size_t)(our.threads ? our.threads : 1);
	if (ring_len > RING_MAX || (our.keep && !part_len) ||
	    (our.way == BARE_HUGE && !our.keep)) {
		errno = EINVAL;
		return -1;
	}
	prot = our.fd < 0 ? PROT_READ | PROT_WRITE : PROT_READ;
	mem_fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (map_memory() < 0 || (our.way == BARE_MEM && mem_fd < 0))
		return -1;
	/* Where it is forbidden there is nothing to measure. */
	if (our.way == BARE_MEM && pwrite(mem_fd, own_buffer(), BENCH_PAGE,
					  (off_t)(uintptr_t)our.base) < 0)
		return -1;
	if (uffd && uffd_start(our.base, our.len, our.way == BARE_UFFD_SIGBUS,
			       serve) < 0)
		return -1;
	sigaction(uffd ? SIGBUS : SIGSEGV, &action, NULL);
	bare->base = our.base;
	return 0;
}
