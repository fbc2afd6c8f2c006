/*
 * trap.h -- how a fault reaches lazymap, and where it goes when it is not
 * lazymap's.
 *
 * A trap is a way to be told of faults. `native` is part of the library;
 * others are modules (lazymap-trap-NAME.so, symbol `lm_trap_module`), which
 * call back through struct lm_trap_core and need no symbol of the library.
 * trap/ is the only code that sees a ucontext.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_TRAP_TRAP_H
#define LM_TRAP_TRAP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the instruction wanted of the page. UNKNOWN: the trap cannot tell. */
enum lm_access { LM_READ = 0, LM_WRITE = 1, LM_EXEC = 2, LM_UNKNOWN = 3 };

/* What became of a fault. */
enum lm_served {
	LM_SERVED,  /* return from the handler: the instruction goes on */
	LM_FOREIGN, /* not in a lazy area, or its protection forbids it */
	LM_FAILED,  /* the page could not be filled: SIGBUS */
};

/* A function that the kernel enters: qemu's user mode (7.2, Debian 12's) has the
 * stack eight bytes off there, and what the compiler makes relies on it. */
#ifdef __x86_64__
#define LM_TRAP_ENTRY __attribute__((force_align_arg_pointer))
#else
#define LM_TRAP_ENTRY
#endif

#define LM_TRAP_VERSION 1

/* What the core gives a trap. All are async-signal-safe. */
struct lm_trap_core {
	size_t size;
	unsigned version;
	/* Serve a fault. All signals must be blocked. Keeps errno. */
	enum lm_served (*fault)(uintptr_t addr, enum lm_access access);
	/* Deliver a foreign fault: the program's own handler, else the
	 * default action. `info` and `context` are the handler's. */
	void (*foreign)(int sig, siginfo_t *info, void *context);
	/* Queue the SIGBUS that the kernel would have raised at addr; it is
	 * delivered when the handler returns. context may be NULL. */
	void (*fail)(uintptr_t addr, void *context);
};

struct lm_trap {
	size_t size;
	unsigned version;
	const char *name;
	/* Begin to be told. Keeps in *previous what SIGSEGV's action was.
	 * Returns 0 or -errno. */
	int (*install)(const struct lm_trap_core *core,
		       struct sigaction *previous);
	/* Put *previous back. */
	void (*remove)(const struct sigaction *previous);
	/* The program has set an action of its own for SIGSEGV, which is now
	 * where foreign faults go. May be NULL. Async-signal-safe. */
	void (*program_set)(const struct sigaction *act);
};

extern const struct lm_trap lm_trap_native;
extern const struct lm_trap lm_trap_none;

/* Choose and install the trap called `name` (NULL: the default). 0, -errno. */
int lm_trap_start(const char *name);
/* Do faults come to us, and not to a handler of the program's? */
bool lm_trap_installed(void);
/* The name of the trap that is installed, or NULL. */
const char *lm_trap_name(void);

/*
 * sigaction(SIGSEGV or SIGBUS) as the program sees it: what it set is kept
 * here and is where foreign faults go. 1 if `sig` is a signal that lazymap
 * holds and the call is done; 0 if the kernel's sigaction is to be called.
 */
int lm_trap_sigaction(int sig, const struct sigaction *act,
		      struct sigaction *old);

/* What the program set for SIGSEGV. `reset`: it is being called now, so that a
 * one-shot action goes back to the default. Async-signal-safe. */
struct sigaction lm_trap_program(bool reset);

/* Who delivers foreign faults, if not the trap itself, which calls the
 * program's handler from within its own. Returns whether it did. */
void lm_trap_deliver(bool (*by)(int sig, siginfo_t *info, void *context));

/* The default action. Of a fault: the instruction, run again on return from
 * the handler, raises it. Async-signal-safe. */
void lm_trap_die(int sig, siginfo_t *info);

#endif
