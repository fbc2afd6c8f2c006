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

#include "syscall/commands.h"
#include "syscall/table.h"

static const char head[] =
	"# System calls and lazy memory\n"
	"\n"
	"The kernel does not fault lazy pages in. What a call is going to use\n"
	"is made present and pinned before the call, which is then made once,\n"
	"whole: its result is the one it has on ordinary memory. Where a page\n"
	"forbids the access, or is not mapped, the kernel says EFAULT as ever.\n"
	"\n"
	"This page is made from `lib/syscall/table.c` and `commands.c`\n"
	"(`LAZYMAP_WRITE=1 make check T=test_table`); a test compares them.\n"
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
	"use during the call is present, buffers that are registered stay\n"
	"pinned, but the program pins what it submits (`lazymap_pin`). The\n"
	"library alone, without the shim, refuses nothing.\n"
	"\n"
	"## /proc/self/mem\n"
	"A read or write of it is the kernel's access to what its position\n"
	"names: that is present and pinned, too, for the calls that name a\n"
	"position (`pread`, `preadv`, ...) as soon as they are seen. For the\n"
	"others, under `lazymap run`, once a function of the C library has\n"
	"sought one, or `lseek` by `syscall()` or by a hooked instruction. What is\n"
	"written to pages that the program may not write stays resident.\n"
	"\n"
	"## What is not seen\n"
	"- `syscall` instructions that cannot be given way to: less than five\n"
	"  bytes of whole instructions before them, something that jumps\n"
	"  between these, no unwind table where the number is in no mov and it\n"
	"  is not Go's; or that are made at run time. In\n"
	"  the C library these are calls without memory, two that change the\n"
	"  signal mask by a constant of its own, and one that reads to its own\n"
	"  memory (`test_sites` names them). qemu's user mode makes the calls of\n"
	"  the program that it emulates by such a one: they get EFAULT where\n"
	"  their memory is lazy and not present.\n"
	"- A `read` by an instruction of the program's own from a signalfd for\n"
	"  SIGSEGV, which tells of SIGSTKFLT.\n"
	"- The environment of an `execve` by number: lazymap follows if\n"
	"  LD_PRELOAD is in it.\n"
	"- The dynamic linker's own calls (it copies the names it is given).\n"
	"- All hooks, where the process has more than one thread when lazymap\n"
	"  starts, where `/proc/self/mem` cannot be written or no executable\n"
	"  memory be mapped, on other architectures, and in builds with a\n"
	"  sanitizer.\n"
	"- Memory that a ring of io_uring's is given, where that is permitted. Pin\n"
	"  it (`lazymap_pin`). What `set_robust_list`, `set_tid_address` and\n"
	"  `rseq` name stays pinned by itself, and so does a robust mutex while it\n"
	"  is held, and the buffers of `io_submit` until `io_getevents` has told of\n"
	"  their end, or `io_destroy` has waited for it: for a program that takes\n"
	"  the events out of the ring itself they stay. Of `vmsplice` and\n"
	"  MSG_ZEROCOPY the kernel has the pages themselves, but what is written to\n"
	"  them afterwards it may not see.\n"
	"- What `clone` and `clone3` name is present before, and not pinned.\n"
	"- `ptrace`, `process_vm_readv` and `/proc/PID/mem` of this process by\n"
	"  another one, core dumps; and what `/proc/self/mem` has of pages that\n"
	"  the program has no access to itself.\n"
	"- Pointers in an ioctl's struct or a socket option that has no row\n"
	"  below: graphics, frames of sound, planes of video, SCTP, ...; and\n"
	"  what a device or a virtual machine uses later (usbdevfs' URBs,\n"
	"  VFIO's mappings, KVM's memory slots). Pin it.\n"
	"- `mseal`, which would keep pages from coming in: ENOSYS.\n"
	"\n"
	"With a resident limit, a read, write, send or receive (vectored or by\n"
	"message, too) of more than an eighth of the limit is made in pieces,\n"
	"where bytes have no borders: files, pipes, stream sockets. The sum is\n"
	"what one call had returned; but a receive ends with the piece that\n"
	"something came beside. A look at a stream socket (MSG_PEEK) has no\n"
	"more pinned than is there to be seen. All others are made once, with\n"
	"everything pinned, whatever the limit.\n"
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
	case LM_ARG_OWN:
		fprintf(page, "as many bytes as it says at byte %u", n);
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

static const char *const directions[] = { "", "in", "out", "in, out", "kept" };

static void say_commands(FILE *page, const struct lm_commands *of,
			 const char *call)
{
	for (size_t i = 0; i < of->commands; i++) {
		const struct lm_command *row = &of->command[i];

		fprintf(page, "| %s | %s | %d %s: ", call, row->name, row->arg,
			directions[row->dir]);
		if (row->size)
			fprintf(page, "%u bytes |\n", row->size);
		else
			fprintf(page, "[%d] bytes |\n", row->n);
	}
}

static void say_nested(FILE *page, const struct lm_commands *of,
		       const char *call)
{
	for (size_t i = 0; i < of->nesteds; i++) {
		const struct lm_nested *row = &of->nested[i];

		fprintf(page, "| %s | %s | %s byte %u %s: ", call, row->name,
			row->kind == LM_NESTED_BEHIND ? "from" : "address at",
			row->at, directions[row->dir]);
		if (row->width)
			fprintf(page, "number at byte %u, times ", row->count);
		if (row->times)
			fprintf(page, "number at byte %u |\n", row->times);
		else
			fprintf(page, "%u bytes |\n", row->unit);
	}
}

