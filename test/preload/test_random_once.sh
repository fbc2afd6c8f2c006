#!/bin/bash
# test_random_once.sh -- calls at random (random_calls.c), the same ones with and
# without the shim: what they return, raise and leave has to be the same.
# LAZYMAP_SEED: the first of the seeds.
#
# SPDX-License-Identifier: MIT
set -u

first=${LAZYMAP_SEED:-1}
. "$(dirname "$0")/compare.sh"

calls() {
	local name=$1 from=$2 to=$3
	shift 3
	for seed in $(seq "$from" "$to"); do
		compare "$name, seed $seed" "$@" -- \
			"$programs/random_calls" "$seed" 300
	done
}

calls "calls" "$first" $((first + 7))
calls "calls, pages alone" $((first + 8)) $((first + 11)) --cluster 4K
calls "calls in 1M" $((first + 12)) $((first + 23)) --resident 1M
calls "calls in 1M, --no-guard" $((first + 24)) $((first + 31)) \
	--resident 1M --no-guard
[ $failures = 0 ]
