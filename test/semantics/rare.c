/*
 * rare.c -- calls of the family that few programs make. The library has no
 * names for them; the shim stands before them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "semantics.h"

#include <sys/shm.h>
#include <sys/uio.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

CASE("rare calls", "remap_file_pages changes the order of a file's pages")
{
	int fd = file_of(8 * PAGE);
	char *mem = plain_map(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);

	put("touched", mem + PAGE, 200);
	put("touched", mem + 5 * PAGE, 201);
	ret("swap", remap_file_pages(mem + PAGE, 2 * PAGE, 0, 5, 0));
	see("page 1 is 5", mem + PAGE);
	see_pattern("page 2 is 6", mem + 2 * PAGE, PAGE, 6 * PAGE);
	put("write", mem + 2 * PAGE, 202);
	file_see("file", fd, 6 * PAGE);
	see("the same page", mem + 6 * PAGE);
	see_pattern("page 3 is 3", mem + 3 * PAGE, PAGE, 3 * PAGE);
	ret("a protection", remap_file_pages(mem, PAGE, PROT_READ, 3, 0));
	ret("length 0", remap_file_pages(mem, 0, 0, 3, 0));
	mem = plain_map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	put("private", mem, 203);
	ret("private", remap_file_pages(mem, 2 * PAGE, 0, 2, 0));
	see("still", mem);
}

CASE("rare calls", "process_madvise of the process itself")
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	char *mem = plain_map(NULL, 8 * PAGE, RW, ANON, -1, 0);
	struct iovec iov[2] = { { mem, 2 * PAGE }, { mem + 4 * PAGE, PAGE } };

	if (self < 0 || process_madvise(self, iov, 1, MADV_COLD, 0) < 0)
		skip("Linux 5.10");
	memset(mem, 'p', 8 * PAGE);
	ret("COLD", process_madvise(self, iov, 2, MADV_COLD, 0));
	see("kept", mem);
	ret("DONTNEED", process_madvise(self, iov, 2, MADV_DONTNEED, 0));
	for (size_t i = 0; i < 8; i++)
		see("page", mem + i * PAGE);
	put("write", mem, 'q');
	ret("flags", process_madvise(self, iov, 2, MADV_COLD, 1));
	ret("unknown", process_madvise(self, iov, 2, 999, 0));
	ret("no process", process_madvise(-1, iov, 2, MADV_COLD, 0));
	iov[1].iov_base = mem + 1;
	ret("the second is wrong", process_madvise(self, iov, 2, MADV_COLD, 0));
}

CASE("rare calls", "pkey_mprotect, with no key and with a key")
{
	char *mem = plain_map(NULL, 4 * PAGE, RW, ANON, -1, 0);
	int key;

	put("before", mem, 5);
	ret("no key", pkey_mprotect(mem, 2 * PAGE, PROT_READ, -1));
	put("write", mem + PAGE, 1);
	see("read", mem);
	ret("a key that is not ours", pkey_mprotect(mem, PAGE, RW, 11));
	see("read", mem);
	key = pkey_alloc(0, PKEY_DISABLE_WRITE);
	if (key < 0)
		return; /* the same on lazymap: the machine has none */
	ret("a key", pkey_mprotect(mem, 4 * PAGE, RW, key));
	see("read", mem + 3 * PAGE);
	see("read", mem);
	put("the key forbids it", mem + 2 * PAGE, 1);
	pkey_set(key, 0);
	put("and allows it", mem + 2 * PAGE, 1);
}

CASE("rare calls", "shmat, beside and over mapped memory")
{
	int id = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0600);
	char *mem = plain_map(NULL, 4 * PAGE, RW, ANON, -1, 0), *own;

	need(id >= 0);
	own = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	need(own != (char *)-1);
	memset(mem, 'm', 4 * PAGE);
	put("there", own + PAGE, 's');
	ret("taken", shmat(id, mem + PAGE, 0) == (char *)-1 ? -1 : 0);
	see("still", mem + PAGE);
	note("over it: %d",
	     shmat(id, mem + PAGE, SHM_REMAP) == (void *)(mem + PAGE));
	for (size_t i = 0; i < 4; i++)
		see("page", mem + i * PAGE);
	put("shared", mem + PAGE, 't');
	see("shared", own);
	ret("shmdt", shmdt(mem + PAGE));
	see("gone", mem + PAGE);
}

/* -- Seen from outside ------------------------------------------------------------ */

/* The protection that /proc/self/maps has for an address. */
static void see_in_maps(const char *what, const void *addr)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], prot[8] = "none";

	need(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx %7s", &start, &end, prot) == 3 &&
		    (uintptr_t)addr >= start && (uintptr_t)addr < end)
			break;
	}
	fclose(maps);
	note("%s: %s", what, prot);
}

CASE("seen from outside", "/proc/self/maps",
     .why = "A page that is not present has no access in the eyes of the "
	    "kernel; that is how its touch is noticed.",
     .kernel = "untouched: rw-p; touched: rw-p",
     .lazymap = "untouched: ---p; touched: rw-p")
{
	char *mem = map(NULL, (size_t)4 << 20, RW, ANON, -1, 0);

	see_in_maps("untouched", mem + ((size_t)3 << 20));
	mem[0] = 1;
	see_in_maps("touched", mem);
}

static void wait_for_go(void *argument)
{
	int *pipes = argument;

	send_go(pipes);
	wait_go(pipes + 2);
}

CASE("seen from outside", "process_vm_readv of another process's memory",
     .why = "Nobody can fault a page in for another process.",
     .kernel = "touched=1; untouched=1; child: exit 0",
     .lazymap = "touched=1; untouched=-1 EFAULT; child: exit 0")
{
	char *mem = map(NULL, (size_t)4 << 20, RW, ANON, -1, 0), c;
	struct iovec here = { &c, 1 }, there = { mem, 1 };
	int pipes[4];
	pid_t pid;

	need(pipe(pipes) == 0 && pipe(pipes + 2) == 0);
	mem[0] = 1;
	pid = start_child(wait_for_go, pipes);
	wait_go(pipes);
	ret("touched", process_vm_readv(pid, &here, 1, &there, 1, 0));
	there.iov_base = mem + ((size_t)3 << 20);
	ret("untouched", process_vm_readv(pid, &here, 1, &there, 1, 0));
	send_go(pipes + 2);
	end_child("child", pid);
}

CASE("seen from outside", "mseal",
     .why = "A sealed mapping keeps the protection that it has, and a page "
	    "that is not present has none: it could never be revealed. So the "
	    "shim refuses, as a kernel without the call; with the library, "
	    "touch what is to be sealed.",
     .lazymap = "mseal=-1 ENOSYS; touched=1; untouched=0` or "
		"`mseal=0; touched=1; untouched: SIGBUS BUS_ADRERR at +0")
{
	char *mem = map(NULL, (size_t)4 << 20, RW, ANON, -1, 0);

	mem[0] = 1;
	if (!kernel_is(6, 10))
		skip("Linux 6.10");
	ret("mseal", syscall(462, mem, (size_t)4 << 20, 0));
	see("touched", mem);
	see("untouched", mem + ((size_t)3 << 20));
}
