/*
 * commands.c -- fcntl, ioctl and prctl: a case for each of their commands.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include "os_linux.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/perf_event.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>

/* -- fcntl ----------------------------------------------------------------------- */

#define CASE_FCNTL(name, command)                                              \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		int fd = known_file();                                         \
                                                                               \
		return CALL(fcntl(fd, command, p[0]), SYS_fcntl, fd, command,  \
			    p[0]);                                             \
	}

static const struct flock lock = { .l_type = F_WRLCK, .l_len = 5 };
/* Its process is to be 0. */
static const struct flock ofd_lock = { .l_type = F_WRLCK, .l_len = 5 };
static const int owner[2] = { 2 /* a process group */, 1 };
static const uint64_t hint = 2; /* RWH_WRITE_LIFE_SHORT */
CASE_FCNTL(setlkw, F_SETLKW)
CASE_FCNTL(ofd_getlk, F_OFD_GETLK)
CASE_FCNTL(ofd_setlk, F_OFD_SETLK)
CASE_FCNTL(ofd_setlkw, F_OFD_SETLKW)
CASE_FCNTL(set_owner, 15 /* F_SETOWN_EX */)
CASE_FCNTL(get_owner, 16 /* F_GETOWN_EX */)
CASE_FCNTL(get_owner_ids, 17 /* F_GETOWNER_UIDS */)
CASE_FCNTL(get_hint, 1035 /* F_GET_RW_HINT */)
CASE_FCNTL(set_hint, 1036 /* F_SET_RW_HINT */)

/* -- Terminals: descriptors 3, and 4 at the other end ------------------------------ */

static void terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master != 3 || grantpt(master) < 0 || unlockpt(master) < 0 ||
	    ioctl(master, _IO('T', 0x41) /* TIOCGPTPEER */,
		  O_RDWR | O_NOCTTY) != 4)
		abort();
}

/* Descriptors are close_all()'s; `how` is how many of them there are. */
#define CASE_IOCTL(name, open, fd, request)                                    \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		open;                                                          \
		return CALL(ioctl(fd, request, p[0]), SYS_ioctl, fd, request,  \
			    p[0]);                                             \
	}
#define CASE_TERMINAL(name, request) CASE_IOCTL(name, terminal(), 4, request)

CASE_TERMINAL(tcgets, TCGETS)
CASE_TERMINAL(tcsets, TCSETS)
CASE_TERMINAL(tcsetsw, TCSETSW)
CASE_TERMINAL(tcsetsf, TCSETSF)
CASE_TERMINAL(tcgeta, TCGETA)
CASE_TERMINAL(tcseta, TCSETA)
CASE_TERMINAL(tcsetaw, TCSETAW)
CASE_TERMINAL(tcsetaf, TCSETAF)
CASE_TERMINAL(tiocoutq, TIOCOUTQ)
CASE_TERMINAL(tiocgwinsz, TIOCGWINSZ)
CASE_TERMINAL(tiocswinsz, TIOCSWINSZ)
CASE_TERMINAL(tiocsetd, TIOCSETD)
CASE_TERMINAL(tiocgetd, TIOCGETD)
CASE_IOCTL(tiocgpgrp, terminal(), 3, TIOCGPGRP)
CASE_IOCTL(tiocpkt, terminal(), 3, TIOCPKT)
static const struct winsize window = { 24, 80, 0, 0 };
static const int no, line_0;

/* As it is. */
static void prepare_settings(char *c[PARAMS], char *p[PARAMS])
{
	(void)p;
	close_range(3, 63, 0);
	terminal();
	ioctl(4, TCGETS, c[0]);
}

static void prepare_old_settings(char *c[PARAMS], char *p[PARAMS])
{
	(void)p;
	close_range(3, 63, 0);
	terminal();
	ioctl(4, TCGETA, c[0]);
}

/* In a session of its own, with the terminal. */
#define CASE_SESSION(name, request)                                            \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		int status = 0;                                                \
		pid_t pid;                                                     \
		long ret;                                                      \
                                                                               \
		terminal();                                                    \
		pid = fork();                                                  \
		if (pid == 0) {                                                \
			signal(SIGSEGV, SIG_DFL);                              \
			signal(SIGHUP, SIG_IGN);                               \
			setsid();                                              \
			ioctl(4, TIOCSCTTY, 0);                                \
			ret = CALL(ioctl(4, request, p[0]), SYS_ioctl, 4,      \
				   request, p[0]);                             \
			_exit(ret < 0 ? errno : 0);                            \
		}                                                              \
		waitpid(pid, &status, 0);                                      \
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;       \
		return errno ? -1 : 0;                                         \
	}
