#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The conformance suite of /dev/nitro_enclaves, run on ne-emu in each of the
# configurations that its cases ask for.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

suite=$top_builddir/tests/conformance/conformance
image=$work/image.eif

# conform LABEL "NE-EMU'S OPTIONS" SUITE'S ARGUMENT...
conform() {
	label=$1 emulation=$2
	shift 2
	# shellcheck disable=SC2086 # the options are words
	timeout -k 5 240 "$NE_EMU" run $emulation -- "$suite" --omit-unmet \
		"$@" >"$out" 2>"$err" </dev/null
	status=$?
	awk -v first="$tests" -v label="$label" '
		/^1\.\./ { next }
		/^(not )?ok [0-9]+ - / { sub(/[0-9]+ - /, ++first " - " label ": ") }
		{ print }' "$out"
	tests=$((tests + $(grep -cE '^(not )?ok ' "$out")))
	if [ "$status" -eq 0 ]; then
		ok "$label: the suite ended well"
	else
		not_ok "$label: the suite ended well" "status $status"
		sed 's/^/#   err: /' "$err" | tail -n 20
	fi
}

# --- Huge pages ------------------------------------------------------------

pages=/sys/kernel/mm/hugepages/hugepages-2048kB
gigantic=/sys/kernel/mm/hugepages/hugepages-1048576kB
wanted_pages=80

# reserve FOLDER COUNT: that many free pages, until the end
reserve() {
	[ -w "$1/nr_hugepages" ] || return 1
	before_=$(cat "$1/nr_hugepages")
	missing_=$(($2 - $(cat "$1/free_hugepages")))
	[ "$missing_" -gt 0 ] || return 0
	at_exit_run "echo $before_ >$1/nr_hugepages"
	echo $((before_ + missing_)) >"$1/nr_hugepages" || return 1
	[ "$(cat "$1/free_hugepages")" -ge "$2" ]
}

mem_available_mib() {
	awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo
}

# Sets $reason if the host has no huge pages for us.
reserve_huge_pages() {
	reason=
	if [ ! -d "$pages" ]; then
		reason="this kernel has no 2 MiB huge pages"
	elif [ "$(mem_available_mib)" -lt $((wanted_pages * 4)) ]; then
		reason="too little memory for $wanted_pages huge pages"
	elif ! reserve "$pages" "$wanted_pages"; then
		reason="needs $wanted_pages free huge pages; as root: sysctl vm.nr_hugepages=$wanted_pages"
	fi
}

# --- The configurations ------------------------------------------------------

printf 'no kernel: nothing runs it here' >"$work/kernel"
"$EIF" build -o "$image" --kernel "$work/kernel" \
	--cmdline 'console=ttyS0 panic=-1 reboot=k' \
	--init "$top_builddir/tests/conformance/init" >"$out" 2>"$err" || {
	not_ok "an image around the suite's init"
	show_output
	done_testing
}

conform default "" --cpus 16 --image "$image"
conform "two CPUs" "--cpus 4 --pool 2-3" --cpus 4 vCPU VCPU CREATE core
conform "one thread a core" "--cpus 4 --threads 1 --pool 1-3" \
	--cpus 4 --threads-per-core 1 vCPU VCPU CREATE core
conform "two regions" "--max-mem-regions 2" --max-mem-regions 2 "region"

reserve_huge_pages
if [ -n "$reason" ]; then
	skip "strict: the suite ended well" "$reason"
	skip "another NUMA node: the suite ended well" "$reason"
	done_testing
fi
# Only for the cases that are about it: they skip without.
[ ! -d "$gigantic" ] || [ "$(mem_available_mib)" -lt 4096 ] ||
	reserve "$gigantic" 1 2>/dev/null
conform strict "--strict" --strict --cpus 16 --image "$image"
conform "another NUMA node" "--strict --numa-node 1" --strict --other-node \
	"NUMA node"
done_testing
