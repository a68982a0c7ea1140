#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs each fuzz target in $NE_FUZZ_DIR (from a build with --enable-fuzzers) for
# $NE_FUZZ_SECONDS (10), starting from what it has learnt before on this
# machine, if NE_FUZZ_CORPUS names a folder to keep that in, and from the seeds.

set -u
: "${top_srcdir:?}" "${NE_FUZZ_SECONDS:=10}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

if [ ! -d "${NE_FUZZ_DIR:-}" ]; then
	echo "1..0 # SKIP no fuzz targets: set NE_FUZZ_DIR to the tests/fuzz of a build with --enable-fuzzers"
	exit 0
fi

# plan_nothing SEEDS COPIES: for tests/fuzz/wrap.c, which begins with no failure
plan_nothing() {
	mkdir "$2"
	for seed in "$1"/*; do
		[ ! -f "$seed" ] || {
			cat "$seed"
			printf '\000\000\000\000'
		} >"$2/${seed##*/}"
	done
	echo "$2"
}

targets=$(find "$NE_FUZZ_DIR" -maxdepth 1 -name 'fuzz_*' -type f -perm -u+x | sort)
number=0
for target in $targets; do
	number=$((number + 1))
	name=$(basename "$target")
	corpus=${NE_FUZZ_CORPUS:-$work}/$name
	mkdir -p "$corpus"
	seeds=$top_srcdir/tests/fuzz/${name%_failing}.seeds
	set -- "$corpus"
	if [ "$name" != "${name%_failing}" ]; then
		set -- "$@" "$(plan_nothing "$seeds" "$work/$name.seeds")"
	elif [ -d "$seeds" ]; then
		set -- "$@" "$seeds"
	fi
	if (cd "$work" && "$target" -max_total_time="$NE_FUZZ_SECONDS" \
		-timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		"$@") >"$work/log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
		echo "ok $number - $name finds nothing in ${runs:-0} runs"
	else
		echo "not ok $number - $name finds nothing"
		tail -n 60 "$work/log"
		# The input, in a form that survives in a log.
		for input in "$work"/crash-* "$work"/timeout-* "$work"/oom-*; do
			[ ! -f "$input" ] || {
				echo "$(basename "$input"), by base64 and gzip:"
				gzip -9c "$input" | base64
			}
		done
	fi
done
echo "1..$number"
