#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# ne-attest verify, show and expect: what they say, and the exit status.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/system/lib.sh"

NE_ATTEST=${NE_ATTEST:-$top_builddir/ne-attest/ne-attest}
vectors=$(cd "$top_srcdir/tests/vectors" && pwd)
cd "$work" || exit 1

cp "$vectors/veracruz-valid.cbor" doc
cp "$vectors/evervault-valid.cbor" debug
cp "$vectors/veracruz-bad-signature.cbor" broken
cp "$vectors/aws-nitro-root-g1.pem" root.pem
pcr0=22f9e1c949208da55eb01b9b9fc88f87454f77ba133f0d82320b509621c92482152a99d0a12335b97178c02d6f977d01
pcr1=bcdf05fefccaa8e55bf2c8d6dee9e79bbff31e34bf28a99aa19e6b29c37ee80b214a414b7607236edf26fcb78654e63f
zero=$(printf '%096d' 0)
# SHA-384 of (SHA-384 of 48 zeros and "config") and 00ff
pcr16=b725834e68e4d6df8a00896732cebea41d058f6d812b8ae4ee93ef9b5ccf7ca3036291a89d70f485f8e0ea614f968f50
nonce=c678c86135de539d183acff58886d98dfb9823041af9f934bf909ac0f8d96245
data=7c37108079b3e8a36d8a7970de1d6d4ff1461e0e35d9557c4d789df5e0576620
cat >other.pem <<'EOT'
-----BEGIN CERTIFICATE-----
MIIBtTCCATugAwIBAgIBATAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9saWJuZSB1
bml0IHRlc3QwIBcNMjYxMTIxMDMwODQ3WhgPMjEyNjEwMjgwMzA4NDdaMBoxGDAW
BgNVBAMMD2xpYm5lIHVuaXQgdGVzdDB2MBAGByqGSM49AgEGBSuBBAAiA2IABMNj
iDCM4/moT9QhJvQ4blv4/dTYs/3nc6w/LZLyrgvj/DdY++dJXOz+NNQa2KRbwzCR
dAdm9NT+LlRrDYF9HMepG6IZVJ1esRABjPRK/WhkLgwW5VD8W2iGe3a5YAzldKNT
MFEwHQYDVR0OBBYEFLnDRlGoTaAJs9/kxe+Ba1jgwX7MMB8GA1UdIwQYMBaAFLnD
RlGoTaAJs9/kxe+Ba1jgwX7MMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID
aAAwZQIwTMY9fz+5l+HqsOHJIKZO9sQhpxIOW0+nbeFkE1Vb2685O+8o9UzbuXu5
VKvKiRI3AjEAtFmf6Vd+gfe2SxEu5OL2zYN9mUYFcFVae4yeueXYwY56WRnoQ+GU
FrOuqJ7RVhEm
-----END CERTIFICATE-----
EOT

# verify STATUS NAME OPTION...: at the document's own time
verify() {
	status_=$1 title_=$2
	shift 2
	run_expect "$status_" "$title_" "$NE_ATTEST" verify --time document "$@"
}

# says NAME FILE PATTERN
says() {
	if grep -qe "$3" "$2"; then
		ok "$1"
	else
		not_ok "$1" "nothing like '$3'"
		show_output
	fi
}

# silent NAME FILE
silent() {
	if [ -s "$2" ]; then
		not_ok "$1"
		show_output
	else
		ok "$1"
	fi
}

# bytes HEX: as they are
bytes() {
	# shellcheck disable=SC2059
	/usr/bin/printf "$(echo "$1" | sed 's/../\\x&/g')"
}

# --- verify: the document --------------------------------------------------

verify 0 "a real document is verified at its own time" doc
says "it says so" "$out" '^doc: verified, at 2022-11-09T22:52:00Z$'
says "each check has a line" "$out" '^  key_usage    passed$'
says "what was not expected was not asked" "$out" '^  nonce        not asked$'
says "the module is shown" "$out" \
	'^module id    i-04fd167167daacf3b-enc01845e97d0b3eb4e$'
says "the registers are shown" "$out" "^PCR0         $pcr0\$"
says "the leaf is shown" "$out" '^leaf  *C=US, .*enc01845e97d0b3eb4e.eu-west-1.aws$'
says "who expects no measurement is warned" "$err" \
	'^ne-attest: doc: warning: no measurement was expected'

