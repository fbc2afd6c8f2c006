/*
 * lazymap.h -- demand paging inside an ordinary process.
 *
 * The one installed header. Address space is reserved without access; the
 * first touch of a page raises SIGSEGV, the page is filled from its store and
 * put in place, and the instruction goes on. To the program it is mmap().
 *
 * Conventions of every call here:
 *  - Sizes and offsets are in bytes. A page is sysconf(_SC_PAGESIZE) bytes.
 *  - Calls that return int return 0, or -1 with errno set. Calls that return
 *    an address return LAZYMAP_FAILED with errno set.
 *  - Every call is thread-safe. A call is async-signal-safe only where it says
 *    so. No call may be made from a store's own operations.
 *  - The library starts itself at the first call that needs it. It takes
 *    SIGSEGV (see lazymap_start() and "Traps" in lazymap(7)); a fault that is
 *    not in a lazy area goes to the handler that was there before.
 *  - After fork() the child has the same areas with the same contents, and
 *    goes on by itself, as with mmap().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LAZYMAP_H
#define LAZYMAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library is compiled with hidden visibility; what is here is public. */
#pragma GCC visibility push(default)

#define LAZYMAP_VERSION_MAJOR 0
#define LAZYMAP_VERSION_MINOR 1
#define LAZYMAP_VERSION_PATCH 0

/* What a call that maps returns when it fails: MAP_FAILED's own value. */
#define LAZYMAP_FAILED ((void *)-1)

/* -- Starting -------------------------------------------------------------- */

/* In an option of so many bytes: none at all. */
#define LAZYMAP_NONE ((size_t)-1)

/*
 * Options of the process. Set `size` to sizeof(struct lazymap_options) and
 * all that is not wanted to zero (or NULL): zero means "the environment
 * variable, else the default". New fields are only ever added at the end.
 */
struct lazymap_options {
	size_t size;
	/* LAZYMAP_TRAP: "native" (default), "libsigsegv", or "none": the
	 * program's own handler calls lazymap_fault(). */
	const char *trap;
	/* LAZYMAP_PLACE: "auto" (default), "mem", "uffd", "inplace",
	 * "mremap". How copied pages are put in place; see lazymap(7). */
	const char *place;
	/* LAZYMAP_CLUSTER: bytes that one fault brings in, a power of two
	 * from one page to 2 MiB. Default 64 KiB, more where faults go on a
	 * stream. Of 2 MiB, in private anonymous memory: transparent huge
	 * pages, where the kernel has some and the limit lets 64 of them be. */
	size_t cluster;
	/* LAZYMAP_TIME: 1 keeps the time spent in faults (two clock reads a
	 * fault), -1 does not (default). */
	int time;
	/* LAZYMAP_STRICT: 1, a page that finds no room under the resident
	 * limit fails (SIGBUS); -1, the limit is exceeded and that is said
	 * (default). */
	int strict;
	/* LAZYMAP_THREADS: -1 (in the environment: 0), no thread is started to
	 * make room and to fetch pages (MADV_WILLNEED) ahead of need, faults
	 * and the call itself do it (a store that needs worker threads has
	 * them all the same). Default: one, once more is mapped than the
	 * resident limit lets in. */
	int threads;
	/* LAZYMAP_RESIDENT: the resident limit in bytes, see lazymap_limit().
	 * Default: none. */
	size_t resident;
	/* LAZYMAP_POLICY: which pages go first: "auto" (default), "s3fifo",
	 * "clock", "sieve", "fifo". */
	const char *policy;
	/* LAZYMAP_SWAP_POOL: bytes of memory, beyond the resident limit, for
	 * compressed pages; LAZYMAP_NONE: none. Default: a quarter of the
	 * limit that is set first. */
	size_t swap_pool;
	/* LAZYMAP_SWAP_ENCRYPT: 1, what goes to the swap file is encrypted
	 * (ChaCha20, a random key for each process and file that is never
	 * written anywhere); -1, it is not (default). Needs the module
	 * lazymap-swap-sodium.so. */
	int swap_encrypt;
	/* LAZYMAP_SWAP_MAX: bytes of swap file; LAZYMAP_NONE: no file.
	 * Default 64 GiB. It lies in $LAZYMAP_SWAPDIR, or if that is not set
	 * in the first of $TMPDIR and /var/tmp that takes one, and has no
	 * name. */
	size_t swap_max;
	/* LAZYMAP_SYSCALL_TRAP: 1 makes every system call that the process
	 * makes, inside libc and elsewhere, see lazy memory as the kernel sees
	 * ordinary memory; -1 does not (the library's default; `lazymap run`
	 * has it on). The text of the loaded objects is changed for it, so
	 * start while there is one thread. Where that cannot be done, nothing
	 * is: it is no error. See "System calls" in lazymap(7). */
	int syscall_trap;
	/* LAZYMAP_GUARD: -1 (in the environment: 0), pages are hidden by their
	 * protection only, and not by guard regions (madvise(2), Linux 6.13)
	 * where the kernel has them. See "VM areas" in lazymap(7). */
	int guard;
};

