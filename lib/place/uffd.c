/*
 * uffd.c -- placing by userfaultfd's UFFDIO_COPY, which makes a filled page
 * appear in one step.
 *
 * Only the copying is used; faults come by SIGSEGV as ever, and no thread
 * waits on the descriptor. UFFDIO_COPY only wants the memory registered, in
 * whatever mode. Write-protect mode (5.7) is the one that changes nothing else:
 * the kernel goes on filling missing pages with zeros by itself. With missing
 * mode, the older one, a page that is revealed without having been placed
 * raises SIGBUS (UFFD_FEATURE_SIGBUS, 4.14, without which it would hang).
 *
 * What is placed write-protected (lm_place_over_tracked()) is written like any
 * other page, for the kernel takes the protection away by itself at the first
 * write (UFFD_FEATURE_WP_ASYNC, 6.7); written.c tells whether it has.
 *
 * The registration goes with fork, with mremap, and with the last descriptor;
 * then the copy fails with ENOENT and the range is registered again.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "place/place.h"

#include <errno.h>
#include <stdatomic.h>

#include "fd.h"
#include "os_linux.h"
#include "os.h"
#include "syscall/raw.h"

/* UFFDIO_REGISTER_MODE_..., found by the first opening. Atomic. */
static _Atomic uint64_t register_mode = UFFDIO_REGISTER_MODE_WP;

/* The kernel takes write protection away by itself, found by the first opening.
 * Atomic. */
static _Atomic bool tracks;

static int uffd_enable(int fd)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_SIGBUS |
					      UFFD_FEATURE_WP_ASYNC };

	if (!lm_sys(SYS_ioctl, fd, UFFDIO_API, &api)) {
		atomic_store_explicit(&tracks, true, memory_order_relaxed);
		return 0;
	}
	api = (struct uffdio_api){ .api = UFFD_API,
				   .features = UFFD_FEATURE_SIGBUS };
	return (int)lm_sys(SYS_ioctl, fd, UFFDIO_API, &api);
}

