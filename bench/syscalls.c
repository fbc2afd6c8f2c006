/*
 * syscalls.c -- what system calls cost under the shim: with memory that is not
 * lazy, and with lazy memory that is resident.
 *
 * Three ways, one process each, one after the other in every round: on the
 * kernel, under `lazymap run`, and with --no-syscall-trap. What is reported is
 * the median over the rounds, of the times and of the ratios within a round.
 * The last line is JSON.
 *
 *	syscalls [ROUNDS]	BENCH_ROUNDS=N does the same
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS 20000
#define PASSES 25
#define SIZE ((size_t)1 << 20)
#define ROUNDS_MAX 99

static int file, null;
static char ordinary[16384], *lazy;

static void op_pread(char *at)
{
	if (pread(file, at, 4096, 0) != 4096)
		abort();
}

static void op_pwrite(char *at)
{
	if (pwrite(file, at, 4096, 0) != 4096)
		abort();
}

static void op_preadv(char *at)
{
	struct iovec iov[2] = { { at, 2048 }, { at + 2048, 2048 } };

	if (preadv(file, iov, 2, 0) != 4096)
		abort();
}

static void op_stat(char *at)
{
	if (stat("/etc/passwd", (struct stat *)at) < 0)
		abort();
}

static void op_small(char *at)
{
	if (write(null, at, 1) != 1)
		abort();
}

static const struct op {
	const char *name, *key;
	void (*run)(char *at);
	int lazy;
	double most; /* the ratio that is aimed at, 0: none */
} ops[] = {
	{ "pread 4 KiB, ordinary memory", "pread", op_pread, 0, 1.25 },
	{ "pwrite 4 KiB, ordinary memory", "pwrite", op_pwrite, 0, 1.25 },
	{ "preadv 2 x 2 KiB, ordinary", "preadv", op_preadv, 0, 0 },
	{ "stat, ordinary memory", "stat", op_stat, 0, 1.25 },
	{ "write 1 byte, /dev/null", "small", op_small, 0, 0 },
	{ "pread 4 KiB, resident lazy", "pread_lazy", op_pread, 1, 1.2 },
	{ "pwrite 4 KiB, resident lazy", "pwrite_lazy", op_pwrite, 1, 1.2 },
	{ "stat, resident lazy", "stat_lazy", op_stat, 1, 0 },
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(values[0]), compare);
	return values[n / 2];
}

/* A few short passes, the best: what is wanted is the call, not the machine's
 * other work. */
static double measure(const struct op *op)
{
	char *at = op->lazy ? lazy + 65536 : ordinary;
	double best = 1e18, from;

	for (int pass = 0; pass < PASSES; pass++) {
		from = now();
		for (int i = 0; i < CALLS / PASSES; i++)
			op->run(at);
		from = (now() - from) / (CALLS / PASSES);
		best = from < best ? from : best;
	}
	return best;
}

static int child(void)
{
	double times[OPS];

	file = memfd_create("bench", 0);
	null = open("/dev/null", O_WRONLY);
	lazy = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (lazy == MAP_FAILED || file < 0 || null < 0)
		return 1;
	memset(lazy, 1, SIZE);
	memset(ordinary, 1, sizeof(ordinary));
	op_pwrite(ordinary);
	for (size_t i = 0; i < OPS; i++)
		times[i] = measure(&ops[i]);
	return write(1, times, sizeof(times)) != sizeof(times);
}

static void run(char *const argv[], double times[OPS])
{
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) < 0 || (pid = fork()) < 0) {
		perror("fork");
		exit(1);
	}
	if (pid == 0) {
		dup2(fds[1], 1);
		execv(argv[0], argv);
		_exit(127);
	}
	close(fds[1]);
	if (read(fds[0], times, OPS * sizeof(times[0])) !=
	    (ssize_t)(OPS * sizeof(times[0]))) {
		fprintf(stderr, "%s failed\n", argv[0]);
		exit(1);
	}
	close(fds[0]);
	waitpid(pid, &status, 0);
}

enum { KERNEL, TRAP, NO_TRAP, WAYS };
static double times[ROUNDS_MAX][WAYS][OPS];

static double ratio(size_t op, int way, size_t rounds)
{
	double ratios[ROUNDS_MAX];

	for (size_t r = 0; r < rounds; r++)
		ratios[r] = times[r][way][op] / times[r][KERNEL][op];
	return median(ratios, rounds);
}

static double typical(size_t op, int way, size_t rounds)
{
	double values[ROUNDS_MAX];

	for (size_t r = 0; r < rounds; r++)
		values[r] = times[r][way][op];
	return median(values, rounds);
}

static void report(size_t rounds)
{
	printf("%-30s %8s %8s %6s %8s %6s %6s\n", "ns a call", "kernel",
	       "lazymap", "ratio", "no trap", "ratio", "aim");
	for (size_t i = 0; i < OPS; i++) {
		printf("%-30s %8.0f %8.0f %6.2f %8.0f %6.2f", ops[i].name,
		       typical(i, KERNEL, rounds), typical(i, TRAP, rounds),
		       ratio(i, TRAP, rounds), typical(i, NO_TRAP, rounds),
		       ratio(i, NO_TRAP, rounds));
		if (ops[i].most > 0)
			printf(" %6.2f", ops[i].most);
		printf("\n");
	}
	printf("{\"bench\":\"syscalls\",\"rounds\":%zu", rounds);
	for (size_t i = 0; i < OPS; i++)
		printf(",\"%s\":{\"ns\":%.0f,\"trap\":%.3f,\"no_trap\":%.3f}",
		       ops[i].key, typical(i, KERNEL, rounds),
		       ratio(i, TRAP, rounds), ratio(i, NO_TRAP, rounds));
	printf("}\n");
}

int main(int argc, char **argv)
{
	char self[4096], lazymap[4200], *slash;
	const char *wanted = getenv("BENCH_ROUNDS");
	size_t rounds = wanted && atoi(wanted) > 0 ? (size_t)atoi(wanted) : 9;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (argc > 1 && !strcmp(argv[1], "--child"))
		return child();
	if (argc > 1)
		rounds = (size_t)atoi(argv[1]);
	if (n < 0 || rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	self[n] = 0;
	snprintf(lazymap, sizeof(lazymap), "%s", self);
	slash = strrchr(lazymap, '/');
	strcpy(slash, "/../lazymap");
	for (size_t r = 0; r < rounds; r++) {
		run((char *[]){ self, "--child", NULL }, times[r][KERNEL]);
		run((char *[]){ lazymap, "run", "--", self, "--child", NULL },
		    times[r][TRAP]);
		run((char *[]){ lazymap, "run", "--no-syscall-trap", "--", self,
				"--child", NULL },
		    times[r][NO_TRAP]);
	}
	report(rounds);
	return 0;
}
