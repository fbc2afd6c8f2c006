/*
 * fd.c -- descriptors that lazymap keeps for itself; see fd.h.
 *
 * Touches the descriptor table and, for an instant, RLIMIT_NOFILE.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "fd.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/stat.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#else
#define __libc_single_threaded 0
#endif

#include "os.h"
#include "os_linux.h"
#include "syscall/raw.h"

/*
 * A table that reaches to a number N costs the kernel 8 N bytes and fork a
 * copy of them, so this, rather than the top of the limit (2^20 in many
 * containers, 8 MiB a process), is where ours begin.
 */
#define FD_BASE 1024
/* How far below a limit that is not above FD_BASE. */
#define FD_ROOM 64

#define NUMBER_BITS 24
#define NUMBER_MASK ((UINT64_C(1) << NUMBER_BITS) - 1)

/* In memory that a forked child has zeroed. */
struct lm_fd_word {
	/* fingerprint << 24 | number + 1; 0: none. Atomic. */
	_Atomic uint64_t value;
	/* The process that opened it; 0: none yet. Atomic. */
	_Atomic int owner;
};

struct limit64 {
	uint64_t soft, hard;
};

static int number_of(uint64_t value)
{
	return (int)(value & NUMBER_MASK) - 1;
}

static int dup_above(int fd, uint64_t base)
{
	return (int)lm_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, base);
}

/*
 * A number at or above the soft limit is one the program cannot be given, by
 * open or by dup2, so that only closing every number there is can lose it; but
 * the kernel gives such numbers out only while the limit is higher. Other
 * threads would see it raised, and a fork would keep it: so this is for
 * processes with one thread.
 */
static int dup_beyond(int fd, const struct limit64 *limit)
{
	struct limit64 raised = *limit;
	uint64_t base = limit->soft > FD_BASE ? limit->soft : FD_BASE;
	int number;

	/* From a limit much higher the table would grow too far. */
	if (!__libc_single_threaded || base > 4 * FD_BASE ||
	    limit->hard < base + FD_ROOM)
		return -EMFILE;
	raised.soft = base + FD_ROOM;
	if (lm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &raised, NULL) < 0)
		return -EMFILE;
	number = dup_above(fd, base);
	/* Cannot fail: lowering one's own soft limit is always permitted. */
	lm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, limit, NULL);
	return number;
}

