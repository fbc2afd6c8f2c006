/*
 * bpf.c -- what the attributes of bpf(2) name. Most is in rows; a map's keys and
 * values are as large as the map says, and what is told of an object names more.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "commands.h"
#include "copy.h"
#include "pins.h"

#include "../area.h"
#include "../os.h"
#include "../os_linux.h"

#include <string.h>

#define IN LM_ARG_IN
#define OUT LM_ARG_OUT
#define INOUT LM_ARG_INOUT

enum {
	MAP_LOOKUP = 1,
	MAP_UPDATE,
	MAP_DELETE,
	MAP_NEXT_KEY,
	OBJ_INFO = 15,
	MAP_TAKE = 21,
	MAP_LOOKUP_BATCH = 24,
	MAP_TAKE_BATCH,
	MAP_UPDATE_BATCH,
	MAP_DELETE_BATCH,
	LINK_CREATE,
};

/* What one name in a struct that has no row is taken to be as long as. */
#define GUESS ((size_t)64 << 10)

/* The beginning of struct bpf_map_info. */
struct map_info {
	uint32_t type, id, key_size, value_size, rest[20];
};

struct info_attr {
	uint32_t fd, len;
	uint64_t info;
	uint64_t rest[6];
};

/* As many as there may be processors: "0-3", "0,2-7". */
static size_t processors(void)
{
	char text[256];
	size_t last = 0;
	long len = lm_os_read_file("/sys/devices/system/cpu/possible", text,
				   sizeof(text));

	for (long i = 0; i < len && text[i]; i++)
		if (text[i] >= '0' && text[i] <= '9')
			last = last * 10 + (size_t)(text[i] - '0');
		else if (text[i] != '\n')
			last = 0;
	return lm_min(last + 1, 8192);
}

/* Has it a value for each processor? */
static bool by_processor(uint32_t type)
{
	return type == 5 || type == 6 || type == 10 || type == 21;
}

static void map_sizes(uint32_t fd, size_t *key, size_t *value)
{
	struct map_info info = { 0 };
	struct info_attr attr = { .fd = fd,
				  .len = sizeof(info),
				  .info = (uintptr_t)&info };

	*key = *value = 4096;
	if (lm_sys(SYS_bpf, OBJ_INFO, &attr, sizeof(attr)) < 0)
		return;
	*key = info.key_size;
	*value = info.value_size;
	if (by_processor(info.type))
		*value = (*value + 7) / 8 * 8 * processors();
}

/* struct { map_fd; key; value or next key; flags } */
static void pin_element(struct lm_call_pins *pins, long command,
			const uint64_t attr[4])
{
	size_t key, value;

	if (!lm_area_near(attr[1], attr[1] + 1) &&
	    !lm_area_near(attr[2], attr[2] + 1))
		return;
	map_sizes((uint32_t)attr[0], &key, &value);
	lm_call_add(pins, (uintptr_t)attr[1], key, IN);
	if (command == MAP_NEXT_KEY)
		lm_call_add(pins, (uintptr_t)attr[2], key, OUT);
	else if (command != MAP_DELETE)
		lm_call_add(pins, (uintptr_t)attr[2], value,
			    command == MAP_UPDATE ? IN : OUT);
}

/* struct { where from; where to go on; keys; values; count, map_fd } */
static void pin_batch(struct lm_call_pins *pins, long command,
		      const uint64_t attr[5])
{
	bool in = command == MAP_UPDATE_BATCH || command == MAP_DELETE_BATCH;
	size_t key, value, count = (uint32_t)attr[4];

	map_sizes((uint32_t)(attr[4] >> 32), &key, &value);
	/* A hash's place is four bytes, whatever its keys. */
	lm_call_add(pins, (uintptr_t)attr[0], lm_max(key, 4), IN);
	lm_call_add(pins, (uintptr_t)attr[1], lm_max(key, 4), OUT);
	lm_call_add(pins, (uintptr_t)attr[2], count * key, in ? IN : OUT);
	lm_call_add(pins, (uintptr_t)attr[3], count * value, in ? IN : OUT);
}

/* Each word that may be an address. */
static void pin_words(struct lm_call_pins *pins, uintptr_t at, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), at += sizeof(word)) {
		if (lm_copy(&word, at, sizeof(word)) < 0)
			return;
		if (word > LM_PAGE)
			lm_call_add(pins, (uintptr_t)word, GUESS, INOUT);
	}
}

void lm_pins_bpf(struct lm_call_pins *pins, const long args[6])
{
	uintptr_t at = (uintptr_t)args[1];
	size_t len = lm_min((size_t)(uint32_t)args[2], LM_PAGE);
	uint64_t attr[5] = { 0 };

	lm_call_add(pins, at, len, INOUT);
	if (lm_copy(attr, at, lm_min(len, sizeof(attr))) < 0)
		return;
	lm_pins_nested(pins, SYS_bpf, (uint32_t)args[0], at, len);
	switch ((int)args[0]) {
	case MAP_LOOKUP:
	case MAP_UPDATE:
	case MAP_DELETE:
	case MAP_NEXT_KEY:
	case MAP_TAKE:
		pin_element(pins, args[0], attr);
		break;
	case MAP_LOOKUP_BATCH:
	case MAP_TAKE_BATCH:
	case MAP_UPDATE_BATCH:
	case MAP_DELETE_BATCH:
		pin_batch(pins, args[0], attr);
		break;
	case OBJ_INFO:
		/* Arrays of what kinds of objects have. */
		pin_words(pins, (uintptr_t)attr[1],
			  lm_min((size_t)(attr[0] >> 32), LM_PAGE));
		break;
	case 0: /* MAP_CREATE: a hash, 6.18 */
	case LINK_CREATE:
		pin_words(pins, at, len);
		break;
	}
}
