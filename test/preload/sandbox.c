/*
 * sandbox.c -- a process that gives up what it may do, as those of browsers do,
 * and uses its memory: sandbox filter|twice|chroot|user [fork].
 *
 * With `fork` it is a child that does, which has memory of its parent's.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 2048

static uint64_t *memory;

/* Bytes that do not compress, so that the file is needed. */
static uint64_t word(size_t page, size_t i, uint64_t turn)
{
	uint64_t n = (page * (PAGE / 8) + i + 1) * 0x9E3779B97F4A7C15u + turn;

	n = (n ^ n >> 30) * 0xBF58476D1CE4E5B9u;
	n = (n ^ n >> 27) * 0x94D049BB133111EBu;
	return n ^ n >> 31;
}

static void fill(uint64_t turn)
{
	for (size_t page = 0; page < PAGES; page++)
		for (size_t i = 0; i < PAGE / 8; i++)
			memory[page * (PAGE / 8) + i] = word(page, i, turn);
}

static size_t wrong(uint64_t turn)
{
	size_t n = 0;

	for (size_t page = 0; page < PAGES; page++)
		for (size_t i = 0; i < PAGE / 8; i++)
			n += memory[page * (PAGE / 8) + i] !=
			     word(page, i, turn);
	return n;
}

#define ANSWER(nr, answer)                                                     \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),                         \
		BPF_STMT(BPF_RET | BPF_K, answer)
#define REFUSE(nr) ANSWER(nr, SECCOMP_RET_ERRNO | EPERM)
#define KILL(nr) ANSWER(nr, SECCOMP_RET_KILL_PROCESS)

static int install(struct sock_filter *code, size_t size)
{
	struct sock_fprog program = { (unsigned short)(size / sizeof(*code)),
				      code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* Whoever makes more than the call for the second filter ends by it. */
static int first_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		KILL(SYS_getpid),
		KILL(SYS_openat),
		KILL(SYS_clone),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return install(code, sizeof(code));
}

/* Nothing can be opened, made or moved any more. */
static int filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
#ifdef SYS_open
		REFUSE(SYS_open),
#endif
		REFUSE(SYS_openat),
		REFUSE(SYS_userfaultfd),
		REFUSE(SYS_mremap),
		REFUSE(SYS_clone),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return install(code, sizeof(code));
}

static int give_up(const char *how)
{
	if (!strcmp(how, "filter"))
		return filter();
	if (!strcmp(how, "twice"))
		return first_filter() || filter();
	if (!strcmp(how, "chroot"))
		return mkdir("empty", 0700) || chroot("empty") || chdir("/");
	return setgid(65534) || setuid(65534);
}

static int use(const char *how)
{
	if (give_up(how)) {
		printf("%s: %s\n", how, strerror(errno));
		return 1;
	}
	/* Lazymap's own work makes calls that the first one forbids. */
	if (!strcmp(how, "twice"))
		return 0;
	for (uint64_t turn = 0; turn < 3; turn++) {
		printf("%zu wrong\n", wrong(turn));
		fill(turn + 1);
	}
	printf("%zu wrong\n", wrong(3));
	return fflush(stdout);
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc < 2)
		return 2;
	memory = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	fill(0);
	if (argc == 2)
		return use(argv[1]);
	switch (fork()) {
	case -1:
		return 1;
	case 0:
		_exit(use(argv[1]));
	}
	if (wait(&status) < 0 || status)
		printf("the child: status %#x\n", (unsigned)status);
	printf("the parent's: %zu wrong\n", wrong(0));
	return 0;
}
