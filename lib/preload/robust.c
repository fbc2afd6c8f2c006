/*
 * robust.c -- mutexes that a thread holds when it ends: the kernel looks at
 * those that are robust, to tell their next owner, and does not fault them in.
 *
 * It may end any time, by a signal or by exec: so while one is held, its page
 * stays. Other mutexes cost one look at their kind. What was locked past the
 * functions here (before lazymap started) is pinned at an end that is seen, where
 * it takes no system call to know that there is something: the program may have
 * forbidden itself all but those that it makes.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "preload.h"

#include "../area.h"
#include "../syscall/copy.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>

/* As many as the kernel follows. */
#define MOST 2048

static void pin_entry(const struct robust_list_head *head, uintptr_t entry)
{
	/* For good: nobody comes back to undo it. */
	lm_access_keep(entry, sizeof(struct robust_list), 0);
	lm_access_keep(entry + (uintptr_t)head->futex_offset, 4, 1);
}

/* Where the C library has a thread's list, from what pthread_self() points to on;
 * 0: that is not known. Immutable after the start. */
static uintptr_t beside;
/* Threads may have other ones. */
static _Atomic bool others;

static const struct robust_list_head *ask(void)
{
	struct robust_list_head *head = NULL;
	size_t len;

	if (lm_sys(SYS_get_robust_list, 0, &head, &len) < 0)
		return NULL;
	return head;
}

void lm_robust_start(void)
{
	uintptr_t distance = (uintptr_t)ask() - (uintptr_t)pthread_self();

	/* A part of it. */
	if (distance < LM_PAGE)
		beside = distance;
}

void lm_robust_other(void)
{
	atomic_store_explicit(&others, true, memory_order_relaxed);
}

static uintptr_t where(void)
{
	if (!beside || atomic_load_explicit(&others, memory_order_relaxed))
		return (uintptr_t)ask();
	return (uintptr_t)pthread_self() + beside;
}

/* Where the list begins and what is there; 0: nothing is in it, or it cannot be
 * read, and then the kernel does without it, too. */
static uintptr_t list(struct robust_list_head *head)
{
	uintptr_t at = where();

	if (!at || lm_copy(head, at, sizeof(*head)) < 0 || !head->list.next ||
	    head->list.next == (struct robust_list *)at)
		return 0;
	return at;
}

bool lm_robust_held(void)
{
	struct robust_list_head head;

	return lm_area_ever() && list(&head);
}

void lm_robust_pin(void)
{
	struct robust_list_head head;
	struct robust_list entry;
	uintptr_t start = lm_area_ever() ? list(&head) : 0, at, last = 0;

	if (!start)
		return;
	at = (uintptr_t)head.list.next;
	for (int i = 0; i < MOST; i++) {
		at &= ~(uintptr_t)1; /* it inherits priority */
		/* One that leads to itself: such is a copy of an empty list's
		 * head, and thousands of times the same cost seconds. */
		if (!at || at == start || at == last)
			break;
		pin_entry(&head, at);
		if (lm_copy(&entry, at, sizeof(entry)) < 0)
			break;
		last = at;
		at = (uintptr_t)entry.next;
	}
}

/* -- While they are held ---------------------------------------------------------- */

/* PTHREAD_MUTEX_ROBUST_NORMAL_NP of glibc's kinds. */
static bool robust(const pthread_mutex_t *mutex)
{
#ifdef __GLIBC__
	return mutex->__data.__kind & 16;
#else
	(void)mutex;
	return false;
#endif
}

/* Each lock has a pin of its own: some are recursive. */
static int held(pthread_mutex_t *mutex, int ret)
{
	if (robust(mutex) && (!ret || ret == EOWNERDEAD) && lm_area_ever())
		lm_access_keep((uintptr_t)mutex, sizeof(*mutex), 1);
	return ret;
}

LM_EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	return held(mutex, REAL(pthread_mutex_lock)(mutex));
}

LM_EXPORT int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	return held(mutex, REAL(pthread_mutex_trylock)(mutex));
}

LM_EXPORT int pthread_mutex_timedlock(pthread_mutex_t *mutex,
				      const struct timespec *until)
{
	return held(mutex, REAL(pthread_mutex_timedlock)(mutex, until));
}

LM_EXPORT int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
				      const struct timespec *until)
{
	return held(mutex, REAL(pthread_mutex_clocklock)(mutex, clock, until));
}

LM_EXPORT int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	/* Who unlocks it may end it, or unmap it, right after. */
	bool was = robust(mutex);
	int ret = REAL(pthread_mutex_unlock)(mutex);

	if (was && !ret && lm_area_ever())
		lm_access_unpin((uintptr_t)mutex, sizeof(*mutex));
	return ret;
}
