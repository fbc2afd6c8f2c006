/*
 * decode.c -- lengths of x86-64 instructions. See decode.h.
 *
 * By opcode map, as in Intel's manual, volume 2, appendix A; what is not in
 * 64-bit mode, or of AMD's extensions, is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode.h"

#if defined(__x86_64__)

#include <stdbool.h>
#include <string.h>

/* The longest instruction; and what may be looked at of one that is none. */
#define LONGEST 15
#define READ 32

enum form {
	NO = 0,       /* no such instruction */
	BARE = 1,     /* the opcode is all */
	RM = 2,       /* a ModRM byte, and what it asks for */
	I1 = 4,       /* one byte behind */
	I2 = 8,       /* two */
	IZ = 16,      /* four, or two with an operand of 16 bits */
	REL = 32,     /* what is behind is a distance to go */
	SPECIAL = 64, /* see the code */
};

/* clang-format off */
#define A4(x) x, x, x, x
#define A8(x) A4(x), A4(x)
#define A16(x) A8(x), A8(x)
#define ALU A4(RM), I1, IZ, NO, NO
static const uint8_t one_byte[256] = {
	ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU,      /* 00 - 3f */
	A16(NO), A16(BARE),                          /* 40 - 5f */
	NO, NO, NO, RM, NO, NO, NO, NO,              /* 60 */
	IZ, RM | IZ, I1, RM | I1, A4(BARE),
	A16(I1 | REL),                               /* 70 */
	RM | I1, RM | IZ, NO, RM | I1, A4(RM), A8(RM), /* 80 */
	A8(BARE), BARE, BARE, NO, A4(BARE), BARE,    /* 90 */
	A4(SPECIAL), A4(BARE), I1, IZ, A4(BARE), BARE, BARE, /* a0 */
	A8(I1), A8(SPECIAL),                         /* b0 */
	RM | I1, RM | I1, I2, BARE, NO, NO, RM | I1, RM | IZ, /* c0 */
	I2 | I1, BARE, I2, BARE, BARE, I1, NO, BARE,
	A4(RM), NO, NO, NO, BARE, A8(RM),            /* d0 */
	A4(I1 | REL), A4(I1), IZ | REL, IZ | REL, NO, I1 | REL, A4(BARE), /* e0 */
	NO, BARE, NO, NO, BARE, BARE, SPECIAL, SPECIAL, /* f0 */
	A4(BARE), BARE, BARE, RM, RM,
};

static const uint8_t two_bytes[256] = {
	RM, RM, RM, RM, NO, BARE, BARE, BARE,        /* 00 */
	BARE, BARE, NO, BARE, NO, RM, NO, NO,
	A16(RM),                                     /* 10 */
	A8(RM), A8(RM),                              /* 20 */
	A4(BARE), BARE, BARE, NO, BARE, A8(NO),      /* 30 */
	A16(RM),                                     /* 40 */
	A16(RM), A16(RM),                            /* 50, 60 */
	A4(RM | I1), RM, RM, RM, BARE, A8(RM),       /* 70 */
	A16(IZ | REL),                               /* 80 */
	A16(RM),                                     /* 90 */
	BARE, BARE, BARE, RM, RM | I1, RM, NO, NO,   /* a0 */
	BARE, BARE, BARE, RM, RM | I1, RM, RM, RM,
	A8(RM), RM, RM, RM | I1, RM, A4(RM),         /* b0 */
	RM, RM, RM | I1, RM, RM | I1, RM | I1, RM | I1, RM, A8(BARE), /* c0 */
	A16(RM), A16(RM), A16(RM),                   /* d0 - f0 */
};
/* clang-format on */

struct reading {
	const uint8_t *at;
	bool narrow, relative; /* 16 bits; to the code */
	uint8_t rex, opcode, reg;
	enum form form;
	enum lm_insn_kind kind;
};

static void read_prefixes(struct reading *in)
{
	for (int i = 0; i < LONGEST; i++, in->at++)
		switch (*in->at) {
		case 0x66:
			in->narrow = true;
			break;
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x26:
		case 0x64:
		case 0x65:
		case 0xf0:
		case 0xf2:
		case 0xf3:
			break;
		default:
			if ((*in->at & 0xf0) == 0x40)
				in->rex = *in->at++;
			return;
		}
}

