/*
 * nested.c -- rows of commands.h: what is at a command's argument, and what the
 * struct there names.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "commands.h"
#include "copy.h"
#include "pins.h"

#include "../os.h"

#include <limits.h>

bool lm_pins_command(struct lm_call_pins *pins, long nr, const long args[6],
		     int i)
{
	const struct lm_commands *of = lm_commands_of(nr);
	uint32_t command = lm_commands_number(nr, args);
	bool known = false;

	for (size_t k = 0; of && k < of->commands; k++) {
		const struct lm_command *row = &of->command[k];

		if (row->command != command)
			continue;
		known = true;
		if (row->arg == i)
			lm_call_add(pins, (uintptr_t)args[i],
				    row->size ? row->size
					      : (size_t)args[row->n],
				    row->dir);
	}
	return known;
}

/* A struct of the program's. */
struct base {
	uintptr_t at;
	size_t len;
};

/* A number of one, two, four or eight bytes in it; 0 behind its end. */
static int number_at(const struct base *base, size_t where, unsigned width,
		     uint64_t *number)
{
	union {
		uint8_t one;
		uint16_t two;
		uint32_t four;
		uint64_t eight;
	} value;

	*number = 0;
	if (where + width > base->len)
		return 0;
	if (lm_copy(&value, base->at + where, width) < 0)
		return -EFAULT;
	*number = width == 1   ? value.one
		  : width == 2 ? value.two
		  : width == 4 ? value.four
			       : value.eight;
	return 0;
}

static void pin_one(struct lm_call_pins *pins, const struct lm_nested *row,
		    const struct base *base)
{
	uint64_t count = 1, unit = row->unit, address = base->at + row->at;
	size_t len;

	if (row->width && number_at(base, row->count, row->width, &count) < 0)
		return;
	if (row->times && number_at(base, row->times, 4, &unit) < 0)
		return;
	if (row->kind == LM_NESTED_POINTER &&
	    number_at(base, row->at, sizeof(address), &address) < 0)
		return;
	if (__builtin_mul_overflow(count, unit, &len))
		return;
	lm_call_add(pins, (uintptr_t)address, lm_min(len, (size_t)INT_MAX),
		    row->dir);
}

void lm_pins_nested(struct lm_call_pins *pins, long nr, uint32_t command,
		    uintptr_t at, size_t len)
{
	const struct base base = { at, len };
	const struct lm_commands *of = lm_commands_of(nr);

	for (size_t k = 0; of && k < of->nesteds; k++)
		if (of->nested[k].command == command)
			pin_one(pins, &of->nested[k], &base);
}
