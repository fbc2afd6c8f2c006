/*
 * start.c -- the library's beginning: options, and each part in its order.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "start.h"

#include "area.h"
#include "bound.h"
#include "fault.h"
#include "pager.h"
#include "permit.h"
#include "place/place.h"
#include "policy/policy.h"
#include "syscall/hook.h"
#include "trap/trap.h"
#include "widen.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STRING_(x) #x
#define STRING(x) STRING_(x)

struct lazymap_options lm_options;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int started; /* 1: started; < 0: failed, -errno */

const char *lazymap_version(void)
{
	return STRING(LAZYMAP_VERSION_MAJOR) "." STRING(
		LAZYMAP_VERSION_MINOR) "." STRING(LAZYMAP_VERSION_PATCH);
}

static int wrong(const char *option, const char *value, const char *wanted)
{
	char line[256];

	snprintf(line, sizeof(line), "%s: '%s' is not %s", option, value,
		 wanted);
	lm_error_report(LAZYMAP_ERROR_START, EINVAL, 0, line);
	return -EINVAL;
}

size_t lm_start_bytes(const char *text)
{
	static const char units[] = "kmgt";
	unsigned long long n;
	const char *unit;
	unsigned shift;
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || !*end)
		return errno ? 0 : n;
	unit = strchr(units, *end | 0x20);
	if (!unit || end[1])
		return 0;
	shift = 10 * (unsigned)(unit - units + 1);
	return n << shift >> shift == n ? n << shift : 0;
}

static int check_cluster(size_t cluster)
{
	return cluster >= LM_PAGE && cluster <= LM_BLOCK &&
	       !(cluster & (cluster - 1));
}

/* A number of bytes that the environment may give; "none" where that means
 * something. */
static int read_bytes(const char *name, bool none, size_t *value)
{
	const char *text = getenv(name);

	if (*value || !text || !*text)
		return 0;
	if (none && (!strcmp(text, "none") || !strcmp(text, "0"))) {
		*value = LAZYMAP_NONE;
		return 0;
	}
	*value = lm_start_bytes(text);
	if (*value)
		return 0;
	return wrong(name, text, "a number of bytes, such as 256M");
}

static int read_limits(struct lazymap_options *options)
{
	const char *strict = getenv("LAZYMAP_STRICT");
	const char *threads = getenv("LAZYMAP_THREADS");
	const char *encrypt = getenv("LAZYMAP_SWAP_ENCRYPT");
	int ret = read_bytes("LAZYMAP_RESIDENT", false, &options->resident);

	if (!ret)
		ret = read_bytes("LAZYMAP_SWAP_POOL", true,
				 &options->swap_pool);
	if (!ret)
		ret = read_bytes("LAZYMAP_SWAP_MAX", true, &options->swap_max);
	if (!options->strict && strict && *strict)
		options->strict = strcmp(strict, "0") ? 1 : -1;
	if (!options->swap_encrypt && encrypt && *encrypt)
		options->swap_encrypt = strcmp(encrypt, "0") ? 1 : -1;
	if (!options->threads && threads && *threads)
		options->threads = strcmp(threads, "0") ? 1 : -1;
	if (!options->policy)
		options->policy = getenv("LAZYMAP_POLICY");
	if (!ret && !lm_policy_by_name(options->policy))
		ret = wrong("LAZYMAP_POLICY", options->policy,
			    "auto, s3fifo, clock, sieve or fifo");
	return ret;
}

