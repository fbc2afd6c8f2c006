/*
 * files.c -- paths, and what is known about files.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include "os_linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <sys/time.h>
#include <utime.h>

#define PASSWD "/etc/passwd"

static long c_open(char *p[PARAMS], bool raw)
{
	return CALL(open(p[0], O_RDONLY), SYS_open, p[0], O_RDONLY);
}

static long c_openat(char *p[PARAMS], bool raw)
{
	return CALL(openat(AT_FDCWD, p[0], O_RDONLY), SYS_openat, AT_FDCWD,
		    p[0], O_RDONLY);
}

static long c_access(char *p[PARAMS], bool raw)
{
	return CALL(access(p[0], R_OK), SYS_access, p[0], R_OK);
}

static long c_stat(char *p[PARAMS], bool raw)
{
	return CALL(stat(p[0], (struct stat *)p[1]), SYS_stat, p[0], p[1]);
}

static long c_lstat(char *p[PARAMS], bool raw)
{
	return CALL(lstat(p[0], (struct stat *)p[1]), SYS_lstat, p[0], p[1]);
}

static long c_fstat(char *p[PARAMS], bool raw)
{
	int fd = open(PASSWD, O_RDONLY);

	return CALL(fstat(fd, (struct stat *)p[0]), SYS_fstat, fd, p[0]);
}

static long c_fstatat(char *p[PARAMS], bool raw)
{
	return CALL(fstatat(AT_FDCWD, p[0], (struct stat *)p[1], 0),
		    SYS_newfstatat, AT_FDCWD, p[0], p[1], 0);
}

static long c_statx(char *p[PARAMS], bool raw)
{
	return CALL(statx(AT_FDCWD, p[0], 0, STATX_SIZE, (struct statx *)p[1]),
		    SYS_statx, AT_FDCWD, p[0], 0, STATX_SIZE, p[1]);
}

static long c_statfs(char *p[PARAMS], bool raw)
{
	return CALL(statfs(p[0], (struct statfs *)p[1]), SYS_statfs, p[0],
		    p[1]);
}

static long c_readlink(char *p[PARAMS], bool raw)
{
	return CALL(readlink(p[0], p[1], 4096), SYS_readlink, p[0], p[1],
		    4096L);
}

static long c_getcwd(char *p[PARAMS], bool raw)
{
	if (raw)
		return RAW(SYS_getcwd, p[0], 4096L);
	return getcwd(p[0], 4096) ? 0 : -1;
}

static long c_chdir(char *p[PARAMS], bool raw)
{
	return CALL(chdir(p[0]), SYS_chdir, p[0]);
}

static long c_getdents(char *p[PARAMS], bool raw)
{
	int fd = open("/proc/self/ns", O_RDONLY | O_DIRECTORY);

	return CALL(getdents64(fd, p[0], 9000), SYS_getdents64, fd, p[0],
		    9000L);
}

static long c_pipe2(char *p[PARAMS], bool raw)
{
	return CALL(pipe2((int *)p[0], 0), SYS_pipe2, p[0], 0);
}

static long c_pipe(char *p[PARAMS], bool raw)
{
	return CALL(pipe((int *)p[0]), SYS_pipe, p[0]);
}

static long c_memfd(char *p[PARAMS], bool raw)
{
	return CALL(memfd_create(p[0], 0), SYS_memfd_create, p[0], 0);
}

static long c_inotify(char *p[PARAMS], bool raw)
{
	int fd = inotify_init();

	return CALL(inotify_add_watch(fd, p[0], IN_OPEN), SYS_inotify_add_watch,
		    fd, p[0], IN_OPEN);
}

static const struct flock lock = { .l_type = F_WRLCK, .l_len = 5 };

static long c_setlk(char *p[PARAMS], bool raw)
{
	int fd = known_file();

	return CALL(fcntl(fd, F_SETLK, p[0]), SYS_fcntl, fd, F_SETLK, p[0]);
}

static long c_getlk(char *p[PARAMS], bool raw)
{
	int fd = known_file();

	return CALL(fcntl(fd, F_GETLK, p[0]), SYS_fcntl, fd, F_GETLK, p[0]);
}

static long c_fionread(char *p[PARAMS], bool raw)
{
	pipe_3_4();
	return CALL(ioctl(3, FIONREAD, p[0]), SYS_ioctl, 3, FIONREAD, p[0]);
}

/* -- Names in the working directory: "old" is there, "new" is not ---------------- */

