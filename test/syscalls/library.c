/*
 * library.c -- what the C library does inside itself.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* A stream whose buffer is the program's. */
static long c_stream_write(char *p[PARAMS], bool raw)
{
	int fd = memfd_create("s", 0);
	FILE *file = fdopen(dup(fd), "w");

	(void)raw;
	fill_bytes();
	setvbuf(file, p[0], _IOFBF, 9000);
	for (int i = 0; i < 3000; i++)
		fprintf(file, "line %d\n", i);
	extra[3] = fclose(file);
	note_file(fd);
	return 0;
}

static long c_stream_read(char *p[PARAMS], bool raw)
{
	FILE *file = fdopen(known_file(), "r");
	uint32_t sum = 1;
	int c;

	(void)raw;
	setvbuf(file, p[0], _IOFBF, 9000);
	while ((c = getc(file)) != EOF)
		sum = sum * 31 + (unsigned)c;
	extra[0] = sum;
	return fclose(file);
}

static void *poster(void *argument)
{
	sem_post(argument);
	return NULL;
}

static long c_semaphore(char *p[PARAMS], bool raw)
{
	sem_t *sem = (sem_t *)p[0];
	pthread_t thread;

	(void)raw;
	sem_init(sem, 0, 0);
	pthread_create(&thread, NULL, poster, sem);
	sem_wait(sem);
	pthread_join(thread, NULL);
	return sem_destroy(sem);
}

struct meeting {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int turn;
};

static void *meet(void *argument)
{
	struct meeting *at = argument;

	for (int i = 0; i < 10; i++) {
		pthread_mutex_lock(&at->mutex);
		while (at->turn % 2 == 0)
			pthread_cond_wait(&at->cond, &at->mutex);
		at->turn++;
		pthread_cond_broadcast(&at->cond);
		pthread_mutex_unlock(&at->mutex);
	}
	return NULL;
}

static long c_condition(char *p[PARAMS], bool raw)
{
	struct meeting *at = (struct meeting *)p[0];
	pthread_t thread;
	long turns;

	(void)raw;
	memset(at, 0, sizeof(*at));
	pthread_create(&thread, NULL, meet, at);
	for (int i = 0; i < 10; i++) {
		pthread_mutex_lock(&at->mutex);
		while (at->turn % 2 == 1)
			pthread_cond_wait(&at->cond, &at->mutex);
		at->turn++;
		pthread_cond_broadcast(&at->cond);
		pthread_mutex_unlock(&at->mutex);
	}
	pthread_join(thread, NULL);
	turns = at->turn;
	memset(at, 0, sizeof(*at));
	return turns;
}

static void *pass(void *argument)
{
	pthread_barrier_t *barrier = argument;

	for (int i = 0; i < 10; i++)
		pthread_barrier_wait(barrier);
	return NULL;
}

static long c_barrier(char *p[PARAMS], bool raw)
{
	pthread_barrier_t *barrier = (pthread_barrier_t *)p[0];
	pthread_t thread;

	(void)raw;
	pthread_barrier_init(barrier, NULL, 2);
	pthread_create(&thread, NULL, pass, barrier);
	for (int i = 0; i < 10; i++) {
		away(p[0]);
		pthread_barrier_wait(barrier);
	}
	pthread_join(thread, NULL);
	return pthread_barrier_destroy(barrier);
}

static void *write_once(void *argument)
{
	long ret = pthread_rwlock_wrlock(argument);

	pthread_rwlock_unlock(argument);
	return (void *)ret;
}

static long c_rwlock(char *p[PARAMS], bool raw)
{
	pthread_rwlock_t *rwlock = (pthread_rwlock_t *)p[0];
	pthread_t thread;
	void *ret;

	(void)raw;
	pthread_rwlock_init(rwlock, NULL);
	pthread_rwlock_rdlock(rwlock);
	pthread_create(&thread, NULL, write_once, rwlock);
	usleep(2000);
	away(p[0]);
	pthread_rwlock_unlock(rwlock);
	pthread_join(thread, &ret);
	extra[0] = (long)ret;
	return pthread_rwlock_destroy(rwlock);
}

