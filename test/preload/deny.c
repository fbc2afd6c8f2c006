/*
 * deny.c -- run a program as a container may: without userfaultfd, by either
 * way to it; or, with -w, without MADV_WIPEONFORK, where lazymap cannot start;
 * or, with -x, without memory that is writable and executable at once.
 *
 *	deny [-w | -x] CMD...
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEW 0xaa00 /* USERFAULTFD_IOC_NEW, of /dev/userfaultfd */

#define LOAD(what)                                                             \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define SKIP_UNLESS(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

int main(int argc, char **argv)
{
	struct sock_filter faults[] = {
		LOAD(nr),      SKIP_UNLESS(SYS_userfaultfd, 1),
		REFUSE,        SKIP_UNLESS(SYS_ioctl, 3),
		LOAD(args[1]), SKIP_UNLESS(NEW, 1),
		REFUSE,        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_filter wipes[] = {
		LOAD(nr),      SKIP_UNLESS(SYS_madvise, 3),
		LOAD(args[2]), SKIP_UNLESS(MADV_WIPEONFORK, 1),
		REFUSE,        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_filter code[] = {
		LOAD(nr),
		SKIP_UNLESS(SYS_mprotect, 3),
		LOAD(args[2]),
		SKIP_UNLESS(PROT_READ | PROT_WRITE | PROT_EXEC, 1),
		REFUSE,
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(faults) / sizeof(*faults), faults };
	int wipe = argc > 1 && !strcmp(argv[1], "-w");
	int write = argc > 1 && !strcmp(argv[1], "-x");

	if (wipe)
		filter = (struct sock_fprog){ sizeof(wipes) / sizeof(*wipes),
					      wipes };
	if (write)
		filter = (struct sock_fprog){ sizeof(code) / sizeof(*code),
					      code };
	argc -= wipe || write;
	argv += wipe || write;
	if (argc < 2)
		return 2;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
		perror("seccomp");
		return 77;
	}
	if (!wipe && !write &&
	    (syscall(SYS_userfaultfd, 0) >= 0 || errno != EPERM))
		return 3;
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
