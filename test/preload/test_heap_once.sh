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
for options in "" "--heap-min 64K" "--resident 4M" "--heap-min 64K --resident 4M" \
	"--resident 4M --policy fifo --swap-pool none"; do
	# shellcheck disable=SC2086
	got=$("$BUILDDIR/lazymap" run --heap $options -- "$heap") ||
		fail "with $options: it failed: $got"
	[ "$got" = "$plain" ] || fail "with $options: $got"
done

# lazy N FUNCTION SIZE [OPTION...]: of 64 allocations some N pages were lazy.
lazy() {
	local pages
	"$BUILDDIR/lazymap" run --heap --stats=stats "${@:4}" -- \
		"$heap" "$2" "$3" || fail "$2 of $3: $?"
	pages=$(value stats 'pages filled')
	[ "$pages" -ge "$1" ] && [ "$pages" -lt $(($1 + 600)) ] ||
		fail "$2 of $3 ${*:4}: $pages pages were lazy, not $1"
}
for function in malloc calloc realloc reallocarray aligned_alloc memalign \
	valloc pvalloc posix_memalign; do
	lazy 16384 $function 1048576
	lazy 0 $function 65536
	lazy 1024 $function 65536 --heap-min 64K
	lazy 0 $function 1048576 --heap-min 2M
done

# What is freed serves the next of its size: no new faults.
for options in "" "--resident 4M"; do
	# shellcheck disable=SC2086
	"$BUILDDIR/lazymap" run --heap --heap-min 64K --stats=stats $options \
		-- "$heap" often 100000 || fail "often, $options: $?"
	pages=$(value stats 'pages filled')
	[ "$pages" -lt 1000 ] || fail "often, $options: $pages pages were new"
done

# freed KIB OPTION...: of 64 MiB that were freed so much is kept; malloc_trim
# lets it go. (What else comes meanwhile: tables.)
freed() {
	local kept left
	read -r kept left < <("$BUILDDIR/lazymap" run --heap "${@:2}" -- \
		"$heap" freed 1048576)
	[ "$kept" -le $(($1 + 4096)) ] && [ "$left" -le 4096 ] ||
		fail "${*:2}: $kept KiB of what was freed are there, then $left"
}
freed 32768
freed 1024 --resident 8M --swap-pool none
freed 0 --resident 4M --swap-pool none

# More than limit and swap hold is let in, with a word, or is not to be had.
over="--heap --resident 1M --swap-pool none --swap-max 1M --stats=stats"
# shellcheck disable=SC2086
"$BUILDDIR/lazymap" run $over -- "$heap" malloc 1048576 2>err ||
	fail "beyond limit and swap: $?"
[ "$(grep -c 'the resident limit is exceeded' err)" = 1 ] || fail "$(cat err)"
[ "$(value stats 'pages over the limit')" -gt 0 ] || fail "swap has no bound"
status=0
# shellcheck disable=SC2086
got=$("$BUILDDIR/lazymap" run $over --strict -- "$heap" malloc 1048576 2>err) ||
	status=$?
[ $status = 3 ] || fail "strict, beyond limit and swap: $status, $got"
[ "$got" = "2 allocations, Cannot allocate memory" ] || fail "strict: $got"

# big BYTES: so much, touched and checked; puts out the most that the process
# held at any time, in KiB.
/usr/bin/env cc -O1 -x c -o big - <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
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

# bounded MIB IN: so many MiB of heap in so many of memory. What may be held is
# the limit, the pool (a quarter), the program and tables.
bounded() {
	local most
	rm -f stats
	most=$("$BUILDDIR/lazymap" run --resident "$2M" --heap --stats=stats \
		-- ./big $(($1 << 20))) || fail "$1 MiB in $2: $?"
	[ "$most" -lt $(($2 * 1024 * 5 / 4 + 24576)) ] ||
		fail "$1 MiB in $2: it held $most KiB at some time"
	[ "$(value stats 'pages over the limit')" = 0 ] ||
		fail "$1 MiB in $2: over the limit"
	[ "$(value stats 'pages swapped out')" -gt $((($1 - $2) * 200)) ] ||
		fail "$1 MiB in $2: nothing swapped"
}
bounded 512 32
bounded 2048 256

# Without --heap, malloc is left alone.
"$BUILDDIR/lazymap" run --stats=stats -- "$heap" >/dev/null
[ "$(value stats 'pages filled')" -lt 1000 ] || fail "malloc was made lazy"

"$BUILDDIR/lazymap" run --heap --heap-min 1K -- true 2>err && fail "1K went"
grep -q -- "--heap-min '1K': the least is 64K" err || fail "$(cat err)"
"$BUILDDIR/lazymap" run --resident 1K -- true 2>err && fail "1K went"
grep -q -- "--resident '1K': the least is 256K" err || fail "$(cat err)"
