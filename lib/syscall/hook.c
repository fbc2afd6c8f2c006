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
 * them. And libc's syscall(), whose number is its argument, ends in a mov of
 * five bytes, too.
 *
 * Why not seccomp's SECCOMP_RET_TRAP: its filter is inherited by every program
 * that is executed, whether it has a handler for the SIGSYS or not, and needs
 * no_new_privs, which takes setuid programs' privileges away. The text of a
 * process is gone with exec; vfork and fork keep it, and what it needs with it.
 * (Syscall user dispatch is not inherited either, but stops every call outside
 * one range of addresses: a signal for each.)
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "hook.h"

#include "../area.h"
#include "../meta.h"
#include "../os_linux.h"
#include "call.h"
#include "pins.h"
#include "site.h"
#include "table.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__x86_64__) && !defined(SANITIZED)

#include <cpuid.h>
#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/single_threaded.h>

#define JUMP 0xe9
/* A jump reaches 2 GiB; the text of no object is nearly as large. */
#define REACH ((uintptr_t)1 << 30)
#define STEP ((uintptr_t)1 << 20)

/* Executable memory near an object: this, then a stub for each site. */
struct block {
	uintptr_t enter[4]; /* by enum lm_site_kind */
};

/* The assembly below knows the offsets. */
struct stub {
	uint8_t code[32]; /* copies; lea stub(%rip), %r11; jmp *enter(%rip) */
	uintptr_t back;   /* 32: the syscall */
	int32_t nr;       /* 40: at an LM_SITE_NUMBER */
	int32_t nested;   /* 44: look whatever the arguments are */
};

_Static_assert(sizeof(struct stub) == 48, "known to the assembly");

static unsigned hooked; /* immutable after the start */
static int memory;      /* descriptor of /proc/self/mem, while starting */
static int failed;      /* why not, while starting */
/* The CPU's way to keep vector registers. Immutable after the start. */
uint32_t lm_hook_xsave __attribute__((visibility("hidden")));
uint32_t lm_hook_frame __attribute__((visibility("hidden")));

long lm_hook_call(long nr, const long args[6])
	__attribute__((visibility("hidden")));

