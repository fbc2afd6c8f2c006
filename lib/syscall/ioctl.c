/*
 * ioctl.c -- an ioctl's struct, by its row or by the size that its number
 * carries, and what the struct names.
 *
 * A number says nothing of which driver it is for: where one takes it for
 * something else its memory is present for nothing, and no more than that.
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
#include <net/if.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define IN LM_ARG_IN
#define OUT LM_ARG_OUT
#define INOUT LM_ARG_INOUT

/* A terminal's or an interface's, or one without a size: no struct that has no
 * row is larger. */
#define UNKNOWN 256
#define I2C_RDWR 0x0707
#define SG_IO 0x2285
/* Of a card: what each of its commands has is the driver's to know. */
#define ETHTOOL_MOST ((size_t)64 << 10)
#define PRIVATE_MOST 4096
#define WIRELESS 0x8b00 /* to 0x8bff */
/* Extended controls of video, to be read, written and tried. */
#define VIDEO_CONTROLS 0xc0205647
#define VIDEO_CONTROLS_LAST 0xc0205649
#define IS_SPI_MESSAGE(request)                                                \
	(((request) & ~((uint32_t)_IOC_SIZEMASK << _IOC_SIZESHIFT)) ==         \
	 _IOC(_IOC_WRITE, 'k', 0, 0))

static void pin_struct(struct lm_call_pins *pins, uint32_t request,
		       const long args[6])
{
	uintptr_t at = (uintptr_t)args[2];
	int dir = 0;

	if (lm_pins_command(pins, SYS_ioctl, args, 2))
		return;
	if (_IOC_SIZE(request) == 0 || _IOC_TYPE(request) == 0x89) {
		lm_call_add(pins, at, UNKNOWN, INOUT);
		return;
	}
	/* The kernel's point of view: _IOC_READ is what the program reads. */
	if (_IOC_DIR(request) & _IOC_READ)
		dir |= OUT;
	if (_IOC_DIR(request) & _IOC_WRITE)
		dir |= IN;
	lm_call_add(pins, at, _IOC_SIZE(request), dir ? dir : INOUT);
}

/* What is in a struct ifreq's or iwreq's union: an address, or something else. */
static void pin_named(struct lm_call_pins *pins, uintptr_t at, size_t most)
{
	uintptr_t data;

	if (lm_copy(&data, at + offsetof(struct ifreq, ifr_data),
		    sizeof(data)) == 0)
		lm_call_add(pins, data, most, INOUT);
}

static void pin_interface(struct lm_call_pins *pins, uint32_t request,
			  uintptr_t at)
{
	struct ifconf list;

	switch (request) {
	case SIOCGIFCONF:
		if (lm_copy(&list, at, sizeof(list)) == 0 && list.ifc_len > 0)
			lm_call_add(pins, (uintptr_t)list.ifc_buf,
				    (size_t)list.ifc_len, OUT);
		return;
	case SIOCETHTOOL:
		pin_named(pins, at, ETHTOOL_MOST);
		return;
	case SIOCSHWTSTAMP:
	case SIOCGHWTSTAMP:
		pin_named(pins, at, PRIVATE_MOST);
		return;
	}
	/* SIOCDEVPRIVATE, and bonds'; wireless ones. */
	if (request - SIOCDEVPRIVATE < 16 || request - 0x8990 < 16 ||
	    request - WIRELESS < 256)
		pin_named(pins, at, PRIVATE_MOST);
}

/* struct i2c_msg: address, flags, length, buffer. */
static void pin_bus_messages(struct lm_call_pins *pins, uintptr_t at)
{
	struct {
		uintptr_t array;
		uint32_t count;
	} list;
	struct {
		uint16_t address, flags, len;
		uintptr_t buffer;
	} one;

	if (lm_copy(&list, at, sizeof(list)) < 0)
		return;
	list.count = lm_min(list.count, 42); /* I2C_RDWR_IOCTL_MAX_MSGS */
	for (; list.count; list.count--, list.array += sizeof(one)) {
		if (lm_pins_read(pins, &one, list.array, sizeof(one), IN) < 0)
			return;
		lm_call_add(pins, one.buffer, one.len, INOUT);
	}
}

/* struct spi_ioc_transfer: what goes, what comes, how much; 32 bytes. */
static void pin_transfers(struct lm_call_pins *pins, uintptr_t at, size_t size)
{
	struct {
		uint64_t out, in;
		uint32_t len, rest[3];
	} one;

	for (; size >= sizeof(one); size -= sizeof(one), at += sizeof(one)) {
		if (lm_copy(&one, at, sizeof(one)) < 0)
			return;
		lm_call_add(pins, (uintptr_t)one.out, one.len, IN);
		lm_call_add(pins, (uintptr_t)one.in, one.len, OUT);
	}
}

/* struct v4l2_ext_controls, and what those point to that are not numbers. */
static void pin_controls(struct lm_call_pins *pins, uintptr_t at)
{
	struct {
		uint32_t which, count, rest[4];
		uintptr_t array;
	} list;
	struct {
		uint32_t id, size, reserved;
		uint64_t address;
	} __attribute__((packed)) one;

	if (lm_copy(&list, at, sizeof(list)) < 0)
		return;
	list.count = lm_min(list.count, 1024); /* V4L2_CID_MAX_CTRLS */
	for (; list.count; list.count--, list.array += sizeof(one)) {
		if (lm_pins_read(pins, &one, list.array, sizeof(one), INOUT) <
		    0)
			return;
		lm_call_add(pins, (uintptr_t)one.address, one.size, INOUT);
	}
}

/* Of sg_io_hdr: dxferp is an array of struct iovec if there is a count of it. */
static void pin_disk(struct lm_call_pins *pins, uintptr_t at)
{
	uint16_t count;
	uintptr_t array;

	if (lm_copy(&count, at + 10, sizeof(count)) == 0 && count &&
	    lm_copy(&array, at + 16, sizeof(array)) == 0)
		lm_pins_iovec(pins, array, count, INOUT);
}

void lm_pins_ioctl(struct lm_call_pins *pins, const long args[6])
{
	uint32_t request = (uint32_t)args[1];
	uintptr_t at = (uintptr_t)args[2];

	pin_struct(pins, request, args);
	lm_pins_nested(pins, SYS_ioctl, request, at, SIZE_MAX);
	if (request >> 8 == 0x89 || request >> 8 == 0x8b)
		pin_interface(pins, request, at);
	else if (request == I2C_RDWR)
		pin_bus_messages(pins, at);
	else if (request == SG_IO)
		pin_disk(pins, at);
	else if (IS_SPI_MESSAGE(request))
		pin_transfers(pins, at, _IOC_SIZE(request));
	else if (request >= VIDEO_CONTROLS && request <= VIDEO_CONTROLS_LAST)
		pin_controls(pins, at);
}
