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
[ $failures = 0 ]
