#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The ways of reaching an NSM: /dev/nsm under nsm-emu run and in an enclave,
# and the sockets of nsm-emu serve. What modules answer is for others to test.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

NSM_EMU=${NSM_EMU:-$top_builddir/nsm-emu/nsm-emu}
bare=$top_builddir/tests/system/nsm_bare
python=$top_srcdir/tests/system/nsm.py
XDG_CONFIG_HOME=$work/config
export XDG_CONFIG_HOME
mkdir -m 700 "$XDG_CONFIG_HOME"

digits() {
	printf "$1%.0s" $(seq 96)
}

# refused NAME PATTERN ARGUMENT...: exit 125 and one line like PATTERN
refused() {
	case_=$1 pattern_=$2
	shift 2
	run_expect 125 "$case_: exit status 125" "$NSM_EMU" "$@" || return
	if [ "$(wc -l <"$err")" -le 2 ] && grep -qE -e "$pattern_" "$err"; then
		ok "$case_: a clear line"
	else
		not_ok "$case_: a clear line" "no \"$pattern_\" in:"
		show_output
	fi
}

has() {
	grep -q "$2" "$out" && ok "$1" || {
		not_ok "$1" "no $2 in:"
		show_output
	}
}

# --- A command -----------------------------------------------------------------

run_expect 0 'a command sees /dev/nsm' "$NSM_EMU" run -- "$bare" attestation
is 'there is a notice that it is emulated' "$(cat "$err")" \
	'nsm-emu: emulating /dev/nsm: a test instrument, its documents prove nothing'
run_expect 0 'which can be left out' "$NSM_EMU" run -q -- "$bare" attestation
is 'then nothing is said' "$(cat "$err")" ''
for case in all_ways_of_opening errors_of_the_driver errors_of_the_module \
	a_short_buffer_gets_the_start duplicates_and_children \
	passed_to_another_process quick_ones_do_not_wait signals_during_extend \
	signals_during_attestation killed_callers; do
	run_expect 0 "run: $(echo "$case" | tr _ ' ')" \
		"$NSM_EMU" run -q -- "$bare" "$case"
done
run_expect 0 'run: 300 threads' "$NSM_EMU" run -q -- "$bare" many_threads 300
if have python3; then
	run_expect 0 'run: Python' "$NSM_EMU" run -q -- python3 "$python" device
else
	skip 'run: Python' 'needs python3'
fi
run_expect 7 "the command's status is ours" "$NSM_EMU" run -q -- sh -c 'exit 7'
run_expect 127 'also of a command that is not there' \
	"$NSM_EMU" run -q -- /nowhere/command
run_expect 125 'emulators do not run inside one another' \
	"$NSM_EMU" run -q -- "$NSM_EMU" run -q -- true

# --- What it boots with ----------------------------------------------------------

run_expect 0 'registers at boot' "$NSM_EMU" run -q -- "$bare" pcrs
zero=$(digits 0)
is 'nearly all are zero' "$(grep -c "=$zero\$" "$out")" 31
run_expect 0 'registers that are given' "$NSM_EMU" run -q \
	--pcr "0=$(digits a)" --pcr "15=$(digits B)" --pcr "3=$(digits 1)" \
	--pcr "3=$(digits 2)" -- "$bare" pcrs
has 'one is as given' "^PCR0=$(digits a)\$"
has 'the last is' "^PCR15=$(digits b)\$"
has 'the last that is said counts' "^PCR3=$(digits 2)\$"
run_expect 0 'a role and an instance' "$NSM_EMU" run -q \
	--role arn:aws:iam::123456789012:role/example \
	--instance-id i-0123456789abcdef0 -- "$bare" pcrs
has 'the role is in PCR3' "^PCR3=$({
	head -c 48 /dev/zero
	printf arn:aws:iam::123456789012:role/example
} | sha384sum | cut -d' ' -f1)\$"
has 'the instance in PCR4' "^PCR4=$({
	head -c 48 /dev/zero
	printf i-0123456789abcdef0
} | sha384sum | cut -d' ' -f1)\$"
run_expect 0 'a module id' "$NSM_EMU" run -q --instance-id i-1 \
	-- "$bare" module_id
has 'it has the instance in it' '^module_id=i-1-enc[0-9a-f]\{16\}$'
run_expect 0 'a given one' "$NSM_EMU" run -q --module-id us -- "$bare" module_id
is 'is the one' "$(cat "$out")" 'module_id=us'
run_expect 0 'an instance in a module id' "$NSM_EMU" run -q \
	--module-id i-0123456789abcdef0-enc0123456789abcdef -- "$bare" pcrs
