#!/bin/bash
# test_heap_once.sh -- `lazymap run --heap`: large allocations are lazy, bounded
# by --resident, and behave as malloc's do.
#
# SPDX-License-Identifier: MIT
set -eu

cd "$TESTDIR"
heap=$BUILDDIR/test/preload/heap

fail() {
	echo "$1" >&2
	exit 1
}

# sanitizers bring a malloc of their own.
[ -z "${SANITIZE:-}" ] || { echo "skipped: a sanitizer owns malloc"; exit 77; }

# value FILE NAME: from the tables of --stats, one a process, summed
value() {
	awk -v name="$2" 'match($0, "^ *" name "  ") { n += $NF }
		END { print n + 0 }' "$1"
}

plain=$("$heap")
for options in "" "--resident 4M" "--heap-min 64K --resident 4M" \
	"--resident 4M --policy fifo --swap-pool none"; do
	# shellcheck disable=SC2086
	got=$("$BUILDDIR/lazymap" run --heap $options -- "$heap") ||
		fail "with $options: it failed: $got"
	[ "$got" = "$plain" ] || fail "with $options: $got"
done

# A gibibyte, touched and checked, in 32 MiB.
/usr/bin/env cc -O1 -x c -o big - <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
	size_t n = (size_t)512 << 20;
	char line[256];
	unsigned *p = malloc(n);
	FILE *f;
	for (size_t i = 0; i < n / 4; i++)
		p[i] = i % 1021 ? (unsigned)i : (unsigned)(i * 2654435761u);
	for (size_t i = 0; i < n / 4; i++)
		if (p[i] != (i % 1021 ? (unsigned)i : (unsigned)(i * 2654435761u)))
			return 1;
	f = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmHWM:", 6))
			printf("%ld\n", strtol(line + 6, NULL, 10));
	return 0;
}
C
most=$("$BUILDDIR/lazymap" run --resident 32M --heap --stats=stats -- ./big) ||
	fail "half a gibibyte in 32 MiB: $?"
# The limit, the pool (a quarter), the program and tables.
[ "$most" -lt 65536 ] || fail "it held $most KiB at some time"
[ "$(value stats 'pages over the limit')" = 0 ] || fail "over the limit"
[ "$(value stats 'pages swapped out')" -gt 100000 ] || fail "nothing swapped"

# Without --heap, malloc is left alone.
"$BUILDDIR/lazymap" run --stats=stats -- "$heap" >/dev/null
[ "$(value stats 'pages filled')" -lt 1000 ] || fail "malloc was made lazy"

"$BUILDDIR/lazymap" run --heap --heap-min 1K -- true 2>err && fail "1K went"
grep -q -- "--heap-min '1K': the least is 64K" err || fail "$(cat err)"
"$BUILDDIR/lazymap" run --resident 1K -- true 2>err && fail "1K went"
grep -q -- "--resident '1K': the least is 256K" err || fail "$(cat err)"
