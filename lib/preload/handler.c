/*
 * handler.c -- how the program's signal handlers are entered.
 *
 * The kernel pushes a signal's frame where the handler is to run, and loses the
 * signal, with a SIGSEGV in its place, when that page is absent: on a lazy stack.
 * So it pushes every frame on lazymap's own alternate stack, where enter() copies
 * it to the place in which the program wants it (faulting lazy pages in), and
 * goes on there: the handler finds its frame, its stack and what lies above it as
 * if the kernel had put them there, and returns to the kernel by that frame. The
 * alternate stack is free again by then, for the faults of the handler. What the
 * frame says of SIGSEGV and of the alternate stack is the program's while the
 * handler has it.
 *
 * The kernel, which the handler returns to, reads the frame as it pushes one: a
 * page that has been evicted meanwhile would be a SIGSEGV. So a frame in lazy
 * memory goes back to lazymap's stack first (leave()), and is read there.
 *
 * Elsewhere than on x86-64 the kernel enters the handlers itself, where they are.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "handler.h"
#include "signal.h"

#include "../area.h"
#include "../os.h"
#include "../syscall/copy.h"
#include "../trap/action.h"
#include "../trap/trap.h"

#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

/* -- What the program set ------------------------------------------------------ */

/* The last action with a function, of each signal. A writer fills the slot that
 * is not in use: a reader who interrupts it, even in a child for which it has
 * ended half way, finds a whole one. Slots: guarded by the lock of signal.c for
 * writing. */
static struct {
	_Atomic uint32_t version; /* the last bit: which slot */
	struct sigaction slot[2];
} kept[65];

struct sigaction lm_handler_kept(int sig)
{
	struct sigaction act;
	uint32_t version;

	do {
		/* Acquire: pairs with the release in lm_handler_keep(). */
		version = atomic_load_explicit(&kept[sig].version,
					       memory_order_acquire);
		act = kept[sig].slot[version % 2];
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load_explicit(&kept[sig].version,
				      memory_order_relaxed) != version);
	return act;
}

void lm_handler_keep(int sig, const struct sigaction *act)
{
	uint32_t version =
		atomic_load_explicit(&kept[sig].version, memory_order_relaxed) +
		1;

	kept[sig].slot[version % 2] = *act;
	atomic_store_explicit(&kept[sig].version, version,
			      memory_order_release);
}

/* -- Entering ------------------------------------------------------------------- */

static void leave(siginfo_t *info, ucontext_t *context);

/* `ours`: the frame has shown another alternate stack than the kernel's. */
static void call(int sig, siginfo_t *info, ucontext_t *context, void *handler,
		 uint64_t mask, bool ours)
{
	lm_signal_put_bits(
		&context->uc_sigmask,
		lm_mask_from_kernel(lm_signal_bits(&context->uc_sigmask)));
	lm_os_restore_signals(mask);
	/* One of one argument is passed the others, as the kernel does it. */
	((void (*)(int, siginfo_t *, void *))handler)(sig, info, context);
	/* As it may have changed them: they are the kernel's next. */
	lm_signal_put_bits(
		&context->uc_sigmask,
		lm_mask_to_kernel(lm_signal_bits(&context->uc_sigmask)));
	if (!ours)
		return;
	lm_stack_back(&context->uc_stack);
	leave(info, context);
}

#if LM_HANDLER_MOVES

#define RED_ZONE ((uintptr_t)128)
#define ENTER_ROOM 32 /* what lm_handler_enter() takes, in one instruction */
/* What call() needs of a stack. */
#define CALL_ROOM ((uintptr_t)256)
#define LEAVE_ROOM ((uintptr_t)128) /* what move() aligns by, and more */

/* In the first bytes that the processor's state leaves to software. */
static size_t state_size(uintptr_t state)
{
	struct {
		uint32_t magic, size;
	} software;

	memcpy(&software, (void *)(state + 464), sizeof(software));
	return software.magic == 0x46505853 ? software.size : 512;
}

/* There is no room for the frame: as the kernel has it. */
__attribute__((noreturn)) static void die(void)
{
	lm_action_default(SIGSEGV);
	for (;;)
		lm_sys(SYS_tgkill, lm_sys(SYS_getpid), lm_sys(SYS_gettid),
		       SIGSEGV);
}

/* The frame: the address to return to, the context, the info; above it the
 * processor's state. Its copy ends below `top`. */
static uintptr_t move(uintptr_t top, uintptr_t bottom, siginfo_t *info,
		      ucontext_t *context)
{
	uintptr_t from = (uintptr_t)context - sizeof(void *);
	uintptr_t state = (uintptr_t)context->uc_mcontext.fpregs;
	size_t len = (uintptr_t)(info + 1) - from;
	size_t more = state ? state_size(state) : 0;
	uintptr_t at = (top - more) & ~(uintptr_t)63, to;

	to = ((at - len) & ~(uintptr_t)15) - sizeof(void *);
	if (bottom && (to < bottom + CALL_ROOM || to > top))
		return 0;
	if (state) {
		if (lm_copy_out(at, (void *)state, more) < 0)
			return 0;
		context->uc_mcontext.fpregs = (void *)at;
	}
	return lm_copy_out(to, (void *)from, len) < 0 ? 0 : to;
}

