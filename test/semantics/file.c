/*
 * file.c -- private and shared mappings, and the end of the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "semantics.h"

#include <pthread.h>

/* -- MAP_PRIVATE ------------------------------------------------------------------ */

CASE("MAP_PRIVATE", "what is written never reaches the file")
{
	int fd = file_of(8 * PAGE);
	char *mem = map(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);

	see("read first", mem);
	put("then written", mem, 200);
	put("written first", mem + 3 * PAGE, 201);
	see("own", mem);
	see("own", mem + 3 * PAGE);
	see_pattern("the rest of the page", mem + 3 * PAGE + 1, PAGE - 1,
		    3 * PAGE + 1);
	ret("msync", msync(mem, 8 * PAGE, MS_SYNC));
	file_see("file", fd, 0);
	file_see("file", fd, 3 * PAGE);
	ret("munmap", munmap(mem, 8 * PAGE));
	file_see("file", fd, 3 * PAGE);
}

CASE("MAP_PRIVATE", "two mappings of one file are two copies")
{
	int fd = file_of(2 * PAGE);
	char *one = map(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
	char *two = map(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);

	put("one", one, 200);
	see("the other", two);
	put("two", two, 201);
	see("one", one);
}

CASE("MAP_PRIVATE", "a page that was not written follows the file")
{
	int fd = file_of(4 * PAGE);
	char *mem = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	see("read", mem);
	put("written", mem + PAGE, 200);
	file_put(fd, 0, 210);
	file_put(fd, PAGE + 1, 211);
	file_put(fd, 2 * PAGE, 212);
	see("read before", mem);
	see("copied before", mem + PAGE + 1);
	see("not touched before", mem + 2 * PAGE);
}

/* How many of the pages are what the file has become. */
static void change(const char *what, int fd, const char *mem, size_t from,
		   size_t to)
{
	size_t follow = 0;

	for (size_t page = from; page < to; page++)
		file_put(fd, (off_t)(page * PAGE + 7), 210);
	for (size_t page = from; page < to; page++)
		follow += (unsigned char)mem[page * PAGE + 7] == 210;
	note("%s: %zu of %zu", what, follow, to - from);
}

CASE("MAP_PRIVATE", "pages beside those that are written follow the file")
{
	int fd = file_of(1024 * PAGE), pipe_ends[2];
	char *mem = map(NULL, 1024 * PAGE, RW, MAP_PRIVATE, fd, 0);

	for (size_t page = 0; page < 96; page++)
		mem[page * PAGE] = 1;
	change("behind a stream", fd, mem, 96, 256);
	for (size_t page = 256; page < 512; page += 32)
		see("read", mem + page * PAGE);
	change("read", fd, mem, 256, 512);
	/* What the kernel could write to, and did not. */
	need(pipe(pipe_ends) == 0 && write(pipe_ends[1], "x", 1) == 1);
	ret("read", read(pipe_ends[0], mem + 600 * PAGE, 64 * PAGE));
	change("behind what was read", fd, mem, 601, 664);
}

CASE("MAP_PRIVATE", "fork makes it two")
{
	char *mem = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, file_of(4 * PAGE), 0);
	pid_t pid;

	put("before", mem, 200);
	pid = fork();
	if (!pid) {
		see("child: before", mem);
		put("child", mem, 201);
		put("child", mem + PAGE, 202);
		see("child: untouched", mem + 2 * PAGE);
		_exit(0);
	}
	end_child("child", pid);
	see("parent", mem);
	see("parent", mem + PAGE);
}

CASE("MAP_PRIVATE", "a read-only file may be mapped for writing")
{
	char *mem = map(NULL, PAGE, RW, MAP_PRIVATE,
			open("/etc/passwd", O_RDONLY), 0);

	put("write", mem, 'x');
	see("own", mem);
}

/* -- MAP_SHARED file --------------------------------------------------------------- */

CASE("MAP_SHARED file", "coherent with read and write, both ways, at once")
{
	int fd = file_of(4 * PAGE);
	char *mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);

	see("read", mem);
	file_put(fd, 0, 200);
	see("written by write", mem);
	put("store", mem + 1, 201);
	file_see("read by read", fd, 1);
	put("first touch by a store", mem + PAGE, 202);
	file_see("read by read", fd, PAGE);
	file_put(fd, 2 * PAGE, 203);
	see("first touch after write", mem + 2 * PAGE);
}

