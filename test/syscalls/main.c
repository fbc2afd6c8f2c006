/*
 * main.c -- every system call on every kind of memory does what it does on
 * ordinary memory. Run under `lazymap run`; on the kernel alone it passes as
 * well, which shows that the comparison itself is sound.
 *
 *	syscalls [-v] [-l] [-s] [-n FILE] [NAME]
 *
 * -l: the C library's functions only. -s: on memory that was swapped out only.
 * -n: write what each call came to on ordinary memory.
 *
 * Each case is a call with up to six pieces of memory. It is made twice, with
 * the pieces laid out the same way: once in memory that lazymap leaves to the
 * kernel (MAP_STACK), once in memory that it makes lazy. Result, errno, what
 * is in the pieces afterwards and what else the case looks at are to be equal.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include "syscall/raw.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE ((size_t)4096)
/* A piece lies across the middle of a mapping of so many bytes: most are small,
 * and to touch all of a large one takes most of the time. */
#define SMALL ((size_t)64 * 1024) /* the least that is made lazy */
#define LARGE ((size_t)256 * 1024)

enum kind {
	ABSENT,    /* never touched */
	CLEAN,     /* read before */
	DIRTY,     /* written before */
	SWAPPED,   /* written, and gone out: with a resident limit */
	SHARED,    /* a shared mapping, never touched */
	READ_ONLY, /* may not be written */
	NONE,      /* may not be touched */
	HALF_LAZY, /* the second half of each piece is lazy, the first is not */
	LAZY_HALF, /* the other way round */
	HOLE,      /* the second half of each piece is not mapped */
	KINDS,
};

static const char *const kind_names[] = { "absent",  "clean",     "dirty",
					  "swapped", "shared",    "read-only",
					  "none",    "half-lazy", "lazy-half",
					  "hole" };

long extra[4];
static sigjmp_buf died;
#define DIED (-12345)
static int failures, checks, verbose, libc_only, swapped, gone;
static enum kind only_kind = KINDS;
static FILE *notes;

struct outcome {
	long ret, extra[4];
	int error;
	char *left[PARAMS]; /* what is in the piece; NULL: cannot be read */
};

struct piece {
	char *map, *at;
	size_t size;  /* of the map */
	size_t first; /* bytes of it before the middle */
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* Each piece has a file of its own: contents that are there untouched. */
static int file_with(const char *content, size_t len, const struct piece *piece)
{
	off_t at = (off_t)(piece->at - piece->map);
	int fd = memfd_create("piece", 0);

	if (fd < 0 || ftruncate(fd, (off_t)piece->size) < 0 ||
	    pwrite(fd, content, len, at) != (ssize_t)len)
		die("memfd_create");
	return fd;
}

static void map(char *at, size_t len, int fd, size_t offset, int prot,
		int flags)
{
	if (mmap(at, len, prot, MAP_FIXED | flags, fd, (off_t)offset) != at)
		die("mmap");
}

static void touch(char *at, size_t len, bool write)
{
	for (size_t i = 0; i < len; i += PAGE) {
		volatile char *c = at + i;

		if (write)
			*c = *c;
		else
			(void)*c;
	}
}

/* What the advice does is for the pager to say; those that are all gone are
 * counted. */
static void swap_out(char *at, size_t size, int plain)
{
	unsigned char there[LARGE / PAGE];

	madvise(at, size, MADV_PAGEOUT);
	if (plain)
		return;
	if (mincore(at, size, there) < 0)
		die("mincore");
	swapped++;
	gone += !memchr(there, 1, size / PAGE);
}

/* `plain`: MAP_STACK where the memory is to be ordinary, whatever the kind. */
static void lay(const struct piece *piece, enum kind kind, int plain, int fd)
{
	int prot = kind == READ_ONLY ? PROT_READ
		   : kind == NONE    ? PROT_NONE
				     : PROT_READ | PROT_WRITE;
	size_t middle = piece->size / 2;
	int flags = (kind == SHARED ? MAP_SHARED : MAP_PRIVATE) | plain;

	map(piece->map, piece->size, fd, 0, prot, flags);
	if (kind == CLEAN || kind == DIRTY || kind == SWAPPED)
		touch(piece->map, piece->size, kind != CLEAN);
	if (kind == SWAPPED)
		swap_out(piece->map, piece->size, plain);
	if (kind == HALF_LAZY)
		map(piece->map, middle, fd, 0, prot, MAP_PRIVATE | MAP_STACK);
	if (kind == LAZY_HALF)
		map(piece->map + middle, middle, fd, middle, prot,
		    MAP_PRIVATE | MAP_STACK);
	if (kind == HOLE)
		munmap(piece->map + middle, middle);
}

static void remember(const struct param *param, const struct piece *piece,
		     enum kind kind, const char *init, char **left)
{
	size_t len = kind == HOLE ? piece->first : param->len;

