/*
 * test_table_once.c -- the table of system calls, and the page of doc/ that is
 * made from it. LAZYMAP_WRITE=1 writes the page.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "syscall/table.h"

static const char head[] =
	"# System calls and lazy memory\n"
	"\n"
	"The kernel does not fault lazy pages in. What a call is going to use\n"
	"is made present and pinned before the call, which is then made once,\n"
	"whole: its result is the one it has on ordinary memory. Where a page\n"
	"forbids the access, or is not mapped, the kernel says EFAULT as ever.\n"
	"\n"
	"This page is made from `lib/syscall/table.c` (`LAZYMAP_WRITE=1 make\n"
	"check T=test_table`); a test compares the two.\n"
	"\n"
	"## How a call is seen\n"
	"1. **Interposed** (`lib/preload/`): the functions of the C library\n"
	"   that programs call. Works everywhere.\n"
	"2. **Hooked** (`lib/syscall/hook.c`, `lazymap run` without\n"
	"   `--no-syscall-trap`; option `syscall_trap` of the library): the\n"
	"   calls that the C library makes inside itself, libc's `syscall()`,\n"
	"   and `syscall` instructions of the program and its libraries. The\n"
	"   instruction that loads the call's number becomes a jump to a look\n"
	"   at the arguments. x86-64 only. What `dlopen` brings in is hooked\n"
	"   when the dynamic linker says that it is mapped, which is before\n"
	"   its constructors run (glibc's: `r_brk`, see debuggers).\n"
	"\n"
	"Not seccomp: a filter is inherited by every program executed later,\n"
	"which has no handler for its SIGSYS and is killed by it, and an\n"
	"unprivileged process has to set no_new_privs first, which makes\n"
	"setuid programs fail. Hooks end with exec: children that are static,\n"
	"setuid, or run with `--no-follow` are untouched.\n"
	"\n"
	"## Calls about signals\n"
	"SIGSEGV is lazymap's under `lazymap run`, and the program has what it\n"
	"set for it (see lazymap(7)). That holds for calls by number, too:\n"
	"`rt_sigaction`, `rt_sigprocmask`, `rt_sigpending`, `sigaltstack`,\n"
	"`rt_sigsuspend`, `rt_sigtimedwait`, `signalfd`, `signalfd4`, the masks\n"
	"of `ppoll`, `pselect6`, `epoll_pwait`, `epoll_pwait2` and\n"
	"`io_pgetevents`, and the mask and the ignored signals that `execve` and\n"
	"`execveat` hand down. By `syscall()` always; by an instruction of the\n"
	"program's or a library's own if it is hooked. With `--no-syscall-trap`\n"
	"or where no hook can be, such an instruction takes SIGSEGV from\n"
	"lazymap or blocks it, and the next touch of lazy memory kills; Go's\n"
	"runtime makes them in every program. What the C library does with\n"
	"signals inside its functions goes to the kernel as it is.\n"
	"\n"
	"Go's stacks end where its linker has counted that a call ends. In an\n"
	"object of Go's a call that is looked at runs on another stack of the\n"
	"thread's, unless the thread is on its alternate stack. Go without cgo\n"
	"has nothing of the C library, and no lazy memory: it runs as it is.\n"
	"\n"
	"## io_uring\n"
	"The kernel uses what a ring was given when nobody looks. Under `lazymap\n"
	"run` `io_uring_setup`, `io_uring_enter` and `io_uring_register` are\n"
	"ENOSYS, as in kernels and containers without it, and programs do\n"
	"without; by `syscall()` always, by an instruction if it is hooked. With\n"
	"`--io-uring` (LAZYMAP_IO_URING=1) they go to the kernel, and what they\n"
	"use during the call is present, but the program pins what it submits\n"
	"(`lazymap_pin`). The library alone, without the shim, refuses nothing.\n"
	"\n"
	"## What is not seen\n"
	"- `syscall` instructions that cannot be given way to: less than five\n"
	"  bytes of whole instructions before them, something that jumps\n"
	"  between these, no unwind table where the number is in no mov and it\n"
	"  is not Go's; or that are made at run time. In\n"
	"  the C library these are calls without memory, two that change the\n"
	"  signal mask by a constant of its own, and one that reads to its own\n"
	"  memory (`test_sites` names them).\n"
	"- A `read` by an instruction of the program's own from a signalfd for\n"
	"  SIGSEGV, which tells of SIGSTKFLT.\n"
	"- The environment of an `execve` by number: lazymap follows if\n"
	"  LD_PRELOAD is in it.\n"
	"- The dynamic linker's own calls (it copies the names it is given).\n"
	"- All hooks, where the process has more than one thread when lazymap\n"
	"  starts, where `/proc/self/mem` cannot be written or no executable\n"
	"  memory be mapped, on other architectures, and in builds with a\n"
	"  sanitizer.\n"
	"- Memory that the kernel uses after a call has returned: `io_submit`,\n"
	"  `vmsplice`, MSG_ZEROCOPY, and io_uring where it is permitted. Pin it\n"
	"  (`lazymap_pin`). What `set_robust_list`, `set_tid_address` and `rseq`\n"
	"  name stays pinned by itself, and so does a robust mutex while it is\n"
	"  held.\n"
	"- `clone` and `clone3` made past the C library, `ptrace`,\n"
	"  `process_vm_readv` of this process by another one, core dumps.\n"
	"- Pointers inside an ioctl's struct (but for SIOCGIFCONF), in a socket\n"
	"  option (but for filters), in what `bpf` takes.\n"
	"- `mseal`, which would keep pages from coming in: ENOSYS.\n"
	"\n"
	"With a resident limit, a read, write, send or receive (vectored or by\n"
	"message, too) of more than an eighth of the limit is made in pieces,\n"
	"where bytes have no borders: files, pipes, stream sockets. The sum is\n"
	"what one call had returned; but a receive ends with the piece that\n"
	"something came beside. All others are made once, with everything\n"
	"pinned, whatever the limit.\n"
	"\n"
	"A call that is left by `siglongjmp` or by cancellation inside a hook\n"
	"leaves its pages pinned: they stay resident.\n"
	"\n"
	"Calls about memory itself (`munmap`, `mprotect`, `madvise`, ...) on\n"
	"lazy areas become lazymap's own, however they are made.\n"
	"\n"
	"## The calls\n"
	"Argument, direction (in: the kernel reads, out: it writes), size. `[n]`\n"
	"is the value of argument n, counted from 0.\n"
	"\n"
	"| call | memory |\n"
	"|---|---|\n";

static void say_size(FILE *page, const struct lm_arg *arg)
{
	unsigned n = arg->n, size = arg->size;

	switch ((enum lm_arg_kind)arg->kind) {
	case LM_ARG_VALUE:
		break;
	case LM_ARG_RANGE:
		fprintf(page, "an address, not its content");
		break;
	case LM_ARG_SIZED:
		fprintf(page, "%u bytes", size);
		break;
	case LM_ARG_BYTES:
		fprintf(page, "[%u] bytes", n);
		break;
	case LM_ARG_ARRAY:
		fprintf(page, "[%u] times %u bytes", n, size);
		break;
	case LM_ARG_LENGTH:
		fprintf(page, "as many bytes as the int behind [%u]", n);
		break;
	case LM_ARG_STRING:
		fprintf(page, "a string");
		break;
	case LM_ARG_STRINGS:
		fprintf(page, "pointers to strings, and the strings");
		break;
	case LM_ARG_BITS:
		fprintf(page, "[%u] bits", n);
		break;
	case LM_ARG_IOVEC:
		fprintf(page, "[%u] iovecs, and their buffers", n);
		break;
	case LM_ARG_MSG:
		fprintf(page, "a msghdr, and all it names");
		break;
	case LM_ARG_MMSG:
		fprintf(page, "[%u] mmsghdrs, and all they name", n);
		break;
	case LM_ARG_SPECIAL:
		fprintf(page, "depends: lib/syscall/special.c");
		break;
	}
}

static void say_row(FILE *page, const struct lm_row *row)
{
	static const char *const dirs[] = { "", " in", " out", " in, out",
					    " kept" };
	const char *between = "";

	fprintf(page, "| %s | ", row->name);
	for (int i = 0; i < LM_ARGS; i++) {
		const struct lm_arg *arg = &row->arg[i];

		if (arg->kind == LM_ARG_VALUE)
			continue;
		fprintf(page, "%s%d%s: ", between, i,
			arg->kind == LM_ARG_RANGE || arg->kind == LM_ARG_SPECIAL
				? ""
				: dirs[arg->dir]);
		say_size(page, arg);
		between = "; ";
	}
	fprintf(page, " |\n");
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct lm_row *const *)a)->name,
		      (*(const struct lm_row *const *)b)->name);
}

static char *make_page(void)
{
	const struct lm_row *rows[1024];
	size_t n = 0, size;
	char *text;
	FILE *page = open_memstream(&text, &size);

	fputs(head, page);
	for (long nr = 0; nr < lm_table_end(); nr++)
		if (lm_table_row(nr))
			rows[n++] = lm_table_row(nr);
	qsort(rows, n, sizeof(rows[0]), by_name);
	for (size_t i = 0; i < n; i++)
		say_row(page, rows[i]);
	fclose(page);
	return text;
}

START_TEST(page_is_what_the_table_says)
{
	char *page = make_page(), *there, path[4096];
	size_t len = strlen(page);
	FILE *file;

	snprintf(path, sizeof(path), "%s/doc/syscalls.md",
		 getenv("SRCDIR") ? getenv("SRCDIR") : ".");
	if (getenv("LAZYMAP_WRITE")) {
		file = fopen(path, "w");
		ck_assert_ptr_nonnull(file);
		fputs(page, file);
		fclose(file);
	}
#if defined(__x86_64__)
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "no %s", path);
	there = calloc(1, len + 2);
	ck_assert_uint_eq(fread(there, 1, len + 1, file), len);
	ck_assert(!memcmp(page, there, len));
	fclose(file);
	free(there);
#else
	(void)there, (void)len;
	printf("skipped: the page is of x86-64's calls\n");
#endif
	free(page);
}
END_TEST

/* A length is an argument of the call, and not a pointer itself. */
START_TEST(lengths_are_numbers)
{
	for (long nr = 0; nr < lm_table_end(); nr++) {
		const struct lm_row *row = lm_table_row(nr);

		for (int i = 0; row && i < LM_ARGS; i++) {
			const struct lm_arg *arg = &row->arg[i];
			int kind = row->arg[arg->n].kind;

			ck_assert_int_lt(arg->n, LM_ARGS);
			if (arg->kind == LM_ARG_LENGTH)
				ck_assert_msg(kind == LM_ARG_SIZED, "%s",
					      row->name);
			else if (arg->kind == LM_ARG_BYTES ||
				 arg->kind == LM_ARG_ARRAY ||
				 arg->kind == LM_ARG_IOVEC)
				ck_assert_msg(kind == LM_ARG_VALUE, "%s",
					      row->name);
		}
	}
}
END_TEST

START_TEST(unknown_numbers_have_no_row)
{
	ck_assert_ptr_null(lm_table_row(-1));
	ck_assert_ptr_null(lm_table_row(lm_table_end()));
	ck_assert_ptr_null(lm_table_row(1L << 40));
	ck_assert_ptr_null(lm_table_row(SYS_getpid));
	ck_assert_str_eq(lm_table_row(SYS_read)->name, "read");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *tcase = tcase_create("table");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, page_is_what_the_table_says);
	tcase_add_test(tcase, lengths_are_numbers);
	tcase_add_test(tcase, unknown_numbers_have_no_row);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