run_expect 1 "it has expired since" "$NE_ATTEST" verify doc
says "it says what has expired, and what to do" "$err" \
	'^ne-attest: doc: refused (validity): the authority (CN=.*) has expired: its life ended at 2022-11-26 23:20:55 UTC.*--time document'
says "the check has failed" "$out" '^  validity     failed$'
if grep -q "$pcr0" "$out"; then
	not_ok "what was refused is not shown"
else
	ok "what was refused is not shown"
fi

verify 1 "a broken signature is refused" broken
says "it says so" "$err" '^ne-attest: broken: refused (signature): the signature does not hold'
says "what comes later is not reached" "$out" '^  root         not reached$'

verify 1 "what is no document is refused" "$vectors/README.md"
says "it says so" "$err" 'README.md: refused (syntax): no attestation document'
: >empty
verify 1 "an empty file is refused" empty
says "it says so" "$err" 'refused (syntax): no attestation document: it is empty'

verify 2 "a file that is not there is trouble" nowhere
says "it says which" "$err" '^ne-attest: cannot open nowhere: No such file'
head -c 200000 /dev/zero >large
verify 2 "so is one that is too large" large
says "it says so" "$err" 'large has more than 98304 bytes'

verify 0 "several documents are verified" doc debug
says "debug mode is warned of" "$err" '^ne-attest: debug: warning: the enclave ran in debug mode'
verify 1 "one that is refused is one too many" doc broken debug
says "the others are verified" "$out" '^debug: verified'
verify 2 "one that is missing is worse" nowhere broken doc
says "the others are judged" "$out" '^doc: verified'

# --- verify: how it comes --------------------------------------------------

"$NE_ATTEST" verify --time document -q - <doc >"$out" 2>"$err"
is "a document comes from standard input" $? 0
base64 <doc >doc.base64
verify 0 "a document comes as base64" -q doc.base64
base64 -w0 <doc | tr '+/' '-_' | tr -d '=' | sed 's/.*/"&"/' >doc.base64url
verify 0 "a document comes as base64 for URLs, in quotes" -q doc.base64url
od -An -v -tx1 doc >doc.hex
verify 0 "a document comes as hexadecimal digits" -q doc.hex
tr -d ' \n' <doc.hex | tr a-f A-F >doc.HEX
verify 0 "a document comes as large hexadecimal digits" -q doc.HEX
silent "who is quiet says nothing" "$out"
says "but warns: status 0 would say more than is true" "$err" \
	'^ne-attest: doc.HEX: warning: no measurement was expected'
verify 0 "there may be nothing to warn of" -q --pcr0 $pcr0 doc
silent "then nothing is said" "$err"
verify 0 "who is quiet is told of debug mode, too" -q debug
says "it is" "$err" '^ne-attest: debug: warning: the enclave ran in debug mode'
verify 0 "JSON does not swallow warnings with that" -q --json debug
says "they are there" "$err" 'warning: the enclave ran in debug mode'
verify 1 "who is quiet refuses all the same" -q broken
silent "and says nothing to standard output" "$out"
says "but why on standard error" "$err" 'refused (signature)'
bytes d2 | cat - doc >tagged
verify 0 "a tagged document is fine" -q tagged
cp doc "$(printf 'a\033[31m\302\233b\377')"
verify 0 "a file may have any name" --pcr0 $pcr0 a*b*
says "of which only text is shown" "$out" '^a?\[31m?b?: verified'
run_expect 0 "also by show" "$NE_ATTEST" show a*b*
says "of which only text is shown" "$out" '^a?\[31m?b?: NOT VERIFIED'
verify 0 "also in JSON" --json --pcr0 $pcr0 a*b*
says "where it is text, too" "$out" '"document": "a?\[31m?b?"'
echo >>tagged
verify 1 "something behind it is not" tagged

# --- verify: roots ---------------------------------------------------------

verify 0 "AWS's root may be named by file" -q --root root.pem doc
verify 0 "AWS's root may be named" -q --root aws doc
verify 1 "another root is not AWS's" --root other.pem doc
says "it says so" "$err" 'refused (root): this document is from AWS (CN=aws.nitro-enclaves), and the root that is trusted is another; --root aws trusts'
verify 0 "several roots may be trusted" -q --root other.pem --root root.pem doc
cat other.pem root.pem >both.pem
verify 0 "also from one file" -q --root both.pem doc
verify 2 "a root that is none is an error" --root doc doc
says "it says which" "$err" 'doc: no certificate, neither PEM nor DER'
head -c 1048577 /dev/zero >huge
verify 2 "a large file is no root" --root huge doc
says "it says so" "$err" 'huge is not a certificate: it has more than 1048576 bytes'
verify 2 "a root that is not there is an error" --root nowhere.pem doc

