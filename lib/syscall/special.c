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

#include <linux/filter.h>
#include <linux/futex.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sem.h>
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

static const struct command prctl_commands[] = {
	{ PR_GET_PDEATHSIG, 4, OUT },
	{ PR_GET_UNALIGN, 4, OUT },
	{ PR_GET_FPEMU, 4, OUT },
	{ PR_GET_FPEXC, 4, OUT },
	{ PR_GET_ENDIAN, 4, OUT },
	{ PR_GET_TSC, 4, OUT },
	{ PR_SET_NAME, 16, IN },
	{ PR_GET_NAME, 16, OUT },
	{ PR_GET_CHILD_SUBREAPER, 4, OUT },
	{ PR_GET_TID_ADDRESS, 8, OUT },
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

static void pin_filter(struct lm_call_pins *pins, uintptr_t at)
{
	struct sock_fprog program;

	if (lm_pins_read(pins, &program, at, sizeof(program), IN) == 0)
		lm_call_add(pins, (uintptr_t)program.filter,
			    program.len * sizeof(program.filter[0]), IN);
}

static void pin_prctl(struct lm_call_pins *pins, const long args[6])
{
	if (args[0] == PR_SET_SECCOMP)
		pin_filter(pins, (uintptr_t)args[2]);
	else if (args[0] == 0x53564d41 /* PR_SET_VMA, 5.17 */)
		lm_call_add(pins, (uintptr_t)args[4], 80, IN);
	else
		pin_command(pins, find(ROWS(prctl_commands), (uint32_t)args[0]),
			    (uintptr_t)args[1]);
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
		lm_call_add(pins, block, 64, IN);
	}
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
		pin_prctl(pins, args);
		break;
	case SYS_futex:
		pin_futex(pins, args);
		break;
	case SYS_seccomp:
		if (args[0] == 1 /* SECCOMP_SET_MODE_FILTER */)
			pin_filter(pins, at);
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
#ifdef SYS_arch_prctl
	case SYS_arch_prctl: /* the ones that read: ARCH_GET_FS, _GS, ... */
		lm_call_add(pins, at, sizeof(long), INOUT);
		break;
#endif
	}
}
