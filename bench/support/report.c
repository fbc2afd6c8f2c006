/*
 * report.c -- see report.h. The JSON line has all figures, the bounds that are
 * aimed at, and what was seen of them: bench/report reads it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* -- Figures ------------------------------------------------------------------- */

#define VALUE (-1)

static double figure(const struct bench_result *result, int more)
{
	return more == VALUE ? result->value : result->more[more];
}

static double typical(const struct measured *all, size_t way, int more)
{
	double values[BENCH_ROUNDS_MAX];

	for (size_t r = 0; r < all->rounds; r++)
		values[r] = figure(&all->result[way][r], more);
	return bench_median(values, all->rounds);
}

static double extreme(const struct measured *all, size_t way, bool high)
{
	double value = all->result[way][0].value;

	for (size_t r = 1; r < all->rounds; r++) {
		double next = all->result[way][r].value;

		if (high ? next > value : next < value)
			value = next;
	}
	return value;
}

static double ratio(const struct measured *all, size_t of, size_t to)
{
	double values[BENCH_ROUNDS_MAX];

	for (size_t r = 0; r < all->rounds; r++)
		values[r] = all->result[of][r].value / all->result[to][r].value;
	return bench_median(values, all->rounds);
}

#define NOWHERE ((size_t)-1)

static size_t fastest_floor(const struct measured *all)
{
	size_t best = NOWHERE;

	for (size_t w = 0; w < all->ways; w++) {
		double value = typical(all, w, VALUE), than;

		if (!all->row->ways[w].floor || all->state[w] != BENCH_DONE)
			continue;
		than = best == NOWHERE ? value : typical(all, best, VALUE);
		if (best == NOWHERE ||
		    (all->row->rate ? value > than : value < than))
			best = w;
	}
	return best;
}

static size_t find_way(const struct measured *all, const char *name)
{
	if (!strcmp(name, "floor"))
		return fastest_floor(all);
	for (size_t w = 0; w < all->ways; w++)
		if (!strcmp(all->row->ways[w].name, name))
			return all->state[w] == BENCH_DONE ? w : NOWHERE;
	return NOWHERE;
}

static int find_more(const struct bench_row *row, const char *name)
{
	for (int i = 0; name && i < BENCH_MORE && row->more[i]; i++)
		if (!strcmp(row->more[i], name))
			return i;
	return VALUE;
}

/* What was seen of an aim; NAN: a way that it needs did not run. */
static double seen(const struct measured *all, const struct bench_aim *aim)
{
	size_t of = find_way(all, aim->of);
	size_t to = aim->to ? find_way(all, aim->to) : 0;

	if (all->skipped[0] || of == NOWHERE || to == NOWHERE)
		return NAN;
	if (aim->to)
		return ratio(all, of, to);
	return typical(all, of, find_more(all->row, aim->more));
}

static bool reached(const struct bench_aim *aim, double value)
{
	return aim->bound == BENCH_AT_MOST ? value <= aim->target
					   : value >= aim->target;
}

/* -- The table ------------------------------------------------------------------ */

static void print_number(double value)
{
	int digits = value >= 1000 ? 0 : value >= 10 ? 1 : 3;

	if (isnan(value))
		printf(" %9s", "-");
	else
		printf(" %9.*f", digits, value);
}

static void print_way(const struct measured *all, size_t way, size_t floor)
{
	const struct bench_row *row = all->row;
	char name[40];

	snprintf(name, sizeof(name), "%s%s", row->ways[way].name,
		 way == floor ? " = floor" : "");
	printf("  %-28s", name);
	if (all->state[way] != BENCH_DONE) {
		printf(" %s: %s\n",
		       all->state[way] == BENCH_WRONG ? "WRONG" : "skipped",
		       all->why[way]);
		return;
	}
	print_number(typical(all, way, VALUE));
	print_number(extreme(all, way, false));
	print_number(extreme(all, way, true));
	if (all->state[0] == BENCH_DONE)
		print_number(ratio(all, way, 0));
	else
		printf(" %9s", "-");
	if (floor != NOWHERE)
		print_number(ratio(all, way, floor));
	for (int i = 0; i < BENCH_MORE && row->more[i]; i++)
		print_number(typical(all, way, i));
	printf("\n");
}

static void print_aim(const struct measured *all, const struct bench_aim *aim)
{
	double value = seen(all, aim);

	printf("  %s%s%s%s%s:", aim->of, aim->to ? " / " : "",
	       aim->to ? aim->to : "", aim->more ? " " : "",
	       aim->more ? aim->more : "");
	if (isnan(value))
		printf(" not measured");
	else
		printf(" %.3f", value);
	if (aim->bound != BENCH_SHOWN)
		printf(" (wanted %s %g%s)",
		       aim->bound == BENCH_AT_MOST ? "at most" : "at least",
		       aim->target,
		       isnan(value) || reached(aim, value) ? "" : ": no");
	printf("\n");
}

