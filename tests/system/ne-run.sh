#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# ne-run as its users meet it: what it prints, how it ends, and that nothing
# is left when it has. What an image can do wrong inside is in lifecycle.sh.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

kernel=$work/kernel
printf 'no kernel: nothing runs it here' >"$kernel"

# image TASK [EIF'S OPTION...]: $work/TASK.eif does TASK (see run_init.c)
image() {
	task_=$1
	shift
	echo "$task_" >"$work/do"
	ramdisk "do=$work/do" >"$work/do.cpio"
	"$EIF" build -o "$work/$task_.eif" --kernel "$kernel" \
		--cmdline 'console=ttyS0' \
		--init "$top_builddir/tests/system/run_init" \
		--ramdisk "$work/do.cpio" "$@" >"$out" 2>"$err" || {
		not_ok "an image that does $task_"
		show_output
		done_testing
	}
}

# What ne-run said, without what ne-run and ne-emu say of emulation.
said() {
	grep -vE 'emulating|^ne-emu: .*not held to' "$err"
}

# refused NAME PATTERN ARGUMENT...: exit 125 and one line like PATTERN
refused() {
	case_=$1 pattern_=$2
	shift 2
	run_expect 125 "$case_: exit status 125" "$NE_RUN" "$@" || return
	if [ "$(said | wc -l)" -eq 1 ] && said | grep -qE -e "$pattern_"; then
		ok "$case_: one clear line"
	else
		not_ok "$case_: one clear line" "no \"$pattern_\" in:"
		show_output
	fi
}

# Everything that was started has our folder in its arguments.
left_over() {
	printf '%s/' "$work" | grep -lFf - /proc/[0-9]*/cmdline 2>/dev/null
}

nothing_is_left() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -z "$(left_over)" ] && ok "$1: nothing is left running" &&
			return
		sleep 0.1
	done
	# shellcheck disable=SC2046 # file names without blanks
	not_ok "$1: nothing is left running" \
		"$(cat $(left_over) | tr '\000' ' ')"
}

# start ARGUMENT...: ne-run in the background, as $pid
start() {
	: >"$err"
	"$NE_RUN" "$@" >"$out" 2>"$err" </dev/null &
	pid=$!
}

# wait_for PATTERN FILE: at most 20 s
wait_for() {
	for _ in $(seq 200); do
		grep -qE "$1" "$2" && return
		sleep 0.1
	done
	return 1
}

# booted NAME: what start() has started says so
booted() {
	wait_for '^enclave .*: booted|booted in' "$err" && return
	not_ok "$1: it boots"
	show_output
	return 1
}

# ends STATUS NAME: what start() has started ends like that
ends() {
	wait "$pid"
	is "$2: exit status $1" "$?" "$1"
}

# --- Options -----------------------------------------------------------------

refused "no arguments" "no image given"
refused "an unknown option" "--bogus is not an option" --bogus x.eif
refused "an option of the emulator" "ne-emu run --role \.\.\. -- ne-run" --role x x.eif
refused "two images" "only one image" a.eif b.eif
refused "no number of CPUs" '"x" is not a number of CPUs' --cpus x a.eif
refused "no CPU list" "not a list of CPUs" --cpu-ids 3-2 a.eif
refused "no size" "not a size" --mem 4X a.eif
refused "a reserved CID" "not a CID that an enclave can have" --cid 3 a.eif
run_expect 0 "--help is no error" "$NE_RUN" --help
run_expect 0 "--version is no error" "$NE_RUN" --version

# --- Images -----------------------------------------------------------------

image exit3
refused "no file" "cannot open" "$work/nowhere.eif"
refused "a folder" "directory" "$work"
refused "no image" "not an enclave image" "$kernel"
head -c 1000 "$work/exit3.eif" >"$work/cut.eif"
refused "half an image" "cut.eif: " "$work/cut.eif"

# One bit of the last section.
size=$(wc -c <"$work/exit3.eif")
{
	head -c $((size - 1)) "$work/exit3.eif"
	tail -c 1 "$work/exit3.eif" | tr '\000-\377' '\001-\377\000'
} >"$work/bit.eif"
refused "a flipped bit" "bit.eif: .*(checksum|CRC)" "$work/bit.eif"

