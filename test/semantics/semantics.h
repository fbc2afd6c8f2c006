/*
 * semantics.h -- one table of cases of mmap and its family, run on the kernel
 * and on lazymap.
 *
 * A case is an ordinary piece of a program. It runs in a process of its own
 * and leaves a record: what calls returned, errno, bytes, signals. The record
 * must be the same on the kernel, under the shim, and (built with
 * SEM_LIBRARY, where the calls below become lazymap's) with the library.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SEMANTICS_H
#define SEMANTICS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define RW (PROT_READ | PROT_WRITE)
#define RWX (RW | PROT_EXEC)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED_ANON (MAP_SHARED | MAP_ANONYMOUS)

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

struct sem_case {
	const char *group; /* a row of the manual: "mmap", "fork", ... */
	const char *title; /* what it promises */
	void (*run)(void);
	/* Where lazymap differs from the kernel and cannot do otherwise: why,
	 * and both records, lines joined by "; ". A record of the kernel that
	 * depends on its version is left out. */
	const char *why, *kernel, *lazymap;
	const char *file;
	int line;
	struct sem_case *next;
};

void sem_register(struct sem_case *one);

#define SEM_CAT_(a, b) a##b
#define SEM_CAT(a, b) SEM_CAT_(a, b)

/* CASE("group", "title") { ... }, and .why, .kernel, .lazymap where it
 * differs. */
#define CASE(the_group, the_title, ...)                                        \
	static void SEM_CAT(case_, __LINE__)(void);                            \
	static struct sem_case SEM_CAT(                                        \
		entry_, __LINE__) = { .group = the_group,                      \
				      .title = the_title,                      \
				      .run = SEM_CAT(case_, __LINE__),         \
				      .file = __FILE__,                        \
				      .line = __LINE__,                        \
				      __VA_ARGS__ };                           \
	__attribute__((constructor)) static void SEM_CAT(enter_,               \
							 __LINE__)(void)       \
	{                                                                      \
		sem_register(&SEM_CAT(entry_, __LINE__));                      \
	}                                                                      \
	static void SEM_CAT(case_, __LINE__)(void)

/* -- What goes into the record ---------------------------------------------- */

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A call's result: "what=0", or "what=-1 EINVAL". Returns it. */
long ret(const char *what, long value);
/* An address: "what: mapped" or "what: ENOMEM". Returns it. */
void *got(const char *what, void *addr);
/* One byte, or the signal that reading it raised. */
void see(const char *what, const volatile void *addr);
/* Store one byte: "what: written", or the signal. */
void put(const char *what, volatile void *addr, int byte);
/* One byte every `step`: how many until the end, or until a signal. */
void put_each(const char *what, void *addr, size_t len, size_t step);
/* A hash of all bytes, or the signal. */
void see_all(const char *what, const void *addr, size_t len);
/* Is every byte pattern(offset + its index)? */
void see_pattern(const char *what, const void *addr, size_t len, size_t offset);
/* Call the code at addr: "what=result", or the signal. */
void execute(const char *what, void *addr);
/* Residency, as mincore tells: "what: 1010", or its error. */
void see_core(const char *what, void *addr, size_t pages);
/* A line of /proc/self/status, "VmLck:", in KiB. */
long status_kib(const char *name);
/* Resident memory in KiB that is no file's, counted page by page: what
 * /proc/self/status has is behind by what each CPU has not added yet. */
long resident_kib(void);

/* This case cannot be tried here, on the kernel neither. */
void skip(const char *why) __attribute__((noreturn));
/* This version of Linux, or a later one? */
bool kernel_is(int major, int minor);
/* Something that must work for the case to mean anything. */
#define need(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			note("%s:%d: %s: %s", __FILE__, __LINE__, #condition,  \
			     strerror(errno));                                 \
			_exit(99);                                             \
		}                                                              \
	} while (0)

/* -- What cases are made of -------------------------------------------------- */

unsigned char pattern(size_t offset);
/* An unlinked file of `size` pattern bytes, open for reading and writing. */
int file_of(size_t size);
/* A name for a file of the case's own. */
const char *name_of(const char *suffix);
/* What write(2) would put there. */
void file_put(int fd, off_t at, int byte);
/* "what=byte", by pread(2). */
void file_see(const char *what, int fd, off_t at);
/* mmap that must work; nothing is recorded. */
void *map(void *start, size_t len, int prot, int flags, int fd, off_t offset);
/* `pages` anonymous private pages, page i full of 'a' + i. */
char *letters(size_t pages);
/* Free room, whose address is known. */
char *room(size_t pages);
/* Fork, run, wait: "what: exit 0", "what: SIGBUS". */
void child(const char *what, void (*run)(void *), void *argument);
pid_t start_child(void (*run)(void *), void *argument);
void end_child(const char *what, pid_t pid);
/* Memory that a system call without a wrapper of its own is going to use: a
 * program that uses the library pins it. Returns mem. */
void *hand_over(void *mem, size_t len);
/* Give up root's privileges, so that limits hold. */
void be_nobody(void);
/* Wait for the other side: a byte through a pipe. */
void send_go(const int *pipe_ends);
void wait_go(const int *pipe_ends);

/* -- The library in place of the calls ---------------------------------------- */

#ifdef SEM_LIBRARY
#include "lazymap.h"
int sem_posix_madvise(void *start, size_t len, int advice);
ssize_t sem_read(int fd, void *buf, size_t len);
ssize_t sem_write(int fd, const void *buf, size_t len);
ssize_t sem_pread(int fd, void *buf, size_t len, off_t at);
ssize_t sem_pwrite(int fd, const void *buf, size_t len, off_t at);
#ifndef SEM_NO_MACROS
#define mmap lazymap_map
#define munmap lazymap_unmap
#define mprotect lazymap_protect
#define msync lazymap_sync
#define madvise lazymap_advise
#define mincore lazymap_resident
#define SEM_REMAP(start, old, new, flags, to, ...)                             \
	lazymap_remap(start, old, new, flags, to)
#define mremap(...) SEM_REMAP(__VA_ARGS__, NULL, NULL)
#define mlock(start, len) lazymap_lock(start, len, 0)
#define mlock2(start, len, flags) lazymap_lock(start, len, (int)(flags))
#define munlock lazymap_unlock
#define mlockall lazymap_lock_all
#define munlockall lazymap_unlock_all
#define posix_madvise sem_posix_madvise
#define read sem_read
#define write sem_write
#define pread sem_pread
#define pwrite sem_pwrite
#endif
#endif

#endif
