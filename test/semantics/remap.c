/*
 * remap.c -- mremap.
 *
 * SPDX-License-Identifier: MIT
 */
#include "semantics.h"

CASE("mremap", "the errors")
{
	char *mem = letters(4), *other = letters(4), *at = room(16);

	got("misaligned", mremap(mem + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	got("new length 0", mremap(mem, PAGE, 0, MREMAP_MAYMOVE));
	got("unknown flag", mremap(mem, PAGE, PAGE, 0x80));
	got("fixed without maymove", mremap(mem, PAGE, PAGE, MREMAP_FIXED, at));
	got("dontunmap without maymove",
	    mremap(mem, PAGE, PAGE, MREMAP_DONTUNMAP, NULL));
	got("dontunmap, other length",
	    mremap(mem, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
		   NULL));
	got("fixed, misaligned",
	    mremap(mem, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + 1));
	got("fixed, onto itself",
	    mremap(mem, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   mem + PAGE));
	got("fixed, outside",
	    mremap(mem, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   (void *)((uintptr_t)1 << 60)));
	got("nothing there", mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	got("far too long", mremap(mem, PAGE, (size_t)1 << 62, MREMAP_MAYMOVE));
	got("old length 0 of private", mremap(mem, 0, PAGE, MREMAP_MAYMOVE));
	see("still", mem);
	see("still", other);
}

CASE("mremap", "shrinking gives the rest back")
{
	char *mem = letters(8);

	note("in place: %d", mremap(mem, 8 * PAGE, 3 * PAGE, 0) == mem);
	see("kept", mem + 2 * PAGE);
	see("gone", mem + 3 * PAGE);
	see("gone", mem + 7 * PAGE);
	note("same: %d", mremap(mem, 3 * PAGE, 3 * PAGE, 0) == mem);
	note("part of a page: %d", mremap(mem, 3 * PAGE, PAGE + 1, 0) == mem);
	see("kept", mem + 2 * PAGE - 1);
	see("gone", mem + 2 * PAGE);
}

CASE("mremap", "growing in place where there is room")
{
	char *at = room(16), *mem;

	mem = map(at, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	put("before", mem + PAGE, 'b');
	note("in place: %d", mremap(mem, 2 * PAGE, 6 * PAGE, 0) == mem);
	see("kept", mem + PAGE);
	see("new", mem + 5 * PAGE);
	put("new", mem + 5 * PAGE, 'n');
	see("new", mem + 5 * PAGE);
	see("behind", mem + 6 * PAGE);
}

CASE("mremap", "no room in place: ENOMEM, or a move")
{
	char *at = room(16), *mem, *moved;

	mem = map(at, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	map(at + 2 * PAGE, PAGE, PROT_READ, SHARED_ANON | MAP_FIXED, -1, 0);
	memset(mem, 'q', 2 * PAGE);
	got("in place", mremap(mem, 2 * PAGE, 4 * PAGE, 0));
	see("still", mem);
	moved = got("move", mremap(mem, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE));
	note("elsewhere: %d", moved != mem);
	see_all("content", moved, 4 * PAGE);
	put("writable", moved + 3 * PAGE, 1);
	see("gone", mem);
}

CASE("mremap", "content and state of each page move along")
{
	int fd = file_of(8 * PAGE);
	char *mem = map(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0), *at = room(8);

	see("read", mem + PAGE);
	put("written", mem + 3 * PAGE, 200);
	note("moved: %d", mremap(mem, 8 * PAGE, 8 * PAGE,
				 MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
	see("old place", mem + 3 * PAGE);
	see("written", at + 3 * PAGE);
	see_pattern("read", at + PAGE, PAGE, PAGE);
	see_pattern("absent", at + 6 * PAGE, PAGE, 6 * PAGE);
	put("write", at + PAGE, 201);
	put("write", at + 6 * PAGE, 202);
	file_see("file", fd, PAGE);
	file_see("file", fd, 3 * PAGE);
}

CASE("mremap", "a part of an area moves; the rest stays")
{
	char *mem = letters(8), *at = room(8);

	note("moved: %d", mremap(mem + 2 * PAGE, 3 * PAGE, 3 * PAGE,
				 MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
	for (size_t i = 0; i < 8; i++)
		see("old", mem + i * PAGE);
	for (size_t i = 0; i < 3; i++)
		see("new", at + i * PAGE);
	put("new", at + PAGE, 'X');
}

CASE("mremap", "MREMAP_FIXED over other areas, and over the kernel's")
{
	char *mem = letters(2), *lazy = letters(4);
	char *code = map(NULL, 2 * PAGE, RWX, ANON, -1, 0);
	void *moved;

	moved = mremap(mem, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       lazy + PAGE);
	note("over lazy: %d", moved == lazy + PAGE);
	for (size_t i = 0; i < 4; i++)
		see("page", lazy + i * PAGE);
	moved = mremap(lazy + PAGE, 2 * PAGE, 2 * PAGE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, code);
	note("over code: %d", moved == code);
	see("page", code + PAGE);
	execute("no code any more", code);
}

CASE("mremap", "the kernel's memory moves over a lazy area")
{
	char *lazy = letters(4), *code = map(NULL, 2 * PAGE, RWX, ANON, -1, 0);

	memset(code, 'k', 2 * PAGE);
	note("moved: %d",
	     mremap(code, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    lazy + PAGE) == lazy + PAGE);
	for (size_t i = 0; i < 4; i++)
		see("page", lazy + i * PAGE);
	see("old", code);
}

CASE("mremap", "MREMAP_FIXED with another length")
{
	char *mem = letters(4), *at = room(16);

	note("longer: %d", mremap(mem, 4 * PAGE, 8 * PAGE,
				  MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
	see("content", at + 3 * PAGE);
	see("new", at + 7 * PAGE);
	note("shorter: %d",
	     mremap(at, 8 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    at + 8 * PAGE) == at + 8 * PAGE);
	see("content", at + 9 * PAGE);
	see("gone", at + 10 * PAGE);
	see("gone", at);
	see("gone", at + 5 * PAGE);
}

CASE("mremap", "MREMAP_DONTUNMAP leaves an empty area behind")
{
	char *mem = letters(4), *moved;

	moved = got("move", mremap(mem, 4 * PAGE, 4 * PAGE,
				   MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	see("moved", moved + 2 * PAGE);
	see("left", mem + 2 * PAGE);
	put("left", mem + 2 * PAGE, 1);
	see("moved", moved + 2 * PAGE);
}

CASE("mremap", "MREMAP_DONTUNMAP of a file")
{
	int fd = file_of(4 * PAGE);
	char *mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0), *moved;

	put("before", mem, 200);
	moved = mremap(mem, 4 * PAGE, 4 * PAGE,
		       MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (moved == MAP_FAILED)
		skip("Linux 5.13");
	see("moved", moved);
	see("left", mem);
	put("moved", moved + PAGE, 201);
	see("left", mem + PAGE);
}

CASE("mremap", "a shared file grows beyond its mapping, and moves")
{
	int fd = file_of(8 * PAGE);
	char *mem = map(NULL, 2 * PAGE, RW, MAP_SHARED, fd, PAGE), *moved;

	put("before", mem, 200);
	moved = got("move", mremap(mem, 2 * PAGE, 12 * PAGE, MREMAP_MAYMOVE));
	see("kept", moved);
	see_pattern("more of the file", moved + 2 * PAGE, 5 * PAGE, 3 * PAGE);
	see("behind the end", moved + 7 * PAGE);
	put("store", moved + 6 * PAGE, 201);
	file_see("file", fd, 7 * PAGE);
}

CASE("mremap", "shared anonymous memory has the length it was made with")
{
	char *mem = map(NULL, 2 * PAGE, RW, SHARED_ANON, -1, 0), *moved;

	put("before", mem + PAGE, 5);
	moved = got("move", mremap(mem, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE));
	see("kept", moved + PAGE);
	see("behind its end", moved + 2 * PAGE);
}

CASE("mremap", "old length 0 makes a second mapping of shared memory")
{
	char *mem = map(NULL, 4 * PAGE, RW, SHARED_ANON, -1, 0), *twin;

	put("before", mem + PAGE, 5);
	twin = got("twin", mremap(mem, 0, 4 * PAGE, MREMAP_MAYMOVE));
	see("same", twin + PAGE);
	put("twin", twin + 2 * PAGE, 6);
	see("same", mem + 2 * PAGE);
	ret("munmap", munmap(mem, 4 * PAGE));
	see("lives on", twin + PAGE);
}

CASE("mremap", "a range of two areas")
{
	char *at = room(8);

	map(at, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	map(at + 2 * PAGE, 2 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0);
	put("before", at + PAGE, 5);
	got("grown", mremap(at, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE));
	got("moved", mremap(at, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE));
	got("with a hole", mremap(at, 6 * PAGE, 8 * PAGE, MREMAP_MAYMOVE));
	note("shrunk: %d", mremap(at, 4 * PAGE, 3 * PAGE, 0) == at);
	see("first", at + PAGE);
	see("second", at + 2 * PAGE);
	see("cut", at + 3 * PAGE);
}

CASE("mremap", "several areas move at once, where the kernel can")
{
	char *at = room(8), *to;
	void *moved;

	if (!kernel_is(6, 17))
		skip("Linux 6.17");
	map(at, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	map(at + 2 * PAGE, 2 * PAGE, PROT_READ, SHARED_ANON | MAP_FIXED, -1, 0);
	map(at + 5 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	put("before", at + PAGE, 5);
	put("before", at + 5 * PAGE, 6);
	to = room(8);
	moved = mremap(at, 6 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       to);
	got("moved", moved);
	for (size_t i = 0; i < 6; i++) {
		see("page", to + i * PAGE);
		put("page", to + i * PAGE, 9);
	}
	see("old", at);
}

/* Executable memory is never lazy. */
CASE("mremap", "a hole among what moves leaves what is at its place")
{
	char *at = room(32), *to = at + 16 * PAGE;

	if (!kernel_is(6, 17))
		skip("Linux 6.17");
	map(at, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	plain_map(at + 4 * PAGE, 2 * PAGE, RWX, ANON | MAP_FIXED, -1, 0);
	plain_map(at + 7 * PAGE, PAGE, RWX, ANON | MAP_FIXED, -1, 0);
	map(to, 9 * PAGE, RW, SHARED_ANON | MAP_FIXED, -1, 0);
	memset(to, 't', 9 * PAGE);
	put("first", at, 1);
	put("behind the hole", at + 5 * PAGE, 2);
	put("behind the next", at + 7 * PAGE, 3);
	got("moved",
	    mremap(at, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	for (size_t i = 0; i < 9; i++)
		see("there", to + i * PAGE);
	for (size_t i = 0; i < 8; i++)
		see("old", at + i * PAGE);
	/* The same, of such memory alone. */
	plain_map(at, PAGE, RWX, ANON | MAP_FIXED, -1, 0);
	plain_map(at + 3 * PAGE, PAGE, RWX, ANON | MAP_FIXED, -1, 0);
	map(to, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	memset(to, 'u', 4 * PAGE);
	put("last", at + 3 * PAGE, 4);
	got("moved",
	    mremap(at, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	for (size_t i = 0; i < 4; i++)
		see("there", to + i * PAGE);
}

CASE("mremap", "what is cut off before a move may be anything")
{
	char *at = room(32), *to = at + 16 * PAGE;

	map(at, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	map(at + 4 * PAGE, 2 * PAGE, PROT_READ, SHARED_ANON | MAP_FIXED, -1, 0);
	put("before", at + 2 * PAGE, 5);
	got("moved",
	    mremap(at, 8 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	see("there", to + 2 * PAGE);
	see("cut off", at + 3 * PAGE);
	see("cut off", at + 4 * PAGE);
}

CASE("mremap", "to and fro, a hundred times")
{
	char *mem = letters(16), *other = room(16);
	unsigned wrong = 0;

	for (int i = 0; i < 100; i++) {
		void *moved = mremap(mem, 16 * PAGE, 16 * PAGE,
				     MREMAP_MAYMOVE | MREMAP_FIXED, other);
		need(moved == other);
		other = mem;
		mem = moved;
		mem[(i % 16) * PAGE + 1]++;
	}
	for (size_t i = 0; i < 16; i++)
		wrong += mem[i * PAGE] != (char)('a' + i);
	note("wrong: %u", wrong);
	see_all("all", mem, 16 * PAGE);
}

CASE("mremap", "growing step by step keeps all")
{
	size_t pages = 1;
	char *mem = letters(1);
	unsigned wrong = 0;

	while (pages < 300) {
		size_t more = pages + 1 + pages / 3;

		mem = mremap(mem, pages * PAGE, more * PAGE, MREMAP_MAYMOVE);
		need(mem != MAP_FAILED);
		for (size_t i = pages; i < more; i++)
			mem[i * PAGE] = (char)i;
		pages = more;
	}
	for (size_t i = 1; i < pages; i++)
		wrong += mem[i * PAGE] != (char)i;
	note("pages %zu, wrong %u", pages, wrong);
}

CASE("mremap", "locked memory stays locked and present")
{
	char *mem = letters(4), *at = room(4);

	ret("mlock", mlock(mem, 4 * PAGE));
	need(mremap(mem, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    at) == at);
	note("locked: %ld KiB", status_kib("VmLck:"));
	see_core("present", at, 4);
}

CASE("mremap", "read-only and inaccessible memory moves too")
{
	char *mem = letters(4), *at = room(8);

	need(mprotect(mem, 2 * PAGE, PROT_READ) == 0);
	need(mremap(mem, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    at) == at);
	see("readable", at);
	put("not writable", at, 1);
	need(mprotect(mem + 2 * PAGE, 2 * PAGE, PROT_NONE) == 0);
	need(mremap(mem + 2 * PAGE, 2 * PAGE, 2 * PAGE,
		    MREMAP_MAYMOVE | MREMAP_FIXED,
		    at + 4 * PAGE) == at + 4 * PAGE);
	see("no access", at + 4 * PAGE);
	ret("mprotect", mprotect(at + 4 * PAGE, 2 * PAGE, RW));
	see("its content", at + 4 * PAGE);
}
