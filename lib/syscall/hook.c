/*
 * hook.c -- catching system calls where they are made. See hook.h.
 *
 * Compilers put a constant call number into %eax right before `syscall`:
 *
 *	b8 nr 00 00 00   mov $nr, %eax
 *	0f 05            syscall
 *
 * The five bytes of the mov are the five bytes of a jump, to a stub that looks
 * at the arguments and comes back to the syscall, which stays where it is. Only
 * one whole instruction is replaced, so code that jumps anywhere near it goes
 * on as before; a thread that is in the call is at the address where debuggers,
 * unwinders and thread cancellation expect it. Between the mov and the call
 * %rcx, %r11 (which the call overwrites) and the flags are free: the look needs
 * no stack. Only a call with an argument near an area goes to lm_call().
 *
 * Some simple instructions may stand between the two; the stub has a copy of
 * them. Where the number comes from elsewhere (a register that is used for
 * several calls, syscall()'s argument) the instructions right before the call
 * are replaced, which takes more of a look at the code (window.c), and the stub
 * finds the number in %rax.
 *
 * Go runs on stacks of a few KiB that it makes itself, and knows to the byte what
 * a system call leaves of them: in its objects the way from the stub goes on on
 * another stack of the thread's.
 *
 * Calls about signals are looked at whatever their arguments are: see
 * lm_hook_shim(). Not those inside the C library, whose functions have seen
 * to it; but for those that are its own wish.
 *
 * Why not seccomp's SECCOMP_RET_TRAP: its filter is inherited by every program
 * that is executed, whether it has a handler for the SIGSYS or not, and needs
 * no_new_privs, which takes setuid programs' privileges away. The text of a
 * process is gone with exec; vfork and fork keep it, and what it needs with it.
 * (Syscall user dispatch is not inherited either, but stops every call outside
 * one range of addresses: a signal for each. And every other call is slower, too:
 * of one that took 277 ns the filter made 358, the dispatch 324.)
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "hook.h"

#include "../area.h"
#include "../os_linux.h"
#include "../own.h"
#include "aio.h"
#include "call.h"
#include "made.h"
#include "object.h"
#include "pins.h"
#include "site.h"
#include "stub.h"

__thread struct lm_hook_stack lm_hook_stack;

#if LM_HOOKS

#include <cpuid.h>
#include <signal.h>
#include <sys/single_threaded.h>

/* The CPU's way to keep vector registers. Immutable after the start. */
uint32_t lm_hook_xsave __attribute__((visibility("hidden")));
uint32_t lm_hook_frame __attribute__((visibility("hidden")));

/* What to do at a call whose number is known only then: nothing, look at the
 * arguments, or more. Not what comes back on another stack, or never:
 * rt_sigreturn, clone, vfork, clone3. Immutable after the start. */
enum { ALONE, ARGUMENTS, ALWAYS, SHIMS = 4 /* beside one of these */ };
uint8_t lm_hook_kinds[512] __attribute__((visibility("hidden")));

/* Immutable after the start. */
static bool (*shim)(long nr, const long args[6], long *result);
static void (*before_exec)(void);
static int (*vforked)(void);

struct shim_call {
	long nr;
	const long *args;
	long result;
};

static long slow_shim(long call, long b, long c)
{
	struct shim_call *made = (struct shim_call *)call;

	(void)b, (void)c;
	return shim(made->nr, made->args, &made->result);
}

static long slow_exec(long a, long b, long c)
{
	(void)a, (void)b, (void)c;
	before_exec();
	return 0;
}

_Static_assert(LM_STUB_NESTED == 1 && LM_STUB_SHIMS == 2 &&
		       LM_STUB_ALWAYS == 4 && LM_STUB_SMALL == 8,
	       "known to the assembly");
_Static_assert(offsetof(struct lm_own_task, stack) == 24 &&
		       offsetof(struct lm_own_task, size) == 32 &&
		       sizeof(struct lm_own_task) == 40 && LM_OWN_TASKS == 128,
	       "known to the assembly");