CASE("MAP_SHARED file", "two areas of one page see each other")
{
	int fd = file_of(8 * PAGE);
	char *one = map(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	char *two = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 4 * PAGE);
	char *copy = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 4 * PAGE);

	put("one", one + 5 * PAGE, 200);
	see("two", two + PAGE);
	see("private", copy + PAGE);
	put("two", two + PAGE + 1, 201);
	see("one", one + 5 * PAGE + 1);
}

static void store_byte(void *argument)
{
	*(volatile char *)argument = 99;
}

CASE("MAP_SHARED file", "coherent with a mapping of another process")
{
	const char *name = name_of("other");
	int fd = open(name, O_RDWR | O_CREAT, 0600), go[2], back[2];
	char *mem;
	pid_t pid;

	need(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0);
	need(pipe(go) == 0 && pipe(back) == 0);
	mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	pid = fork();
	if (!pid) {
		char *own = map(NULL, 4 * PAGE, RW, MAP_SHARED,
				open(name, O_RDWR), 0);

		wait_go(go);
		see("child", own);
		put("child", own + PAGE, 6);
		send_go(back);
		_exit(0);
	}
	put("parent", mem, 5);
	send_go(go);
	wait_go(back);
	see("parent", mem + PAGE);
	end_child("child", pid);
	unlink(name);
}

static void write_and_be_killed(void *argument)
{
	char *mem = argument;

	mem[0] = 55;
	mem[3 * PAGE] = 56;
	raise(SIGKILL);
}

CASE("MAP_SHARED file", "what was stored survives SIGKILL")
{
	int fd = file_of(4 * PAGE);
	char *mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);

	child("child", write_and_be_killed, mem);
	file_see("file", fd, 0);
	file_see("file", fd, 3 * PAGE);
	see("parent", mem + 3 * PAGE);
}

CASE("MAP_SHARED file", "a store changes mtime; a load does not")
{
	int fd = file_of(32 * PAGE);
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	char *mem = map(NULL, 32 * PAGE, RW, MAP_SHARED, fd, 0);
	struct stat st;

	need(futimens(fd, old) == 0);
	see("load", mem);
	need(msync(mem, 32 * PAGE, MS_SYNC) == 0 && fstat(fd, &st) == 0);
	note("old after a load: %d", st.st_mtim.tv_sec == 1000);
	put("store", mem, 1);
	need(msync(mem, 32 * PAGE, MS_SYNC) == 0 && fstat(fd, &st) == 0);
	note("old after a store: %d", st.st_mtim.tv_sec == 1000);
	need(futimens(fd, old) == 0);
	put("first touch is a store", mem + 20 * PAGE, 1);
	need(msync(mem, 32 * PAGE, MS_SYNC) == 0 && fstat(fd, &st) == 0);
	note("old after a store: %d", st.st_mtim.tv_sec == 1000);
}

CASE("MAP_SHARED file", "a store into a hole of the file")
{
	int fd = file_of(0);
	struct stat st;
	char *mem;

	need(ftruncate(fd, (off_t)1 << 30) == 0);
	mem = map(NULL, (size_t)1 << 30, RW, MAP_SHARED, fd, 0);
	see("hole", mem + (512 << 20));
	put("store", mem + (512 << 20) + 5, 77);
	file_see("file", fd, (512 << 20) + 5);
	file_see("beside it", fd, (512 << 20) + 4);
	need(msync(mem, (size_t)1 << 30, MS_SYNC) == 0 && fstat(fd, &st) == 0);
	note("still sparse: %d", st.st_blocks * 512 < 1 << 20);
}

CASE("MAP_SHARED file", "loads leave a hole a hole")
{
	int fd = file_of(0);
	struct stat st;
	char *mem;

	need(ftruncate(fd, 64 * PAGE) == 0);
	mem = map(NULL, 64 * PAGE, RW, MAP_SHARED, fd, 0);
	for (size_t i = 0; i < 64; i++)
		need(mem[i * PAGE] == 0);
	need(msync(mem, 64 * PAGE, MS_SYNC) == 0 && fstat(fd, &st) == 0);
	note("blocks: %d", (int)st.st_blocks);
}

