/*
 * own.c -- a program that brings its own allocator, as jemalloc's users do: it
 * maps with its lock held, and waits for itself if it is called back then. Once
 * there is more than fits, lazymap wants a thread, in the midst of that.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIECE ((size_t)1 << 20)
#define PIECES 32

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *room, *room_end;

/* Never given back. The size stands before what is given. */
void *malloc(size_t size)
{
	size_t need = (size + 31) & ~(size_t)15, more;
	size_t *given = NULL;

	pthread_mutex_lock(&lock);
	if ((size_t)(room_end - room) < need) {
		more = need > PIECE ? need : PIECE;
		room = mmap(NULL, more, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		room_end = room == MAP_FAILED ? (room = NULL) : room + more;
	}
	if (room) {
		given = (size_t *)room;
		room += need;
		*given = size;
		given += 2;
	}
	pthread_mutex_unlock(&lock);
	return given;
}

void free(void *at)
{
	(void)at;
}

void *calloc(size_t n, size_t size)
{
	return malloc(n * size);
}

void *realloc(void *at, size_t size)
{
	void *new = malloc(size);

	if (at && new)
		memcpy(new, at,
		       ((size_t *)at)[-2] < size ? ((size_t *)at)[-2] : size);
	return new;
}

static char *piece[PIECES];

static void fill(void)
{
	for (int i = 0; i < PIECES; i++) {
		piece[i] = malloc(PIECE - 64);
		for (size_t k = 0; k < PIECE - 64; k += sizeof(uint32_t))
			*(uint32_t *)(piece[i] + k) =
				(uint32_t)(k * 2654435761u) + (unsigned)i;
	}
}

static size_t wrong(void)
{
	size_t n = 0;

	for (int i = 0; i < PIECES; i++)
		for (size_t k = 0; k < PIECE - 64; k += sizeof(uint32_t))
			n += *(uint32_t *)(piece[i] + k) !=
			     (uint32_t)(k * 2654435761u) + (unsigned)i;
	return n;
}

/* By a path that lazymap does not know, so that its own thread is there. */
#define SEEN "/proc/self/../self/task"

/* Those of every thread there is, the C library's and others. */
static void tell_users(const char *when)
{
	DIR *tasks = opendir(SEEN);
	struct dirent *task;
	bool same = true;
	char line[256], all[256] = "";
	FILE *file;

	while ((task = readdir(tasks))) {
		if (task->d_name[0] == '.')
			continue;
		snprintf(line, sizeof(line), "/proc/self/task/%.32s/status",
			 task->d_name);
		file = fopen(line, "r");
		while (file && fgets(line, sizeof(line), file))
			if (!strncmp(line, "Uid:", 4)) {
				same = same && (!*all || !strcmp(all, line));
				strcpy(all, line);
			}
		if (file)
			fclose(file);
	}
	closedir(tasks);
	printf("%s, the users of all threads are %s: %s", when,
	       same ? "the same" : "not the same", all);
}

static int links(int fd, const char *path)
{
	struct stat st;

	return fstatat(fd, path, &st, 0) ? -1 : (int)st.st_nlink;
}

/* How many links a directory has, or entries: two more than threads. */
enum { OPENDIR, SCANDIR, STAT, FSTATAT, BELOW, STATUS, NUMBER, SYSCALL, WAYS };
/* Ways to have calls filtered. */
enum { BY_PRCTL = WAYS + 1, BY_SECCOMP, BY_NUMBER };

static void count_threads(int way)
{
	char line[1024] = "", path[64] = "/proc/self/status", *at;
	struct dirent **list;
	struct stat st;
	DIR *tasks;
	FILE *file;
	int n = 0, fd;

	switch (way) {
	case OPENDIR:
		tasks = opendir("/proc/self/task");
		while (readdir(tasks))
			n++;
		closedir(tasks);
		break;
	case SCANDIR:
		n = scandir("/proc/self/task", &list, NULL, NULL);
		break;
	case STAT:
		n = stat("/proc/self/task", &st) ? 0 : (int)st.st_nlink;
		break;
	case FSTATAT:
		fd = open("/proc/self", O_RDONLY | O_DIRECTORY);
		n = links(fd, "task");
		close(fd);
		break;
	case BELOW:
		fd = open("/proc", O_RDONLY | O_DIRECTORY);
		n = links(fd, "self/task/");
		close(fd);
		break;
	case NUMBER:
		snprintf(path, sizeof(path), "/proc/%d/status", getpid());
		__attribute__((fallthrough));
	case STATUS:
		file = fopen(path, "r");
		while (file && fgets(line, sizeof(line), file))
			sscanf(line, "Threads: %d", &n);
		if (file)
			fclose(file);
		break;
	case SYSCALL:
		fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/stat",
				  O_RDONLY);
		if (read(fd, line, sizeof(line) - 1) > 0 &&
		    (at = strrchr(line, ')')))
			sscanf(at,
			       ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
			       "%*u %*u %*u %*u %*d %*d %d",
			       &n);
		close(fd);
		break;
	}
	printf("threads, or links: %d\n", n);
}

