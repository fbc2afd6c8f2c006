/*
 * os.c -- the few things the core asks of the operating system.
 * May touch nothing but the kernel, and the stack it runs on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os.h"

#include "ground.h"
#include "own.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <time.h>

static _Atomic uint32_t before_start = 1;
/* Wiped by the kernel in a forked child; immutable pointer after the start. */
static _Atomic uint32_t *lm_os_alive = &before_start;

bool lm_os_present(uintptr_t page)
{
	unsigned char vec = 0;

	return !lm_sys(SYS_mincore, page, LM_PAGE, &vec) && vec & 1;
}

bool lm_os_writable(uintptr_t page)
{
	static _Atomic uint32_t nobody;

	/* It adds 0 to the word at `page`. Somebody who waits there may be woken,
	 * as by anybody. */
	return lm_sys(SYS_futex, &nobody, FUTEX_WAKE_OP_PRIVATE, 0, 0, page,
		      FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_LT, 0)) != -EFAULT;
}

void lm_os_wait(const _Atomic uint32_t *word, uint32_t value)
{
	lm_sys(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, 0);
}

void lm_os_wait_for(const _Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
	struct timespec time = { 0, (long)ns };

	lm_sys(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &time);
}

void lm_os_pause(void)
{
	static _Atomic uint32_t never;

	lm_os_wait_for(&never, 0, 100000);
}

void lm_os_wake(const _Atomic uint32_t *word, int count)
{
	lm_sys(SYS_futex, word, FUTEX_WAKE_PRIVATE, count);
}

/* Is SIGSEGV, as far as this file knows; and what of the stack is pinned since
 * then. */
static __thread int blocked __attribute__((tls_model("initial-exec")));
static __thread struct lm_ground ground
	__attribute__((tls_model("initial-exec")));

uint64_t lm_os_block_signals(void)
{
	uint64_t all = ~(uint64_t)0, old = 0;
	struct lm_ground taken;
	int first = !LM_OWN(blocked);

	if (first)
		taken = lm_ground_take();
	/* The kernel's own 64-bit mask: sigfillset() would leave out the
	 * signals that the C library keeps for itself (cancel, setxid), and
	 * a thread cancelled while it holds a lock holds it forever. */
	lm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	LM_OWN(blocked) = 1;
	/* Not before: a handler that comes until then has its own. */
	if (first)
		LM_OWN(ground) = taken;
	return old;
}

void lm_os_restore_signals(uint64_t mask)
{
	struct lm_ground taken = { 0 };

	LM_OWN(blocked) = mask >> (SIGSEGV - 1) & 1;
	if (!LM_OWN(blocked)) {
		taken = LM_OWN(ground);
		LM_OWN(ground) = (struct lm_ground){ 0 };
	}
	lm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof(mask));
	lm_ground_drop(&taken);
}

int lm_os_signals_blocked(int are)
{
	int were = LM_OWN(blocked);

	LM_OWN(blocked) = are;
	return were;
}

uint64_t lm_os_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

long lm_os_read_file(const char *path, char *text, size_t size)
{
	long fd = lm_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), n;

	if (fd < 0)
		return fd;
	n = lm_sys(SYS_read, fd, text, size - 1);
	/* A descriptor that was read from has nothing to report. */
	lm_sys(SYS_close, fd);
	text[n < 0 ? 0 : n] = '\0';
	return n;
}

size_t lm_os_max_map_count(void)
{
	static _Atomic size_t known;
	size_t count = atomic_load_explicit(&known, memory_order_relaxed);
	char text[32];

	if (count)
		return count;
	if (lm_os_read_file("/proc/sys/vm/max_map_count", text, sizeof(text)) >
	    0)
		for (char *c = text; *c >= '0' && *c <= '9'; c++)
			count = count * 10 + (size_t)(*c - '0');
	count = count ? count : 65530; /* the kernel's default */
	atomic_store_explicit(&known, count, memory_order_relaxed);
	return count;
}

void lm_os_say(const char *text)
{
	char line[512] = "lazymap: ";
	size_t len = strlen(line), more = strlen(text);

	if (more > sizeof(line) - len - 1)
		more = sizeof(line) - len - 1;
	memcpy(line + len, text, more);
	len += more;
	line[len++] = '\n';
	/* Nobody can be told that standard error is closed. */
	lm_sys(SYS_write, 2, line, len);
}

static uintptr_t make_wiped(void)
{
	uintptr_t page = lm_os_mmap(0, LM_PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret;

	if (lm_os_failed(page))
		return page;
	ret = lm_os_madvise(page, LM_PAGE, MADV_WIPEONFORK);
	if (!ret)
		return page;
	lm_os_munmap(page, LM_PAGE);
	return (uintptr_t)(intptr_t)ret;
}

uintptr_t lm_os_wiped(size_t size)
{
	static _Atomic uintptr_t wiped; /* immutable once it is there */
	static _Atomic size_t used;
	uintptr_t page = atomic_load_explicit(&wiped, memory_order_relaxed);
	uintptr_t none = 0;
	size_t at;

	if (!page) {
		page = make_wiped();
		if (lm_os_failed(page))
			return page;
		/* Relaxed: what is in it is the kernel's zeros. */
		if (!atomic_compare_exchange_strong_explicit(
			    &wiped, &none, page, memory_order_relaxed,
			    memory_order_relaxed)) {
			lm_os_munmap(page, LM_PAGE);
			page = none;
		}
	}
	size = (size + 15) & ~(size_t)15;
	at = atomic_fetch_add_explicit(&used, size, memory_order_relaxed);
	return at + size <= LM_PAGE ? page + at : (uintptr_t)-ENOMEM;
}

int lm_os_start(void)
{
	uintptr_t word = lm_os_wiped(sizeof(*lm_os_alive));

	if (lm_os_failed(word))
		return (int)(intptr_t)word;
	lm_os_alive = (_Atomic uint32_t *)word;
	lm_os_fork_seen();
	return 0;
}

bool lm_os_forked(void)
{
	return atomic_load_explicit(lm_os_alive, memory_order_relaxed) == 0;
}

void lm_os_fork_seen(void)
{
	atomic_store_explicit(lm_os_alive, 1, memory_order_relaxed);
}