cat >openssl.cnf <<'EOT'
openssl_conf = nothing
[nothing]
providers = none
[none]
null = null
[null]
activate = 1
EOT
run_expect 2 "without algorithms nothing is decided" \
	env OPENSSL_CONF="$work/openssl.cnf" "$NE_ATTEST" verify --time document doc
says "it says so" "$err" '^ne-attest: doc: OpenSSL cannot'

# --- verify: expectations --------------------------------------------------

verify 0 "registers are as expected" --pcr0 $pcr0 --pcr 1=$pcr1 --pcr15 "$zero" doc
silent "who expects a measurement is not warned" "$err"
says "they were asked for" "$out" '^  pcrs         passed$'
verify 0 "large digits are digits" -q --pcr0="$(echo $pcr0 | tr a-f A-F)" doc
verify 1 "another register is refused" --pcr0 $pcr1 doc
says "it says what is and what was expected" "$err" \
	"refused (pcrs): PCR0 is $pcr0, expected is $pcr1"
verify 1 "a register that is not there is refused" --pcr31 "$zero" doc
says "it says so" "$err" 'PCR31 is missing'
verify 1 "debug mode is refused where code is expected" --pcr0 $pcr0 debug
says "it says so" "$err" 'PCR0 is zero: the enclave ran in debug mode'
verify 1 "debug mode is refused where anything is expected" --pcr15 "$zero" debug
says "it says so" "$err" 'refused (pcrs): the enclave ran in debug mode'
verify 0 "debug mode can be expected" --pcr15 "$zero" --pcr0 "$zero" debug
says "which is warned of" "$err" 'warning: the enclave ran in debug mode'

verify 1 "who is strict expects a measurement" --strict doc
says "the check is named" "$err" '^ne-attest: doc: refused (pcrs): no measurement was expected'
says "the check has failed" "$out" '^  pcrs         failed$'
verify 1 "who is strict and quiet does, too" -q --strict doc
verify 0 "who is strict verifies all the same" -q --strict --pcr0 $pcr0 doc
silent "without a warning" "$err"
verify 1 "who is strict takes no debug mode" -q --strict --pcr0 "$zero" debug
says "the check is named" "$err" '^ne-attest: debug: refused (pcrs): the enclave ran in debug mode'
verify 2 "a register is 96 digits" --pcr0 1234 doc
says "it says so" "$err" 'PCR0 is to be 96 hexadecimal digits, not 4'
verify 2 "a register is digits" --pcr0 "${zero%0}x" doc
verify 2 "a register is one of 32" --pcr "32=$zero" doc
says "it says so" "$err" 'is not INDEX=HEX with an index from 0 to 31'
verify 2 "a register has no two values" --pcr0 $pcr0 --pcr "0=$zero" doc
says "it says so" "$err" 'PCR0 is expected to have two different values'

verify 0 "nonce, user data and module are as expected" -q --nonce $nonce \
	--user-data $data --module-id i-04fd167167daacf3b-enc01845e97d0b3eb4e doc
bytes "$nonce" >nonce.bin
verify 0 "a value may be in a file" -q --nonce @nonce.bin doc
verify 0 "a value may be base64" -q --nonce "base64:$(base64 -w0 <nonce.bin)" doc
verify 1 "a value may be text" --nonce text:hello doc
says "it says that it is another" "$err" \
	"refused (nonce): the document's nonce has 32 bytes, and 5 are expected"
verify 1 "one wrong digit is refused" --nonce "${nonce%5}6" doc
says "it does not tell the expected one" "$err" 'is not the expected one'
verify 1 "other user data is refused" --user-data text: doc
says "it says so" "$err" 'refused (user_data)'
verify 1 "another module is refused" --module-id i-1 doc
says "it says so" "$err" 'refused (module_id): the document is from module i-04fd'
verify 2 "a value is in one of the forms" --nonce hello doc
says "it says which there are" "$err" 'text:TEXT, base64:TEXT and @FILE'
for text in YQ= YQ=== YWI== YWJj= = ====; do
	verify 2 "'$text' is no base64" --nonce "base64:$text" doc
