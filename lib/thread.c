/*
 * thread.c -- see thread.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "thread.h"

#include "meta.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#define STACK ((size_t)128 * 1024)

#if LM_THREAD_RAW

/* Thread-local variables of libraries lie below the thread pointer, and those
 * that a thread of ours may touch are lazymap's and errno. */
#define TLS_MORE ((size_t)64 * 1024)

static __thread char ours __attribute__((tls_model("initial-exec")));

/* What code looks for at the thread pointer (the ABI's, and glibc's): itself,
 * twice, and the secrets of the stack's and of pointers' protection. */
struct head {
	struct head *self;
	void *vector;
	struct head *again;
	uint64_t flags, system, stack_guard, pointer_guard;
};

static const struct head *head_here(void)
{
	const struct head *head;

	__asm__("mov %%fs:0, %0" : "=r"(head));
	return head;
}

static size_t below(const struct head *head, const void *variable)
{
	return (uintptr_t)head - (uintptr_t)variable;
}

/* A page that is never there, the stack, what is thread-local, the head. */
static int prepare(struct lm_thread *thread)
{
	const struct head *head = head_here();
	size_t most = lm_max(below(head, &ours), below(head, &errno));

	if (thread->memory)
		return 0;
	thread->tls = lm_page_up(most) + TLS_MORE;
	thread->memory =
		(uintptr_t)lm_meta_run(LM_PAGE + STACK + thread->tls + LM_PAGE);
	if (!thread->memory)
		return -ENOMEM;
	lm_os_mprotect(thread->memory, LM_PAGE, PROT_NONE);
	return 0;
}

static long make(uintptr_t stack, struct head *tls, _Atomic uint32_t *cleared,
		 void (*work)(void))
{
	register _Atomic uint32_t *r10 __asm__("r10") = cleared;
	register struct head *r8 __asm__("r8") = tls;
	register void (*r9)(void) __asm__("r9") = work;
	long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		     CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
		     CLONE_CHILD_CLEARTID;
	long ret;

	/* What the new thread has in its registers is this one's. */
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%%r9\n\t"
			 "xor %%edi, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "0"((long)SYS_clone), "D"(flags), "S"(stack),
			   "d"(0L), "r"(r10), "r"(r8),
			   "r"(r9), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "cc", "memory");
	return ret;
}

int lm_thread_start(struct lm_thread *thread, void (*work)(void))
{
	int ret = prepare(thread);
	struct head *head;
	uintptr_t stack;
	long made;

	if (ret)
		return ret;
	stack = thread->memory + LM_PAGE + STACK;
	head = (struct head *)(stack + thread->tls);
	*head = *head_here();
	head->self = head->again = head;
	head->vector = NULL;
	atomic_store(&thread->alive, 1);
	made = make(stack, head, &thread->alive, work);
	if (made < 0)
		atomic_store(&thread->alive, 0);
	thread->id = made > 0 ? (int)made : 0;
	return made < 0 ? (int)made : 0;
}

#else

struct job {
	struct lm_thread *thread;
	void (*work)(void);
};

static void *begin(void *data)
{
	struct job job = *(struct job *)data;

	lm_meta_free_run(data, LM_PAGE);
	job.work();
	atomic_store(&job.thread->alive, 0);
	lm_sys(SYS_futex, &job.thread->alive, FUTEX_WAKE, INT32_MAX);
	return NULL;
}

int lm_thread_start(struct lm_thread *thread, void (*work)(void))
{
	struct job *job = lm_meta_run(LM_PAGE);
	pthread_attr_t attr;
	pthread_t id;
	int ret;

	if (!job)
		return -ENOMEM;
	*job = (struct job){ thread, work };
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	atomic_store(&thread->alive, 1);
	ret = pthread_create(&id, &attr, begin, job);
	pthread_attr_destroy(&attr);
	if (!ret)
		return 0;
	atomic_store(&thread->alive, 0);
	lm_meta_free_run(job, LM_PAGE);
	return -ret;
}

#endif

/* It uses its memory no more some moments before it is none of the process's
 * threads; longer ones, where it waits for a processor on which others run. The
 * end is for a number that a new thread has been given. */
static void wait_until_gone(int id)
{
	const struct timespec moment = { .tv_nsec = 100000 };
	int self = (int)lm_sys(SYS_getpid);

	for (int i = 0; id && i < 20000; i++) {
		if (lm_sys(SYS_tgkill, self, id, 0) < 0)
			return;
		if (i < 20)
			lm_sys(SYS_sched_yield);
		else
			lm_sys(SYS_nanosleep, &moment, NULL);
	}
}

void lm_thread_join(struct lm_thread *thread)
{
	/* Not a private futex: the kernel wakes it as one that may be shared. */
	while (atomic_load(&thread->alive))
		lm_sys(SYS_futex, &thread->alive, FUTEX_WAIT, 1, NULL);
	wait_until_gone(thread->id);
}
