/*
 * file.c -- the swap file. See file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "swap/file.h"

#include "fd.h"
#include "lock.h"
#include "meta.h"
#include "module.h"
#include "os_linux.h"
#include "swap/cipher.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A slot's number: which file of our ancestry, and where in it. */
#define INDEX_BITS 28
#define FILES 64
#define INDEX(slot) ((slot) & (((uint64_t)1 << INDEX_BITS) - 1))

#define DIRS 3
#define DIR_MAX 512

/* Children that may still read our slots, before we stop counting. */
#define WATCHED 64

struct file {
	_Atomic int fd; /* -1: none (any more) */
	uint64_t tag;   /* lm_fd_tag(); set before fd */
	/* A bit or a number a slot; a file that is not ours changes no more. */
	uint64_t *taken, *shared, *limbo;
	uint32_t *sums;
	uint64_t *nonces; /* with a cipher */
	unsigned char key[LM_CIPHER_KEY];
};

static const struct lm_cipher *cipher; /* immutable after the start */
static _Atomic uint64_t next_nonce;

static struct lm_lock lock;
static char dirs[DIRS][DIR_MAX]; /* immutable after the start */
static uint64_t slots_max;       /* immutable after the start */

/* files[0..mine] guarded by lock; those below mine are our ancestors'. */
static struct file files[FILES];
static unsigned mine;
/* The rest is about our own; guarded by lock. */
static uint64_t cursor;         /* where to look for a run */
static uint64_t high;           /* no slot from here on was ever taken */
static uint64_t high_fork;      /* high at the last fork: shared ends there */
static _Atomic uint64_t in_use; /* slots that are taken, limbo and all */
static uint64_t in_limbo;       /* slots that are free but for our children */
static int watched[WATCHED], watching;
static bool unwatched; /* a child that we could not watch */
static unsigned asked; /* counts, see take_run() */
static int fork_pipe[2] = { -1, -1 };