extern const uint64_t lm_handler_blocks __attribute__((visibility("hidden")));

/* On lazymap's stack, below where the frame goes. */
__attribute__((noreturn, used)) static void
leave_by(uintptr_t top, siginfo_t *info, ucontext_t *context)
{
	uintptr_t from = (uintptr_t)context - sizeof(void *);
	uintptr_t to = move(top, 0, info, context);

	/* To the address to return to, which the frame begins with. Without a
	 * copy it is for the kernel to say what is wrong with the frame. */
	__asm__ volatile("mov %0, %%rsp\n\tret" : : "r"(to ? to : from));
	__builtin_unreachable();
}

/* Nobody is on lazymap's stack: the handler whose frame is elsewhere was entered
 * from elsewhere. What comes after this would find it in use. */
static void leave(siginfo_t *info, ucontext_t *context)
{
	uintptr_t from = (uintptr_t)context - sizeof(void *);
	uintptr_t state = (uintptr_t)context->uc_mcontext.fpregs;
	size_t len = (uintptr_t)(info + 1) - from;
	size_t more = state ? state_size(state) : 0;
	uintptr_t bottom, top = lm_stack_for_return(from, &bottom);

	if (!top || len + more > (top - bottom) / 2 ||
	    (!lm_area_near(from, from + len) &&
	     !(more && lm_area_near(state, state + more))))
		return;
	lm_sys(SYS_rt_sigprocmask, SIG_BLOCK, &lm_handler_blocks, NULL,
	       sizeof(lm_handler_blocks));
	__asm__ volatile(
		"mov %0, %%rsp\n\tcall *%%rax"
		:
		: "r"((top - len - more - LEAVE_ROOM) & ~(uintptr_t)15),
		  "D"(top), "S"(info), "d"(context), "a"(leave_by)
		: "memory");
	__builtin_unreachable();
}

void lm_handler_enter(int sig, siginfo_t *info, void *context)
	__attribute__((visibility("hidden")));
void lm_handler_blocked(void) __attribute__((visibility("hidden")));
void lm_handler_entered_with(int sig, siginfo_t *info, void *context,
			     uint64_t mask)
	__attribute__((visibility("hidden")));

/*
 * The first thing is to block what may come, for the next frame's place is not
 * known before this one's copy is there; but for what an instruction raises,
 * which would kill. What the call tells was the mask is the handler's: the kernel
 * has added the action's to the one that sigsuspend, ppoll, ... set for their
 * time, which the frame does not have.
 */
__asm__(".text\n.balign 16\n"
	".hidden lm_handler_enter\n.globl lm_handler_enter\n"
	".hidden lm_handler_blocked\n.globl lm_handler_blocked\n"
	".hidden lm_handler_entered_with\n"
	".type lm_handler_enter,@function\n"
	"lm_handler_enter:\n"
	".cfi_startproc\n"
	"sub $32, %rsp\n"
	".cfi_adjust_cfa_offset 32\n"
	"mov %rdi, (%rsp)\n"
	"mov %rsi, 8(%rsp)\n"
	"mov %rdx, 16(%rsp)\n"
	"xor %edi, %edi\n" /* SIG_BLOCK */
	"lea lm_handler_blocks(%rip), %rsi\n"
	"lea 24(%rsp), %rdx\n"
	"mov $8, %r10d\n"
	"mov $14, %eax\n" /* rt_sigprocmask */
	"syscall\n"
	"lm_handler_blocked:\n"
	"mov (%rsp), %rdi\n"
	"mov 8(%rsp), %rsi\n"
	"mov 16(%rsp), %rdx\n"
	"mov 24(%rsp), %rcx\n"
	"add $32, %rsp\n"
	".cfi_adjust_cfa_offset -32\n"
	"jmp lm_handler_entered_with\n"
	".cfi_endproc\n"
	".size lm_handler_enter, .-lm_handler_enter\n"
	/* All but SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS. */
	".balign 8\n"
	".hidden lm_handler_blocks\n.globl lm_handler_blocks\n"
	"lm_handler_blocks: .quad ~0x400004d8\n");

/* call(), with these arguments and on this stack; handler NULL: nothing is to be
 * called, and the frame is there to return by. */
struct start {
	int sig;
	siginfo_t *info;
	ucontext_t *context;
	void *handler;
	uint64_t mask;
	bool ours;
	uintptr_t stack;
};

static void prepare(struct start *start);

/*
 * This signal has interrupted the entering of another one's handler, which had
 * not blocked it yet, as it is whenever two come at once. Make it have
 * interrupted the handler itself, in its first instruction.
 */
