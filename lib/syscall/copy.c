/*
 * copy.c -- reading memory that may not be there. See copy.h.
 *
 * The kernel has the same problem and the same answer: one instruction that may
 * fault, and a table (here: one row) of where to go on when it does. Asking the
 * kernel to copy (process_vm_readv) costs more than most system calls.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "copy.h"

#include "../os.h"
#include "../trap/trap.h"

#include <string.h>
#include <sys/uio.h>

#if defined(__x86_64__)
int lm_copy_bytes(void *to, uintptr_t from, size_t len);
extern const char lm_copy_at[], lm_copy_failed[];
__asm__(".text\n.balign 16\n"
	".hidden lm_copy_bytes\n.globl lm_copy_bytes\n"
	".hidden lm_copy_at\n.globl lm_copy_at\n"
	".hidden lm_copy_failed\n.globl lm_copy_failed\n"
	".type lm_copy_bytes,@function\n"
	"lm_copy_bytes:\n"
	".cfi_startproc\n"
	"mov %rdx, %rcx\n"
	"lm_copy_at:\n"
	"rep movsb\n"
	"xor %eax, %eax\n"
	"ret\n"
	"lm_copy_failed:\n"
	"mov $-14, %eax\n" /* -EFAULT; of lm_copy_touch(), too */
	"ret\n"
	".cfi_endproc\n"
	".size lm_copy_bytes, .-lm_copy_bytes\n");

int lm_copy_fault(uintptr_t *pc)
{
	if (*pc != (uintptr_t)lm_copy_at && *pc != (uintptr_t)lm_copy_touch)
		return 0;
	*pc = (uintptr_t)lm_copy_failed;
	return 1;
}

/* Of no use to anybody else who may have something there: no change. */
__asm__(".text\n.balign 16\n"
	".hidden lm_copy_touch\n.globl lm_copy_touch\n"
	".type lm_copy_touch,@function\n"
	"lm_copy_touch:\n"
	".cfi_startproc\n"
	"lock orb $0, (%rdi)\n"
	"xor %eax, %eax\n"
	"ret\n"
	".cfi_endproc\n"
	".size lm_copy_touch, .-lm_copy_touch\n");

static int by_instruction(void *to, uintptr_t from, size_t len)
{
	return lm_copy_bytes(to, from, len);
}
#define BY_INSTRUCTION 1
#else
int lm_copy_fault(uintptr_t *pc)
{
	(void)pc;
	return 0;
}

int lm_copy_touch(uintptr_t at)
{
	(void)at;
	return 0;
}

static int by_instruction(void *to, uintptr_t from, size_t len)
{
	(void)to, (void)from, (void)len;
	return -ENOSYS;
}
#define BY_INSTRUCTION 0
#endif

/* Where faults do not come to us (the trap `none`). */
static int by_kernel(long nr, void *ours, uintptr_t theirs, size_t len)
{
	struct iovec mine = { ours, len }, other = { (void *)theirs, len };
	long ret = lm_sys(nr, lm_sys(SYS_getpid), &mine, 1, &other, 1, 0);

	return ret == (long)len ? 0 : -EFAULT;
}

static bool possible(uintptr_t at, size_t len)
{
	return !(at >> LM_ADDRESS_BITS) &&
	       len <= ((uintptr_t)1 << LM_ADDRESS_BITS) - at;
}

int lm_copy(void *to, uintptr_t from, size_t len)
{
	if (!possible(from, len))
		return -EFAULT;
	if (BY_INSTRUCTION && lm_trap_installed())
		return by_instruction(to, from, len);
	return by_kernel(SYS_process_vm_readv, to, from, len);
}

int lm_copy_out(uintptr_t to, const void *from, size_t len)
{
	if (!possible(to, len))
		return -EFAULT;
	if (BY_INSTRUCTION && lm_trap_installed())
		return by_instruction((void *)to, (uintptr_t)from, len);
	return by_kernel(SYS_process_vm_writev, (void *)from, to, len);
}
