#!/bin/bash
# A program's own faults under the shim: to its handler, whenever it was set,
# else its death by the signal, as without lazymap.
#
# SPDX-License-Identifier: MIT
set -u

if [ -n "${SANITIZE:-}" ]; then
	echo "skipped: a sanitizer's runtime has signals and memory of its own"
	exit 77
fi
cd "$TESTDIR" || exit 1
crash=$BUILDDIR/test/fault/crash
head -c 3000000 /dev/urandom >file
failures=0
ulimit -c 0

# ends CMD...: its status and what it says.
ends() {
	local said
	said=$("$@" 2>/dev/null)
	echo "$? $said"
}

for how in default ignore handler late-handler sent; do
	plain=$(ends "$crash" file $how)
	for trap in native libsigsegv; do
		[ $trap = native ] ||
			[ -e "$BUILDDIR/lazymap-trap-libsigsegv.so" ] || continue
		lazy=$(ends "$BUILDDIR/lazymap" run --trap=$trap --min-size=1 \
			--stats=stats -- "$crash" file $how)
		if [ "$plain" != "$lazy" ]; then
			echo "FAILED: $how, $trap: '$lazy', not '$plain'"
			failures=$((failures + 1))
		fi
	done
	case $how in
	*handler) [[ $plain == "0 caught"* ]] ;;
	*) [ "$plain" = "139 " ] ;;
	esac || {
		echo "FAILED: $how without lazymap: '$plain'"
		failures=$((failures + 1))
	}
done
# It was lazymap that served the file.
"$BUILDDIR/lazymap" run --min-size=1 --stats=stats -- "$crash" file handler
grep -qE '^ +pages filled +[1-9]' stats || {
	echo "FAILED: nothing was filled: $(cat stats)"
	failures=$((failures + 1))
}
[ $failures = 0 ]
