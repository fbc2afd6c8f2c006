/*
 * unmap.c -- munmap, and mprotect.
 *
 * SPDX-License-Identifier: MIT
 */
#include "semantics.h"

CASE("munmap", "the errors")
{
	char *mem = letters(4);

	ret("misaligned", munmap(mem + 1, PAGE));
	ret("length 0", munmap(mem, 0));
	ret("too long", munmap(mem, (size_t)1 << 62));
	ret("wraps", munmap(mem, SIZE_MAX));
	ret("outside", munmap((void *)((uintptr_t)1 << 60), PAGE));
	ret("nothing there", munmap(room(4), 4 * PAGE));
	see("still", mem);
	ret("a part of a page", munmap(mem, 1));
	see("the whole page", mem + 5);
	see("the next", mem + PAGE);
}

CASE("munmap", "head, middle and tail of an area")
{
	char *at = room(16), *mem;

	mem = map(at, 8 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	memset(mem, 'm', 8 * PAGE);
	ret("head", munmap(mem, PAGE));
	ret("middle", munmap(mem + 3 * PAGE, 2 * PAGE));
	ret("tail", munmap(mem + 7 * PAGE, PAGE));
	for (size_t i = 0; i < 8; i++)
		see("page", mem + i * PAGE);
	ret("again", munmap(mem + 3 * PAGE, 2 * PAGE));
	note("free again: %d",
	     mmap(mem + 3 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1,
		  0) == mem + 3 * PAGE);
	see("zeros", mem + 3 * PAGE);
}

CASE("munmap", "several areas, kernel mappings and holes in one call")
{
	char *at = room(16);
	int fd = file_of(4 * PAGE);

	map(at, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	map(at + 3 * PAGE, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	map(at + 5 * PAGE, 2 * PAGE, RWX, ANON | MAP_FIXED, -1, 0);
	map(at + 8 * PAGE, 4 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
	for (size_t i = 0; i < 12; i++)
		put("page", at + i * PAGE, 'p');
	ret("munmap", munmap(at + PAGE, 9 * PAGE));
	for (size_t i = 0; i < 12; i++)
		see("page", at + i * PAGE);
	file_see("shared data", fd, 0);
	file_see("shared data", fd, PAGE);
}

CASE("munmap", "memory mapped again is zero, and the file's again")
{
	char *mem = letters(4);
	int fd = file_of(4 * PAGE);

	need(munmap(mem, 4 * PAGE) == 0);
	map(mem, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	see("zero", mem);
	see("zero", mem + 3 * PAGE);
	map(mem, 4 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
	put("private", mem, 1);
	need(munmap(mem, 4 * PAGE) == 0);
	map(mem, 4 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
	see_pattern("file", mem, 4 * PAGE, 0);
}

/* What grew, beyond what a first use makes grow. */
static void cycles(size_t times, size_t len, size_t step)
{
	long size = 0, rss = 0;

	for (size_t i = 0; i < times; i++) {
		char *mem = mmap(NULL, len, RW, ANON, -1, 0);

		need(mem != MAP_FAILED);
		for (size_t at = 0; at < len; at += step)
			mem[at] = 1;
		need(munmap(mem, len) == 0);
		if (i == times / 100) {
			size = status_kib("VmSize:");
			rss = resident_kib();
		}
	}
	note("address space grew: %d", status_kib("VmSize:") - size > 256);
	note("memory grew: %d", resident_kib() - rss > 256);
}

CASE("munmap", "a million cycles of mapping and unmapping grow nothing")
{
	const char *times = getenv("SEM_CYCLES");

	cycles(times ? strtoul(times, NULL, 10) : 100000, 16 * PAGE, 64 * PAGE);
}

CASE("munmap", "cycles of large areas, touched here and there, grow nothing")
{
	cycles(1000, (size_t)64 << 20, (size_t)5 << 20);
}

CASE("munmap", "cycles over ever other addresses grow nothing")
{
	char *mem[64] = { NULL };
	long size = 0, rss = 0;

	for (unsigned i = 0; i < 20000; i++) {
		unsigned k = i * 2654435761u >> 26;
		size_t len = (1 + i % 7) * 64 * PAGE;

		if (mem[k])
			need(munmap(mem[k], 7 * 64 * PAGE) == 0);
		mem[k] = map(NULL, 7 * 64 * PAGE, RW, ANON, -1, 0);
		mem[k][len - PAGE] = 1;
		if (i == 10000) {
			size = status_kib("VmSize:");
			rss = resident_kib();
		}
	}
	note("address space grew: %d", status_kib("VmSize:") - size > 4096);
	note("memory grew: %d", resident_kib() - rss > 1024);
}

/* -- mprotect ----------------------------------------------------------------------- */

CASE("mprotect", "the errors")
{
	char *at = room(8), *mem;

	mem = map(at, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	ret("misaligned", mprotect(mem + 1, PAGE, PROT_READ));
	ret("length 0", mprotect(mem, 0, PROT_READ));
	ret("length 0, nothing there", mprotect(at + 6 * PAGE, 0, PROT_READ));
	ret("nothing there", mprotect(at + 6 * PAGE, PAGE, PROT_READ));
	ret("wraps", mprotect(mem, SIZE_MAX - PAGE, PROT_READ));
	ret("far too long", mprotect(mem, (size_t)1 << 62, PROT_READ));
	ret("bad bits", mprotect(mem, PAGE, 0x100));
	ret("growsdown", mprotect(mem, PAGE, PROT_READ | PROT_GROWSDOWN));
	ret("both", mprotect(mem, PAGE, PROT_GROWSUP | PROT_GROWSDOWN));
	put("what is there was changed", mem + PAGE, 1);
}

CASE("mprotect", "a range with a hole: what is before it is changed")
{
	char *at = room(8);

	map(at, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	map(at + 3 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	ret("mprotect", mprotect(at, 5 * PAGE, PROT_READ));
	put("before", at, 1);
	put("behind", at + 3 * PAGE, 1);
	ret("begins in a hole", mprotect(at + 2 * PAGE, 2 * PAGE, PROT_READ));
	put("behind", at + 3 * PAGE, 2);
}

CASE("mprotect", "absent, read and written pages lose and get back access")
{
	int fd = file_of(6 * PAGE);
	char *kinds[3];

	kinds[0] = map(NULL, 6 * PAGE, RW, ANON, -1, 0);
	kinds[1] = map(NULL, 6 * PAGE, RW, MAP_PRIVATE, fd, 0);
	kinds[2] = map(NULL, 6 * PAGE, RW, MAP_SHARED, fd, 0);
	for (int k = 0; k < 3; k++) {
		char *mem = kinds[k];

		note("kind %d", k);
		see("read", mem + PAGE);
		put("written", mem + 2 * PAGE, 200);
		ret("PROT_NONE", mprotect(mem, 6 * PAGE, PROT_NONE));
		see("absent", mem);
		see("read", mem + PAGE);
		put("written", mem + 2 * PAGE, 1);
		ret("PROT_READ", mprotect(mem, 6 * PAGE, PROT_READ));
		see("absent", mem);
		see("read", mem + PAGE);
		see("written", mem + 2 * PAGE);
		put("write", mem + 2 * PAGE, 1);
		put("write", mem + 3 * PAGE, 1);
		ret("both", mprotect(mem, 6 * PAGE, RW));
		see("written", mem + 2 * PAGE);
		put("write", mem + 2 * PAGE, 201);
		put("write", mem + 4 * PAGE, 202);
		put("write", mem + PAGE, 203);
		see("write", mem + 2 * PAGE);
		see("write", mem + 4 * PAGE);
		see("beside it", mem + PAGE + 1);
	}
	file_see("private stayed so", fd, 3 * PAGE);
}

CASE("mprotect", "parts of an area, and together again")
{
	char *mem = letters(8);

	ret("middle", mprotect(mem + 2 * PAGE, 3 * PAGE, PROT_READ));
	for (size_t i = 1; i < 6; i++)
		put("page", mem + i * PAGE, 'x');
	ret("over the border", mprotect(mem + 4 * PAGE, 3 * PAGE, PROT_NONE));
	for (size_t i = 3; i < 8; i++)
		see("page", mem + i * PAGE);
	ret("all", mprotect(mem, 8 * PAGE, RW));
	for (size_t i = 0; i < 8; i++)
		put("page", mem + i * PAGE + 1, 'y');
	see("content", mem + 2 * PAGE);
	got("one again", mremap(mem, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE));
}

CASE("mprotect", "over lazy and kernel memory together")
{
	char *at = room(8);

	map(at, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	map(at + 2 * PAGE, 2 * PAGE, RWX, ANON | MAP_FIXED, -1, 0);
	map(at + 4 * PAGE, 2 * PAGE, RW, SHARED_ANON | MAP_FIXED, -1, 0);
	put("lazy", at, 1);
	put("kernel's", at + 2 * PAGE, 2);
	ret("mprotect", mprotect(at + PAGE, 4 * PAGE, PROT_READ));
	for (size_t i = 0; i < 6; i++) {
		see("page", at + i * PAGE);
		put("page", at + i * PAGE, 9);
	}
}

CASE("mprotect", "PROT_WRITE on a shared file opened for reading")
{
	const char *name = name_of("ro");
	int fd = open(name, O_RDWR | O_CREAT, 0600), ro;
	char *mem;

	need(fd >= 0 && ftruncate(fd, PAGE) == 0);
	ro = open(name, O_RDONLY);
	unlink(name);
	mem = map(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	ret("shared", mprotect(mem, PAGE, RW));
	see("readable as before", mem);
	put("and no more", mem, 1);
	mem = map(NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 0);
	ret("private", mprotect(mem, PAGE, RW));
	put("private", mem, 1);
}

CASE("mprotect", "data becomes code, and data again")
{
#if defined(__x86_64__)
	char *mem = map(NULL, 4 * PAGE, RW, ANON, -1, 0);

	memcpy(mem + PAGE, "\xb8\x2b\0\0\0\xc3", 6);
	execute("not yet", mem + PAGE);
	ret("code", mprotect(mem, 4 * PAGE, PROT_READ | PROT_EXEC));
	execute("result", mem + PAGE);
	put("not writable", mem + PAGE, 0);
	ret("data", mprotect(mem, 4 * PAGE, RW));
	execute("no more", mem + PAGE);
	put("writable", mem + PAGE + 1, 0x2c);
	ret("all", mprotect(mem, 4 * PAGE, RWX));
	execute("result", mem + PAGE);
#else
	skip("machine code of x86-64 only");
#endif
}

CASE("mprotect", "code in a file, mapped as data first")
{
#if defined(__x86_64__)
	int fd = file_of(2 * PAGE);
	char *mem;

	need(pwrite(fd, "\xb8\x2d\0\0\0\xc3", 6, PAGE) == 6);
	mem = map(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	ret("code", mprotect(mem, 2 * PAGE, PROT_READ | PROT_EXEC));
	execute("result", mem + PAGE);
	ret("only code", mprotect(mem, 2 * PAGE, PROT_EXEC));
	execute("result", mem + PAGE);
#else
	skip("machine code of x86-64 only");
#endif
}

CASE("mprotect", "an absent page is filled at the first touch after it")
{
	char *mem = map(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE,
			file_of(4 * PAGE), 0);

	see("none", mem);
	ret("mprotect", mprotect(mem + PAGE, 2 * PAGE, PROT_READ));
	see_pattern("content", mem + PAGE, 2 * PAGE, PAGE);
	see("before", mem);
	see("behind", mem + 3 * PAGE);
}

CASE("mprotect", "every page on its own")
{
	char *mem = letters(26);
	unsigned wrong = 0;

	for (size_t i = 0; i < 26; i += 2)
		need(mprotect(mem + i * PAGE, PAGE, PROT_READ) == 0);
	put("odd", mem + PAGE, 'B');
	put("even", mem + 2 * PAGE, 'C');
	for (size_t i = 0; i < 26; i += 2)
		need(mprotect(mem + i * PAGE, PAGE, RW) == 0);
	put("even", mem + 2 * PAGE, 'C');
	for (size_t i = 3; i < 26; i++)
		wrong += mem[i * PAGE + 1] != (char)('a' + i);
	note("wrong: %u", wrong);
}
