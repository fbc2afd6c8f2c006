/*
 * process.c -- a process, its children, its limits and names.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/klog.h>
#include <sys/mman.h>

static long c_times(char *p[PARAMS], bool raw)
{
	long ret = CALL(times((struct tms *)p[0]), SYS_times, p[0]);

	return ret == -1 ? -1 : 0;
}

static long c_uname(char *p[PARAMS], bool raw)
{
	return CALL(uname((struct utsname *)p[0]), SYS_uname, p[0]);
}

static long c_sysinfo(char *p[PARAMS], bool raw)
{
	return CALL(sysinfo((struct sysinfo *)p[0]), SYS_sysinfo, p[0]);
}

static long c_getrusage(char *p[PARAMS], bool raw)
{
	return CALL(getrusage(RUSAGE_SELF, (struct rusage *)p[0]),
		    SYS_getrusage, RUSAGE_SELF, p[0]);
}

static long c_prlimit(char *p[PARAMS], bool raw)
{
	return CALL(prlimit(0, RLIMIT_CORE, NULL, (struct rlimit *)p[0]),
		    SYS_prlimit64, 0, RLIMIT_CORE, NULL, p[0]);
}

static long c_getaffinity(char *p[PARAMS], bool raw)
{
	long ret = CALL(sched_getaffinity(0, 128, (cpu_set_t *)p[0]),
			SYS_sched_getaffinity, 0, 128L, p[0]);

	return ret;
}

static long c_getresuid(char *p[PARAMS], bool raw)
{
	return CALL(getresuid((uid_t *)p[0], (uid_t *)p[1], (uid_t *)p[2]),
		    SYS_getresuid, p[0], p[1], p[2]);
}

static long c_set_name(char *p[PARAMS], bool raw)
{
	char name[17] = { 0 };
	long ret = CALL(prctl(PR_SET_NAME, p[0]), SYS_prctl, PR_SET_NAME, p[0]);

	prctl(PR_GET_NAME, name);
	memcpy(&extra[0], name, 8);
	return ret;
}

static long c_get_name(char *p[PARAMS], bool raw)
{
	prctl(PR_SET_NAME, "a name");
	return CALL(prctl(PR_GET_NAME, p[0]), SYS_prctl, PR_GET_NAME, p[0]);
}

static pid_t dead_child(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(42);
	/* It is there to be waited for when this returns. */
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	return pid;
}

/* Is the child still to be had? */
static void note_child(pid_t pid)
{
	int status = 0;

	extra[0] = waitpid(pid, &status, WNOHANG) == pid;
	extra[1] = status;
}

static long c_wait4(char *p[PARAMS], bool raw)
{
	pid_t pid = dead_child();
	long ret = CALL(wait4(pid, (int *)p[0], 0, (struct rusage *)p[1]),
			SYS_wait4, pid, p[0], 0, p[1]);

	note_child(pid);
	return ret == pid ? 1 : ret;
}

static long c_waitpid(char *p[PARAMS], bool raw)
{
	pid_t pid = dead_child();
	long ret = CALL(waitpid(pid, (int *)p[0], 0), SYS_wait4, pid, p[0], 0,
			NULL);

	note_child(pid);
	return ret == pid ? 1 : ret;
}

static long c_waitid(char *p[PARAMS], bool raw)
{
	pid_t pid = dead_child();
	long ret = CALL(waitid(P_PID, (id_t)pid, (siginfo_t *)p[0], WEXITED),
			SYS_waitid, P_PID, pid, p[0], WEXITED, NULL);

	note_child(pid);
	return ret;
}

int capget(cap_user_header_t header, cap_user_data_t data);
int capset(cap_user_header_t header, const cap_user_data_t data);

static const uint64_t core_limit[2] = { 0, 0 };
static long c_prlimit_new(char *p[PARAMS], bool raw)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	return CALL(prlimit(0, RLIMIT_CORE, (struct rlimit *)p[0],
			    (struct rlimit *)p[1]),
		    SYS_prlimit64, 0, RLIMIT_CORE, p[0], p[1]);
}

CASE(getrlimit, getrlimit(RLIMIT_CORE, (struct rlimit *)p[0]), SYS_getrlimit,
     RLIMIT_CORE, p[0])
CASE(setrlimit, setrlimit(RLIMIT_CORE, (struct rlimit *)p[0]), SYS_setrlimit,
     RLIMIT_CORE, p[0])