	*left = NULL;
	if (kind == NONE || !len || param->compare == IGNORED)
		return;
	*left = calloc(1, param->len);
	if (!*left)
		die("calloc");
	if (param->compare == SAME)
		memcpy(*left, piece->at, len);
	else
		**left = memcmp(init, piece->at, len) != 0;
}

/* Descriptors that a case leaves open, or that a call made. */
static void close_all(void)
{
	close_range(3, 63, 0);
}

/* By an instruction of this program's, and not by syscall(). */
static bool by_instruction;

long raw_call(long nr, const long args[6])
{
	long ret;

	cover_call(nr, args);
	if (by_instruction) {
		ret = lm_syscall6(nr, args[0], args[1], args[2], args[3],
				  args[4], args[5]);
		if (ret >= 0 || ret < -4095)
			return ret;
		errno = (int)-ret;
		return -1;
	}
	return syscall(nr, args[0], args[1], args[2], args[3], args[4],
		       args[5]);
}

/* One run: the pieces in `kinds` (`plain` or lazy), the call, what came. */
static void run(const struct test *test, bool raw, const enum kind kinds[],
		int plain, struct outcome *outcome)
{
	struct piece piece[PARAMS] = { { 0 } };
	char *content[PARAMS] = { 0 }, *p[PARAMS] = { 0 };
	char *maps[PARAMS] = { 0 };
	size_t sizes[PARAMS] = { 0 };
	int i, fds[PARAMS];
	sigset_t none;

	sigemptyset(&none);
	for (i = 0; i < PARAMS && test->param[i].len; i++) {
		const struct param *param = &test->param[i];

		piece[i].size =
			param->len <= SMALL / 2 - 2 * PAGE ? SMALL : LARGE;
		piece[i].map = mmap(NULL, piece[i].size, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | plain, -1, 0);
		if (piece[i].map == MAP_FAILED)
			die("mmap");
		maps[i] = piece[i].map;
		sizes[i] = piece[i].size;
		/* Structs stay aligned in halves. */
		piece[i].first = kinds[i] == HOLE && param->len <= 16
					 ? 0
					 : param->len / 2 & ~(size_t)7;
		p[i] = piece[i].at =
			piece[i].map + piece[i].size / 2 - piece[i].first;
		content[i] = malloc(param->len);
		for (size_t k = 0; k < param->len; k++)
			content[i][k] = (char)(k * 7 + 33);
		if (param->init)
			memcpy(content[i], param->init, param->len);
	}
	if (test->prepare)
		test->prepare(content, p);
	for (i = 0; i < PARAMS && test->param[i].len; i++) {
		fds[i] = file_with(content[i], test->param[i].len, &piece[i]);
		lay(&piece[i], kinds[i], plain, fds[i]);
	}
	close_all();
	cover_run(maps, sizes);
	memset(extra, 0, sizeof(extra));
	sigprocmask(SIG_SETMASK, &none, NULL);
	errno = 0;
	/* libc's functions touch some memory themselves, and die of it. */
	outcome->ret = sigsetjmp(died, 1) ? DIED : test->call(p, raw);
	outcome->error = outcome->ret == -1 ? errno : 0;
	memcpy(outcome->extra, extra, sizeof(extra));
	close_all();
	for (i = 0; i < PARAMS && test->param[i].len; i++) {
		remember(&test->param[i], &piece[i], kinds[i], content[i],
			 &outcome->left[i]);
		munmap(piece[i].map, piece[i].size);
		free(content[i]);
	}
}

static bool equal(const struct test *test, const struct outcome *a,
		  const struct outcome *b, char *why, size_t size)
{
	if (a->ret != b->ret || a->error != b->error) {
		snprintf(why, size, "returned %ld (%s), not %ld (%s)", b->ret,
			 strerrorname_np(b->error), a->ret,
			 strerrorname_np(a->error));
		return false;
	}
	for (int i = 0; i < 4; i++)
		if (a->extra[i] != b->extra[i]) {
			snprintf(why, size, "afterwards %ld, not %ld (%d)",
				 b->extra[i], a->extra[i], i);
			return false;
		}
	for (int i = 0; i < PARAMS; i++)
		if (a->left[i] &&
		    memcmp(a->left[i], b->left[i], test->param[i].len) != 0) {
			snprintf(why, size, "other bytes in piece %d", i);
			return false;
		}
	return true;
}

static void forget(struct outcome *outcome)
{
	for (int i = 0; i < PARAMS; i++)
		free(outcome->left[i]);
	memset(outcome, 0, sizeof(*outcome));
}

/* On ordinary memory, piece by piece: does the case use it? */
static void cover(const struct test *test)
{
	enum kind kinds[PARAMS] = { ABSENT };
	struct outcome usual = { 0 }, other = { 0 };
	char why[200];
	bool refused;

	run(test, true, kinds, MAP_STACK, &usual);
	refused = usual.error == ENOSYS || usual.error == EPERM ||
		  usual.error == EACCES || usual.error == EOPNOTSUPP ||
		  usual.error == ENODEV;
	for (int i = 0; i < PARAMS && test->param[i].len; i++) {
		kinds[i] = NONE;
		run(test, true, kinds, MAP_STACK, &other);
		kinds[i] = ABSENT;
		cover_piece(i, !equal(test, &other, &usual, why, sizeof(why)),
			    refused);
		forget(&other);
	}
	forget(&usual);
}

/* What came of it on ordinary memory, for the one to compare who runs this on the
 * kernel and on lazymap. */
static void note(const struct test *test, bool raw, enum kind kind, int which,
		 const struct outcome *outcome)
{
	if (notes)
		fprintf(notes, "%s %s %s %d: %ld %s\n", test->name,
			by_instruction ? "instruction"
			: raw          ? "syscall"
				       : "libc",
			kind_names[kind], which, outcome->ret,
			strerrorname_np(outcome->error));
}

/* With pieces `which` (-1: all) of this kind, the others ordinary. */
static void check(const struct test *test, bool raw, enum kind kind, int which)
{
	struct outcome plain = { 0 }, lazy = { 0 };
	enum kind kinds[PARAMS];
	char why[200];

	for (int i = 0; i < PARAMS; i++)
		kinds[i] = which < 0 || which == i ? kind : ABSENT;
	if (verbose)
		printf("%s %s %s %d\n", test->name, raw ? "raw" : "libc",
		       kind_names[kind], which);
	run(test, raw, kinds, MAP_STACK, &plain);
	run(test, raw, kinds, 0, &lazy);
	checks++;
	note(test, raw, kind, which, &plain);
	if (raw && plain.ret == DIED)
		snprintf(why, sizeof(why), "died of a system call");
	else if (equal(test, &plain, &lazy, why, sizeof(why)))
		*why = 0;
	if (*why) {
		failures++;
		printf("FAILED: %s, %s, %s memory, piece %d: %s\n", test->name,
		       by_instruction ? "instruction"
		       : raw          ? "syscall()"
				      : "libc",
		       kind_names[kind], which, why);
	}
	forget(&plain);
	forget(&lazy);
}

/* The C library's function touches memory itself, where it may be touched. */
static bool fits(const struct test *test, bool raw, enum kind kind)
{
	if (raw ? test->ways == LIBC_ONLY
		: test->ways == RAW_ONLY || test->ways == BY_NUMBER_ONLY)
		return false;
	return raw || test->ways != LIBC_ONLY ||
	       (kind != HOLE && kind != NONE && kind != READ_ONLY);
}

static void check_all(const struct test *test)
{
	int pieces = 0;

	while (pieces < PARAMS && test->param[pieces].len)
		pieces++;
	if (test->ways != LIBC_ONLY && !libc_only && only_kind == KINDS)
		cover(test);
	for (int raw = 0; raw < 2 - libc_only; raw++)
		for (enum kind kind = 0; kind < KINDS; kind++) {
			if (!fits(test, raw, kind) ||
			    (only_kind != KINDS && kind != only_kind))
				continue;
			check(test, raw, kind, -1);
			if (raw && test->ways != BY_NUMBER_ONLY) {
				by_instruction = true;
				check(test, raw, kind, -1);
				by_instruction = false;
			}
			/* Starting programs takes long. */
			if (test->slow && kind != ABSENT)
				continue;
			for (int i = 0; pieces > 1 && i < pieces; i++)
				check(test, raw, kind, i);
		}
}

static const struct test *const groups[] = {
	transfer_tests, sockets_tests,  waiting_tests,  files_tests,
	process_tests,  time_tests,     signals_tests,  ipc_tests,
	memory_tests,   security_tests, programs_tests, library_tests,
	commands_tests, trace_tests,    bpf_tests,
};

/* All of a group's, or the one of this name. How many. */
static size_t check_group(const struct test *tests, const char *only)
{
	size_t count = 0;

	for (; tests->name; tests++) {
		alarm(200); /* a call that hangs is a failure */
		if (only && strcmp(only, tests->name) != 0)
			continue;
		check_all(tests);
		count++;
	}
	return count;
}

/* Beyond the descriptors that are the cases'. */
static FILE *open_notes(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	FILE *file = fdopen(high, "w");

	if (fd < 0 || !file)
		die(path);
	close(fd);
	return file;
}

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(died, 1);
}

int main(int argc, char **argv)
{
	const char *only = NULL;
	size_t count = 0;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "-v"))
			verbose = 1;
		else if (!strcmp(argv[i], "-l"))
			libc_only = 1;
		else if (!strcmp(argv[i], "-s"))
			only_kind = SWAPPED;
		else if (!strcmp(argv[i], "-n") && i + 1 < argc)
			notes = open_notes(argv[++i]);
		else
			only = argv[i];
	cover_start();
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		count += check_group(groups[i], only);
	if (!only && !libc_only && only_kind == KINDS)
		failures += cover_report();
	printf("%d of %d pieces of memory went out\n", gone, swapped);
	printf("%d checks of %zu calls, %d failed\n", checks, count, failures);
	return failures > 0;
}
