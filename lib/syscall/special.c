/*
 * special.c -- calls whose memory depends on a command: what the table cannot
 * say in a word.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "pins.h"

#include "../os.h"
#include "../os_linux.h"

#include <limits.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <linux/sockios.h>

#define IN LM_ARG_IN
#define OUT LM_ARG_OUT
#define INOUT LM_ARG_INOUT

/* A command, and the size and direction of the memory at its argument. */
struct command {
	uint32_t command, size;
	int dir;
};

static const struct command fcntl_commands[] = {
	{ F_GETLK, 32, INOUT },
	{ F_SETLK, 32, IN },
	{ F_SETLKW, 32, IN },
	{ 36 /* F_OFD_GETLK */, 32, INOUT },
	{ 37 /* F_OFD_SETLK */, 32, IN },
	{ 38 /* F_OFD_SETLKW */, 32, IN },
	{ 15 /* F_SETOWN_EX */, 8, IN },
	{ 16 /* F_GETOWN_EX */, 8, OUT },
	{ 17 /* F_GETOWNER_UIDS */, 8, OUT },
	{ 1035 /* F_GET_RW_HINT */, 8, OUT },
	{ 1036 /* F_SET_RW_HINT */, 8, IN },
	{ 1037 /* F_GET_FILE_RW_HINT */, 8, OUT },
	{ 1038 /* F_SET_FILE_RW_HINT */, 8, IN },
};

/* Those from before sizes were part of the number: kernel structs. */
static const struct command ioctl_commands[] = {
	{ TCGETS, 60, OUT },        { TCSETS, 60, IN },
	{ TCSETSW, 60, IN },        { TCSETSF, 60, IN },
	{ TIOCGWINSZ, 8, OUT },     { TIOCSWINSZ, 8, IN },
	{ TIOCGPGRP, 4, OUT },      { TIOCSPGRP, 4, IN },
	{ TIOCGSID, 4, OUT },       { TIOCOUTQ, 4, OUT },
	{ TIOCSTI, 1, IN },         { TIOCMGET, 4, OUT },
	{ TIOCMBIS, 4, IN },        { TIOCMBIC, 4, IN },
	{ TIOCMSET, 4, IN },        { TIOCGETD, 4, OUT },
	{ TIOCSETD, 4, IN },        { TIOCPKT, 4, IN },
	{ FIONREAD, 4, OUT },       { FIONBIO, 4, IN },
	{ FIOASYNC, 4, IN },        { TIOCGSERIAL, 72, OUT },
	{ FIOQSIZE, 8, OUT },       { SIOCATMARK, 4, OUT },
	{ SIOCGIFCONF, 16, INOUT },
};

#define ROWS(table) table, sizeof(table) / sizeof(table[0])

static const struct command *find(const struct command *table, size_t rows,
				  uint32_t command)
{
	for (size_t i = 0; i < rows; i++)
		if (table[i].command == command)
			return &table[i];
	return NULL;
}

static void pin_command(struct lm_call_pins *pins,
			const struct command *command, uintptr_t at)
{
	if (command)
		lm_call_add(pins, at, command->size, command->dir);
}

/* Structs with an array behind them, that their number does not count. */
static void pin_array(struct lm_call_pins *pins, uint32_t request, uintptr_t at)
{
	union {
		struct {
			uint64_t start, len;
			uint32_t flags, mapped, count;
		} map;
		struct {
			uint64_t start, len;
			uint16_t count;
		} range;
	} head;

	if (request == 0xc020660b /* FS_IOC_FIEMAP */ &&
	    lm_pins_read(pins, &head, at, sizeof(head.map), INOUT) == 0)
		lm_call_add(pins, at, 32 + (size_t)head.map.count * 56, INOUT);
	if (request == 0xc0189436 /* FIDEDUPERANGE */ &&
	    lm_pins_read(pins, &head, at, sizeof(head.range), INOUT) == 0)
		lm_call_add(pins, at, 24 + (size_t)head.range.count * 32,
			    INOUT);
}

