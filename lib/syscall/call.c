/*
 * call.c -- a call's memory, by the table. See call.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"

#include "../area.h"
#include "../meta.h"
#include "../own.h"
#include "../page.h"
#include "access.h"
#include "aio.h"
#include "copy.h"
#include "hook.h"
#include "made.h"
#include "pins.h"
#include "self.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A string longer than this is brought in when the kernel first says EFAULT,
 * which only execve may do without loss; see lm_call(). */
#define STRING_FIRST ((size_t)4096)
#define STRING_MAX ((size_t)32 * LM_PAGE) /* MAX_ARG_STRLEN */
#define STRINGS_MAX ((size_t)1 << 20)

#define MORE_PINS 254

struct lm_call_more {
	struct lm_call_more *next;
	size_t count;
	struct lm_pin pin[MORE_PINS];
};

bool lm_call_holding(void)
{
	return LM_OWN(lm_made).holding;
}

static long slow_run(long len, long b, long c)
{
	(void)b, (void)c;
	return (long)lm_meta_run((size_t)len);
}

static long slow_free(long run, long len, long c)
{
	(void)c;
	lm_meta_free_run((void *)run, (size_t)len);
	return 0;
}

static long slow_pin(long start, long len, long write)
{
	return (long)lm_access_pin((uintptr_t)start, (size_t)len, (int)write);
}

/* A call that was made, or is to be. */
struct memory_call {
	long nr;
	const long *args;
	long result;
};

static long slow_memory(long call, long b, long c)
{
	struct memory_call *memory = (struct memory_call *)call;

	(void)b, (void)c;
	return lm_memory_call(memory->nr, memory->args, &memory->result);
}

/* Without room for the record the pages are present and no more than that. */
static void record(struct lm_call_pins *pins, uintptr_t start, size_t len)
{
	struct lm_call_more *more = pins->more;

	if (!pins->count)
		LM_OWN(lm_made).holding++;
	if (pins->count < LM_CALL_PINS) {
		pins->pin[pins->count++] = (struct lm_pin){ start, len };
		return;
	}
	if (!more || more->count == MORE_PINS) {
		more = (struct lm_call_more *)lm_hook_keeping_vectors(
			slow_run, sizeof(*more), 0, 0);
		if (!more) {
			lm_page_unpin(start, start + len);
			return;
		}
		more->next = pins->more;
		pins->more = more;
	}
	more->pin[more->count++] = (struct lm_pin){ start, len };
}

/* As much as can be for this access; the address reached. */
static uintptr_t reach(uintptr_t start, uintptr_t end, bool write)
{
	uintptr_t at = lm_page_pin(start, end, write);

	if (at < end)
		at += (uintptr_t)lm_hook_keeping_vectors(
			slow_pin, (long)at, (long)(end - at), write);
	return lm_min(at, end);
}

/* The address up to which there is nothing left to do. */
static uintptr_t add(struct lm_call_pins *pins, uintptr_t start, size_t len,
		     int dir)
{
	bool write = dir & (LM_ARG_OUT | LM_ARG_KEEP);
	uintptr_t end, at;

	/* More than 2 GiB no call moves, and a length below zero is refused. */
	end = start + lm_min(len, (size_t)1 << 31);
	if (end < start)
		end = UINTPTR_MAX;
	if (!start || !len || len > SSIZE_MAX || !lm_area_near(start, end))
		return end;
	at = reach(start, end, write);
	/* Where the kernel may not write it still may read: a time-out that it
	 * cannot update, for one, it leaves alone. */
	if (at < end && (dir == LM_ARG_INOUT || dir == LM_ARG_KEEP))
		at = lm_max(at, reach(at, end, false));
	if (at <= start)
		return at;
	if (dir & LM_ARG_KEEP)
		lm_page_keep(start, at);
	else if (pins->present_only)
		lm_page_unpin(start, at);
	else
		record(pins, start, at - start);
	return at;
}

void lm_call_add(struct lm_call_pins *pins, uintptr_t start, size_t len,
		 int dir)
{
	add(pins, start, len, dir);
}

void lm_pins_forced(struct lm_call_pins *pins, uintptr_t start, uintptr_t end)
{
	uintptr_t at = start, next;

	while (at < end) {
		next = add(pins, at, end - at, LM_ARG_OUT);
		if (next <= at) {
			next = lm_min((at | (LM_PAGE - 1)) + 1, end);
			add(pins, at, next - at, LM_ARG_KEEP);
		}
		at = next;
	}
}

void lm_call_unpin(struct lm_call_pins *pins)
{
	struct lm_call_more *more;

	lm_made_end(pins);
	if (pins->count)
		LM_OWN(lm_made).holding--;
	while (pins->count) {
		struct lm_pin pin = pins->pin[--pins->count];

		lm_page_unpin(pin.start, pin.start + pin.len);
	}
	while ((more = pins->more)) {
		while (more->count) {
			struct lm_pin pin = more->pin[--more->count];

			lm_page_unpin(pin.start, pin.start + pin.len);
		}
		pins->more = more->next;
		lm_hook_keeping_vectors(slow_free, (long)more, sizeof(*more),
					0);
	}
}

