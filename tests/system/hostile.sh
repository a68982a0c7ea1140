#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Enclaves that try to outlive the emulator, or to reach the host.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

printf 'no kernel: nothing runs it here' >"$work/kernel"

# image WORD...: $work/image.eif does what hostile_init.c says
image() {
	echo "$*" >"$work/do"
	ramdisk "init=$top_builddir/tests/system/hostile_init" \
		"do=$work/do" >"$work/init.cpio"
	"$EIF" build -o "$work/image.eif" --kernel "$work/kernel" \
		--cmdline x --ramdisk "$work/init.cpio" >"$out" 2>"$err" || {
		not_ok "building an image"
		show_output
		done_testing
	}
}

# below PID...: these and all their descendants
below() {
	for pid_; do
		echo "$pid_"
		# shellcheck disable=SC2046 # words
		below $(awk -v parent="$pid_" '{ sub(/.*\) /, ""); }
			$2 == parent { split(FILENAME, path, "/"); print path[3] }
			' /proc/[0-9]*/stat 2>/dev/null)
	done
}

# --- Outliving the emulator ----------------------------------------------------

image drop
"$NE_RUN" "$work/image.eif" >"$out" 2>&1 </dev/null &
pid=$!
for _ in $(seq 200); do
	grep -q booted "$out" && break
	sleep 0.05
done
sleep 0.2
family=$(below "$pid")
[ "$(echo "$family" | wc -l)" -ge 4 ] && ok "an enclave runs" ||
	not_ok "an enclave runs" "$(cat "$out")" "$family"
kill -KILL "$pid"
wait "$pid" 2>/dev/null
sleep 1
# Zombies are dead, and their new parent's business.
left=$(for p in $family; do
	grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$p/status" && echo "$p"
done)
is "an init that has dropped its privileges dies with the emulator" "$left" ""
for p in $left; do kill -KILL "$p"; done

# --- Reaching the host -----------------------------------------------------------

if have python3; then
	name=ne-test-host-$$
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind("\0" + sys.argv[1])
s.listen(5)
print("listening", flush=True)
while True:
    s.accept()
' "$name" >"$work/listener" &
	listener=$!
	at_exit_run "kill $listener"
	for _ in $(seq 100); do
		[ -s "$work/listener" ] && break
		sleep 0.05
	done
	for way in unmark swap; do
		image "$way" "$name"
		run_expect 0 "the host's abstract sockets are out of reach: $way" \
			"$NE_RUN" "$work/image.eif" || show_output
	done
else
	skip "the host's abstract sockets are out of reach: unmark" "no python3"
	skip "the host's abstract sockets are out of reach: swap" "no python3"
fi

done_testing