case $(uname -m) in
x86_64) other=aarch64 ;;
*) other=x86_64 ;;
esac
"$EIF" build -o "$work/other.eif" --kernel "$kernel" --cmdline x \
	--arch "$other" --ramdisk "$work/do.cpio" >"$out" 2>"$err"
refused "an image for another CPU" "other.eif: .*$other" "$work/other.eif"

"$EIF" build -o "$work/no-init.eif" --kernel "$kernel" --cmdline x \
	--ramdisk "$work/do.cpio" >"$out" 2>"$err"
refused "no init" "before it had booted: .*init" "$work/no-init.eif"
ramdisk "init=$kernel" >"$work/bad-init.cpio"
"$EIF" build -o "$work/bad-init.eif" --kernel "$kernel" --cmdline x \
	--ramdisk "$work/bad-init.cpio" >"$out" 2>"$err"
refused "an init that is no program" "before it had booted: .*init" \
	"$work/bad-init.eif"
nothing_is_left "after bad images"

# --- Machines ----------------------------------------------------------------

eif=$work/exit3.eif
refused "too little memory" "at least 64 MiB" --mem 62 "$eif"
head -c 70000000 /dev/zero >"$work/zeros"
ramdisk "zeros=$work/zeros" >"$work/zeros.cpio"
image exit3 --ramdisk "$work/zeros.cpio"
refused "less memory than the image" "too little for an image" --mem 64 "$eif"
rm "$work/zeros" "$work/zeros.cpio"
image exit3
refused "more memory than there is" "this machine has" --mem 8000000T "$eif"
refused "more CPUs than there are" "no CPUs left" --cpus 1000 "$eif"
refused "the parent's CPU" "CPU 0 is the parent's" --cpu-ids 0-1 "$eif"
refused "a CPU outside the pool" "CPU 1 .*not in the enclave CPU pool" \
	--cpu-ids 1 "$eif"
refused "a CPU that does not exist" "beyond the last CPU" --cpu-ids 700 "$eif"
refused "half a core" "whole cores" --cpus 1 "$eif"
refused "another machine" "no qemu machine" --emulate qemu "$eif"
refused "no emulation" "no /dev/nitro_enclaves" --emulate never "$eif"
emulator=$NE_EMU
NE_EMU=$work/nowhere
refused "no emulator" "no ne-emu to emulate it" "$eif"
NE_EMU=$emulator
nothing_is_left "after bad machines"

# --- Booting ------------------------------------------------------------------

image never
refused "no heartbeat" "no heartbeat within 1 s" --boot-timeout 1 \
	"$work/never.eif"
image early
refused "an end before the heartbeat" \
	"before it had booted: .*status 7" "$work/early.eif"

run_expect 3 "the application's exit status is returned" "$NE_RUN" "$eif"
if said | grep -qE '^enclave i-[0-9a-f]+-enc[0-9a-f]+: cid [0-9]+, 2 cpus, 512 MiB, booted in [0-9]+ ms$'; then
	ok "one line tells what has booted"
else
	not_ok "one line tells what has booted"
	show_output
fi
is "and is all there is" "$(said | wc -l)" 1
[ -s "$out" ] && not_ok "stdout is empty" || ok "stdout is empty"

run_expect 3 "options are heeded" "$NE_RUN" "$eif" --cpu-ids 6-7,4-5 --mem 1G \
	--cid 4000000000
said | grep -qE 'cid 4000000000, 4 cpus, 1024 MiB, ' &&
	ok "and reported" || not_ok "and reported" "$(cat "$err")"

run_expect 3 "--json prints events" "$NE_RUN" --json --name '"quoted"' "$eif"
is "one for the boot, one for the end" "$(wc -l <"$out")" 2
is "and no line for people" "$(said | wc -l)" 0
grep -qE '^\{"Event":"booted","EnclaveName":"\\"quoted\\"","EnclaveID":"i-[^"]*","ProcessID":[0-9]+,"EnclaveCID":[0-9]+,"NumberOfCPUs":2,"CPUIDs":\[2,3\],"MemoryMiB":512,' "$out" &&
	ok "the first has nitro-cli's fields" ||
	not_ok "the first has nitro-cli's fields" "$(cat "$out")"