static int read_options(const struct lazymap_options *given)
{
	struct lazymap_options options = { 0 };
	const char *text;
	char number[32];
	int ret;

	if (given)
		memcpy(&options, given, lm_min(given->size, sizeof(options)));
	if (!options.trap)
		options.trap = getenv("LAZYMAP_TRAP");
	if (!options.place)
		options.place = getenv("LAZYMAP_PLACE");
	if (options.place && !*options.place)
		options.place = NULL;
	text = getenv("LAZYMAP_CLUSTER");
	if (!options.cluster && text && *text) {
		options.cluster = lm_start_bytes(text);
		if (!check_cluster(options.cluster))
			return wrong("LAZYMAP_CLUSTER", text,
				     "a power of two from 4K to 2M");
	}
	snprintf(number, sizeof(number), "%zu", options.cluster);
	if (options.cluster && !check_cluster(options.cluster))
		return wrong("cluster", number, "a power of two from 4K to 2M");
	text = getenv("LAZYMAP_TIME");
	if (!options.time && text && *text)
		options.time = strcmp(text, "0") ? 1 : -1;
	text = getenv("LAZYMAP_SYSCALL_TRAP");
	if (!options.syscall_trap && text && *text)
		options.syscall_trap = strcmp(text, "0") ? 1 : -1;
	text = getenv("LAZYMAP_GUARD");
	if (!options.guard && text && *text)
		options.guard = strcmp(text, "0") ? 1 : -1;
	ret = read_limits(&options);
	if (ret < 0)
		return ret;
	options.size = sizeof(options);
	lm_options = options;
	return 0;
}

static int start_trap(void)
{
	int ret = lm_trap_start(lm_options.trap);

	if (ret == -EINVAL)
		return wrong("LAZYMAP_TRAP", lm_options.trap,
			     "native, libsigsegv or none");
	if (ret == -ENOENT) {
		wrong("LAZYMAP_TRAP", lm_options.trap, "installed");
		return -ENOENT;
	}
	return ret;
}

static int start_place(void)
{
	bool any = !lm_options.place || !strcmp(lm_options.place, "auto");
	int ret = any ? lm_place_begin() : lm_place_start(lm_options.place);

	if (ret == -EINVAL)
		return wrong("LAZYMAP_PLACE", lm_options.place,
			     "auto, mem, uffd, inplace or mremap");
	if (ret < 0)
		lm_error_report(LAZYMAP_ERROR_START, -ret, 0,
				"the way of placing is not permitted here");
	return ret;
}

static int start_with(const struct lazymap_options *given)
{
	int ret = read_options(given);

	if (!ret && sysconf(_SC_PAGESIZE) != (long)LM_PAGE)
		ret = -ENOSYS;
	ret = ret ? ret : lm_os_start();
	ret = ret ? ret : lm_area_start();
	ret = ret ? ret : start_place();
	ret = ret ? ret : lm_fork_start();
	ret = ret ? ret : start_trap();
	lm_widen_start();
	lm_pager_begin();
	ret = ret ? ret : lm_bound_start();
	/* What is asked for has to be had now, or the program is not run. */
	if (!ret && lm_options.resident)
		ret = lm_permit_ask(LM_PERMIT_OVER);
	/* Where it is not possible the rest is as useful as before. */
	if (!ret && lm_options.syscall_trap > 0)
		lm_hook_start();
	return ret;
}

bool lm_start_refused(void)
{
	/* Without a size they were not accepted. */
	return !lm_options.size || lm_options.resident || lm_options.trap ||
	       lm_options.place;
}

int lm_start(void)
{
	int now = atomic_load_explicit(&started, memory_order_acquire);

	if (now)
		return now < 0 ? now : 0;
	pthread_mutex_lock(&mutex);
	now = atomic_load(&started);
	if (!now) {
		now = start_with(NULL);
		atomic_store_explicit(&started, now < 0 ? now : 1,
				      memory_order_release);
	}
	pthread_mutex_unlock(&mutex);
	return now < 0 ? now : 0;
}

int lazymap_start(const struct lazymap_options *options)
{
	int ret = -EBUSY;

	pthread_mutex_lock(&mutex);
	if (atomic_load(&started) <= 0) {
		ret = start_with(options);
		atomic_store_explicit(&started, ret < 0 ? 0 : 1,
				      memory_order_release);
	}
	pthread_mutex_unlock(&mutex);
	if (ret < 0)
		errno = -ret;
	return ret < 0 ? -1 : 0;
}
