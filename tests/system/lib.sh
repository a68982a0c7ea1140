# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# What shell tests share; to be sourced. Speaks TAP on stdout:
#
#	. "$top_srcdir/tests/system/lib.sh"
#	plan 2					or: done_testing, at the end
#	run_expect 125 "no image is one clear line" ne-run /nowhere.eif
#	[ -s "$out" ] && not_ok "it says nothing else" || ok "it says nothing else"
#
# $work is a folder of the test's own that goes away with it; $out and $err
# hold what the last run_expect printed.

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$PWD}"
export top_srcdir top_builddir
NE_EMU=${NE_EMU:-$top_builddir/ne-emu/ne-emu}
export NE_EMU
NE_RUN=${NE_RUN:-$top_builddir/ne-run/ne-run}
EIF=${EIF:-$top_builddir/eif/eif}

work=$(mktemp -d "${TMPDIR:-/tmp}/ne-test.XXXXXX") || exit 1
out=$work/out
err=$work/err
at_exit=
# at_exit_run COMMAND: run it at the end, however the test ends.
at_exit_run() {
	at_exit="$1; $at_exit"
}
trap 'eval "$at_exit"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

tests=0
failures=0

plan() {
	echo "1..$1"
}

# All tests have run: the plan, afterwards.
done_testing() {
	echo "1..$tests"
	[ "$failures" -eq 0 ] || exit 1
	exit 0
}

# The whole program cannot be run here.
skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

diag() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

ok() {
	tests=$((tests + 1))
	echo "ok $tests - $1"
}

# not_ok NAME [WHY...]
not_ok() {
	tests=$((tests + 1))
	failures=$((failures + 1))
	echo "not ok $tests - $1"
	shift
	[ $# -eq 0 ] || diag "$@"
}

# skip NAME REASON
skip() {
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

# is NAME ACTUAL EXPECTED
is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "is '$2', not '$3'"
	fi
}

# What a command left in $out and $err.
show_output() {
	sed 's/^/#   out: /' "$out" | tail -n 20
	sed 's/^/#   err: /' "$err" | tail -n 20
}

# run_expect STATUS NAME COMMAND...: ends within a minute, with that status
run_expect() {
	expected_=$1 name_=$2
	shift 2
	timeout -k 5 "${run_seconds:-60}" "$@" >"$out" 2>"$err" </dev/null
	status=$?
	if [ "$status" -eq "$expected_" ]; then
		ok "$name_"
		return 0
	fi
	not_ok "$name_" "status $status, not $expected_: $*"
	show_output
	return 1
}

# have COMMAND...: all of them are installed
have() {
	for have_; do
		command -v "$have_" >/dev/null 2>&1 || return 1
	done
}

# --- Images ----------------------------------------------------------------

# One entry of a newc cpio archive: NAME MODE(octal) [FILE]
cpio_entry_() {
	name_=$1 mode_=$2 file_=${3:-/dev/null}
	size_=$(wc -c <"$file_")
	[ -e "$file_" ] || return 1
	inode_=$((${inode_:-0} + 1))
	printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X' \
		"$inode_" "0$mode_" 0 0 1 0 "$size_" 0 0 0 0 \
		$((${#name_} + 1)) 0
	printf '%s\000' "$name_"
	cpio_pad_ $((110 + ${#name_} + 1))
	cat "$file_"
	cpio_pad_ "$size_"
}

cpio_pad_() {
	case $(($1 % 4)) in
	1) printf '\000\000\000' ;;
	2) printf '\000\000' ;;
	3) printf '\000' ;;
	esac
}

# ramdisk NAME=FILE...: a cpio archive on stdout. Folders must be named
# before what is in them, as NAME/; files are executable.
ramdisk() {
	inode_=0
	for entry_; do
		case $entry_ in
		*/) cpio_entry_ "${entry_%/}" 40755 ;;
		*) cpio_entry_ "${entry_%%=*}" 100755 "${entry_#*=}" || return 1 ;;
		esac
	done
	cpio_entry_ 'TRAILER!!!' 0
}