/* -- Nested ones --------------------------------------------------------------- */

int lm_pins_read(struct lm_call_pins *pins, void *to, uintptr_t from,
		 size_t len, int dir)
{
	lm_call_add(pins, from, len, dir);
	return lm_copy(to, from, len);
}

void lm_pins_iovec(struct lm_call_pins *pins, uintptr_t iov, size_t count,
		   int dir)
{
	struct iovec some[16];
	size_t n;

	if (count > IOV_MAX)
		return; /* EINVAL */
	lm_call_add(pins, iov, count * sizeof(*some), LM_ARG_IN);
	for (; count; count -= n, iov += n * sizeof(*some)) {
		n = lm_min(count, sizeof(some) / sizeof(*some));
		if (lm_copy(some, iov, n * sizeof(*some)) < 0)
			return;
		for (size_t i = 0; i < n; i++)
			if (some[i].iov_len > SSIZE_MAX)
				return; /* EINVAL */
		for (size_t i = 0; i < n; i++)
			lm_call_add(pins, (uintptr_t)some[i].iov_base,
				    some[i].iov_len, dir);
	}
}

void lm_pins_msg(struct lm_call_pins *pins, uintptr_t at, int dir)
{
	struct msghdr msg;

	/* recvmsg writes lengths and flags into it. */
	if (lm_pins_read(pins, &msg, at, sizeof(msg),
			 dir & LM_ARG_OUT ? LM_ARG_INOUT : LM_ARG_IN) < 0)
		return;
	lm_call_add(pins, (uintptr_t)msg.msg_name, msg.msg_namelen, dir);
	lm_call_add(pins, (uintptr_t)msg.msg_control, msg.msg_controllen, dir);
	lm_pins_iovec(pins, (uintptr_t)msg.msg_iov, msg.msg_iovlen, dir);
}

static void pin_mmsg(struct lm_call_pins *pins, uintptr_t at, size_t count,
		     int dir)
{
	struct mmsghdr *first = NULL;

	count = lm_min(count, IOV_MAX);
	lm_call_add(pins, at, count * sizeof(*first), LM_ARG_INOUT);
	for (size_t i = 0; i < count; i++)
		lm_pins_msg(pins, at + i * sizeof(*first), dir);
}

/* Nobody looks for the end: what lies behind it is at most one page more, and
 * where that cannot be had it is not missed. */
void lm_pins_string(struct lm_call_pins *pins, uintptr_t string, size_t most)
{
	lm_call_add(pins, string, most, LM_ARG_IN);
}

void lm_pins_strings(struct lm_call_pins *pins, uintptr_t list)
{
	uintptr_t some[16];
	size_t len;

	for (size_t done = 0; list && done < STRINGS_MAX; done += len) {
		/* Never beyond the page that the last one was in. */
		len = lm_min(sizeof(some), LM_PAGE - (list & (LM_PAGE - 1)));
		len = lm_max(len & ~(sizeof(*some) - 1), sizeof(*some));
		if (lm_pins_read(pins, some, list, len, LM_ARG_IN) < 0)
			return;
		for (size_t i = 0; i < len / sizeof(*some); i++) {
			if (!some[i])
				return;
			lm_pins_string(pins, some[i],
				       pins->long_strings ? STRING_MAX
							  : STRING_FIRST);
		}
		list += len;
	}
}

/* -- By the table -------------------------------------------------------------- */

static void pin_length(struct lm_call_pins *pins, const struct lm_arg *arg,
		       const long args[6], uintptr_t at)
{
	uint32_t len;

	if (at && lm_pins_read(pins, &len, (uintptr_t)args[arg->n], sizeof(len),
			       LM_ARG_INOUT) == 0)
		lm_call_add(pins, at, len, arg->dir);
}

/* A struct that says itself how long it is: up to a page, the kernel takes. */
void lm_pins_own(struct lm_call_pins *pins, uintptr_t at, size_t least,
		 size_t where, int dir)
{
	uint32_t len;

	lm_call_add(pins, at, least, dir);
	if (lm_copy(&len, at + where, sizeof(len)) == 0 && len > least)
		lm_call_add(pins, at + least,
			    lm_min((size_t)len, LM_PAGE) - least, dir);
}