done
for text in YQ YQ== YWI YWI= YWJj ''; do
	verify 1 "'$text' is base64" --nonce "base64:$text" doc
done
verify 2 "a file of a value must be there" --nonce @nowhere doc
verify 2 "base64 is base64" --nonce 'base64:!' doc
verify 1 "a public key is missed" --public-key nonce.bin doc
says "it says so" "$err" 'refused (public_key): the document has no public_key'

role=arn:aws:iam::123456789012:role/app
verify 1 "another role is refused" --role $role doc
says "it is PCR3, and whose" "$err" "refused (pcrs): PCR3 is not that of role $role: PCR3 is 0000"
verify 0 "the instance is as expected" -q --instance-id i-04fd167167daacf3b doc
verify 1 "another instance is refused" --instance-id i-04fd167167daacf3c doc
says "it is PCR4, and whose" "$err" 'PCR4 is not that of instance i-04fd167167daacf3c: PCR4 is 4554'
verify 2 "a role is an ARN" --role app doc
verify 2 "an instance id is one" --instance-id 04fd doc

# --- verify: times ---------------------------------------------------------

at() {
	status_=$1 title_=$2
	shift 2
	run_expect "$status_" "$title_" "$NE_ATTEST" verify "$@" doc
}
at 0 "a time may be seconds" -q --time 1668034320
at 0 "a time may be a date" -q --time 2022-11-09T22:52:00Z
at 0 "a date may have a zone and a fraction" -q --time 2022-11-10T00:52:00.5+02:00
at 1 "the zone counts" --time 2022-11-10T00:52:00-02:00
says "it says when it is" "$err" 'it is verified at 2022-11-10 02:52:00 UTC'
at 1 "before its time it is refused" --time 2022-11-09T00:00:00Z
says "it says so" "$err" 'is not yet valid'
at 2 "milliseconds are told" --time 1668034320696
says "it says so" "$err" 'milliseconds?'
for time in '' yesterday 2022-11-09 2022-11-09T22:52:00 2022-11-09T22:52:00+1 -5 \
	2022-02-31T00:00:00Z 2022-11-09T22:59:60Z 2022-11-09T24:00:00Z; do
	at 2 "'$time' is no time" --time "$time"
done
at 1 "now is the default" --time now
at 0 "it is young enough" -q --time 1668034920 --max-age 10m
at 1 "it is too old" --time 1668034921 --max-age 10m
says "it says so" "$err" 'refused (age): the document is 601 s old'
verify 2 "a document has no age at its own time" --max-age 10m doc
says "it says so" "$err" '^ne-attest verify: a document has no age at its own time: --max-age'
for age in 0 '' m 1y 1mm -1 99999999999999999999; do
	at 2 "'$age' is no age" --max-age "$age"
done

# --- verify: for programs --------------------------------------------------

