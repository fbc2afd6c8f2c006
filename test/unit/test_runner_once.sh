#!/bin/bash
# The test runner must count what goes wrong: a runner that misses a crash or
# a hang makes every other test worthless.
#
# SPDX-License-Identifier: MIT
set -u

cd "$TESTDIR" || exit 1
runner=$SRCDIR/test/run
wrong=0

program() {
	cat >"$1"
	chmod +x "$1"
}

# Programs that print what Check prints.
program test_good <<'END'
#!/bin/sh
echo "Running suite(s): good"
echo "100%: Checks: 3, Failures: 0, Errors: 0"
END
program test_two_summaries <<'END'
#!/bin/sh
echo "100%: Checks: 3, Failures: 0, Errors: 0"
echo "50%: Checks: 2, Failures: 0, Errors: 1"
exit 1
END
program test_failing <<'END'
#!/bin/sh
echo "33%: Checks: 3, Failures: 1, Errors: 1"
echo "x.c:1:F:core:of_a_test:0: the reason"
exit 1
END
program test_crashing <<'END'
#!/bin/sh
kill -SEGV $$
END
program test_crashing_late <<'END'
#!/bin/sh
echo "100%: Checks: 3, Failures: 0, Errors: 0"
kill -ABRT $$
END
program test_hanging <<'END'
#!/bin/sh
sleep 60
END
program test_hanging_late <<'END'
#!/bin/sh
echo "100%: Checks: 3, Failures: 0, Errors: 0"
sleep 60
END
program test_silent <<'END'
#!/bin/sh
exit 0
END
program test_empty <<'END'
#!/bin/sh
echo "100%: Checks: 0, Failures: 0, Errors: 0"
END
program test_lying <<'END'
#!/bin/sh
echo "100%: Checks: 3, Failures: 0, Errors: 0"
exit 1
END
program test_not_here <<'END'
#!/bin/sh
echo "no such kernel"
exit 77
END
program test_partly <<'END'
#!/bin/sh
echo "skipped: no userfaultfd"
echo "100%: Checks: 3, Failures: 0, Errors: 0"
END
program test_trap <<'END'
#!/bin/sh
echo "$LAZYMAP_TRAP${WITH++$WITH}" >>"$SEEN"
echo "100%: Checks: 1, Failures: 0, Errors: 0"
END
program test_trap_once <<'END'
#!/bin/sh
echo "once${LAZYMAP_TRAP-}" >>"$SEEN"
echo "100%: Checks: 1, Failures: 0, Errors: 0"
END
echo 'exit 0' >test_good.sh
echo 'echo reason; exit 3' >test_bad.sh
echo 'echo not possible here; exit 77' >test_skipped.sh

# expect LAST-LINE STATUS [ARG...]
expect() {
	local line=$1 want=$2 got status
	shift 2
	got=$(env -u LAZYMAP_TRAP BUILDDIR="$TESTDIR/build" \
		"$runner" -s 2 "$@" 2>&1)
	status=$?
	if [ "$(tail -n 1 <<<"$got")" != "$line" ] || [ $status != "$want" ]; then
		echo "run $*: wanted '$line' and status $want, got $status and:"
		echo "$got"
		wrong=1
	fi
}

here=$TESTDIR
# What failed is named at the end, however long the output is.
named='failed: test_failing [one]: 2 of 3
failed:     x.c:1:F:core:of_a_test:0: the reason'
got=$(env -u LAZYMAP_TRAP BUILDDIR="$TESTDIR/build" "$runner" -t one \
	"$here/test_failing" "$here/test_good" | tail -n 3 |
	sed 's|: .*/test|: test|; s/ ([0-9]* s)//')
