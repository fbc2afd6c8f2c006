/*
 * probe.c -- tries what lazymap builds on, on pages and processes of its own,
 * and leaves nothing behind. Knows nothing of how the answers are shown.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "place/ladder.h"
#include "probe.h"

/* Headers are older than kernels: Linux 5.11, 5.14, 6.1. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

#define HUGE_SIZE (2UL << 20)

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void *anonymous(size_t len, int prot)
{
	return mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Run `body` in a child, so that it may fail in any way. 0 or -errno. */
static int in_child(int (*body)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(-body());
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EFAULT;
}

/* -- Traps -------------------------------------------------------------------- */

static void *fault_page;

static void fault_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_addr != fault_page ||
	    mprotect(fault_page, page_size(), PROT_READ))
		_exit(EIO);
}

static int fault_body(void)
{
	struct sigaction sa = { .sa_sigaction = fault_handler,
				.sa_flags = SA_SIGINFO };

	fault_page = anonymous(page_size(), PROT_NONE);
	if (fault_page == MAP_FAILED || sigaction(SIGSEGV, &sa, NULL))
		return -errno;
	return *(volatile char *)fault_page ? -EIO : 0;
}

int lm_probe_fault(void)
{
	return in_child(fault_body);
}

static volatile sig_atomic_t trapped;

static void sigsys_handler(int sig)
{
	(void)sig;
	trapped = 1;
}

static int seccomp_body(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter),
		.filter = filter,
	};

	if (signal(SIGSYS, sigsys_handler) == SIG_ERR ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return -errno;
	syscall(SYS_getppid); /* its result is the trap's */
	return trapped ? 0 : -EIO;
}

int lm_probe_seccomp(void)
{
	return in_child(seccomp_body);
}

static const char *load_path;

static int load_body(void)
{
	return dlopen(load_path, RTLD_NOW | RTLD_LOCAL) ? 0 : -ENOEXEC;
}

int lm_probe_load(const char *path)
{
	load_path = path;
	return in_child(load_body);
}

/* -- Revealing and placing ------------------------------------------------------------------ */

int lm_probe_direct(void)
{
	size_t len = page_size();
	int err = 0, fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *p, *copy = NULL;

	if (fd < 0)
		return -errno;
	p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED) {
		err = -errno;
		goto out_close;
	}
	copy = malloc(len);
	if (!copy)
		err = -ENOMEM;
	else if (pread(fd, copy, len, 0) != (ssize_t)len ||
		 mprotect(p, len, PROT_READ))
		err = -errno;
	else if (memcmp(p, copy, len) != 0)
		err = -EIO;
	free(copy);
	munmap(p, len);
out_close:
	close(fd);
	return err;
}

static int uffd_call(void)
{
	int flags = O_CLOEXEC | O_NONBLOCK;
	long fd = syscall(SYS_userfaultfd, flags | UFFD_USER_MODE_ONLY);

	/* Kernels before 5.11 do not know the flag. */
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_userfaultfd, flags);
	return fd < 0 ? -errno : (int)fd;
}

static int uffd_device(void)
{
	int dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC), fd;

	if (dev < 0)
		return -errno;
	fd = ioctl(dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	fd = fd < 0 ? -errno : fd;
	close(dev);
	return fd;
}

int lm_probe_uffd_call(void)
{
	int fd = uffd_call();

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

int lm_probe_uffd_device(void)
{
	int fd = uffd_device();

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int uffd_open(void)
{
	int fd = uffd_call();

	return fd < 0 ? uffd_device() : fd;
}

int lm_probe_uffd_features(uint64_t *features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = 0 };
	int fd = uffd_open(), err = 0;

	if (fd < 0)
		return fd;
	if (ioctl(fd, UFFDIO_API, &api))
		err = -errno;
	*features = api.features;
	close(fd);
	return err;
}

/* -- Populating, huge pages --------------------------------------------------- */

#define TIMED 65 /* pages, one of two */

static int by_size(const void *a, const void *b)
{
	long first = *(const long *)a, second = *(const long *)b;

	return (first > second) - (first < second);
}

static int place_one(const struct lm_place *way, char *page, long *ns)
{
	static const char bytes[4096] __attribute__((aligned(4096)));
	struct timespec from, to;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &from);
	err = way->write((uintptr_t)page, bytes, sizeof(bytes));
	if (!err && mprotect(page, sizeof(bytes), PROT_READ))
		err = -errno;
	clock_gettime(CLOCK_MONOTONIC, &to);
	*ns = (to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec -
	      from.tv_nsec;
	return err;
}

long lm_probe_place_ns(const struct lm_place *way)
{
	size_t page = 4096, len = 2 * TIMED * page;
	long ns[TIMED], err = 0;
	char *memory = mmap(NULL, len, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	if (way->attach)
		err = way->attach((uintptr_t)memory, len);
	for (int i = 0; !err && i < TIMED; i++)
		err = place_one(way, memory + 2 * i * page, &ns[i]);
	munmap(memory, len);
	qsort(ns, TIMED, sizeof(*ns), by_size);
	return err ? err : ns[TIMED / 2];
}

/* 64 KiB, as a store's: 0 or -errno. */
static int place_by(enum lm_ladder_way way, char *memory)
{
	static const char bytes[LM_LADDER_LEN]
		__attribute__((aligned(4096))) = { 1 };
	uintptr_t at = (uintptr_t)memory;
	long n;

	if (way == LM_LADDER_MEM)
		return lm_place_mem_write(at, bytes, sizeof(bytes));
	n = lm_place_over(at, bytes, sizeof(bytes), at, at + sizeof(bytes));
	return n == (long)sizeof(bytes) ? 0 : n < 0 ? (int)n : -EAGAIN;
}

int lm_probe_ladder(void)
{
	size_t len = LM_LADDER_WAYS * LM_LADDER_TRIES * LM_LADDER_LEN;
	char *memory = mmap(NULL, len, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err = 0;

	if (memory == MAP_FAILED)
		return -errno;
	for (char *at = memory; !err && at < memory + len;
	     at += LM_LADDER_LEN) {
		struct lm_ladder placed = lm_ladder_begin(LM_LADDER_LEN);

		err = place_by(placed.way, at);
		if (!err)
			lm_ladder_end(&placed);
	}
	munmap(memory, len);
	return err;
}

int lm_probe_populate(int write)
{
	int advice = write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
	size_t len = page_size();
	void *p = anonymous(len, PROT_READ | PROT_WRITE);
	unsigned char present = 0;
	int err = 0;

	if (p == MAP_FAILED)
		return -errno;
	if (madvise(p, len, advice) || mincore(p, len, &present))
		err = -errno;
	else if (write && !(present & 1))
		err = -EIO;
	munmap(p, len);
	return err;
}

/* Kilobytes of huge anonymous pages in the process, or -errno. */
static long huge_kb(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	char line[128];
	long kb = -ENODATA;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %ld", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

int lm_probe_huge(void)
{
	char *p = anonymous(2 * HUGE_SIZE, PROT_READ | PROT_WRITE), *at;
	long before, after;
	int err = 0;

	if (p == MAP_FAILED)
		return -errno;
	at = (char *)(((uintptr_t)p + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	before = huge_kb();
	if (before < 0)
		err = (int)before;
	else if (madvise(at, HUGE_SIZE, MADV_HUGEPAGE))
		err = -errno;
	else {
		*(volatile char *)at = 1;
		after = huge_kb();
		err = after > before ? 0 : -EAGAIN;
	}
	munmap(p, 2 * HUGE_SIZE);
	return err;
}
