/*
 * path.c -- calls on names of files, whose strings and results may be in lazy
 * memory.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"

#include "../enclose.h"
#include "../syscall/truncate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

/* The mode is there only where a file may be made. */
#define MODE(flags)                                                            \
	({                                                                     \
		unsigned mode_ = 0;                                            \
		va_list more_;                                                 \
                                                                               \
		va_start(more_, flags);                                        \
		if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)       \
			mode_ = va_arg(more_, unsigned);                       \
		va_end(more_);                                                 \
		mode_;                                                         \
	})

/* Where the call may cut off what is in swap it is made at once. */
static bool cut(long nr, const long args[6], int *ret)
{
	long made;

	if (lm_shim_off() || !lm_truncate_call(nr, args, &made))
		return false;
	*ret = made < 0 ? -1 : (int)made;
	if (made < 0)
		errno = (int)-made;
	return true;
}

static bool cut_open(int fd, const char *path, int flags, unsigned mode,
		     int *ret)
{
	return flags & O_TRUNC &&
	       cut(SYS_openat, LM_LONGS(fd, path, flags, mode), ret);
}

/* There may be no /proc in it, nor a directory for the swap file. */
LM_EXPORT int chroot(const char *path)
{
	if (!lm_shim_off() && !lm_shim_vforked())
		lm_enclose();
	LM_PINNED(int, lm_call_pin(pins, SYS_chroot, LM_LONGS(path)),
		  REAL(chroot)(path));
}

/* clang-format off */
#define OPEN(name)                                                             \
	static int name##_with(const char *path, int flags, unsigned mode)     \
	{                                                                      \
		int made;                                                      \
									       \
		lm_process_look(AT_FDCWD, path);                               \
		if (cut_open(AT_FDCWD, path, flags, mode, &made))              \
			return made;                                           \
		LM_PINNED(int, lm_call_pin(pins, SYS_open, LM_LONGS(path)), REAL(name)(path, flags, mode)); \
	}                                                                      \
	LM_EXPORT int name(const char *path, int flags, ...)                   \
	{                                                                      \
		return name##_with(path, flags, MODE(flags));                  \
	}
#define OPENAT(name)                                                           \
	static int name##_with(int fd, const char *path, int flags, unsigned mode) \
	{                                                                      \
		int made;                                                      \
									       \
		lm_process_look(fd, path);                                     \
		if (cut_open(fd, path, flags, mode, &made))                    \
			return made;                                           \
		LM_PINNED(int, lm_call_pin(pins, SYS_openat, LM_LONGS(fd, path)), REAL(name)(fd, path, flags, mode)); \
	}                                                                      \
	LM_EXPORT int name(int fd, const char *path, int flags, ...)           \
	{                                                                      \
		return name##_with(fd, path, flags, MODE(flags));              \
	}
#define OPEN_2(name)                                                           \
	LM_EXPORT int name(const char *path, int flags)                        \
	{                                                                      \
		int made;                                                      \
									       \
		lm_process_look(AT_FDCWD, path);                               \
		if (!(flags & O_CREAT) && cut_open(AT_FDCWD, path, flags, 0, &made)) \
			return made;                                           \
		LM_PINNED(int, lm_call_pin(pins, SYS_open, LM_LONGS(path)), REAL(name)(path, flags)); \
	}
#define OPENAT_2(name)                                                         \
	LM_EXPORT int name(int fd, const char *path, int flags)                \
	{                                                                      \
		int made;                                                      \
									       \
		lm_process_look(fd, path);                                     \
		if (!(flags & O_CREAT) && cut_open(fd, path, flags, 0, &made)) \
			return made;                                           \
		LM_PINNED(int, lm_call_pin(pins, SYS_openat, LM_LONGS(fd, path)), REAL(name)(fd, path, flags)); \
	}
#define FTRUNCATE(name, off)                                                   \
	LM_EXPORT int name(int fd, off len)                                    \
	{                                                                      \
		int made;                                                      \
									       \
		if (cut(SYS_ftruncate, LM_LONGS(fd, len), &made))              \
			return made;                                           \
		return REAL(name)(fd, len);                                    \
	}
