/*
 * table.c -- the system calls of Linux, by number. See table.h.
 *
 * Lengths are those of the 64-bit interface, which x86-64, aarch64 and riscv64
 * share; structs that differ between them are taken from the headers. Where a
 * call may use less than a whole struct the entry is the whole struct: a page
 * too many is harmless, one too few is EFAULT.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "table.h"

#include "../os_linux.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <time.h>

#define V ARG(VALUE, IN, 0, 0)
#define ARG(kind, dir, n, size)                                                \
	{                                                                      \
		LM_ARG_##kind, LM_ARG_##dir, n, 0, size                        \
	}
#define R ARG(RANGE, IN, 0, 0)
#define X ARG(SPECIAL, INOUT, 0, 0)
#define P(dir, size) ARG(SIZED, dir, 0, size)
#define T(dir, type) ARG(SIZED, dir, 0, sizeof(type))
#define B(dir, n) ARG(BYTES, dir, n, 0)
#define N(dir, size, n) ARG(ARRAY, dir, n, size)
#define L(dir, n) ARG(LENGTH, dir, n, 0)
#define STR(most) ARG(STRING, IN, 0, most)
#define PATH STR(4096)
#define STRV ARG(STRINGS, IN, 0, 0)
#define OWN(dir, least, at) ARG(OWN, dir, at, least)
#define BITS(dir, n) ARG(BITS, dir, n, 0)
#define IOV(dir, n) ARG(IOVEC, dir, n, 0)
#define MSG(dir) ARG(MSG, dir, 0, 0)
#define MMSG(dir, n) ARG(MMSG, dir, n, 0)
#define ROW(call, ...)                                                         \
	[SYS_##call] = {                                                       \
		.name = #call,                                                 \
		.arg = { __VA_ARGS__ },                                        \
	}

/* clang-format off */
static const struct lm_row rows[] = {
	/* Files */
	ROW(read, V, B(OUT, 2)),
	ROW(write, V, B(IN, 2)),
	ROW(pread64, V, B(OUT, 2)),
	ROW(pwrite64, V, B(IN, 2)),
	ROW(readv, V, IOV(OUT, 2)),
	ROW(writev, V, IOV(IN, 2)),
	ROW(preadv, V, IOV(OUT, 2)),
	ROW(pwritev, V, IOV(IN, 2)),
	ROW(preadv2, V, IOV(OUT, 2)),
	ROW(pwritev2, V, IOV(IN, 2)),
	ROW(sendfile, V, V, T(INOUT, int64_t)),
	ROW(splice, V, T(INOUT, int64_t), V, T(INOUT, int64_t)),
	ROW(copy_file_range, V, T(INOUT, int64_t), V, T(INOUT, int64_t)),
	ROW(vmsplice, V, IOV(INOUT, 2)),
	ROW(openat, V, PATH),
	ROW(openat2, V, PATH, B(IN, 3)),
	ROW(open_by_handle_at, V, X),
	ROW(name_to_handle_at, V, PATH, X, P(OUT, 8)),
	ROW(faccessat, V, PATH),
	ROW(faccessat2, V, PATH),
	ROW(fchmodat, V, PATH),
	ROW(fchmodat2, V, PATH),
	ROW(fchownat, V, PATH),
	ROW(newfstatat, V, PATH, T(OUT, struct stat)),
	ROW(fstat, V, T(OUT, struct stat)),
	ROW(statx, V, PATH, V, V, P(OUT, 256)),
	ROW(statfs, PATH, T(OUT, struct statfs)),
	ROW(fstatfs, V, T(OUT, struct statfs)),
	ROW(truncate, PATH),
	ROW(getcwd, B(OUT, 1)),
	ROW(chdir, PATH),
	ROW(chroot, PATH),
	ROW(mkdirat, V, PATH),
	ROW(mknodat, V, PATH),
	ROW(unlinkat, V, PATH),
	ROW(renameat, V, PATH, V, PATH),
	ROW(renameat2, V, PATH, V, PATH),
	ROW(linkat, V, PATH, V, PATH),
	ROW(symlinkat, PATH, V, PATH),
	ROW(readlinkat, V, PATH, B(OUT, 3)),
	ROW(utimensat, V, PATH, P(IN, 32)),
	ROW(getdents64, V, B(OUT, 2)),
	ROW(pipe2, P(OUT, 8)),
	ROW(fcntl, V, V, X),
	ROW(ioctl, V, V, X),
	ROW(memfd_create, STR(256)),
	ROW(setxattr, PATH, STR(256), B(IN, 3)),
	ROW(lsetxattr, PATH, STR(256), B(IN, 3)),
	ROW(fsetxattr, V, STR(256), B(IN, 3)),
	ROW(getxattr, PATH, STR(256), B(OUT, 3)),
	ROW(lgetxattr, PATH, STR(256), B(OUT, 3)),
	ROW(fgetxattr, V, STR(256), B(OUT, 3)),
	ROW(listxattr, PATH, B(OUT, 2)),
	ROW(llistxattr, PATH, B(OUT, 2)),
	ROW(flistxattr, V, B(OUT, 2)),
	ROW(removexattr, PATH, STR(256)),
	ROW(lremovexattr, PATH, STR(256)),
	ROW(fremovexattr, V, STR(256)),
	ROW(setxattrat, V, PATH, V, STR(256), X),
	ROW(getxattrat, V, PATH, V, STR(256), X),
	ROW(listxattrat, V, PATH, V, B(OUT, 4)),
	ROW(removexattrat, V, PATH, V, STR(256)),
	ROW(file_getattr, V, PATH, B(OUT, 3)),
	ROW(file_setattr, V, PATH, B(IN, 3)),
	ROW(cachestat, V, P(IN, 16), P(OUT, 40)),
	ROW(mount, PATH, PATH, STR(4096), V, PATH),
	ROW(umount2, PATH),
	ROW(pivot_root, PATH, PATH),
	ROW(swapon, PATH),
	ROW(swapoff, PATH),
	ROW(acct, PATH),
	ROW(quotactl, V, PATH, V, P(INOUT, 160)),
	ROW(quotactl_fd, V, V, V, P(INOUT, 160)),
	ROW(fsopen, PATH),
	ROW(fsconfig, V, V, STR(256), X),
	ROW(fspick, V, PATH),
	ROW(open_tree, V, PATH),
	ROW(open_tree_attr, V, PATH, V, B(IN, 4)),
	ROW(move_mount, V, PATH, V, PATH),
	ROW(mount_setattr, V, PATH, V, B(IN, 4)),
	ROW(statmount, OWN(IN, 24, 0), B(OUT, 2)),
	ROW(listmount, OWN(IN, 24, 0), N(OUT, 8, 2)),
	ROW(inotify_add_watch, V, PATH),
	ROW(fanotify_mark, V, V, V, V, PATH),

	/* Waiting for descriptors */
	ROW(pselect6, V, BITS(INOUT, 0), BITS(INOUT, 0), BITS(INOUT, 0), T(INOUT, struct timespec), X),
	ROW(ppoll, N(INOUT, sizeof(struct pollfd), 1), V, T(INOUT, struct timespec), B(IN, 4)),
	ROW(epoll_ctl, V, V, V, T(IN, struct epoll_event)),
	ROW(epoll_pwait, V, N(OUT, sizeof(struct epoll_event), 2), V, V, B(IN, 5)),
	ROW(epoll_pwait2, V, N(OUT, sizeof(struct epoll_event), 2), V, T(IN, struct timespec), B(IN, 5)),
	ROW(signalfd4, V, B(IN, 2)),
	ROW(timerfd_settime, V, V, P(IN, 32), P(OUT, 32)),
	ROW(timerfd_gettime, V, P(OUT, 32)),
	ROW(io_setup, V, P(INOUT, 8)),
	ROW(io_getevents, V, V, V, N(OUT, 32, 2), T(INOUT, struct timespec)),
	ROW(io_submit, V, V, X),
	ROW(io_pgetevents, V, V, V, N(OUT, 32, 2), T(INOUT, struct timespec), X),
	ROW(io_cancel, V, P(IN, 64), P(OUT, 32)),
	ROW(io_uring_enter, V, V, V, V, X),
	ROW(io_uring_setup, V, P(INOUT, 120)),
	ROW(io_uring_register, V, V, X),

	/* Sockets */
	ROW(socketpair, V, V, V, P(OUT, 8)),
	ROW(bind, V, B(IN, 2)),
	ROW(connect, V, B(IN, 2)),
	ROW(accept, V, L(OUT, 2), P(INOUT, 4)),
	ROW(accept4, V, L(OUT, 2), P(INOUT, 4)),
	ROW(getsockname, V, L(OUT, 2), P(INOUT, 4)),
	ROW(getpeername, V, L(OUT, 2), P(INOUT, 4)),
	ROW(getsockopt, V, V, V, X, P(INOUT, 4)),
	ROW(setsockopt, V, V, V, X),
	ROW(sendto, V, B(IN, 2), V, V, B(IN, 5)),
	ROW(recvfrom, V, B(OUT, 2), V, V, L(OUT, 5), P(INOUT, 4)),
	ROW(sendmsg, V, MSG(IN)),
	ROW(recvmsg, V, MSG(OUT)),
	ROW(sendmmsg, V, MMSG(IN, 2)),
	ROW(recvmmsg, V, MMSG(OUT, 2), V, V, T(INOUT, struct timespec)),

	/* Processes */
	ROW(execve, PATH, STRV, STRV),
	ROW(execveat, V, PATH, STRV, STRV),
	ROW(wait4, V, T(OUT, int), V, T(OUT, struct rusage)),
	ROW(waitid, V, V, T(OUT, siginfo_t), V, T(OUT, struct rusage)),
	ROW(prctl, V, X, X, V, X),
	ROW(set_tid_address, P(KEEP, 4)),
	ROW(set_robust_list, P(KEEP, 24)),
	ROW(get_robust_list, V, P(OUT, 8), P(OUT, 8)),
	ROW(rseq, B(KEEP, 1)),
	ROW(prlimit64, V, V, P(IN, 16), P(OUT, 16)),
	ROW(getrlimit, V, P(OUT, 16)),
	ROW(setrlimit, V, P(IN, 16)),
	ROW(getrusage, V, T(OUT, struct rusage)),
	ROW(times, P(OUT, 32)),
	ROW(uname, P(OUT, 390)),
	ROW(sysinfo, T(OUT, struct sysinfo)),
	ROW(sethostname, B(IN, 1)),
	ROW(setdomainname, B(IN, 1)),
	ROW(getgroups, V, N(OUT, 4, 0)),
	ROW(setgroups, V, N(IN, 4, 0)),
	ROW(getresuid, P(OUT, 4), P(OUT, 4), P(OUT, 4)),
	ROW(getresgid, P(OUT, 4), P(OUT, 4), P(OUT, 4)),
	ROW(capget, P(INOUT, 8), P(OUT, 24)),
	ROW(capset, P(IN, 8), P(IN, 24)),
	ROW(sched_setparam, V, P(IN, 4)),
	ROW(sched_getparam, V, P(OUT, 4)),
	ROW(sched_setscheduler, V, V, P(IN, 4)),
	ROW(sched_setattr, V, OWN(INOUT, 48, 0)),
	ROW(sched_getattr, V, B(OUT, 2)),
	ROW(sched_setaffinity, V, V, B(IN, 1)),
	ROW(sched_getaffinity, V, V, B(OUT, 1)),
	ROW(sched_rr_get_interval, V, T(OUT, struct timespec)),
	ROW(getcpu, P(OUT, 4), P(OUT, 4)),
	ROW(syslog, V, B(OUT, 2)),
	ROW(getrandom, B(OUT, 1)),
	ROW(reboot, V, V, V, STR(256)),
	ROW(init_module, B(IN, 1), V, STR(4096)),
	ROW(finit_module, V, STR(4096)),
	ROW(kexec_load, V, V, X),
	ROW(kexec_file_load, V, V, V, B(IN, 2)),
	ROW(delete_module, STR(64)),
	ROW(bpf, V, X),
	ROW(perf_event_open, X),
	ROW(seccomp, V, V, X),
	ROW(landlock_create_ruleset, B(IN, 1)),
	ROW(landlock_add_rule, V, V, P(IN, 16)),
	ROW(add_key, STR(32), STR(4096), B(IN, 3)),
	ROW(request_key, STR(32), STR(4096), STR(4096)),
	ROW(keyctl, V, X, X, X, X),
	ROW(kcmp, V, V, V, V, X),
	ROW(ptrace, V, V, X, X),
	ROW(lsm_get_self_attr, V, L(INOUT, 2), P(INOUT, 4)),
	ROW(lsm_set_self_attr, V, B(IN, 2)),
	ROW(lsm_list_modules, L(OUT, 1), P(INOUT, 4)),
	ROW(process_vm_readv, V, IOV(OUT, 2), V, X),
	ROW(process_vm_writev, V, IOV(IN, 2), V, X),
	ROW(process_madvise, V, N(IN, 16, 2)),
	ROW(get_mempolicy, P(OUT, 4), BITS(OUT, 2), V, X),
	ROW(set_mempolicy, V, BITS(IN, 2)),
	ROW(mbind, R, V, V, BITS(IN, 4)),
	ROW(migrate_pages, V, V, BITS(IN, 1), BITS(IN, 1)),
	ROW(move_pages, V, V, N(IN, 8, 1), N(IN, 4, 1), N(OUT, 4, 1)),

	/* Futexes */
	ROW(futex, X),
	ROW(futex_waitv, X, V, V, T(IN, struct timespec)),
	ROW(futex_wake, P(INOUT, 4)),
	ROW(futex_wait, P(INOUT, 4), V, V, V, T(IN, struct timespec)),
	ROW(futex_requeue, X),

	/* Signals */
	ROW(rt_sigaction, V, P(IN, 32), P(OUT, 32)),
	ROW(rt_sigprocmask, V, B(IN, 3), B(OUT, 3)),
	ROW(rt_sigpending, B(OUT, 1)),
	ROW(rt_sigsuspend, B(IN, 1)),
	ROW(rt_sigtimedwait, B(IN, 3), T(OUT, siginfo_t), T(IN, struct timespec)),
	ROW(rt_sigqueueinfo, V, V, T(IN, siginfo_t)),
	ROW(rt_tgsigqueueinfo, V, V, V, T(IN, siginfo_t)),
	ROW(pidfd_send_signal, V, V, T(IN, siginfo_t)),
	ROW(sigaltstack, P(IN, 24), P(OUT, 24)),

	/* Time */
	ROW(clock_gettime, V, T(OUT, struct timespec)),
	ROW(clock_settime, V, T(IN, struct timespec)),
	ROW(clock_getres, V, T(OUT, struct timespec)),
	ROW(clock_nanosleep, V, V, T(IN, struct timespec), T(OUT, struct timespec)),
	ROW(clock_adjtime, V, P(INOUT, 208)),
	ROW(adjtimex, P(INOUT, 208)),
	ROW(nanosleep, T(IN, struct timespec), T(OUT, struct timespec)),
	ROW(gettimeofday, P(OUT, 16), P(OUT, 8)),
	ROW(settimeofday, P(IN, 16), P(IN, 8)),
	ROW(getitimer, V, P(OUT, 32)),
	ROW(setitimer, V, P(IN, 32), P(OUT, 32)),
	ROW(timer_create, V, P(IN, 64), P(OUT, 4)),
	ROW(timer_settime, V, V, P(IN, 32), P(OUT, 32)),
	ROW(timer_gettime, V, P(OUT, 32)),

	/* System v and posix queues, semaphores, shared memory */
	ROW(msgsnd, V, X),
	ROW(msgrcv, V, X),
	ROW(msgctl, V, V, P(INOUT, 120)),
	ROW(semop, V, N(IN, 6, 2)),
	ROW(semtimedop, V, N(IN, 6, 2), V, T(IN, struct timespec)),
	ROW(semctl, V, V, V, X),
	ROW(shmat, V, R),
	ROW(shmdt, R),
	ROW(shmctl, V, V, P(INOUT, 112)),
	ROW(mq_open, PATH, V, V, P(IN, 64)),
	ROW(mq_unlink, PATH),
	ROW(mq_timedsend, V, B(IN, 2), V, V, T(IN, struct timespec)),
	ROW(mq_timedreceive, V, B(OUT, 2), V, P(OUT, 4), T(IN, struct timespec)),
	ROW(mq_notify, V, X),
	ROW(mq_getsetattr, V, P(IN, 64), P(OUT, 64)),

	/* Memory: the addresses, not the content */
	ROW(mmap, R),
	ROW(munmap, R),
	ROW(mprotect, R),
	ROW(pkey_mprotect, R),
	ROW(msync, R),
	ROW(madvise, R),
	ROW(mremap, R, V, V, V, R),
	ROW(mincore, R, V, X),
	ROW(mlock, R),
	ROW(mlock2, R),
	ROW(munlock, R),
	ROW(remap_file_pages, R),
	ROW(mseal, R),
	ROW(map_shadow_stack, R),
	ROW(set_mempolicy_home_node, R),

	/* New processes and threads */
	ROW(clone, V, V, P(KEEP, 4), P(KEEP, 4)),
	ROW(clone3, X),

#ifdef SYS_arch_prctl
	ROW(arch_prctl, V, X),
#endif
#ifdef SYS_modify_ldt
	ROW(modify_ldt, V, B(INOUT, 2)),
#endif
	/* What newer architectures never had */
	ROW(open, PATH),
	ROW(creat, PATH),
	ROW(stat, PATH, T(OUT, struct stat)),
	ROW(lstat, PATH, T(OUT, struct stat)),
	ROW(access, PATH),
	ROW(chmod, PATH),
	ROW(chown, PATH),
	ROW(lchown, PATH),
	ROW(mkdir, PATH),
	ROW(rmdir, PATH),
	ROW(mknod, PATH),
	ROW(unlink, PATH),
	ROW(rename, PATH, PATH),
	ROW(link, PATH, PATH),
	ROW(symlink, PATH, PATH),
	ROW(readlink, PATH, B(OUT, 2)),
	ROW(utime, PATH, P(IN, 16)),
	ROW(utimes, PATH, P(IN, 32)),
	ROW(futimesat, V, PATH, P(IN, 32)),
	ROW(getdents, V, B(OUT, 2)),
	ROW(ustat, V, P(OUT, 32)),
	ROW(pipe, P(OUT, 8)),
	ROW(poll, N(INOUT, sizeof(struct pollfd), 1)),
	ROW(select, V, BITS(INOUT, 0), BITS(INOUT, 0), BITS(INOUT, 0), P(INOUT, 16)),
	ROW(epoll_wait, V, N(OUT, sizeof(struct epoll_event), 2)),
	ROW(signalfd, V, B(IN, 2)),
	ROW(time, P(OUT, 8)),
	ROW(sysfs, V, X, X),
	ROW(uselib, PATH),
	ROW(lookup_dcookie, V, B(OUT, 2)),
};
/* clang-format on */

