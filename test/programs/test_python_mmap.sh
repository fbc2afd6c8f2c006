#!/bin/bash
# test_python_mmap.sh -- CPython's own tests of its mmap module end as they do
# on the kernel, each of them, with every mapping made lazy.
# BUILDDIR is the build's directory, TESTDIR scratch. Exit 0, 1, or 77.
#
# SPDX-License-Identifier: MIT
set -u

BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
work=${TESTDIR:-$(mktemp -d /var/tmp/lazymap-test.XXXXXX)} || exit 1
python=/usr/bin/python3
cd "$work" || exit 1

if ! "$python" -c 'import test.test_mmap' 2>/dev/null; then
	echo "skipped: $python has no test.test_mmap (./bootstrap programs)"
	exit 77
fi
case ${SANITIZE:-} in
*thread* | *address*)
	echo "skipped: a sanitizer's runtime is not preloaded into python"
	exit 77
	;;
esac

# results FILE: "test ... ok", one line a test.
results() {
	sed -n 's/^\(test_[a-z_0-9]*\) .* \.\.\. \([a-zA-Z]*\).*/\1 \2/p' "$1"
}

failures=0
timeout 100 "$python" -m test -v test_mmap >kernel 2>&1
kernel=$?
for options in "" "--cluster 4K" "--cluster 2M"; do
	# shellcheck disable=SC2086
	timeout 100 "$BUILDDIR/lazymap" run --min-size 1 --stats=stats \
		$options "$python" -m test -v test_mmap >lazymap 2>&1
	status=$?
	if [ $status != $kernel ] ||
		! diff <(results kernel) <(results lazymap); then
		echo "FAILED: $options: status $status, the kernel's $kernel"
		tail -n 60 lazymap
		failures=$((failures + 1))
	fi
	grep -qE '^ +pages filled +[1-9]' stats ||
		{ echo "FAILED: nothing was lazy"; failures=$((failures + 1)); }
done
n=$(results kernel | grep -c ok)
[ "$n" -ge 20 ] || { echo "FAILED: only $n tests"; exit 1; }
echo "$n tests"
[ $failures = 0 ]