#define OLD "matrix-old"
#define NEW "matrix-new"

static void forget_files(void)
{
	chmod(OLD, 0600);
	unlink(OLD);
	unlink(NEW);
	rmdir(NEW);
}

static void fresh_files(void)
{
	int fd;

	forget_files();
	fd = open(OLD, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, "content", 7) != 7)
		abort();
	close(fd);
}

/* What has become of them. */
static void note_files(void)
{
	struct stat st = { 0 };

	extra[0] = lstat(OLD, &st) < 0 ? -1 : (long)st.st_mode;
	extra[1] = st.st_size;
	extra[2] = lstat(NEW, &st) < 0 ? -1 : (long)st.st_mode;
	forget_files();
}

/* A case of its own that goes between the two. */
#define CASE_FILES(name, libc, nr, ...)                                        \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		long ret;                                                      \
                                                                               \
		fresh_files();                                                 \
		ret = CALL(libc, nr, __VA_ARGS__);                             \
		note_files();                                                  \
		return ret;                                                    \
	}

CASE(faccessat, faccessat(AT_FDCWD, p[0], R_OK, 0), SYS_faccessat, AT_FDCWD,
     p[0], R_OK)
CASE(faccessat2, faccessat(AT_FDCWD, p[0], R_OK, AT_EACCESS), SYS_faccessat2,
     AT_FDCWD, p[0], R_OK, AT_EACCESS)
CASE_FILES(chmod, chmod(p[0], 0600), SYS_chmod, p[0], 0600)
CASE_FILES(fchmodat, fchmodat(AT_FDCWD, p[0], 0600, 0), SYS_fchmodat, AT_FDCWD,
	   p[0], 0600)
CASE_FILES(fchmodat2, fchmodat(AT_FDCWD, p[0], 0600, 0), SYS_fchmodat2,
	   AT_FDCWD, p[0], 0600, 0)
CASE_FILES(chown, chown(p[0], getuid(), getgid()), SYS_chown, p[0], getuid(),
	   getgid())
CASE_FILES(lchown, lchown(p[0], getuid(), getgid()), SYS_lchown, p[0], getuid(),
	   getgid())
CASE_FILES(fchownat, fchownat(AT_FDCWD, p[0], getuid(), getgid(), 0),
	   SYS_fchownat, AT_FDCWD, p[0], getuid(), getgid(), 0)
CASE_FILES(truncate, truncate(p[0], 3), SYS_truncate, p[0], 3)
CASE_FILES(creat, creat(p[0], 0640), SYS_creat, p[0], 0640)
CASE_FILES(mknod, mknod(p[0], S_IFIFO | 0600, 0), SYS_mknod, p[0],
	   S_IFIFO | 0600, 0)
CASE_FILES(mknodat, mknodat(AT_FDCWD, p[0], S_IFIFO | 0600, 0), SYS_mknodat,
	   AT_FDCWD, p[0], S_IFIFO | 0600, 0)
CASE_FILES(mkdir, mkdir(p[0], 0700), SYS_mkdir, p[0], 0700)
CASE_FILES(mkdirat, mkdirat(AT_FDCWD, p[0], 0700), SYS_mkdirat, AT_FDCWD, p[0],
	   0700)
CASE_FILES(unlink, unlink(p[0]), SYS_unlink, p[0])
CASE_FILES(unlinkat, unlinkat(AT_FDCWD, p[0], 0), SYS_unlinkat, AT_FDCWD, p[0],
	   0)
CASE_FILES(rename, rename(p[0], p[1]), SYS_rename, p[0], p[1])
CASE_FILES(renameat, renameat(AT_FDCWD, p[0], AT_FDCWD, p[1]), SYS_renameat,
	   AT_FDCWD, p[0], AT_FDCWD, p[1])
CASE_FILES(renameat2, renameat2(AT_FDCWD, p[0], AT_FDCWD, p[1], 1),
	   SYS_renameat2, AT_FDCWD, p[0], AT_FDCWD, p[1], 1)
CASE_FILES(link, link(p[0], p[1]), SYS_link, p[0], p[1])
CASE_FILES(linkat, linkat(AT_FDCWD, p[0], AT_FDCWD, p[1], 0), SYS_linkat,
	   AT_FDCWD, p[0], AT_FDCWD, p[1], 0)
CASE_FILES(symlink, symlink(p[0], p[1]), SYS_symlink, p[0], p[1])
CASE_FILES(symlinkat, symlinkat(p[0], AT_FDCWD, p[1]), SYS_symlinkat, p[0],
	   AT_FDCWD, p[1])