CASE("MAP_SHARED file", "read into the mapping of the same file")
{
	int fd = file_of(8 * PAGE);
	char *mem = map(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);

	ret("pread", pread(fd, mem + 4 * PAGE, 2 * PAGE, 0));
	see_pattern("copied", mem + 4 * PAGE, 2 * PAGE, 0);
	file_see("in the file", fd, 4 * PAGE);
	ret("pwrite", pwrite(fd, mem, PAGE, 6 * PAGE));
	see_pattern("copied", mem + 6 * PAGE, PAGE, 0);
}

static void *write_bytes(void *argument)
{
	volatile char *mem = argument;

	for (size_t i = 0; i < 256; i++)
		mem[i * PAGE / 4] = (char)(i % 100 + 1);
	return NULL;
}

CASE("MAP_SHARED file", "threads write the same pages; no byte is lost")
{
	int fd = file_of(0);
	pthread_t threads[4];
	uint64_t sum = 0;
	char *mem;

	need(ftruncate(fd, 64 * PAGE) == 0);
	mem = map(NULL, 64 * PAGE, RW, MAP_SHARED, fd, 0);
	for (int i = 0; i < 4; i++)
		need(pthread_create(&threads[i], NULL, write_bytes,
				    mem + i * 8) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (off_t at = 0; at < (off_t)(64 * PAGE); at += PAGE / 4)
		for (int i = 0; i < 4; i++) {
			char c;

			need(pread(fd, &c, 1, at + i * 8) == 1);
			sum += (uint64_t)c;
		}
	note("sum: %llu", (unsigned long long)sum);
}

/* -- MAP_SHARED anonymous ------------------------------------------------------------ */

CASE("MAP_SHARED anonymous", "shared over fork, both ways")
{
	char *mem = map(NULL, 64 * PAGE, RW, SHARED_ANON, -1, 0);
	int go[2], back[2];
	pid_t pid;

	need(pipe(go) == 0 && pipe(back) == 0);
	put("before", mem, 1);
	pid = fork();
	if (!pid) {
		see("child: before", mem);
		put("child: first touch", mem + 20 * PAGE, 2);
		send_go(back);
		wait_go(go);
		see("child: parent's first touch", mem + 40 * PAGE);
		put("child: touched by both", mem + 1, 4);
		_exit(0);
	}
	wait_go(back);
	see("parent: child's first touch", mem + 20 * PAGE);
	put("parent: first touch", mem + 40 * PAGE, 3);
	send_go(go);
	end_child("child", pid);
	see("parent: touched by both", mem + 1);
}

static void fork_and_store(void *argument)
{
	child("grandchild", store_byte, argument);
}

CASE("MAP_SHARED anonymous", "a grandchild's stores are seen")
{
	char *mem = map(NULL, 16 * PAGE, RW, SHARED_ANON, -1, 0);

	child("child", fork_and_store, mem + 9 * PAGE);
	see("seen", mem + 9 * PAGE);
	see("untouched", mem + 10 * PAGE);
}

CASE("MAP_SHARED anonymous", "two neighbours are two objects")
{
	char *at = room(8), *moved;

	map(at, 2 * PAGE, RW, SHARED_ANON | MAP_FIXED, -1, 0);
	map(at + 2 * PAGE, 2 * PAGE, RW, SHARED_ANON | MAP_FIXED, -1, 0);
	for (int i = 0; i < 4; i++)
		put("page", at + i * PAGE, i + 1);
	child("child", store_byte, at + 2 * PAGE);
	see("second object", at + 2 * PAGE);
	moved = got("mremap over both",
		    mremap(at, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE));
	(void)moved;
	see("first", at);
}

CASE("MAP_SHARED anonymous", "the child goes on when the parent unmaps")
{
	char *mem = map(NULL, 4 * PAGE, RW, SHARED_ANON, -1, 0);
	int go[2];
	pid_t pid;

	need(pipe(go) == 0);
	put("before", mem, 1);
	pid = fork();
	if (!pid) {
		wait_go(go);
		see("child", mem);
		see("child: untouched", mem + PAGE);
		_exit(0);
	}
	ret("munmap", munmap(mem, 4 * PAGE));
	send_go(go);
	end_child("child", pid);
}

/* -- End of file ----------------------------------------------------------------------- */

CASE("end of file", "the rest of the last page is zero")
{
	int fd = file_of(PAGE + 100);
	char *mem = map(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	char *copy = map(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);

	see_pattern("last bytes", mem + PAGE, 100, PAGE);
	see("shared", mem + PAGE + 100);
	see("shared", mem + 2 * PAGE - 1);
	see("private", copy + PAGE + 100);
	see_all("private", copy + PAGE + 100, PAGE - 100);
}

CASE("end of file", "what is written behind the end is not written back")
{
	int fd = file_of(PAGE + 100);
	struct stat st;
	char *mem = map(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);

	put("inside", mem + PAGE + 99, 1);
	put("behind", mem + PAGE + 100, 2);
	see("behind", mem + PAGE + 100);
	ret("msync", msync(mem, 2 * PAGE, MS_SYNC));
	need(fstat(fd, &st) == 0);
	note("size: %ld", (long)st.st_size);
	file_see("inside", fd, PAGE + 99);
	file_see("behind", fd, PAGE + 100);
	need(munmap(mem, 2 * PAGE) == 0);
	need(ftruncate(fd, 2 * PAGE) == 0);
	file_see("after growing", fd, PAGE + 100);
}

CASE("end of file", "pages behind the end raise SIGBUS, BUS_ADRERR")
{
	int fd = file_of(PAGE + 1);
	char *mem = map(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	char *copy = map(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);

	see("load", mem + 2 * PAGE + 5);
	put("store", mem + 3 * PAGE + 6, 1);
	see("private load", copy + 2 * PAGE + 5);
	put("private store", copy + 7 * PAGE + 6, 1);
	see("before it", mem + PAGE);
	see("again", mem + 2 * PAGE + 5);
}

CASE("end of file", "an empty file")
{
	int fd = file_of(0);
	char *mem = map(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	see("load", mem);
	put("store", mem, 1);
	need(ftruncate(fd, 10) == 0);
	put("store", mem, 1);
	file_see("file", fd, 0);
}

static void touch_untrapped(void *argument)
{
	signal(SIGBUS, SIG_DFL);
	*(volatile char *)argument = 1;
}

CASE("end of file", "without a handler SIGBUS ends the program")
{
	char *mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, file_of(PAGE), 0);

	child("child", touch_untrapped, mem + 2 * PAGE);
}

CASE("end of file", "truncation while mapped")
{
	int fd = file_of(8 * PAGE);
	char *mem = map(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	char *copy = map(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);

	see_pattern("all", mem, 8 * PAGE, 0);
	put("copied", copy + 6 * PAGE, 1);
	see("read", copy + 5 * PAGE);
	need(ftruncate(fd, 2 * PAGE + 10) == 0);
	see("inside", mem + 2 * PAGE + 9);
	see("cut in the page", mem + 2 * PAGE + 10);
	see("behind", mem + 3 * PAGE);
	put("behind", mem + 7 * PAGE, 1);
	see("private, copied before", copy + 6 * PAGE);
	see("private, read before", copy + 5 * PAGE);
	need(ftruncate(fd, 0) == 0);
	see("nothing left", mem);
}

CASE("end of file", "growth while mapped")
{
	int fd = file_of(PAGE);
	char *mem = map(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	char *copy = map(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);

	see("before", mem + 4 * PAGE);
	need(ftruncate(fd, 8 * PAGE) == 0);
	see("after", mem + 4 * PAGE);
	put("after", mem + 5 * PAGE, 9);
	file_see("file", fd, 5 * PAGE);
	see("private", copy + 5 * PAGE);
	file_put(fd, 6 * PAGE, 10);
	see("written there", mem + 6 * PAGE);
}

CASE("end of file", "cut and grown again: zeros")
{
	int fd = file_of(4 * PAGE);
	char *mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);

	put("store", mem + 2 * PAGE, 9);
	need(ftruncate(fd, PAGE) == 0 && ftruncate(fd, 4 * PAGE) == 0);
	see("kept", mem + PAGE - 1);
	see("zero", mem + 2 * PAGE);
	put("store", mem + 2 * PAGE, 10);
	file_see("file", fd, 2 * PAGE);
}

static int cut_off(int fd, int way)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	switch (way) {
	case 0:
		return ftruncate(fd, 2 * PAGE + 10);
	case 1:
		return truncate(path, 2 * PAGE + 10);
	case 2:
		return (int)syscall(SYS_ftruncate, fd, 2 * PAGE + 10);
	case 3:
		return close(open(path, O_WRONLY | O_TRUNC));
	case 4:
		return close(creat(path, 0600));
	default:
		file = fopen(path, "w");
		return file ? fclose(file) : -1;
	}
}

CASE("end of file", "private pages that were cut off are the file's again")
{
	for (int way = 0; way < 6; way++) {
		int fd = file_of(8 * PAGE);
		char *mem = map(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);

		note("%d", way);
		put("before", mem + PAGE, 200);
		put("where it will end", mem + 2 * PAGE + 5, 201);
		put("behind", mem + 3 * PAGE, 202);
		put("far behind", mem + 7 * PAGE + 9, 203);
		/* It need not have anywhere to put them. */
		madvise(mem, 8 * PAGE, 21 /* MADV_PAGEOUT */);
		need(cut_off(fd, way) == 0);
		see("behind the end", mem + 7 * PAGE);
		need(ftruncate(fd, 8 * PAGE) == 0);
		see("before", mem + PAGE);
		see("where it ended", mem + 2 * PAGE + 5);
		see("behind", mem + 3 * PAGE);
		see("far behind", mem + 7 * PAGE + 9);
		need(munmap(mem, 8 * PAGE) == 0);
	}
}

CASE("end of file", "a system call that meets the end is told EFAULT")
{
	int fd = file_of(PAGE), ends[2];
	char *mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);

	need(pipe(ends) == 0);
	ret("write from behind it", write(ends[1], mem + 2 * PAGE, 10));
	ret("read behind it",
	    pread(open("/etc/passwd", O_RDONLY), mem + 2 * PAGE, 10, 0));
	ret("write, beginning inside", write(ends[1], mem + PAGE - 4, 10));
}

/* -- Close, unlink, rename --------------------------------------------------------------- */

CASE("files", "the mapping lives on when the file is closed")
{
	int fd = file_of(8 * PAGE), other = dup(fd);
	char *mem = map(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);

	see("before", mem);
	close(fd);
	see_pattern("after", mem, 8 * PAGE, 0);
	put("store", mem + 7 * PAGE, 1);
	file_see("file", other, 7 * PAGE);
	close(other);
	see("last", mem + 7 * PAGE);
}

CASE("files", "the mapping lives on when the file is unlinked or renamed")
{
	const char *name = name_of("name"), *other = name_of("renamed");
	int fd = open(name, O_RDWR | O_CREAT, 0600);
	char *mem;

	need(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0);
	mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	close(fd);
	put("store", mem, 1);
	need(rename(name, other) == 0);
	put("after rename", mem + PAGE, 2);
	fd = open(other, O_RDONLY);
	file_see("file", fd, PAGE);
	need(unlink(other) == 0);
	close(fd);
	put("after unlink", mem + 2 * PAGE, 3);
	see("all", mem);
	see("all", mem + PAGE);
	see("all", mem + 2 * PAGE);
}

CASE("files", "a lock of fcntl is not lost by mapping and touching")
{
	int fd = file_of(4 * PAGE);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[64], *mem;
	pid_t pid;

	need(fcntl(fd, F_SETLK, &lock) == 0);
	mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	put("store", mem + PAGE, 1);
	ret("munmap", munmap(mem, 4 * PAGE));
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	pid = fork();
	if (!pid) {
		int own = open(path, O_RDWR);

		need(own >= 0);
		ret("another process's lock", fcntl(own, F_SETLK, &lock));
		_exit(0);
	}
	end_child("child", pid);
}

CASE("files", "the descriptor's number is free again after close")
{
	int fd = file_of(4 * PAGE), other;
	char *mem = map(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	close(fd);
	other = open("/etc/passwd", O_RDONLY);
	note("the same number: %d", other == fd);
	see_pattern("content", mem, 4 * PAGE, 0);
}
