/*
 * map.c -- mmap: arguments, errors, flags, MAP_FIXED, what is not lazy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "semantics.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <pthread.h>

/* -- Arguments and errors ------------------------------------------------------- */

CASE("mmap", "length 0 is EINVAL")
{
	got("anonymous", mmap(NULL, 0, RW, ANON, -1, 0));
	got("file", mmap(NULL, 0, RW, MAP_PRIVATE, file_of(PAGE), 0));
	got("no descriptor", mmap(NULL, 0, RW, MAP_PRIVATE, -1, 0));
}

CASE("mmap", "neither or both of MAP_PRIVATE and MAP_SHARED")
{
	char *mem;

	got("neither", mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
	got("neither, file", mmap(NULL, PAGE, RW, 0, file_of(PAGE), 0));
	got("validate, anonymous",
	    mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
	mem = got("both is MAP_SHARED_VALIDATE",
		  mmap(NULL, PAGE, RW, MAP_SHARED | MAP_PRIVATE, file_of(PAGE),
		       0));
	see_pattern("content", mem, PAGE, 0);
}

CASE("mmap", "unknown flags: refused with MAP_SHARED_VALIDATE, else ignored")
{
	int fd = file_of(PAGE), unknown = 1 << 21;

	got("validate",
	    mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | unknown, fd, 0));
	got("MAP_SYNC",
	    mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));
	got("shared", mmap(NULL, PAGE, RW, MAP_SHARED | unknown, fd, 0));
	got("private", mmap(NULL, PAGE, RW, MAP_PRIVATE | unknown, fd, 0));
	got("anonymous", mmap(NULL, PAGE, RW, ANON | unknown, -1, 0));
	got("all types", mmap(NULL, PAGE, RW, 0x0f, fd, 0));
}

CASE("mmap", "a descriptor that is not open, or not of a file")
{
	int fd = file_of(PAGE), ends[2], sockets[2];

	got("-1", mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0));
	got("not open", mmap(NULL, PAGE, RW, MAP_SHARED, 77777, 0));
	close(fd);
	got("closed", mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
	got("O_PATH", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE,
			   open("/etc/passwd", O_PATH), 0));
	got("directory",
	    mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open("/", O_RDONLY), 0));
	need(pipe(ends) == 0);
	got("pipe", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0));
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	got("socket", mmap(NULL, PAGE, RW, MAP_SHARED, sockets[0], 0));
	got("epoll", mmap(NULL, PAGE, RW, MAP_SHARED, epoll_create1(0), 0));
	got("/dev/null", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE,
			      open("/dev/null", O_RDWR), 0));
	got("/proc", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE,
			  open("/proc/self/status", O_RDONLY), 0));
}

CASE("mmap", "the descriptor's mode forbids what prot asks")
{
	const char *name = name_of("mode");
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR,
				     O_RDWR | O_APPEND };
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_WRITE, RW };
	char what[64];

	need(close(open(name, O_CREAT | O_RDWR, 0600)) == 0);
	need(truncate(name, PAGE) == 0);
	for (int m = 0; m < 4; m++)
		for (int p = 0; p < 4; p++) {
			int fd = open(name, modes[m]);

			snprintf(what, sizeof(what), "mode %d prot %d", m,
				 prots[p]);
			got(what,
			    mmap(NULL, PAGE, prots[p], MAP_SHARED, fd, 0));
			got("private",
			    mmap(NULL, PAGE, prots[p], MAP_PRIVATE, fd, 0));
			close(fd);
		}
	unlink(name);
}

CASE("mmap", "offsets: misaligned, negative, too large, behind the end")
{
	int fd = file_of(2 * PAGE);
	char *mem;

	got("1", mmap(NULL, PAGE, RW, MAP_SHARED, fd, 1));
	got("2048", mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 2048));
	got("anonymous, 1", mmap(NULL, PAGE, RW, ANON, -1, 1));
	got("anonymous, a page", mmap(NULL, PAGE, RW, ANON, -1, PAGE));
	got("negative", mmap(NULL, PAGE, RW, MAP_SHARED, fd, -(off_t)PAGE));
	got("overflow", mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd,
			     (off_t)(INT64_MAX - PAGE + 1)));
	got("the last but one", mmap(NULL, PAGE, RW, MAP_SHARED, fd,
				     (off_t)(INT64_MAX & ~(2 * PAGE - 1))));
	mem = got("behind the end",
		  mmap(NULL, PAGE, RW, MAP_SHARED, fd, 64 * PAGE));
	see("there", mem);
	mem = got("second page", mmap(NULL, PAGE, RW, MAP_SHARED, fd, PAGE));
	see_pattern("content", mem, PAGE, PAGE);
}

