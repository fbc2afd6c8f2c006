#!/bin/bash
# test_tasks_once.sh -- tasks that clone() makes with the process's memory.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

compare "tasks" -- "$programs/tasks"
[ "$faults" -ge 100 ] || fail "tasks: only $faults faults"
compare "tasks in 1M" --resident 1M -- "$programs/tasks"
compare "tasks in 1M, --no-guard" --resident 1M --no-guard -- "$programs/tasks"
compare "tasks, without the syscall trap" --no-syscall-trap -- "$programs/tasks"

[ $failures = 0 ]
