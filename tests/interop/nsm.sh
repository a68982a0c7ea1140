#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Other people's programs around the NSM. Their clients (AWS's Rust crate, a
# static Go program, a Python one) ask all that there is to ask, under nsm-emu
# and in an enclave, and get the same answers. What they are given verifies,
# in every dialect, in other people's verifiers, once those have the
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

clients='' verifiers=''
for language in go rust python; do
	provide "$language-client" && clients="$clients $language-client"
	provide "$language-verifier" && verifiers="$verifiers $language-verifier"
done

# --- Verifiers -------------------------------------------------------------------

# accepts VERIFIER ROOT SECONDS DOCUMENT: and tells in $out what is in it
accepts() {
	verifier_=$built/$1/program
	shift
	timeout 60 "$verifier_" "$@" >"$out" 2>"$err" </dev/null
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
			same_told "the $verifier reads what others do in $name" \
				"$work/${real%:*}"
		refused "the $verifier refuses $name today" \
			"$verifier" "$aws" "$today" "$document"
		refused_broken "the $verifier refuses $name" \
			"$verifier" "$aws" "$at" "$document"
	done
	refused "the $verifier refuses a real document with a broken signature" \
		"$verifier" "$aws" 1668034320 "$vectors/veracruz-bad-signature.cbor"
done

# --- Images for the clients ---------------------------------------------------------

printf 'no kernel: nothing runs it here' >"$work/kernel"

# image NAME ARGUMENT...: $work/NAME.eif, or a failure
image() {
	name_=$1
	shift
	"$EIF" build -o "$work/$name_.eif" --kernel "$work/kernel" \
		--cmdline 'console=ttyS0' --all-root "$@" >"$out" 2>"$err" &&
		return
	not_ok "an image with the $name_"
	show_output
	return 1
}

# client_image CLIENT: in an enclave, the client is all that there is
client_image() {
	root_=$work/root-$1
	case $1 in
	python-*)
		python_=$("$PYTHON" "$built/$1/root.py" "$root_" 2>"$err") || {
			not_ok "a root file system with Python" "$(cat "$err")"
			return 1
		}
		cp -r "$built/$1" "$root_/client"
		image "$1" --rootfs "$root_" -- "$python_" -B /client/client.py
		;;
	*)
		mkdir "$root_"
		cp "$built/$1/program" "$root_/client"
		image "$1" --rootfs "$root_" -- /client
		;;
	esac
}

# measured IMAGE N: what PCRN is to be
measured() {
	"$EIF" describe --json "$1" | tr -d ' ",' | sed -n "s/^PCR$2://p"
}

# --- What clients are told ----------------------------------------------------------

# answers: the lines of a client, and nothing that others say on a console
answers() {
	tr -d '\r' | grep -E \
		'^(module_id|version|max_pcrs|digest|locked_pcrs|pcr|extended|random|error|document) '
}

# The same in all languages, and in all enclaves but for their image
comparable() {
	grep -vE '^(module_id|document|pcr [0124]) ' "$1"
}

# told FILE WORD...: the rest of the first line that begins with these words
told() {
	file_=$1
	shift
	sed -n "s/^$* //p" "$file_" | head -n 1
}

sha384() {
	sha384sum | cut -d ' ' -f 1
}

# binary: of hexadecimal digits
binary() {
	tr -d '\n' | tr a-f A-F | basenc --base16 -d
}

# extended VALUE TEXT: what a register becomes
extended() {
	{
		printf %s "$1" | binary
		printf %s "$2"
	} | sha384
}

