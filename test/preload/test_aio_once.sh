#!/bin/bash
# test_aio_once.sh -- Linux AIO: what a request reads to, or writes from, is there
# until the program has been told of its end, and may go then.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

(cd "$work" && "$programs/aio")
case $? in
0) ;;
77)
	echo "skipped: there is no Linux AIO here"
	exit 77
	;;
*) fail "on the kernel alone" ;;
esac
[ "$(uname -m)" = x86_64 ] || {
	echo "skipped: the hooks are for x86-64"
	exit 77
}
for options in "" "--cluster 4K" "--no-guard"; do
	# shellcheck disable=SC2086
	out=$(cd "$work" && "$lazymap" run --min-size 1 --resident 4M $options \
		-- "$programs/aio" -lazy 2>&1) || fail "with $options: $out"
done
compare "aio without a limit" -- "$programs/aio"
[ $failures = 0 ]
