# compare.sh -- for test scripts: a program's output and status, plainly and
# under the shim with every mapping lazy.
#
# compare NAME [OPTION...] -- CMD...   runs CMD both ways, in work directories
# of their own, with the file "in" (if there is one) at hand in both. What it
# puts out, its exit status and the files that it leaves have to be the same.
# $faults is how many faults the shim served, $kernel how many pages it brought
# in for system calls.
#
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
work=$(mktemp -d "${TMPDIR:-/var/tmp}/lazymap-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
unset "${!LAZYMAP_@}"
lazymap=$BUILDDIR/lazymap
programs=$BUILDDIR/test/preload
failures=0
faults=0 kernel=0
mode=755 # of the directories
if [ -n "${SANITIZE:-}" ]; then
	echo "skipped: a sanitizer's runtime has signals and memory of its own"
	exit 77
fi

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

compare() {
	local name=$1 options=() plain lazy
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rm -rf "$work/plain" "$work/lazy" "$work/stats"
	mkdir -m "$mode" "$work/plain" "$work/lazy"
	: >"$work/stats"
	chmod a+w "$work/stats"
	(cd "$work/plain" && exec "$@") >"$work/plain.out" 2>&1
	plain=$?
	(cd "$work/lazy" && exec "$lazymap" run --min-size 1 \
		--stats="$work/stats" "${options[@]}" -- "$@") \
		>"$work/lazy.out" 2>&1
	lazy=$?
	faults=$(awk '/^ +faults by/ { n += $NF } END { print n + 0 }' \
		"$work/stats" 2>/dev/null)
	kernel=$(awk '/of them for system calls/ { n += $NF } END { print n + 0 }' \
		"$work/stats" 2>/dev/null)
	if [ $plain != $lazy ]; then
		fail "$name: status $plain, $lazy under the shim"
		tail -n 20 "$work/lazy.out"
	elif ! diff "$work/plain.out" "$work/lazy.out" >"$work/diff"; then
		fail "$name: the output differs under the shim"
		head -n 40 "$work/diff"
	elif ! diff -r "$work/plain" "$work/lazy" >"$work/diff"; then
		fail "$name: the files differ"
		head -n 40 "$work/diff"
	else
		echo "ok: $name ($faults faults, $kernel pages for calls)"
	fi
}
