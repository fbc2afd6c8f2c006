/*
 * many.c -- so many threads at once: many N.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>

static pthread_barrier_t all;

static void *wait_for_all(void *unused)
{
	pthread_barrier_wait(&all);
	return unused;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	pthread_t thread;

	pthread_barrier_init(&all, NULL, n + 1);
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&thread, NULL, wait_for_all, NULL) ||
		    pthread_detach(thread))
			return 1;
	pthread_barrier_wait(&all);
	pthread_exit(NULL);
}