long lm_hook_call(long nr, const long args[6])
{
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
void lm_hook_enter(void) __attribute__((visibility("hidden")));
void lm_hook_enter_any(void) __attribute__((visibility("hidden")));
void lm_hook_enter_read(void) __attribute__((visibility("hidden")));
#define LOOK(reg)                                                              \
	"mov %" reg ", %rcx\n"                                                 \
	"shr $34, %rcx\n"                                                      \
	"cmp $0x4000, %rcx\n"                                                  \
	"jae 1f\n"                                                             \
	"cmpb $0, (%rax,%rcx)\n"                                               \
	"jne 3f\n"                                                             \
	"1:\n"
__asm__(".text\n.balign 64\n.hidden lm_hook_enter\n.globl lm_hook_enter\n"
	".hidden lm_hook_xsave\n.hidden lm_area_marks\n.hidden lm_area_marked\n"
	".hidden lm_hook_call\n"
	".hidden lm_hook_enter_any\n.globl lm_hook_enter_any\n"
	".type lm_hook_enter,@function\n"
	"lm_hook_enter:\n"
	".cfi_startproc\n"
	".cfi_def_cfa rsp, 0\n"
	".cfi_undefined rip\n"
	"cmpb $0, lm_area_marked(%rip)\n"
	"je 2f\n"
	"cmpl $0, 44(%r11)\n"
	"jne 3f\n"
	"lea lm_area_marks(%rip), %rax\n"
	/* clang-format off */
	LOOK("rdi") LOOK("rsi") LOOK("rdx") LOOK("r10") LOOK("r8") LOOK("r9")
	/* clang-format on */
	"2:\n"
	"mov 40(%r11), %eax\n"
	"jmp *32(%r11)\n"
	/* Not what comes back on another stack, or never: rt_sigreturn, clone,
	 * vfork, clone3. */
	"lm_hook_enter_any:\n"
	"cmpb $0, lm_area_marked(%rip)\n"
	"je 6f\n"
	"cmp $15, %rax\n"
	"je 6f\n"
	"cmp $56, %rax\n"
	"je 6f\n"
	"cmp $58, %rax\n"
	"je 6f\n"
	"cmp $435, %rax\n"
	"jne 7f\n"
	"6:\n"
	"jmp *32(%r11)\n"
	/* With a frame below the red zone; the return address in it is for
	 * unwinders, and to return to: behind the syscall. */
	"3:\n"
	"movslq 40(%r11), %rax\n"
	"7:\n"
	"mov 32(%r11), %rcx\n"
	"add $2, %rcx\n"
	"lea -128(%rsp), %rsp\n"
	".cfi_def_cfa rsp, 128\n"
	"push %rcx\n"
	".cfi_def_cfa rsp, 136\n"
	".cfi_offset rip, -136\n"
	"push %rbp\n"
	".cfi_def_cfa rsp, 144\n"
	".cfi_offset rbp, -144\n"
	"mov %rsp, %rbp\n"
	".cfi_def_cfa_register rbp\n"
	"push %r9\n"
	"push %r8\n"
	"push %r10\n"
	"push %rdx\n"
	"push %rsi\n"
	"push %rdi\n"
	"mov %rsp, %rsi\n"
	"mov %rax, %rdi\n"
	"and $-16, %rsp\n"
	"call lm_hook_call\n"
	"lea -48(%rbp), %rsp\n"
	"pop %rdi\n"
	"pop %rsi\n"
	"pop %rdx\n"
	"pop %r10\n"
	"pop %r8\n"
	"pop %r9\n"
	"pop %rbp\n"
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
	/* A function's first instruction: the stub has it, with a jump behind
	 * it, and that is the function as it was. */
	".hidden lm_hook_enter_read\n.globl lm_hook_enter_read\n"
	".hidden lm_hook_read\n"
	".type lm_hook_enter_read,@function\n"
	"lm_hook_enter_read:\n"
	".cfi_startproc\n"
	"cmpb $0, lm_area_marked(%rip)\n"
	"je 1f\n"
	"lea lm_area_marks(%rip), %rax\n"
	/* clang-format off */
	LOOK("rsi")
	/* clang-format on */
	"lea 13(%r11), %rax\n"
	"jmp *%rax\n"
	"3:\n"
	"lea 13(%r11), %rcx\n"
	"jmp lm_hook_read\n"
	".cfi_endproc\n"
	".size lm_hook_enter_read, .-lm_hook_enter_read\n");

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
	return hooked ? lm_hook_keep(fn, a, b, c) : fn(a, b, c);
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

/* Memory inside memory: the arguments alone do not tell. */
static bool nested(long nr, const struct lm_row *row)
{
	if (nr == SYS_pselect6 || nr == SYS_io_submit || nr == SYS_seccomp ||
	    nr == SYS_io_pgetevents)
		return true;
	for (int i = 0; i < LM_ARGS; i++)
		switch (row->arg[i].kind) {
		case LM_ARG_IOVEC:
		case LM_ARG_MSG:
		case LM_ARG_MMSG:
		case LM_ARG_STRINGS:
			return true;
		}
	return false;
}

/*
 * read() has its number, 0, from a xor of two bytes. Its first instruction asks
 * whether the process has one thread: cmpb $0, (%rip). The function is wrapped
 * whole. (The C library's own callers do not use a symbol that one could
 * interpose: stdio, for one.)
 */
static bool find_read(struct lm_site *site)
{
	const uint8_t *at = dlsym(RTLD_DEFAULT, "__read");
	static const uint8_t endbr[4] = { 0xf3, 0x0f, 0x1e, 0xfa };

	if (!at)
		return false;
	if (!memcmp(at, endbr, sizeof(endbr)))
		at += sizeof(endbr);
	*site = (struct lm_site){ at, 2, LM_SITE_READ, SYS_read };
	return at[0] == 0x80 && at[1] == 0x3d && at[6] == 0;
}

/* Below the object: above the program lies the heap, which grows. */
static uintptr_t near(uintptr_t below, size_t len)
{
	for (uintptr_t down = STEP; down < REACH && down + len < below;
	     down += STEP) {
		uintptr_t at = lm_page_down(below - down - len);
		uintptr_t got = lm_os_mmap(at, len, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS |
						   MAP_FIXED_NOREPLACE,
					   -1, 0);

		if (got == at)
			return got;
		if (!lm_os_failed(got)) /* before 4.17 */
			lm_os_munmap(got, len);
		else if (got != (uintptr_t)-EEXIST)
			return got;
	}
	return (uintptr_t)-ENOMEM;
}

static uint8_t *put(uint8_t *at, const void *code, size_t len)
{
	memcpy(at, code, len);
	return at + len;
}

/* An instruction that ends in the distance to `target`. */
static uint8_t *put_relative(uint8_t *at, const void *code, size_t len,
			     const void *target)
{
	int32_t distance =
		(int32_t)((intptr_t)target - (intptr_t)(at + len + 4));

	return put(put(at, code, len), &distance, sizeof(distance));
}

static void make_stub(struct block *block, struct stub *stub,
		      const struct lm_site *site)
{
	static const uint8_t lea[3] = { 0x4c, 0x8d, 0x1d };
	static const uint8_t jump[2] = { 0xff, 0x25 };
	uint8_t *at = stub->code;
	int32_t distance;

	memset(stub->code, 0xcc, sizeof(stub->code));
	if (site->kind == LM_SITE_ANY)
		at = put(at, site->at, 5);
	else if (site->kind == LM_SITE_NUMBER)
		at = put(at, site->at + 5, site->copy);
	at = put_relative(at, lea, sizeof(lea), stub);
	at = put_relative(at, jump, sizeof(jump), &block->enter[site->kind]);
	if (site->kind == LM_SITE_READ) {
		/* cmpb $0, ... which is five bytes, and a zero. */
		memcpy(&distance, site->at + 2, sizeof(distance));
		distance += (int32_t)((intptr_t)site->at - (intptr_t)at);
		put(put(put(at, site->at, 2), &distance, 4), "", 1);
		put_relative(at + 7, jump, sizeof(jump), &stub->back);
	}
	stub->back = (uintptr_t)site->at + 5 + site->copy;
	stub->nr = (int32_t)site->nr;
	stub->nested = site->kind == LM_SITE_NUMBER &&
		       nested(site->nr, lm_table_row(site->nr));
}

/* What is written in one go: some sites, and the text between them. */
struct writing {
	const uint8_t *start;
	size_t len, sites;
	int error;
	uint8_t text[LM_PAGE];
};

/* The kernel writes: the text never is writable, and stays executable while
 * this very process runs in it. */
static void write_out(struct writing *writing)
{
	long ret;

	if (!writing->len)
		return;
	ret = lm_sys(SYS_pwrite64, memory, writing->text, writing->len,
		     writing->start);
	if (ret == (long)writing->len)
		hooked += writing->sites;
	else
		writing->error = ret < 0 ? (int)ret : -EIO;
	writing->len = 0;
}

static void write_jump(struct writing *writing, const uint8_t *at,
		       const struct stub *stub)
{
	int32_t to = (int32_t)((intptr_t)stub->code - (intptr_t)(at + 5));
	size_t offset;

	/* A write a page, for its price is the page's copy. */
	if (writing->len &&
	    (at < writing->start || at + 5 > writing->start + LM_PAGE))
		write_out(writing);
	if (!writing->len) {
		writing->start = at;
		writing->sites = 0;
	}
	offset = (size_t)(at - writing->start);
	memcpy(writing->text + writing->len, writing->start + writing->len,
	       offset - writing->len);
	writing->text[offset] = JUMP;
	memcpy(&writing->text[offset + 1], &to, sizeof(to));
	writing->len = offset + 5;
	writing->sites++;
}

static int hook_sites(uintptr_t object, const struct lm_sites *sites)
{
	size_t size = lm_page_up(sizeof(struct block) +
				 sites->count * sizeof(struct stub));
	uintptr_t block = near(object, size);
	struct stub *stubs = (struct stub *)(block + sizeof(struct block));
	struct writing writing;
	int ret;

	if (lm_os_failed(block))
		return (int)(intptr_t)block;
	((struct block *)block)->enter[LM_SITE_NUMBER] =
		(uintptr_t)lm_hook_enter;
	((struct block *)block)->enter[LM_SITE_ANY] =
		(uintptr_t)lm_hook_enter_any;
	((struct block *)block)->enter[LM_SITE_READ] =
		(uintptr_t)lm_hook_enter_read;
	for (size_t i = 0; i < sites->count; i++)
		make_stub((struct block *)block, &stubs[i], &sites->site[i]);
	ret = lm_os_mprotect(block, size, PROT_READ | PROT_EXEC);
	if (ret < 0) {
		lm_os_munmap(block, size);
		return ret;
	}
	writing.len = 0;
	writing.error = 0;
	for (size_t i = 0; i < sites->count; i++)
		write_jump(&writing, sites->site[i].at, &stubs[i]);
	write_out(&writing);
	return writing.error;
}

static int hook_text(uintptr_t object, const uint8_t *text, size_t len)
{
	struct lm_sites *sites = lm_meta_run(sizeof(*sites));
	int ret = 0;

	if (!sites)
		return -ENOMEM;
	lm_site_find(text, len, sites);
	if (find_read(&sites->site[sites->count]) &&
	    (size_t)(sites->site[sites->count].at - text) < len)
		sites->count++;
	if (sites->count)
		ret = hook_sites(object, sites);
	lm_meta_free_run(sites, sizeof(*sites));
	return ret;
}

static bool holds(const struct dl_phdr_info *info, uintptr_t addr)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD &&
		    addr - (info->dlpi_addr + ph->p_vaddr) < ph->p_memsz)
			return true;
	}
	return false;
}

