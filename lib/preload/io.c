/*
 * io.c -- reading and writing through lazy memory: the buffer is present and
 * pinned before the kernel looks, and the call is made once, whole.
 *
 * Handing a write of absent pages to copy_file_range or sendfile instead is not
 * done. A file area keeps no descriptor of its file: the kernel's own mapping
 * is all there is of it, and to open that again (/proc/self/map_files) takes a
 * privilege. Nor are bytes copied by lazymap that could be saved: what write
 * reads is the kernel's page of the file, which is not filled but mapped.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "buffer.h"
#include "signal.h"

#include "../syscall/self.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

/* clang-format off */
LM_BUFFER_NEAR(ssize_t, read, SYS_read, LM_OUT, 0, (int fd, void *buf, size_t len), (fd, buf, len), fd, buf, len)
LM_EXPORT LM_HOT ssize_t read(int fd, void *buf, size_t len)
{
	bool far = lm_buffer_far(buf, 0) && LM_KNOWN(read);
	ssize_t ret = far ? LM_KNOWN(read)(fd, buf, len) : read_near(fd, buf, len);

	lm_mask_read(buf, ret);
	return ret;
}

LM_BUFFER_CALL(ssize_t, write, SYS_write, LM_IN, 0, (int fd, const void *buf, size_t len), fd, buf, len)
LM_BUFFER_CALL(ssize_t, pread, SYS_pread64, LM_OUT, at, (int fd, void *buf, size_t len, off_t at), fd, buf, len, at)
LM_BUFFER_CALL(ssize_t, pread64, SYS_pread64, LM_OUT, at, (int fd, void *buf, size_t len, off64_t at), fd, buf, len, at)
LM_BUFFER_CALL(ssize_t, pwrite, SYS_pwrite64, LM_IN, at, (int fd, const void *buf, size_t len, off_t at), fd, buf, len, at)
LM_BUFFER_CALL(ssize_t, pwrite64, SYS_pwrite64, LM_IN, at, (int fd, const void *buf, size_t len, off64_t at), fd, buf, len, at)

/* -1: where the file is. */
#define HERE(at) ((at) == -1 ? 0 : (at))
LM_VECTOR_CALL(ssize_t, readv, SYS_readv, LM_OUT, 0, (int fd, const struct iovec *iov, int count), fd, iov, count)
LM_VECTOR_CALL(ssize_t, writev, SYS_writev, LM_IN, 0, (int fd, const struct iovec *iov, int count), fd, iov, count)
LM_VECTOR_CALL(ssize_t, preadv, SYS_preadv, LM_OUT, at, (int fd, const struct iovec *iov, int count, off_t at), fd, iov, count, at)
LM_VECTOR_CALL(ssize_t, preadv64, SYS_preadv, LM_OUT, at, (int fd, const struct iovec *iov, int count, off64_t at), fd, iov, count, at)
LM_VECTOR_CALL(ssize_t, pwritev, SYS_pwritev, LM_IN, at, (int fd, const struct iovec *iov, int count, off_t at), fd, iov, count, at)
LM_VECTOR_CALL(ssize_t, pwritev64, SYS_pwritev, LM_IN, at, (int fd, const struct iovec *iov, int count, off64_t at), fd, iov, count, at)
LM_VECTOR_CALL(ssize_t, preadv2, SYS_preadv2, LM_OUT, HERE(at), (int fd, const struct iovec *iov, int count, off_t at, int flags), fd, iov, count, at, flags)
LM_VECTOR_CALL(ssize_t, preadv64v2, SYS_preadv2, LM_OUT, HERE(at), (int fd, const struct iovec *iov, int count, off64_t at, int flags), fd, iov, count, at, flags)
LM_VECTOR_CALL(ssize_t, pwritev2, SYS_pwritev2, LM_IN, HERE(at), (int fd, const struct iovec *iov, int count, off_t at, int flags), fd, iov, count, at, flags)
LM_VECTOR_CALL(ssize_t, pwritev64v2, SYS_pwritev2, LM_IN, HERE(at), (int fd, const struct iovec *iov, int count, off64_t at, int flags), fd, iov, count, at, flags)

/* What a fortified program calls; libc checks the object's size behind us. */
ssize_t __read_chk(int fd, void *buf, size_t len, size_t size);
ssize_t __pread_chk(int fd, void *buf, size_t len, off_t at, size_t size);
ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t at, size_t size);
LM_BUFFER_CALL(ssize_t, __read_chk, SYS_read, LM_OUT, 0, (int fd, void *buf, size_t len, size_t size), fd, buf, len, size)
LM_BUFFER_CALL(ssize_t, __pread_chk, SYS_pread64, LM_OUT, at, (int fd, void *buf, size_t len, off_t at, size_t size), fd, buf, len, at, size)
LM_BUFFER_CALL(ssize_t, __pread64_chk, SYS_pread64, LM_OUT, at, (int fd, void *buf, size_t len, off64_t at, size_t size), fd, buf, len, at, size)

/* It may be in /proc/self/mem. */
LM_EXPORT off_t lseek(int fd, off_t at, int from)
{
	lm_self_sought(at);
	return REAL(lseek)(fd, at, from);
}
LM_EXPORT off64_t lseek64(int fd, off64_t at, int from)
{
	lm_self_sought(at);
	return REAL(lseek64)(fd, at, from);
}

/* Between descriptors: only the offsets are memory. */
LM_CALL(ssize_t, sendfile, SYS_sendfile, (int out, int in, off_t *at, size_t len), out, in, at, len)
LM_CALL(ssize_t, sendfile64, SYS_sendfile, (int out, int in, off64_t *at, size_t len), out, in, at, len)
LM_CALL(ssize_t, splice, SYS_splice, (int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags), in, in_at, out, out_at, len, flags)
LM_CALL(ssize_t, copy_file_range, SYS_copy_file_range, (int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags), in, in_at, out, out_at, len, flags)

/* One end is another process, which may well be this one. */
LM_CALL(ssize_t, process_vm_readv, SYS_process_vm_readv, (pid_t pid, const struct iovec *here, unsigned long here_count, const struct iovec *there, unsigned long there_count, unsigned long flags), pid, here, here_count, there, there_count, flags)
LM_CALL(ssize_t, process_vm_writev, SYS_process_vm_writev, (pid_t pid, const struct iovec *here, unsigned long here_count, const struct iovec *there, unsigned long there_count, unsigned long flags), pid, here, here_count, there, there_count, flags)