CASE_SESSION(tiocgsid, TIOCGSID)
CASE_SESSION(tiocsti, TIOCSTI)
CASE_SESSION(tiocspgrp, TIOCSPGRP)
static const int no_group = -1; /* EINVAL, when it was read */

/* -- Other descriptors ------------------------------------------------------------- */

CASE_IOCTL(fionbio, pipe_3_4(), 3, FIONBIO)
CASE_IOCTL(fioasync, pipe_3_4(), 3, FIOASYNC)
CASE_IOCTL(fioqsize, known_file(), 3, FIOQSIZE)
CASE_IOCTL(siocatmark, socket(AF_INET, SOCK_STREAM, 0), 3, SIOCATMARK)
CASE_IOCTL(siocgifconf, socket(AF_INET, SOCK_DGRAM, 0), 3, SIOCGIFCONF)
CASE_IOCTL(ethtool, socket(AF_INET, SOCK_DGRAM, 0), 3, SIOCETHTOOL)
CASE_IOCTL(fiemap, open("matrix-map", O_RDWR | O_CREAT, 0600), 3, FS_IOC_FIEMAP)
CASE_IOCTL(dedupe, open("matrix-map", O_RDWR | O_CREAT, 0600), 3, FIDEDUPERANGE)
CASE_IOCTL(page_scan, open("/proc/self/pagemap", O_RDONLY), 3, 0xc0606610)
CASE_IOCTL(map_query, open("/proc/self/maps", O_RDONLY), 3, 0xc0686611)
CASE_IOCTL(entropy, open("/dev/random", O_RDWR), 3, 0x40085203)
CASE_IOCTL(kvm_cpus, open("/dev/kvm", O_RDWR), 3, 0xc008ae05)

/* p: {length, array}, array */
static void prepare_interfaces(char *c[PARAMS], char *p[PARAMS])
{
	struct ifconf list = { .ifc_len = 80, .ifc_buf = p[1] };

	memcpy(c[0], &list, sizeof(list));
}

/* p: struct ifreq, what its data is: a question for the link's state */
static void prepare_ethtool(char *c[PARAMS], char *p[PARAMS])
{
	struct ifreq req = { .ifr_name = "lo", .ifr_data = p[1] };
	uint32_t link[2] = { 0x0a /* ETHTOOL_GLINK */, 7 };

	memcpy(c[0], &req, sizeof(req));
	memcpy(c[1], link, sizeof(link));
}

/* Of all of it; room for 100 extents. */
static void prepare_fiemap(char *c[PARAMS], char *p[PARAMS])
{
	struct fiemap map = { .fm_length = UINT64_MAX, .fm_extent_count = 100 };

	(void)p;
	memset(c[0], 0, 32 + 56 * 100);
	memcpy(c[0], &map, sizeof(map));
}

/* With 20 files that there are none of. */
static void prepare_dedupe(char *c[PARAMS], char *p[PARAMS])
{
	struct file_dedupe_range range = { .dest_count = 20 };

	(void)p;
	memset(c[0], 0, 24 + 32 * 20);
	memcpy(c[0], &range, sizeof(range));
	for (size_t i = 0; i < 20; i++)
		memset(c[0] + 24 + 32 * i, 0xff, 8);
}

/* What pages are there: of some that the C library lets nobody touch. */
static char three_pages[3 * 4096] __attribute__((aligned(4096)));
static void prepare_scan(char *c[PARAMS], char *p[PARAMS])
{
	uint64_t scan[12] = { 96,
			      0,
			      (uintptr_t)three_pages,
			      (uintptr_t)three_pages + sizeof(three_pages),
			      0,
			      (uintptr_t)p[1],
			      4 };

	scan[8] = 0;      /* inverted */
	scan[9] = 1 << 3; /* PAGE_IS_PRESENT */
	scan[11] = 1 << 3;
	memset(three_pages, 1, sizeof(three_pages));
	memcpy(c[0], scan, sizeof(scan));
}

/* Of this text, and what file that is. */
static void prepare_query(char *c[PARAMS], char *p[PARAMS])
{
	uint64_t query[13] = { 104, 0, (uintptr_t)prepare_query };
	uint32_t sizes[2] = { 4000, 0 };

	query[11] = (uintptr_t)p[1];
	memcpy(&query[10], sizes, sizeof(sizes));
	memcpy(c[0], query, sizeof(query));
}

/* None, of 5000 bytes. */
static void prepare_entropy(char *c[PARAMS], char *p[PARAMS])
{
	int head[2] = { 0, 5000 };

	(void)p;
	memcpy(c[0], head, sizeof(head));
}