CASE("mmap", "lengths that no address space has")
{
	int fd = file_of(PAGE);

	got("2^47", mmap(NULL, (size_t)1 << 47, PROT_NONE, ANON | MAP_NORESERVE,
			 -1, 0));
	got("2^62",
	    mmap(NULL, (size_t)1 << 62, RW, ANON | MAP_NORESERVE, -1, 0));
	got("file, 2^62", mmap(NULL, (size_t)1 << 62, RW, MAP_SHARED, fd, 0));
	got("all", mmap(NULL, SIZE_MAX, RW, ANON, -1, 0));
	got("all but a page", mmap(NULL, SIZE_MAX - PAGE, RW, ANON, -1, 0));
	got("fixed, too long",
	    mmap(map(NULL, PAGE, RW, ANON, -1, 0), (size_t)1 << 47, RW,
		 ANON | MAP_FIXED, -1, 0));
	got("fixed, far too long",
	    mmap(map(NULL, PAGE, RW, ANON, -1, 0), (size_t)1 << 63, RW,
		 ANON | MAP_FIXED, -1, 0));
	got("unused prot bits", mmap(NULL, PAGE, RW | 0x40, ANON, -1, 0));
}

CASE("mmap", "more private memory than the machine has, without MAP_NORESERVE",
     .why = "An area of any size costs nothing until it is touched: "
	    "`MAP_NORESERVE` is implied. Under `vm.overcommit_memory` 0 the "
	    "kernel refuses what can obviously never be used.",
     .lazymap = "with MAP_NORESERVE: mapped; without: mapped")
{
	got("with MAP_NORESERVE",
	    mmap(NULL, (size_t)1 << 45, RW, ANON | MAP_NORESERVE, -1, 0));
	got("without", mmap(NULL, (size_t)1 << 45, RW, ANON, -1, 0));
}

CASE("mmap", "1 TiB, touched at a few places")
{
	size_t size = (size_t)1 << 40;
	char *mem = map(NULL, size, RW, ANON | MAP_NORESERVE, -1, 0);

	put("first", mem, 1);
	put("middle", mem + size / 2 + 12345, 2);
	put("last", mem + size - 1, 3);
	see("first", mem);
	see("middle", mem + size / 2 + 12345);
	see("last", mem + size - 1);
	see("untouched", mem + size / 4);
	ret("munmap", munmap(mem, size));
	see("gone", mem + size / 2 + 12345);
}

CASE("mmap", "a hint is honoured when the range is free")
{
	char *at = room(16);

	note("free: %d", mmap(at, 4 * PAGE, RW, ANON, -1, 0) == at);
	see("there", at);
	note("misaligned: %d",
	     mmap(at + 8 * PAGE + 5, PAGE, RW, ANON, -1, 0) == at + 8 * PAGE);
	note("file: %d", mmap(at + 4 * PAGE, PAGE, PROT_READ, MAP_SHARED,
			      file_of(PAGE), 0) == at + 4 * PAGE);
}

CASE("mmap", "a hint that is taken is no harm to what is there")
{
	char *mem = letters(4), *other;

	other = got("over it", mmap(mem, 4 * PAGE, RW, ANON, -1, 0));
	note("elsewhere: %d",
	     other + 4 * PAGE <= mem || other >= mem + 4 * PAGE);
	memset(other, 'x', 4 * PAGE);
	see("still", mem);
	other = got("over a part",
		    mmap(mem + 3 * PAGE, 4 * PAGE, RW, ANON, -1, 0));
	note("elsewhere: %d",
	     other + 4 * PAGE <= mem || other >= mem + 4 * PAGE);
	see("still", mem + 3 * PAGE);
	got("not an address of ours",
	    mmap((void *)((uintptr_t)1 << 60), PAGE, RW, ANON, -1, 0));
}

CASE("mmap", "a part of a page is a page; the next one is not mapped")
{
	char *at = room(8), *mem;

	mem = map(at, PAGE + 1, RW, ANON | MAP_FIXED, -1, 0);
	put("end of the second page", mem + 2 * PAGE - 1, 7);
	see("it", mem + 2 * PAGE - 1);
	see("the third page", mem + 2 * PAGE);
	see("before", mem - 1);
}

CASE("mmap", "each protection, touched in each way")
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_WRITE,
		RW,        PROT_EXEC, PROT_READ | PROT_EXEC
	};
	int fd = file_of(4 * PAGE);

	for (size_t i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
		char *anon = map(NULL, 4 * PAGE, prots[i], ANON, -1, 0);
		char *file = map(NULL, 4 * PAGE, prots[i], MAP_PRIVATE, fd, 0);

		note("prot %d", prots[i]);
		see("read", anon);
		put("write", anon + PAGE, 1);
		see("read file", file);
		put("write file", file + PAGE, 1);
	}
}

