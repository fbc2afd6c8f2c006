/*
 * made.c -- from a stub to the system call, where it is one that an interposed
 * function has seen to. See made.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "made.h"

#include "stub.h"

#include <stddef.h>

__thread struct lm_made lm_made;

#if LM_HOOKS

_Static_assert(offsetof(struct lm_made, within) == 0 &&
		       offsetof(struct lm_made, changes) == 8 &&
		       offsetof(struct lm_made, nr) == 16 &&
		       offsetof(struct lm_made, args) == 24,
	       "known to the assembly");
_Static_assert(LM_STUB_SHIMS == 2 && LM_STUB_ALWAYS == 4,
	       "known to the assembly");

/*
 * %r11: the stub; %rcx is lost, and there is no stack to use. On to `other` unless it
 * is lm_made_is(). `number` compares the call's with the one at 16(%rcx); a task that
 * may have a thread's variables is left to C.
 */
#define UNLESS_MADE(number, other)                                             \
	"mov lm_made@gottpoff(%rip), %rcx\n"                                   \
	"cmp %rsp, %fs:(%rcx)\n"                                               \
	"jbe " other "\n" number "jne " other "\n"                             \
	"cmp %fs:32(%rcx), %rsi\n"                                             \
	"jne " other "\n"                                                      \
	"cmp %fs:40(%rcx), %rdx\n"                                             \
	"jne " other "\n"                                                      \
	"cmp %fs:24(%rcx), %rdi\n"                                             \
	"jne " other "\n"                                                      \
	"mov %fs:8(%rcx), %rcx\n"                                              \
	"cmp %rcx, lm_map_changes(%rip)\n"                                     \
	"jne " other "\n"                                                      \
	"cmpl $0, lm_own_tasks(%rip)\n"                                        \
	"jne " other "\n"
#define BEGIN(name)                                                            \
	".balign 16\n"                                                         \
	".hidden " name "\n.globl " name "\n"                                  \
	".type " name ",@function\n" name ":\n"                                \
	".cfi_startproc\n"                                                     \
	".cfi_def_cfa rsp, 0\n"                                                \
	".cfi_undefined rip\n"
#define END(name)                                                              \
	".cfi_endproc\n"                                                       \
	".size " name ", .-" name "\n"

/* clang-format off */
__asm__(".section .text.hot,\"ax\",@progbits\n.balign 64\n"
	".hidden lm_made\n.hidden lm_map_changes\n.hidden lm_own_tasks\n"
	".hidden lm_hook_enter\n.hidden lm_hook_enter_any\n"
	".hidden lm_hook_enter_read\n"
	BEGIN("lm_made_enter")
	"testb $4, 44(%r11)\n"
	"jnz lm_hook_enter\n"
	UNLESS_MADE("movslq 40(%r11), %rax\n"
		    "cmp %fs:16(%rcx), %rax\n", "lm_hook_enter")
	"jmp *32(%r11)\n"
	END("lm_made_enter")
	/* The number is in %rax. Where the program's own calls are looked at
	 * whatever their arguments are, as well. */
	BEGIN("lm_made_enter_any")
	"testb $2, 44(%r11)\n"
	"jnz lm_hook_enter_any\n"
	UNLESS_MADE("cmp %fs:16(%rcx), %rax\n", "lm_hook_enter_any")
	"jmp *32(%r11)\n"
	END("lm_made_enter_any")
	/* A function, from its first instruction on: 0 is read's number. */
	".balign 16\n"
	".hidden lm_made_enter_read\n.globl lm_made_enter_read\n"
	".type lm_made_enter_read,@function\n"
	"lm_made_enter_read:\n"
	".cfi_startproc\n"
	UNLESS_MADE("cmpq $0, %fs:16(%rcx)\n", "lm_hook_enter_read")
	"lea 13(%r11), %rax\n"
	"jmp *%rax\n"
	END("lm_made_enter_read")
	".text\n");
/* clang-format on */

#endif