CASE(readlinkat, readlinkat(AT_FDCWD, p[0], p[1], 4096), SYS_readlinkat,
     AT_FDCWD, p[0], p[1], 4096)

static long c_rmdir(char *p[PARAMS], bool raw)
{
	long ret;

	fresh_files();
	mkdir(NEW, 0700);
	ret = CALL(rmdir(p[0]), SYS_rmdir, p[0]);
	note_files();
	return ret;
}

#define CASE_TIMES(name, libc, nr, ...)                                        \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		struct stat st;                                                \
		long ret;                                                      \
                                                                               \
		fresh_files();                                                 \
		ret = CALL(libc, nr, __VA_ARGS__);                             \
		stat(OLD, &st);                                                \
		extra[3] = ret ? 0 : st.st_mtime;                              \
		note_files();                                                  \
		return ret;                                                    \
	}

static const long times[4] = { 1000000, 0, 2000000, 0 };
CASE_TIMES(utime, utime(p[0], (struct utimbuf *)p[1]), SYS_utime, p[0], p[1])
CASE_TIMES(utimes, utimes(p[0], (struct timeval *)p[1]), SYS_utimes, p[0], p[1])
CASE_TIMES(futimesat, futimesat(AT_FDCWD, p[0], (struct timeval *)p[1]),
	   SYS_futimesat, AT_FDCWD, p[0], p[1])
CASE_TIMES(utimensat, utimensat(AT_FDCWD, p[0], (struct timespec *)p[1], 0),
	   SYS_utimensat, AT_FDCWD, p[0], p[1], 0)

static long c_fstatfs(char *p[PARAMS], bool raw)
{
	int fd = open("/proc", O_RDONLY);

	return CALL(fstatfs(fd, (struct statfs *)p[0]), SYS_fstatfs, fd, p[0]);
}

static long c_ustat(char *p[PARAMS], bool raw)
{
	struct stat st;

	(void)raw;
	stat("/proc", &st);
	return RAW(SYS_ustat, st.st_dev, p[0]);
}

static long c_old_getdents(char *p[PARAMS], bool raw)
{
	int fd = open("/proc/self/ns", O_RDONLY | O_DIRECTORY);

	(void)raw;
	return RAW(SYS_getdents, fd, p[0], 9000);
}

static const uint64_t how[3] = { O_RDONLY, 0, 0 };
CASE_RAW(openat2, SYS_openat2, AT_FDCWD, p[0], p[1], 24)

/* -- Handles, marks, mounts ------------------------------------------------------ */

static const uint32_t handle[34] = { 128, 0 };
CASE(name_to_handle,
     name_to_handle_at(AT_FDCWD, p[0], (struct file_handle *)p[1], (int *)p[2],
		       0),
     SYS_name_to_handle_at, AT_FDCWD, p[0], p[1], p[2], 0)

static void prepare_handle(char *c[PARAMS], char *p[PARAMS])
{
	int id;

	(void)p;
	memcpy(c[0], handle, sizeof(handle));
	name_to_handle_at(AT_FDCWD, ".", (struct file_handle *)c[0], &id, 0);
}

static long c_open_by_handle(char *p[PARAMS], bool raw)
{
	int fd = open(".", O_RDONLY);
	long ret = CALL(open_by_handle_at(fd, (struct file_handle *)p[0], 0),
			SYS_open_by_handle_at, fd, p[0], 0);

	/* Of a file system that has none. */
	if (ret < 0 && errno == ESTALE)
		errno = EOPNOTSUPP;
	return ret;
}

static long c_fanotify(char *p[PARAMS], bool raw)
{
	int fd = fanotify_init(0x200 /* FAN_REPORT_FID */, 0);

	return CALL(fanotify_mark(fd, 1, 0x20, AT_FDCWD, p[0]),
		    SYS_fanotify_mark, fd, 1, 0x20, AT_FDCWD, p[0]);
}

/* These fail for a name that is not there, or that is no such thing. */
CASE(chroot, chroot(p[0]), SYS_chroot, p[0])
CASE(acct, acct(p[0]), SYS_acct, p[0])
CASE(swapon, swapon(p[0], 0), SYS_swapon, p[0], 0)
CASE(swapoff, swapoff(p[0]), SYS_swapoff, p[0])
CASE(mount, mount(p[0], p[1], p[2], 0, p[3]), SYS_mount, p[0], p[1], p[2], 0,
     p[3])