int lm_fd_hide(int fd)
{
	struct limit64 limit;
	uint64_t base;
	int number = -EMFILE;

	if (lm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) < 0)
		limit.soft = limit.hard = FD_BASE;
	number = dup_beyond(fd, &limit);
	if (limit.soft >= FD_BASE + FD_ROOM)
		base = FD_BASE;
	else
		base = limit.soft > FD_ROOM ? limit.soft - FD_ROOM : 3;
	/* Not 0, 1, 2, even where the program closed them. */
	for (; number < 0 && base > 2; base /= 2)
		number = dup_above(fd, base);
	if (number >= 0) {
		/* Of a close that fails nothing is left to undo. */
		lm_sys(SYS_close, fd);
		return number;
	}
	lm_sys(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

uint64_t lm_fd_tag(int fd)
{
	struct stat st;
	uint64_t hash;

	/* The kernel's struct is the C library's on 64-bit machines. Not
	 * AT_EMPTY_PATH: it costs three times as much before 6.11. */
	if (lm_sys(SYS_fstat, fd, &st) < 0)
		return 0;
	hash = ((uint64_t)st.st_ino ^ ((uint64_t)st.st_dev << 32)) + 1;
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	hash >>= NUMBER_BITS;
	return hash ? hash : 1;
}

/* -- Which numbers are lazymap's ------------------------------------------------ */

/* A slot is taken by whoever changes `number` from FREE to TAKEN, and is seen by
 * others once it has a number; the rest is written before that. */
enum { FREE = 0, TAKEN = -1 };

static struct kept {
	_Atomic int number; /* + 1, or FREE or TAKEN */
	struct lm_fd *fd;   /* either of these, or none */
	_Atomic int *where;
} kept[256];
#define KEPT ((int)(sizeof(kept) / sizeof(kept[0])))
static _Atomic int kept_end; /* no slot from here on was ever taken */

/* Without a free slot it is not protected, and lives on as it can. */
static void keep(int number, struct lm_fd *fd, _Atomic int *where)
{
	for (int i = 0; i < KEPT; i++) {
		int none = FREE;

		if (!atomic_compare_exchange_strong_explicit(
			    &kept[i].number, &none, TAKEN, memory_order_relaxed,
			    memory_order_relaxed))
			continue;
		kept[i].fd = fd;
		kept[i].where = where;
		/* Pairs with the acquire in vacate. */
		atomic_store_explicit(&kept[i].number, number + 1,
				      memory_order_release);
		for (int end = atomic_load(&kept_end); end <= i;)
			if (atomic_compare_exchange_weak(&kept_end, &end,
							 i + 1))
				break;
		return;
	}
}

static void unkeep(int number)
{
	for (int i = 0; i < atomic_load(&kept_end); i++) {
		int mine = number + 1;

		atomic_compare_exchange_strong_explicit(
			&kept[i].number, &mine, FREE, memory_order_relaxed,
			memory_order_relaxed);
	}
}

void lm_fd_keep(_Atomic int *where)
{
	keep(atomic_load_explicit(where, memory_order_relaxed), NULL, where);
}

void lm_fd_keep_number(int number)
{
	keep(number, NULL, NULL);
}

void lm_fd_close(int number)
{
	unkeep(number);
	lm_sys(SYS_close, number);
}

int lm_fd_kept(unsigned first, unsigned last)
{
	int found = -1;

	for (int i = 0; i < atomic_load(&kept_end); i++) {
		int number = atomic_load_explicit(&kept[i].number,
						  memory_order_relaxed) -
			     1;

		if (number >= 0 && (unsigned)number >= first &&
		    (unsigned)number <= last && (found < 0 || number < found))
			found = number;
	}
	return found;
}

static struct lm_fd_word *word_of(struct lm_fd *fd)
{
	/* acquire: pairs with the release of the exchange below. */
	struct lm_fd_word *word =
		atomic_load_explicit(&fd->word, memory_order_acquire);
	struct lm_fd_word *none = NULL;
	uintptr_t mem;

	if (word)
		return word;
	mem = lm_os_wiped(sizeof(*word));
	if (lm_os_failed(mem))
		return NULL;
	word = (struct lm_fd_word *)mem;
	if (atomic_compare_exchange_strong_explicit(&fd->word, &none, word,
						    memory_order_release,
						    memory_order_acquire))
		return word;
	return none; /* of another thread, and some bytes are of no use */
}

int lm_fd_begin(struct lm_fd *fd)
{
	struct lm_fd_word *word = word_of(fd);
	int none = 0;

	if (!word)
		return -ENOMEM;
	atomic_compare_exchange_strong_explicit(
		&word->owner, &none, (int)lm_sys(SYS_getpid),
		memory_order_relaxed, memory_order_relaxed);
	return 0;
}

/* Before 5.12 all anonymous inodes were one, which an eventfd has to this day. */
static bool has_own_inode(uint64_t tag)
{
	int other = (int)lm_sys(SYS_eventfd2, 0, O_CLOEXEC);
	bool own;

	if (other < 0)
		return false;
	own = lm_fd_tag(other) != tag;
	lm_sys(SYS_close, other);
	return own;
}

/*
 * A child has its parent's descriptor in its table, where it pins the parent's
 * mm. Close it if it still is that; one whose fingerprint is not good enough to
 * close it by stays.
 */
static void close_inherited(struct lm_fd *fd)
{
	uint64_t last = atomic_load_explicit(&fd->last, memory_order_relaxed);

	if (!last)
		return;
	last = atomic_exchange_explicit(&fd->last, 0, memory_order_relaxed);
	if (last)
		unkeep(number_of(last));
	if (last && atomic_load_explicit(&fd->alone, memory_order_relaxed) &&
	    lm_fd_tag(number_of(last)) == last >> NUMBER_BITS)
		lm_sys(SYS_close, number_of(last));
}

static int fd_open(struct lm_fd *fd, struct lm_fd_word *word, uint64_t old)
{
	int owner = atomic_load_explicit(&word->owner, memory_order_relaxed);
	int self = (int)lm_sys(SYS_getpid);
	uint64_t value;
	int number;

	if (owner && owner != self)
		return -ESTALE;
	if (!owner)
		close_inherited(fd);
	number = fd->open();
	if (number < 0)
		return number;
	number = lm_fd_hide(number);
	value = lm_fd_tag(number) << NUMBER_BITS;
	if (!value) { /* fstat is forbidden: never knowing it would leak it */
		lm_sys(SYS_close, number);
		return -EPERM;
	}
	atomic_store_explicit(&fd->alone,
			      fd->check || has_own_inode(value >> NUMBER_BITS),
			      memory_order_relaxed);
	value |= (uint64_t)(number + 1);
	atomic_store_explicit(&word->owner, self, memory_order_relaxed);
	/* The number is all there is to publish: relaxed. */
	if (atomic_compare_exchange_strong_explicit(&word->value, &old, value,
						    memory_order_relaxed,
						    memory_order_relaxed)) {
		atomic_store_explicit(&fd->last, value, memory_order_relaxed);
		if (number_of(old) >= 0)
			unkeep(number_of(old));
		keep(number, fd, NULL);
		return number;
	}
	/* Another thread was first. */
	lm_sys(SYS_close, number);
	return -EALREADY;
}

int lm_fd_get(struct lm_fd *fd)
{
	struct lm_fd_word *word = word_of(fd);
	uint64_t value;
	int number;

	if (!word)
		return -ENOMEM;
	do {
		value = atomic_load_explicit(&word->value,
					     memory_order_relaxed);
		number = number_of(value);
		if (value &&
		    (!fd->check || lm_fd_tag(number) == value >> NUMBER_BITS))
			return number;
		number = fd_open(fd, word, value);
	} while (number == -EALREADY);
	return number;
}

bool lm_fd_mine(struct lm_fd *fd)
{
	struct lm_fd_word *word = word_of(fd);
	int owner =
		word ? atomic_load_explicit(&word->owner, memory_order_relaxed)
		     : 0;

	/* A forked child's is nobody's until it is announced or used. */
	return !owner || owner == (int)lm_sys(SYS_getpid);
}

void lm_fd_lost(struct lm_fd *fd, int number)
{
	struct lm_fd_word *word = word_of(fd);
	uint64_t value;

	/* Closed in a vfork child's table it is still open in its owner's. */
	if (!word || atomic_load_explicit(&word->owner, memory_order_relaxed) !=
			     (int)lm_sys(SYS_getpid))
		return;
	value = atomic_load_explicit(&word->value, memory_order_relaxed);
	unkeep(number);
	if (value && number_of(value) == number)
		atomic_compare_exchange_strong_explicit(&word->value, &value, 0,
							memory_order_relaxed,
							memory_order_relaxed);
}

void lm_fd_forked(struct lm_fd *fd)
{
	struct lm_fd_word *word =
		atomic_load_explicit(&fd->word, memory_order_acquire);

	/* The kernel has zeroed it; but the child may have opened its own before
	 * this was called. */
	if (!word || atomic_load_explicit(&word->owner, memory_order_relaxed))
		return;
	close_inherited(fd);
	/* Not the vfork child's that may come first. */
	atomic_store_explicit(&word->owner, (int)lm_sys(SYS_getpid),
			      memory_order_relaxed);
}

void lm_fd_drop(struct lm_fd *fd)
{
	struct lm_fd_word *word =
		atomic_load_explicit(&fd->word, memory_order_acquire);
	uint64_t value;

	if (!word)
		return;
	value = atomic_exchange_explicit(&word->value, 0, memory_order_relaxed);
	atomic_store_explicit(&fd->last, 0, memory_order_relaxed);
	if (value)
		unkeep(number_of(value));
	if (value && lm_fd_tag(number_of(value)) == value >> NUMBER_BITS)
		lm_sys(SYS_close, number_of(value));
}

/* Somewhere else, without closing the number: dup2 does that by itself. */
static int move(int number)
{
	struct limit64 limit;
	uint64_t base = (uint64_t)number + 1;
	int new = -EMFILE;

	if (lm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) == 0)
		new = dup_beyond(number, &limit);
	for (; new < 0 && base > 2; base /= 2)
		new = dup_above(number, base);
	return new;
}