has 'is that of PCR4' "^PCR4=$({
	head -c 48 /dev/zero
	printf i-0123456789abcdef0
} | sha384sum | cut -d' ' -f1)\$"
run_expect 0 'but for another that is given' "$NSM_EMU" run -q \
	--module-id i-0-enc0 --instance-id i-0123456789abcdef0 -- "$bare" pcrs
has 'which is that of PCR4' "^PCR4=$({
	head -c 48 /dev/zero
	printf i-0123456789abcdef0
} | sha384sum | cut -d' ' -f1)\$"
if have python3; then
	for name in one two; do
		"$NSM_EMU" run -q --seed 1 --clock 2026-01-31T12:00:00Z \
			--pki "$work/pki-$name" -- \
			python3 "$python" document "$work/$name.document"
		"$NSM_EMU" run -q --seed 1 --clock 2026-01-31T12:00:00Z \
			--pki "$work/pki-$name" -- \
			python3 "$python" random "$work/$name.random"
	done
	[ -s "$work/one.document" ] &&
		cmp -s "$work/one.document" "$work/two.document" &&
		cmp -s "$work/one.random" "$work/two.random" &&
		ok 'a seed and a clock make all of it reproducible' ||
		not_ok 'a seed and a clock make all of it reproducible'
else
	skip 'a seed and a clock make all of it reproducible' 'needs python3'
fi

attest=$top_builddir/ne-attest/ne-attest
# made DOCUMENT: when, in milliseconds
made() {
	"$attest" show --json "$work/$1" |
		sed -n 's/.*"timestamp": *\([0-9]*\).*/\1/p'
}
# two_at CLOCK: documents, one a little later than the other
two_at() {
	# shellcheck disable=SC2016 # for the other shell
	"$NSM_EMU" run -q --clock "$1" -- sh -c '"$1" request -o "$2/first" &&
		sleep 0.1 && "$1" request -o "$2/second"' - "$attest" "$work"
}
noon=1769860800000
two_at 2026-01-31T12:00:00Z
is 'a clock stands still' "$(made first) $(made second)" "$noon $noon"
two_at @2026-01-31T12:00:00Z
if [ "$(made first)" -ge "$noon" ] && [ "$(made second)" -gt "$(made first)" ] &&
	[ "$(made second)" -lt $((noon + 60000)) ]; then
	ok 'or goes on from where it is set'
else
	not_ok 'or goes on from where it is set' "$(made first) $(made second)"
fi

# --- What is refused ---------------------------------------------------------------

refused 'no command' 'which command' run
refused 'no such command' 'no command .walk' walk
refused 'no such option' "unrecognized option '--wrong'" run --wrong true
refused 'a short register' '96 hexadecimal' run --pcr 0=00 true
refused 'a register of the user' '0 to 15' run --pcr "16=$zero" true
refused 'a register without a number' '0 to 15' run --pcr "=$zero" true
refused 'no register' '0 to 15' run --pcr "$zero" true
refused 'no hexadecimal digit' '96 hex' run --pcr "0=${zero%0}g" true
refused 'a dialect' 'indefinite, definite or sparse' run --dialect french true
refused 'limits' 'documented or hardware' run --limits none true
refused 'a time' 'seconds since 1970' run --clock noon true
refused 'a lifetime' 'number of seconds' run --leaf-lifetime 0 true
refused 'a key without a certificate' 'go together' run --ca-key "$err" true
refused 'debug mode of nothing' 'goes with --eif' run --debug true
refused 'an image that is not there' '/nowhere.eif' run --eif /nowhere.eif true
refused 'no image' 'not an enclave image|too short' run --eif "$python" true
mkdir "$work/full" && echo x >"$work/full/x"
refused 'a folder of something else' "$work/full" run --pki "$work/full" true

# --- An enclave --------------------------------------------------------------------

mkdir "$work/root"
cp "$bare" "$work/root/nsm_bare"
printf 'no kernel: nothing runs it here' >"$work/kernel"

# image CASE: $work/CASE.eif has the client do it
image() {
	"$EIF" build -o "$work/$1.eif" --kernel "$work/kernel" \
		--cmdline console=ttyS0 --rootfs "$work/root" \
		/nsm_bare "$@" >"$work/$1.json" 2>"$err" || {
		not_ok "an image for $1" "$(cat "$err")"
		done_testing
	}
}

for case in attestation all_ways_of_opening errors_of_the_driver \
	errors_of_the_module a_short_buffer_gets_the_start \
	duplicates_and_children passed_to_another_process \
	quick_ones_do_not_wait signals_during_extend killed_callers; do
	image "$case"
	run_expect 0 "enclave: $(echo "$case" | tr _ ' ')" \
		"$NE_RUN" "$work/$case.eif"
done

measured() {
	sed -n "s/.*\"$1\": \"\([0-9a-f]*\)\".*/\1/p" "$work/pcrs.json"
}
image pcrs
run_expect 0 'an enclave asks for its registers' \
	"$NE_RUN" --console "$work/pcrs.eif"