CASE(umount, umount2(p[0], 0), SYS_umount2, p[0], 0)
CASE_RAW(pivot_root, SYS_pivot_root, p[0], p[1])
CASE_RAW(quotactl, SYS_quotactl, 0x80000400 /* Q_GETFMT */, p[0], 0, p[1])
CASE_RAW(fsopen, SYS_fsopen, p[0], 0)
CASE_RAW(fspick, SYS_fspick, AT_FDCWD, p[0], 0)
CASE_RAW(open_tree, SYS_open_tree, AT_FDCWD, p[0], 0)
CASE_RAW(open_tree_attr, SYS_open_tree_attr, AT_FDCWD, p[0], 0x800, p[1], 32)
CASE_RAW(move_mount, SYS_move_mount, AT_FDCWD, p[0], AT_FDCWD, p[1], 0)
CASE_RAW(mount_setattr, SYS_mount_setattr, AT_FDCWD, p[0], 0, p[1], 32)
CASE_RAW(move_mount_from, SYS_move_mount, AT_FDCWD, p[0], AT_FDCWD, "/", 0)
static const uint64_t mount_attr[4] = { 1 };
static const uint64_t unknown_attr[4] = { (uint64_t)1 << 40 };

#define CASE_FSCONFIG(name, ...)                                               \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		int fd = (int)syscall(SYS_fsopen, "tmpfs", 0);                 \
		long ret;                                                      \
                                                                               \
		(void)raw;                                                     \
		ret = RAW(SYS_fsconfig, fd, __VA_ARGS__);                      \
		if (fd < 0)                                                    \
			errno = EPERM; /* what fsopen says */                  \
		return ret;                                                    \
	}

CASE_FSCONFIG(fsconfig, 1 /* FSCONFIG_SET_STRING */, p[0], p[1], 0)
/* Refused, as tmpfs has none, when all has been read. */
CASE_FSCONFIG(fsconfig_binary, 2 /* FSCONFIG_SET_BINARY */, p[0], p[1], 9000)

/* Of the root: what it is and what is on it. */
static void prepare_mount_id(char *c[PARAMS], char *p[PARAMS])
{
	uint64_t req[4] = { 32, 0, 0x2 /* STATMOUNT_MNT_BASIC */, 0 };
	struct statx st = { 0 };

	(void)p;
	statx(AT_FDCWD, "/proc", 0, 0x4000 /* STATX_MNT_ID_UNIQUE */, &st);
	req[1] = st.stx_mnt_id;
	memcpy(c[0], req, sizeof(req));
}

static void prepare_root_id(char *c[PARAMS], char *p[PARAMS])
{
	uint64_t req[4] = { 32, UINT64_MAX /* LSMT_ROOT */, 0, 0 };

	(void)p;
	memcpy(c[0], req, sizeof(req));
}

/* The same, in a struct that says that it is longer. */
static void prepare_mount_longer(char *c[PARAMS], char *p[PARAMS])
{
	uint32_t size = 1000;

	memset(c[0], 0, size);
	prepare_mount_id(c, p);
	memcpy(c[0], &size, sizeof(size));
}

CASE_RAW(statmount_longer, SYS_statmount, p[0], p[1], 4096, 0)
CASE_RAW(statmount, SYS_statmount, p[0], p[1], 4096, 0)
CASE_RAW(listmount, SYS_listmount, p[0], p[1], 2, 0)
CASE_RAW(sysfs_index, SYS_sysfs, 1, p[0])
CASE_RAW(sysfs_name, SYS_sysfs, 2, 0, p[0])
CASE_RAW(uselib, SYS_uselib, p[0])

/* -- Attributes ------------------------------------------------------------------ */

/* On the file, one; of which the value is noted. */
#define XATTR "user.matrix"
static void note_attribute(void)
{
	char value[64] = { 0 };

	extra[3] = getxattr(OLD, XATTR, value, sizeof(value));
	extra[2] = value[0] + value[1] * 256;
	forget_files();
}

#define CASE_XATTR(name, libc, nr, ...)                                        \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		int fd;                                                        \
		long ret;                                                      \
                                                                               \
		fresh_files();                                                 \
		setxattr(OLD, XATTR, "before", 6, 0);                          \
		fd = open(OLD, O_RDWR);                                        \
		(void)fd;                                                      \
		ret = CALL(libc, nr, __VA_ARGS__);                             \
		note_attribute();                                              \
		return ret;                                                    \
	}