static void move_fd(struct lm_fd *fd, int number, int new)
{
	struct lm_fd_word *word = word_of(fd);
	uint64_t value;

	if (!word)
		return;
	value = atomic_load_explicit(&word->value, memory_order_relaxed);
	if (number_of(value) == number &&
	    atomic_compare_exchange_strong_explicit(
		    &word->value, &value,
		    (value & ~NUMBER_MASK) | (uint64_t)(new + 1),
		    memory_order_relaxed, memory_order_relaxed))
		atomic_store_explicit(
			&fd->last, (value & ~NUMBER_MASK) | (uint64_t)(new + 1),
			memory_order_relaxed);
	else
		lm_sys(SYS_close, new);
}

void lm_fd_vacate(int number)
{
	for (int i = 0; i < atomic_load(&kept_end); i++) {
		int new, mine = number + 1;

		if (atomic_load_explicit(&kept[i].number,
					 memory_order_acquire) != mine)
			continue;
		new = move(number);
		if (new < 0)
			return; /* no room: it is lost, and found to be */
		if (kept[i].where)
			atomic_store_explicit(kept[i].where, new,
					      memory_order_relaxed);
		else if (kept[i].fd)
			move_fd(kept[i].fd, number, new);
		atomic_compare_exchange_strong_explicit(
			&kept[i].number, &mine, new + 1, memory_order_relaxed,
			memory_order_relaxed);
	}
}
