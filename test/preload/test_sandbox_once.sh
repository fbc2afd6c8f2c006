#!/bin/bash
# test_sandbox_once.sh -- processes that give up what they may do (sandbox.c), in
# far less memory than they use: what goes to the swap file and comes back.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

ways=(filter)
if [ "$(id -u)" = 0 ]; then
	ways+=(chroot user)
else
	echo "skipped: not root: chroot and setuid are not tried"
fi
for way in "${ways[@]}"; do
	for fork in "" fork; do
		for options in "" "--no-guard"; do
			# shellcheck disable=SC2086
			compare "$way $fork $options" --resident 2M --swap-pool 64K \
				$options -- "$programs/sandbox" "$way" $fork
		done
	done
done
# Without --stats, which are printed at the end.
"$lazymap" run --min-size 1 -- "$programs/sandbox" twice ||
	fail "a second filter: status $?"
[ $failures = 0 ]
