/*
 * command.c -- calls that are many calls: prctl, keyctl, ptrace, io_uring. What
 * an argument points to depends on the command, and so does which argument.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "pins.h"

#include "../os.h"
#include "../os_linux.h"

#include <sys/prctl.h>
#include <sys/uio.h>

#define IN LM_ARG_IN
#define OUT LM_ARG_OUT
#define INOUT LM_ARG_INOUT

/* A command, and what its argument points to. */
struct command {
	uint32_t command;
	uint8_t arg, dir;
	/* So many bytes; 0: as many as argument `len` says. */
	uint16_t size;
	uint8_t len;
};

/* By its row; true if there is one. */
static bool pin_command(struct lm_call_pins *pins, const struct command *table,
			size_t rows, uint32_t command, const long args[6],
			int i)
{
	bool known = false;

	for (size_t k = 0; k < rows; k++) {
		const struct command *row = &table[k];

		if (row->command != command)
			continue;
		known = true;
		if (row->arg == i)
			lm_call_add(pins, (uintptr_t)args[i],
				    row->size ? row->size
					      : (size_t)args[row->len],
				    row->dir);
	}
	return known;
}

#define ROWS(table) table, sizeof(table) / sizeof(table[0])

/* -- prctl ---------------------------------------------------------------------- */

static const struct command prctl_commands[] = {
	{ PR_GET_PDEATHSIG, 1, OUT, 4, 0 },
	{ PR_GET_UNALIGN, 1, OUT, 4, 0 },
	{ PR_GET_FPEMU, 1, OUT, 4, 0 },
	{ PR_GET_FPEXC, 1, OUT, 4, 0 },
	{ PR_GET_ENDIAN, 1, OUT, 4, 0 },
	{ PR_GET_TSC, 1, OUT, 4, 0 },
	{ PR_SET_NAME, 1, IN, 16, 0 },
	{ PR_GET_NAME, 1, OUT, 16, 0 },
	{ PR_GET_CHILD_SUBREAPER, 1, OUT, 4, 0 },
	{ PR_GET_TID_ADDRESS, 1, OUT, 8, 0 },
	{ 59 /* PR_SET_SYSCALL_USER_DISPATCH, 5.11: read at each call */, 4,
	  LM_ARG_KEEP, 1, 0 },
	{ 62 /* PR_SCHED_CORE, 5.14 */, 4, OUT, 8, 0 },
	{ 0x53564d41 /* PR_SET_VMA, 5.17 */, 4, IN, 80, 0 },
	{ 0x41555856 /* PR_GET_AUXV, 6.4 */, 1, OUT, 0, 2 },
};

/* struct prctl_mm_map ends with a pointer, a length, a descriptor. */
static void pin_mm_map(struct lm_call_pins *pins, const long args[6])
{
	uint64_t map[13];

	lm_call_add(pins, (uintptr_t)args[2], (size_t)args[3], IN);
	if (lm_pins_read(pins, map, (uintptr_t)args[2], sizeof(map), IN) == 0)
		lm_call_add(pins, (uintptr_t)map[11], (uint32_t)map[12], IN);
}

static void pin_mm(struct lm_call_pins *pins, const long args[6])
{
	switch (args[1]) {
	case 12: /* PR_SET_MM_AUXV */
		lm_call_add(pins, (uintptr_t)args[2], (size_t)args[3], IN);
		break;
	case 14: /* PR_SET_MM_MAP */
		pin_mm_map(pins, args);
		break;
	case 15: /* PR_SET_MM_MAP_SIZE */
		lm_call_add(pins, (uintptr_t)args[2], 4, OUT);
		break;
	}
}

void lm_pins_prctl(struct lm_call_pins *pins, const long args[6], int i)
{
	if (pin_command(pins, ROWS(prctl_commands), (uint32_t)args[0], args,
			i) ||
	    i != 2)
		return;
	if ((int)args[0] == PR_SET_SECCOMP)
		lm_pins_filter(pins, (uintptr_t)args[2]);
	else if ((int)args[0] == PR_SET_MM)
		pin_mm(pins, args);
}

/* -- keyctl --------------------------------------------------------------------- */

