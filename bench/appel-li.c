/*
 * appel-li.c -- the primitives of Appel and Li, "Virtual memory primitives for
 * user programs" (ASPLOS 1991), by which papers of this field compare systems:
 *
 *  trap                a fault that a handler of the program takes, and nothing
 *  trap+prot1+unprot   a touch of a protected page; the handler protects some
 *                      other page and unprotects this one
 *  protN+trap+unprot   protecting 100 pages in one call, touching each; the
 *                      handler unprotects it. A page's share of it all
 *
 * Pages are touched in random order, as there. For the kernel with mprotect;
 * and for a lazy area that is resident, with lazymap_protect: the program's own
 * handler, to which lazymap passes what is not lazymap's.
 *
 *	appel-li
 *
 * SPDX-License-Identifier: MIT
 */
#include <lazymap.h>
#include <signal.h>
#include <ucontext.h>

#include "view.h"

#define PAGES 100

enum { TRAP, PROT1, PROTN };

static size_t repeats;
static char *base;
static char good[64];
static int (*protect)(void *start, size_t len, int prot);
static uint32_t *order;
static size_t turn;
static int what;

/* A read whose address is in a register that the handler can change: it goes
 * on with a good one, and nothing has happened. */
#if defined(__x86_64__)
static char read_through(char *at)
{
	char byte;

	__asm__ volatile("movb (%%rax), %0" : "=d"(byte), "+a"(at));
	return byte;
}
#define SET_ADDRESS(uc, to)                                                    \
	((uc)->uc_mcontext.gregs[REG_RAX] = (greg_t)(uintptr_t)(to))
#elif defined(__aarch64__)
static char read_through(char *at)
{
	register char *x0 __asm__("x0") = at;
	int byte;

	__asm__ volatile("ldrb %w0, [%1]" : "=r"(byte), "+r"(x0));
	return (char)byte;
}
#define SET_ADDRESS(uc, to) ((uc)->uc_mcontext.regs[0] = (uintptr_t)(to))
#else
#define read_through(at) (*(volatile char *)(at))
#define SET_ADDRESS(uc, to) abort()
#endif

static void must(int ret)
{
	if (ret)
		abort();
}

static char *page_at(size_t i)
{
	return base + order[i % PAGES] * BENCH_PAGE;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	char *page = (char *)((uintptr_t)info->si_addr & ~(BENCH_PAGE - 1));

	(void)sig;
	(void)uc;
	if (what == TRAP) {
		SET_ADDRESS(uc, good);
		return;
	}
	/* The one that was touched before this one is protected again. */
	if (what == PROT1)
		must(protect(page_at(turn + PAGES - 1), BENCH_PAGE, PROT_NONE));
	must(protect(page, BENCH_PAGE, PROT_READ | PROT_WRITE));
}

static double touch_all(void)
{
	size_t n = repeats * PAGES;
	double from = bench_now();

	for (size_t i = 0; i < n; i++) {
		if (what == PROTN && i % PAGES == 0)
			must(protect(base, PAGES * BENCH_PAGE, PROT_NONE));
		turn = i;
		if (what == TRAP)
			read_through(page_at(i));
		else
			*(volatile char *)page_at(i) = (char)i;
	}
	return (bench_now() - from) * 1e6 / (double)n;
}

static void run(const struct bench_way *way, struct bench_result *result)
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO };
	struct view view = { .len = PAGES * BENCH_PAGE, .fd = -1 };
	size_t n;

	/* Before the library starts: it passes on what is not its own. */
	must(sigaction(SIGSEGV, &action, NULL));
	if (view_map(&view, way->how, result) < 0)
		return;
	base = view.base;
	protect = way->how == VIEW_LAZY ? lazymap_protect : mprotect;
	what = way->pattern;
	order = view_order(PAGES * BENCH_PAGE, BENCH_PAGE, 1, &n);
	memset(base, 1, PAGES * BENCH_PAGE);
	must(protect(base, PAGES * BENCH_PAGE, PROT_NONE));
	if (what == PROT1)
		must(protect(page_at(PAGES - 1), BENCH_PAGE,
			     PROT_READ | PROT_WRITE));
	result->value = touch_all();
	must(protect(base, PAGES * BENCH_PAGE, PROT_READ));
	for (size_t i = 0; i < PAGES * BENCH_PAGE; i++)
		if ((i % BENCH_PAGE || what == TRAP) && base[i] != 1)
			bench_wrong(result, "byte %zu is not as written", i);
}

#define WAYS(p)                                                                \
	{ .name = "kernel", .run = run, .how = VIEW_KERNEL, .pattern = p },    \
		{ .name = "lazymap",                                           \
		  .run = run,                                                  \
		  .how = VIEW_LAZY,                                            \
		  .pattern = p },                                              \
	{                                                                      \
		0                                                              \
	}

static const struct bench_way trap[] = { WAYS(TRAP) };
static const struct bench_way prot1[] = { WAYS(PROT1) };
static const struct bench_way protn[] = { WAYS(PROTN) };

static const struct bench_row rows[] = {
	{ .name = "trap",
	  .unit = "us",
	  .ways = trap,
	  .aims = { { "kernel", NULL, .bound = BENCH_SHOWN },
		    { "lazymap", "kernel", .bound = BENCH_SHOWN } } },
	{ .name = "trap+prot1+unprot",
	  .unit = "us",
	  .ways = prot1,
	  .aims = { { "kernel", NULL, .bound = BENCH_SHOWN },
		    { "lazymap", "kernel", .bound = BENCH_SHOWN } } },
	{ .name = "protN+trap+unprot",
	  .unit = "us a page",
	  .ways = protn,
	  .aims = { { "kernel", NULL, .bound = BENCH_SHOWN },
		    { "lazymap", "kernel", .bound = BENCH_SHOWN } } },
};

int main(void)
{
	repeats = bench_size(200, 20);
	return bench_run("appel-li", rows, sizeof(rows) / sizeof(rows[0]));
}
