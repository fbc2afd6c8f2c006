/*
 * syscalls.h -- what the matrix of system calls and its cases share.
 *
 * A case makes its own descriptors and children, the same ones every time. What
 * it needs of memory for that is on its stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PARAMS 6

/* How what a call leaves behind is compared with what it left on ordinary
 * memory. */
enum compare {
	SAME,    /* byte for byte */
	CHANGED, /* is it what was put in, or not? (times, addresses) */
	IGNORED, /* not at all: the case looks at it itself */
};

struct param {
	size_t len;
	const void *init; /* NULL: a pattern; see also prepare */
	enum compare compare;
};

struct test {
	const char *name;
	/* raw: by syscall(); else by the C library's function. -1 in *extra[0]
	 * and so on is compared, too. */
	long (*call)(char *p[PARAMS], bool raw);
	struct param param[PARAMS];
	/* Put addresses p[] into the contents c[]. */
	void (*prepare)(char *c[PARAMS], char *p[PARAMS]);
	/* BY_NUMBER_ONLY: by syscall(), and not by an instruction. */
	enum { BOTH, LIBC_ONLY, RAW_ONLY, BY_NUMBER_ONLY } ways;
	bool slow; /* it starts a program: not for every piece */
};

/* One table a file; each ends with END_OF_TESTS. */
extern const struct test transfer_tests[], sockets_tests[], waiting_tests[],
	files_tests[], process_tests[], time_tests[], signals_tests[],
	ipc_tests[], memory_tests[], security_tests[], programs_tests[],
	library_tests[], commands_tests[], trace_tests[], bpf_tests[];

/* What else a case found out, compared exactly. */
extern long extra[4];

#define LONGS_(a, b, c, d, e, f, ...)                                          \
	(const long[6])                                                        \
	{                                                                      \
		(long)(a), (long)(b), (long)(c), (long)(d), (long)(e),         \
			(long)(f)                                              \
	}
/* The call itself. */
#define RAW(nr, ...) raw_call(nr, LONGS_(__VA_ARGS__, 0, 0, 0, 0, 0, 0))
long raw_call(long nr, const long args[6]);

/* The libc function, or the call itself. */
#define CALL(libc, nr, ...) (raw ? RAW(nr, __VA_ARGS__) : (long)(libc))

/* Cases that are no more than that. */
#define CASE(name, libc, nr, ...)                                              \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		return CALL(libc, nr, __VA_ARGS__);                            \
	}
#define CASE_RAW(name, nr, ...)                                                \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		(void)raw;                                                     \
		return RAW(nr, __VA_ARGS__);                                   \
	}

/* -- Of coverage.c -------------------------------------------------------------- */

void cover_start(void);
/* A run of a case begins, with its pieces in `map`, of `size` bytes each. */
void cover_run(char *const map[PARAMS], const size_t size[PARAMS]);
/* A call is about to be made. Also in a child. */
void cover_call(long nr, const long args[6]);
/* Of the last run: did what is in this piece make a difference? Or else, were
 * its calls refused, as ones of another kernel or another user? */
void cover_piece(int piece, bool used, bool refused);
/* Every row of lib/syscall/table.c has been run, or has a reason not to be.
 * How many have neither. */
int cover_report(void);

/* -- Of support.c --------------------------------------------------------------- */

#define BIG ((size_t)70000) /* many pages, more than one cluster */

extern char bytes[BIG]; /* ordinary, known */
void fill_bytes(void);
/* A file with these, at its start. */
int known_file(void);
/* To extra[0..2]: where a file stands, its size, a sum of its bytes. */
void note_file(int fd);
/* A sum of them. */
void note_sum(int fd, long *to);

/* A pipe with one byte in it: descriptors 3 and 4. */
void pipe_3_4(void);
/* To extra[0..1]: a sum of what comes from fd, and how the child ended. */
void note_output(pid_t pid, int fd);
/* The page that this is in. */
char *page_of(char *at);
/* Out with it, where pages go out. */
void away(char *at);

/* Sockets: with a name of the process's own, and that name; a pair. */
int named(const char *name, int type);
void name_of(int fd, struct sockaddr_un *sun);
void pair(int type, int fds[2]);

extern const struct timespec moment;
extern const struct itimerspec hour;
extern const uint64_t mask_usr1;
extern const int five;
extern const socklen_t name_len;

/* -- A table's rows ------------------------------------------------------------- */

/* clang-format off */
#define NAME(text) { sizeof(text), text, SAME }
#define MISSING NAME("/nonexistent/name-1")
#define STRUCT(object) { sizeof(object), &(object), SAME }
#define OUT(size) { size, NULL, SAME }
#define TIME(size) { size, NULL, CHANGED }
#define POINTERS(size) { size, NULL, CHANGED }
#define T_(call, prepare, ways, ...) \
	{ #call, c_##call, { __VA_ARGS__ }, prepare, ways, false }
#define T(call, ...) T_(call, NULL, BOTH, __VA_ARGS__)
#define TP(call, prepare, ...) T_(call, prepare_##prepare, BOTH, __VA_ARGS__)
#define TL(call, ...) T_(call, NULL, LIBC_ONLY, __VA_ARGS__)
#define TR(call, ...) T_(call, NULL, RAW_ONLY, __VA_ARGS__)
#define END_OF_TESTS { .name = NULL }
/* clang-format on */

#endif