CASE_XATTR(setxattr, setxattr(p[0], p[1], p[2], 20, 0), SYS_setxattr, p[0],
	   p[1], p[2], 20, 0)
CASE_XATTR(lsetxattr, lsetxattr(p[0], p[1], p[2], 20, 0), SYS_lsetxattr, p[0],
	   p[1], p[2], 20, 0)
CASE_XATTR(fsetxattr, fsetxattr(fd, p[0], p[1], 20, 0), SYS_fsetxattr, fd, p[0],
	   p[1], 20, 0)
CASE_XATTR(setxattrat, -1, SYS_setxattrat, AT_FDCWD, p[0], 0, p[1], p[2], 16)
CASE_XATTR(getxattr, getxattr(p[0], p[1], p[2], 64), SYS_getxattr, p[0], p[1],
	   p[2], 64)
CASE_XATTR(lgetxattr, lgetxattr(p[0], p[1], p[2], 64), SYS_lgetxattr, p[0],
	   p[1], p[2], 64)
CASE_XATTR(fgetxattr, fgetxattr(fd, p[0], p[1], 64), SYS_fgetxattr, fd, p[0],
	   p[1], 64)
CASE_XATTR(getxattrat, -1, SYS_getxattrat, AT_FDCWD, p[0], 0, p[1], p[2], 16)
CASE_XATTR(listxattr, listxattr(p[0], p[1], 64), SYS_listxattr, p[0], p[1], 64)
CASE_XATTR(llistxattr, llistxattr(p[0], p[1], 64), SYS_llistxattr, p[0], p[1],
	   64)
CASE_XATTR(flistxattr, flistxattr(fd, p[0], 64), SYS_flistxattr, fd, p[0], 64)
CASE_XATTR(listxattrat, -1, SYS_listxattrat, AT_FDCWD, p[0], 0, p[1], 64)
CASE_XATTR(removexattr, removexattr(p[0], p[1]), SYS_removexattr, p[0], p[1])
CASE_XATTR(lremovexattr, lremovexattr(p[0], p[1]), SYS_lremovexattr, p[0], p[1])
CASE_XATTR(fremovexattr, fremovexattr(fd, p[0]), SYS_fremovexattr, fd, p[0])
CASE_XATTR(removexattrat, -1, SYS_removexattrat, AT_FDCWD, p[0], 0, p[1])
CASE_XATTR(file_getattr, -1, SYS_file_getattr, AT_FDCWD, p[0], p[1], 24, 0)
CASE_XATTR(file_setattr, -1, SYS_file_setattr, AT_FDCWD, p[0], p[1], 24, 0)
static const uint64_t no_attributes[3];

/* p: path, name, the struct, the value */
static void prepare_xattr_args(char *c[PARAMS], char *p[PARAMS])
{
	struct {
		char *value;
		uint32_t size, flags;
	} args = { p[3], 20, 0 };

	memcpy(c[2], &args, sizeof(args));
}

CASE_RAW(cachestat, SYS_cachestat, known_file(), p[0], p[1], 0)
static const uint64_t cache_range[2] = { 0, 20000 };