/*
 * Not lazymap itself, whose own calls must not come back to it; not the dynamic
 * linker, which copies what it is given; and not what lies above the stack,
 * since memory near it would be where the stack grows: older kernels put the
 * vDSO there, which makes the calls for the clocks that it cannot read.
 */
static bool left_alone(const struct dl_phdr_info *info, uintptr_t first)
{
	uintptr_t linker = getauxval(AT_BASE);

	return holds(info, (uintptr_t)lm_hook_enter) ||
	       (linker && holds(info, linker)) ||
	       first > (uintptr_t)__builtin_frame_address(0);
}

static int visit_object(struct dl_phdr_info *info, size_t size, void *data)
{
	uintptr_t first = UINTPTR_MAX;
	int ret = 0;

	(void)size, (void)data;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD)
			first = lm_min(first,
				       info->dlpi_addr +
					       info->dlpi_phdr[i].p_vaddr);
	if (left_alone(info, first))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD && ph->p_flags & PF_X &&
		    ph->p_flags & PF_R && !(ph->p_flags & PF_W))
			ret = hook_text(lm_page_down(first),
					(const uint8_t *)(info->dlpi_addr +
							  ph->p_vaddr),
					ph->p_filesz);
		if (ret < 0)
			failed = ret;
	}
	return 0; /* another object may do */
}

int lm_hook_start(void)
{
	if (hooked)
		return 0;
	/* Text is not changed under a thread that may be running in it. */
	if (!__libc_single_threaded)
		return -EBUSY;
	memory = (int)lm_sys(SYS_openat, AT_FDCWD, "/proc/self/mem",
			     O_RDWR | O_CLOEXEC);
	if (memory < 0)
		return memory;
	lm_hook_xsave = vectors();
	/* Where the state ends in its standard layout: FXSAVE's, its header
	 * and AVX's, all. */
	lm_hook_frame = lm_hook_xsave & 0xe0 ? 2688 : lm_hook_xsave ? 832 : 512;
	failed = 0;
	dl_iterate_phdr(visit_object, NULL);
	lm_sys(SYS_close, memory);
	return hooked ? 0 : failed;
}

unsigned lm_hook_count(void)
{
	return hooked;
}

#else

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
