#!/bin/bash
# test_stress_ng.sh -- stress-ng's stressors of memory mapping, which verify
# what they do, fail nowhere where they do not fail on the kernel.
# BUILDDIR is the build's directory, TESTDIR scratch. Exit 0, 1, or 77.
#
# SPDX-License-Identifier: MIT
set -u

BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
work=${TESTDIR:-$(mktemp -d /var/tmp/lazymap-test.XXXXXX)} || exit 1
cd "$work" || exit 1

if ! command -v stress-ng >/dev/null; then
	echo "skipped: no stress-ng (./bootstrap programs)"
	exit 77
fi
case ${SANITIZE:-} in
*thread* | *address*)
	echo "skipped: a sanitizer's runtime is not preloaded into stress-ng"
	exit 77
	;;
esac

failures=0 ran=0

# stress NAME OUTPUT PREFIX... -- OPTION...: its exit status; 124 is a time-out.
# It may end by itself only, at the number of operations.
stress() {
	local output=$1 prefix=()
	shift
	while [ "$1" != -- ]; do
		prefix+=("$1")
		shift
	done
	shift
	timeout -k 5 60 "${prefix[@]}" stress-ng --verify --seed 1 --timeout 0 \
		--temp-path "$work" "$@" >"$output" 2>&1
}

# compare OPTION...
compare() {
	local kernel status from=$SECONDS
	stress kernel -- "$@"
	kernel=$?
	if [ $kernel != 0 ]; then
		echo "on the kernel ${*} ends with $kernel: not tried"
		return
	fi
	: >stats
	stress lazymap "$BUILDDIR/lazymap" run --min-size 1 --stats=stats -- "$@"
	status=$?
	ran=$((ran + 1))
	if [ $status != 0 ] || grep -E '^stress-ng: (fail|error)' lazymap; then
		echo "FAILED: ${*}: $status"
		tail -n 30 lazymap
		failures=$((failures + 1))
	elif ! grep -qE '^ +pages filled +[1-9]' stats; then
		echo "FAILED: ${*}: nothing was lazy"
		failures=$((failures + 1))
	else
		echo "ok: ${*} ($((SECONDS - from)) s)"
	fi
}

compare --mmap 1 --mmap-ops 30 --mmap-bytes 4M
compare --mmap 2 --mmap-ops 20 --mmap-bytes 1M --mmap-mprotect --mmap-file
compare --mmapfork 1 --mmapfork-ops 1
compare --mmapmany 1 --mmapmany-ops 5000
compare --mmapaddr 1 --mmapaddr-ops 10000
compare --mmapfixed 1 --mmapfixed-ops 30
compare --mremap 1 --mremap-ops 200 --mremap-bytes 4M
compare --msync 2 --msync-ops 2000 --msync-bytes 4M
compare --madvise 1 --madvise-ops 30
compare --mincore 1 --mincore-ops 300
compare --mprotect 2 --mprotect-ops 20000
compare --munmap 1 --munmap-ops 100
compare --vm 2 --vm-method all --vm-bytes 16M --vm-ops 30000
[ $ran -ge 10 ] || { echo "FAILED: only $ran of 13 ran"; exit 1; }
[ $failures = 0 ]