static long slow_vforked(long a, long b, long c)
{
	(void)a, (void)b, (void)c;
	return vforked();
}

/*
 * The C library blocks all signals in threads of its own (aio_read's, those of
 * timers), which touch what the program gave them: not SIGSEGV. What it puts
 * back is the kernel's mask, and stays as it is; so does what posix_spawn gives
 * to the next program.
 */
static long change_mask(const long args[6])
{
	uint64_t set;
	const long kernel[6] = { args[0], (long)&set, args[2], sizeof(set) };

	const uint64_t segv = (uint64_t)1 << (SIGSEGV - 1);

	if (args[0] == SIG_UNBLOCK || !args[1] || args[3] != sizeof(set))
		return lm_call(SYS_rt_sigprocmask, args);
	set = *(const uint64_t *)args[1];
	if (!(set & segv) || !vforked ||
	    lm_hook_keeping_vectors(slow_vforked, 0, 0, 0))
		return lm_call(SYS_rt_sigprocmask, args);
	set &= ~segv;
	return lm_call(SYS_rt_sigprocmask, kernel);
}

/* The signals that the C library keeps for itself (cancellation, setuid in all
 * threads), which no function sets the action of: it is seen to like the
 * program's others, for their frames have to find lazy stacks, too. */
static bool is_librarys(int sig)
{
	return sig == 32 || sig == 33;
}

/* The stub's flags. */
long lm_hook_call(long nr, const long args[6], int flags)
	__attribute__((visibility("hidden")));

long lm_hook_call(long nr, const long args[6], int flags)
{
	struct shim_call call = { nr, args, 0 };

	if (flags & LM_STUB_SHIMS && shim && lm_table_shims(nr) &&
	    lm_hook_keeping_vectors(slow_shim, (long)&call, 0, 0))
		return call.result;
	if (before_exec && (nr == SYS_execve || nr == SYS_execveat))
		lm_hook_keeping_vectors(slow_exec, 0, 0, 0);
	if (flags & LM_STUB_OWN && nr == SYS_rt_sigprocmask)
		return change_mask(args);
	if (flags & LM_STUB_OWN && is_librarys((int)args[0]) && shim &&
	    lm_hook_keeping_vectors(slow_shim, (long)&call, 0, 0))
		return call.result;
	return lm_call(nr, args);
}

ssize_t lm_hook_read(int fd, void *buf, size_t len,
		     ssize_t (*original)(int, void *, size_t))
	__attribute__((visibility("hidden")));

ssize_t lm_hook_read(int fd, void *buf, size_t len,
		     ssize_t (*original)(int, void *, size_t))
{
	const long args[6] = { fd, (long)buf, (long)len };
	struct lm_call_pins pins;
	long ret;

	if (lm_made_is(SYS_read, args))
		return original(fd, buf, len);
	if (lm_pieces_call(SYS_read, args, &ret)) {
		if (ret >= 0)
			return ret;
		errno = (int)-ret;
		return -1;
	}
	lm_call_pin(&pins, SYS_read, args);
	ret = original(fd, buf, len);
	lm_call_unpin(&pins);
	return ret;
}

/*
 * %r11: the stub. Every register but %rax, %rcx and %r11 is the
 * program's: the vector ones too, so what is called from here is compiled to
 * use none, and goes through lm_hook_keeping_vectors() to what may. Saving them
 * takes longer than many a system call.
 */
#define LOOK(reg, near)                                                        \
	"mov %" reg ", %rcx\n"                                                 \
	"shr $34, %rcx\n"                                                      \
	"cmp $0x4000, %rcx\n"                                                  \
	"jae 1f\n"                                                             \
	"cmpb $0, (%rax,%rcx)\n"                                               \
	"jne " near "\n"                                                       \
	"1:\n"
#define LOOK_ALL(near)                                                         \
	LOOK("rdi", near)                                                      \
	LOOK("rsi", near)                                                      \
	LOOK("rdx", near)                                                      \
	LOOK("r10", near)                                                      \
	LOOK("r8", near)                                                       \
	LOOK("r9", near)
