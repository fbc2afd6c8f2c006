/*
 * advise.c -- msync, madvise, posix_madvise, mincore, mlock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "semantics.h"

#include <sys/resource.h>

/* -- msync ------------------------------------------------------------------------ */

CASE("msync", "the errors")
{
	char *at = room(8), *mem;

	mem = map(at, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, file_of(2 * PAGE),
		  0);
	ret("misaligned", msync(mem + 1, PAGE, MS_SYNC));
	ret("both", msync(mem, PAGE, MS_SYNC | MS_ASYNC));
	ret("unknown flag", msync(mem, PAGE, 8));
	ret("no flag", msync(mem, PAGE, 0));
	ret("length 0", msync(mem, 0, MS_SYNC));
	ret("nothing there", msync(at + 4 * PAGE, PAGE, MS_SYNC));
	ret("a hole behind", msync(mem, 4 * PAGE, MS_SYNC));
	ret("a hole before", msync(mem - PAGE, 2 * PAGE, MS_ASYNC));
	ret("far too long", msync(mem, (size_t)1 << 62, MS_SYNC));
	ret("wraps", msync(mem, SIZE_MAX - PAGE, MS_SYNC));
}

CASE("msync", "each kind of memory, each flag")
{
	static const int flags[] = { MS_SYNC, MS_ASYNC, MS_INVALIDATE,
				     MS_SYNC | MS_INVALIDATE,
				     MS_ASYNC | MS_INVALIDATE };
	int fd = file_of(4 * PAGE);
	char *shared = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	char *private = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	char *anon = letters(4);
	char *none = map(NULL, 4 * PAGE, PROT_NONE, MAP_SHARED, fd, 0);

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		put("shared", shared + PAGE, (int)i + 1);
		put("private", private + PAGE, (int)i + 101);
		note("flags %d", flags[i]);
		ret("shared", msync(shared, 4 * PAGE, flags[i]));
		ret("private", msync(private, 4 * PAGE, flags[i]));
		ret("anonymous", msync(anon, 4 * PAGE, flags[i]));
		ret("no access", msync(none, 4 * PAGE, flags[i]));
		see("shared", shared + PAGE);
		see("private", private + PAGE);
		file_see("file", fd, PAGE);
	}
}

CASE("msync", "MS_INVALIDATE of locked memory is EBUSY")
{
	char *mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, file_of(4 * PAGE), 0);

	ret("mlock", mlock(mem + PAGE, PAGE));
	ret("locked", msync(mem, 4 * PAGE, MS_SYNC | MS_INVALIDATE));
	ret("without", msync(mem, 4 * PAGE, MS_SYNC));
	ret("beside it", msync(mem + 2 * PAGE, PAGE, MS_SYNC | MS_INVALIDATE));
	ret("munlock", munlock(mem + PAGE, PAGE));
	ret("unlocked", msync(mem, 4 * PAGE, MS_SYNC | MS_INVALIDATE));
}

/* -- madvise ----------------------------------------------------------------------- */

static const struct {
	int advice;
	const char *name;
} advices[] = {
	{ 0, "NORMAL" },
	{ 1, "RANDOM" },
	{ 2, "SEQUENTIAL" },
	{ 3, "WILLNEED" },
	{ 4, "DONTNEED" },
	{ 5, "5" },
	{ 8, "FREE" },
	{ 9, "REMOVE" },
	{ 10, "DONTFORK" },
	{ 11, "DOFORK" },
	{ 12, "MERGEABLE" },
	{ 13, "UNMERGEABLE" },
	{ 14, "HUGEPAGE" },
	{ 15, "NOHUGEPAGE" },
	{ 16, "DONTDUMP" },
	{ 17, "DODUMP" },
	{ 18, "WIPEONFORK" },
	{ 19, "KEEPONFORK" },
	{ 20, "COLD" },
	{ 21, "PAGEOUT" },
	{ 22, "POPULATE_READ" },
	{ 23, "POPULATE_WRITE" },
	{ 24, "DONTNEED_LOCKED" },
	{ 26, "26" },
	{ 99, "99" },
	{ 102, "GUARD_INSTALL" },
	{ 103, "GUARD_REMOVE" },
	{ -1, "-1" },
};