static void pin_ioctl(struct lm_call_pins *pins, uint32_t request, uintptr_t at)
{
	const struct command *known = find(ROWS(ioctl_commands), request);
	int dir = 0;

	if (known) {
		struct ifconf list;

		pin_command(pins, known, at);
		if (request == SIOCGIFCONF &&
		    lm_pins_read(pins, &list, at, sizeof(list), INOUT) == 0 &&
		    list.ifc_len > 0)
			lm_call_add(pins, (uintptr_t)list.ifc_buf,
				    (size_t)list.ifc_len, OUT);
		return;
	}
	/* A terminal's or an interface's, or one without a size: no struct of
	 * these is larger. */
	if (_IOC_SIZE(request) == 0 || _IOC_TYPE(request) == 0x89) {
		lm_call_add(pins, at, 256, INOUT);
		return;
	}
	/* The kernel's point of view: _IOC_READ is what the program reads. */
	if (_IOC_DIR(request) & _IOC_READ)
		dir |= OUT;
	if (_IOC_DIR(request) & _IOC_WRITE)
		dir |= IN;
	lm_call_add(pins, at, _IOC_SIZE(request), dir ? dir : INOUT);
	pin_array(pins, request, at);
}

static void pin_futex(struct lm_call_pins *pins, const long args[6])
{
	int op = (int)args[1] & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	bool timeout = false, second = false;

	switch (op) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		timeout = true;
		break;
	case FUTEX_LOCK_PI:
	case 13: /* FUTEX_LOCK_PI2, 5.14 */
		timeout = true;
		break;
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
	case FUTEX_CMP_REQUEUE_PI:
		second = true;
		break;
	case FUTEX_WAIT_REQUEUE_PI:
		timeout = second = true;
		break;
	}
	/* To be written, whatever the call: of a futex that may be shared the
	 * kernel wants a page that can be, or it has to be a file's. */
	lm_call_add(pins, (uintptr_t)args[0], 4, INOUT);
	if (second)
		lm_call_add(pins, (uintptr_t)args[4], 4, INOUT);
	if (timeout)
		lm_call_add(pins, (uintptr_t)args[3], 16, IN);
}

/* struct futex_waitv: the value, the address, flags. */
static void pin_waiters(struct lm_call_pins *pins, size_t count, uintptr_t at)
{
	uint64_t waiter[3];

	for (size_t i = 0; i < lm_min(count, 128); i++, at += sizeof(waiter)) {
		if (lm_pins_read(pins, waiter, at, sizeof(waiter), IN) < 0)
			return;
		lm_call_add(pins, (uintptr_t)waiter[1], 4, INOUT);
	}
}

void lm_pins_filter(struct lm_call_pins *pins, uintptr_t at)
{
	struct sock_fprog program;

	if (lm_pins_read(pins, &program, at, sizeof(program), IN) == 0)
		lm_call_add(pins, (uintptr_t)program.filter,
			    program.len * sizeof(program.filter[0]), IN);
}

static void pin_seccomp(struct lm_call_pins *pins, long command, uintptr_t at)
{
	switch (command) {
	case 1: /* SECCOMP_SET_MODE_FILTER */
		lm_pins_filter(pins, at);
		break;
	case 2: /* SECCOMP_GET_ACTION_AVAIL */
		lm_call_add(pins, at, 4, IN);
		break;
	case 3: /* SECCOMP_GET_NOTIF_SIZES */
		lm_call_add(pins, at, 6, OUT);
		break;
	}
}

static void pin_semctl(struct lm_call_pins *pins, int command, uintptr_t at)
{
	switch (command & ~0x100 /* IPC_64 */) {
	case IPC_SET:
		lm_call_add(pins, at, 104, IN);
		break;
	case IPC_STAT:
	case IPC_INFO:
	case SEM_INFO:
	case SEM_STAT:
	case 20: /* SEM_STAT_ANY, 4.17 */
		lm_call_add(pins, at, 104, OUT);
		break;
	case GETALL:
	case SETALL:
		/* How many there are only the kernel knows: SEMMSL. */
		lm_call_add(pins, at, 32000 * sizeof(short),
			    command == GETALL ? OUT : IN);
		break;
	}
}

