/*
 * atfork.c -- a program that keeps atfork handlers itself, and runs them around a
 * clone() that goes on where it was called, as Firefox does. What it does in
 * between touches memory as ever.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "cases.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>

#define HANDLERS 16

static struct {
	void (*prepare)(void), (*parent)(void), (*child)(void);
} handlers[HANDLERS];
static int count;
static char *memory;

/* In the place of the C library's. */
__attribute__((visibility("default"))) int
__register_atfork(void (*prepare)(void), void (*parent)(void),
		  void (*child)(void), void *object);
int __register_atfork(void (*prepare)(void), void (*parent)(void),
		      void (*child)(void), void *object)
{
	(void)object;
	if (count == HANDLERS)
		return 1;
	handlers[count].prepare = prepare;
	handlers[count].parent = parent;
	handlers[count++].child = child;
	return 0;
}

static int go_on(void *env)
{
	longjmp(*(jmp_buf *)env, 1);
}

__attribute__((noinline)) static pid_t clone_here(jmp_buf *env)
{
	char stack[4096] __attribute__((aligned(16)));

	return clone(go_on, stack + sizeof(stack), SIGCHLD, env);
}

static pid_t fork_with_handlers(void)
{
	volatile pid_t pid = 0;
	jmp_buf env;

	for (int i = count; i-- > 0;)
		if (handlers[i].prepare)
			handlers[i].prepare();
	touch(memory);
	if (!setjmp(env))
		pid = clone_here(&env);
	for (int i = 0; i < count; i++) {
		if (pid && handlers[i].parent)
			handlers[i].parent();
		if (!pid && handlers[i].child)
			handlers[i].child();
	}
	return pid;
}

static void child_of_a_clone_with_handlers_goes_on(void)
{
	pid_t child;
	int status;

	memory = lazy(64);
	for (int n = 0; n < 3; n++) {
		child = fork_with_handlers();
		if (!child) {
			touch(memory + PAGE);
			_exit(memory[0] * 10 + memory[PAGE]);
		}
		waitpid(child, &status, 0);
		printf("%d %d\n", status, memory[PAGE]);
	}
	child = fork();
	if (!child)
		_exit(memory[0]);
	waitpid(child, &status, 0);
	printf("%d\n", status);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(child_of_a_clone_with_handlers_goes_on),
		{ NULL, NULL },
	};

	return run_cases(cases, argc, argv);
}
