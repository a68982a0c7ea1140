#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs each fuzz target in $NE_FUZZ_DIR (from a build with --enable-fuzzers) for
# $NE_FUZZ_SECONDS (10), as many at a time as there are CPUs, starting from what
# it has learnt before on this machine, if NE_FUZZ_CORPUS names a folder to keep
# that in, and from the seeds.

set -u
: "${top_srcdir:?}" "${NE_FUZZ_SECONDS:=10}"

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

# run_target TARGET: in a folder of its own below $work; its result is there
run_target() {
	name=$(basename "$1")
	folder=$work/$name
	corpus=${NE_FUZZ_CORPUS:-$work/corpus}/$name
	seeds=$top_srcdir/tests/fuzz/${name%_failing}.seeds
	mkdir -p "$corpus" "$folder"
	cd "$folder" || exit 1
	target=$1
	set -- "$corpus"
	if [ "$name" != "${name%_failing}" ]; then
		set -- "$@" "$(plan_nothing "$seeds" "$folder/seeds")"
	elif [ -d "$seeds" ]; then
		set -- "$@" "$seeds"
	fi
	if "$target" -max_total_time="$NE_FUZZ_SECONDS" -timeout=10 \
		-rss_limit_mb=2048 -print_final_stats=1 "$@" >log 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' log)
		echo "ok - $name finds nothing in ${runs:-0} runs" >result
		return
	fi
	{
		echo "not ok - $name finds nothing"
		tail -n 60 log
		# The input, in a form that survives in a log.
		for input in crash-* timeout-* oom-* leak-*; do
			[ ! -f "$input" ] || {
				echo "$input, by base64 and gzip:"
				gzip -9c "$input" | base64
			}
		done
	} >result
}

# This script starts itself, once for each target.
if [ $# -gt 0 ]; then
	run_target "$1"
	exit 0
fi

work=$(mktemp -d) || exit 1
export work NE_FUZZ_SECONDS
trap 'rm -rf "$work"' EXIT

if [ ! -d "${NE_FUZZ_DIR:-}" ]; then
	echo "1..0 # SKIP no fuzz targets: set NE_FUZZ_DIR to the tests/fuzz of a build with --enable-fuzzers"
	exit 0
fi
targets=$(find "$NE_FUZZ_DIR" -maxdepth 1 -name 'fuzz_*' -type f -perm -u+x |
	sort)
printf '%s\n' "$targets" | xargs -n 1 -P "$(nproc)" "$0"

number=0
for target in $targets; do
	number=$((number + 1))
	sed "1s/ok -/ok $number -/" "$work/$(basename "$target")/result" ||
		echo "not ok $number - $(basename "$target") was run"
done
echo "1..$number"