static void pin_handle(struct lm_call_pins *pins, uintptr_t at, int dir)
{
	uint32_t bytes;

	if (lm_pins_read(pins, &bytes, at, sizeof(bytes), dir) == 0)
		lm_call_add(pins, at, 8 + lm_min(bytes, 128), dir);
}

/* struct { const sigset_t *set; size_t len; } */
static void pin_set(struct lm_call_pins *pins, uintptr_t at)
{
	uintptr_t set[2];

	if (lm_pins_read(pins, set, at, sizeof(set), IN) == 0)
		lm_call_add(pins, set[0], lm_min(set[1], 128), IN);
}

/* The control blocks only: their buffers are used after the call. */
static void pin_io_submit(struct lm_call_pins *pins, long count, uintptr_t at)
{
	uintptr_t block;

	for (long i = 0; i < count && i < 65536; i++, at += sizeof(block)) {
		if (lm_pins_read(pins, &block, at, sizeof(block), IN) < 0)
			return;
		/* It gets a key. */
		lm_call_add(pins, block, 64, INOUT);
	}
}

/* struct xattr_args: the value, its size, flags. */
static void pin_xattr(struct lm_call_pins *pins, uintptr_t at, int dir)
{
	struct {
		uint64_t value;
		uint32_t size, flags;
	} attr;

	if (lm_pins_read(pins, &attr, at, sizeof(attr), IN) == 0)
		lm_call_add(pins, (uintptr_t)attr.value, attr.size, dir);
}

#define SO_REUSEPORT_CBPF 51 /* SO_ATTACH_REUSEPORT_CBPF, 4.5 */

static void pin_setsockopt(struct lm_call_pins *pins, const long args[6])
{
	uintptr_t at = (uintptr_t)args[3];

	lm_call_add(pins, at, (size_t)(uint32_t)args[4], IN);
	if ((int)args[1] == SOL_SOCKET && ((int)args[2] == SO_ATTACH_FILTER ||
					   (int)args[2] == SO_REUSEPORT_CBPF))
		lm_pins_filter(pins, at);
}

static void pin_getsockopt(struct lm_call_pins *pins, const long args[6])
{
	size_t unit = 1;
	uint32_t len;

	/* Of instructions. */
	if ((int)args[1] == SOL_SOCKET && (int)args[2] == SO_GET_FILTER)
		unit = sizeof(struct sock_filter);
	if (lm_pins_read(pins, &len, (uintptr_t)args[4], sizeof(len), INOUT) ==
	    0)
		lm_call_add(pins, (uintptr_t)args[3], len * unit, INOUT);
}

/* The other process's memory; this one's where that is the other one. */
static void pin_remote(struct lm_call_pins *pins, const long args[6], int dir)
{
	if (args[0] == lm_sys(SYS_getpid))
		lm_pins_iovec(pins, (uintptr_t)args[3], (size_t)args[4], dir);
	else
		lm_call_add(pins, (uintptr_t)args[3],
			    lm_min((size_t)args[4], IOV_MAX) *
				    sizeof(struct iovec),
			    IN);
}

static void pin_kexec(struct lm_call_pins *pins, size_t count, uintptr_t at)
{
	uintptr_t segment[4]; /* the buffer, its size, where to, its size */

	for (size_t i = 0; i < lm_min(count, 16); i++, at += sizeof(segment)) {
		if (lm_pins_read(pins, segment, at, sizeof(segment), IN) < 0)
			return;
		lm_call_add(pins, segment[0], segment[1], IN);
	}
}

/* A SIGEV_THREAD's value is where 32 bytes are that come back as a message. */
static void pin_mq_notify(struct lm_call_pins *pins, uintptr_t at)
{
	struct {
		uintptr_t value;
		int sig, notify;
	} event;

	lm_call_add(pins, at, 64, IN);
	if (lm_pins_read(pins, &event, at, sizeof(event), IN) == 0 &&
	    event.notify == 2 /* SIGEV_THREAD */)
		lm_call_add(pins, event.value, 32, IN);
}

