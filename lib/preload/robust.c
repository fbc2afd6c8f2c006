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

static const struct robust_list_head *list(void)
{
	if (!beside || atomic_load_explicit(&others, memory_order_relaxed))
		return ask();
	return (void *)((uintptr_t)pthread_self() + beside);
}

static bool empty(const struct robust_list_head *head)
{
	return !head || !head->list.next || head->list.next == &head->list;
}

bool lm_robust_held(void)
{
	return lm_area_ever() && !empty(list());
}

void lm_robust_pin(void)
{
	const struct robust_list_head *head = lm_area_ever() ? list() : NULL;
	uintptr_t entry;

	if (empty(head))
		return;
	entry = (uintptr_t)head->list.next;
	for (int i = 0; i < MOST; i++) {
		entry &= ~(uintptr_t)1; /* it inherits priority */
		if (!entry || entry == (uintptr_t)&head->list)
			break;
		pin_entry(head, entry);
		entry = (uintptr_t)((struct robust_list *)entry)->next;
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