/*
 * Start the library with `options` (NULL: environment and defaults). Without
 * this call the first lazymap_map() starts it. Explicit options win over the
 * environment. Returns 0; or -1 with
 *   EBUSY   it is started already,
 *   EINVAL  an option's value is not one of those above (the message on
 *           standard error, or the error callback, says which),
 *   ENOENT  the trap's module is not installed, or the cipher's,
 *   ENOTDIR $LAZYMAP_SWAPDIR takes no swap file,
 *   ENOSYS  the way of placing asked for is not permitted here,
 *   ENOMEM  no address space or memory.
 */
int lazymap_start(const struct lazymap_options *options);

/* The library's version, "MAJOR.MINOR.PATCH". Async-signal-safe. */
const char *lazymap_version(void);

/* -- Mapping --------------------------------------------------------------- */

/*
 * Map `len` bytes lazily; every argument means what it means to mmap(2).
 * No page is filled before it is touched, and an area of any size costs
 * neither memory nor time until then (MAP_NORESERVE is implied).
 *
 * flags: one of MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE; MAP_ANONYMOUS,
 * MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_POPULATE, MAP_LOCKED, MAP_NORESERVE,
 * MAP_NONBLOCK, MAP_32BIT. What cannot be lazy (MAP_GROWSDOWN, MAP_STACK,
 * MAP_HUGETLB, PROT_EXEC, devices) is mapped by the kernel, as if by mmap.
 * The file may be closed, renamed or unlinked afterwards.
 *
 * Returns the address, or LAZYMAP_FAILED with mmap's own errno:
 *   EINVAL  length 0, offset or (MAP_FIXED) address misaligned, bad flags,
 *   EBADF   fd is not open,           EACCES  fd's mode forbids prot,
 *   ENODEV  the file cannot be mapped (a directory, a FIFO, ...),
 *   EEXIST  MAP_FIXED_NOREPLACE over an existing mapping,
 *   EOVERFLOW, ENOMEM, EAGAIN, EPERM, ETXTBSY as mmap.
 * Nothing is changed by a call that fails.
 */
void *lazymap_map(void *start, size_t len, int prot, int flags, int fd,
		  off_t offset);

/*
 * Options of one area, for lazymap_map_with(). Set `size` to
 * sizeof(struct lazymap_area_options), the rest to zero for "as the process".
 */
struct lazymap_area_options {
	size_t size;
	size_t cluster; /* as in struct lazymap_options */
};

/* lazymap_map() with options for this area. EINVAL for a bad option too. */
void *lazymap_map_with(void *start, size_t len, int prot, int flags, int fd,
		       off_t offset,
		       const struct lazymap_area_options *options);

