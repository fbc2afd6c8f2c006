/*
 * many.c -- so many threads at once, and more memory than fits a small limit, so
 * that lazymap has one of its own: many N.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM ((size_t)8 << 20)

static pthread_barrier_t all;

static void *wait_for_all(void *unused)
{
	pthread_barrier_wait(&all);
	return unused;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	void *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	if (room == MAP_FAILED)
		return 1;
	memset(room, 1, ROOM);
	pthread_barrier_init(&all, NULL, n + 1);
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&thread, NULL, wait_for_all, NULL) ||
		    pthread_detach(thread))
			return 1;
	pthread_barrier_wait(&all);
	pthread_exit(NULL);
}