static int uffd_open(void)
{
	long fd = lm_sys(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	long dev;
	int err;

	if (fd == -EINVAL) /* before 5.11 */
		fd = lm_sys(SYS_userfaultfd, O_CLOEXEC);
	if (fd < 0) {
		/* seccomp profiles of containers forbid the call; the device
		 * (6.1) is a matter of file permissions */
		dev = lm_sys(SYS_openat, AT_FDCWD, "/dev/userfaultfd",
			     O_RDWR | O_CLOEXEC);
		if (dev < 0)
			return (int)fd;
		fd = lm_sys(SYS_ioctl, dev, USERFAULTFD_IOC_NEW,
			    O_CLOEXEC | UFFD_USER_MODE_ONLY);
		lm_sys(SYS_close, dev);
	}
	if (fd < 0)
		return (int)fd;
	err = uffd_enable((int)fd);
	if (err) {
		lm_sys(SYS_close, fd);
		return err;
	}
	return (int)fd;
}

/*
 * Not checked at each use: an ioctl of ours on another file fails (EBADF,
 * ENOTTY), and on the program's own userfaultfd does the same to the same
 * memory.
 */
static struct lm_fd uffd_fd = { .open = uffd_open };

static int uffd_register(int fd, uintptr_t start, size_t len)
{
	struct uffdio_register reg = { .range = { start, len } };
	int err;

	reg.mode = atomic_load_explicit(&register_mode, memory_order_relaxed);
	err = (int)lm_sys(SYS_ioctl, fd, UFFDIO_REGISTER, &reg);
	if (err != -EINVAL || reg.mode == UFFDIO_REGISTER_MODE_MISSING)
		return err;
	/* No such mode; or the range will not do, and this fails as well. */
	reg.mode = UFFDIO_REGISTER_MODE_MISSING;
	err = (int)lm_sys(SYS_ioctl, fd, UFFDIO_REGISTER, &reg);
	if (!err)
		atomic_store_explicit(&register_mode, reg.mode,
				      memory_order_relaxed);
	return err;
}

/* After an error of the descriptor's: another one, if this can be had. */
static int is_lost(int err)
{
	return err == -EBADF || err == -ENOTTY;
}

static int uffd_attach(uintptr_t start, size_t len)
{
	int err = -EBADF;

	for (unsigned tries = 0; tries < 3 && is_lost(err); tries++) {
		int fd = lm_fd_get(&uffd_fd);

		if (fd < 0)
			return 0; /* uffd_write does without */
		err = uffd_register(fd, start, len);
		if (is_lost(err))
			lm_fd_lost(&uffd_fd, fd);
	}
	return err;
}

/* One try: the bytes copied, or -errno. */
static long uffd_copy(int fd, uintptr_t dst, const void *src, size_t len,
		      uint64_t mode)
{
	struct uffdio_copy copy = {
		.dst = dst, .src = (uintptr_t)src, .len = len, .mode = mode
	};
	long err = lm_sys(SYS_ioctl, fd, UFFDIO_COPY, &copy);

	if (!err)
		return (long)len;
	/* EAGAIN: `copy` says how far it came. Some errors leave it 0. */
	if (err == -EAGAIN && copy.copy != 0)
		return (long)copy.copy;
	return err;
}

/* What is to be placed, and the memory that is to be registered with it. */
struct copy {
	uintptr_t dst;
	const char *src;
	size_t len, done;
	uintptr_t low, high;
	uint64_t mode; /* UFFDIO_COPY_MODE_... */
};

/* Atomic; once any memory was, in this process. */
static _Atomic bool registered;
/* Over markers, too: what the probe has found. */
static _Atomic bool can_over;
/* And into pages that are hidden by their protection: found by the first that asks.
 * Atomic. */
enum answer { UNKNOWN, CAN, CANNOT };
static _Atomic enum answer hidden;

static int register_around(int fd, const struct copy *copy)
{
	int err = uffd_register(fd, copy->low, copy->high - copy->low);

	atomic_store_explicit(&registered, true, memory_order_relaxed);
	/* What lies around may have changed. */
	return err ? uffd_register(fd, copy->dst, copy->len) : 0;
}

/* What has to be done about err before trying again. 0, or -errno. */
static int uffd_repair(int fd, long err, const struct copy *copy)
{
	uintptr_t dst = copy->dst + copy->done;
	size_t len = copy->len - copy->done;

	switch (err) {
	case -EAGAIN:
	case -EINTR:
		return 0;
	case -EEXIST: /* it held something; nobody has access to it */
		return (int)lm_sys(SYS_madvise, dst, len, MADV_DONTNEED);
	case -ENOENT:
		return register_around(fd, copy);
	case -EBADF:
	case -ENOTTY:
		lm_fd_lost(&uffd_fd, fd);
		return 0;
	default:
		return (int)err;
	}
}

static int uffd_copy_all(struct copy *copy)
{
	unsigned repairs = 0;

	while (copy->done < copy->len) {
		int fd = lm_fd_get(&uffd_fd);
		long n;
		int err;

		if (fd < 0)
			return fd;
		n = uffd_copy(fd, copy->dst + copy->done,
			      copy->src + copy->done, copy->len - copy->done,
			      copy->mode);
		if (n > 0) {
			copy->done += (size_t)n;
			repairs = 0;
			continue;
		}
		err = uffd_repair(fd, n, copy);
		if (err || repairs++ > 8)
			return err ? err : (int)n;
	}
	return 0;
}

static int uffd_write_only(uintptr_t dst, const void *src, size_t len)
{
	struct copy copy = { .dst = dst,
			     .src = src,
			     .len = len,
			     .low = dst,
			     .high = dst + len };

	return uffd_copy_all(&copy);
}

static int uffd_write(uintptr_t dst, const void *src, size_t len)
{
	if (!uffd_write_only(dst, src, len))
		return 0;
	return lm_place_mremap.write(dst, src, len);
}

static int uffd_read(void *dst, uintptr_t src, size_t len)
{
	int err = lm_place_mremap.read(dst, src, len);
	int fd;

	/* What was moved is no longer registered, and does not merge with what
	 * is. A failure is met again, and dealt with, by the next write. */
	fd = lm_fd_get(&uffd_fd);
	if (!err && fd >= 0)
		uffd_register(fd, src, len);
	return err;
}

static int uffd_probe(void)
{
	int err = lm_place_try(uffd_write_only, uffd_read);

	if (err)
		lm_fd_drop(&uffd_fd);
	return err;
}

static int uffd_forked(void)
{
	lm_fd_forked(&uffd_fd);
	return 0;
}

long lm_place_over(uintptr_t dst, const void *src, size_t len, uintptr_t low,
		   uintptr_t high)
{
	struct copy copy = {
		.dst = dst, .src = src, .len = len, .low = low, .high = high
	};
	int err = uffd_copy_all(&copy);

	return copy.done ? (long)copy.done : err;
}

void lm_place_over_end(uintptr_t start, uintptr_t end)
{
	struct uffdio_range range = { start, end - start };
	int fd = atomic_load_explicit(&registered, memory_order_relaxed)
			 ? lm_fd_get(&uffd_fd)
			 : -1;

	/* What fails here shows in the move. */
	if (fd >= 0)
		lm_sys(SYS_ioctl, fd, UFFDIO_UNREGISTER, &range);
}

long lm_place_over_tracked(uintptr_t dst, const void *src, size_t len,
			   uintptr_t low, uintptr_t high)
{
	struct copy copy = { .dst = dst,
			     .src = src,
			     .len = len,
			     .low = low,
			     .high = high,
			     .mode = UFFDIO_COPY_MODE_WP };
	int err = uffd_copy_all(&copy);

	return copy.done ? (long)copy.done : err;
}

/* -- What the kernel does ------------------------------------------------------ */

/* The same page twice: the marker must not be seen as a page. */
static int try_over(uintptr_t page)
{
	static const char bytes[LM_PAGE]
		__attribute__((aligned(LM_PAGE))) = { [7] = 77 };
	int err = lm_os_madvise(page, LM_PAGE, MADV_GUARD_INSTALL);
	long n;

	if (err)
		return err;
	n = lm_place_over(page, bytes, LM_PAGE, page, page + LM_PAGE);
	if (n < 0)
		return (int)n;
	return ((const volatile char *)page)[7] == 77 ? 0 : -EIO;
}

/* Is it known of both pages whether they were written? */
static int try_tracked(uintptr_t page)
{
	static const char bytes[2 * LM_PAGE]
		__attribute__((aligned(LM_PAGE))) = { [7] = 77 };
	size_t len = sizeof(bytes);
	int err = lm_os_madvise(page, len, MADV_GUARD_INSTALL);
	long n;

	if (err)
		return err;
	n = lm_place_over_tracked(page, bytes, len, page, page + len);
	if (n != (long)len)
		return n < 0 ? (int)n : -EIO;
	if (!atomic_load_explicit(&tracks, memory_order_relaxed) ||
	    atomic_load_explicit(&register_mode, memory_order_relaxed) !=
		    UFFDIO_REGISTER_MODE_WP)
		return -EOPNOTSUPP;
	if (lm_place_unwritten(page, 2) != 3)
		return -EIO;
	((volatile char *)page)[7] = 78;
	return lm_place_unwritten(page, 2) == 2 ? 0 : -EIO;
}

int lm_place_tracked_probe(void)
{
	uintptr_t page = lm_os_mmap(0, 2 * LM_PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (lm_os_failed(page))
		return (int)(long)page;
	err = try_tracked(page);
	if (!err)
		atomic_store_explicit(&can_over, true, memory_order_relaxed);
	lm_os_munmap(page, 2 * LM_PAGE);
	lm_fd_drop(&uffd_fd);
	lm_place_unwritten_drop();
	return err;
}

int lm_place_over_probe(void)
{
	uintptr_t page = lm_os_mmap(0, LM_PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (lm_os_failed(page))
		return (int)(long)page;
	err = try_over(page);
	atomic_store_explicit(&can_over, !err, memory_order_relaxed);
	lm_os_munmap(page, LM_PAGE);
	/* Opened again by the first page that needs it. */
	lm_fd_drop(&uffd_fd);
	return err;
}

/* Hidden while it comes, and then seen. */
static int try_hidden(uintptr_t page)
{
	static const char bytes[LM_PAGE]
		__attribute__((aligned(LM_PAGE))) = { [7] = 77 };
	long n = lm_place_over(page, bytes, LM_PAGE, page, page + LM_PAGE);
	int err;

	if (n < 0)
		return (int)n;
	/* In the other mode `mem` could not place into what is registered. */
	if (atomic_load_explicit(&register_mode, memory_order_relaxed) !=
	    UFFDIO_REGISTER_MODE_WP)
		return -EOPNOTSUPP;
	err = lm_os_mprotect(page, LM_PAGE, PROT_READ);
	if (err < 0)
		return err;
	return ((const volatile char *)page)[7] == 77 ? 0 : -EIO;
}

static int probe_hidden(void)
{
	uintptr_t page = lm_os_mmap(0, LM_PAGE, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (lm_os_failed(page))
		return (int)(long)page;
	err = try_hidden(page);
	lm_os_munmap(page, LM_PAGE);
	return err;
}

/* Says it nothing of what the kernel permits, but that there is no room now, that
 * other threads keep closing descriptors, or that this is a vfork child? */
static bool passes(int err)
{
	return err == -ENOMEM || err == -EMFILE || err == -ENFILE ||
	       err == -EAGAIN || err == -ESTALE || is_lost(err);
}

int lm_place_hidden_probe(void)
{
	enum answer known = atomic_load_explicit(&hidden, memory_order_relaxed);
	int err;

	if (known != UNKNOWN)
		return known == CAN ? 0 : -EOPNOTSUPP;
	err = probe_hidden();
	/* Two threads that come at once find the same. */
	if (!passes(err))
		atomic_store_explicit(&hidden, err ? CANNOT : CAN,
				      memory_order_relaxed);
	return err;
}

int lm_place_over_begin(void)
{
	return lm_fd_begin(&uffd_fd);
}

void lm_place_over_open(void)
{
	/* What is not known yet must not be tried later. */
	bool copies = lm_place_copies();

	if (copies || lm_place == &lm_place_uffd ||
	    atomic_load_explicit(&can_over, memory_order_relaxed))
		lm_fd_get(&uffd_fd);
}

void lm_place_over_forked(void)
{
	LM_PUT(&registered, false);
	lm_fd_forked(&uffd_fd);
}

const struct lm_place lm_place_uffd = {
	.name = "uffd",
	.probe = uffd_probe,
	.attach = uffd_attach,
	.write = uffd_write,
	.read = uffd_read,
	.forked = uffd_forked,
};