/* On a stack that has room, the hooks' own or one of the program's for signals, go on
 * at `where`. Then %rcx is where the thread's stacks are; %rax is lost. */
#define IF_LARGE(where)                                                        \
	"mov lm_hook_stack@gottpoff(%rip), %rcx\n"                             \
	"mov %rsp, %rax\n"                                                     \
	"sub %fs:(%rcx), %rax\n"                                               \
	"cmp %fs:8(%rcx), %rax\n"                                              \
	"jb " where "\n"                                                       \
	"mov %rsp, %rax\n"                                                     \
	"sub %fs:16(%rcx), %rax\n"                                             \
	"cmp %fs:24(%rcx), %rax\n"                                             \
	"jb " where "\n"
/* Call lm_hook_call(nr, args, how), within a frame of %rbp that ends here: the
 * arguments are an array on the stack, and as they were when it returns. */
#define CALL                                                                   \
	LM_STUB_PUSH                                                           \
	"mov %rsp, %rsi\n"                                                     \
	"mov %rax, %rdi\n"                                                     \
	"mov 44(%r11), %edx\n"                                                 \
	"and $-16, %rsp\n"                                                     \
	"call lm_hook_call\n"                                                  \
	"lea -48(%rbp), %rsp\n" LM_STUB_POP "pop %rbp\n"
