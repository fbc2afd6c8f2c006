/*
 * fork.c -- fork, and other beginnings and ends of processes; limits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "semantics.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <ucontext.h>

extern char **environ;

CASE("fork", "the child has the memory of that moment, absent pages too")
{
	int fd = file_of(8 * PAGE), go[2];
	char *anon = letters(8);
	char *fresh = map(NULL, 8 * PAGE, RW, ANON, -1, 0);
	char *file = map(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);
	pid_t pid;

	need(pipe(go) == 0);
	put("file, written", file, 200);
	see("file, read", file + PAGE);
	pid = fork();
	if (!pid) {
		wait_go(go);
		see("child: written", anon + 3 * PAGE);
		see("child: absent", fresh + 3 * PAGE);
		see("child: file, written", file);
		see_pattern("child: file, read", file + PAGE, PAGE, PAGE);
		see_pattern("child: file, absent", file + 4 * PAGE, PAGE,
			    4 * PAGE);
		put("child", anon + 4 * PAGE, 'C');
		put("child", fresh + 4 * PAGE, 'C');
		_exit(0);
	}
	memset(anon, 'P', 8 * PAGE);
	memset(fresh, 'P', 8 * PAGE);
	memset(file, 'P', 8 * PAGE);
	send_go(go);
	end_child("child", pid);
	see("parent", anon + 4 * PAGE);
	see("parent", fresh + 4 * PAGE);
}

static void deeper(void *argument)
{
	char *mem = argument;

	mem[0]++;
	if (mem[0] < 'a' + 6)
		child("child of a child", deeper, argument);
	see("own", mem);
	see("others", mem + 5 * PAGE);
}

CASE("fork", "a child of a child of a child")
{
	char *mem = letters(8);

	child("child", deeper, mem);
	see("parent", mem);
}

static _Atomic int stop;

static void *fault_on(void *argument)
{
	size_t len = 64 * PAGE;
	unsigned n = 0;

	(void)argument;
	while (!atomic_load(&stop)) {
		char *mem = map(NULL, len, RW, ANON, -1, 0);

		for (size_t i = 0; i < len; i += PAGE)
			mem[i] = (char)(1 + n % 100);
		for (size_t i = 0; i < len; i += PAGE)
			need(mem[i] == (char)(1 + n % 100));
		need(munmap(mem, len) == 0);
		n++;
	}
	return NULL;
}

static void check_letters(void *argument)
{
	char *mem = argument;
	char *own = map(NULL, 16 * PAGE, RW, ANON, -1, 0);

	for (size_t i = 0; i < 16; i++) {
		need(mem[i * PAGE] == (char)('a' + i));
		mem[i * PAGE] = 0;
		own[i * PAGE] = 1;
	}
}

CASE("fork", "while other threads fault")
{
	char *mem = letters(16);
	pthread_t threads[3];
	int status, failed = 0;

	for (int i = 0; i < 3; i++)
		need(pthread_create(&threads[i], NULL, fault_on, NULL) == 0);
	for (int i = 0; i < 200; i++) {
		pid_t pid = start_child(check_letters, mem);

		need(waitpid(pid, &status, 0) == pid);
		failed += status != 0;
	}
	atomic_store(&stop, 1);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	note("failed: %d", failed);
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

CASE("fork", "a thousand forks leak nothing")
{
	char *mem = letters(16);
	long size = 0, rss = 0;
	int status, failed = 0, descriptors = 0;

	for (int i = 0; i < 1000; i++) {
		pid_t pid = start_child(check_letters, mem);

		need(waitpid(pid, &status, 0) == pid);
		failed += status != 0;
		if (i != 50)
			continue;
		size = status_kib("VmSize:");
		rss = resident_kib();
		descriptors = count_descriptors();
	}
	note("failed: %d", failed);
	note("address space grew: %d", status_kib("VmSize:") - size > 64);
	note("memory grew: %d", resident_kib() - rss > 256);
	note("descriptors: %d more", count_descriptors() - descriptors);
}

CASE("fork", "a child unmaps, protects and maps; the parent sees nothing of it")
{
	char *mem = letters(8);
	pid_t pid = fork();

	if (!pid) {
		need(munmap(mem, PAGE) == 0);
		need(mprotect(mem + PAGE, PAGE, PROT_NONE) == 0);
		map(mem + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
		need(mremap(mem + 3 * PAGE, PAGE, PAGE,
			    MREMAP_MAYMOVE | MREMAP_FIXED,
			    room(1)) != MAP_FAILED);
		for (size_t i = 0; i < 5; i++)
			see("child", mem + i * PAGE);
		_exit(0);
	}
	end_child("child", pid);
	for (size_t i = 0; i < 5; i++)
		see("parent", mem + i * PAGE);
	put("parent", mem + PAGE, 1);
}

CASE("fork", "a child made by the bare system call")
{
	char *mem = letters(8), *fresh = map(NULL, 8 * PAGE, RW, ANON, -1, 0);
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (!pid) {
		see("child", mem + PAGE);
		see("child", fresh + PAGE);
		put("child", mem + PAGE, 'C');
		put("child", fresh + PAGE, 'C');
		ret("child: munmap", munmap(mem + 2 * PAGE, PAGE));
		see("child", mem + 2 * PAGE);
		_exit(0);
	}
	end_child("child", pid);
	see("parent", mem + PAGE);
	see("parent", mem + 2 * PAGE);
	see("parent", fresh + PAGE);
}

static char *handler_memory;

static void on_signal(int sig)
{
	handler_memory[9 * PAGE] = (char)sig;
}

/* -- Other beginnings, and ends ------------------------------------------------------- */