/* Two processes, and one that ends with the mutex held. */
static long c_shared_mutex(char *p[PARAMS], bool raw)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)p[0];
	pthread_mutexattr_t attr;
	pid_t pid;

	(void)raw;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(mutex, &attr);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		pthread_mutex_lock(mutex);
		away(p[0]);
		pthread_mutex_unlock(mutex);
		pthread_mutex_lock(mutex);
		away(p[0]);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	away(p[0]);
	extra[0] = pthread_mutex_lock(mutex);
	if (extra[0] == EOWNERDEAD)
		pthread_mutex_consistent(mutex);
	extra[1] = pthread_mutex_lock(mutex);
	away(p[0]);
	extra[2] = pthread_mutex_unlock(mutex);
	return pthread_mutex_destroy(mutex);
}

/* How one goes that cannot say good-bye. */
enum end { KILLED, EXECUTED };

static void hold_and_wait(char *p[PARAMS], int fd, enum end end)
{
	signal(SIGSEGV, SIG_DFL);
	for (int i = 0; i < 2; i++)
		pthread_mutex_lock((pthread_mutex_t *)p[i]);
	/* Had, let go and had again; and over a wait. */
	pthread_mutex_unlock((pthread_mutex_t *)p[1]);
	extra[0] = pthread_mutex_trylock((pthread_mutex_t *)p[1]);
	away(p[0]);
	away(p[1]);
	if (end == EXECUTED)
		execl("/bin/true", "true", NULL);
	if (write(fd, "x", 1) == 1)
		pause();
	_exit(1);
}

/* What the other one is told; nothing, if the kernel did not find them. */
static long after(char *p[PARAMS], enum end end)
{
	pthread_mutexattr_t attr;
	struct timespec soon;
	int fds[2];
	char c;
	pid_t pid;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (int i = 0; i < 2; i++)
		pthread_mutex_init((pthread_mutex_t *)p[i], &attr);
	if (pipe(fds) < 0)
		abort();
	pid = fork();
	if (pid == 0)
		hold_and_wait(p, fds[1], end);
	close(fds[1]);
	if (end == KILLED && read(fds[0], &c, 1) == 1)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec++;
	for (int i = 0; i < 2; i++) {
		pthread_mutex_t *mutex = (pthread_mutex_t *)p[i];

		extra[i] = pthread_mutex_timedlock(mutex, &soon);
		if (extra[i] == EOWNERDEAD)
			pthread_mutex_consistent(mutex);
		extra[i + 2] = pthread_mutex_unlock(mutex);
	}
	return 0;
}

static long c_killed_owner(char *p[PARAMS], bool raw)
{
	(void)raw;
	return after(p, KILLED);
}

static long c_executed_owner(char *p[PARAMS], bool raw)
{
	(void)raw;
	return after(p, EXECUTED);
}

static void *hold(void *argument)
{
	pthread_mutex_lock(argument);
	away(argument);
	return NULL;
}

/* A thread ends that holds one. */
static long c_robust_mutex(char *p[PARAMS], bool raw)
{
	pthread_mutexattr_t attr;
	pthread_t thread;

	(void)raw;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (int i = 0; i < 2; i++) {
		pthread_mutex_t *mutex = (pthread_mutex_t *)p[i];

		pthread_mutex_init(mutex, &attr);
		pthread_create(&thread, NULL, hold, mutex);
		pthread_join(thread, NULL);
		extra[i] = pthread_mutex_trylock(mutex);
		if (extra[i] == EOWNERDEAD)
			pthread_mutex_consistent(mutex);
		pthread_mutex_unlock(mutex);
		pthread_mutex_destroy(mutex);
	}
	return 0;
}

/* p: name of the host, of the service, hints, the pointer to what was found */
static long c_getaddrinfo(char *p[PARAMS], bool raw)
{
	struct addrinfo *hints = (struct addrinfo *)p[2];
	struct addrinfo **found = (struct addrinfo **)p[3];
	long ret;

	(void)raw;
	memset(hints, 0, sizeof(*hints));
	hints->ai_flags = AI_NUMERICHOST;
	hints->ai_family = AF_INET;
	hints->ai_socktype = SOCK_STREAM;
	away(p[2]);
	ret = getaddrinfo(p[0], p[1], hints, found);
	if (!ret) {
		extra[0] = (*found)->ai_family;
		extra[1] = (*found)->ai_addrlen;
		freeaddrinfo(*found);
	}
	return ret;
}

