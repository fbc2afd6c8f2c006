/*
 * raw.h -- system calls without libc: no errno, no interposition.
 *
 * The core is inside the same process as the shim that interposes mmap, read
 * and the rest; its own calls must never come back to the shim, and must not
 * touch errno inside a signal handler. Every call here returns the kernel's
 * own result: >= 0, or -errno. Async-signal-safe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_RAW_H
#define LM_SYSCALL_RAW_H

#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long lm_syscall6(long nr, long a, long b, long c, long d, long e,
			       long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long lm_syscall6(long nr, long a, long b, long c, long d, long e,
			       long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#include <errno.h>
#include <unistd.h>
static inline long lm_syscall6(long nr, long a, long b, long c, long d, long e,
			       long f)
{
	int saved = errno;
	long ret = syscall(nr, a, b, c, d, e, f);

	if (ret == -1)
		ret = -errno;
	errno = saved;
	return ret;
}
#endif

/* lm_sys(nr, up to six arguments): missing ones are zero. */
#define LM_SYS_(nr, a, b, c, d, e, f, ...)                                     \
	lm_syscall6((nr), (long)(a), (long)(b), (long)(c), (long)(d),          \
		    (long)(e), (long)(f))
#define lm_sys(...) LM_SYS_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif
