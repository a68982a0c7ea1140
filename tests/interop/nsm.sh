#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Other people's programs around the NSM. Their clients (AWS's Rust crate, a
# static Go program, a Python one) ask all that there is to ask, under nsm-emu
# and in an enclave, and get the same answers. What they are given verifies,
# in both dialects, in other people's verifiers, once those have the
# emulator's root; and in none of them with AWS's root. That they verify
# anything, and refuse what they should, documents of real enclaves show.
#
# The programs are in nsm/: what they are made of is pinned by lock files, and
# comes from the languages' package registries.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

NSM_EMU=${NSM_EMU:-$top_builddir/nsm-emu/nsm-emu}
PYTHON=${PYTHON:-/usr/bin/python3}
export PYTHON
programs=$top_srcdir/tests/interop/nsm
vectors=$top_srcdir/tests/vectors
aws=$vectors/aws-nitro-root-g1.pem
emulated=$work/emulated.pem
today=$(date +%s)

# The authority is the test's own.
config=$work/config
mkdir "$config"

# --- Programs ------------------------------------------------------------------

built=$top_builddir/tests/interop/nsm.built
mkdir -p "$built" 2>/dev/null

# provide PROGRAM: it is built, or a test says why not
provide() {
	"$programs/build" "$1" "$built" >"$out" 2>"$err"
	status=$?
	if [ "$status" -eq 77 ]; then
		skip "the $1 is built" "$(cat "$out")"
		cat "$err" >&2
		return 1
	elif [ "$status" -ne 0 ]; then
		not_ok "the $1 is built"
		show_output
		return 1
	fi
	ok "the $1 is built"
}

# With what arguments a client or a verifier is run: in $@
run_program() {
	program_=$1
	shift
	case $program_ in
	python-*)
		set -- "$PYTHON" "$built/$program_/${program_#*-}.py" "$@"
		;;
	*)
		set -- "$built/$program_/program" "$@"
		;;
	esac
	timeout 60 "$@"
}

clients='' verifiers=''
for language in go rust python; do
	provide "$language-client" && clients="$clients $language-client"
	provide "$language-verifier" && verifiers="$verifiers $language-verifier"
done

# --- Verifiers -------------------------------------------------------------------

# accepts VERIFIER ROOT SECONDS DOCUMENT: and tells in $out what is in it
accepts() {
	run_program "$@" >"$out" 2>"$err" </dev/null
}

# accepted NAME VERIFIER ROOT SECONDS DOCUMENT
accepted() {
	name_=$1
	shift
	if accepts "$@"; then
		ok "$name_"
	else
		not_ok "$name_" "$(cat "$err")"
		return 1
	fi
}

# refused NAME VERIFIER ROOT SECONDS DOCUMENT: and says why
refused() {
	name_=$1
	shift
	if accepts "$@"; then
		not_ok "$name_" "it is accepted"
	elif grep -q '^refused: ' "$err"; then
		ok "$name_"
	else
		not_ok "$name_" "$(cat "$err")"
	fi
}

# flip FILE OFFSET: $work/flipped, one bit of which is another
flip() {
	cp "$1" "$work/flipped" && chmod u+w "$work/flipped"
	byte_=$(od -An -v -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\$(printf %03o $((byte_ ^ 1)))" |
		dd of="$work/flipped" bs=1 seek="$2" conv=notrunc status=none
}

# refused_broken NAME VERIFIER ROOT SECONDS DOCUMENT: near its beginning, amidst
# its certificates, and in its signature
refused_broken() {
	for verdict_ in payload:100 certificates:2000 signature:$(($(wc -c <"$5") - 1)); do
		flip "$5" "${verdict_#*:}"
		refused "$1 with a flipped bit in its ${verdict_%:*}" \
			"$2" "$3" "$4" "$work/flipped"
	done
}

# same_told NAME FILE: the verifiers agree on what is in a document; what the
# first has said becomes FILE
same_told() {
	if [ ! -e "$2" ]; then
		cp "$out" "$2"
	elif cmp -s "$out" "$2"; then
		ok "$1"
	else
		not_ok "$1" "$(diff "$2" "$out" | cut -c 1-200)"
	fi
}

for verifier in $verifiers; do
	for real in veracruz-valid:1668034320 evervault-valid:1695049410; do
		document=$vectors/${real%:*}.cbor
		at=${real#*:}
		name="a real document (${real%%-*}'s)"
		accepted "the $verifier accepts $name at its time" \
			"$verifier" "$aws" "$at" "$document" &&
			same_told "the $verifier reads in $name what others do" \
				"$work/${real%:*}"
		refused "the $verifier refuses $name today" \
			"$verifier" "$aws" "$today" "$document"
		refused_broken "the $verifier refuses $name" \
			"$verifier" "$aws" "$at" "$document"
	done
	refused "the $verifier refuses a real document with a broken signature" \
		"$verifier" "$aws" 1668034320 "$vectors/veracruz-bad-signature.cbor"
done

done_testing