# told_right NAME FILE IMAGE: of PCRs and refusals
told_right() {
	for i in 0 1 2; do
		is "$1 sees PCR$i of its image" "$(told "$2" pcr "$i")" \
			"locked $(measured "$3" "$i")"
	done
	zero=$(printf %096d 0)
	is "$1 sees a free register" "$(told "$2" pcr 16)" "open $zero"
	once=$(extended "$zero" first)
	twice=$(extended "$once" second)
	is "$1 extends it" "$(sed -n 's/^extended 16 //p' "$2")" "$once
$twice"
	is "$1 locks it" "$(sed -n 's/^pcr 16 locked //p' "$2")" "$twice"
	is "$1 locks more of them" "$(sed -n 's/^locked_pcrs //p' "$2")" \
		"$(echo $(seq 0 15))
$(echo $(seq 0 19))"
	is "$1 gets randomness" "$(told "$2" random)" "256 256 true"
	is "$1 cannot extend what is locked" \
		"$(told "$2" error ExtendPCR)" ReadOnlyIndex
	is "$1 cannot describe what there is not" \
		"$(told "$2" error DescribePCR)" InvalidIndex
}

# as_told NAME ANSWERS FIELD...: what verifiers have read in a document ($out)
# is what its client had been told, and these fields
as_told() {
	name_=$1 answers_=$2
	shift 2
	expected_=$(
		awk '$1 == "module_id" { module = $2 }
			$1 == "pcr" { value[$2] = $4 }
			END {
				print "module_id", module
				for (i = 0; i < 20; i++)
					print "pcr", i, value[i]
			}' "$answers_"
		printf '%s\n' "$@"
	)
	is "$name_" "$(grep -E '^(module_id|pcr|public_key|user_data|nonce) ' "$out")" \
		"$expected_"
}

# documents NAME ANSWERS: all verifiers agree on those of a client
documents() {
	for kind in bare full; do
		document=$work/document
		told "$2" document "$kind" | binary >"$document"
		rm -f "$work/read"
		name="the $kind document that $1 is given"
		for verifier in $verifiers; do
			accepted "the $verifier accepts $name" \
				"$verifier" "$emulated" "$(date +%s)" "$document" &&
				same_told "the $verifier reads what others do in $name" \
					"$work/read"
			refused "the $verifier refuses, if AWS's root is the one, $name" \
				"$verifier" "$aws" "$(date +%s)" "$document"
			[ "$kind" = bare ] || refused_broken \
				"the $verifier refuses $name" \
				"$verifier" "$emulated" "$(date +%s)" "$document"
		done
		[ -e "$work/read" ] || continue
		cp "$work/read" "$out"
		set -- "$1" "$2" "public_key none" "user_data none" "nonce none"
		[ "$kind" = bare ] ||
			set -- "$1" "$2" "public_key 7075626c6963206b65792000ff" \
				"user_data 7573657220646174612000ff" \
				"nonce 6e6f6e63652000ff"
		as_told "$name has what it was told before" "$2" "$3" "$4" "$5"
	done
}

# client NAME IMAGE COMMAND...: what it says, and what it was given
client() {
	who=$1 image_=$2
	shift 2
	run_expect 0 "$who ends well" env XDG_CONFIG_HOME="$config" "$@" ||
		return
	answers <"$out" >"$work/answers"
	told_right "$who" "$work/answers" "$image_"
	documents "$who" "$work/answers"
	if [ ! -e "$work/answers-first" ]; then
		cp "$work/answers" "$work/answers-first"
	else
		is "$who gets the answers that others get" \
			"$(comparable "$work/answers")" \
			"$(comparable "$work/answers-first")"
	fi
}

run_expect 0 "the emulator makes an authority" \
	env XDG_CONFIG_HOME="$config" "$NSM_EMU" pki create
run_expect 0 "the emulator has a root for verifiers" \
	env XDG_CONFIG_HOME="$config" "$NSM_EMU" pki export -o "$emulated"

for client in $clients; do
	client_image "$client" || continue
	image=$work/$client.eif
	for dialect in indefinite definite sparse; do
		client "the $client under nsm-emu ($dialect)" "$image" \
			"$NSM_EMU" run --eif "$image" --dialect "$dialect" -- \
			"$built/$client/program"
		client "the $client in an enclave ($dialect)" "$image" \
			"$NE_EMU" run -q --dialect "$dialect" -- \
			"$NE_RUN" --console "$image"
	done
done

done_testing
