/*
 * trace.c -- ptrace: a case for each of its commands.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

/* A child that is stopped, with a signal waiting. */
static pid_t traced(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return pid;
}

/* What may be wrong in its registers does not matter: it ends here. */
#define CASE_TRACE(name, request, addr, data)                                  \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		pid_t pid = traced();                                          \
		long ret;                                                      \
                                                                               \
		(void)raw;                                                     \
		ret = RAW(SYS_ptrace, request, pid, addr, data);               \
		extra[0] = errno;                                              \
		kill(pid, SIGKILL);                                            \
		waitpid(pid, NULL, 0);                                         \
		errno = (int)extra[0];                                         \
		return ret;                                                    \
	}

static const uint64_t number = 42;
CASE_TRACE(trace_peek, PTRACE_PEEKDATA, &number, p[0])
CASE_TRACE(trace_text, PTRACE_PEEKTEXT, &number, p[0])
CASE_TRACE(trace_user, PTRACE_PEEKUSER, 0, p[0])
CASE_TRACE(trace_regs, PTRACE_GETREGS, 0, p[0])
CASE_TRACE(trace_set_regs, PTRACE_SETREGS, 0, p[0])
CASE_TRACE(trace_float, PTRACE_GETFPREGS, 0, p[0])
CASE_TRACE(trace_set_float, PTRACE_SETFPREGS, 0, p[0])
CASE_TRACE(trace_area, 25 /* PTRACE_GET_THREAD_AREA */, 12, p[0])
CASE_TRACE(trace_set_area, 26 /* PTRACE_SET_THREAD_AREA */, 12, p[0])
CASE_TRACE(trace_message, PTRACE_GETEVENTMSG, 0, p[0])
CASE_TRACE(trace_siginfo, PTRACE_GETSIGINFO, 0, p[0])
CASE_TRACE(trace_set_siginfo, PTRACE_SETSIGINFO, 0, p[0])
CASE_TRACE(trace_sigmask, PTRACE_GETSIGMASK, 8, p[0])
CASE_TRACE(trace_set_sigmask, PTRACE_SETSIGMASK, 8, p[0])
CASE_TRACE(trace_queue, PTRACE_PEEKSIGINFO, p[0], p[1])
CASE_TRACE(trace_set, PTRACE_GETREGSET, 1, p[0])
CASE_TRACE(trace_set_set, PTRACE_SETREGSET, 1, p[0])
/* There is no filter. */
CASE_TRACE(trace_filter, 0x420d /* PTRACE_SECCOMP_GET_METADATA */, 16, p[0])
CASE_TRACE(trace_call, 0x420e /* PTRACE_GET_SYSCALL_INFO */, 88, p[0])
CASE_TRACE(trace_rseq, 0x420f /* PTRACE_GET_RSEQ_CONFIGURATION */, 24, p[0])
CASE_TRACE(trace_set_dispatch, 0x4210, 32, p[0])
CASE_TRACE(trace_dispatch, 0x4211, 32, p[0])
CASE_TRACE(trace_set_call, 0x4212 /* PTRACE_SET_SYSCALL_INFO */, 88, p[0])
static const uint64_t from_start[2] = { 0, (uint64_t)1 << 32 };
static const struct user_regs_struct no_regs; /* EIO, when they were read */
static const struct user_fpregs_struct no_floats = { .mxcsr = 0x1f80 };
static const uint32_t no_area[4] = { 12, 0, 0, 0x28 /* empty */ };
static const uint64_t first_filter[2];
static const uint64_t no_dispatch[4];
static const uint64_t no_call[11];

static void prepare_set(char *c[PARAMS], char *p[PARAMS])
{
	struct iovec iov = { p[1], sizeof(no_regs) };

	memcpy(c[0], &iov, sizeof(iov));
	memcpy(c[1], &no_regs, sizeof(no_regs));
}

/* clang-format off */
const struct test trace_tests[] = {
	TR(trace_peek, OUT(8)), TR(trace_text, OUT(8)), TR(trace_user, TIME(8)),
	TR(trace_regs, TIME(216)), TR(trace_set_regs, STRUCT(no_regs)),
	TR(trace_float, TIME(512)), TR(trace_set_float, STRUCT(no_floats)),
	TR(trace_area, OUT(16)), TR(trace_set_area, STRUCT(no_area)),
	TR(trace_message, TIME(8)), TR(trace_siginfo, TIME(128)),
	TR(trace_set_siginfo, OUT(128)), TR(trace_sigmask, OUT(8)),
	TR(trace_set_sigmask, STRUCT(mask_usr1)),
	TR(trace_queue, STRUCT(from_start), OUT(128)),
	T_(trace_set, prepare_set, RAW_ONLY, TIME(16), TIME(216)),
	T_(trace_set_set, prepare_set, RAW_ONLY, TIME(16), OUT(216)),
	TR(trace_filter, STRUCT(first_filter)), TR(trace_call, TIME(88)),
	TR(trace_rseq, TIME(24)), TR(trace_set_dispatch, STRUCT(no_dispatch)),
	TR(trace_dispatch, OUT(32)), TR(trace_set_call, STRUCT(no_call)),
	END_OF_TESTS,
};
/* clang-format on */
