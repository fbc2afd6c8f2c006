/*
 * os.h -- lazymap's contract with the operating system, and small things that
 * every file of the core uses: page arithmetic, futexes, signal masks.
 *
 * All of it is async-signal-safe, keeps errno, and returns >= 0 or -errno.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_OS_H
#define LM_OS_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "syscall/raw.h"

#define LM_PAGE_SHIFT 12
#define LM_PAGE ((uintptr_t)1 << LM_PAGE_SHIFT)
#define LM_BLOCK_SHIFT 21
#define LM_BLOCK ((uintptr_t)1 << LM_BLOCK_SHIFT)
#define LM_BLOCK_PAGES (LM_BLOCK / LM_PAGE)
/* User addresses that are looked up: 47 bits on x86-64, 48 on aarch64. */
#define LM_ADDRESS_BITS 48
/* The kernel's TASK_SIZE. */
#if defined(__x86_64__)
#define LM_USER_END (((uintptr_t)1 << 47) - LM_PAGE)
#else
#define LM_USER_END ((uintptr_t)1 << LM_ADDRESS_BITS)
#endif

static inline uintptr_t lm_page_down(uintptr_t addr)
{
	return addr & ~(LM_PAGE - 1);
}

/* Wraps to 0 for the last page of the address space: callers check. */
static inline uintptr_t lm_page_up(uintptr_t addr)
{
	return (addr + LM_PAGE - 1) & ~(LM_PAGE - 1);
}

static inline uintptr_t lm_min(uintptr_t a, uintptr_t b)
{
	return a < b ? a : b;
}

static inline uintptr_t lm_max(uintptr_t a, uintptr_t b)
{
	return a > b ? a : b;
}

/*
 * In a forked child: a store, unless the value is there already. The kernel copies
 * each page that a child writes to, which costs a short child more than all else
 * that is done for it.
 */
#define LM_PUT(object, value)                                                  \
	do {                                                                   \
		if (atomic_load_explicit(object, memory_order_relaxed) !=      \
		    (value))                                                   \
			atomic_store(object, value);                           \
	} while (0)

/* mmap: the address, or -errno (lm_os_failed() tells them apart). */
static inline uintptr_t lm_os_mmap(uintptr_t addr, size_t len, int prot,
				   int flags, int fd, int64_t offset)
{
	return (uintptr_t)lm_sys(SYS_mmap, addr, len, prot, flags, fd, offset);
}

static inline bool lm_os_failed(uintptr_t addr)
{
	return addr >= (uintptr_t)-4095;
}

static inline int lm_os_munmap(uintptr_t addr, size_t len)
{
	return (int)lm_sys(SYS_munmap, addr, len);
}

static inline int lm_os_mprotect(uintptr_t addr, size_t len, int prot)
{
	return (int)lm_sys(SYS_mprotect, addr, len, prot);
}

static inline int lm_os_madvise(uintptr_t addr, size_t len, int advice)
{
	return (int)lm_sys(SYS_madvise, addr, len, advice);
}

/* Could the page be written just now, as the kernel sees it? What it holds stays. */
bool lm_os_writable(uintptr_t page);

/* Does the kernel hold a page there, without asking for one? */
bool lm_os_present(uintptr_t page);

/* Sleep while *word == value; returns for any reason: callers look again. */
void lm_os_wait(const _Atomic uint32_t *word, uint32_t value);
/* The same, for at most `ns` (under a second). */
void lm_os_wait_for(const _Atomic uint32_t *word, uint32_t value, uint64_t ns);
void lm_os_wake(const _Atomic uint32_t *word, int count);

/* Let others run, a moment. */
void lm_os_pause(void);

/* Block every signal of this thread, the C library's own too. */
uint64_t lm_os_block_signals(void);
void lm_os_restore_signals(uint64_t mask);
/* Whether SIGSEGV is blocked, where the kernel has done it, or is about to undo
 * it: around a handler's work. Returns what it was. */
int lm_os_signals_blocked(int are);

uint64_t lm_os_now_ns(void);

/* The program's memory, which no tool of its own looks over the shoulder of:
 * checked copies of the C library's would find races and poison. */
static inline void lm_os_copy(void *dst, const void *src, size_t len)
{
#if defined(__x86_64__)
	__asm__ volatile("rep movsb"
			 : "+D"(dst), "+S"(src), "+c"(len)
			 :
			 : "memory");
#else
	__builtin_memcpy(dst, src, len);
#endif
}

/* What thread-local storage is reckoned from. */
static inline uintptr_t lm_os_thread_pointer(void)
{
#if defined(__x86_64__)
	uintptr_t pointer;

	__asm__("mov %%fs:0, %0" : "=r"(pointer));
	return pointer;
#else
	return (uintptr_t)__builtin_thread_pointer();
#endif
}

/* A moment of a loop that waits for another processor. */
static inline void lm_os_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* vm.max_map_count: how many VM areas a process can have. Read once. */
size_t lm_os_max_map_count(void);
/* A file's beginning as a string, for /proc: its length, or -errno. */
long lm_os_read_file(const char *path, char *text, size_t size);

/* "lazymap: <text>\n" to standard error, in one write. */
void lm_os_say(const char *text);

/* Memory that a forked child has zeroed (MADV_WIPEONFORK, Linux 4.14), `size` bytes
 * for good: the address, or -errno. All of it is in one page, for each that a child
 * touches is a fault more. */
uintptr_t lm_os_wiped(size_t size);

/*
 * True once in a process made by fork (any way that copies memory, not vfork),
 * until lm_os_fork_seen(). Costs one load of memory that the child has zeroed.
 */
int lm_os_start(void);
bool lm_os_forked(void);
void lm_os_fork_seen(void);

#endif