/*
 * A store of the caller's own. `size` is sizeof(struct lazymap_store_ops) and
 * `version` LAZYMAP_STORE_VERSION; later versions only add members at the end.
 * `data` is the pointer that was given to lazymap_map_store(); `offset` is the
 * area's offset plus the page's distance from the start of the area. `len` is
 * a multiple of the page size, never more than 2 MiB.
 *
 * Each operation returns 0, or -errno (-EIO, ...). Operations may run in
 * several threads at once, for different pages; never for the same page.
 *
 * They run in a worker thread of the library, with all signals blocked, while
 * the faulting thread waits: they may allocate, lock, and do I/O, and may
 * touch lazy memory of other areas, but must not wait for a thread that may be
 * waiting for this area. With LAZYMAP_STORE_IN_HANDLER they run in the faulting
 * thread, inside its signal handler, which is faster: then they may call only
 * async-signal-safe functions.
 *
 * Where touches go on in one direction, workers read what comes next before it
 * is touched, up to 2 MiB further, until the area is unmapped; what cannot be
 * read is reported when it is touched. Not with LAZYMAP_STORE_IN_HANDLER, a
 * fixed cluster, MADV_RANDOM, or without threads (LAZYMAP_THREADS=0).
 */
#define LAZYMAP_STORE_VERSION 1
#define LAZYMAP_STORE_IN_HANDLER 0x1u /* read may run inside the handler */

struct lazymap_store_ops {
	size_t size;
	unsigned version;
	unsigned flags; /* LAZYMAP_STORE_... */
	/* Fill buf with the len bytes at offset. Required. A failure gives
	 * the toucher SIGBUS; the page stays absent. Where more was read than
	 * the page that is touched, and no cluster is fixed, the page is tried
	 * by itself first. */
	int (*read)(void *data, void *buf, size_t len, off_t offset);
	/* Keep len bytes at offset: MAP_SHARED areas only, from
	 * lazymap_sync(), lazymap_unmap() and at exit; in the calling thread.
	 * NULL: the store is read-only (MAP_SHARED with PROT_WRITE: EACCES). */
	int (*write)(void *data, const void *buf, size_t len, off_t offset);
	/* After the writes of a lazymap_sync(MS_SYNC). May be NULL. */
	int (*sync)(void *data);
	/* The last area that uses the store is gone. May be NULL. */
	void (*close)(void *data);
};

/*
 * Map a store of the caller's own. `ops` is copied. prot, flags, len, start
 * and offset (page-aligned, not negative) as in lazymap_map(). MAP_PRIVATE
 * writes stay in memory; MAP_SHARED writes reach ops->write. After fork() the
 * child's area is a copy: it does not see the parent's later writes, nor does
 * it write them back.
 * Errors as lazymap_map(), EINVAL for a bad ops table (size, version, flags, no
 * read), and for the process's first area EMFILE and ENFILE where no descriptor
 * can be had to find out how pages are placed, ESTALE in a vfork child.
 */
void *lazymap_map_store(void *start, size_t len, int prot, int flags,
			const struct lazymap_store_ops *ops, void *data,
			off_t offset);

/*
 * munmap(2). The range may cover parts of areas, several areas, holes, and
 * kernel mappings. Dirty pages of MAP_SHARED stores are written first; if one
 * cannot be written nothing is unmapped and -1 with the store's errno returns.
 */
int lazymap_unmap(void *start, size_t len);

/* mprotect(2), over any mixture of lazy areas and kernel mappings. */
int lazymap_protect(void *start, size_t len, int prot);

/* msync(2). Reports a store's error in writing once. */
int lazymap_sync(void *start, size_t len, int flags);

/* madvise(2), every MADV_ value that the kernel knows. MADV_WILLNEED brings
 * pages back from swap, up to half of the resident limit, from the start of the
 * range on: in the thread that makes room (options.threads) and after the call,
 * or, where there is none, before it returns. */
int lazymap_advise(void *start, size_t len, int advice);

/* mremap(2); new_start is used only with MREMAP_FIXED or MREMAP_DONTUNMAP. */
void *lazymap_remap(void *start, size_t old_len, size_t new_len, int flags,
		    void *new_start);