if have python3; then
	# json EXPRESSION: is true of the objects in $out
	json() {
		python3 -c '
import json, sys
text, documents = open(sys.argv[1]).read(), []
while text.strip():
    document, end = json.JSONDecoder().raw_decode(text.lstrip())
    text = text.lstrip()[end:]
    documents.append(document)
d = documents[0]
sys.exit(not eval(sys.argv[2]))' "$out" "$1"
	}
	# json_says NAME EXPRESSION
	json_says() {
		if json "$2"; then ok "$1"; else
			not_ok "$1" "not so: $2"
			show_output
		fi
	}
	verify 0 "it can be JSON" --json --nonce $nonce doc
	silent "then all is said there" "$err"
	json_says "it is verified" 'd["verified"] is True and d["failed"] is None and d["reason"] is None'
	json_says "all checks are there" \
		'd["checks"]["chain"] == "passed" and d["checks"]["nonce"] == "passed" and d["checks"]["age"] == "not asked" and len(d["checks"]) == 14'
	json_says "the document is there" \
		"d['attestation']['pcrs']['0'] == '$pcr0' and d['attestation']['nonce'] == '$nonce' and d['attestation']['public_key'] is None and len(d['attestation']['certificates']) == 5"
	json_says "the warning is there" 'len(d["warnings"]) == 1'
	verify 1 "a refusal can be JSON" --json broken
	silent "then it is said there" "$err"
	json_says "it says why" \
		'd["verified"] is False and d["failed"] == "signature" and "does not hold" in d["reason"] and d["attestation"] is None'
	verify 1 "several documents are several objects" --json doc empty debug
	json_says "in their order" \
		'[x["document"] for x in documents] == ["doc", "empty", "debug"] and [x["failed"] for x in documents] == [None, "syntax", None]'
	verify 1 "strictness can be JSON" --json --strict doc
	json_says "it is a refusal" \
		'd["verified"] is False and d["failed"] == "pcrs" and d["checks"]["pcrs"] == "failed" and "no measurement" in d["reason"] and d["warnings"] == []'
	verify 2 "trouble can be JSON" --json nowhere large doc
	silent "then it is said there" "$err"
	json_says "it is no refusal by a check" \
		'd["verified"] is False and d["failed"] is None and "cannot open nowhere" in d["reason"] and d["attestation"] is None and d["checks"]["syntax"] == "not reached"'
	json_says "each document has its object" \
		'[x["verified"] for x in documents] == [False, False, True] and "more than" in documents[1]["reason"]'
	run_expect 0 "show can be JSON" "$NE_ATTEST" show --json broken
	json_says "which says that nothing is verified" \
		'd["verified"] is False and d["attestation"]["timestamp"] == 1668034320696'
else
	skip "JSON" "no python3"
fi

# --- show ------------------------------------------------------------------

run_expect 0 "a document can be shown" "$NE_ATTEST" show broken
says "it says that nothing is verified" "$out" '^broken: NOT VERIFIED'
says "it has the time" "$out" '^made         2022-11-09T22:52:00.696Z$'
says "it has the root" "$out" '^root         C=US, O=Amazon, OU=AWS, CN=aws.nitro-enclaves$'
says "it has fingerprints" "$out" 'SHA-256 641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b'
run_expect 1 "what is no document cannot be shown" "$NE_ATTEST" show empty
run_expect 2 "nor what is not there" "$NE_ATTEST" show nowhere
printf ' {"attestation": "%s"}\n' "$(base64 -w0 <doc)" >log
run_expect 1 "a log in JSON is no document" "$NE_ATTEST" show log
says "it says what to do" "$err" 'looks like JSON: take the field with the document out of it'
verify 1 "nor is it to be verified" log
says "it says what to do" "$err" 'refused (syntax): .*jq -r .FIELD'
run_expect 2 "show wants a document" "$NE_ATTEST" show

# --- expect ----------------------------------------------------------------