CASE("process", "a vfork child touches its parent's memory")
{
	char *mem = map(NULL, 8 * PAGE, RW, ANON, -1, 0);
	pid_t pid = vfork();

	if (!pid) {
		mem[3 * PAGE] = 'v';
		_exit(mem[4 * PAGE]);
	}
	end_child("child", pid);
	see("parent", mem + 3 * PAGE);
}

static void *on_lazy_stack(void *argument)
{
	volatile char local[20 * PAGE];

	for (size_t i = 0; i < sizeof(local); i += PAGE)
		local[i] = 1;
	note("on the stack: %d",
	     (char *)local > (char *)argument &&
		     (char *)local < (char *)argument + 64 * PAGE);
	return NULL;
}

CASE("process", "a thread on a stack mapped without MAP_STACK")
{
	char *mem = hand_over(map(NULL, 64 * PAGE, RW, ANON, -1, 0), 64 * PAGE);
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	need(pthread_attr_setstack(&attr, mem, 64 * PAGE) == 0);
	need(pthread_create(&thread, &attr, on_lazy_stack, mem) == 0);
	pthread_join(thread, NULL);
}

static ucontext_t here, there;

static void coroutine(void)
{
	on_lazy_stack(there.uc_stack.ss_sp);
}

CASE("process", "a coroutine on a stack mapped without MAP_STACK")
{
	char *mem = hand_over(map(NULL, 64 * PAGE, RW, ANON, -1, 0), 64 * PAGE);

	need(getcontext(&there) == 0);
	there.uc_stack.ss_sp = mem;
	there.uc_stack.ss_size = 64 * PAGE;
	there.uc_link = &here;
	makecontext(&there, coroutine, 0);
	need(swapcontext(&here, &there) == 0);
	note("back");
}

CASE("process", "a signal handler on an alternate stack in absent memory")
{
	char *mem = hand_over(map(NULL, 64 * PAGE, RW, ANON, -1, 0), 64 * PAGE);
	stack_t stack = { .ss_sp = mem, .ss_size = 64 * PAGE };
	struct sigaction act = { .sa_handler = on_signal,
				 .sa_flags = SA_ONSTACK };

	ret("sigaltstack", sigaltstack(&stack, NULL));
	need(sigaction(SIGUSR1, &act, NULL) == 0);
	handler_memory = map(NULL, 64 * PAGE, RW, ANON, -1, 0);
	ret("raise", raise(SIGUSR1));
	see("written by the handler", handler_memory + 9 * PAGE);
}

/* A string, in memory that nothing has touched. */
static char *absent_text(const char *text)
{
	int fd = file_of(0);

	need(pwrite(fd, text, strlen(text), 5 * PAGE) == (ssize_t)strlen(text));
	need(ftruncate(fd, 6 * PAGE) == 0);
	return hand_over((char *)map(NULL, 6 * PAGE, RW, MAP_PRIVATE, fd, 0) +
				 5 * PAGE,
			 PAGE);
}

