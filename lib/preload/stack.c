/*
 * stack.c -- stacks for signals, and for threads.
 *
 * The kernel pushes a signal's frame without faulting lazy pages in. A program
 * may well run on lazy memory (coroutines on mmap'ed stacks), so every thread
 * has an alternate stack, on which lazymap's handler runs, and where the kernel
 * pushes the frames of the program's handlers (see handler.c). The program does
 * not see it: it reads back the one that it asked for, and its handlers run on
 * that; unless it is so small that what lazymap does for a system call of theirs
 * would have no room.
 *
 * Below it lies another one, for the hooks of system calls, where the thread's
 * own stack may have no room for them.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "handler.h"
#include "preload.h"
#include "signal.h"

#include "../bound.h"
#include "../lock.h"
#include "../os.h"
#include "../own.h"
#include "../syscall/copy.h"
#include "../syscall/hook.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* As many frames as signals can come at once. */
#define STACK_SIZE ((size_t)256 * 1024)
#define HOOK_STACK_SIZE ((size_t)64 * 1024)
/* A program's own that is at least as large is taken as it is: beside the frame
 * and what the program wants there has to be room for what lazymap does for a
 * call of the program's, which is 1.8 KiB where the hooks do the most of it on
 * their own stack (a first call through the dynamic linker wants as much), 5 KiB
 * elsewhere; and for a fault and its frame where frames stay. 8 KiB are
 * SIGSTKSZ. */
#define STACK_ENOUGH_HOOKED ((size_t)8 * 1024)
#define STACK_ENOUGH_MOVED ((size_t)16 * 1024)
#define STACK_ENOUGH ((size_t)32 * 1024)
#define STACK_LEAST ((size_t)2048)   /* MINSIGSTKSZ, as the kernel has it */
#define AUTODISARM ((int)(1u << 31)) /* SS_AUTODISARM, Linux 4.7 */
/* The part of a thread's own lazy stack on which it runs with all signals
 * blocked: its control block, thread-local storage, the C library's start. */
#define PINNED_TOP ((size_t)1024 * 1024)

/* A spare stack's first word, above the guard page. */
struct spare {
	struct spare *next;
};

static struct lm_lock lock;
static struct spare *spares; /* guarded by lock */
static _Atomic int wishes;   /* threads that have one */
static pthread_key_t key;    /* immutable after the start */

#define TLS __thread __attribute__((tls_model("initial-exec")))
static TLS struct {
	void *ours;    /* this thread's stack, or NULL */
	stack_t wish;  /* what the program asked for */
	int wished;    /* 0: nothing, or SS_DISABLE */
	int counted;   /* among the wishes */
	int too_small; /* for more than the handler's own frames */
	int on_loan;   /* it was asked for on ours: see ask_from_ours() */
} stacks;
#define MINE(what) (LM_OWN(stacks).what)