static const struct command key_commands[] = {
	{ 1 /* JOIN_SESSION_KEYRING */, 1, IN, 256, 0 },
	{ 2 /* UPDATE */, 2, IN, 0, 3 },
	{ 6 /* DESCRIBE */, 2, OUT, 0, 3 },
	{ 10 /* SEARCH */, 2, IN, 32, 0 },
	{ 10, 3, IN, 4096, 0 },
	{ 11 /* READ */, 2, OUT, 0, 3 },
	{ 12 /* INSTANTIATE */, 2, IN, 0, 3 },
	{ 17 /* GET_SECURITY */, 2, OUT, 0, 3 },
	{ 23 /* DH_COMPUTE */, 1, IN, 12, 0 },
	{ 23, 2, OUT, 0, 3 },
	{ 24 /* PKEY_QUERY, 4.20 */, 3, IN, 4096, 0 },
	{ 24, 4, OUT, 48, 0 },
	{ 25 /* PKEY_ENCRYPT */, 1, IN, 32, 0 },
	{ 26 /* PKEY_DECRYPT */, 1, IN, 32, 0 },
	{ 27 /* PKEY_SIGN */, 1, IN, 32, 0 },
	{ 28 /* PKEY_VERIFY */, 1, IN, 32, 0 },
	{ 29 /* RESTRICT_KEYRING, 4.12 */, 2, IN, 32, 0 },
	{ 29, 3, IN, 4096, 0 },
	{ 31 /* CAPABILITIES, 5.2 */, 1, OUT, 0, 2 },
};

/* Of an encryption or a signature: a string, data, data. */
static void pin_pkey(struct lm_call_pins *pins, const long args[6], int i)
{
	uint32_t params[3]; /* the key, and two lengths */
	bool verify = args[0] == 28;

	if (i == 2)
		lm_pins_string(pins, (uintptr_t)args[2], 4096);
	if ((i != 3 && i != 4) || lm_pins_read(pins, params, (uintptr_t)args[1],
					       sizeof(params), IN) < 0)
		return;
	lm_call_add(pins, (uintptr_t)args[i], params[i - 2],
		    i == 3 || verify ? IN : OUT);
}

/* struct keyctl_kdf_params: the hash's name, other information, its length. */
static void pin_derivation(struct lm_call_pins *pins, uintptr_t at)
{
	uint64_t params[3];

	lm_call_add(pins, at, 64, IN);
	if (lm_pins_read(pins, params, at, sizeof(params), IN) < 0)
		return;
	lm_pins_string(pins, (uintptr_t)params[0], 128);
	lm_call_add(pins, (uintptr_t)params[1], (uint32_t)params[2], IN);
}

void lm_pins_key(struct lm_call_pins *pins, const long args[6], int i)
{
	pin_command(pins, ROWS(key_commands), (uint32_t)args[0], args, i);
	if (args[0] == 20 && i == 2) /* INSTANTIATE_IOV */
		lm_pins_iovec(pins, (uintptr_t)args[2], (size_t)args[3], IN);
	else if (args[0] == 23 && i == 4)
		pin_derivation(pins, (uintptr_t)args[4]);
	else if (args[0] >= 25 && args[0] <= 28)
		pin_pkey(pins, args, i);
}

/* -- ptrace --------------------------------------------------------------------- */

/* What the tracer's own memory is used for; the other process's is looked at by
 * the kernel, which faults nothing in. */
static const struct command trace_commands[] = {
	{ 1 /* PEEKTEXT */, 3, OUT, 8, 0 },
	{ 2 /* PEEKDATA */, 3, OUT, 8, 0 },
	{ 3 /* PEEKUSER */, 3, OUT, 8, 0 },
	{ 12 /* GETREGS: larger on no architecture */, 3, OUT, 512, 0 },
	{ 13 /* SETREGS */, 3, IN, 512, 0 },
	{ 14 /* GETFPREGS */, 3, OUT, 1024, 0 },
	{ 15 /* SETFPREGS */, 3, IN, 1024, 0 },
	{ 25 /* GET_THREAD_AREA */, 3, OUT, 16, 0 },
	{ 26 /* SET_THREAD_AREA */, 3, IN, 16, 0 },
	{ 0x4201 /* GETEVENTMSG */, 3, OUT, 8, 0 },
	{ 0x4202 /* GETSIGINFO */, 3, OUT, 128, 0 },
	{ 0x4203 /* SETSIGINFO */, 3, IN, 128, 0 },
	{ 0x4209 /* PEEKSIGINFO */, 2, IN, 16, 0 },
	{ 0x420a /* GETSIGMASK */, 3, OUT, 0, 2 },
	{ 0x420b /* SETSIGMASK */, 3, IN, 0, 2 },
	{ 0x420d /* SECCOMP_GET_METADATA */, 3, INOUT, 0, 2 },
	{ 0x420e /* GET_SYSCALL_INFO */, 3, OUT, 0, 2 },
	{ 0x420f /* GET_RSEQ_CONFIGURATION */, 3, OUT, 0, 2 },
	{ 0x4210 /* SET_SYSCALL_USER_DISPATCH_CONFIG */, 3, IN, 0, 2 },
	{ 0x4211 /* GET_SYSCALL_USER_DISPATCH_CONFIG */, 3, OUT, 0, 2 },
	{ 0x4212 /* SET_SYSCALL_INFO, 6.16 */, 3, IN, 0, 2 },
};

