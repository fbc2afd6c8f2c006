/*
 * clone.c -- a hooked clone or clone3. See clone.h.
 *
 * The maker goes on behind the call by the frame that it has here. The child has
 * none: what it is to have in its registers, and where it goes on, is put on its
 * own stack before, below where it begins. The call itself is made from here, with
 * arguments that may have changed.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "clone.h"

#include "copy.h"
#include "hook.h"
#include "raw.h"
#include "stub.h"

static const struct lm_clone_ops *ops; /* immutable once hooks are there */

void lm_clone_by(const struct lm_clone_ops *by)
{
	ops = by;
}

bool lm_clone_wanted(long nr)
{
	return ops && (nr == SYS_clone || nr == SYS_clone3);
}

#if LM_HOOKS

/* What the child takes from its stack; the assembly knows the order, and takes
 * the part from `regs` on from the maker's stack. */
struct child {
	void *data;
	/* rdi, rsi, rdx, r10, r8, r9, rbp; where it goes on. */
	uintptr_t regs[8];
};

#define RED_ZONE ((uintptr_t)128)
_Static_assert(sizeof(struct child) + RED_ZONE == LM_CLONE_STACK &&
		       LM_CLONE_STACK == 200 &&
		       LM_CLONE_OWN * sizeof(uint64_t) == 256 - 112,
	       "known to the assembly");

static long slow_prepare(long call, long b, long c)
{
	(void)b, (void)c;
	ops->prepare((struct lm_clone_call *)call);
	return 0;
}

static long slow_made(long data, long own, long result)
{
	ops->made((void *)data, (uint64_t *)own, result);
	return 0;
}

static long slow_begin(long data, long b, long c)
{
	(void)b, (void)c;
	ops->begin((void *)data);
	return 0;
}

/* 0: the program's own instruction makes it. 1: it is made, and args[0] is what it
 * returns. Else the child's data: it is to be made. `own`: the maker's. */
uintptr_t lm_clone_before(long nr, long args[6], const uintptr_t regs[8],
			  uint64_t *own) __attribute__((visibility("hidden")));
long lm_clone_after(long result, void *data, uint64_t *own)
	__attribute__((visibility("hidden")));
void lm_clone_child(void *data) __attribute__((visibility("hidden")));

uintptr_t lm_clone_before(long nr, long args[6], const uintptr_t regs[8],
			  uint64_t *own)
{
	struct lm_clone_call call = { .nr = nr, .args = args, .own = own };
	struct child child;

	lm_hook_keeping_vectors(slow_prepare, (long)&call, 0, 0);
	if (call.done) {
		args[0] = call.result;
		return 1;
	}
	if (!call.data)
		return 0;
	child.data = call.data;
	for (int i = 0; i < 8; i++)
		child.regs[i] = regs[i];
	if (lm_copy_out(call.top - RED_ZONE - sizeof(child), &child,
			sizeof(child)) == 0)
		return (uintptr_t)call.data;
	/* On a stack that cannot be written to it cannot begin. */
	lm_hook_keeping_vectors(slow_made, (long)call.data, (long)own, -1);
	return 0;
}

long lm_clone_after(long result, void *data, uint64_t *own)
{
	lm_hook_keeping_vectors(slow_made, (long)data, (long)own, result);
	return result;
}

void lm_clone_child(void *data)
{
	lm_hook_keeping_vectors(slow_begin, (long)data, 0, 0);
}

/*
 * %r11: the stub. The frame, below the red zone: where to go on, %rbp (which points
 * to it), the arguments; the same again, which may change; the number, and what
 * lm_clone_before() says; what is its own.
 */
__asm__(".text\n.balign 16\n.hidden lm_clone_enter\n.globl lm_clone_enter\n"
	".hidden lm_clone_before\n.hidden lm_clone_after\n"
	".hidden lm_clone_child\n"
	".type lm_clone_enter,@function\n"
	"lm_clone_enter:\n"
	".cfi_startproc\n"
	".cfi_def_cfa rsp, 0\n"
	".cfi_undefined rip\n"
	"movslq 40(%r11), %rax\n"
	/* clang-format off */
	LM_STUB_FRAME
	LM_STUB_PUSH
	LM_STUB_PUSH
	/* clang-format on */
	"push %rax\n"
	"push %rax\n"
	"lea -96(%rbp), %rsi\n"
	"lea -48(%rbp), %rdx\n"
	"lea -256(%rbp), %rcx\n"
	"mov %rcx, %rsp\n"
	"mov %rax, %rdi\n"
	"and $-16, %rsp\n"
	"call lm_clone_before\n"
	"mov %rax, -112(%rbp)\n"
	"cmp $1, %rax\n"
	"jb 2f\n"
	"je 3f\n"
	"lea -96(%rbp), %rsp\n"
	/* clang-format off */
	LM_STUB_POP
	/* clang-format on */
	"lea -256(%rbp), %rsp\n"
	"mov -104(%rbp), %rax\n"
	"syscall\n"
	"test %rax, %rax\n"
	"jz 4f\n"
	"mov %rax, %rdi\n"
	"mov -112(%rbp), %rsi\n"
	"mov %rsp, %rdx\n"
	"and $-16, %rsp\n"
	"call lm_clone_after\n"
	"jmp 1f\n"
	"3:\n"
	"mov -96(%rbp), %rax\n"
	"1:\n"
	"lea -48(%rbp), %rsp\n"
	/* clang-format off */
	LM_STUB_POP
	/* clang-format on */
	"pop %rbp\n"
	"pop %rcx\n"
	"lea 128(%rsp), %rsp\n"
	"jmp *%rcx\n"
	"2:\n"
	"mov -104(%rbp), %rax\n"
	"lea -48(%rbp), %rsp\n"
	/* clang-format off */
	LM_STUB_POP
	/* clang-format on */
	"pop %rbp\n"
	"pop %rcx\n"
	"lea 128(%rsp), %rsp\n"
	"sub $2, %rcx\n"
	"jmp *%rcx\n"
	".cfi_endproc\n"
	/* The child, where its stack begins. */
	".cfi_startproc\n"
	".cfi_def_cfa rsp, 0\n"
	".cfi_undefined rip\n"
	"4:\n"
	"lea -200(%rsp), %rsp\n"
	".cfi_def_cfa rsp, 200\n"
	"mov %rsp, %rbp\n"
	".cfi_def_cfa rbp, 200\n"
	"mov (%rbp), %rdi\n"
	"and $-16, %rsp\n"
	"call lm_clone_child\n"
	"lea 8(%rbp), %rsp\n"
	/* clang-format off */
	LM_STUB_POP
	/* clang-format on */
	"pop %rbp\n"
	"pop %rcx\n"
	".cfi_def_cfa rsp, 128\n"
	"lea 128(%rsp), %rsp\n"
	".cfi_def_cfa rsp, 0\n"
	"xor %eax, %eax\n"
	"jmp *%rcx\n"
	".cfi_endproc\n"
	".size lm_clone_enter, .-lm_clone_enter\n");

#endif