__asm__(".text\n.balign 64\n.hidden lm_hook_enter\n.globl lm_hook_enter\n"
	".hidden lm_own_task\n.hidden lm_own_tasks\n"
	".hidden lm_hook_xsave\n.hidden lm_area_marks\n.hidden lm_area_marked\n"
	".hidden lm_hook_call\n.hidden lm_hook_kinds\n"
	".hidden lm_hook_enter_any\n.globl lm_hook_enter_any\n"
	".type lm_hook_enter,@function\n"
	"lm_hook_enter:\n"
	".cfi_startproc\n"
	".cfi_def_cfa rsp, 0\n"
	".cfi_undefined rip\n"
	"testb $4, 44(%r11)\n"
	"jnz 3f\n"
	"cmpb $0, lm_area_marked(%rip)\n"
	"je 2f\n"
	"testb $1, 44(%r11)\n"
	"jnz 3f\n"
	"lea lm_area_marks(%rip), %rax\n"
	/* clang-format off */
	LOOK_ALL("3f")
	/* clang-format on */
	"2:\n"
	"mov 40(%r11), %eax\n"
	"jmp *32(%r11)\n"
	/* The number is in %rax, and kept above the stub's address while %rax
	 * is needed. */
	"lm_hook_enter_any:\n"
	"cmp $512, %rax\n"
	"jae 6f\n"
	"lea lm_hook_kinds(%rip), %rcx\n"
	"movzbl (%rcx,%rax), %ecx\n"
	"test $4, %ecx\n"
	"jz 8f\n"
	"testb $2, 44(%r11)\n"
	"jnz 7f\n"
	"8:\n"
	"cmpb $0, lm_area_marked(%rip)\n"
	"je 6f\n"
	"and $3, %ecx\n"
	"cmp $1, %ecx\n"
	"jb 6f\n"
	"ja 7f\n"
	"mov %rax, %rcx\n"
	"shl $48, %rcx\n"
	"or %rcx, %r11\n"
	"lea lm_area_marks(%rip), %rax\n"
	/* clang-format off */
	LOOK_ALL("5f")
	/* clang-format on */
	"mov %r11, %rax\n"
	"shr $48, %rax\n"
	"shl $16, %r11\n"
	"shr $16, %r11\n"
	"6:\n"
	"jmp *32(%r11)\n"
	"5:\n"
	"mov %r11, %rax\n"
	"shr $48, %rax\n"
	"shl $16, %r11\n"
	"shr $16, %r11\n"
	"jmp 7f\n"
	/* With a frame below the red zone; the return address in it is for
	 * unwinders, and to return to: behind the syscall. */
	"3:\n"
	"movslq 40(%r11), %rax\n"
	"7:\n"
	"testb $8, 44(%r11)\n"
	"jnz lm_hook_small\n"
	"lm_hook_here:\n"
	/* clang-format off */
	LM_STUB_FRAME
	CALL
	/* clang-format on */
	".cfi_def_cfa rsp, 136\n"
	".cfi_same_value rbp\n"
	"pop %rcx\n"
	".cfi_def_cfa rsp, 128\n"
	".cfi_undefined rip\n"
	"lea 128(%rsp), %rsp\n"
	".cfi_def_cfa rsp, 0\n"
	"jmp *%rcx\n"
	".cfi_endproc\n"
	".size lm_hook_enter, .-lm_hook_enter\n"
	/*
	 * With a frame on the thread's own stack: not a byte of the other is
	 * touched. The number is above the stub's address while %rax is needed.
	 * sigaltstack stays, for where it is made is what the kernel looks at.
	 */
	".type lm_hook_small,@function\n"
	"lm_hook_small:\n"
	".cfi_startproc\n"
	".cfi_def_cfa rsp, 0\n"
	".cfi_undefined rip\n"
	"cmp $131, %rax\n"
	"je lm_hook_here\n"
	"shl $48, %rax\n"
	"or %rax, %r11\n"
	/* A task that may have a thread's variables is on a stack that it was
	 * given, and not on that thread's other one: see own.h. */
	"cmpl $0, lm_own_tasks(%rip)\n"
	"je 4f\n"
	"lea lm_own_task(%rip), %rcx\n"
	"2:\n"
	"mov %rsp, %rax\n"
	"cmpl $0, (%rcx)\n"
	"je 3f\n"
	"sub 24(%rcx), %rax\n"
	"cmp 32(%rcx), %rax\n"
	"jb 1f\n"
	"3:\n"
	"add $40, %rcx\n"
	"lea lm_own_task+40*128(%rip), %rax\n"
	"cmp %rax, %rcx\n"
	"jb 2b\n"
	"4:\n"
	/* clang-format off */
	IF_LARGE("1f")
	/* clang-format on */
	"mov %fs:8(%rcx), %rax\n"
	"mov %fs:(%rcx), %rcx\n"
	"add %rax, %rcx\n"
	"jz 1f\n"
	"mov %r11, %rax\n"
	"shr $48, %rax\n"
	"shl $16, %r11\n"
	"shr $16, %r11\n"
	"xchg %rsp, %rcx\n"
	".cfi_def_cfa rcx, 0\n"
	"push %rcx\n"
	".cfi_escape 0x0f, 3, 0x77, 0, 0x06\n" /* the frame: *(%rsp) */
	"mov 32(%r11), %rcx\n"
	"add $2, %rcx\n"
	"push %rcx\n"
	".cfi_escape 0x0f, 3, 0x77, 8, 0x06\n"
	"push %rbp\n"
	".cfi_escape 0x0f, 3, 0x77, 16, 0x06\n"
	"mov %rsp, %rbp\n"
	/* The caller's frame is at *(%rbp + 16); %rip, %rbp: at 8, 0. */
	".cfi_escape 0x0f, 3, 0x76, 16, 0x06\n"
	".cfi_escape 0x10, 16, 2, 0x76, 8\n"
	".cfi_escape 0x10, 6, 2, 0x76, 0\n"
	/* clang-format off */
	CALL
	/* clang-format on */
	".cfi_escape 0x0f, 3, 0x77, 8, 0x06\n"
	".cfi_same_value rbp\n"
	".cfi_undefined rip\n"
	"pop %rcx\n"
	".cfi_escape 0x0f, 3, 0x77, 0, 0x06\n"
	"pop %rsp\n"
	".cfi_def_cfa rsp, 0\n"
	"jmp *%rcx\n"
	"1:\n"
	"mov %r11, %rax\n"
	"shr $48, %rax\n"
	"shl $16, %r11\n"
	"shr $16, %r11\n"
	"jmp lm_hook_here\n"
	".cfi_endproc\n"
	".size lm_hook_small, .-lm_hook_small\n"
	/* A function's first instruction: the stub has it, with a jump behind
	 * it, and that is the function as it was. */
	".hidden lm_hook_enter_read\n.globl lm_hook_enter_read\n"
	".hidden lm_hook_read\n"
	".type lm_hook_enter_read,@function\n"
	"lm_hook_enter_read:\n"
	".cfi_startproc\n"
	"cmpb $0, lm_area_marked(%rip)\n"
	"je 2f\n"
	"lea lm_area_marks(%rip), %rax\n"
	/* The descriptor: see lm_self_sought(). */
	/* clang-format off */
	LOOK("rsi", "3f")
	LOOK("rdi", "3f")
	/* clang-format on */
	"2:\n"
	"lea 13(%r11), %rax\n"
	"jmp *%rax\n"
	"3:\n"
	"lea 13(%r11), %rcx\n"
	"jmp lm_hook_read\n"
	".cfi_endproc\n"
	".size lm_hook_enter_read, .-lm_hook_enter_read\n"
	/* A function that was empty: its callers may know that it changed no
	 * register at all. To look through an object takes more of a stack than
	 * a small thread has that calls dlopen, or pthread_exit. */
	".hidden lm_hook_enter_loaded\n.globl lm_hook_enter_loaded\n"
	".hidden lm_object_changed\n.hidden lm_hook_keep\n"
	".type lm_hook_enter_loaded,@function\n"
	"lm_hook_enter_loaded:\n"
	".cfi_startproc\n"
	"push %rbp\n"
	".cfi_def_cfa_offset 16\n"
	".cfi_offset rbp, -16\n"
	"mov %rsp, %rbp\n"
	".cfi_def_cfa_register rbp\n"
	"push %rax\n"
	"push %rcx\n"
	"push %rdx\n"
	"push %rsi\n"
	"push %rdi\n"
	"push %r8\n"
	"push %r9\n"
	"push %r10\n"
	/* clang-format off */
	IF_LARGE("1f")
	/* clang-format on */
	"mov %fs:(%rcx), %rax\n"
	"add %fs:8(%rcx), %rax\n"
	"jz 1f\n"
	"mov %rax, %rsp\n"
	"1:\n"
	"and $-16, %rsp\n"
	"lea lm_object_changed(%rip), %rdi\n"
	"call lm_hook_keep\n"
	"lea -64(%rbp), %rsp\n"
	"pop %r10\n"
	"pop %r9\n"
	"pop %r8\n"
	"pop %rdi\n"
	"pop %rsi\n"
	"pop %rdx\n"
	"pop %rcx\n"
	"pop %rax\n"
	"pop %rbp\n"
	".cfi_def_cfa rsp, 8\n"
	"ret\n"
	".cfi_endproc\n"
	".size lm_hook_enter_loaded, .-lm_hook_enter_loaded\n");