/* Where there is room for all that it knows, as there is on what was seen. */
static void prepare_kvm(char *c[PARAMS], char *p[PARAMS])
{
	uint32_t head[2] = { 80, 0 };

	(void)p;
	memset(c[0], 0, 3208);
	memcpy(c[0], head, sizeof(head));
}

/* By an event of its own; the string is not one. */
static long c_event_filter(char *p[PARAMS], bool raw)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_DUMMY };
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	if (fd < 0)
		errno = EPERM;
	return fd < 0 ? -1
		      : CALL(ioctl(fd, PERF_EVENT_IOC_SET_FILTER, p[0]),
			     SYS_ioctl, fd, PERF_EVENT_IOC_SET_FILTER, p[0]);
}

/* p: struct uffdio_copy, what is copied. To a place of its own. */
static char *served;
static void prepare_copy(char *c[PARAMS], char *p[PARAMS])
{
	struct uffdio_copy copy = { .len = 4096 };

	if (!served)
		served = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	madvise(served, 4096, MADV_DONTNEED);
	copy.dst = (uintptr_t)served;
	copy.src = (uintptr_t)page_of(p[1]);
	memcpy(c[0], &copy, sizeof(copy));
}

static long c_uffd_copy(char *p[PARAMS], bool raw)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register where = {
		.range = { (uintptr_t)served, 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY);
	long ret;

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 ||
	    ioctl(fd, UFFDIO_REGISTER, &where) < 0) {
		errno = EPERM;
		return -1;
	}
	ret = CALL(ioctl(fd, UFFDIO_COPY, p[0]), SYS_ioctl, fd, UFFDIO_COPY,
		   p[0]);
	extra[0] = ret ? -1 : served[8];
	return ret;
}

/* -- prctl ------------------------------------------------------------------------- */

#define CASE_PRCTL(name, command)                                              \
	CASE(name, prctl(command, p[0]), SYS_prctl, command, p[0])
CASE_PRCTL(get_death, PR_GET_PDEATHSIG)
CASE_PRCTL(get_clock, PR_GET_TSC)
CASE_PRCTL(get_reaper, PR_GET_CHILD_SUBREAPER)
CASE_PRCTL(get_tid_address, PR_GET_TID_ADDRESS)

/* clang-format off */
const struct test commands_tests[] = {
	T(setlkw, STRUCT(lock)), T(ofd_getlk, STRUCT(ofd_lock)),
	T(ofd_setlk, STRUCT(ofd_lock)), T(ofd_setlkw, STRUCT(ofd_lock)),
	T(set_owner, STRUCT(owner)), T(get_owner, OUT(8)),
	T(get_owner_ids, OUT(8)), T(get_hint, OUT(8)), T(set_hint, STRUCT(hint)),

	T(tcgets, OUT(60)), TP(tcsets, settings, OUT(60)),
	TP(tcsetsw, settings, OUT(60)), TP(tcsetsf, settings, OUT(60)),
	T(tcgeta, OUT(18)), TP(tcseta, old_settings, OUT(18)),
	TP(tcsetaw, old_settings, OUT(18)), TP(tcsetaf, old_settings, OUT(18)),
	T(tiocoutq, OUT(4)), T(tiocgwinsz, OUT(8)), T(tiocswinsz, STRUCT(window)),
	T(tiocsetd, STRUCT(line_0)), T(tiocgetd, OUT(4)), T(tiocgpgrp, OUT(4)),
	T(tiocpkt, STRUCT(no)), T(tiocgsid, TIME(4)), T(tiocsti, NAME("x")),
	T(tiocspgrp, STRUCT(no_group)),

	T(fionbio, STRUCT(no)), T(fioasync, STRUCT(no)), T(fioqsize, OUT(8)),
	T(siocatmark, OUT(4)),
	TP(siocgifconf, interfaces, POINTERS(16), OUT(80)),
	TP(ethtool, ethtool, POINTERS(40), OUT(8)),
	TP(fiemap, fiemap, TIME(32 + 56 * 100)),
	TP(dedupe, dedupe, OUT(24 + 32 * 20)),
	TP(page_scan, scan, POINTERS(96), POINTERS(96)),
	TP(map_query, query, POINTERS(104), OUT(4000)),
	TP(entropy, entropy, OUT(5008)), TP(kvm_cpus, kvm, TIME(3208)),
	T(event_filter, NAME("no filter")),
	TP(uffd_copy, copy, POINTERS(40), OUT(8192)),

	T(get_death, OUT(4)), T(get_clock, OUT(4)), T(get_reaper, OUT(4)),
	T(get_tid_address, TIME(8)),
	END_OF_TESTS,
};
/* clang-format on */