if [ "$got" != "$named
4 passed, 2 failed" ]; then
	echo "what failed is not named at the end:"
	echo "$got"
	wrong=1
fi
expect "3 passed, 0 failed" 0 "$here/test_good"
expect "4 passed, 1 failed" 1 "$here/test_two_summaries"
expect "1 passed, 2 failed" 1 "$here/test_failing"
expect "0 passed, 1 failed" 1 "$here/test_crashing"
expect "3 passed, 1 failed" 1 "$here/test_crashing_late"
expect "0 passed, 1 failed" 1 "$here/test_hanging"
expect "3 passed, 1 failed" 1 "$here/test_hanging_late"
expect "0 passed, 1 failed" 1 "$here/test_silent"
expect "0 passed, 1 failed" 1 "$here/test_empty"
expect "3 passed, 1 failed" 1 "$here/test_lying"
expect "0 passed, 1 failed" 1 "$here/test_not_there_at_all"
expect "0 passed, 0 failed, 1 skipped" 0 "$here/test_not_here"
expect "2 passed, 0 failed, 1 skipped" 0 "$here/test_partly"
expect "1 passed, 0 failed" 0 "$here/test_good.sh"
expect "0 passed, 1 failed" 1 "$here/test_bad.sh"
expect "0 passed, 0 failed, 1 skipped" 0 "$here/test_skipped.sh"
expect "3 passed, 1 failed" 1 "$here/test_good" "$here/test_bad.sh"
expect "3 passed, 0 failed" 0 -n test_good "$here/test_bad.sh" "$here/test_good"
expect "0 passed, 0 failed" 1 -n nothing "$here/test_good"
expect "0 passed, 0 failed" 0 -e

export SEEN=$TESTDIR/seen
expect "3 passed, 0 failed" 0 -t "one two" "$here/test_trap" \
	"$here/test_trap_once"
if [ "$(tr '\n' ' ' <"$SEEN")" != "one two once " ]; then
	echo "traps: $(cat "$SEEN")"
	wrong=1
fi

# A trap brings variables with it, for itself.
: >"$SEEN"
expect "3 passed, 0 failed" 0 -t "one+WITH=it two" "$here/test_trap" \
	"$here/test_trap_once"
if [ "$(tr '\n' ' ' <"$SEEN")" != "one+it two once " ]; then
	echo "traps with variables: $(cat "$SEEN")"
	wrong=1
fi
if ! "$runner" -t one+WITH=it "$here/test_trap" | grep -q "\[one WITH=it\]"; then
	echo "what a trap brings with it is not shown"
	wrong=1
fi

# What failed is shown.
if ! "$runner" -s 2 "$here/test_failing" | grep -q "the reason"; then
	echo "the output of a failing test is not shown"
	wrong=1
fi

# Some at a time: the sums are those of one at a time.
for jobs in 2 3; do
	expect "14 passed, 7 failed, 3 skipped" 1 -s 1 -j $jobs -t one \
		"$here/test_hanging" "$here/test_good" \
		"$here/test_two_summaries" "$here/test_bad.sh" \
		"$here/test_crashing" "$here/test_partly" "$here/test_not_here" \
		"$here/test_lying" "$here/test_good.sh" "$here/test_failing" \
		"$here/test_skipped.sh"
done
expect "4 passed, 0 failed" 0 -j 9 "$here/test_good" "$here/test_good.sh"
expect "0 passed, 0 failed" 1 -j 2 -n nothing "$here/test_good"
: >"$SEEN"
expect "3 passed, 0 failed" 0 -j 2 -t "one two" "$here/test_trap" \
	"$here/test_trap_once"
if [ "$(sort "$SEEN" | tr '\n' ' ')" != "once one two " ]; then
	echo "traps, two at a time: $(cat "$SEEN")"
	wrong=1
fi

# As many as was said, no fewer and no more; and those that run alone do.
export RUNNING=$TESTDIR/running MOST=$TESTDIR/most
program test_count_1 <<'END'
#!/bin/sh
touch "$RUNNING/$$"
i=0
while [ $((i += 1)) -le 5 ]; do
	ls "$RUNNING" | wc -l >>"$MOST"
	sleep 0.1
done
rm "$RUNNING/$$"
echo "100%: Checks: 1, Failures: 0, Errors: 0"
END
cp test_count_1 test_count_2
cp test_count_1 test_count_3
cp test_count_1 test_count_4
# at_most N ARG...: the most that ran at a time were N.
at_most() {
	local want=$1
	shift
	rm -rf "$RUNNING" "$MOST"
	mkdir "$RUNNING"
	expect "4 passed, 0 failed" 0 -t one "$@" "$here/test_count_1" \
		"$here/test_count_2" "$here/test_count_3" "$here/test_count_4"
	if [ "$(sort -n "$MOST" | tail -n 1)" != "$want" ]; then
		echo "run $*: $(sort -n "$MOST" | tail -n 1) ran at a time"
		wrong=1
	fi
}
at_most 1
at_most 2 -j 2
at_most 3 -j 3
at_most 2 -j 3 -a "none count_2 count_4"
at_most 1 -j 3 -a count

# What each printed is whole, however they took turns.
for i in 1 2; do
	program test_talking_$i <<END
#!/bin/sh
for n in a b c d e f; do echo talk $i \$n; sleep 0.1; done
exit 1
END
done
"$runner" -j 2 -t one "$here/test_talking_1" "$here/test_talking_2" >talk
for i in 1 2; do
	if [ "$(grep -A6 "FAIL.*talking_$i" talk | tail -n 6)" != \
		"$(printf "    | talk $i %s\n" a b c d e f)" ]; then
		echo "mixed up:"
		cat talk
		wrong=1
	fi
done

# A program that shares the processors has more time; one alone has not.
program test_limit <<'END'
#!/bin/sh
echo "limits times ${CK_TIMEOUT_MULTIPLIER-one}"
exec sleep 60
END
(
	unset CK_TIMEOUT_MULTIPLIER
	"$runner" -j 2 -s 1 -t one "$here/test_limit"
	"$runner" -j 2 -s 1 -t one -a limit "$here/test_limit"
) | grep -v '^failed:' >limits
for line in "timed out after 2 s" "limits times 2" "timed out after 1 s" \
	"limits times one"; do
	if [ "$(grep -c "$line" limits)" != 1 ]; then
		echo "not once '$line':"
		cat limits
		wrong=1
	fi
done

# Signals are as they were, though programs run in the background; and when the
# runner is told to end, nothing of what it started is left.
cat >test_signals.sh <<'END'
ignored=$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status)
[ $((0x$ignored & 0x6)) = 0 ]
END
expect "1 passed, 0 failed" 0 -j 2 "$here/test_signals.sh"
program test_staying <<'END'
#!/bin/sh
echo $$ >>"$SEEN"
sleep 60 &
echo $! >>"$SEEN"
wait
END
for signal in INT TERM; do
	: >"$SEEN"
	BUILDDIR="$TESTDIR/build" timeout --preserve-status -s $signal 1 \
		"$runner" -j 2 -t "one two" "$here/test_staying" >staying
	status=$?
	[ $signal = INT ] && want=130 || want=143
	if [ $status != $want ] || [ "$(wc -l <"$SEEN")" != 4 ]; then
		echo "$signal: ended with $status, $(wc -l <"$SEEN") processes"
		cat staying
		wrong=1
	fi
	while read -r pid; do
		# Nobody may have waited yet for what has ended.
		state=$(sed -n 's/^State:[[:space:]]*//p' \
			"/proc/$pid/status" 2>/dev/null)
		if [ -n "$state" ] && [[ $state != Z* ]]; then
			echo "$signal: left behind: $pid, $state"
			kill -KILL "$pid"
			wrong=1
		fi
	done <"$SEEN"
	if [ -n "$(ls -A "$TESTDIR/build/test")" ]; then
		echo "$signal: left behind: $(ls "$TESTDIR/build/test")"
		wrong=1
	fi
done
exit $wrong