static long c_waitid_usage(char *p[PARAMS], bool raw)
{
	pid_t pid = dead_child();
	long ret;

	(void)raw;
	ret = RAW(SYS_waitid, P_PID, pid, p[0], WEXITED, p[1]);
	note_child(pid);
	return ret;
}

CASE_RAW(getcpu, SYS_getcpu, p[0], p[1], NULL)
CASE(getresgid, getresgid((gid_t *)p[0], (gid_t *)p[1], (gid_t *)p[2]),
     SYS_getresgid, p[0], p[1], p[2])

/* In a child, as the rest goes on; what it says is how it ends. */
#define CASE_CHILD(name, libc, nr, ...)                                        \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		int status = 0;                                                \
		pid_t pid = fork();                                            \
                                                                               \
		if (pid == 0) {                                                \
			signal(SIGSEGV, SIG_DFL);                              \
			_exit(CALL(libc, nr, __VA_ARGS__) < 0 ? errno : 0);    \
		}                                                              \
		waitpid(pid, &status, 0);                                      \
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;       \
		return errno ? -1 : 0;                                         \
	}

static const gid_t groups[3] = { 1, 2, 3 };
static long c_getgroups(char *p[PARAMS], bool raw)
{
	long ret;

	/* Who may not has some, or has none and nothing to be told. */
	setgroups(3, groups);
	errno = 0;
	ret = CALL(getgroups(64, (gid_t *)p[0]), SYS_getgroups, 64, p[0]);
	if (!ret)
		errno = EPERM;
	return ret ? ret : -1;
}
CASE_CHILD(setgroups, setgroups(3, (gid_t *)p[0]), SYS_setgroups, 3, p[0])

/* struct __user_cap_header_struct, of this process */
static const uint32_t cap_header[2] = { 0x20080522, 0 };
CASE(capget, capget((cap_user_header_t)p[0], (cap_user_data_t)p[1]), SYS_capget,
     p[0], p[1])
static const uint32_t cap_none[6];
CASE_CHILD(capset, capset((cap_user_header_t)p[0], (cap_user_data_t)p[1]),
	   SYS_capset, p[0], p[1])

static void prepare_host(char *c[PARAMS], char *p[PARAMS])
{
	(void)p;
	gethostname(c[0], 64);
}

static void prepare_domain(char *c[PARAMS], char *p[PARAMS])
{
	(void)p;
	if (getdomainname(c[0], 64) < 0)
		abort();
}

static size_t host_len(void)
{
	char name[65] = { 0 };

	gethostname(name, 64);
	return strlen(name);
}

static size_t domain_len(void)
{
	char name[65] = { 0 };

	return getdomainname(name, 64) < 0 ? 0 : strlen(name);
}

/* To what it is. */
CASE(sethostname, sethostname(p[0], host_len()), SYS_sethostname, p[0],
     host_len())
CASE(setdomainname, setdomainname(p[0], domain_len()), SYS_setdomainname, p[0],
     domain_len())

static const int priority;
CASE(sched_setparam, sched_setparam(0, (struct sched_param *)p[0]),
     SYS_sched_setparam, 0, p[0])
CASE(sched_getparam, sched_getparam(0, (struct sched_param *)p[0]),
     SYS_sched_getparam, 0, p[0])
CASE(sched_setscheduler, sched_setscheduler(0, 0, (struct sched_param *)p[0]),
     SYS_sched_setscheduler, 0, 0, p[0])
CASE(sched_setaffinity, sched_setaffinity(0, 128, (cpu_set_t *)p[0]),
     SYS_sched_setaffinity, 0, 128, p[0])
CASE(sched_rr, sched_rr_get_interval(0, (struct timespec *)p[0]),
     SYS_sched_rr_get_interval, 0, p[0])
static const uint32_t sched_attr[12] = { 48 };
CASE_RAW(sched_setattr, SYS_sched_setattr, 0, p[0], 0)
/* One that says that it is longer. */
static const uint32_t sched_longer[200] = { 800 };
CASE_RAW(sched_setattr_longer, SYS_sched_setattr, 0, p[0], 0)
CASE_RAW(sched_getattr, SYS_sched_getattr, 0, p[0], 48, 0)

static void prepare_affinity(char *c[PARAMS], char *p[PARAMS])
{
	(void)p;
	sched_getaffinity(0, 128, (cpu_set_t *)c[0]);
}