static void *take(void)
{
	uint64_t mask = lm_os_block_signals();
	struct spare *stack;
	uintptr_t at;

	lm_lock_take(&lock);
	stack = spares;
	if (stack)
		spares = stack->next;
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
	if (stack)
		return stack;
	at = lm_os_mmap(0, 2 * LM_PAGE + HOOK_STACK_SIZE + STACK_SIZE,
			PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (lm_os_failed(at))
		return NULL;
	/* Without a guard it is a stack all the same. */
	lm_os_mprotect(at, LM_PAGE, PROT_NONE);
	at += LM_PAGE + HOOK_STACK_SIZE;
	lm_os_mprotect(at, LM_PAGE, PROT_NONE);
	return (void *)(at + LM_PAGE);
}

static void give(void *stack)
{
	uint64_t mask = lm_os_block_signals();
	struct spare *spare = stack;

	lm_lock_take(&lock);
	spare->next = spares;
	spares = spare;
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
}

static int kernel_stack(const stack_t *new, stack_t *old)
{
	return (int)lm_sys(SYS_sigaltstack, new, old);
}

static void take_ours(void)
{
	MINE(ours) = take();
	if (!MINE(ours))
		return;
	LM_OWN(lm_hook_stack).start =
		(uintptr_t)MINE(ours) - LM_PAGE - HOOK_STACK_SIZE;
	LM_OWN(lm_hook_stack).size = HOOK_STACK_SIZE;
}

static int use_ours(int flags)
{
	stack_t stack = { .ss_sp = MINE(ours),
			  .ss_size = STACK_SIZE,
			  .ss_flags = flags };

	return MINE(ours) ? kernel_stack(&stack, NULL) : -ENOMEM;
}

static void begin_stack(void)
{
	stack_t now;

	if (MINE(ours) || kernel_stack(NULL, &now) < 0 ||
	    !(now.ss_flags & SS_DISABLE))
		return;
	take_ours();
	if (use_ours(0) < 0)
		return;
	/* To be told of the thread's end; not of the first one's. */
	if (key)
		pthread_setspecific(key, MINE(ours));
}

/* The first wish and the last change what the kernel knows of the program's
 * handlers. (A thread without a stack of its own, beside one with, has its
 * handlers run on ours: the kernel keeps one set of flags.) */
static void count_wish(int now)
{
	int before = MINE(counted);

	MINE(counted) = now;
	if (now && !before && !atomic_fetch_add(&wishes, 1))
		lm_signal_on_stack(true);
	else if (!now && before && atomic_fetch_sub(&wishes, 1) == 1)
		lm_signal_on_stack(false);
}

/* Other destructors may still touch lazy memory, or call again: last. */
static void end(void *stack)
{
	static const stack_t none = { .ss_flags = SS_DISABLE };
	static TLS int round;
	stack_t now;

	if (++round < PTHREAD_DESTRUCTOR_ITERATIONS) {
		pthread_setspecific(key, stack);
		return;
	}
	lm_robust_pin();
	if (kernel_stack(NULL, &now) == 0 && now.ss_sp == stack &&
	    kernel_stack(&none, NULL) < 0)
		return; /* in use, by a handler that ended the thread */
	MINE(ours) = NULL;
	LM_OWN(lm_hook_stack) = (struct lm_hook_stack){ 0 };
	give(stack);
	MINE(wished) = 0;
	count_wish(0);
}

/* The stack is the task's for good: who comes after it has it again. */
bool lm_stack_hand(struct lm_own_task *task, void *_Atomic *kept)
{
	struct lm_hook_stack *hooks = &LM_OWN_OF(task, lm_hook_stack);
	void *stack = atomic_load(kept);

	if (!stack)
		atomic_store(kept, stack = take());
	LM_OWN_OF(task, stacks).ours = stack;
	if (!stack)
		return false;
	hooks->start = (uintptr_t)stack - LM_PAGE - HOOK_STACK_SIZE;
	hooks->size = HOOK_STACK_SIZE;
	return true;
}

void lm_stack_begin(void)
{
	use_ours(0); /* is the task's, and nobody is on it: cannot fail */
}

bool lm_stack_asked(void)
{
	return atomic_load_explicit(&wishes, memory_order_relaxed) > 0;
}

static bool in_ours(uintptr_t at)
{
	return MINE(ours) && at - (uintptr_t)MINE(ours) < STACK_SIZE;
}

static bool on_ours(void)
{
	return in_ours((uintptr_t)__builtin_frame_address(0));
}

/* As the kernel looks at it: one that disarms itself nobody is on. */
static bool in_wish(uintptr_t at)
{
	return MINE(wished) && !(MINE(wish).ss_flags & AUTODISARM) &&
	       at > (uintptr_t)MINE(wish).ss_sp &&
	       at - (uintptr_t)MINE(wish).ss_sp <= MINE(wish).ss_size;
}

/* In a call of the program's from its small alternate stack, or in a handler
 * that interrupted one, and stays where it is: the next call would be made from
 * the top again. */
static bool on_hooks(uintptr_t at)
{
	return LM_OWN(lm_hook_stack).small_size &&
	       at - LM_OWN(lm_hook_stack).start < LM_OWN(lm_hook_stack).size;
}

/* Where the program's handlers run, the hooks have to know. A signal between two
 * of the steps would find, and put back as it returns, what is neither the old
 * stack nor the new one. `new` is not in lazy memory. */
static void set_wish(const stack_t *new)
{
	size_t size = new->ss_size;
	uintptr_t start = (uintptr_t) new->ss_sp;
	bool none = new->ss_flags &SS_DISABLE;
	uint64_t mask = lm_os_block_signals();

	MINE(wish) = *new;
	/* Who disarms it may leave a handler's frames where they are, and come
	 * back: only where nobody else runs. */
	MINE(too_small) = !none && !(MINE(wish).ss_flags & AUTODISARM) &&
			  size < (!LM_HANDLER_MOVES ? STACK_ENOUGH
				  : lm_hook_count() ? STACK_ENOUGH_HOOKED
						    : STACK_ENOUGH_MOVED);
	if (MINE(too_small)) {
		start = (uintptr_t)MINE(ours);
		size = MINE(ours) ? STACK_SIZE : 0;
	}
	LM_OWN(lm_hook_stack).other_size = LM_OWN(lm_hook_stack).small_size = 0;
	LM_OWN(lm_hook_stack).other = LM_OWN(lm_hook_stack).small = start;
	if (!none)
		LM_OWN(lm_hook_stack).other_size = size;
	if (!none && LM_HANDLER_MOVES && size < STACK_ENOUGH)
		LM_OWN(lm_hook_stack).small_size = size;
	MINE(wished) = !none;
	lm_os_restore_signals(mask);
}

/* Is the thread on its alternate stack, as the program sees it? */
static bool on_it(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	stack_t now;

	if (LM_HANDLER_MOVES)
		return in_wish(here) || in_ours(here) || on_hooks(here);
	return kernel_stack(NULL, &now) == 0 &&
	       here - (uintptr_t)now.ss_sp < now.ss_size;
}

/* -- The frames of handlers ------------------------------------------------------ */

uintptr_t lm_stack_for(uintptr_t sp, uintptr_t red_zone, bool alternate,
		       uintptr_t *bottom)
{
	/* The thread has none of ours, or the program is on it already. */
	if (!on_ours() || in_ours(sp))
		return 0;
	*bottom = in_wish(sp) ? (uintptr_t)MINE(wish).ss_sp : 0;
	if (!alternate || !MINE(wished) || in_wish(sp) || on_hooks(sp))
		return sp - red_zone;
	if (MINE(too_small))
		return 0;
	*bottom = (uintptr_t)MINE(wish).ss_sp;
	return *bottom + MINE(wish).ss_size;
}

uintptr_t lm_stack_for_return(uintptr_t at, uintptr_t *bottom)
{
	*bottom = (uintptr_t)MINE(ours);
	return !*bottom || in_ours(at) || on_ours() ? 0 : *bottom + STACK_SIZE;
}

/* In a frame: the kernel leaves "in use" to who asks. */
static stack_t framed(void)
{
	stack_t stack = { .ss_flags = SS_DISABLE };

	if (MINE(wished)) {
		stack = MINE(wish);
		stack.ss_flags &= AUTODISARM;
	}
	return stack;
}

bool lm_stack_show(stack_t *stack)
{
	if (!LM_HANDLER_MOVES || !MINE(ours) || stack->ss_sp != MINE(ours))
		return false;
	*stack = framed();
	if (MINE(wish).ss_flags & AUTODISARM)
		MINE(wished) = 0;
	return true;
}

/* Few handlers change it, and none of the others waits for the mask. */
void lm_stack_back(stack_t *stack)
{
	stack_t new = *stack, now = framed();

	if (new.ss_sp != now.ss_sp || new.ss_size != now.ss_size ||
	    new.ss_flags != now.ss_flags)
		set_wish(&new);
	*stack = (stack_t){ .ss_sp = MINE(ours), .ss_size = STACK_SIZE };
}

/* -- The program's wish ---------------------------------------------------------- */

/*
 * A handler that runs on ours, unasked, is on the thread's own stack for all
 * that the program knows, and may ask for another one. Ours stays in use: when
 * the handler returns the kernel goes back to the one it had when it began.
 */
static int ask_from_ours(const stack_t *new)
{
	int mode = new->ss_flags & ~AUTODISARM;

	if (mode && mode != SS_DISABLE && mode != SS_ONSTACK)
		return -EINVAL;
	if (mode != SS_DISABLE && new->ss_size < STACK_LEAST)
		return -ENOMEM;
	MINE(wish) = *new;
	MINE(wished) = MINE(on_loan) = mode != SS_DISABLE;
	count_wish(MINE(on_loan));
	return 0;
}

static stack_t seen(void)
{
	stack_t stack = { .ss_flags = SS_DISABLE };

	if (MINE(wished)) {
		stack = MINE(wish);
		stack.ss_flags &= AUTODISARM;
		if (!MINE(on_loan) && on_it())
			stack.ss_flags |= SS_ONSTACK;
	}
	return stack;
}

/* The kernel judges it. Signals that come meanwhile would find it there. */
static int judged(const stack_t *new)
{
	uint64_t mask;
	int ret;

	if (LM_HANDLER_MOVES && MINE(wished) &&
	    !(MINE(wish).ss_flags & AUTODISARM) && on_it())
		return -EPERM;
	mask = lm_os_block_signals();
	ret = kernel_stack(new, NULL);
	if (LM_HANDLER_MOVES && !ret)
		use_ours(0);
	lm_os_restore_signals(mask);
	return ret;
}

/* The kernel judges the program's own wish first; then it gets ours. */
static int ask(const stack_t *new)
{
	int ret = judged(new);

	if (ret == -EPERM && !LM_HANDLER_MOVES &&
	    (!MINE(wished) || MINE(on_loan)) && on_ours())
		return ask_from_ours(new);
	if (ret < 0)
		return ret;
	set_wish(new);
	count_wish(MINE(wished));
	if (LM_HANDLER_MOVES)
		return 0;
	if (!MINE(wished)) {
		use_ours(0);
		return 0;
	}
	if (MINE(too_small)) {
		if (!MINE(ours))
			take_ours();
		use_ours(new->ss_flags &AUTODISARM);
	} else if (lm_access_lazy((uintptr_t) new->ss_sp, new->ss_size)) {
		/* Stays so: until its owner unmaps it. */
		lm_access_keep((uintptr_t) new->ss_sp, new->ss_size, 1);
	}
	return 0;
}

int lm_stack_alternate(const stack_t *new, stack_t *old)
{
	if (MINE(on_loan) && !on_ours()) {
		MINE(wished) = MINE(on_loan) = 0;
		count_wish(0);
	}
	*old = seen();
	return new ? ask(new) : 0;
}

LM_EXPORT int sigaltstack(const stack_t *new, stack_t *old)
{
	stack_t was, wanted;
	int ret;

	if (lm_shim_off())
		return REAL(sigaltstack)(new, old);
	ret = new ? lm_copy(&wanted, (uintptr_t) new, sizeof(wanted)) : 0;
	if (!ret)
		ret = lm_stack_alternate(new ? &wanted : NULL, &was);
	/* The new one is in use then, as the kernel has it. */
	if (!ret && old)
		ret = lm_copy_out((uintptr_t)old, &was, sizeof(was));
	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	return 0;
}

/* -- Threads ------------------------------------------------------------------- */

struct start {
	void *(*run)(void *argument);
	void *argument;
	_Atomic int taken;
};

/* What threads that are about to begin are given. A new thread calls no malloc of
 * its own accord: another may be inside fork, with malloc's locks, and wait for
 * what this thread is to do (answer its userfaultfd). */
#define STARTS 256
static struct start starts[STARTS];

/* NULL: so many are beginning just now. */
static struct start *take_start(void)
{
	for (int i = 0; i < STARTS; i++) {
		int none = 0;

		/* Acquire: pairs with the release of who had it before. */
		if (atomic_compare_exchange_strong_explicit(
			    &starts[i].taken, &none, 1, memory_order_acquire,
			    memory_order_relaxed))
			return &starts[i];
	}
	return NULL;
}

static void give_start(struct start *start)
{
	if (start >= starts && start < starts + STARTS)
		atomic_store_explicit(&start->taken, 0, memory_order_release);
	else
		free(start);
}

static void *begin(void *argument)
{
	void *(*run)(void *) = ((struct start *)argument)->run;
	void *own = ((struct start *)argument)->argument;

	give_start(argument);
	begin_stack();
	return run(own);
}

static void pin_stack(const pthread_attr_t *attr)
{
	size_t size, part;
	void *stack;

	if (!attr || pthread_attr_getstack(attr, &stack, &size) || !stack)
		return;
	part = lm_min(size, PINNED_TOP);
	/* Stays so: until its owner unmaps it. */
	lm_access_keep((uintptr_t)stack + size - part, part, 1);
}

LM_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			     void *(*run)(void *), void *argument)
{
	struct start *start = NULL;
	int ret;

	if (!lm_shim_off()) {
		start = take_start();
		start = start ? start : malloc(sizeof(*start));
	}
	pin_stack(attr);
	if (!start)
		return REAL(pthread_create)(thread, attr, run, argument);
	start->run = run;
	start->argument = argument;
	ret = REAL(pthread_create)(thread, attr, begin, start);
	if (ret)
		give_start(start);
	else
		lm_bound_thread();
	return ret;
}

void lm_stack_start(void)
{
	/* Key 0 is as good as any, and means here that there is none. */
	if (pthread_key_create(&key, end) == 0 && !key &&
	    pthread_key_create(&key, end) != 0)
		key = 0;
	begin_stack();
}
