#!/bin/bash
# test_served_once.sh -- a program that serves faults of its own memory
# (served.c): it gets what it placed, however lazymap keeps the rest.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

compare "served" -- "$programs/served"
grep "^skipped:" "$work/plain.out"
compare "served, --no-guard" --no-guard -- "$programs/served"
compare "served, beyond a limit" --resident 12M -- "$programs/served"

# left FIRST LAST HOW: in 12M, so many of 2,048 pages are there, looked at twice:
# while the range is served, and when it is no more.
left() {
	local n
	n=$("$lazymap" run --min-size 1 --resident 12M -- "$programs/served" "$3" |
		awk '/there, 0 wrong/ { printf "%d ", $1 }')
	set -- "$@" $n
	if [ "${4:-0}" -ge "$1" ] && [ "${*: -1}" -lt "$2" ]; then
		echo "ok: $3, $n"
	else
		fail "$3: $n pages are there"
	fi
}
if ! grep -q "^skipped:" "$work/plain.out"; then
	for how in close dup2 close_range; do
		left 2048 2048 $how
	done
	left 0 2048 inherited
fi
[ $failures = 0 ]