static long c_syslog(char *p[PARAMS], bool raw)
{
	long ret = CALL(klogctl(3, p[0], 4000), SYS_syslog, 3, p[0], 4000);

	return ret > 0 ? 1 : ret;
}

CASE_RAW(arch_prctl, SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, p[0])
CASE_RAW(modify_ldt, SYS_modify_ldt, 2 /* the default one */, p[0], 64)
/* Of a page without a file; where the kernel keeps names. */
static long c_vma_name(char *p[PARAMS], bool raw)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	long ret, error;

	(void)raw;
	ret = RAW(SYS_prctl, 0x53564d41, 0, page, 4096, p[0]);
	error = errno == EINVAL ? EOPNOTSUPP : errno;
	munmap(page, 4096);
	errno = (int)error;
	return ret;
}
/* Where there are such. */
static long c_core_cookie(char *p[PARAMS], bool raw)
{
	long ret;

	(void)raw;
	ret = RAW(SYS_prctl, 62, 0, 0, 0, p[0]);
	if (errno == EINVAL)
		errno = EOPNOTSUPP;
	return ret;
}
CASE_RAW(auxv, SYS_prctl, 0x41555856, p[0], 64, 0, 0)
CASE_RAW(mm_map_size, SYS_prctl, PR_SET_MM, 15, p[0], 0, 0)
CASE_RAW(mm_map, SYS_prctl, PR_SET_MM, 14, p[0], 104, 0)

/* Of another one: whether two pollers wait for the same file. */
static long c_kcmp(char *p[PARAMS], bool raw)
{
	struct epoll_event event = { EPOLLIN, { .u64 = 7 } };
	int fd;

	(void)raw;
	pipe_3_4();
	fd = epoll_create1(0); /* 5 */
	epoll_ctl(fd, EPOLL_CTL_ADD, 3, &event);
	return RAW(SYS_kcmp, getpid(), getpid(), 7, 3, p[0]);
}
static const uint32_t epoll_slot[3] = { 5, 3, 0 };

/* clang-format off */
const struct test process_tests[] = {
	T(wait4, OUT(4), TIME(sizeof(struct rusage))),
	T(waitpid, OUT(4)),
	T(waitid, TIME(sizeof(siginfo_t))),
	T(times, TIME(32)),
	T(uname, OUT(390)),
	T(sysinfo, TIME(sizeof(struct sysinfo))),
	T(getrusage, TIME(sizeof(struct rusage))),
	T(prlimit, OUT(16)),
	T(getaffinity, OUT(128)),
	T(getresuid, OUT(4), OUT(4), OUT(4)),
	T(set_name, NAME("another name ok")),
	T(get_name, OUT(16)),
	T(prlimit_new, STRUCT(core_limit), OUT(16)), T(getrlimit, OUT(16)),
	T(setrlimit, STRUCT(core_limit)),
	TR(waitid_usage, TIME(sizeof(siginfo_t)), TIME(sizeof(struct rusage))),
	TR(getcpu, TIME(4), OUT(4)), T(getgroups, OUT(256)),
	T(getresgid, OUT(4), OUT(4), OUT(4)), T(setgroups, STRUCT(groups)),
	T(capget, STRUCT(cap_header), OUT(24)),
	T(capset, STRUCT(cap_header), STRUCT(cap_none)),
	TP(sethostname, host, OUT(64)), TP(setdomainname, domain, OUT(64)),
	T(sched_setparam, STRUCT(priority)), T(sched_getparam, OUT(4)),
	T(sched_setscheduler, STRUCT(priority)),
	TP(sched_setaffinity, affinity, OUT(128)), T(sched_rr, TIME(16)),
	TR(sched_setattr, STRUCT(sched_attr)),
	TR(sched_setattr_longer, STRUCT(sched_longer)), TR(sched_getattr, OUT(48)),
	T(syslog, TIME(4000)), TR(arch_prctl, OUT(8)), TR(modify_ldt, OUT(64)),
	TR(vma_name, NAME("a name")), TR(core_cookie, OUT(8)),
	TR(auxv, OUT(64)), TR(mm_map_size, OUT(4)), TR(mm_map, OUT(104)),
	TR(kcmp, STRUCT(epoll_slot)),
	END_OF_TESTS,
};
/* clang-format on */
