/*
 * raw.h -- system calls in the ways in which programs make them without the C
 * library's functions: results are the kernel's own, >= 0 or -errno.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RAW_H
#define RAW_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's struct sigaction. */
struct raw_action {
	void *handler;
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

#define RAW_RESTORER 0x04000000ul

enum raw_way {
	RAW_LIBC,   /* syscall() */
	RAW_MOV,    /* mov $nr, %eax; syscall */
	RAW_LONG,   /* mov $nr, %rax; syscall */
	RAW_WINDOW, /* the number is in another register */
	RAW_GO,     /* as Go has it */
	RAW_STACK,  /* the number is on the stack */
	RAW_WAYS,
};

static enum raw_way way;

#ifdef __x86_64__
void raw_restorer(void);
long raw_window(long nr, long a, long b, long c, long d, long e, long f);
long raw_stack(long nr, long a, long b, long c, long d, long e, long f);
long raw_go(long nr, long a, long b, long c, long d, long e, long f);
__asm__(".text\n.globl raw_restorer\n.type raw_restorer,@function\n"
	"raw_restorer:\n"
	"mov $15, %rax\n"
	"syscall\n"
	".size raw_restorer, .-raw_restorer\n"
	".balign 16\n.globl raw_window\n.type raw_window,@function\n"
	"raw_window:\n"
	".cfi_startproc\n"
	"mov %rdi, %r11\n"
	"mov %rsi, %rdi\n"
	"mov %rdx, %rsi\n"
	"mov %rcx, %rdx\n"
	"mov %r8, %r10\n"
	"mov %r9, %r8\n"
	"mov 8(%rsp), %r9\n"
	"xchg %rdi, %rdi\n"
	"mov %r11, %rax\n"
	"syscall\n"
	"ret\n"
	".cfi_endproc\n"
	".size raw_window, .-raw_window\n"
	".balign 16\n.globl raw_stack\n.type raw_stack,@function\n"
	"raw_stack:\n"
	"push %rdi\n"
	"push %rdi\n"
	"mov %rsi, %rdi\n"
	"mov %rdx, %rsi\n"
	"mov %rcx, %rdx\n"
	"mov %r8, %r10\n"
	"mov %r9, %r8\n"
	"mov 24(%rsp), %r9\n"
	"mov 8(%rsp), %rax\n"
	"syscall\n"
	"add $16, %rsp\n"
	"ret\n"
	".size raw_stack, .-raw_stack\n"
	/* Its own convention: %rax, %rbx, %rcx, %rdi, %rsi, %r8, %r9. */
	".balign 16\n.globl raw_go\n.type raw_go,@function\n"
	"raw_go:\n"
	"push %rbx\n"
	"mov %rdi, %rax\n"
	"mov %rsi, %rbx\n"
	"xchg %rdx, %rcx\n"
	"mov %rdx, %rdi\n"
	"mov %r8, %rsi\n"
	"mov %r9, %r8\n"
	"mov 16(%rsp), %r9\n"
	"mov %rsi, %r10\n"
	"mov %rdi, %rdx\n"
	"mov %rcx, %rsi\n"
	"mov %rbx, %rdi\n"
	"syscall\n"
	"pop %rbx\n"
	"ret\n"
	".size raw_go, .-raw_go\n");

#define RAW_BODY(mov)                                                          \
	register long r10 __asm__("r10") = d;                                  \
	register long r8 __asm__("r8") = e;                                    \
	register long r9 __asm__("r9") = f;                                    \
	long ret;                                                              \
                                                                               \
	__asm__ volatile(mov "\n\tsyscall"                                     \
			 : "=a"(ret)                                           \
			 : "i"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), \
			   "r"(r9)                                             \
			 : "rcx", "r11", "memory");                            \
	return ret

#define RAW_NUMBERS(x)                                                         \
	x(rt_sigaction) x(rt_sigprocmask) x(sigaltstack) x(rt_sigsuspend)      \
		x(ppoll) x(pselect6) x(epoll_pwait) x(epoll_pwait2)            \
			x(rt_sigtimedwait) x(rt_sigpending) x(signalfd)        \
				x(signalfd4) x(execve) x(read)                 \
					x(io_uring_setup) x(io_uring_enter)    \
						x(io_uring_register)

#define RAW_FUNCTIONS(name)                                                    \
	static __attribute__((noinline)) long raw_mov_##name(                  \
		long a, long b, long c, long d, long e, long f)                \
	{                                                                      \
		enum { nr = SYS_##name };                                      \
		RAW_BODY("movl %1, %%eax");                                    \
	}                                                                      \
	static __attribute__((noinline)) long raw_long_##name(                 \
		long a, long b, long c, long d, long e, long f)                \
	{                                                                      \
		enum { nr = SYS_##name };                                      \
		RAW_BODY(".byte 0x48, 0xc7, 0xc0\n\t.long %c1");               \
	}
/* clang-format off */
RAW_NUMBERS(RAW_FUNCTIONS)
/* clang-format on */

static long raw_known(long nr, long a, long b, long c, long d, long e, long f)
{
#define RAW_CASE(name)                                                         \
	case SYS_##name:                                                       \
		return way == RAW_MOV ? raw_mov_##name(a, b, c, d, e, f)       \
				      : raw_long_##name(a, b, c, d, e, f);
	switch (nr) {
		/* clang-format off */
	RAW_NUMBERS(RAW_CASE)
		/* clang-format on */
	}
	return -ENOSYS;
}

static long raw_call(long nr, long a, long b, long c, long d, long e, long f)
{
	switch (way) {
	case RAW_MOV:
	case RAW_LONG:
		return raw_known(nr, a, b, c, d, e, f);
	case RAW_WINDOW:
		return raw_window(nr, a, b, c, d, e, f);
	case RAW_GO:
		return raw_go(nr, a, b, c, d, e, f);
	case RAW_STACK:
		return raw_stack(nr, a, b, c, d, e, f);
	default:
		nr = syscall(nr, a, b, c, d, e, f);
		return nr == -1 ? -errno : nr;
	}
}
#define RAW_ACTION_FLAGS RAW_RESTORER
#else
#define raw_restorer NULL
#define RAW_ACTION_FLAGS 0ul
static long raw_call(long nr, long a, long b, long c, long d, long e, long f)
{
	nr = syscall(nr, a, b, c, d, e, f);
	return nr == -1 ? -errno : nr;
}
#endif

/* raw(nr, up to six arguments): missing ones are zero. */
#define RAW_(nr, a, b, c, d, e, f, ...)                                        \
	raw_call((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e),  \
		 (long)(f))
#define raw(...) RAW_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif
