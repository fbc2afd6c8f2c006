/*
 * files.c -- paths, and what is known about files.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

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
		return syscall(SYS_getcwd, p[0], 4096L);
	return getcwd(p[0], 4096) ? 0 : -1;
}

static long c_chdir(char *p[PARAMS], bool raw)
{
	return CALL(chdir(p[0]), SYS_chdir, p[0]);
}

/* Names of its own, made and unmade. */
static long c_mkdir(char *p[PARAMS], bool raw)
{
	long ret = CALL(mkdir(p[0], 0700), SYS_mkdir, p[0], 0700);

	if (!ret)
		ret = CALL(rmdir(p[0]), SYS_rmdir, p[0]);
	return ret;
}

static long c_rename(char *p[PARAMS], bool raw)
{
	long ret = CALL(rename(p[0], p[1]), SYS_rename, p[0], p[1]);

	return ret;
}

static long c_symlink(char *p[PARAMS], bool raw)
{
	long ret = CALL(symlink(p[0], p[1]), SYS_symlink, p[0], p[1]);

	if (!ret)
		ret = CALL(unlink(p[1]), SYS_unlink, p[1]);
	return ret;
}

static long c_utimensat(char *p[PARAMS], bool raw)
{
	return CALL(utimensat(AT_FDCWD, p[0], (struct timespec *)p[1], 0),
		    SYS_utimensat, AT_FDCWD, p[0], p[1], 0);
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

static long c_getxattr(char *p[PARAMS], bool raw)
{
	return CALL(getxattr(p[0], p[1], p[2], 64), SYS_getxattr, p[0], p[1],
		    p[2], 64L);
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
	T(chdir, NAME("/")),
	T(mkdir, NAME("/tmp/lazymap-syscalls.d")),
	T(rename, MISSING, MISSING),
	T(symlink, NAME("target"), NAME("/tmp/lazymap-syscalls.l")),
	T(utimensat, MISSING, STRUCT(hour)),
	T(getdents, OUT(9000)),
	T(pipe, OUT(8)),
	T(pipe2, OUT(8)),
	T(memfd, NAME("a name")),
	T(getxattr, NAME(PASSWD), NAME("user.none"), OUT(64)),
	T(inotify, NAME(PASSWD)),
	T(setlk, STRUCT(lock)),
	T(getlk, STRUCT(lock)),
	T(fionread, OUT(4)),
	END_OF_TESTS,
};
/* clang-format on */