/* p: a name, the struct, its buffer */
static long c_getpwnam(char *p[PARAMS], bool raw)
{
	struct passwd *result = NULL;
	long ret;

	(void)raw;
	ret = getpwnam_r(p[0], (struct passwd *)p[1], p[2], 4000, &result);
	extra[0] = result ? (long)result->pw_uid : -1;
	extra[1] = result ? result->pw_dir[0] : -1;
	return ret;
}

static long c_getnameinfo(char *p[PARAMS], bool raw)
{
	struct sockaddr_in *address = (struct sockaddr_in *)p[0];

	(void)raw;
	memset(address, 0, sizeof(*address));
	address->sin_family = AF_INET;
	address->sin_port = htons(80);
	away(p[0]);
	return getnameinfo((struct sockaddr *)address, sizeof(*address), p[1],
			   64, p[2], 32, NI_NUMERICHOST | NI_NUMERICSERV);
}

/* p: path, argv, envp, an argument, file actions, attributes */
static long c_spawn_actions(char *p[PARAMS], bool raw)
{
	posix_spawn_file_actions_t *actions =
		(posix_spawn_file_actions_t *)p[4];
	posix_spawnattr_t *attr = (posix_spawnattr_t *)p[5];
	int fds[2], ret;
	pid_t pid = 0;

	(void)raw;
	if (pipe(fds) < 0)
		abort();
	posix_spawn_file_actions_init(actions);
	posix_spawn_file_actions_adddup2(actions, fds[1], 1);
	posix_spawnattr_init(attr);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP);
	away(p[4]);
	away(p[5]);
	ret = posix_spawn(&pid, p[0], actions, attr, (char **)p[1],
			  (char **)p[2]);
	close(fds[1]);
	if (!ret)
		note_output(pid, fds[0]);
	posix_spawn_file_actions_destroy(actions);
	return ret;
}

static void prepare_spawn(char *c[PARAMS], char *p[PARAMS])
{
	char *argv[] = { p[0], p[3], NULL };

	memcpy(c[1], argv, sizeof(argv));
	memcpy(c[2], &argv[2], sizeof(argv[2])); /* no variables */
}

static long c_realpath(char *p[PARAMS], bool raw)
{
	(void)raw;
	return realpath(p[0], p[1]) ? 0 : -1;
}

static const char program[] = "/bin/echo";

/* clang-format off */
const struct test library_tests[] = {
	TL(stream_write, TIME(9000)),
	TL(stream_read, OUT(9000)),
	TL(semaphore, TIME(sizeof(sem_t))),
	TL(condition, OUT(sizeof(struct meeting))),
	TL(barrier, TIME(sizeof(pthread_barrier_t))),
	TL(rwlock, TIME(sizeof(pthread_rwlock_t))),
	TL(robust_mutex, TIME(sizeof(pthread_mutex_t)), TIME(sizeof(pthread_mutex_t))),
	TL(killed_owner, TIME(sizeof(pthread_mutex_t)), TIME(sizeof(pthread_mutex_t))),
	TL(executed_owner, TIME(sizeof(pthread_mutex_t)), TIME(sizeof(pthread_mutex_t))),
	TL(shared_mutex, TIME(sizeof(pthread_mutex_t))),
	TL(getaddrinfo, NAME("127.0.0.1"), NAME("80"), TIME(sizeof(struct addrinfo)), TIME(sizeof(void *))),
	TL(getnameinfo, TIME(sizeof(struct sockaddr_in)), OUT(64), OUT(32)),
	TL(getpwnam, NAME("root"), TIME(sizeof(struct passwd)), TIME(4000)),
	{ "spawn_actions", c_spawn_actions, { NAME(program), POINTERS(24), POINTERS(8), NAME("one argument"), TIME(sizeof(posix_spawn_file_actions_t)), TIME(sizeof(posix_spawnattr_t)) }, prepare_spawn, LIBC_ONLY, false },
	TL(realpath, NAME("/proc/self/../self"), TIME(4096)),
	END_OF_TESTS,
};
/* clang-format on */