static void pin_argument(struct lm_call_pins *pins, long nr,
			 const struct lm_arg *arg, const long args[6], int i)
{
	uintptr_t at = (uintptr_t)args[i];
	size_t n = (size_t)args[arg->n];

	switch ((enum lm_arg_kind)arg->kind) {
	case LM_ARG_VALUE:
	case LM_ARG_RANGE:
		break;
	case LM_ARG_SIZED:
		lm_call_add(pins, at, arg->size, arg->dir);
		break;
	case LM_ARG_BYTES:
		lm_call_add(pins, at, n, arg->dir);
		break;
	case LM_ARG_ARRAY:
		/* Counts are ints: a negative one is EINVAL. */
		if ((int)n > 0)
			lm_call_add(pins, at, (size_t)(int)n * arg->size,
				    arg->dir);
		break;
	case LM_ARG_LENGTH:
		pin_length(pins, arg, args, at);
		break;
	case LM_ARG_OWN:
		lm_pins_own(pins, at, arg->size, arg->n, arg->dir);
		break;
	case LM_ARG_STRING:
		lm_pins_string(pins, at, arg->size);
		break;
	case LM_ARG_STRINGS:
		lm_pins_strings(pins, at);
		break;
	case LM_ARG_BITS:
		if ((int)n > 0)
			lm_call_add(pins, at,
				    ((size_t)(int)n + 63) / 64 * sizeof(long),
				    arg->dir);
		break;
	case LM_ARG_IOVEC:
		pins->nested = true;
		lm_pins_iovec(pins, at, n, arg->dir);
		break;
	case LM_ARG_MSG:
		pins->nested = true;
		if (at)
			lm_pins_msg(pins, at, arg->dir);
		break;
	case LM_ARG_MMSG:
		pins->nested = true;
		if (at)
			pin_mmsg(pins, at, (unsigned)n, arg->dir);
		break;
	case LM_ARG_SPECIAL:
		lm_pins_special(pins, nr, args, i);
		break;
	}
}

static void pin_row(struct lm_call_pins *pins, long nr,
		    const struct lm_row *row, const long args[6])
{
	for (int i = 0; i < LM_ARGS; i++)
		if (row->arg[i].kind != LM_ARG_VALUE && args[i])
			pin_argument(pins, nr, &row->arg[i], args, i);
}

/* And what its file is. */
static void pin_all(struct lm_call_pins *pins, long nr,
		    const struct lm_row *row, const long args[6])
{
	pin_row(pins, nr, row, args);
	if (lm_self_wanted(nr, args))
		lm_self_pin(pins, nr, args);
}

void lm_call_pin(struct lm_call_pins *pins, long nr, const long args[6])
{
	const struct lm_row *row;

	lm_call_begin(pins);
	if (!lm_call_any())
		return;
	row = lm_table_row(nr);
	if (!row)
		return;
	/* The call goes through a hook, which makes it in pieces. */
	if (lm_hook_count() && lm_pieces_wanted(nr, args))
		return;
	pins->present_only = nr == SYS_execve || nr == SYS_execveat;
	pin_all(pins, nr, row, args);
	if ((pins->count || pins->nested) && lm_hook_count())
		lm_made_note(lm_made_mine(), pins, nr, args);
}

void lm_call_present(long nr, const long args[6])
{
	const struct lm_row *row = lm_call_any() ? lm_table_row(nr) : NULL;
	struct lm_call_pins pins;

	lm_call_begin(&pins);
	pins.present_only = true;
	if (row)
		pin_row(&pins, nr, row, args);
}

static long raw(long nr, const long args[6])
{
	return lm_syscall6(nr, args[0], args[1], args[2], args[3], args[4],
			   args[5]);
}

/* Another thread may evict what was made present; long strings were not. */
static long call_exec(long nr, const long args[6])
{
	struct lm_call_pins pins;
	long ret = -EFAULT;

	for (int tries = 0; ret == -EFAULT && tries < 4; tries++) {
		lm_call_begin(&pins);
		pins.present_only = true;
		pins.long_strings = tries > 0;
		pin_row(&pins, nr, lm_table_row(nr), args);
		ret = raw(nr, args);
	}
	return ret;
}

long lm_call_once(long nr, const long args[6])
{
	struct lm_call_pins pins;
	long ret;

	lm_call_begin(&pins);
	pin_all(&pins, nr, lm_table_row(nr), args);
	ret = raw(nr, args);
	lm_call_unpin(&pins);
	return ret;
}

static long slow_before(long nr, long args, long c)
{
	(void)c;
	return lm_aio_before(nr, (const long *)args);
}

static long slow_after(long call, long turn, long c)
{
	const struct memory_call *done = (const struct memory_call *)call;

	(void)c;
	lm_aio_after(done->nr, done->args, turn, done->result);
	return 0;
}

static long call_aio(long nr, const long args[6])
{
	struct memory_call call = { nr, args, 0 };
	long turn = lm_hook_keeping_vectors(slow_before, nr, (long)args, 0);

	call.result = lm_table_row(nr) ? lm_call_once(nr, args) : raw(nr, args);
	lm_hook_keeping_vectors(slow_after, (long)&call, turn, 0);
	return call.result;
}

long lm_call(long nr, const long args[6])
{
	const struct lm_row *row;
	long ret;

	if (lm_aio_wanted(nr) && lm_call_any())
		return call_aio(nr, args);
	row = lm_call_any() ? lm_table_row(nr) : NULL;
	if (!row || lm_made_is(nr, args))
		return raw(nr, args);
	if (nr == SYS_execve || nr == SYS_execveat)
		return call_exec(nr, args);
	if (lm_memory_wanted(nr)) {
		struct memory_call call = { nr, args, 0 };

		if (lm_hook_keeping_vectors(slow_memory, (long)&call, 0, 0))
			return call.result;
	}
	if (lm_pieces_call(nr, args, &ret))
		return ret;
	return lm_call_once(nr, args);
}
