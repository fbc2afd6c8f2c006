/*
 * decode.h -- where an x86-64 instruction ends, and where it may lead.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_DECODE_H
#define LM_SYSCALL_DECODE_H

#include <stddef.h>
#include <stdint.h>

enum lm_insn_kind {
	LM_INSN_PLAIN,    /* does the same wherever it stands */
	LM_INSN_FILL,     /* does nothing: what stands between functions */
	LM_INSN_RELATIVE, /* reads or names memory relative to where it is */
	LM_INSN_BRANCH,   /* jumps, perhaps, or calls: to the target */
	LM_INSN_INDIRECT, /* jumps to where a register or memory says */
	LM_INSN_OTHER,    /* calls by a register, returns, enters the kernel */
};

struct lm_insn {
	size_t len;
	enum lm_insn_kind kind;
	const uint8_t *target; /* of a branch */
};

/* Look at the instruction at `at`, which ends before `end`. 0, or -1: it is
 * none that compilers make. */
int lm_decode(const uint8_t *at, const uint8_t *end, struct lm_insn *insn);

#endif