void report_table(const struct measured *all)
{
	const struct bench_row *row = all->row;
	size_t floor = NOWHERE;
	char first[32];

	printf("%s [%s, %s is better; median of %zu]\n", row->name, row->unit,
	       row->rate ? "more" : "less", all->rounds);
	if (all->skipped[0]) {
		printf("  skipped: %s\n", all->skipped);
		return;
	}
	floor = fastest_floor(all);
	snprintf(first, sizeof(first), "/%.8s", row->ways[0].name);
	printf("  %-28s %9s %9s %9s %9s", "", "median", "lowest", "highest",
	       first);
	if (floor != NOWHERE)
		printf(" %9s", "/floor");
	for (int i = 0; i < BENCH_MORE && row->more[i]; i++)
		printf(" %9s", row->more[i]);
	printf("\n");
	for (size_t w = 0; w < all->ways; w++)
		print_way(all, w, floor);
	for (int i = 0; i < BENCH_AIMS && row->aims[i].of; i++)
		print_aim(all, &row->aims[i]);
	fflush(stdout);
}

/* -- JSON ----------------------------------------------------------------------- */

/* Our names hold no character that needs more than this. */
static void json_text(const char *text)
{
	putchar('"');
	for (; *text; text++)
		if (*text != '"' && *text != '\\' && *text >= ' ')
			putchar(*text);
	putchar('"');
}

static void json_number(double value)
{
	if (isfinite(value))
		printf("%.6g", value);
	else
		printf("null");
}

static void json_way(const struct measured *all, size_t way)
{
	const struct bench_row *row = all->row;

	json_text(row->ways[way].name);
	if (all->state[way] != BENCH_DONE) {
		printf(":{\"%s\":",
		       all->state[way] == BENCH_WRONG ? "wrong" : "skipped");
		json_text(all->why[way]);
		printf("}");
		return;
	}
	printf(":{\"median\":");
	json_number(typical(all, way, VALUE));
	printf(",\"lowest\":");
	json_number(extreme(all, way, false));
	printf(",\"highest\":");
	json_number(extreme(all, way, true));
	for (int i = 0; i < BENCH_MORE && row->more[i]; i++) {
		putchar(',');
		json_text(row->more[i]);
		putchar(':');
		json_number(typical(all, way, i));
	}
	printf("}");
}

static void json_aim(const struct measured *all, const struct bench_aim *aim)
{
	double value = seen(all, aim);
	size_t floor = all->skipped[0] ? NOWHERE : fastest_floor(all);

	printf("{\"row\":");
	json_text(all->row->name);
	printf(",\"of\":");
	json_text(aim->of);
	printf(",\"to\":");
	json_text(aim->to ? aim->to : "");
	printf(",\"figure\":");
	json_text(aim->to ? "ratio" : aim->more ? aim->more : all->row->unit);
	printf(",\"floor\":");
	json_text(floor == NOWHERE ? "" : all->row->ways[floor].name);
	if (aim->bound != BENCH_SHOWN)
		printf(",\"bound\":\"%s\",\"target\":%g",
		       aim->bound == BENCH_AT_MOST ? "at most" : "at least",
		       aim->target);
	printf(",\"seen\":");
	json_number(value);
	printf("}");
}

static void json_row(const struct measured *all)
{
	const struct bench_row *row = all->row;

	printf("{\"name\":");
	json_text(row->name);
	printf(",\"unit\":");
	json_text(row->unit);
	printf(",\"rounds\":%zu", all->rounds);
	if (all->skipped[0]) {
		printf(",\"skipped\":");
		json_text(all->skipped);
	}
	printf(",\"ways\":{");
	for (size_t w = 0; !all->skipped[0] && w < all->ways; w++) {
		if (w)
			putchar(',');
		json_way(all, w);
	}
	printf("},\"aims\":[");
	for (int i = 0; i < BENCH_AIMS && row->aims[i].of; i++) {
		if (i)
			putchar(',');
		json_aim(all, &row->aims[i]);
	}
	printf("]}");
}

void report_json(const char *bench, const struct measured *all, size_t n)
{
	const char *comma = "";

	printf("{\"bench\":");
	json_text(bench);
	printf(",\"quick\":%d,\"rows\":[", bench_quick());
	for (size_t i = 0; i < n; i++) {
		if (!all[i].row)
			continue;
		printf("%s", comma);
		json_row(&all[i]);
		comma = ",";
	}
	printf("]}\n");
	fflush(stdout);
}