/* What each advice says of the mapping, and what is left of its bytes. */
static void every_advice(int prot, int flags, size_t file, bool touched)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		int fd = file ? file_of(file) : -1;
		char *mem = map(NULL, 8 * PAGE, prot, flags, fd, 0);

		if (touched) {
			mem[PAGE] = 100;
			mem[3 * PAGE] = 101;
		}
		ret(advices[i].name,
		    madvise(mem + 2 * PAGE, 4 * PAGE, advices[i].advice));
		/* It may be any of two, and that is all that is promised. */
		if (touched && advices[i].advice == MADV_FREE)
			*(volatile char *)(mem + 3 * PAGE) = 101;
		see("before", mem + PAGE);
		see("touched", mem + 3 * PAGE);
		see("untouched", mem + 4 * PAGE);
		if (prot & PROT_WRITE)
			put("write", mem + 4 * PAGE, 102);
		see("written", mem + 4 * PAGE);
		if (fd >= 0) {
			file_see("file", fd, 3 * PAGE);
			close(fd);
		}
		need(munmap(mem, 8 * PAGE) == 0);
	}
}

CASE("madvise", "every advice, on private anonymous memory")
{
	every_advice(RW, ANON, 0, true);
}

CASE("madvise", "every advice, on shared anonymous memory")
{
	every_advice(RW, SHARED_ANON, 0, true);
}

CASE("madvise", "every advice, on a private file")
{
	every_advice(RW, MAP_PRIVATE, 8 * PAGE, true);
}

CASE("madvise", "every advice, on a shared file")
{
	every_advice(RW, MAP_SHARED, 8 * PAGE, true);
}

CASE("madvise", "every advice, on memory that may not be written")
{
	/* GUARD_INSTALL is asked for write access by some kernels only, and
	 * says so by EINVAL. */
	every_advice(PROT_READ, MAP_PRIVATE, 8 * PAGE, false);
}

CASE("madvise", "every advice, on memory without access")
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		char *mem = letters(4);

		need(mprotect(mem, 4 * PAGE, PROT_NONE) == 0);
		ret(advices[i].name, madvise(mem, 4 * PAGE, advices[i].advice));
		see("no access", mem);
		need(mprotect(mem, 4 * PAGE, RW) == 0);
		if (advices[i].advice != MADV_FREE)
			see("after", mem + PAGE);
		need(munmap(mem, 4 * PAGE) == 0);
	}
}

CASE("madvise", "every advice, beyond the end of the file")
{
	every_advice(RW, MAP_SHARED, 4 * PAGE, true);
}