grep -qE '^\{"Event":"ended",.*"ExitStatus":3,"ApplicationStatus":3,' "$out" &&
	ok "the second has the exit status" ||
	not_ok "the second has the exit status" "$(cat "$out")"
run_expect 125 "--json tells failures, too" "$NE_RUN" --json "$work/no.eif"
grep -qE '^\{"Event":"ended",.*"ExitStatus":125,"ApplicationStatus":null,"Reason":".*no.eif' "$out" &&
	ok "with the reason" || not_ok "with the reason" "$(cat "$out")"

image chatter
run_expect 3 "what is no line of the control channel is ignored" \
	"$NE_RUN" "$work/chatter.eif"
image aws-end
run_expect 125 "an end without a status is no success" \
	"$NE_RUN" "$work/aws-end.eif"
image crash
run_expect 125 "nor is a crash" "$NE_RUN" "$work/crash.eif"
said | grep -q "no exit status was reported: .*signal" &&
	ok "which is explained" || not_ok "which is explained" "$(cat "$err")"

# --- The console --------------------------------------------------------------

image hello
run_expect 3 "--console copies the console" "$NE_RUN" --console \
	"$work/hello.eif"
is "to stdout" "$(tr -d '\r' <"$out")" "hello, console"
run_expect 3 "with --json" "$NE_RUN" --console --json "$work/hello.eif"
grep -q "hello, console" "$err" && ok "it is on stderr" ||
	not_ok "it is on stderr"
image flood
run_expect 3 "much console output comes through" "$NE_RUN" --console \
	"$work/flood.eif"
[ "$(wc -c <"$out")" -ge 65536 ] && ok "at least what the console keeps" ||
	not_ok "at least what the console keeps" "$(wc -c <"$out") bytes"
# shellcheck disable=SC2016 # the inner shell's
run_expect 0 "a reader that goes away does not keep it" sh -c \
	'{ "$0" --console "$1"; echo $? >"$2"; } 2>/dev/null | head -c 10 >/dev/null; [ "$(cat "$2")" = 3 ]' \
	"$NE_RUN" "$work/flood.eif" "$work/status"

# --- Signals ------------------------------------------------------------------

image serve
start "$work/serve.eif"
booted "SIGTERM" && kill -TERM "$pid" && ends 143 "SIGTERM reaches the application"
said | grep -q "no exit status" && not_ok "and its status is heard" "$(cat "$err")" ||
	ok "and its status is heard"

image stubborn
start -v "$work/stubborn.eif"
if booted "a stubborn application"; then
	kill -TERM "$pid"
	sleep 0.5
	kill -0 "$pid" 2>/dev/null && ok "an application may ignore SIGTERM" ||
		not_ok "an application may ignore SIGTERM" "$(cat "$err")"
	kill -TERM "$pid"
	ends 143 "a second SIGTERM ends the enclave"
fi

image aws
start "$work/aws.eif"
booted "another init" && kill -TERM "$pid" &&
	ends 143 "SIGTERM ends an enclave whose init speaks no control channel"

start "$work/never.eif"
wait_for emulating "$err"
sleep 0.5
kill -TERM "$pid"
ends 143 "SIGTERM ends an enclave that is booting"

nothing_is_left "after signals"

# --- Several -----------------------------------------------------------------

start --cid 77 "$work/serve.eif"
if booted "a CID"; then
	first=$pid first_err=$work/first
	cp "$err" "$first_err"
	refused "a CID that is taken" "CID 77" --cid 77 "$eif"
	kill -TERM "$first"
	wait "$first"
fi

pids=
for i in 1 2 3 4; do
	timeout -k 5 60 "$NE_RUN" --mem 64 "$eif" >"$work/out.$i" \
		2>"$work/err.$i" </dev/null &
	pids="$pids $!"
done
booted=0
for pid in $pids; do
	wait "$pid"
	[ $? -eq 3 ] && booted=$((booted + 1))
done
is "four that start at the same moment all boot" "$booted" 4
run_expect 3 "every CPU is free again" "$NE_RUN" --cpu-ids 2-15 "$eif"
nothing_is_left "in the end"

done_testing