long lm_hook_keep(long (*fn)(long, long, long), long a, long b, long c)
	__attribute__((visibility("hidden")));
__asm__(".text\n.balign 16\n.hidden lm_hook_keep\n.globl lm_hook_keep\n"
	".hidden lm_hook_frame\n"
	".type lm_hook_keep,@function\n"
	"lm_hook_keep:\n"
	".cfi_startproc\n"
	"push %rbp\n"
	".cfi_def_cfa_offset 16\n"
	".cfi_offset rbp, -16\n"
	"mov %rsp, %rbp\n"
	".cfi_def_cfa_register rbp\n"
	"mov %rdx, %r8\n"
	/* Off a small alternate stack. */
	"mov lm_hook_stack@gottpoff(%rip), %r9\n"
	"mov %rsp, %rax\n"
	"sub %fs:32(%r9), %rax\n"
	"cmp %fs:40(%r9), %rax\n"
	"jae 5f\n"
	"mov %fs:(%r9), %rax\n"
	"add %fs:8(%r9), %rax\n"
	"jz 5f\n"
	"mov %rax, %rsp\n"
	"5:\n"
	"mov lm_hook_frame(%rip), %eax\n"
	"sub %rax, %rsp\n"
	"and $-64, %rsp\n"
	"mov lm_hook_xsave(%rip), %eax\n"
	"xor %edx, %edx\n"
	"test %eax, %eax\n"
	"jz 1f\n"
	/* The header, of which the CPU writes a part only. */
	"mov %rdx, 512(%rsp)\n"
	"mov %rdx, 520(%rsp)\n"
	"mov %rdx, 528(%rsp)\n"
	"mov %rdx, 536(%rsp)\n"
	"mov %rdx, 544(%rsp)\n"
	"mov %rdx, 552(%rsp)\n"
	"mov %rdx, 560(%rsp)\n"
	"mov %rdx, 568(%rsp)\n"
	"xsave64 (%rsp)\n"
	"jmp 2f\n"
	"1:\n"
	"fxsave64 (%rsp)\n"
	"2:\n"
	"mov %rdi, %rax\n"
	"mov %rsi, %rdi\n"
	"mov %r8, %rsi\n"
	"mov %rcx, %rdx\n"
	"call *%rax\n"
	"mov %rax, %rcx\n"
	"mov lm_hook_xsave(%rip), %eax\n"
	"xor %edx, %edx\n"
	"test %eax, %eax\n"
	"jz 3f\n"
	"xrstor64 (%rsp)\n"
	"jmp 4f\n"
	"3:\n"
	"fxrstor64 (%rsp)\n"
	"4:\n"
	"mov %rcx, %rax\n"
	"leave\n"
	".cfi_def_cfa rsp, 8\n"
	"ret\n"
	".cfi_endproc\n"
	".size lm_hook_keep, .-lm_hook_keep\n");