/* Of maps 1 (0f), 2 (0f 38) and 3 (0f 3a). */
static enum form of_map(unsigned map, uint8_t opcode)
{
	if (map == 1)
		return two_bytes[opcode];
	return map == 3 ? RM | I1 : map == 2 || map == 5 || map == 6 ? RM : NO;
}

static void read_opcode(struct reading *in)
{
	unsigned map = 0;

	switch (*in->at) {
	case 0xc5: /* VEX */
		map = 1;
		in->at += 2;
		break;
	case 0xc4:
		map = in->at[1] & 31;
		in->at += 3;
		break;
	case 0x62: /* EVEX */
		map = in->at[1] & 7;
		in->at += 4;
		break;
	case 0x0f:
		map = in->at[1] == 0x38 ? 2 : in->at[1] == 0x3a ? 3 : 1;
		in->at += map == 1 ? 1 : 2;
		break;
	}
	in->opcode = *in->at++;
	in->form = map ? of_map(map, in->opcode) : one_byte[in->opcode];
	in->kind = LM_INSN_PLAIN;
	if ((map == 0 && in->opcode == 0x90 && !(in->rex & 1)) ||
	    (map == 1 && in->opcode == 0x1f))
		in->kind = LM_INSN_FILL;
	if (map == 1 && (in->opcode == 0x05 || in->opcode == 0x0b))
		in->kind = LM_INSN_OTHER; /* syscall, ud2 */
	if (map || in->form & REL)
		return;
	switch (in->opcode) {
	case 0xc2: /* returns */
	case 0xc3:
	case 0xca:
	case 0xcb:
	case 0xcc: /* int3, int, iret, hlt */
	case 0xcd:
	case 0xcf:
	case 0xf4:
		in->kind = LM_INSN_OTHER;
		break;
	case 0xff: /* call, call far, jmp, jmp far */
		in->reg = *in->at >> 3 & 7;
		if (in->reg >= 2 && in->reg <= 5)
			in->kind =
				in->reg < 4 ? LM_INSN_OTHER : LM_INSN_INDIRECT;
		break;
	case 0xf6: /* test has a number, not, neg, mul, ... have none */
		in->form = (*in->at >> 3 & 7) < 2 ? RM | I1 : RM;
		break;
	case 0xf7:
		in->form = (*in->at >> 3 & 7) < 2 ? RM | IZ : RM;
		break;
	}
}

static void read_operands(struct reading *in)
{
	uint8_t mod = *in->at >> 6, rm = *in->at & 7;

	if (in->form & RM) {
		in->at++;
		if (mod == 0 && rm == 5) {
			in->relative = true;
			mod = 2;
		} else if (mod != 3 && rm == 4 && (*in->at++ & 7) == 5 &&
			   mod == 0) {
			mod = 2;
		}
		in->at += mod == 1 ? 1 : mod == 2 ? 4 : 0;
	}
	if (in->form & I1)
		in->at += 1;
	if (in->form & I2)
		in->at += 2;
	if (in->form & IZ) /* branches have four in any case */
		in->at += in->narrow && !(in->form & REL) ? 2 : 4;
	if (in->form == SPECIAL && in->opcode < 0xb0)
		in->at += 8; /* an address */
	else if (in->form == SPECIAL)
		in->at += in->rex & 8 ? 8 : in->narrow ? 2 : 4;
}

int lm_decode(const uint8_t *at, const uint8_t *end, struct lm_insn *insn)
{
	uint8_t last[READ] = { 0 };
	const uint8_t *bytes = at;
	struct reading in = { 0 };
	int32_t far;

	if (at >= end)
		return -1;
	if (end - at < READ)
		bytes = memcpy(last, at, (size_t)(end - at));
	in.at = bytes;
	read_prefixes(&in);
	if (in.at > bytes + LONGEST - 5)
		return -1;
	read_opcode(&in);
	if (in.form == NO)
		return -1;
	read_operands(&in);
	insn->len = (size_t)(in.at - bytes);
	if (insn->len > LONGEST || insn->len > (size_t)(end - at))
		return -1;
	insn->kind = in.kind == LM_INSN_PLAIN && in.relative ? LM_INSN_RELATIVE
							     : in.kind;
	insn->target = NULL;
	if (in.form & REL) {
		if (in.form & I1)
			far = (int8_t)in.at[-1];
		else
			memcpy(&far, in.at - 4, sizeof(far));
		insn->kind = LM_INSN_BRANCH;
		insn->target = at + insn->len + far;
	}
	return 0;
}

#endif
