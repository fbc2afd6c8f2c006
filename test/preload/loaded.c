/*
 * loaded.c -- what dlopen brings makes system calls of its own on lazy memory:
 * in constructors, in dependencies, after dlclose and dlopen, from threads, in
 * another namespace. Results are those on ordinary memory, so on the kernel
 * alone it passes as well.
 *
 *	loaded DIR
 *
 * DIR holds what test_loaded_once.sh has made: plug.so, which needs dep.so and
 * finds it by its RUNPATH, copies of it plug0.so ..., and lost.so, which needs
 * what is not there.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "expect.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define COPIES 24

static const char *dir;

static void *load(const char *name, int n)
{
	char path[4096];
	void *object;

	if (n < 0)
		snprintf(path, sizeof(path), "%s/%s.so", dir, name);
	else
		snprintf(path, sizeof(path), "%s/%s%d.so", dir, name, n);
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object) {
		printf("FAILED: %s\n", dlerror());
		exit(1);
	}
	return object;
}

/* Calls by the object's own instructions, on memory that is not there. */
static void use(void *object)
{
	long (*uname_raw)(char *) = dlsym(object, "plug_uname");
	long (*pread_raw)(int, char *, size_t, long) =
		dlsym(object, "plug_pread");
	long (*writev_raw)(int, struct iovec *, long) =
		dlsym(object, "dep_writev");
	long *constructed = dlsym(object, "plug_constructed");
	char *at = fresh(), back[4] = "....";
	struct iovec iov = { at + SIZE / 4, 3 };
	int fds[2], file = memfd_create("loaded", 0);

	EXPECT(*constructed == 0);
	EXPECT(uname_raw(at + 4090) == 0 && !strcmp(at + 4090, "Linux"));
	EXPECT(write(file, "content", 7) == 7 && ftruncate(file, 70000) == 0);
	EXPECT(pread_raw(file, at + SIZE / 2, 70000, 0) == 70000);
	EXPECT(!memcmp(at + SIZE / 2, "content", 8));
	if (pipe2(fds, O_NONBLOCK) < 0)
		abort();
	EXPECT(writev_raw(fds[1], &iov, 1) == 3);
	EXPECT(read(fds[0], back, 4) == 3 && !memcmp(back, "\0\0\0.", 4));
	close(file);
	close(fds[0]);
	close(fds[1]);
	munmap(at, SIZE);
}

static int mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	int c, lines = 0;

	while (file && (c = getc(file)) != EOF)
		lines += c == '\n';
	if (file)
		fclose(file);
	return lines;
}

/* Nothing is left behind by those that are gone. */
static void again(void)
{
	int before = 0;

	for (int i = 0; i < 50; i++) {
		void *object = load("plug", -1);

		use(object);
		EXPECT(dlclose(object) == 0);
		if (i % 10 == 0)
			EXPECT(!dlopen("./lost.so", RTLD_NOW) && dlerror());
		if (i == 10)
			before = mappings();
	}
	EXPECT(mappings() <= before + 5);
}

static void many(void)
{
	void *object[COPIES];

	for (int i = 0; i < COPIES; i++)
		object[i] = load("plug", i);
	/* From the middle, so that others move up in the list. */
	for (int i = COPIES / 3; i < COPIES / 2; i++)
		dlclose(object[i]);
	for (int i = COPIES / 3; i < COPIES / 2; i++)
		object[i] = load("plug", i);
	for (int i = 0; i < COPIES; i++) {
		use(object[i]);
		dlclose(object[i]);
	}
}

static void *worker(void *argument)
{
	int n = (int)(intptr_t)argument;

	for (int i = 0; i < 20; i++) {
		void *object = load("plug", n + i % 2);

		use(object);
		dlclose(object);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, worker, (void *)(intptr_t)i);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

static void *leave(void *argument)
{
	pthread_exit(argument);
}

/* The smallest stack is enough for pthread_exit, which loads libgcc_s. */
static void small_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *result = NULL;
	char token;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN);
	EXPECT(!pthread_create(&thread, &attr, leave, &token));
	EXPECT(!pthread_join(thread, &result) && result == &token);
	pthread_attr_destroy(&attr);
}

static void another_namespace(void)
{
	char path[4096];
	void *object;

	snprintf(path, sizeof(path), "%s/plug.so", dir);
	object = dlmopen(LM_ID_NEWLM, path, RTLD_NOW);
	EXPECT(object);
	if (!object)
		return;
	use(object);
	EXPECT(dlclose(object) == 0);
}

static void child(void)
{
	void *object = load("plug", -1);
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		failures = 0;
		use(object);
		use(load("plug", 1));
		_exit(failures > 0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	use(object);
	dlclose(object);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	dir = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(100);
	small_thread(); /* first: later libgcc_s is there */
	again();
	many();
	another_namespace();
	threads();
	child();
	printf("%d failed\n", failures);
	return failures > 0;
}