long lm_hook_keeping_vectors(long (*fn)(long, long, long), long a, long b,
			     long c)
{
	return lm_hook_count() ? lm_hook_keep(fn, a, b, c) : fn(a, b, c);
}

/* SSE, AVX and AVX-512, where the system has them on; 0: fxsave. */
static uint32_t vectors(void)
{
	unsigned a, b, c, d, low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 0;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low & 0xe6;
}

static void know_kinds(void)
{
	for (long nr = 0; nr < (long)sizeof(lm_hook_kinds); nr++) {
		if (lm_site_wanted(nr))
			lm_hook_kinds[nr] =
				lm_table_nested(nr) || lm_aio_wanted(nr)
					? ALWAYS
					: ARGUMENTS;
		if (lm_table_shims(nr))
			lm_hook_kinds[nr] |= SHIMS;
	}
}

int lm_hook_start(void)
{
	if (lm_hook_count())
		return 0;
	/* Text is not changed under a thread that may be running in it. */
	if (!__libc_single_threaded)
		return -EBUSY;
	lm_hook_xsave = vectors();
	/* Where the state ends in its standard layout: FXSAVE's, its header
	 * and AVX's, all. */
	lm_hook_frame = lm_hook_xsave & 0xe0 ? 2688 : lm_hook_xsave ? 832 : 512;
	know_kinds();
	return lm_object_start();
}

void lm_hook_shim(bool (*by)(long nr, const long args[6], long *result),
		  int (*in_vfork)(void))
{
	shim = by;
	vforked = in_vfork;
}

void lm_hook_exec(void (*before)(void))
{
	before_exec = before;
}

unsigned lm_hook_count(void)
{
	return lm_object_hooked();
}

#else

void lm_hook_shim(bool (*by)(long nr, const long args[6], long *result),
		  int (*in_vfork)(void))
{
	(void)by, (void)in_vfork;
}

void lm_hook_exec(void (*before)(void))
{
	(void)before;
}

int lm_hook_start(void)
{
	return -ENOSYS;
}

unsigned lm_hook_count(void)
{
	return 0;
}

long lm_hook_keeping_vectors(long (*fn)(long, long, long), long a, long b,
			     long c)
{
	return fn(a, b, c);
}

#endif
