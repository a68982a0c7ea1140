#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What programs in enclaves ask the NSM with: libne's seven requests, and
# ne-attest request and describe; under nsm-emu run, and in an enclave. What
# they bring, ne-attest verify accepts.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

NSM_EMU=$top_builddir/nsm-emu/nsm-emu
NE_ATTEST=$top_builddir/ne-attest/ne-attest
client=$top_builddir/tests/system/nsm_client
XDG_CONFIG_HOME=$work/config
export XDG_CONFIG_HOME
root=$XDG_CONFIG_HOME/ne/pki/root.pem
zero=$(printf '%096d' 0)
pcr0=$(printf '0123456789abcdef%.0s' 1 2 3 4 5 6)

# What the client has checked, as tests of ours.
report() {
	case $(tail -n 1 "$1") in
	"ok eight threads"* | "not ok eight threads"*) ;;
	*)
		not_ok "$2: the client has come to its end"
		show_output
		;;
	esac
	while read -r line_; do
		case $line_ in
		"ok "*) ok "$2: ${line_#ok }" ;;
		"not ok "*) not_ok "$2: ${line_#not ok }" ;;
		*) diag "$line_" ;;
		esac
	done <"$1"
}

# says FILE TEXT NAME
says() {
	if grep -q -- "$2" "$1"; then
		ok "$3"
	else
		not_ok "$3"
		show_output
	fi
}

example=$top_builddir/examples/nsm/attest

# A command of its own, so that it can be run under timeout.
emulated=$work/emulated
cat >"$emulated" <<-EOT
	#!/bin/sh
	exec "$NSM_EMU" run --quiet --pcr "0=$pcr0" -- "\$@"
EOT
chmod +x "$emulated"

# verified NAME DOCUMENT OPTION...: it is authentic, and has all of that
verified() {
	name_=$1 document_=$2
	shift 2
	run_expect 0 "$name_" "$NE_ATTEST" verify --root "$root" "$@" \
		"$document_"
}

# --- Without an NSM ----------------------------------------------------------

if [ ! -e /dev/nsm ]; then
	run_expect 2 'without an NSM nothing is requested' "$NE_ATTEST" request
	is 'and the reason is one line' "$(wc -l <"$err")" 1
	says "$err" 'there is no /dev/nsm: this is no Nitro enclave' \
		'which says what is missing'
	run_expect 2 'nor described' "$NE_ATTEST" describe
fi
run_expect 2 'a device that is no NSM is refused' \
	"$NE_ATTEST" request --device /dev/null
says "$err" 'this descriptor is no NSM' 'as that'
run_expect 2 'two nonces are refused' \
	"$NE_ATTEST" request --nonce 00 --random-nonce
run_expect 2 'a nonce that is no number is refused' \
	"$NE_ATTEST" request --nonce xyz
run_expect 2 'a key that is none is refused' \
	"$NE_ATTEST" request --public-key "$0"
if have script; then
	script -qec "$NE_ATTEST request" /dev/null >"$out" 2>&1 </dev/null
	says "$out" 'no text for a terminal: use -o FILE or --base64' \
		'a terminal gets no binary document'
else
	skip 'a terminal gets no binary document' 'script is not installed'
fi

# --- nsm-emu run ---------------------------------------------------------------

run_expect 0 'libne reaches an emulated NSM' \
	"$emulated" "$client" "$pcr0" "$work/document" || {
	report "$out" 'nsm-emu run'
	done_testing
}
cp "$out" "$work/report"
report "$work/report" 'nsm-emu run'
verified 'its document is authentic, and has what was asked for' \
	"$work/document" --pcr0 "$pcr0" --nonce text:nonce \
	--user-data 'text:user data'

cd "$work" || exit 1
"$emulated" "$NE_ATTEST" request --nonce 00ff --user-data base64:aGVsbG8= \
	>document 2>"$err"
verified 'ne-attest writes a document to a pipe' \
	document --nonce 00ff --user-data text:hello
head -c 513 /dev/zero >large
"$emulated" "$NE_ATTEST" request --nonce @large -o /dev/null 2>"$err"
is 'too large a nonce is refused' "$?" 2
says "$err" 'attestation document: the NSM answers InputTooLarge' \
	'as InputTooLarge'
"$emulated" "$NE_ATTEST" request --nonce '' -o document 2>"$err"
verified 'an empty nonce is one, and a file gets a document' \
	document --nonce ''
if [ -x "$example" ]; then
	"$emulated" "$example" 00fF >document 2>"$err"
	verified "the example's document has its nonce" document --nonce 00ff
	for nonce in 0 xy 0x '00 '; do
		run_expect 2 "which is no '$nonce'" "$example" "$nonce"
	done
	run_expect 2 'nor 513 bytes' "$example" "$(printf '%01026d' 0)"
else
	skip "the example's document has its nonce" 'it was not built'