/* mlock(2), mlock2(2) with flags MLOCK_ONFAULT, and munlock(2). */
int lazymap_lock(const void *start, size_t len, int flags);
int lazymap_unlock(const void *start, size_t len);

/* mlockall(2) and munlockall(2). Kernel mappings are locked with the rest. */
int lazymap_lock_all(int flags);
int lazymap_unlock_all(void);

/* mincore(2), but bit 0 says whether lazymap holds the page resident. */
int lazymap_resident(void *start, size_t len, unsigned char *vec);

/* -- Pinning --------------------------------------------------------------- */

#define LAZYMAP_READ 0
#define LAZYMAP_WRITE 1

/*
 * Make every page of [start, start + len) present, readable or (access
 * LAZYMAP_WRITE) writable, and keep it so until lazymap_unpin() with the same
 * range: for what reads memory without faulting (io_uring, RDMA, a device).
 * Pins nest, up to 2047 a page. Memory that is not lazy is left alone.
 *   EFAULT  a page's protection forbids the access, or it is not mapped in
 *           part (a hole inside an area's range),
 *   EIO, or the store's errno: a page could not be filled,
 *   EAGAIN  a page is pinned 2047 times already.
 * On failure nothing stays pinned. Neither call allocates.
 */
int lazymap_pin(const void *start, size_t len, int access);
int lazymap_unpin(const void *start, size_t len);

/* -- Memory that is bounded -------------------------------------------------- */

/*
 * Let lazy areas hold at most `bytes` of memory together (rounded down to
 * pages; 0: no limit), from now on and at every moment: what is touched beyond
 * it drives other pages out. Pages that can be read again are dropped; private
 * pages that were written go to swap. Counted are pages of files and of shared
 * memory, too, while they are in place, though the kernel may keep them in its
 * own cache afterwards. Not counted: swap's compressed pool, and lazymap's
 * tables (about 1.5 bytes in 100 of the limit, 2 in 1000 of what is touched).
 *
 * Where nothing can go (all pages locked or pinned, swap full or failing) the
 * limit is exceeded and the error callback told once, LAZYMAP_ERROR_LIMIT; with
 * options.strict the touch gets SIGBUS instead. No data is lost in any case.
 *
 *   EINVAL  less than 256 KiB for each thread that runs now,
 *   ENOENT  swap is to be encrypted, and the module for it is not installed,
 *   ENOTDIR $LAZYMAP_SWAPDIR takes no file,
 *   ENOMEM  no memory for the tables.
 */
int lazymap_limit(size_t bytes);

/*
 * Let the lazy areas of [start, start + len), together, hold at most `bytes`
 * (0: no limit of their own any more) of what the process may hold. What is
 * touched there beyond it drives out other pages of theirs and of nobody else;
 * all that lazymap_limit() says of its limit is true of this one.
 *
 * start is page-aligned, len is rounded up to pages; areas that lie there in
 * part are split, and what is not lazy is left alone. A limit that they had
 * before is replaced; what is outside the range keeps it. It goes with the
 * memory: areas that are split later (munmap, mprotect, madvise, mlock), moved
 * or grown (mremap) share it, and it ends with the last of them; what is mapped
 * there afterwards has none. After fork() the child's areas have one of the
 * same size of their own.
 *
 *   EINVAL  start is not page-aligned; len is 0; less than 256 KiB for each
 *           thread that runs now (and the error callback says so),
 *   ENOMEM  nothing lazy is there, or no memory for the tables,
 *   ENOENT  as lazymap_limit().
 * Nothing is changed by a call that fails. When it returns, what the areas hold
 * is within the limit, as far as pages are not locked or pinned.
 */
int lazymap_limit_area(void *start, size_t len, size_t bytes);

/* -- What happened ---------------------------------------------------------- */