head -c 5000 /dev/zero | tr '\000' k >kernel
cp /bin/true init
if "$EIF" build -o image.eif --kernel kernel --cmdline 'quiet' --init init \
	/bin/app >built 2>&1; then
	image0=$(sed -n 's/.*"PCR0": "\([^"]*\)".*/\1/p' built)
	run_expect 0 "an image says what to expect" "$NE_ATTEST" expect image.eif
	says "it has PCR0" "$out" "^PCR0    $image0\$"
	says "it has a condition for a KMS key" "$out" \
		"\"kms:RecipientAttestation:ImageSha384\": \"$image0\""
	says "which compares as it should" "$out" '"StringEqualsIgnoreCase"'
	verify 1 "another image's document is refused" --eif image.eif doc
	says "it says so" "$err" "PCR0 is not that of image image.eif: PCR0 is $pcr0, expected is $image0"
	verify 2 "an image and another register contradict" --eif image.eif --pcr0 $pcr0 doc
	says "it says so" "$err" 'PCR0 is expected to have two different values'
	run_expect 0 "expect knows the parent" "$NE_ATTEST" expect --role $role \
		--instance-id i-04fd167167daacf3b --kms image.eif
	says "the role is the principal" "$out" "\"AWS\": \"$role\""
	says "the role is PCR3" "$out" '"kms:RecipientAttestation:PCR3": "'
	says "the instance is PCR4" "$out" '"kms:RecipientAttestation:PCR4": "4554042339e6a1dd'
	run_expect 0 "expect knows what an enclave extends" "$NE_ATTEST" expect \
		--extend 16=text:config --extend 16=00ff image.eif
	says "as SHA-384 does, from zero" "$out" "^PCR16   $pcr16\$"
	says "KMS is told, too" "$out" "\"kms:RecipientAttestation:PCR16\": \"$pcr16\""
	verify 1 "verify knows it, too" --extend 16=text:config --extend 16=00ff doc
	says "it does" "$err" "PCR16 is missing (it was not locked), expected is $pcr16"
	verify 2 "a register has a value or is extended" --pcr16 "$zero" --extend 16=00 doc
	says "it says so" "$err" 'choose one'
	verify 2 "the module's own are locked" --extend 15=00 doc
	says "it says so" "$err" 'an index from 16 to 31'
	run_expect 2 "also for expect" "$NE_ATTEST" expect --extend 16 image.eif
	run_expect 2 "a value is one" "$NE_ATTEST" expect --extend 16=x image.eif
	run_expect 0 "the role can be filled in later" "$NE_ATTEST" expect --kms image.eif
	says "there is a place for it" "$out" '"AWS": "arn:aws:iam::ACCOUNT:role/ROLE"'
	run_expect 2 "there are two kinds of statements" "$NE_ATTEST" expect --kms=all image.eif
	says "it says which" "$err" '--kms is "allow", "deny", or both'
	run_expect 2 "one form is enough" "$NE_ATTEST" expect --kms --json image.eif
	says "it says so" "$err" 'choose one'
	if have python3; then
		run_expect 0 "expect can be JSON" "$NE_ATTEST" expect --json --role $role image.eif
		json_says "which has all of it" \
			"d['pcrs']['PCR0'] == '$image0' and d['kms_statement']['Condition'] == d['kms_condition'] and len(d['kms_deny_statements']) == 2"
		run_expect 0 "KMS allows, and denies" "$NE_ATTEST" expect --kms --role $role image.eif
		json_says "it allows if all registers are as expected" \
			"[s['Effect'] for s in d] == ['Allow', 'Deny', 'Deny'] and d[0]['Principal'] == {'AWS': '$role'} and len(d[0]['Condition']['StringEqualsIgnoreCase']) == 2"
		json_says "it denies to all if one is not, or there is no document" \
			"[[*s['Condition']['StringNotEqualsIgnoreCase']] for s in d[1:]] == [['kms:RecipientAttestation:ImageSha384'], ['kms:RecipientAttestation:PCR3']] and all(len(s['Condition']) == 1 and s['Principal'] == '*' for s in d[1:])"
		json_says "also to encrypt for another key" "'kms:ReEncryptFrom' in d[1]['Action'] and 'kms:Decrypt' in d[1]['Action']"
		json_says "statements have different names" "len(set(s['Sid'] for s in d)) == 3"
		run_expect 0 "KMS can just allow" "$NE_ATTEST" expect --kms=allow image.eif
		json_says "it does" "[s['Effect'] for s in d] == ['Allow']"
		run_expect 0 "KMS can just deny" "$NE_ATTEST" expect --kms=deny image.eif
		json_says "it does" "[s['Effect'] for s in d] == ['Deny']"
	fi
	printf 'x' | dd of=image.eif bs=1 seek=600 conv=notrunc 2>/dev/null
	run_expect 2 "a damaged image is trouble" "$NE_ATTEST" expect image.eif
else
	not_ok "an image can be built" "$(cat built)"
fi
run_expect 2 "expect wants an image" "$NE_ATTEST" expect
run_expect 2 "which must be one" "$NE_ATTEST" expect doc
run_expect 2 "a role is an ARN" "$NE_ATTEST" expect --role x image.eif

# --- All of it -------------------------------------------------------------

for command in verify show expect; do
	run_expect 0 "$command has a help" "$NE_ATTEST" $command --help
	says "it is of use" "$out" "^Usage: ne-attest $command"
	run_expect 2 "$command knows its options" "$NE_ATTEST" $command --nonsense
	says "whose program is named" "$err" "^ne-attest $command: .*--nonsense"
done
run_expect 0 "there is a help" "$NE_ATTEST" --help
says "it has the commands" "$out" '^  verify '
run_expect 0 "there is a version" "$NE_ATTEST" --version
run_expect 2 "a command is needed" "$NE_ATTEST"
run_expect 2 "which must be one" "$NE_ATTEST" nonsense
run_expect 2 "verify wants a document" "$NE_ATTEST" verify
"$NE_ATTEST" show doc >/dev/full 2>"$err"
is "a full disk is told" $? 2

done_testing