/* A signal that may be handled by any thread is handled by one of the
 * program's. */
static void tell_masks(void)
{
	DIR *tasks = opendir(SEEN);
	struct dirent *task;
	unsigned long long blocked;
	int open_to_all = 0;
	char line[256];
	FILE *file;

	while ((task = readdir(tasks))) {
		snprintf(line, sizeof(line), "/proc/self/task/%.32s/status",
			 task->d_name);
		file = *task->d_name == '.' ? NULL : fopen(line, "r");
		while (file && fgets(line, sizeof(line), file))
			if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
				open_to_all += !(blocked >> (SIGUSR1 - 1) & 1);
		if (file)
			fclose(file);
	}
	closedir(tasks);
	printf("threads that take a signal: %d\n", open_to_all);
}

/* What the kernel does for a process with one thread only, again and again: the
 * thread that is not the program's is back by then. */
static void leave_what_is_shared(void)
{
	int flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FILES;
	int mounts = open("/proc/self/ns/mnt", O_RDONLY);

	for (int i = 0; i < 3; i++) {
		int n = unshare(flags);

		printf("unshare %d %ld, setns", n, syscall(SYS_unshare, flags));
		n = setns(mounts, 0);
		printf(" %d %ld\n", n, syscall(SYS_setns, mounts, 0));
		printf("%zu wrong\n", wrong());
	}
	close(mounts);
}

/* Nobody makes a thread from here on, lazymap neither, which was away while the
 * threads were counted. */
static int filtered(int way)
{
	struct sock_filter no_clone[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { 5, no_clone };
	int ret;

	count_threads(STAT);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (way == BY_PRCTL)
		ret = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
	else if (way == BY_SECCOMP)
		ret = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
				   &filter);
	else
		ret = (int)syscall(SYS_prctl, PR_SET_SECCOMP,
				   SECCOMP_MODE_FILTER, &filter, 0, 0);
	printf("filter %d\n", ret);
	/* Longer than it would be away. */
	usleep(1200000);
	printf("%zu wrong\n", wrong());
	free(malloc(4 * PIECE));
	printf("%zu wrong\n", wrong());
	return ret;
}

static void *rest(void *unused)
{
	usleep(100000);
	printf("%zu wrong in another thread\n", wrong());
	fflush(stdout);
	return unused;
}

int main(int argc, char **argv)
{
	int way = argc > 1 ? atoi(argv[1]) : WAYS;

	pthread_t thread;

	fill();
	printf("%zu wrong\n", wrong());
	tell_users("at first");
	tell_masks();
	leave_what_is_shared();
	printf("setgroups %d\n", getuid() ? 0 : setgroups(0, NULL));
	printf("setuid %d\n", setuid(getuid() ? getuid() : 65534));
	tell_users("then");
	printf("%zu wrong\n", wrong());
	if (way > WAYS)
		return filtered(way);
	count_threads(way);
	printf("%zu wrong\n", wrong());
	fflush(stdout);
	/* The last thread that the program knows of ends the process. */
	if (pthread_create(&thread, NULL, rest, NULL) != 0)
		return 1;
	pthread_exit(NULL);
}