for n in 0 1 2; do
	has "PCR$n is what the image is measured as" "PCR$n=$(measured PCR$n)"
done
has 'PCR8 of an unsigned image is zero' "PCR8=$zero"
run_expect 0 'an enclave in debug mode does' \
	"$NE_RUN" --debug --console "$work/pcrs.eif"
for n in 0 1 2; do
	has "PCR$n is zero then" "PCR$n=$zero"
done
run_expect 0 'nsm-emu run has the same for the image' \
	"$NSM_EMU" run -q --eif "$work/pcrs.eif" -- "$bare" pcrs
has 'PCR0, too' "PCR0=$(measured PCR0)"
has 'and PCR1' "PCR1=$(measured PCR1)"
has 'and PCR2' "PCR2=$(measured PCR2)"
run_expect 0 'and in debug mode' \
	"$NSM_EMU" run -q --debug --eif "$work/pcrs.eif" -- "$bare" pcrs
has 'PCR0 is zero there, too' "PCR0=$zero"

image module_id
run_expect 0 'a name for the parent' "$NE_EMU" run -q \
	--instance-id i-0123456789abcdef0 -- \
	"$NE_RUN" --console "$work/module_id.eif"
id=$(sed -n 's/.*module_id=\([-0-9a-z]*\).*/\1/p' "$out")
case $id in
i-0123456789abcdef0-enc????????????????)
	ok "is in the module's id"
	;;
*)
	not_ok "is in the module's id" "$id"
	show_output
	;;
esac
# Without zeros in front, as nitro-cli has it.
cat "$out" "$err" | grep -q "$(echo "$id" | sed 's/-enc0*/-enc/')" &&
	ok 'as in the id that ne-run tells' ||
	not_ok 'as in the id that ne-run tells' "$(cat "$out" "$err")"

# Two enclaves of one ne-emu: two modules, and one authority.
cat >"$work/two.sh" <<EOT
"$NE_RUN" --cpus 2 "$work/signals_during_extend.eif" & one=\$!
"$NE_RUN" --cpus 2 "$work/killed_callers.eif" || exit 1
wait \$one
EOT
run_expect 0 'enclaves side by side' "$NE_EMU" run -q -- sh "$work/two.sh"

# Nitro does not run what it cannot measure.
if have python3; then
	python3 "$python" sign_badly "$work/pcrs.eif" "$work/bad.eif"
	run_expect 125 'an image that cannot be measured' \
		timeout 30 "$NE_RUN" "$work/bad.eif"
	grep -q 'its image cannot be measured: ' "$err" &&
		ok 'ends with that reason' ||
		not_ok 'ends with that reason' "$(cat "$err")"
else
	skip 'an image that cannot be measured' 'needs python3'
fi

# The authority is of no matter to who does not attest.
XDG_CONFIG_HOME=$work/other-config
run_expect 0 'an enclave that does not attest' "$NE_RUN" "$work/pcrs.eif"
mkdir "$work/empty"
printf broken >"$work/broken.pem"
run_expect 0 'an enclave without an authority runs' "$NE_EMU" run -q \
	--ca-cert "$work/broken.pem" --ca-key "$work/broken.pem" -- \
	"$NE_RUN" "$work/pcrs.eif"
is 'which is said once' \
	"$(grep -c 'no attestation documents: .*broken.pem' "$err")" 1
run_expect 1 'it gets no document' "$NE_EMU" run -q \
	--ca-cert "$work/broken.pem" --ca-key "$work/broken.pem" -- \
	"$NE_RUN" "$work/attestation.eif"
run_expect 1 'nor at a time before its authority' "$NE_EMU" run -q \
	--clock 2010-01-01T00:00:00Z -- "$NE_RUN" "$work/attestation.eif"
is 'the reason is said' "$(grep -c \
	'no attestation documents: .*valid only from .* 2010-01-01' "$err")" 1
printf '#!/bin/sh\ntrue\n' >"$work/root/true"
XDG_CONFIG_HOME=$work/unused
"$EIF" build -o "$work/idle.eif" --kernel "$work/kernel" \
	--cmdline console=ttyS0 --rootfs "$work/root" /nsm_bare >/dev/null 2>&1
run_expect 2 'an enclave that asks for nothing' "$NE_RUN" "$work/idle.eif"
[ ! -e "$work/unused" ] && ok 'has no authority made' ||
	not_ok 'has no authority made' "$(find "$work/unused")"
XDG_CONFIG_HOME=$work/config

# --- Sockets -------------------------------------------------------------------------

