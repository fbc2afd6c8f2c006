#!/bin/bash
# test_manual_once.sh -- every public call has a manual page that names it, the
# command's options and the environment are in theirs, and the pages are good
# mdoc. SRCDIR is the source.
#
# SPDX-License-Identifier: MIT
set -u

cd "${SRCDIR:-.}" || exit 1
failures=0

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# The text of a page, also where it is another name for one.
page() {
	local target

	target=$(sed -n '1s|^\.so man3/||p' "doc/$1")
	cat "doc/${target:-$1}"
}

calls=$(grep -oE '\blazymap_[a-z_]+\(' lib/lazymap.h | tr -d '(' | sort -u)
[ "$(wc -l <<<"$calls")" -gt 10 ] || fail "no calls found in lazymap.h"
for call in $calls; do
	if [ ! -e "doc/$call.3" ]; then
		fail "$call has no manual page"
	elif ! page "$call.3" | grep -qE "^\.Nm $call( ,)?\$"; then
		fail "doc/$call.3 does not name $call"
	fi
done

# What lazymap_stats() counts, the options, the environment.
for member in $(sed -n '/^struct lazymap_stats {/,/^}/s/^\tuint64_t \([a-z_]*\);.*/\1/p' \
	lib/lazymap.h); do
	grep -q "^\.It Va $member\$" doc/lazymap_stats.3 ||
		fail "lazymap_stats(3) lacks $member"
done

for option in $(sed -n '/^static const struct row rows/,/^};/s/^\t{ "\([a-z-]*\)".*/\1/p' \
	tools/run.c); do
	grep -q -e "^\.It Fl -$option" doc/lazymap.1 ||
		fail "lazymap(1) lacks --$option"
done
for variable in $(grep -ohE '"LAZYMAP_[A-Z_]+"' lib/*.c lib/*/*.c tools/*.c |
	tr -d '"' | sort -u); do
	grep -q "^\.It Ev $variable\$" doc/lazymap.7 ||
		fail "lazymap(7) lacks $variable"
done

if command -v mandoc >/dev/null; then
	for file in doc/*.[1-8]; do
		grep -q '^\.so ' "$file" && continue
		said=$(mandoc -T lint -W warning "$file") ||
			fail "mandoc: $said"
	done
else
	echo "no mandoc: the pages are not linted"
fi
[ $failures = 0 ]
