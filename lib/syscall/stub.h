/*
 * stub.h -- what the jumps of hooked system calls lead to: code near the text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_STUB_H
#define LM_SYSCALL_STUB_H

#include "site.h"

/* What the way from a stub has to know; hook.c's assembly does. */
#define LM_STUB_NESTED 1 /* look whatever the arguments are */
#define LM_STUB_SHIMS 2  /* a call of lm_table_shims() is the program's */
#define LM_STUB_ALWAYS 4 /* it is one, or exec's: even where nothing is lazy */
#define LM_STUB_SMALL 8  /* of the stack only what the call needs is there */
#define LM_STUB_OWN 16   /* the C library's own, about signals */

/* A frame of %rbp below the red zone, the return address in it (behind the system
 * call) to return to and for unwinders; the arguments, as an array on the stack, and
 * back. %r11: the stub; %rcx is lost. */
#define LM_STUB_FRAME                                                          \
	"mov 32(%r11), %rcx\n"                                                 \
	"add $2, %rcx\n"                                                       \
	"lea -128(%rsp), %rsp\n"                                               \
	".cfi_def_cfa rsp, 128\n"                                              \
	"push %rcx\n"                                                          \
	".cfi_def_cfa rsp, 136\n"                                              \
	".cfi_offset rip, -136\n"                                              \
	"push %rbp\n"                                                          \
	".cfi_def_cfa rsp, 144\n"                                              \
	".cfi_offset rbp, -144\n"                                              \
	"mov %rsp, %rbp\n"                                                     \
	".cfi_def_cfa_register rbp\n"
#define LM_STUB_PUSH                                                           \
	"push %r9\n"                                                           \
	"push %r8\n"                                                           \
	"push %r10\n"                                                          \
	"push %rdx\n"                                                          \
	"push %rsi\n"                                                          \
	"push %rdi\n"
#define LM_STUB_POP                                                            \
	"pop %rdi\n"                                                           \
	"pop %rsi\n"                                                           \
	"pop %rdx\n"                                                           \
	"pop %r10\n"                                                           \
	"pop %r8\n"                                                            \
	"pop %r9\n"

/* The stubs of one object. */
struct lm_stubs {
	uintptr_t block;
	size_t size; /* 0: none */
};

/*
 * Make stubs for the sites of the object that begins at `object`, and turn the
 * sites into jumps to them: nobody else may be running there. Where they are many
 * and all in `text` (NULL: not so), that is writable meanwhile, if it may be; else
 * by way of `memory`, a descriptor of /proc/self/mem. Returns how many are hooked,
 * or -errno: none.
 */
int lm_stub_make(uintptr_t object, const struct lm_text *text,
		 const struct lm_sites *sites, int memory,
		 struct lm_stubs *made);

/* The object is gone. */
void lm_stub_free(const struct lm_stubs *stubs);

#endif
