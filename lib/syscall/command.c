/*
 * command.c -- calls that are many calls: prctl, keyctl, ptrace, io_uring. What
 * an argument points to depends on the command, and so does which argument; and
 * what is more than a row of commands.h says is here.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "commands.h"
#include "pins.h"

#include "../os.h"
#include "../os_linux.h"

#include <sys/prctl.h>
#include <sys/uio.h>

#define IN LM_ARG_IN
#define OUT LM_ARG_OUT
#define INOUT LM_ARG_INOUT

/* -- prctl ---------------------------------------------------------------------- */

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
	if (lm_pins_command(pins, SYS_prctl, args, i) || i != 2)
		return;
	if ((int)args[0] == PR_SET_SECCOMP)
		lm_pins_filter(pins, (uintptr_t)args[2]);
	else if ((int)args[0] == PR_SET_MM)
		pin_mm(pins, args);
}

/* -- keyctl --------------------------------------------------------------------- */

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
	lm_pins_command(pins, SYS_keyctl, args, i);
	if (args[0] == 20 && i == 2) /* INSTANTIATE_IOV */
		lm_pins_iovec(pins, (uintptr_t)args[2], (size_t)args[3], IN);
	else if (args[0] == 23 && i == 4)
		pin_derivation(pins, (uintptr_t)args[4]);
	else if (args[0] >= 25 && args[0] <= 28)
		pin_pkey(pins, args, i);
}

/* -- ptrace --------------------------------------------------------------------- */

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
	lm_pins_command(pins, SYS_ptrace, args, i);
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

/* Descriptors or buffers, and a number for each. */
static void pin_tagged(struct lm_call_pins *pins, const long args[6],
		       uintptr_t array, uintptr_t tags, size_t count)
{
	uint32_t what = (uint32_t)args[1] & 0x7fffffff;

	if (what == 15 || what == 16)
		lm_pins_iovec(pins, array, count, LM_ARG_KEEP);
	else
		lm_call_add(pins, array, count * 4, IN);
	lm_call_add(pins, tags, count * 8, IN);
}

/* The arrays behind it; and buffers, which the kernel goes on using. */
static void pin_registered(struct lm_call_pins *pins, const long args[6])
{
	uintptr_t at = (uintptr_t)args[2];
	size_t count = (uint32_t)args[3];
	uint64_t more[4];

	switch ((uint32_t)args[1] & 0x7fffffff) {
	case 0: /* BUFFERS */
		lm_pins_iovec(pins, at, count, LM_ARG_KEEP);
		break;
	case 6: /* FILES_UPDATE: an offset, the array */
		if (lm_pins_read(pins, more, at, 16, IN) == 0)
			lm_call_add(pins, (uintptr_t)more[1], count * 4, IN);
		break;
	case 13: /* FILES2: count, flags, -, array, tags */
	case 15: /* BUFFERS2 */
		if (lm_pins_read(pins, more, at, 32, IN) == 0)
			pin_tagged(pins, args, (uintptr_t)more[2],
				   (uintptr_t)more[3], (uint32_t)more[0]);
		break;
	case 14: /* FILES_UPDATE2: -, array, tags, count */
	case 16: /* BUFFERS_UPDATE */
		if (lm_pins_read(pins, more, at, 32, IN) == 0)
			pin_tagged(pins, args, (uintptr_t)more[1],
				   (uintptr_t)more[2], (uint32_t)more[3]);
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