const struct lm_row *lm_table_row(long nr)
{
	if (nr < 0 || nr >= lm_table_end() || !rows[nr].name)
		return NULL;
	return &rows[nr];
}

/* Of the special ones, those with pointers in their memory. */
static bool names_more(long nr)
{
	switch (nr) {
	case SYS_pselect6:
	case SYS_io_submit:
	case SYS_io_pgetevents:
	case SYS_io_uring_enter:
	case SYS_io_uring_register:
	case SYS_seccomp:
	case SYS_prctl:
	case SYS_ioctl:
	case SYS_setsockopt:
	case SYS_getsockopt:
	case SYS_bpf:
	case SYS_perf_event_open:
	case SYS_clone3:
	case SYS_setxattrat:
	case SYS_getxattrat:
	case SYS_futex_waitv:
	case SYS_futex_requeue:
	case SYS_mq_notify:
	case SYS_process_vm_readv:
	case SYS_process_vm_writev:
	case SYS_keyctl:
	case SYS_ptrace:
	case SYS_kexec_load:
		return true;
	}
	return false;
}

bool lm_table_nested(long nr)
{
	const struct lm_row *row = lm_table_row(nr);

	for (int i = 0; row && i < LM_ARGS; i++)
		switch (row->arg[i].kind) {
		case LM_ARG_IOVEC:
		case LM_ARG_MSG:
		case LM_ARG_MMSG:
		case LM_ARG_STRINGS:
			return true;
		case LM_ARG_SPECIAL:
			if (names_more(nr))
				return true;
		}
	return false;
}

bool lm_table_shims(long nr)
{
	switch (nr) {
	case SYS_rt_sigaction:
	case SYS_rt_sigprocmask:
	case SYS_rt_sigpending:
	case SYS_rt_sigsuspend:
	case SYS_rt_sigtimedwait:
	case SYS_sigaltstack:
	case SYS_signalfd4:
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_io_pgetevents:
	case SYS_execve:
	case SYS_execveat:
	case SYS_prctl:
	case SYS_seccomp:
	case SYS_set_robust_list:
	case SYS_exit:
	case SYS_exit_group:
	case SYS_io_uring_setup:
	case SYS_io_uring_enter:
	case SYS_io_uring_register:
	case SYS_signalfd:
#ifdef SYS_fork
	case SYS_fork:
#endif
	case SYS_ftruncate:
	case SYS_truncate:
	case SYS_fallocate:
	case SYS_openat:
	case SYS_lseek:
	case SYS_open:
	case SYS_creat:
		return true;
	}
	return false;
}

long lm_table_end(void)
{
	return (long)(sizeof(rows) / sizeof(rows[0]));
}