/* clang-format off */
const struct test files_tests[] = {
	T(open, NAME(PASSWD)),
	T(openat, NAME(PASSWD)),
	T(access, NAME(PASSWD)),
	T(stat, NAME(PASSWD), OUT(sizeof(struct stat))),
	T(lstat, NAME(PASSWD), OUT(sizeof(struct stat))),
	T(fstat, OUT(sizeof(struct stat))),
	T(fstatat, NAME(PASSWD), OUT(sizeof(struct stat))),
	T(statx, NAME(PASSWD), OUT(256)),
	T(statfs, NAME("/proc"), OUT(sizeof(struct statfs))),
	T(readlink, NAME("/proc/self/exe"), OUT(4096)),
	T(getcwd, OUT(4096)),
	T(chdir, NAME(".")),
	T(getdents, OUT(9000)),
	T(pipe, OUT(8)),
	T(pipe2, OUT(8)),
	T(memfd, NAME("a name")),
	T(inotify, NAME(PASSWD)),
	T(setlk, STRUCT(lock)),
	T(getlk, STRUCT(lock)),
	T(fionread, OUT(4)),
	T(faccessat, NAME(PASSWD)), T(faccessat2, NAME(PASSWD)),
	T(chmod, NAME(OLD)), T(fchmodat, NAME(OLD)), T(fchmodat2, NAME(OLD)),
	T(chown, NAME(OLD)), T(lchown, NAME(OLD)), T(fchownat, NAME(OLD)),
	T(truncate, NAME(OLD)), T(creat, NAME(NEW)),
	T(mknod, NAME(NEW)), T(mknodat, NAME(NEW)),
	T(mkdir, NAME(NEW)), T(mkdirat, NAME(NEW)), T(rmdir, NAME(NEW)),
	T(unlink, NAME(OLD)), T(unlinkat, NAME(OLD)),
	T(rename, NAME(OLD), NAME(NEW)), T(renameat, NAME(OLD), NAME(NEW)),
	T(renameat2, NAME(OLD), NAME(NEW)),
	T(link, NAME(OLD), NAME(NEW)), T(linkat, NAME(OLD), NAME(NEW)),
	T(symlink, NAME("target"), NAME(NEW)),
	T(symlinkat, NAME("target"), NAME(NEW)),
	T(readlinkat, NAME("/proc/self/exe"), OUT(4096)),
	T(utime, NAME(OLD), STRUCT(times)), T(utimes, NAME(OLD), STRUCT(times)),
	T(futimesat, NAME(OLD), STRUCT(times)),
	T(utimensat, NAME(OLD), STRUCT(times)),
	T(fstatfs, OUT(sizeof(struct statfs))), TR(ustat, OUT(32)),
	TR(old_getdents, OUT(9000)), TR(openat2, NAME(PASSWD), STRUCT(how)),
	T(name_to_handle, NAME("."), STRUCT(handle), OUT(4)),
	TP(open_by_handle, handle, OUT(136)), T(fanotify, NAME(".")),
	T(chroot, MISSING), T(acct, MISSING), T(swapon, MISSING),
	T(swapoff, MISSING),
	T(mount, NAME("none"), MISSING, NAME("tmpfs"), NAME("size=1M")),
	T(umount, MISSING), TR(pivot_root, NAME("/"), MISSING),
	TR(quotactl, MISSING, OUT(112)), TR(fsopen, NAME("tmpfs")),
	TR(fspick, MISSING), TR(open_tree, NAME("/")),
	TR(open_tree_attr, NAME("/"), STRUCT(unknown_attr)),
	TR(move_mount, NAME("/"), MISSING), TR(move_mount_from, MISSING),
	TR(mount_setattr, MISSING, STRUCT(mount_attr)),
	TR(fsconfig, NAME("size"), NAME("1M")),
	TR(fsconfig_binary, NAME("size"), OUT(9000)),
	T_(statmount, prepare_mount_id, RAW_ONLY, OUT(64), OUT(4096)),
	T_(statmount_longer, prepare_mount_longer, RAW_ONLY, OUT(1000), OUT(4096)),
	T_(listmount, prepare_root_id, RAW_ONLY, OUT(64), OUT(16)),
	TR(sysfs_index, NAME("proc")), TR(sysfs_name, OUT(64)),
	TR(uselib, MISSING),
	T(setxattr, NAME(OLD), NAME(XATTR), OUT(20)),
	T(lsetxattr, NAME(OLD), NAME(XATTR), OUT(20)),
	T(fsetxattr, NAME(XATTR), OUT(20)),
	T_(setxattrat, prepare_xattr_args, RAW_ONLY, NAME(OLD), NAME(XATTR), POINTERS(16), OUT(20)),
	T(getxattr, NAME(OLD), NAME(XATTR), OUT(64)),
	T(lgetxattr, NAME(OLD), NAME(XATTR), OUT(64)),
	T(fgetxattr, NAME(XATTR), OUT(64)),
	T_(getxattrat, prepare_xattr_args, RAW_ONLY, NAME(OLD), NAME(XATTR), POINTERS(16), OUT(20)),
	T(listxattr, NAME(OLD), OUT(64)), T(llistxattr, NAME(OLD), OUT(64)),
	T(flistxattr, OUT(64)), TR(listxattrat, NAME(OLD), OUT(64)),
	T(removexattr, NAME(OLD), NAME(XATTR)),
	T(lremovexattr, NAME(OLD), NAME(XATTR)),
	T(fremovexattr, NAME(XATTR)), TR(removexattrat, NAME(OLD), NAME(XATTR)),
	TR(file_getattr, NAME(OLD), OUT(24)),
	TR(file_setattr, NAME(OLD), STRUCT(no_attributes)),
	TR(cachestat, STRUCT(cache_range), OUT(40)),
	END_OF_TESTS,
};
/* clang-format on */