/* Where registers of a set are, and how many bytes; it says how many came. */
static void pin_register_set(struct lm_call_pins *pins, uintptr_t at, int dir)
{
	struct iovec iov;

	if (lm_pins_read(pins, &iov, at, sizeof(iov), INOUT) == 0)
		lm_call_add(pins, (uintptr_t)iov.iov_base, iov.iov_len, dir);
}

static void pin_queued_signals(struct lm_call_pins *pins, const long args[6])
{
	struct {
		uint64_t off;
		uint32_t flags;
		int32_t count;
	} which;

	if (lm_pins_read(pins, &which, (uintptr_t)args[2], sizeof(which), IN) ==
		    0 &&
	    which.count > 0)
		lm_call_add(pins, (uintptr_t)args[3], (size_t)which.count * 128,
			    OUT);
}

void lm_pins_trace(struct lm_call_pins *pins, const long args[6], int i)
{
	pin_command(pins, ROWS(trace_commands), (uint32_t)args[0], args, i);
	if (i != 3)
		return;
	switch (args[0]) {
	case 0x4204: /* GETREGSET */
	case 0x4205: /* SETREGSET */
		pin_register_set(pins, (uintptr_t)args[3],
				 args[0] == 0x4204 ? OUT : IN);
		break;
	case 0x4209: /* PEEKSIGINFO */
		pin_queued_signals(pins, args);
		break;
	case 0x420c: /* SECCOMP_GET_FILTER: as long as a filter may be */
		lm_call_add(pins, (uintptr_t)args[3], 4096 * 8, OUT);
		break;
	}
}

/* -- io_uring ------------------------------------------------------------------- */

/* struct io_uring_getevents_arg: a signal mask, its size, a time-out. */
static void pin_wait(struct lm_call_pins *pins, uintptr_t at)
{
	struct {
		uint64_t mask;
		uint32_t mask_size, least;
		uint64_t timeout;
	} wait;

	if (lm_pins_read(pins, &wait, at, sizeof(wait), IN) < 0)
		return;
	lm_call_add(pins, (uintptr_t)wait.mask, wait.mask_size, IN);
	lm_call_add(pins, (uintptr_t)wait.timeout, 16, IN);
}

/* The arrays behind it: of buffers, whose own memory the kernel goes on using
 * after the call, and is the program's to pin. */
static void pin_registered(struct lm_call_pins *pins, const long args[6])
{
	uintptr_t at = (uintptr_t)args[2];
	size_t count = (uint32_t)args[3];
	uint64_t more[4];

	switch ((uint32_t)args[1] & 0x7fffffff) {
	case 6: /* FILES_UPDATE: an offset, the array */
		if (lm_pins_read(pins, more, at, 16, IN) == 0)
			lm_call_add(pins, (uintptr_t)more[1], count * 4, IN);
		break;
	case 13: /* FILES2, BUFFERS2: count, flags, -, array, tags */
	case 15:
		if (lm_pins_read(pins, more, at, 32, IN) < 0)
			break;
		lm_call_add(pins, (uintptr_t)more[2], (uint32_t)more[0] * 16UL,
			    IN);
		lm_call_add(pins, (uintptr_t)more[3], (uint32_t)more[0] * 8UL,
			    IN);
		break;
	case 14: /* FILES_UPDATE2, BUFFERS_UPDATE: -, array, tags, count */
	case 16:
		if (lm_pins_read(pins, more, at, 32, IN) < 0)
			break;
		lm_call_add(pins, (uintptr_t)more[1], (uint32_t)more[3] * 16UL,
			    IN);
		lm_call_add(pins, (uintptr_t)more[2], (uint32_t)more[3] * 8UL,
			    IN);
		break;
	default: /* no element, and no struct, is larger */
		lm_call_add(pins, at, 128 + count * 16, INOUT);
	}
}

void lm_pins_ring(struct lm_call_pins *pins, long nr, const long args[6])
{
	if (nr == SYS_io_uring_register)
		pin_registered(pins, args);
	else if (args[3] & 8 /* IORING_ENTER_EXT_ARG */)
		pin_wait(pins, (uintptr_t)args[4]);
	else
		lm_call_add(pins, (uintptr_t)args[4], (size_t)args[5], IN);
}
