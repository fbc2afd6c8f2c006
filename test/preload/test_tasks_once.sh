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
# There an instruction's are not seen.
compare "tasks, without the syscall trap" --no-syscall-trap -- \
	"$programs/tasks" -child_with_a_copy_made_by_an_instruction

[ $failures = 0 ]
