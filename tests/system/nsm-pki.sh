#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Authorities that do not last, do not fit or cannot be read: what a user is
# told, and when.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

NSM_EMU=${NSM_EMU:-$top_builddir/nsm-emu/nsm-emu}
NE_ATTEST=${NE_ATTEST:-$top_builddir/ne-attest/ne-attest}
bare=$top_builddir/tests/system/nsm_bare
unset HOME
XDG_CONFIG_HOME=$work/config
export XDG_CONFIG_HOME
mkdir -m 700 "$XDG_CONFIG_HOME"

# refused STATUS NAME PATTERN COMMAND...: it fails, and a line on stderr says so
refused() {
	status_=$1 case_=$2 pattern_=$3
	shift 3
	run_expect "$status_" "$case_: status $status_" "$@"
	says "$case_" "$pattern_"
}

# says NAME PATTERN: the last command did, on stderr
says() {
	grep -qE -e "$2" "$err" && ok "$1: is said" || {
		not_ok "$1: is said" "no \"$2\" in:"
		show_output
	}
}

# --- Time ------------------------------------------------------------------------

refused 125 'a clock before the root' 'valid only from .* 2010-' \
	"$NSM_EMU" run -q --clock 2010-01-01T00:00:00Z -- "$bare" attestation
refused 125 'a clock after the root' 'has expired on .* 2060-' \
	"$NSM_EMU" run -q --clock 2060-01-01T00:00:00Z -- "$bare" attestation
refused 125 'a clock at its beginning' 'valid only from .* 1970-01-01' \
	"$NSM_EMU" run -q --clock 0 -- "$bare" attestation

# A company's authority that ends while a test is running.
end=$("$NSM_EMU" pki show --json |
	sed -n 's/.*"not_after": "\([^"]*\)".*/\1/p')
end=$(date -ud "$end" +%s)
refused 1 'an authority that ends later' \
	'^nsm-emu: the NSM answers InternalError: .* has expired on' \
	"$NSM_EMU" run -q --clock "@$((end - 2))" -- \
	sh -c 'sleep 3; "$0" attestation; "$0" attestation' "$bare"
is 'it is said once' "$(grep -c 'InternalError: ' "$err")" 1

# --- Seeds -------------------------------------------------------------------------

run_expect 0 'a seed and the root of the user' "$NSM_EMU" run --seed 1 -- true
says 'that the root is not of the seed' 'not one of the seed; .*--pki FOLDER'
run_expect 0 'a seed and a folder of its own' \
	"$NSM_EMU" run --seed 1 --pki "$work/seeded" -- true
is 'of that nothing is said' "$(grep -c 'of the seed' "$err")" 0

# --- A fresh home ------------------------------------------------------------------

mkdir "$work/fresh"
run_expect 0 'a root can be exported before it was ever needed' \
	env -u XDG_CONFIG_HOME HOME="$work/fresh" \
	"$NSM_EMU" pki export -o "$work/first.pem"
run_expect 0 'documents are of that root then' \
	env -u XDG_CONFIG_HOME HOME="$work/fresh" "$NSM_EMU" run -q -- \
	"$NE_ATTEST" request -o "$work/document"
run_expect 0 'and verify' "$NE_ATTEST" verify "$work/document" \
	--root "$work/first.pem" --pcr "0=$(printf '%096d' 0)"
refused 1 'nothing is made in a folder of another name' 'no authority' \
	"$NSM_EMU" pki export --folder "$work/nothing"
[ ! -e "$work/nothing" ] && ok 'it is not there' || not_ok 'it is not there'

# --- A company's -------------------------------------------------------------------

company=$work/company
mkdir "$company"

# As in nsm-emu(1).
make_company() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes \
		-keyout "$company/root.key" -out "$company/root.pem" \
		-days 3650 -subj "/O=Company/CN=Company test root" \
		-addext keyUsage=critical,keyCertSign,cRLSign &&
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes \
			-keyout "$company/ca.key" -out "$company/ca.csr" \
			-subj "/O=Company/CN=Company test authority" &&
		printf '%s\n' basicConstraints=critical,CA:TRUE,pathlen:1 \
			keyUsage=critical,keyCertSign,cRLSign \
			subjectKeyIdentifier=hash \
			authorityKeyIdentifier=keyid >"$company/ca.ext" &&
		openssl x509 -req -in "$company/ca.csr" -days 365 \
			-CA "$company/root.pem" -CAkey "$company/root.key" \
			-CAcreateserial -extfile "$company/ca.ext" \
			-out "$company/ca.pem" &&
		cat "$company/root.pem" >>"$company/ca.pem" &&
		openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=plain \
			-keyout "$company/plain.key" -out "$company/plain.pem"
} >"$work/openssl" 2>&1

if have openssl && make_company; then
	refused 1 'what openssl makes without being told the key usage' \
		'company/plain.pem: CN=plain .* it has no key usage; .*keyUsage=critical,keyCertSign,cRLSign' \
		"$NSM_EMU" pki import --folder "$work/company-pki" \
		--ca-cert "$company/plain.pem" --ca-key "$company/plain.key"
	run_expect 0 'an intermediate' \
		"$NSM_EMU" pki import --folder "$work/company-pki" \
		--ca-cert "$company/ca.pem" --ca-key "$company/ca.key"
	grep -q '^left out *region and zone' "$out" &&
		ok 'it is said what its path length leaves out' || {
		not_ok 'it is said what its path length leaves out'
		show_output
	}
	run_expect 0 'a document of it' \
		"$NSM_EMU" run -q --pki "$work/company-pki" -- \
		"$NE_ATTEST" request -o "$work/document"
	is 'nothing is said' "$(cat "$err")" ''
	run_expect 0 'verifies' "$NE_ATTEST" verify "$work/document" \
		--root "$company/root.pem" --pcr "0=$(printf '%096d' 0)"
	run_expect 0 'for one run' "$NSM_EMU" run -q \
		--ca-cert "$company/ca.pem" --ca-key "$company/ca.key" -- true
	says 'what is left out' 'no room for region and zone'
else
	skip "a company's" 'needs openssl'
fi

# --- Homes -------------------------------------------------------------------------

refused 125 'a home that is not there' '/me, which is not there; .*--pki FOLDER' \
	env -u XDG_CONFIG_HOME HOME="$work/me" "$NSM_EMU" run -q -- true
[ ! -e "$work/me" ] && ok 'it is not made' || not_ok 'it is not made'
: >"$work/no-folder"
refused 125 'a folder that cannot be made' \
	'Not a directory; set XDG_CONFIG_HOME' \
	env XDG_CONFIG_HOME="$work/no-folder" "$NSM_EMU" run -q -- true

done_testing
