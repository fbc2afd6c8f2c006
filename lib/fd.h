/*
 * fd.h -- descriptors that lazymap keeps for itself in the program's table.
 *
 * The table is the program's: it may close any number behind our back
 * (closefrom, a loop over 3..1023) and put a file of its own there (dup2). A
 * write meant for /proc/self/mem that went to such a file would destroy the
 * program's data. And after fork a descriptor of /proc/self/mem, or a
 * userfaultfd, still means the parent's memory, for a raw clone(2) too, where
 * no atfork handler runs. Hence this file.
 *
 * Async-signal-safe and thread-safe throughout; takes no lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_FD_H
#define LM_FD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Move fd out of the program's way and make it close-on-exec: to a number that
 * the program cannot be given (at or above its soft RLIMIT_NOFILE) where that
 * can be had, else to a high one, so that the numbers the program sees are
 * those it would see without lazymap. Closes fd and returns the new number;
 * returns fd itself where no other can be had. Never fails.
 */
int lm_fd_hide(int fd);

/* A fingerprint of the file that fd is open on, never 0; 0: fd is not open. */
uint64_t lm_fd_tag(int fd);

/* Keep the descriptor *where (from lm_fd_hide) out of reach of the program's
 * calls, where the shim sees them; *where changes when it has to move. */
void lm_fd_keep(_Atomic int *where);

/* The same, of a number that nobody has to know when it moves; lm_fd_kept()
 * tells whether it has. And its end. */
void lm_fd_keep_number(int number);
void lm_fd_close(int number);

/* The first number in [first, last] that is lazymap's own; -1: none. */
int lm_fd_kept(unsigned first, unsigned last);

/* The program wants this number, which is lazymap's: go to another one. */
void lm_fd_vacate(int number);

struct lm_fd_word;

/*
 * A descriptor bound to this process's memory, which can be had again when it
 * was lost. Define it static with `open` (and `check`) set, the rest zero.
 */
struct lm_fd {
	/* Open it: a descriptor, or -errno. Immutable. */
	int (*open)(void);
	/* Compare the fingerprint at each use. What it costs: one fstat (a
	 * tenth of a microsecond more than the cheapest system call). What it
	 * buys: a number that the program closed or gave to its own file is
	 * found out before it is written to, but for a dup2 in the instants
	 * between the check and the use. Needed where a use of a wrong file
	 * would do harm and not just fail. Immutable. */
	int check;
	/* Memory that fork gives zeroed to the child. Atomic, set once. */
	struct lm_fd_word *_Atomic word;
	/* Number and fingerprint as of the last opening, by whichever
	 * process: what a child inherited and has to close. Atomic. */
	_Atomic uint64_t last;
	/* No other file has its fingerprint. Atomic. */
	_Atomic bool alone;
};

/* At the start: it is this process's, though nothing is open yet. Else it would be
 * a vfork child's, which shares the memory, if that needs it first. 0, or -ENOMEM. */
int lm_fd_begin(struct lm_fd *fd);
/* Is it? Not a vfork child's. */
bool lm_fd_mine(struct lm_fd *fd);

/*
 * The number to use now; opens the file when there is none yet, it was lost,
 * or this is a forked child. Or -errno: of the opening; -ESTALE in a vfork
 * child (it has our memory but a table of its own, so what it opened there
 * must not be published).
 */
int lm_fd_get(struct lm_fd *fd);

/* `number`, from lm_fd_get, turned out not to be the file: forget it. */
void lm_fd_lost(struct lm_fd *fd, int number);

/* In a forked child: forget the parent's descriptor, and close it. */
void lm_fd_forked(struct lm_fd *fd);

/* Close it; the next lm_fd_get opens it again. */
void lm_fd_drop(struct lm_fd *fd);

#endif
