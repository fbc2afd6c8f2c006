/*
 * hook.h -- system calls that no interposed function makes: those inside the C
 * library itself, and other libraries' and the program's own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_HOOK_H
#define LM_SYSCALL_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LM_HOOKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LM_HOOKS 0
#endif
#endif
/* Are there any, in this build? */
#ifndef LM_HOOKS
#ifdef __x86_64__
#define LM_HOOKS 1
#else
#define LM_HOOKS 0
#endif
#endif

#if LM_HOOKS
/* Where stubs go on: assembly, not to be called. */
void lm_hook_enter(void) __attribute__((visibility("hidden")));
void lm_hook_enter_any(void) __attribute__((visibility("hidden")));
void lm_hook_enter_read(void) __attribute__((visibility("hidden")));
void lm_hook_enter_loaded(void) __attribute__((visibility("hidden")));
#endif

/*
 * Where code goes on whose stack may have room for the system call and little
 * more: a stack of this thread's, from its top. Not while the thread is on it
 * already, or on the other one, where the program's handlers may have
 * interrupted a call that is there; unless that is small, and handlers that
 * interrupt a call stay where it is. Sizes are 0 where there is none. The
 * assembly knows the offsets.
 */
struct lm_hook_stack {
	uintptr_t start, size, other, other_size, small, small_size;
};
extern __thread struct lm_hook_stack lm_hook_stack
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/*
 * Make the system calls in the text of every object that is loaded, now or by
 * dlopen later, pass through lm_call() when they name lazy memory. Once, while the process has one
 * thread; not async-signal-safe. 0, or -errno and nothing is changed:
 *   -ENOSYS  not on this architecture, or not in a build with a sanitizer,
 *   -EBUSY   the process has more than one thread already,
 *   -EPERM, -EACCES, -ENOMEM: the text cannot be written, or no executable
 *            memory can be had near it.
 */
int lm_hook_start(void);

/*
 * Who makes the program's own calls of lm_table_shims(), wherever they come
 * from: false if the kernel is to be asked as it is, or true and *result, the
 * kernel's own: >= 0 or -errno. And who tells a vfork child, which shares its
 * parent's memory. Async-signal-safe; may use vector registers.
 */
void lm_hook_shim(bool (*by)(long nr, const long args[6], long *result),
		  int (*in_vfork)(void));

/* What is called before each execve and execveat that is hooked, in whatever
 * object. The same. */
void lm_hook_exec(void (*before)(void));

/* How many are hooked; 0: not started. */
unsigned lm_hook_count(void);

/*
 * fn(a, b, c), with the vector registers afterwards as they were: for code that
 * the hooks reach, which is compiled to use none (see Makefile), on its way to
 * code that may. Async-signal-safe if fn is.
 */
long lm_hook_keeping_vectors(long (*fn)(long, long, long), long a, long b,
			     long c);

#endif
