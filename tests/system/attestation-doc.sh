#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# docs/attestation.md does what it says: its commands, run as they are written,
# in one shell, in a folder that looks like the repository's.

. "$top_srcdir/tests/system/lib.sh"

page=$top_srcdir/docs/attestation.md
[ -e "$top_builddir/demo.eif" ] ||
	skip_all "there is no $top_builddir/demo.eif; ci/demo makes it"
command -v openssl >/dev/null || skip_all "there is no openssl command"

cd "$work" || exit 1
ln -s "$top_builddir" build
ln -s "$top_srcdir/examples" examples

# Each block of commands is a test, named after its section: what comes before
# a name's number is the block's.
awk -v quote="'" '
	/^## /		{ section = substr($0, 4); part = 0 }
	/^```sh$/	{ inside = 1; next }
	/^```$/ && inside {
		inside = 0
		name = section (part++ ? " (" part ")" : "")
		gsub(quote, "", name)
		print "echo " quote name quote " >>\"$blocks\""
		next
	}
	inside		{ print }
' "$page" >commands
blocks=$work/blocks
export blocks
: >"$blocks"
# An enclave that a failing command leaves behind ends with the test.
{
	echo 'enclave=; trap "kill \$enclave 2>/dev/null || :" EXIT'
	cat commands
} >script
status=0
sh -eu script >"$out" 2>"$err" </dev/null || status=$?
while read -r name; do
	ok "$name"
done <"$blocks"
is "every command of the page does what it is there for" "$status" 0
[ "$status" -eq 0 ] || diag "$(tail -n 30 "$out")" "$(tail -n 30 "$err")"
is "every refusal that the page speaks of is one" \
	"$(grep -cx 'refused, as it should be' "$out")" \
	"$(grep -c '|| echo "refused' "$page")"
done_testing