#define TRUNCATE(name, off)                                                    \
	LM_EXPORT int name(const char *path, off len)                          \
	{                                                                      \
		int made;                                                      \
									       \
		if (cut(SYS_truncate, LM_LONGS(path, len), &made))             \
			return made;                                           \
		LM_PINNED(int, lm_call_pin(pins, SYS_truncate, LM_LONGS(path)), REAL(name)(path, len)); \
	}
#define FALLOCATE(name, off)                                                   \
	LM_EXPORT int name(int fd, int mode, off start, off len)               \
	{                                                                      \
		int made;                                                      \
									       \
		if (cut(SYS_fallocate, LM_LONGS(fd, mode, start, len), &made)) \
			return made;                                           \
		return REAL(name)(fd, mode, start, len);                       \
	}
/* Those by which a program may learn of its threads. */
#define LOOKS_AS(fd, type, name, nr, parameters, names, ...)                   \
	LM_EXPORT type name parameters                                         \
	{                                                                      \
		lm_process_look(fd, path);                                     \
		LM_PINNED(type, lm_call_pin(pins, nr, LM_LONGS(__VA_ARGS__)), REAL(name) names); \
	}
#define LOOKS(fd, type, name, nr, parameters, ...)                             \
	LOOKS_AS(fd, type, name, nr, parameters, (__VA_ARGS__), __VA_ARGS__)