static bool bit(const uint64_t *map, uint64_t i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static void set_bit(uint64_t *map, uint64_t i)
{
	map[i / 64] |= (uint64_t)1 << (i % 64);
}

static void clear_bit(uint64_t *map, uint64_t i)
{
	map[i / 64] &= ~((uint64_t)1 << (i % 64));
}

/* -- Making it ---------------------------------------------------------------- */

static void remember_dir(int i, const char *dir)
{
	if (dir && *dir == '/' && strlen(dir) < DIR_MAX)
		strcpy(dirs[i], dir);
}

static int load_cipher(void)
{
	cipher = lm_module_load("swap-sodium", "lm_cipher_module");
	if (!cipher || cipher->version != LM_CIPHER_VERSION ||
	    cipher->size < sizeof(*cipher))
		return -ENOENT;
	return cipher->start();
}

int lm_swap_file_start(uint64_t bytes, bool encrypt)
{
	remember_dir(0, getenv("LAZYMAP_SWAPDIR"));
	remember_dir(1, getenv("TMPDIR"));
	remember_dir(2, "/var/tmp");
	slots_max = bytes >> LM_PAGE_SHIFT;
	if (slots_max > (uint64_t)1 << INDEX_BITS)
		slots_max = (uint64_t)1 << INDEX_BITS;
	for (int i = 0; i < FILES; i++)
		files[i].fd = -1;
	return encrypt && slots_max ? load_cipher() : 0;
}

static int open_somewhere(void)
{
	int fd = -ENOENT;

	for (int i = 0; i < DIRS && fd < 0; i++) {
		if (!*dirs[i])
			continue;
		fd = (int)lm_sys(SYS_openat, AT_FDCWD, dirs[i],
				 O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	}
	return fd;
}

static int make_tables(struct file *file)
{
	size_t map = (slots_max + 63) / 64 * 8;

	/* Address space only, until slots are used. */
	file->taken = lm_meta_run(map);
	file->shared = lm_meta_run(map);
	file->limbo = lm_meta_run(map);
	file->sums = lm_meta_run(slots_max * sizeof(*file->sums));
	file->nonces =
		cipher ? lm_meta_run(slots_max * sizeof(*file->nonces)) : NULL;
	if (file->taken && file->shared && file->limbo && file->sums &&
	    (file->nonces || !cipher))
		return 0;
	lm_meta_free_run(file->nonces, slots_max * sizeof(*file->nonces));
	lm_meta_free_run(file->taken, map);
	lm_meta_free_run(file->shared, map);
	lm_meta_free_run(file->limbo, map);
	lm_meta_free_run(file->sums, slots_max * sizeof(*file->sums));
	return -ENOMEM;
}

/* With the lock. Our file, made if there is none: 0 or -errno. */
static int have_file(void)
{
	struct file *file = &files[mine];
	int fd, ret;

	if (!slots_max || mine == FILES)
		return -ENOSPC;
	if (file->fd >= 0)
		return lm_fd_tag(file->fd) == file->tag ? 0 : -ESTALE;
	fd = open_somewhere();
	if (fd < 0)
		return fd;
	ret = make_tables(file);
	if (!ret && cipher &&
	    lm_sys(SYS_getrandom, file->key, sizeof(file->key), 0) !=
		    (long)sizeof(file->key))
		ret = -EIO;
	if (ret < 0) {
		lm_sys(SYS_close, fd);
		return ret;
	}
	fd = lm_fd_hide(fd);
	file->tag = lm_fd_tag(fd);
	cursor = high = high_fork = in_limbo = 0;
	in_use = 0;
	/* Release: pairs with the acquire in lm_swap_file_read(). */
	atomic_store_explicit(&file->fd, fd, memory_order_release);
	lm_fd_keep(&file->fd);
	return 0;
}

/* -- Children that read our slots ------------------------------------------------ */

/* With the lock. Is none left? */
static bool nobody_reads(void)
{
	for (int i = 0; i < watching; i++) {
		struct pollfd end = { .fd = watched[i] };
		struct timespec now = { 0, 0 };
		long n = lm_sys(SYS_ppoll, &end, 1, &now, NULL, 0);
		unsigned number = (unsigned)watched[i];

		if (lm_fd_kept(number, number) < 0)
			continue;
		/* Only a clear POLLHUP says so; a number that the program
		 * took over says nothing, for ever. */
		if (n != 1 || end.revents != POLLHUP)
			continue;
		lm_fd_close(watched[i]);
		watched[i--] = watched[--watching];
	}
	return !watching && !unwatched;
}

/* With the lock: give back what waited for children, if they are gone. */
static void reclaim(void)
{
	struct file *file = &files[mine];

	if (!in_limbo || !nobody_reads())
		return;
	for (uint64_t i = 0; i < (high_fork + 63) / 64; i++) {
		in_use -= (uint64_t)__builtin_popcountll(file->limbo[i]);
		file->taken[i] &= ~file->limbo[i];
		file->limbo[i] = file->shared[i] = 0;
	}
	in_limbo = 0;
	cursor = 0;
}

void lm_swap_file_fork(void)
{
	struct file *file = &files[mine];
	int ends[2];

	fork_pipe[0] = fork_pipe[1] = -1;
	if (mine == FILES || file->fd < 0 || in_use == in_limbo)
		return;
	reclaim();
	memcpy(file->shared, file->taken, (high + 63) / 64 * 8);
	high_fork = high;
	if (watching == WATCHED || lm_sys(SYS_pipe2, ends, O_CLOEXEC) < 0) {
		unwatched = true;
		return;
	}
	fork_pipe[0] = lm_fd_hide(ends[0]);
	fork_pipe[1] = lm_fd_hide(ends[1]);
}

void lm_swap_file_fork_parent(void)
{
	if (fork_pipe[0] < 0)
		return;
	lm_sys(SYS_close, fork_pipe[1]);
	lm_fd_keep_number(fork_pipe[0]);
	watched[watching++] = fork_pipe[0];
	fork_pipe[0] = fork_pipe[1] = -1;
}

void lm_swap_file_forked(void)
{
	lock.word = 0;
	for (int i = 0; i < watching; i++)
		lm_fd_close(watched[i]);
	watching = 0;
	unwatched = false;
	/* The other end stays open as long as we may read. */
	if (fork_pipe[0] >= 0) {
		lm_sys(SYS_close, fork_pipe[0]);
		lm_fd_keep_number(fork_pipe[1]);
	}
	fork_pipe[0] = fork_pipe[1] = -1;
	if (mine < FILES && files[mine].fd >= 0) {
		mine++;
		in_limbo = 0;
		in_use = 0;
	}
}

/* -- Slots ----------------------------------------------------------------------- */

/* With the lock: a run of free slots, at most *n, from `from` on. */
static bool find_run(const struct file *file, uint64_t from, uint64_t to,
		     size_t *n, uint64_t *first)
{
	uint64_t i = from;
	size_t run = 0;

	while (i < to && bit(file->taken, i)) {
		if (i % 64 == 0 && file->taken[i / 64] == ~(uint64_t)0)
			i += 64;
		else
			i++;
	}
	if (i >= to)
		return false;
	while (run < *n && i + run < to && !bit(file->taken, i + run))
		run++;
	*first = i;
	*n = run;
	return true;
}

/* Upwards; from the beginning again once a quarter of the file is holes. */
static int take_run(size_t *n, uint64_t *first)
{
	struct file *file = &files[mine];
	size_t want = *n;

	/* Now and then: it costs a system call for each child. */
	if (in_limbo > high / 8 && ++asked % 16 == 0)
		reclaim();
	if (cursor >= high && high >= 1024 && high - in_use >= high / 4)
		cursor = 0;
	if (!find_run(file, cursor, slots_max, n, first)) {
		reclaim();
		*n = want;
		if (!find_run(file, 0, slots_max, n, first))
			return -ENOSPC;
	}
	for (size_t i = 0; i < *n; i++)
		set_bit(file->taken, *first + i);
	in_use += *n;
	cursor = *first + *n;
	if (cursor > high)
		high = cursor;
	return 0;
}

static void give_run(uint64_t first, size_t n)
{
	lm_lock_take(&lock);
	for (size_t i = 0; i < n; i++)
		clear_bit(files[mine].taken, first + i);
	in_use -= n;
	lm_lock_drop(&lock);
}

/* A write past RLIMIT_FSIZE raises SIGXFSZ, which would be the program's. */
static int within_limit(uint64_t end)
{
	struct {
		uint64_t soft, hard;
	} limit;

	if (lm_sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) < 0)
		return 0;
	return end > limit.soft ? -EFBIG : 0;
}

static int transfer(long nr, int fd, char *buf, size_t len, uint64_t offset)
{
	while (len) {
		long n = lm_sys(nr, fd, buf, len, offset);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n ? (int)n : -EIO;
		buf += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* Each page with a nonce of its own, so that slots can be read one by one. */
static void encrypt_run(struct file *file, uint64_t first, char *page, size_t n)
{
	for (size_t i = 0; cipher && i < n; i++, page += LM_PAGE) {
		uint64_t nonce = atomic_fetch_add_explicit(
			&next_nonce, 1, memory_order_relaxed);

		file->nonces[first + i] = nonce;
		cipher->apply(page, LM_PAGE, file->key, nonce);
	}
}

static void decrypt_run(const struct file *file, uint64_t first, char *page,
			size_t n)
{
	for (size_t i = 0; cipher && i < n; i++, page += LM_PAGE)
		cipher->apply(page, LM_PAGE, file->key,
			      file->nonces[first + i]);
}

int lm_swap_file_put(void *pages, const uint32_t *sums, size_t *n,
		     uint64_t *slot)
{
	struct file *file;
	uint64_t first;
	int ret;

	lm_lock_take(&lock);
	ret = have_file();
	if (!ret)
		ret = take_run(n, &first);
	file = &files[mine];
	lm_lock_drop(&lock);
	if (ret < 0)
		return ret;
	encrypt_run(file, first, pages, *n);
	ret = within_limit((first + *n) << LM_PAGE_SHIFT);
	if (!ret)
		ret = transfer(SYS_pwrite64, file->fd, pages,
			       *n << LM_PAGE_SHIFT, first << LM_PAGE_SHIFT);
	if (ret < 0) {
		give_run(first, *n);
		return ret;
	}
	memcpy(&file->sums[first], sums, *n * sizeof(*sums));
	*slot = (uint64_t)mine << INDEX_BITS | first;
	return 0;
}

int lm_swap_file_read(uint64_t slot, size_t n, void *buf)
{
	struct file *file = &files[slot >> INDEX_BITS];
	/* Acquire: pairs with the release in have_file(). */
	int fd = atomic_load_explicit(&file->fd, memory_order_acquire), ret;

	if (fd < 0 || lm_fd_tag(fd) != file->tag)
		return -ESTALE;
	ret = transfer(SYS_pread64, fd, buf, n << LM_PAGE_SHIFT,
		       INDEX(slot) << LM_PAGE_SHIFT);
	if (!ret)
		decrypt_run(file, INDEX(slot), buf, n);
	return ret;
}

uint32_t lm_swap_file_sum(uint64_t slot)
{
	return files[slot >> INDEX_BITS].sums[INDEX(slot)];
}

void lm_swap_file_free(uint64_t slot)
{
	struct file *file = &files[mine];
	uint64_t i = INDEX(slot);

	/* An ancestor's slot is the ancestor's to use again. */
	if (slot >> INDEX_BITS != mine)
		return;
	lm_lock_take(&lock);
	if (i < high_fork && bit(file->shared, i)) {
		set_bit(file->limbo, i);
		in_limbo++;
	} else {
		clear_bit(file->taken, i);
		in_use--;
	}
	lm_lock_drop(&lock);
}

uint64_t lm_swap_file_used(void)
{
	return atomic_load_explicit(&in_use, memory_order_relaxed)
	       << LM_PAGE_SHIFT;
}