static void pin_sysfs(struct lm_call_pins *pins, const long args[6], int i)
{
	if (args[0] == 1 && i == 1)
		lm_pins_string(pins, (uintptr_t)args[1], 256);
	else if (args[0] == 2 && i == 2)
		lm_call_add(pins, (uintptr_t)args[2], 256, OUT);
}

void lm_pins_special(struct lm_call_pins *pins, long nr, const long args[6],
		     int i)
{
	uintptr_t at = (uintptr_t)args[i];

	switch (nr) {
	case SYS_fcntl:
		pin_command(pins, find(ROWS(fcntl_commands), (uint32_t)args[1]),
			    at);
		break;
	case SYS_ioctl:
		pin_ioctl(pins, (uint32_t)args[1], at);
		break;
	case SYS_prctl:
		lm_pins_prctl(pins, args, i);
		break;
	case SYS_futex:
		pin_futex(pins, args);
		break;
	case SYS_seccomp:
		pin_seccomp(pins, args[0], at);
		break;
	case SYS_setsockopt:
		pin_setsockopt(pins, args);
		break;
	case SYS_getsockopt:
		pin_getsockopt(pins, args);
		break;
	case SYS_futex_waitv:
		pin_waiters(pins, (size_t)(uint32_t)args[1], at);
		break;
	case SYS_futex_requeue:
		pin_waiters(pins, 2, at);
		break;
	case SYS_setxattrat:
	case SYS_getxattrat:
		pin_xattr(pins, at, nr == SYS_setxattrat ? IN : OUT);
		break;
	case SYS_process_vm_readv:
	case SYS_process_vm_writev:
		pin_remote(pins, args, nr == SYS_process_vm_readv ? IN : OUT);
		break;
	case SYS_fsconfig:
		if (args[1] == 2 /* FSCONFIG_SET_BINARY */)
			lm_call_add(pins, at, (size_t)(uint32_t)args[4], IN);
		else
			lm_pins_string(pins, at, LM_PAGE);
		break;
	case SYS_kexec_load:
		pin_kexec(pins, (size_t)args[1], at);
		break;
	case SYS_mq_notify:
		pin_mq_notify(pins, at);
		break;
	case SYS_kcmp:
		if (args[2] == 7 /* KCMP_EPOLL_TFD */)
			lm_call_add(pins, at, 12, IN);
		break;
	case SYS_io_uring_enter:
	case SYS_io_uring_register:
		lm_pins_ring(pins, nr, args);
		break;
	case SYS_keyctl:
		lm_pins_key(pins, args, i);
		break;
	case SYS_ptrace:
		lm_pins_trace(pins, args, i);
		break;
	case SYS_semctl:
		pin_semctl(pins, (int)args[2], at);
		break;
	case SYS_msgsnd:
	case SYS_msgrcv:
		lm_call_add(pins, at, sizeof(long) + (size_t)args[2],
			    nr == SYS_msgsnd ? IN : OUT);
		break;
	case SYS_name_to_handle_at:
	case SYS_open_by_handle_at:
		pin_handle(pins, at, nr == SYS_open_by_handle_at ? IN : INOUT);
		break;
	case SYS_pselect6:
	case SYS_io_pgetevents:
		pin_set(pins, at);
		break;
	case SYS_io_submit:
		pin_io_submit(pins, args[1], at);
		break;
	case SYS_mincore:
		lm_call_add(pins, at, ((size_t)args[1] + LM_PAGE - 1) / LM_PAGE,
			    OUT);
		break;
#ifdef SYS_sysfs
	case SYS_sysfs:
		pin_sysfs(pins, args, i);
		break;
#endif
#ifdef SYS_arch_prctl
	case SYS_arch_prctl: /* the ones that read: ARCH_GET_FS, _GS, ... */
		lm_call_add(pins, at, sizeof(long), INOUT);
		break;
#endif
	}
}
