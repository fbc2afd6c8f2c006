/*
 * file.c -- the swap file. See file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "swap/file.h"

#include "fd.h"
#include "lock.h"
#include "module.h"
#include "os_linux.h"
#include "swap/cipher.h"
#include "swap/slots.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A slot's number: which file of our ancestry, and where in it. */
#define INDEX_BITS LM_SWAP_SLOTS_BITS
#define FILES 64
#define INDEX(slot) ((slot) & (((uint64_t)1 << INDEX_BITS) - 1))

#define DIRS 2
#define DIR_MAX 512

/* Children that may still read our slots, before we stop counting. */
#define WATCHED 64

struct file {
	_Atomic int fd; /* -1: none (any more) */
	uint64_t tag;   /* lm_fd_tag(); set before fd */
	/* Those of a file that is not ours change no more. */
	struct lm_swap_slots slots;
	unsigned char key[LM_CIPHER_KEY];
};

_Atomic(lm_swap_file_fn) lm_swap_file_hook;

static const struct lm_cipher *cipher; /* immutable after the start */

static struct lm_lock lock;
static char dirs[DIRS][DIR_MAX]; /* immutable after the start */
static uint64_t slots_max;       /* immutable after the start */

/* files[0..mine] guarded by lock; those below mine are our ancestors'. */
static struct file files[FILES];
static unsigned mine;
/* The rest is about our own; guarded by lock. */
static int watched[WATCHED], watching;
static bool unwatched; /* a child that we could not watch */
static unsigned asked; /* counts, see take_run() */
static int fork_pipe[2] = { -1, -1 };

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

/* Who names the place means that one, perhaps a disk that is encrypted. */
static int choose_dirs(void)
{
	const char *named = getenv("LAZYMAP_SWAPDIR");
	int fd;

	memset(dirs, 0, sizeof(dirs));
	if (!named || !*named) {
		remember_dir(0, getenv("TMPDIR"));
		remember_dir(1, "/var/tmp");
		return 0;
	}
	remember_dir(0, named);
	fd = open_somewhere();
	if (fd < 0)
		return -ENOTDIR;
	lm_sys(SYS_close, fd);
	return 0;
}

int lm_swap_file_start(uint64_t bytes, bool encrypt)
{
	int ret = 0;

	slots_max = bytes >> LM_PAGE_SHIFT;
	if (slots_max > (uint64_t)1 << INDEX_BITS)
		slots_max = (uint64_t)1 << INDEX_BITS;
	for (int i = 0; i < FILES; i++)
		files[i].fd = -1;
	if (slots_max)
		ret = choose_dirs();
	if (!ret && encrypt && slots_max)
		ret = load_cipher();
	return ret;
}

bool lm_swap_file_wanted(void)
{
	return slots_max;
}

/* With the lock. Our file, made if there is none: 0 or -errno. */
static int have_file(void)
{
	struct file *file = &files[mine];
	int fd, ret = 0;

	if (!slots_max || mine == FILES)
		return -ENOSPC;
	if (file->fd >= 0)
		return lm_fd_tag(file->fd) == file->tag ? 0 : -ESTALE;
	fd = open_somewhere();
	if (fd < 0)
		return fd;
	if (!file->slots.chunks)
		ret = lm_swap_slots_make(&file->slots, slots_max, cipher);
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
	/* Release: pairs with the acquire in lm_swap_file_read(). */
	atomic_store_explicit(&file->fd, fd, memory_order_release);
	lm_fd_keep(&file->fd);
	return 0;
}

void lm_swap_file_open(void)
{
	lm_lock_take(&lock);
	/* What fails now is tried again by the first page that goes there. */
	have_file();
	lm_lock_drop(&lock);
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
	struct lm_swap_slots *slots = &files[mine].slots;

	if (slots->in_limbo && nobody_reads())
		lm_swap_slots_unshare(slots);
}

void lm_swap_file_fork(void)
{
	struct lm_swap_slots *slots = &files[mine].slots;
	int ends[2];

	if (mine == FILES || files[mine].fd < 0 ||
	    slots->in_use == slots->in_limbo)
		return;
	reclaim();
	lm_swap_slots_share(slots);
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
	LM_PUT(&lock.word, 0);
	for (int i = 0; i < watching; i++)
		lm_fd_close(watched[i]);
	if (watching)
		watching = 0;
	if (unwatched)
		unwatched = false;
	/* The other end stays open as long as we may read. */
	if (fork_pipe[0] >= 0) {
		lm_sys(SYS_close, fork_pipe[0]);
		lm_fd_keep_number(fork_pipe[1]);
		fork_pipe[0] = fork_pipe[1] = -1;
	}
	if (mine < FILES && files[mine].fd >= 0)
		mine++;
}

/* -- Slots ----------------------------------------------------------------------- */

/* With the lock. */
static int take_run(size_t *n, uint64_t *first)
{
	struct lm_swap_slots *slots = &files[mine].slots;

	/* Now and then: it costs a system call for each child. */
	if (slots->in_limbo > slots->high / 8 && ++asked % 16 == 0)
		reclaim();
	if (!lm_swap_slots_take(slots, n, first))
		return 0;
	reclaim();
	return lm_swap_slots_take(slots, n, first);
}

static void give_run(uint64_t first, size_t n)
{
	lm_lock_take(&lock);
	lm_swap_slots_give(&files[mine].slots, first, n);
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
	/* Acquire: pairs with the release of who set it, for its data. */
	lm_swap_file_fn hook =
		atomic_load_explicit(&lm_swap_file_hook, memory_order_acquire);
	int ret = hook ? hook(nr == SYS_pwrite64) : 0;

	if (ret < 0)
		return ret;
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
	for (size_t i = 0; cipher && i < n; i++, page += LM_PAGE)
		cipher->apply(
			page, LM_PAGE, file->key,
			lm_swap_slots_next_nonce(&file->slots, first + i));
}

static void decrypt_run(const struct file *file, uint64_t first, char *page,
			size_t n)
{
	for (size_t i = 0; cipher && i < n; i++, page += LM_PAGE)
		cipher->apply(page, LM_PAGE, file->key,
			      lm_swap_slots_nonce(&file->slots, first + i));
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
	for (size_t i = 0; i < *n; i++)
		*lm_swap_slots_sum(&file->slots, first + i) = sums[i];
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
	return *lm_swap_slots_sum(&files[slot >> INDEX_BITS].slots,
				  INDEX(slot));
}

void lm_swap_file_free(uint64_t slot)
{
	/* An ancestor's slot is the ancestor's to use again. */
	if (slot >> INDEX_BITS != mine)
		return;
	lm_lock_take(&lock);
	lm_swap_slots_free(&files[mine].slots, INDEX(slot));
	lm_lock_drop(&lock);
}

uint64_t lm_swap_file_used(void)
{
	if (mine == FILES)
		return 0;
	return atomic_load_explicit(&files[mine].slots.in_use,
				    memory_order_relaxed)
	       << LM_PAGE_SHIFT;
}