static void prepare_first(const struct start *second)
{
	greg_t *regs = second->context->uc_mcontext.gregs;
	uintptr_t frame = (uintptr_t)regs[REG_RSP];
	struct start first;

	if ((uintptr_t)regs[REG_RIP] != (uintptr_t)lm_handler_enter)
		frame += ENTER_ROOM;
	first.context = (ucontext_t *)(frame + sizeof(void *));
	first.info = (siginfo_t *)(frame +
				   ((uintptr_t)second->info - second->stack));
	first.sig = first.info->si_signo;
	first.mask = lm_signal_bits(&second->context->uc_sigmask);
	first.stack = frame;
	prepare(&first);
	if (!first.handler) {
		regs[REG_RIP] = *(greg_t *)frame;
		regs[REG_RSP] = (greg_t)(frame + sizeof(void *));
		return;
	}
	regs[REG_RIP] = (greg_t)call;
	regs[REG_RSP] = (greg_t)first.stack;
	regs[REG_RDI] = first.sig;
	regs[REG_RSI] = (greg_t)first.info;
	regs[REG_RDX] = (greg_t)first.context;
	regs[REG_RCX] = (greg_t)first.handler;
	regs[REG_R8] = (greg_t)first.mask;
	regs[REG_R9] = first.ours;
	regs[REG_RBP] = first.context->uc_mcontext.gregs[REG_RBP];
}

/* From what the kernel has passed, and where its frame is. */
static void prepare(struct start *start)
{
	const greg_t *regs = start->context->uc_mcontext.gregs;
	uintptr_t at = (uintptr_t)regs[REG_RIP], top, bottom, frame;
	struct sigaction act;

	start->handler = NULL;
	if (at >= (uintptr_t)lm_handler_enter &&
	    at < (uintptr_t)lm_handler_blocked)
		prepare_first(start);
	if (!lm_signal_program(&start->sig, start->info, &act))
		return;
	start->handler = act.sa_sigaction;
	top = lm_stack_for((uintptr_t)regs[REG_RSP], RED_ZONE,
			   act.sa_flags & SA_ONSTACK, &bottom);
	/* Before the next one comes: it may disarm the stack. */
	start->ours = lm_stack_show(&start->context->uc_stack);
	if (!top)
		return;
	frame = move(top, bottom, start->info, start->context);
	if (!frame)
		die();
	start->info =
		(siginfo_t *)((uintptr_t)start->info - start->stack + frame);
	start->context = (ucontext_t *)(frame + sizeof(void *));
	start->stack = frame;
}

/* Go on in call() as if the kernel had called it, with the frame pointer of who
 * was interrupted. */
LM_TRAP_ENTRY
void lm_handler_entered_with(int sig, siginfo_t *info, void *context,
			     uint64_t mask)
{
	struct start start = { .sig = sig,
			       .info = info,
			       .context = context,
			       .mask = mask,
			       .stack = (uintptr_t)context - sizeof(void *) };

	prepare(&start);
	if (!start.handler)
		return;
	register uint64_t r8 __asm__("r8") = start.mask;
	register long r9 __asm__("r9") = start.ours;
	register uintptr_t r10 __asm__("r10") = start.stack;
	register long r11 __asm__("r11") =
		start.context->uc_mcontext.gregs[REG_RBP];

	__asm__ volatile("mov %%r10, %%rsp\n\t"
			 "mov %%r11, %%rbp\n\t"
			 "jmp *%%rax"
			 :
			 : "a"(call), "D"((long)start.sig), "S"(start.info),
			   "d"(start.context), "c"(start.handler), "r"(r8),
			   "r"(r9), "r"(r10), "r"(r11)
			 : "memory");
	__builtin_unreachable();
}

void lm_handler_kernel(struct sigaction *act)
{
	act->sa_sigaction = lm_handler_enter;
	act->sa_flags |= SA_SIGINFO | SA_ONSTACK;
}

/* One that was to run once, and has, is the default one by the kernel. */
bool lm_handler_entered(int sig, const struct sigaction *act)
{
	const int ours = (int)SA_RESETHAND | SA_SIGINFO | SA_ONSTACK;

	if (act->sa_sigaction == lm_handler_enter)
		return true;
	return act->sa_handler == SIG_DFL && (act->sa_flags & ours) == ours &&
	       lm_handler_kept(sig).sa_flags & (int)SA_RESETHAND;
}

#else

static void leave(siginfo_t *info, ucontext_t *context)
{
	(void)info, (void)context;
}

static void enter(int sig, siginfo_t *info, void *data)
{
	ucontext_t *context = data;
	struct sigaction act;
	uint64_t mask;

	lm_sys(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask));
	if (lm_signal_program(&sig, info, &act))
		call(sig, info, context, act.sa_sigaction, mask, false);
}

/* The stand-in's is not what the program set. */
void lm_handler_kernel(struct sigaction *act)
{
	act->sa_sigaction = enter;
	act->sa_flags |= SA_SIGINFO;
}

bool lm_handler_entered(int sig, const struct sigaction *act)
{
	(void)sig, (void)act;
	return false;
}

#endif