static const char commands_head[] =
	"\n"
	"## Commands\n"
	"Of the calls above that depend on a command. An ioctl whose number\n"
	"carries a size and a direction needs no row for its struct; one\n"
	"without is taken to be of 256 bytes. `address at byte n`: what the\n"
	"struct names there; `from byte n`: what goes on behind it, or is\n"
	"longer than its number says. What takes code is in special.c,\n"
	"command.c, ioctl.c (interfaces, buses' messages, controls of video)\n"
	"and bpf.c (keys and values of maps, what is told of an object).\n"
	"\n"
	"| call | command | memory |\n"
	"|---|---|---|\n";

static void say_all_commands(FILE *page)
{
	const struct lm_commands *of;

	fputs(commands_head, page);
	for (size_t i = 0; (of = lm_commands_at(i)); i++) {
		const char *call = lm_table_row(of->nr)->name;

		say_commands(page, of, call);
		say_nested(page, of, call);
	}
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
	say_all_commands(page);
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

/* Of x86-64's numbers, those without memory: numbers and descriptors, or not
 * there any more. Whoever adds to the table's end adds what lies between. */
#if defined(__x86_64__)
static const int without_memory[] = {
	SYS_close,
	SYS_lseek,
	SYS_brk,
	SYS_rt_sigreturn,
	SYS_sched_yield,
	SYS_shmget,
	SYS_dup,
	SYS_dup2,
	SYS_pause,
	SYS_alarm,
	SYS_getpid,
	SYS_socket,
	SYS_shutdown,
	SYS_listen,
	SYS_fork,
	SYS_vfork,
	SYS_exit,
	SYS_kill,
	SYS_semget,
	SYS_msgget,
	SYS_flock,
	SYS_fsync,
	SYS_fdatasync,
	SYS_ftruncate,
	SYS_fchdir,
	SYS_fchmod,
	SYS_fchown,
	SYS_umask,
	SYS_getuid,
	SYS_getgid,
	SYS_setuid,
	SYS_setgid,
	SYS_geteuid,
	SYS_getegid,
	SYS_setpgid,
	SYS_getppid,
	SYS_getpgrp,
	SYS_setsid,
	SYS_setreuid,
	SYS_setregid,
	SYS_setresuid,
	SYS_setresgid,
	SYS_getpgid,
	SYS_setfsuid,
	SYS_setfsgid,
	SYS_getsid,
	SYS_personality,
	SYS_getpriority,
	SYS_setpriority,
	SYS_sched_getscheduler,
	SYS_sched_get_priority_max,
	SYS_sched_get_priority_min,
	SYS_mlockall,
	SYS_munlockall,
	SYS_vhangup,
	SYS_sync,
	SYS_iopl,
	SYS_ioperm,
	SYS_gettid,
	SYS_readahead,
	SYS_tkill,
	SYS_io_destroy,
	SYS_timer_getoverrun,
	SYS_timer_delete,
	SYS_exit_group,
	SYS_tgkill,
	SYS_ioprio_set,
	SYS_ioprio_get,
	SYS_inotify_init,
	SYS_inotify_rm_watch,
	SYS_unshare,
	SYS_tee,
	SYS_sync_file_range,
	SYS_timerfd_create,
	SYS_eventfd,
	SYS_fallocate,
	SYS_eventfd2,
	SYS_epoll_create,
	SYS_epoll_create1,
	SYS_dup3,
	SYS_inotify_init1,
	SYS_fanotify_init,
	SYS_syncfs,
	SYS_setns,
	SYS_userfaultfd,
	SYS_membarrier,
	SYS_fadvise64,
	SYS_restart_syscall,
	SYS_pkey_alloc,
	SYS_pkey_free,
	SYS_pidfd_open,
	SYS_close_range,
	SYS_pidfd_getfd,
	SYS_landlock_restrict_self,
	SYS_memfd_secret,
	SYS_process_mrelease,
	SYS_fsmount,
	/* ENOSYS, or the kernel's own. */
	SYS__sysctl,
	SYS_create_module,
	SYS_get_kernel_syms,
	SYS_query_module,
	SYS_nfsservctl,
	SYS_getpmsg,
	SYS_putpmsg,
	SYS_afs_syscall,
	SYS_tuxcall,
	SYS_security,
	SYS_set_thread_area,
	SYS_get_thread_area,
	SYS_epoll_ctl_old,
	SYS_epoll_wait_old,
	SYS_vserver,
	335 /* uretprobe */,
	336 /* uprobe */,
};

static bool listed(long nr)
{
	for (size_t i = 0;
	     i < sizeof(without_memory) / sizeof(without_memory[0]); i++)
		if (without_memory[i] == nr)
			return true;
	return false;
}

START_TEST(every_number_has_a_row_or_no_memory)
{
	/* Numbers from 337 to 423 are other architectures'. */
	for (long nr = 0; nr < lm_table_end(); nr++)
		if (nr < 337 || nr > 423)
			ck_assert_msg(!lm_table_row(nr) == listed(nr),
				      "call %ld", nr);
	ck_assert_int_ge(lm_table_end(), 470);
}
END_TEST
#endif

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
#if defined(__x86_64__)
	tcase_add_test(tcase, every_number_has_a_row_or_no_memory);
#endif
	tcase_add_test(tcase, unknown_numbers_have_no_row);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