CASE("process", "exec with path, arguments and environment in absent memory")
{
	char **vector;
	pid_t pid;

	vector = hand_over(map(NULL, 4 * PAGE, RW, ANON, -1, 0), 4 * PAGE);
	vector[0] = absent_text("sh");
	vector[1] = absent_text("-c");
	vector[2] = absent_text("exit $STATUS");
	vector[4] = absent_text("STATUS=43");
	pid = fork();
	if (!pid) {
		execve(absent_text("/bin/sh"), vector, vector + 4);
		ret("execve", -1);
		_exit(1);
	}
	end_child("child", pid);
}

CASE("process", "posix_spawn with arguments in absent memory")
{
	char *args[4] = { NULL }, *env[2] = { NULL };
	pid_t pid = -1;

	args[0] = absent_text("sh");
	args[1] = absent_text("-c");
	args[2] = absent_text("exit $STATUS");
	env[0] = absent_text("STATUS=44");
	note("posix_spawn: %d",
	     posix_spawn(&pid, absent_text("/bin/sh"), NULL, NULL, args, env));
	if (pid > 0)
		end_child("child", pid);
}

CASE("process", "lazy memory is gone after exec, and the file has the data")
{
	int fd = file_of(4 * PAGE);
	char *mem = map(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	pid_t pid = fork();

	if (!pid) {
		mem[2 * PAGE] = 88;
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	end_child("child", pid);
	file_see("file", fd, 2 * PAGE);
}

static void end_by(void *argument)
{
	struct {
		char *mem;
		int how;
	} *way = argument;

	way->mem[way->how * PAGE] = (char)(50 + way->how);
	switch (way->how) {
	case 0:
		exit(0);
	case 1:
		_exit(0);
	case 2:
		signal(SIGABRT, SIG_DFL);
		abort();
	case 3:
		quick_exit(0);
	case 4:
		syscall(SYS_exit_group, 0);
		break;
	case 5:
		raise(SIGTERM);
		break;
	}
}

CASE("process", "shared data is not lost by any end")
{
	int fd = file_of(8 * PAGE);
	struct {
		char *mem;
		int how;
	} way = { map(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0), 0 };

	for (; way.how < 6; way.how++) {
		child("child", end_by, &way);
		file_see("file", fd, way.how * (off_t)PAGE);
	}
}

static void touch_text(void *argument)
{
	signal(SIGSEGV, SIG_DFL);
	*(volatile char *)argument = 1;
}

CASE("process", "a forbidden touch without a handler ends the program")
{
	char *at = room(8);
	char *mem = map(at, 4 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0);

	child("read-only", touch_text, mem);
	child("not mapped", touch_text, at + 6 * PAGE);
	need(mprotect(mem, 4 * PAGE, PROT_NONE) == 0);
	child("no access", touch_text, mem);
	child("null", touch_text, NULL);
}

/* -- Limits ------------------------------------------------------------------------- */

CASE("limits", "RLIMIT_AS: ENOMEM, and what is mapped can be used")
{
	struct rlimit limit;
	char *mem[64];
	int n = 0;

	put("something before", letters(1), 1);
	limit.rlim_cur = limit.rlim_max =
		(rlim_t)(status_kib("VmSize:") + 32 * 1024) * 1024;
	need(setrlimit(RLIMIT_AS, &limit) == 0);
	got("more than there is",
	    mmap(NULL, (size_t)64 << 20, RW, ANON, -1, 0));
	while (n < 64 && (mem[n] = mmap(NULL, (size_t)1 << 20, RW, ANON, -1,
					0)) != MAP_FAILED)
		n++;
	ret("the next", errno == ENOMEM);
	note("enough: %d", n > 24);
	for (int i = 0; i < n; i++)
		for (size_t at = 0; at < (size_t)1 << 20; at += PAGE)
			mem[i][at] = (char)i;
	for (int i = 0; i < n; i++)
		need(mem[i][PAGE] == (char)i);
	ret("munmap", munmap(mem[3], (size_t)1 << 20));
	got("room again", mmap(NULL, (size_t)1 << 20, RW, ANON, -1, 0));
	got("grown",
	    mremap(mem[5], (size_t)1 << 20, (size_t)64 << 20, MREMAP_MAYMOVE));
	see("still", mem[5] + PAGE);
}

CASE("limits", "a large area under RLIMIT_AS, touched everywhere")
{
	struct rlimit limit;
	char *mem;

	put("something before", letters(1), 1);
	mem = map(NULL, (size_t)4 << 30, RW, ANON | MAP_NORESERVE, -1, 0);
	limit.rlim_cur = limit.rlim_max =
		(rlim_t)(status_kib("VmSize:")) * 1024;
	need(setrlimit(RLIMIT_AS, &limit) == 0);
	got("no more", mmap(NULL, (size_t)256 << 20, RW, ANON, -1, 0));
	put_each("touched", mem, (size_t)4 << 30, (size_t)2 << 20);
}

CASE("limits", "RLIMIT_DATA bounds private writable memory")
{
	struct rlimit limit;
	char *mem;

	put("something before", letters(1), 1);
	limit.rlim_cur = limit.rlim_max =
		(rlim_t)(status_kib("VmData:") + 8 * 1024) * 1024;
	need(setrlimit(RLIMIT_DATA, &limit) == 0);
	mem = got("below", mmap(NULL, (size_t)2 << 20, RW, ANON, -1, 0));
	memset(mem, 1, (size_t)2 << 20);
	see("usable", mem + ((size_t)2 << 20) - 1);
	got("over", mmap(NULL, (size_t)64 << 20, RW, ANON, -1, 0));
	got("shared", mmap(NULL, (size_t)64 << 20, RW, SHARED_ANON, -1, 0));
	mem = got("read-only",
		  mmap(NULL, (size_t)64 << 20, PROT_READ, ANON, -1, 0));
	ret("mprotect", mprotect(mem, (size_t)64 << 20, RW));
}

CASE("limits", "RLIMIT_DATA 0: it is the hard limit that bounds")
{
	struct rlimit limit = { .rlim_cur = 0 };
	char *mem;

	put("something before", letters(1), 1);
	limit.rlim_max = (rlim_t)(status_kib("VmData:") + 8 * 1024) * 1024;
	need(setrlimit(RLIMIT_DATA, &limit) == 0);
	mem = got("below", mmap(NULL, (size_t)2 << 20, RW, ANON, -1, 0));
	memset(mem, 1, (size_t)2 << 20);
	see("usable", mem + ((size_t)2 << 20) - 1);
	got("over", mmap(NULL, (size_t)64 << 20, RW, ANON, -1, 0));
}

CASE("limits", "at vm.max_map_count: ENOMEM, nothing lost, and on again")
{
	size_t pages = 140000, i = 0;
	char *mem, *other = letters(4);
	int split = 0;

	mem = map(NULL, pages * PAGE, RW, ANON | MAP_NORESERVE, -1, 0);
	for (; i < pages; i += 2)
		if (mprotect(mem + i * PAGE, PAGE, PROT_READ) < 0) {
			split = errno;
			break;
		}
	if (!split)
		skip("vm.max_map_count is larger than usual");
	note("error: %d", split == ENOMEM);
	see("what was split", mem);
	see("other memory", other + PAGE);
	need(mprotect(mem, pages * PAGE, RW) == 0);
	put("together again", mem + 5, 5);
	see("together again", mem + 5);
	got("on", mmap(NULL, PAGE, RW, ANON, -1, 0));
}

CASE("limits", "every other page of a large area, touched one by one")
{
	size_t pages = 200000;
	char *mem = map(NULL, pages * PAGE, RW, ANON | MAP_NORESERVE, -1, 0);
	unsigned wrong = 0;

	need(madvise(mem, pages * PAGE, MADV_RANDOM) == 0);
	for (size_t i = 0; i < pages; i += 2)
		mem[i * PAGE] = (char)(i % 100 + 1);
	for (size_t i = 0; i < pages; i++)
		wrong += mem[i * PAGE] != (i % 2 ? 0 : (char)(i % 100 + 1));
	note("wrong: %u", wrong);
}

CASE("limits", "a full file system: SIGBUS at the store, the rest is kept")
{
	char dir[512], name[600], *mem;
	int fd;

	snprintf(dir, sizeof(dir), "%s", name_of("full"));
	need(mkdir(dir, 0700) == 0);
	if (unshare(CLONE_NEWNS) ||
	    mount("none", dir, "tmpfs", 0, "size=64k")) {
		rmdir(dir);
		skip("no permission to mount a small file system");
	}
	snprintf(name, sizeof(name), "%s/file", dir);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	need(fd >= 0 && ftruncate(fd, 64 * PAGE) == 0);
	mem = map(NULL, 64 * PAGE, RW, MAP_SHARED, fd, 0);
	for (size_t i = 0; i < 24; i++)
		put("store", mem + i * PAGE, (int)i + 1);
	for (size_t i = 0; i < 64; i += 3)
		see("load", mem + i * PAGE);
	need(munmap(mem, 64 * PAGE) == 0);
	close(fd);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}