CASE("mmap", "MAP_POPULATE, with each type")
{
	int fd = file_of(8 * PAGE);
	char *mem;

	mem = map(NULL, 8 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);
	see_core("anonymous", mem, 8);
	mem = map(NULL, 8 * PAGE, RW, SHARED_ANON | MAP_POPULATE, -1, 0);
	see_core("shared anonymous", mem, 8);
	mem = map(NULL, 8 * PAGE, RW, MAP_SHARED | MAP_POPULATE, fd, 0);
	see_core("shared file", mem, 8);
	mem = map(NULL, 8 * PAGE, RW, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	see_core("private file", mem, 8);
	see_pattern("its content", mem, 8 * PAGE, 0);
	mem = map(NULL, 8 * PAGE, PROT_NONE, ANON | MAP_POPULATE, -1, 0);
	see_core("no access", mem, 8);
	mem = map(NULL, 8 * PAGE, RW, ANON | MAP_POPULATE | MAP_NONBLOCK, -1,
		  0);
	see_core("MAP_NONBLOCK", mem, 8);
	got("behind the end of the file",
	    mmap(NULL, 16 * PAGE, RW, MAP_SHARED | MAP_POPULATE, fd, 0));
}

CASE("mmap", "MAP_POPULATE: private pages that can be written are copies")
{
	int fd = file_of(4 * PAGE);
	char *both = map(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	char *read = map(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
			 fd, 0);
	char *late = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	file_put(fd, 7, 210);
	file_put(fd, 3 * PAGE, 211);
	see("to be written", both + 7);
	see("to be written", both + 3 * PAGE);
	see("to be read", read + 7);
	see("not populated", late + 3 * PAGE);
}

CASE("mmap", "MAP_LOCKED: present, locked, limited")
{
	struct rlimit limit = { 16 * PAGE, 16 * PAGE };
	char *mem = map(NULL, 8 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);

	see_core("present", mem, 8);
	note("locked: %ld KiB", status_kib("VmLck:"));
	mem = map(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_LOCKED,
		  file_of(4 * PAGE), 0);
	see_pattern("file", mem, 4 * PAGE, 0);
	note("locked: %ld KiB", status_kib("VmLck:"));
	ret("munmap", munmap(mem, 4 * PAGE));
	note("locked: %ld KiB", status_kib("VmLck:"));
	need(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	be_nobody();
	got("over the limit",
	    mmap(NULL, 32 * PAGE, RW, ANON | MAP_LOCKED, -1, 0));
	got("below it", mmap(NULL, 4 * PAGE, RW, ANON | MAP_LOCKED, -1, 0));
}

CASE("mmap", "flags without effect: DENYWRITE, EXECUTABLE, FILE, NORESERVE")
{
	int fd = file_of(PAGE);
	char *mem = map(NULL, PAGE, RW,
			MAP_PRIVATE | MAP_DENYWRITE | MAP_EXECUTABLE |
				MAP_NORESERVE | MAP_NONBLOCK,
			fd, 0);

	see_pattern("content", mem, PAGE, 0);
	ret("the file can be written", pwrite(fd, "x", 1, 0));
}

CASE("mmap", "MAP_32BIT is below 4 GiB")
{
#ifdef MAP_32BIT
	char *mem = map(NULL, 64 * PAGE, RW, ANON | MAP_32BIT, -1, 0);

	note("below: %d", (uintptr_t)mem + 64 * PAGE <= (uintptr_t)1 << 32);
	put("a byte", mem + 5, 5);
	see("a byte", mem + 5);
	mem = map(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_32BIT, file_of(PAGE),
		  0);
	note("below: %d", (uintptr_t)mem + PAGE <= (uintptr_t)1 << 32);
	see_pattern("content", mem, PAGE, 0);
#else
	skip("no MAP_32BIT on this machine");
#endif
}

CASE("mmap", "the descriptor and the offset of anonymous memory are ignored")
{
	char *mem = map(NULL, 2 * PAGE, RW, ANON, file_of(PAGE), PAGE);

	see("zero", mem);
	mem = map(NULL, 2 * PAGE, RW, SHARED_ANON, file_of(PAGE), 0);
	see("zero", mem);
}

CASE("mmap", "memfd, tmpfs, and sealed files")
{
	int fd = memfd_create("semantics", MFD_ALLOW_SEALING);
	char *mem;

	need(ftruncate(fd, 4 * PAGE) == 0);
	file_put(fd, PAGE, 9);
	mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	see("memfd", mem + PAGE);
	put("write", mem + 2 * PAGE, 5);
	file_see("read", fd, 2 * PAGE);
	ret("F_SEAL_WRITE while mapped", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	need(munmap(mem, 4 * PAGE) == 0);
	ret("F_SEAL_WRITE", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	got("shared, writable", mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
	got("private, writable", mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
	got("shared, readable", mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
}

CASE("mmap", "a file sealed against future writes stays unwritable")
{
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
	int fd = memfd_create("semantics", MFD_ALLOW_SEALING);
	char *mem, *old;

	need(ftruncate(fd, 4 * PAGE) == 0);
	old = map(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	ret("F_SEAL_FUTURE_WRITE", fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	got("shared, writable", mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
	mem = got("readable", mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	ret("mprotect", mprotect(mem, PAGE, RW));
	put("write", mem, 1);
	put("write through the old one", old, 2);
	see("seen", mem);
}

/* -- MAP_FIXED ------------------------------------------------------------------ */

CASE("MAP_FIXED", "addresses that cannot be: misaligned, outside")
{
	char *at = room(4);

	got("misaligned", mmap(at + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	got("misaligned, noreplace",
	    mmap(at + 1, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	got("outside", mmap((void *)((uintptr_t)1 << 60), PAGE, RW,
			    ANON | MAP_FIXED, -1, 0));
	got("wraps",
	    mmap((void *)-PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
}

/* Four pages 'a'..'d', of which the middle two are replaced by `mapping`. */
#define OVER_THE_MIDDLE(mem, mapping)                                          \
	do {                                                                   \
		note("in place: %d", (char *)(mapping) == (mem) + PAGE);       \
		see("first", mem);                                             \
		see("second", (mem) + PAGE);                                   \
		see("third", (mem) + 2 * PAGE);                                \
		see("last", (mem) + 3 * PAGE);                                 \
		see_all("edges", (mem) + 3 * PAGE, PAGE);                      \
	} while (0)

CASE("MAP_FIXED", "anonymous over a part of anonymous memory")
{
	char *mem = letters(4);

	OVER_THE_MIDDLE(
		mem, mmap(mem + PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
	put("written", mem + PAGE, 1);
}

CASE("MAP_FIXED", "a file over a part of anonymous memory")
{
	char *mem = letters(4);
	int fd = file_of(2 * PAGE);

	OVER_THE_MIDDLE(mem, mmap(mem + PAGE, 2 * PAGE, RW,
				  MAP_SHARED | MAP_FIXED, fd, 0));
	put("written", mem + PAGE, 1);
	file_see("in the file", fd, 0);
}

CASE("MAP_FIXED", "anonymous memory over a part of a shared file")
{
	int fd = file_of(4 * PAGE);
	char *mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);

	put("second page", mem + PAGE, 200);
	OVER_THE_MIDDLE(
		mem, mmap(mem + PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
	put("second page", mem + PAGE, 201);
	file_see("in the file", fd, PAGE);
	put("last page", mem + 3 * PAGE, 202);
	file_see("in the file", fd, 3 * PAGE);
}

CASE("MAP_FIXED", "executable memory over a part of a lazy area")
{
	char *mem = letters(4);

	OVER_THE_MIDDLE(
		mem, mmap(mem + PAGE, 2 * PAGE, RWX, ANON | MAP_FIXED, -1, 0));
#if defined(__x86_64__)
	memcpy(mem + PAGE, "\xb8\x07\0\0\0\xc3", 6);
	execute("it runs", mem + PAGE);
#endif
	memset(mem, 'z', 4 * PAGE);
	see("all of it writable", mem + 4 * PAGE - 1);
}

CASE("MAP_FIXED", "a lazy area over a part of executable memory")
{
	char *mem = map(NULL, 4 * PAGE, RWX, ANON, -1, 0);

	memset(mem, 'k', 4 * PAGE);
	OVER_THE_MIDDLE(
		mem, mmap(mem + PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
	put("written", mem + PAGE, 3);
	see("written", mem + PAGE);
}

CASE("MAP_FIXED", "over a lazy area, a kernel mapping and a hole at once")
{
	char *at = room(8);

	memset(map(at, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), 'l', 2 * PAGE);
	memset(map(at + 2 * PAGE, 2 * PAGE, RWX, ANON | MAP_FIXED, -1, 0), 'k',
	       2 * PAGE);
	note("in place: %d", mmap(at + PAGE, 6 * PAGE, RW, ANON | MAP_FIXED, -1,
				  0) == at + PAGE);
	see("the area's rest", at);
	see("over the area", at + PAGE);
	see("over the kernel's", at + 3 * PAGE);
	see("over the hole", at + 6 * PAGE);
	put("write", at + 6 * PAGE, 1);
	see("behind", at + 7 * PAGE);
}

CASE("MAP_FIXED", "what fails leaves what was there")
{
	char *mem = letters(2);

	got("no descriptor",
	    mmap(mem, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, -1, 0));
	see("still", mem);
	got("no permission", mmap(mem, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED,
				  open("/etc/passwd", O_RDONLY), 0));
	see("still", mem + PAGE);
	got("bad offset",
	    mmap(mem, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, file_of(PAGE), 3));
	see("still", mem);
	put("and writable", mem, 'w');
}

CASE("MAP_FIXED", "MAP_FIXED_NOREPLACE: EEXIST over anything")
{
	char *mem = letters(4), *at = room(8), *code;

	code = map(NULL, PAGE, RWX, ANON, -1, 0);
	got("lazy", mmap(mem, 4 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	got("part of it", mmap(mem + 3 * PAGE, 64 * PAGE, RW,
			       ANON | MAP_FIXED_NOREPLACE, -1, 0));
	got("the kernel's",
	    mmap(code, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	got("the kernel over lazy",
	    mmap(mem, PAGE, RWX, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	note("free: %d",
	     mmap(at, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == at);
	got("with MAP_FIXED",
	    mmap(mem, PAGE, RW, ANON | MAP_FIXED | MAP_FIXED_NOREPLACE, -1, 0));
	see("nothing happened", mem);
	see("nothing happened", mem + 3 * PAGE);
}

CASE("MAP_FIXED", "the same file again, page by page, in another order")
{
	int fd = file_of(16 * PAGE);
	char *mem = map(NULL, 16 * PAGE, RW, MAP_SHARED, fd, 0);

	for (size_t i = 0; i < 16; i++)
		need(mmap(mem + i * PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd,
			  (off_t)((15 - i) * PAGE)) == mem + i * PAGE);
	for (size_t i = 0; i < 16; i += 5)
		see_pattern("page", mem + i * PAGE, PAGE, (15 - i) * PAGE);
	put("write", mem, 9);
	file_see("at the end", fd, 15 * PAGE);
}

/* -- Not lazy -------------------------------------------------------------------- */

CASE("not lazy", "code in anonymous memory runs")
{
#if defined(__x86_64__)
	char *mem = map(NULL, PAGE, RWX, ANON, -1, 0);

	memcpy(mem, "\xb8\x2a\0\0\0\xc3", 6);
	execute("result", mem);
#else
	skip("machine code of x86-64 only");
#endif
}

CASE("not lazy", "MAP_GROWSDOWN grows at a touch below it")
{
	char *at = room(300) + 200 * PAGE;
	char *mem =
		map(at, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	put("inside", mem, 1);
	put("below", mem - 8, 2);
	see("below", mem - 8);
}

static void *on_its_stack(void *argument)
{
	char local[64];

	memset(local, 3, sizeof(local));
	note("on the stack: %d",
	     local > (char *)argument && local < (char *)argument + 64 * PAGE);
	return NULL;
}

CASE("not lazy", "a thread on a stack mapped with MAP_STACK")
{
	char *mem = map(NULL, 64 * PAGE, RW, ANON | MAP_STACK, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	need(pthread_attr_setstack(&attr, mem, 64 * PAGE) == 0);
	need(pthread_create(&thread, &attr, on_its_stack, mem) == 0);
	pthread_join(thread, NULL);
}

CASE("not lazy", "MAP_HUGETLB")
{
	char *mem = mmap(NULL, (size_t)4 << 20, RW,
			 ANON | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);

	got("2 MiB pages", mem);
	if (mem != MAP_FAILED)
		put("touched", mem, 1);
	got("a size that no machine has",
	    mmap(NULL, PAGE, RW, ANON | MAP_HUGETLB | (13 << MAP_HUGE_SHIFT),
		 -1, 0));
}

CASE("not lazy", "/dev/zero, private and shared")
{
	int fd = open("/dev/zero", O_RDWR);
	char *mem = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	see("zero", mem);
	put("write", mem + PAGE, 1);
	see("write", mem + PAGE);
	mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	see("zero", mem);
	put("write", mem + PAGE, 1);
	see("write", mem + PAGE);
	ret("munmap", munmap(mem, 2 * PAGE));
	see("gone", mem + PAGE);
	see("the rest", mem + 3 * PAGE);
}