server=
# serve TYPE [OPTION...]: in the background, on $work/s
serve() {
	rm -f "$work/listening"
	"$NSM_EMU" serve --socket "$work/s" --type "$@" \
		>"$work/listening" 2>"$work/said" &
	server=$!
	at_exit_run "kill -9 $server 2>/dev/null"
	for _ in $(seq 100); do
		grep -qs listening "$work/listening" && return
		sleep 0.1
	done
	not_ok "it listens" "$(cat "$work/said")"
}

# end SIGNAL: of the server; its status
end() {
	kill "-$1" "$server"
	wait "$server"
}

if have python3; then
	for type in dgram seqpacket stream; do
		serve $type -q
		is "serve $type: it says that it listens" \
			"$(cat "$work/listening")" "listening on $work/s"
		is "serve $type: only its owner can connect" \
			"$(stat -c %a "$work/s")" 600
		run_expect 0 "serve $type: requests are answered" \
			python3 "$python" $type "$work/s"
		cases='order many shared slow_reader gone killed'
		[ $type = stream ] || cases="sizes $cases"
		for case in $cases; do
			run_expect 0 "serve $type: $case" \
				python3 "$python" $case $type "$work/s"
		done
		[ $type != stream ] || run_expect 0 'serve stream: what has no end' \
			python3 "$python" stream_ends "$work/s"
		refused "serve $type: a live socket is not taken over" \
			'somebody listens there' serve -q --socket "$work/s"
		grep -v 'some are lost' "$work/said" >"$out"
		is "serve $type: nothing else was said" "$(cat "$out")" ''
		end TERM
		is "serve $type: SIGTERM ends it" $? 0
		[ ! -e "$work/s" ] && ok "serve $type: the socket is gone" ||
			not_ok "serve $type: the socket is gone"
		run_expect 0 "serve $type: nobody is there" \
			python3 "$python" refused $type "$work/s"
		serve $type -q
		end KILL
		[ -S "$work/s" ] && ok "serve $type: SIGKILL leaves a socket" ||
			not_ok "serve $type: SIGKILL leaves a socket"
		serve $type
		run_expect 0 "serve $type: which the next one replaces" \
			python3 "$python" $type "$work/s"
		end INT
		is "serve $type: SIGINT ends it" $? 0
	done
	serve dgram -q
	run_expect 0 'serve dgram: a client without an address' \
		python3 "$python" nameless "$work/s"
	is 'which is said once' "$(grep -c 'no address' "$work/said")" 1
	end TERM
else
	skip 'serve' 'needs python3'
fi
rm -f "$work/s"
("$NSM_EMU" serve -q --socket "$work/s" & echo $! >"$work/pid") 2>/dev/null | true
sleep 1
[ -S "$work/s" ] && kill -TERM "$(cat "$work/pid")" 2>/dev/null &&
	ok 'whoever reads where it listens may go' ||
	not_ok 'whoever reads where it listens may go'
if have flock; then
	mkdir "$work/locked"
	flock "$work/locked" sleep 20 &
	locker=$!
	sleep 0.3
	"$NSM_EMU" serve -q --socket "$work/locked/s" 2>/dev/null &
	server=$!
	sleep 1
	kill -TERM $server
	for _ in $(seq 30); do
		kill -0 $server 2>/dev/null || break
		sleep 0.1
	done
	kill -9 $server 2>/dev/null &&
		not_ok 'who waits for the lock of a folder can be ended' ||
		ok 'who waits for the lock of a folder can be ended'
	kill $locker
	wait $locker $server 2>/dev/null
else
	skip 'who waits for the lock of a folder can be ended' 'needs flock'
fi
refused 'no socket' 'where' serve
refused 'another type' 'dgram, seqpacket or stream' serve --socket "$work/s" --type raw
refused 'an argument' "what is 'x'" serve --socket "$work/s" x
echo x >"$work/file"
refused 'a file in the way' 'no socket' serve -q --socket "$work/file"
is 'it is still there' "$(cat "$work/file")" x
refused 'a folder that is not there' '/nowhere' serve -q --socket /nowhere/s
refused 'a long name' 'at most 107 bytes' serve -q --socket "$work/$zero$zero"

# --- The end -----------------------------------------------------------------------

# What was started has our folder in its arguments.
left_over() {
	printf '%s/' "$work" | grep -lFf - /proc/[0-9]*/cmdline 2>/dev/null
}

cp "$bare" "$work/bare"
"$NSM_EMU" run -q -- sh -c '"$0" many_threads 2000 & "$0" many_threads 2000' \
	"$work/bare" >/dev/null 2>&1 &
emulator=$!
sleep 0.3
kill -9 $emulator
wait $emulator 2>/dev/null
for _ in $(seq 50); do
	[ -z "$(left_over)" ] && break
	sleep 0.1
done
[ -z "$(left_over)" ] && ok 'who kills the emulator ends all of it' ||
	not_ok 'who kills the emulator ends all of it' "$(left_over)"

done_testing