/* AT_FDCWD, as the C library has it in its register: the hook there compares. */
#define HERE ((unsigned)AT_FDCWD)
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int fd, const char *path, int flags);
int __openat64_2(int fd, const char *path, int flags);
OPEN_2(__open_2)
OPEN_2(__open64_2)
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)
LM_EXPORT int creat(const char *path, mode_t mode)
{
	return open_with(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}
LM_EXPORT int creat64(const char *path, mode_t mode)
{
	return open64_with(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}
LOOKS(AT_FDCWD, DIR *, opendir, SYS_open, (const char *path), path)
LOOKS_AS(AT_FDCWD, int, scandir, SYS_open, (const char *path, struct dirent ***list, int (*wanted)(const struct dirent *), int (*order)(const struct dirent **, const struct dirent **)), (path, list, wanted, order), path)
LOOKS_AS(AT_FDCWD, int, scandir64, SYS_open, (const char *path, struct dirent64 ***list, int (*wanted)(const struct dirent64 *), int (*order)(const struct dirent64 **, const struct dirent64 **)), (path, list, wanted, order), path)

LOOKS_AS(AT_FDCWD, int, stat, SYS_newfstatat, (const char *path, struct stat *st), (path, st), HERE, path, st)
LOOKS_AS(AT_FDCWD, int, stat64, SYS_newfstatat, (const char *path, struct stat64 *st), (path, st), HERE, path, st)
LOOKS_AS(AT_FDCWD, int, lstat, SYS_newfstatat, (const char *path, struct stat *st), (path, st), HERE, path, st)
LOOKS_AS(AT_FDCWD, int, lstat64, SYS_newfstatat, (const char *path, struct stat64 *st), (path, st), HERE, path, st)
LOOKS(fd, int, fstatat, SYS_newfstatat, (int fd, const char *path, struct stat *st, int flags), fd, path, st, flags)
LOOKS(fd, int, fstatat64, SYS_newfstatat, (int fd, const char *path, struct stat64 *st, int flags), fd, path, st, flags)
LOOKS(fd, int, statx, SYS_statx, (int fd, const char *path, int flags, unsigned mask, struct statx *st), fd, path, flags, mask, st)
LM_CALL(int, statfs, SYS_statfs, (const char *path, struct statfs *st), path, st)
LM_CALL(int, statfs64, SYS_statfs, (const char *path, struct statfs64 *st), path, st)
LM_CALL(int, fstatfs, SYS_fstatfs, (int fd, struct statfs *st), fd, st)
LM_CALL(int, fstatfs64, SYS_fstatfs, (int fd, struct statfs64 *st), fd, st)
LM_CALL_AS(int, statvfs, SYS_statfs, (const char *path, struct statvfs *st), (path, st), path)
LM_CALL_AS(int, statvfs64, SYS_statfs, (const char *path, struct statvfs64 *st), (path, st), path)

/* What programs linked before glibc 2.33 call. */
int __xstat(int version, const char *path, struct stat *st);
int __xstat64(int version, const char *path, struct stat64 *st);
int __lxstat(int version, const char *path, struct stat *st);
int __lxstat64(int version, const char *path, struct stat64 *st);
int __fxstatat(int version, int fd, const char *path, struct stat *st, int flags);
int __fxstatat64(int version, int fd, const char *path, struct stat64 *st, int flags);
LOOKS_AS(AT_FDCWD, int, __xstat, SYS_stat, (int version, const char *path, struct stat *st), (version, path, st), path, st)
LOOKS_AS(AT_FDCWD, int, __xstat64, SYS_stat, (int version, const char *path, struct stat64 *st), (version, path, st), path, st)
LM_CALL_AS(int, __lxstat, SYS_lstat, (int version, const char *path, struct stat *st), (version, path, st), path, st)
LM_CALL_AS(int, __lxstat64, SYS_lstat, (int version, const char *path, struct stat64 *st), (version, path, st), path, st)
LOOKS_AS(fd, int, __fxstatat, SYS_newfstatat, (int version, int fd, const char *path, struct stat *st, int flags), (version, fd, path, st, flags), fd, path, st)
LOOKS_AS(fd, int, __fxstatat64, SYS_newfstatat, (int version, int fd, const char *path, struct stat64 *st, int flags), (version, fd, path, st, flags), fd, path, st)

LM_CALL(int, access, SYS_access, (const char *path, int how), path, how)
LM_CALL(int, faccessat, SYS_faccessat, (int fd, const char *path, int how, int flags), fd, path, how, flags)
LM_CALL(int, euidaccess, SYS_access, (const char *path, int how), path, how)
LM_CALL(int, eaccess, SYS_access, (const char *path, int how), path, how)
LM_CALL(int, chmod, SYS_chmod, (const char *path, mode_t mode), path, mode)
LM_CALL(int, fchmodat, SYS_fchmodat, (int fd, const char *path, mode_t mode, int flags), fd, path, mode, flags)
LM_CALL(int, chown, SYS_chown, (const char *path, uid_t user, gid_t group), path, user, group)
LM_CALL(int, lchown, SYS_lchown, (const char *path, uid_t user, gid_t group), path, user, group)
LM_CALL(int, fchownat, SYS_fchownat, (int fd, const char *path, uid_t user, gid_t group, int flags), fd, path, user, group, flags)
LM_CALL(int, chdir, SYS_chdir, (const char *path), path)
LM_CALL(int, mkdir, SYS_mkdir, (const char *path, mode_t mode), path, mode)
LM_CALL(int, mkdirat, SYS_mkdirat, (int fd, const char *path, mode_t mode), fd, path, mode)
LM_CALL(int, rmdir, SYS_rmdir, (const char *path), path)
LM_CALL(int, mkfifo, SYS_mknod, (const char *path, mode_t mode), path, mode)
LM_CALL(int, mkfifoat, SYS_mknodat, (int fd, const char *path, mode_t mode), fd, path, mode)
LM_CALL(int, mknod, SYS_mknod, (const char *path, mode_t mode, dev_t device), path, mode, device)
LM_CALL(int, mknodat, SYS_mknodat, (int fd, const char *path, mode_t mode, dev_t device), fd, path, mode, device)
LM_CALL(int, unlink, SYS_unlink, (const char *path), path)
LM_CALL(int, unlinkat, SYS_unlinkat, (int fd, const char *path, int flags), fd, path, flags)
LM_CALL(int, rename, SYS_rename, (const char *from, const char *to), from, to)
LM_CALL(int, renameat, SYS_renameat, (int fd, const char *from, int to_fd, const char *to), fd, from, to_fd, to)
LM_CALL(int, renameat2, SYS_renameat2, (int fd, const char *from, int to_fd, const char *to, unsigned flags), fd, from, to_fd, to, flags)
LM_CALL(int, link, SYS_link, (const char *from, const char *to), from, to)
LM_CALL(int, linkat, SYS_linkat, (int fd, const char *from, int to_fd, const char *to, int flags), fd, from, to_fd, to, flags)
LM_CALL(int, symlink, SYS_symlink, (const char *to, const char *path), to, path)
LM_CALL(int, symlinkat, SYS_symlinkat, (const char *to, int fd, const char *path), to, fd, path)
LM_CALL(ssize_t, readlink, SYS_readlink, (const char *path, char *buf, size_t len), path, buf, len)
LM_CALL(ssize_t, readlinkat, SYS_readlinkat, (int fd, const char *path, char *buf, size_t len), fd, path, buf, len)
TRUNCATE(truncate, off_t)
TRUNCATE(truncate64, off64_t)
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)
FALLOCATE(fallocate, off_t)
FALLOCATE(fallocate64, off64_t)
LM_CALL(int, utime, SYS_utime, (const char *path, const struct utimbuf *times), path, times)
LM_CALL(int, utimes, SYS_utimes, (const char *path, const struct timeval times[2]), path, times)
LM_CALL(int, utimensat, SYS_utimensat, (int fd, const char *path, const struct timespec times[2], int flags), fd, path, times, flags)
LM_CALL_AS(int, futimens, SYS_utimensat, (int fd, const struct timespec times[2]), (fd, times), fd, 0, times)
LM_CALL(char *, getcwd, SYS_getcwd, (char *buf, size_t len), buf, len)

ssize_t __readlink_chk(const char *path, char *buf, size_t len, size_t size);
ssize_t __readlinkat_chk(int fd, const char *path, char *buf, size_t len, size_t size);
char *__getcwd_chk(char *buf, size_t len, size_t size);
LM_CALL(ssize_t, __readlink_chk, SYS_readlink, (const char *path, char *buf, size_t len, size_t size), path, buf, len, size)
LM_CALL(ssize_t, __readlinkat_chk, SYS_readlinkat, (int fd, const char *path, char *buf, size_t len, size_t size), fd, path, buf, len, size)
LM_CALL(char *, __getcwd_chk, SYS_getcwd, (char *buf, size_t len, size_t size), buf, len, size)

LM_CALL(ssize_t, getxattr, SYS_getxattr, (const char *path, const char *name, void *value, size_t len), path, name, value, len)
LM_CALL(ssize_t, lgetxattr, SYS_lgetxattr, (const char *path, const char *name, void *value, size_t len), path, name, value, len)
LM_CALL(ssize_t, fgetxattr, SYS_fgetxattr, (int fd, const char *name, void *value, size_t len), fd, name, value, len)
LM_CALL(int, setxattr, SYS_setxattr, (const char *path, const char *name, const void *value, size_t len, int flags), path, name, value, len, flags)
LM_CALL(int, lsetxattr, SYS_lsetxattr, (const char *path, const char *name, const void *value, size_t len, int flags), path, name, value, len, flags)
LM_CALL(int, fsetxattr, SYS_fsetxattr, (int fd, const char *name, const void *value, size_t len, int flags), fd, name, value, len, flags)
LM_CALL(ssize_t, listxattr, SYS_listxattr, (const char *path, char *list, size_t len), path, list, len)
LM_CALL(ssize_t, llistxattr, SYS_llistxattr, (const char *path, char *list, size_t len), path, list, len)
LM_CALL(ssize_t, flistxattr, SYS_flistxattr, (int fd, char *list, size_t len), fd, list, len)
LM_CALL(ssize_t, getdents64, SYS_getdents64, (int fd, void *buf, size_t len), fd, buf, len)
