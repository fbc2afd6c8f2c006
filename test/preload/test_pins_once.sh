#!/bin/bash
# test_pins_once.sh -- what the kernel uses of lazy memory is there as long as it does,
# and may go then: in calls that wait, in Linux AIO, and in a child.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

[ "$(uname -m)" = x86_64 ] || {
	echo "skipped: the hooks are for x86-64"
	exit 77
}
for options in "" "--cluster 4K" "--no-guard"; do
	# shellcheck disable=SC2086
	out=$(cd "$work" && "$lazymap" run --min-size 1 --resident 4M $options \
		-- "$programs/pins" -lazy 2>&1) || fail "with $options: $out"
done
compare "pins without a limit" -- "$programs/pins"
[ $failures = 0 ]
