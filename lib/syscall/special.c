/*
 * special.c -- calls whose memory depends on a command: what the table cannot
 * say in a word.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "commands.h"
#include "copy.h"
#include "pins.h"

#include "../os.h"
#include "../os_linux.h"

#include <limits.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define IN LM_ARG_IN
#define OUT LM_ARG_OUT
#define INOUT LM_ARG_INOUT

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

/* The control blocks only: their buffers are used after the call, too (aio.c). */
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

static void pin_setsockopt(struct lm_call_pins *pins, const long args[6])
{
	uintptr_t at = (uintptr_t)args[3];
	size_t len = (size_t)(uint32_t)args[4];

	lm_call_add(pins, at, len, IN);
	lm_pins_nested(pins, SYS_setsockopt,
		       lm_commands_number(SYS_setsockopt, args), at, len);
}

static void pin_getsockopt(struct lm_call_pins *pins, const long args[6])
{
	uintptr_t at = (uintptr_t)args[3];
	size_t unit = 1;
	uint32_t len;

	/* Of instructions. */
	if ((int)args[1] == SOL_SOCKET && (int)args[2] == SO_GET_FILTER)
		unit = sizeof(struct sock_filter);
	if (lm_pins_read(pins, &len, (uintptr_t)args[4], sizeof(len), INOUT) <
	    0)
		return;
	lm_call_add(pins, at, len * unit, INOUT);
	lm_pins_nested(pins, SYS_getsockopt,
		       lm_commands_number(SYS_getsockopt, args), at, len);
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

/* Of the events that are places in programs or the kernel, whose type is known
 * at run time only, two numbers of the attributes are names. */
static void pin_event(struct lm_call_pins *pins, uintptr_t at)
{
	uintptr_t name;

	/* PERF_ATTR_SIZE_VER0. It is told how long it might be. */
	lm_pins_own(pins, at, 64, 4, INOUT);
	for (size_t i = 56; i < 72; i += sizeof(name))
		if (lm_copy(&name, at + i, sizeof(name)) == 0)
			lm_pins_string(pins, name, 4096);
}

/* On which node the page is that an address is in: MPOL_F_NODE | _ADDR. */
static void pin_where(struct lm_call_pins *pins, const long args[6])
{
	if ((args[4] & 3) == 3)
		lm_call_add(pins, (uintptr_t)args[3], 1, IN);
}

static void pin_sysfs(struct lm_call_pins *pins, const long args[6], int i)
{
	if (args[0] == 1 && i == 1)
		lm_pins_string(pins, (uintptr_t)args[1], 4096);
	else if (args[0] == 2 && i == 2)
		lm_call_add(pins, (uintptr_t)args[2], 256, OUT);
}

void lm_pins_special(struct lm_call_pins *pins, long nr, const long args[6],
		     int i)
{
	uintptr_t at = (uintptr_t)args[i];

	switch (nr) {
	case SYS_fcntl:
		lm_pins_command(pins, nr, args, i);
		break;
	case SYS_ioctl:
		lm_pins_ioctl(pins, args);
		break;
	case SYS_bpf:
		lm_pins_bpf(pins, args);
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
	case SYS_perf_event_open:
		pin_event(pins, at);
		break;
	case SYS_get_mempolicy:
		pin_where(pins, args);
		break;
	case SYS_clone3:
		lm_call_add(pins, at, (size_t)args[1], IN);
		lm_pins_nested(pins, nr, 0, at, (size_t)args[1]);
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
	case SYS_sysfs:
		pin_sysfs(pins, args, i);
		break;
#ifdef SYS_arch_prctl
	case SYS_arch_prctl: /* the ones that read: ARCH_GET_FS, _GS, ... */
		lm_call_add(pins, at, sizeof(long), INOUT);
		break;
#endif
	}
}
