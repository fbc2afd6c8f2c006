/*
 * cases.h -- for programs that are run plainly and under the shim, and have to
 * print the same: each case runs in a child, and how it ended is printed, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CASES_H
#define CASES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)

struct test_case {
	const char *name;
	void (*run)(void);
};

/* One of them: its name is the function's. */
#define CASE(name)                                                             \
	{                                                                      \
#name, name                                                    \
	}

/* Memory that is lazy under the shim; one page's worth of touching a call. */
static inline char *lazy(size_t pages)
{
	char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(9);
	}
	return memory;
}

static inline void touch(volatile char *at)
{
	*at = (char)(*at + 1);
}

/* Cases named by the arguments, or all; -NAME: but this one. */
static inline int run_cases(const struct test_case *cases, int argc,
			    char **argv)
{
	struct rlimit core = { 0, 0 };
	int status, wanted;

	setrlimit(RLIMIT_CORE, &core);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (; cases->name; cases++) {
		wanted = argc < 2 || argv[1][0] == '-';
		for (int i = 1; i < argc; i++)
			if (!strcmp(argv[i], cases->name))
				wanted = 1;
			else if (argv[i][0] == '-' &&
				 !strcmp(argv[i] + 1, cases->name))
				wanted = 0;
		if (!wanted)
			continue;
		fflush(stdout);
		pid_t child = fork();

		if (child == 0) {
			alarm(30);
			cases->run();
			fflush(stdout);
			exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child) {
			perror(cases->name);
			return 1;
		}
		if (WIFSIGNALED(status))
			printf("%s: signal %d%s\n", cases->name,
			       WTERMSIG(status),
			       WCOREDUMP(status) ? ", core" : "");
		else
			printf("%s: status %d\n", cases->name,
			       WEXITSTATUS(status));
	}
	return 0;
}

#endif