/* Counters of the process since the start (or since fork, in a child). */
struct lazymap_stats {
	uint64_t areas;          /* lazy areas mapped now */
	uint64_t mapped;         /* bytes in them */
	uint64_t resident;       /* bytes present now */
	uint64_t faults_read;    /* faults served: first touch by a read */
	uint64_t faults_write;   /* first touch by a write */
	uint64_t faults_upgrade; /* first write to a page that was read first */
	uint64_t faults_waited;  /* touches that waited for another's fill */
	uint64_t faults_foreign; /* not lazymap's; passed on */
	uint64_t faults_failed;  /* the store could not be read: SIGBUS */
	uint64_t pages_filled;   /* pages brought in, by faults and by access */
	uint64_t bytes_filled;   /* their bytes */
	uint64_t pages_kernel;   /* of pages_filled, for a system call */
	uint64_t bytes_bypassed; /* handed on by the kernel, never filled */
	uint64_t pages_written;  /* dirty pages written back to stores */
	uint64_t pages_dropped;  /* pages taken away again, by advice */
	uint64_t fault_ns;       /* time in faults; 0 unless asked for */
	uint64_t resident_limit; /* bytes; 0: none */
	uint64_t faults_soft;    /* on pages hidden to see if they are used */
	uint64_t pages_evicted;  /* taken away to make room */
	uint64_t pages_swapped_out; /* of pages_evicted, kept in swap: */
	uint64_t pages_same;       /* one byte repeated, which takes no room; */
	uint64_t pages_to_pool;    /* compressed, in memory; */
	uint64_t pages_to_file;    /* in the file */
	uint64_t pages_swapped_in; /* and brought back */
	uint64_t pages_over_limit; /* let in though nothing could go */
	uint64_t swap_pool;        /* bytes of compressed memory now */
	uint64_t swap_file;        /* bytes of the file in use now */
	uint64_t pages_widened;    /* shown untouched, to need fewer VM areas */
	uint64_t pages_demoted;    /* of pages_to_pool, moved to the file */
	uint64_t pages_ahead; /* of pages_filled, read ahead of a stream, or
			       * shown ahead of equal steps; */
	uint64_t pages_ahead_unused; /* about so many were driven out before it
				      * came to them, or it never did */
	uint64_t blocks_moved; /* of 2 MiB, evicted, whose memory was kept for
				* what a stream came to next */
};

/*
 * Fill `stats`, whose size the caller knows as `size`: members beyond it are
 * not written, members that this library does not know are set to zero.
 * EINVAL: size 0 or stats NULL. Async-signal-safe.
 */
int lazymap_stats(struct lazymap_stats *stats, size_t size);

/*
 * What went wrong where nobody could be told by a return value.
 * Return 0 to go on as without the callback (SIGBUS for a failed read; a
 * message on standard error otherwise), 1 to say that it is dealt with: for a
 * failed read the touch is then tried again. Runs in the thread concerned,
 * possibly inside its signal handler: only async-signal-safe calls.
 */
enum lazymap_error_kind {
	LAZYMAP_ERROR_READ = 1,  /* a store's read failed, at addr */
	LAZYMAP_ERROR_WRITE = 2, /* a store's write failed, for addr */
	LAZYMAP_ERROR_START = 3, /* an option or the environment is wrong */
	LAZYMAP_ERROR_LIMIT = 4, /* the resident limit is exceeded; once */
};

struct lazymap_error {
	size_t size;      /* of this struct, in the library */
	int kind;         /* enum lazymap_error_kind */
	int error;        /* an errno */
	void *addr;       /* the page, or NULL */
	const char *what; /* one line, in English */
};

typedef int (*lazymap_error_fn)(const struct lazymap_error *error, void *data);

/* Set the error callback (NULL: none). One for the process. */
void lazymap_on_error(lazymap_error_fn fn, void *data);

/*
 * Serve a fault at `addr`, for a program that has a SIGSEGV handler of its
 * own which it does not want lazymap to replace. access: LAZYMAP_READ,
 * LAZYMAP_WRITE, or -1 where that is not known. Returns 1: served, return from
 * the handler; 0: not in a lazy area, or forbidden by its protection; -1 with
 * errno: the page could not be filled. Async-signal-safe.
 */
int lazymap_fault(void *addr, int access);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