CASE("madvise", "the errors")
{
	char *at = room(8), *mem;

	mem = map(at, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	memset(mem, 'm', 2 * PAGE);
	ret("misaligned", madvise(mem + 1, PAGE, MADV_DONTNEED));
	ret("length 0", madvise(mem, 0, MADV_DONTNEED));
	ret("length 0, unknown", madvise(mem, 0, 12345));
	ret("wraps", madvise(mem, SIZE_MAX - PAGE, MADV_DONTNEED));
	ret("far too long", madvise(mem, (size_t)1 << 62, MADV_NORMAL));
	see("still", mem);
	ret("nothing there", madvise(at + 4 * PAGE, PAGE, MADV_DONTNEED));
	ret("nothing there", madvise(at + 4 * PAGE, PAGE, MADV_WILLNEED));
	ret("a hole behind", madvise(mem, 4 * PAGE, MADV_DONTNEED));
	see("what is there was done", mem);
	put("again", mem, 'n');
	ret("a hole before", madvise(at - PAGE, 2 * PAGE, MADV_DONTNEED));
	see("what is there was done", mem);
	ret("a hole behind", madvise(mem, 4 * PAGE, MADV_POPULATE_READ));
}

CASE("madvise", "DONTNEED: anonymous memory is zero, a file is the file")
{
	int fd = file_of(8 * PAGE);
	char *anon = letters(8), *file, *shared;

	file = map(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);
	shared = map(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	memset(file, 'f', 8 * PAGE);
	put("shared", shared + 3 * PAGE, 's');
	ret("anonymous", madvise(anon + 2 * PAGE, 4 * PAGE, MADV_DONTNEED));
	ret("file", madvise(file + 2 * PAGE, 4 * PAGE, MADV_DONTNEED));
	ret("shared", madvise(shared + 2 * PAGE, 4 * PAGE, MADV_DONTNEED));
	for (size_t i = 1; i < 8; i += 2) {
		see("anonymous", anon + i * PAGE);
		see("file", file + i * PAGE);
		see("shared", shared + i * PAGE);
	}
	put("anonymous", anon + 2 * PAGE, 1);
	see("anonymous", anon + 2 * PAGE);
}

CASE("madvise", "DONTNEED of locked memory is EINVAL, DONTNEED_LOCKED is not")
{
	char *mem = letters(4);

	ret("mlock", mlock(mem, PAGE));
	ret("DONTNEED", madvise(mem, 4 * PAGE, MADV_DONTNEED));
	see("kept", mem);
	if (madvise(mem, 4 * PAGE, 24) < 0)
		skip("MADV_DONTNEED_LOCKED is of Linux 5.18");
	see("gone", mem);
}

CASE("madvise", "FREE: what is written after it stays")
{
	char *mem = letters(4);

	ret("FREE", madvise(mem, 4 * PAGE, MADV_FREE));
	put("write", mem, 'w');
	see("written", mem);
	note("old or zero: %d", mem[PAGE] == 0 || mem[PAGE] == 'b');
}

CASE("madvise", "REMOVE punches a hole into the file")
{
	int fd = file_of(8 * PAGE);
	char *mem = map(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);

	see("before", mem + 3 * PAGE);
	if (madvise(mem + 2 * PAGE, 4 * PAGE, MADV_REMOVE) < 0)
		skip("the file system has no holes to punch");
	file_see("file", fd, 3 * PAGE);
	see("read before", mem + 3 * PAGE);
	see("not read before", mem + 5 * PAGE);
	see("kept", mem + 6 * PAGE);
	put("write", mem + 3 * PAGE, 5);
	file_see("file", fd, 3 * PAGE);
}

CASE("madvise", "GUARD_INSTALL: SIGSEGV until GUARD_REMOVE, then zeros")
{
	char *mem = letters(4);

	if (madvise(mem + PAGE, 2 * PAGE, 102) < 0)
		skip("MADV_GUARD_INSTALL is of Linux 6.13");
	see("before", mem);
	see("guarded", mem + PAGE);
	put("guarded", mem + 2 * PAGE, 1);
	see("behind", mem + 3 * PAGE);
	ret("GUARD_REMOVE", madvise(mem + PAGE, 2 * PAGE, 103));
	see("zero", mem + PAGE);
	put("write", mem + 2 * PAGE, 1);
}

CASE("madvise", "POPULATE_READ and POPULATE_WRITE make present")
{
	char *mem = map(NULL, 8 * PAGE, RW, ANON, -1, 0);

	if (madvise(mem, 2 * PAGE, MADV_POPULATE_READ) < 0)
		skip("MADV_POPULATE_READ is of Linux 5.14");
	ret("write", madvise(mem + 4 * PAGE, 2 * PAGE, MADV_POPULATE_WRITE));
	see_core("written ones", mem + 4 * PAGE, 2);
	see("zero", mem + 4 * PAGE);
	mem = map(NULL, 8 * PAGE, PROT_READ, ANON, -1, 0);
	ret("write, forbidden", madvise(mem, PAGE, MADV_POPULATE_WRITE));
	need(mprotect(mem, PAGE, PROT_NONE) == 0);
	ret("read, forbidden", madvise(mem, PAGE, MADV_POPULATE_READ));
	mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, file_of(PAGE), 0);
	ret("behind the end", madvise(mem, 4 * PAGE, MADV_POPULATE_READ));
	ret("behind the end", madvise(mem, 4 * PAGE, MADV_POPULATE_WRITE));
}

static void look_at_letters(void *argument)
{
	char *mem = argument;

	see("child: first", mem);
	see("child: third", mem + 2 * PAGE);
}

CASE("madvise", "DONTFORK: the child does not have it")
{
	char *mem = letters(4);

	ret("DONTFORK", madvise(mem + 2 * PAGE, PAGE, MADV_DONTFORK));
	child("child", look_at_letters, mem);
	ret("DOFORK", madvise(mem + 2 * PAGE, PAGE, MADV_DOFORK));
	child("child", look_at_letters, mem);
	see("parent", mem + 2 * PAGE);
}

static void map_there(void *argument)
{
	char *mem = argument;

	got("child", mmap(mem, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	see("child", mem);
}

CASE("madvise", "DONTFORK: the child can map there, absent pages too")
{
	char *mem = map(NULL, 4 * PAGE, RW, ANON, -1, 0);

	ret("DONTFORK", madvise(mem, 4 * PAGE, MADV_DONTFORK));
	child("child", map_there, mem);
	see("parent", mem);
}

CASE("madvise", "WIPEONFORK: the child has zeros")
{
	char *mem = letters(4);

	ret("WIPEONFORK", madvise(mem + 2 * PAGE, PAGE, MADV_WIPEONFORK));
	child("child", look_at_letters, mem);
	see("parent", mem + 2 * PAGE);
	ret("KEEPONFORK", madvise(mem + 2 * PAGE, PAGE, MADV_KEEPONFORK));
	child("child", look_at_letters, mem);
}

CASE("posix_madvise", "every advice; the error is returned, errno is kept")
{
	char *at = room(8), *mem;

	mem = map(at, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	memset(mem, 'p', 4 * PAGE);
	errno = 99;
	for (int advice = 0; advice < 8; advice++)
		if (advice != MADV_DONTNEED)
			note("%d: %d", advice,
			     posix_madvise(mem, 4 * PAGE, advice));
	note("POSIX_MADV_DONTNEED: %d",
	     posix_madvise(mem, 4 * PAGE, POSIX_MADV_DONTNEED));
	see("loses nothing", mem);
	note("misaligned: %d", posix_madvise(mem + 1, PAGE, POSIX_MADV_NORMAL));
	note("nothing there: %d",
	     posix_madvise(at + 6 * PAGE, PAGE, POSIX_MADV_WILLNEED));
	note("errno: %d", errno);
}

/* -- mincore ------------------------------------------------------------------------- */

CASE("mincore", "the errors")
{
	char *at = room(8), *mem;
	unsigned char vec[16];

	mem = map(at, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	ret("misaligned", mincore(mem + 1, PAGE, vec));
	ret("length 0", mincore(mem, 0, vec));
	ret("nothing there", mincore(at + 6 * PAGE, PAGE, vec));
	ret("a hole behind", mincore(mem, 6 * PAGE, vec));
	ret("far too long", mincore(mem, (size_t)1 << 62, vec));
	ret("no vector", mincore(mem, PAGE, NULL));
	ret("a part of a page", mincore(mem, PAGE + 1, vec));
}

CASE("mincore", "anonymous pages: those that were touched")
{
	char *mem = map(NULL, 16 * PAGE, RW, ANON, -1, 0);

	see_core("fresh", mem, 16);
	put("write", mem + 3 * PAGE, 1);
	put("write", mem + 9 * PAGE, 1);
	/* One fault may bring its neighbours; these two are there. */
	see_core("the first", mem + 3 * PAGE, 1);
	see_core("the second", mem + 9 * PAGE, 1);
	ret("DONTNEED", madvise(mem, 16 * PAGE, MADV_DONTNEED));
	see_core("dropped", mem, 16);
}

CASE("mincore", "the vector may be lazy memory itself")
{
	char *mem = letters(4);
	unsigned char *vec = map(NULL, PAGE, RW, ANON, -1, 0);

	ret("mincore", mincore(mem, 4 * PAGE, vec));
	for (int i = 0; i < 5; i++)
		note("%d", vec[i] & 1);
	ret("read-only vector",
	    mincore(mem, PAGE, map(NULL, PAGE, PROT_READ, ANON, -1, 0)));
}

CASE("mincore", "a file's page that nobody touched here",
     .why = "mincore tells what lazymap holds present at this address. The "
	    "kernel tells what is in its page cache, whoever brought it "
	    "there.",
     .kernel = "untouched: 1111; touched: 1111",
     .lazymap = "untouched: 0000; touched: 1111")
{
	char *mem = map(NULL, 4 * PAGE, PROT_READ, MAP_SHARED,
			file_of(4 * PAGE), 0);

	see_core("untouched", mem, 4);
	for (size_t i = 0; i < 4; i++)
		need(mem[i * PAGE]);
	see_core("touched", mem, 4);
}

/* -- mlock ---------------------------------------------------------------------------- */

CASE("mlock", "present and locked, whole pages, until munlock")
{
	char *mem = map(NULL, 8 * PAGE, RW, ANON, -1, 0);

	ret("mlock", mlock(mem + 100, 3 * PAGE));
	see_core("present", mem, 4);
	note("locked: %ld KiB", status_kib("VmLck:"));
	ret("mlock again", mlock(mem, PAGE));
	note("locked: %ld KiB", status_kib("VmLck:"));
	ret("munlock", munlock(mem + PAGE, PAGE));
	note("locked: %ld KiB", status_kib("VmLck:"));
	ret("munlock", munlock(mem, 8 * PAGE));
	note("locked: %ld KiB", status_kib("VmLck:"));
	see("zero", mem);
	put("write", mem + PAGE, 1);
}

CASE("mlock", "files, and memory of each protection")
{
	int fd = file_of(4 * PAGE);
	char *shared = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	char *private = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	char *ro = map(NULL, 4 * PAGE, PROT_READ, ANON, -1, 0);
	char *none = map(NULL, 4 * PAGE, PROT_NONE, ANON, -1, 0);

	ret("shared", mlock(shared, 4 * PAGE));
	ret("private", mlock(private, 4 * PAGE));
	ret("read-only", mlock(ro, 4 * PAGE));
	ret("no access", mlock(none, 4 * PAGE));
	see_core("shared", shared, 4);
	see_core("private", private, 4);
	see_core("read-only", ro, 4);
	see_pattern("content", private, 4 * PAGE, 0);
	put("copy", private, 200);
	file_see("file", fd, 0);
}

CASE("mlock", "private pages that can be written are copies")
{
	int fd = file_of(12 * PAGE);
	char *mem[4];

	for (int i = 0; i < 4; i++)
		mem[i] = map(NULL, 12 * PAGE, i == 3 ? PROT_READ : RW,
			     MAP_PRIVATE, fd, 0);
	see_pattern("touched", mem[0] + PAGE, PAGE, PAGE);
	ret("mlock", mlock(mem[0] + PAGE, 4 * PAGE));
	ret("mlock2", mlock2(mem[1], 8 * PAGE, MLOCK_ONFAULT));
	ret("read-only", mlock(mem[3], 12 * PAGE));
	file_put(fd, PAGE + 7, 210);
	file_put(fd, 4 * PAGE, 211);
	file_put(fd, 6 * PAGE, 212);
	see("touched before", mem[0] + PAGE + 7);
	see("locked", mem[0] + 4 * PAGE);
	see("not locked", mem[0] + 6 * PAGE);
	see("locked when touched", mem[1] + 4 * PAGE);
	see("to be read", mem[3] + 4 * PAGE);
	ret("mlockall", mlockall(MCL_CURRENT));
	file_put(fd, 4 * PAGE, 213);
	file_put(fd, 10 * PAGE, 214);
	see("locked when touched, then all", mem[1] + 4 * PAGE);
	see("all", mem[2] + 10 * PAGE);
	see("to be read", mem[3] + 10 * PAGE);
}

CASE("mlock", "the errors")
{
	struct rlimit limit = { 16 * PAGE, 16 * PAGE }, none = { 0, 0 };
	char *at = room(64), *mem;

	mem = map(at, 32 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	ret("nothing there", mlock(at + 40 * PAGE, PAGE));
	ret("a hole behind", mlock(mem, 40 * PAGE));
	ret("length 0", mlock(mem, 0));
	ret("wraps", mlock(mem, SIZE_MAX - PAGE));
	ret("munlock, nothing there", munlock(at + 40 * PAGE, PAGE));
	ret("munlock", munlock(mem, 32 * PAGE));
	ret("mlock2, unknown flag", mlock2(mem, PAGE, 8));
	need(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	be_nobody();
	ret("over the limit", mlock(mem, 20 * PAGE));
	ret("below it", mlock(mem, 10 * PAGE));
	ret("together over it", mlock(mem + 12 * PAGE, 10 * PAGE));
	ret("munlock", munlock(mem, 32 * PAGE));
	need(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	ret("no limit left", mlock(mem, PAGE));
}

CASE("mlock", "MLOCK_ONFAULT: present when touched")
{
	char *mem = map(NULL, 64 * PAGE, RW, ANON, -1, 0);

	ret("mlock2", mlock2(mem, 64 * PAGE, MLOCK_ONFAULT));
	see_core("not yet", mem, 64);
	note("locked: %ld KiB", status_kib("VmLck:"));
	put("touch", mem + 40 * PAGE, 1);
	see_core("touched", mem + 40 * PAGE, 1);
	ret("DONTNEED", madvise(mem, 64 * PAGE, MADV_DONTNEED));
	ret("munlock", munlock(mem, 64 * PAGE));
}

CASE("mlock", "mlockall: what is there now")
{
	char *mem = map(NULL, 8 * PAGE, RW, ANON, -1, 0), *later;
	char *file = map(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE,
			 file_of(4 * PAGE), 0);
	char *none = map(NULL, 4 * PAGE, PROT_NONE, ANON, -1, 0);

	ret("MCL_CURRENT", mlockall(MCL_CURRENT));
	see_core("anonymous", mem, 8);
	see_core("file", file, 4);
	see_core("no access", none, 4);
	later = map(NULL, 8 * PAGE, RW, ANON, -1, 0);
	see_core("mapped later", later, 8);
	ret("DONTNEED", madvise(mem, PAGE, MADV_DONTNEED));
	ret("munlockall", munlockall());
	note("locked: %ld KiB", status_kib("VmLck:"));
	ret("DONTNEED", madvise(mem, PAGE, MADV_DONTNEED));
}

CASE("mlock", "mlockall: what will be there")
{
	char *mem = map(NULL, 8 * PAGE, RW, ANON, -1, 0), *later;

	ret("MCL_FUTURE", mlockall(MCL_FUTURE));
	see_core("mapped before", mem, 8);
	later = map(NULL, 8 * PAGE, RW, ANON, -1, 0);
	see_core("mapped later", later, 8);
	later = map(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, file_of(4 * PAGE),
		    0);
	see_core("file", later, 4);
	ret("both, on fault", mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
	later = map(NULL, 8 * PAGE, RW, ANON, -1, 0);
	see_core("on fault", later, 8);
	ret("munlockall", munlockall());
	later = map(NULL, 8 * PAGE, RW, ANON, -1, 0);
	see_core("after", later, 8);
}

CASE("mlock", "mlockall: the errors")
{
	struct rlimit limit = { 16 * PAGE, 16 * PAGE }, none = { 0, 0 };

	see("something before", letters(1));
	ret("no flag", mlockall(0));
	ret("unknown flag", mlockall(16));
	ret("MCL_ONFAULT alone", mlockall(MCL_ONFAULT));
	need(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	be_nobody();
	ret("over the limit", mlockall(MCL_CURRENT));
	ret("MCL_FUTURE", mlockall(MCL_FUTURE));
	got("over the limit", mmap(NULL, 32 * PAGE, RW, ANON, -1, 0));
	ret("munlockall", munlockall());
	need(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	ret("no limit left", mlockall(MCL_FUTURE));
}

CASE("mlock", "a lock is not inherited by fork")
{
	char *mem = letters(4);
	pid_t pid;

	ret("mlock", mlock(mem, 4 * PAGE));
	pid = fork();
	if (!pid) {
		note("child: locked %ld KiB", status_kib("VmLck:"));
		ret("child: DONTNEED", madvise(mem, PAGE, MADV_DONTNEED));
		see("child", mem);
		see("child", mem + PAGE);
		_exit(0);
	}
	end_child("child", pid);
	see("parent", mem);
}