fi
run_expect 1 'without its root it is refused' "$NE_ATTEST" verify document
says "$err" "from an emulator .*not below AWS's root; if that is meant, name its root with --root" \
	'which says what to do'
"$NSM_EMU" run --quiet --limits hardware -- "$NE_ATTEST" request \
	--nonce @large -o larger 2>"$err"
run_expect 1 'a large nonce is more than verifiers take' \
	"$NE_ATTEST" verify --root "$root" larger
says "$err" 'verifiers take 512 unless they allow for large ones; if yours does, use --large' \
	'unless they say so'
verified 'then it is fine' larger --large
"$emulated" "$NE_ATTEST" request --random-nonce --base64 >document 2>"$err"
is 'base64 is one line' "$(wc -l <document) $(tr -d 'A-Za-z0-9+/=\n' <document |
	wc -c)" '1 0'
verified 'and a random nonce is told' document \
	--nonce "$(sed -n 's/^nonce \([0-9a-f]\{64\}\)$/\1/p' "$err")"
"$emulated" "$NE_ATTEST" request -o /dev/full 2>"$err"
is 'a full disk is no success' "$?" 2

if have openssl; then
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
		-out key.pem 2>/dev/null
	openssl pkey -in key.pem -pubout -out public.pem
	openssl pkey -in key.pem -pubout -outform DER -out public.der
	for form in pem der; do
		"$emulated" "$NE_ATTEST" request --public-key public.$form \
			>document 2>"$err"
		verified "a public key in $form is in the document" document \
			--public-key public.der
		verified "which may be named in PEM" document \
			--public-key public.pem
	done
	openssl rsa -in key.pem -RSAPublicKey_out -out pkcs1.pem 2>/dev/null
	verified "or in an older form of PEM" document --public-key pkcs1.pem
	run_expect 2 'a private key is refused' \
		"$NE_ATTEST" request --public-key key.pem
	run_expect 2 'also where one is expected' "$NE_ATTEST" verify \
		--root "$root" --public-key key.pem document
	says "$err" 'key.pem is no public key' 'as that'
else
	skip 'a public key is in the document' 'openssl is not installed'
fi

run_expect 0 'ne-attest describes the module' "$emulated" "$NE_ATTEST" describe
is 'and all of its registers' "$(grep -c '^PCR[0-9]* *\(locked\|open\) ' "$out")" 32
is 'with their values' "$(sed -n 's/^PCR0 *locked *//p' "$out")" "$pcr0"
run_expect 0 'also as JSON' "$emulated" "$NE_ATTEST" describe --json
if have jq; then
	is 'which is JSON' "$(jq -r '.pcrs.PCR0.value, .pcrs.PCR0.locked,
		.pcrs.PCR31.value, .pcrs.PCR31.locked, .digest, .max_pcrs,
		(.pcrs | length)' "$out" | tr '\n' ' ')" \
		"$pcr0 true $zero false SHA384 32 32 "
fi

# --- In an enclave ----------------------------------------------------------------

# with_libraries PROGRAM: into the image, with what it is linked with
with_libraries() {
	cp "$1" "rootfs/bin/" || return 1
	ldd "$1" | grep -o '/[^ ]*' | while read -r library_; do
		mkdir -p "rootfs$(dirname "$library_")"
		cp -L "$library_" "rootfs$library_"
	done
}

# enclave OPTION COMMAND...: an image that runs it, run by ne-run so; its console
enclave() {
	option_=$1
	shift
	"$EIF" build -o image.eif --kernel kernel --cmdline 'console=ttyS0' \
		--init "$top_builddir/ne-init/ne-init" --rootfs rootfs \
		-- "$@" >"$out" 2>"$err" || return 1
	timeout -k 5 60 "$NE_RUN" image.eif --cpus 2 --mem 256 "$option_" \
		--console --emulate=process >console 2>"$err" </dev/null
}

mkdir -p rootfs/bin
printf 'no kernel: nothing runs it here' >kernel
with_libraries "$client"
with_libraries "$NE_ATTEST"
enclave --debug /bin/nsm_client "$zero" /tmp/document
is 'libne reaches the NSM of an enclave' "$?" 0
tr -d '\r' <console | grep -E '^(not )?ok |^# ' >"$work/report"
cp console "$out"
report "$work/report" 'enclave'
enclave --verbose /bin/ne-attest request --nonce text:fresh --base64
is 'ne-attest gets a document in an enclave' "$?" 0
tr -d '\r' <console | grep -E '^[A-Za-z0-9+/=]{4000,}$' >document
cp console "$out"
verified 'which is authentic, and of this image' document \
	--nonce text:fresh --eif image.eif
enclave --debug /bin/ne-attest describe
is 'and describes its module' "$?" 0
is 'with all of its registers' \
	"$(tr -d '\r' <console | grep -c '^PCR[0-9]* *\(locked\|open\) ')" 32
done_testing
