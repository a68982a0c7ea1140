#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# AF_VSOCK under ne-emu run, as other people's programs use it: Python's socket
# module, socat, a static C program, and one in Go.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

programs=$top_srcdir/tests/system

# --- Python ------------------------------------------------------------------

if have python3 && python3 -c 'import socket; socket.AF_VSOCK' 2>/dev/null; then
	for case in $(python3 "$programs/vsock.py" --list); do
		run_expect 0 "Python: $(echo "$case" | tr _ ' ')" \
			"$NE_EMU" run -q -- python3 "$programs/vsock.py" "$case"
	done
else
	skip "Python: AF_VSOCK" "needs python3 with socket.AF_VSOCK; apt-get install python3"
fi

# --- socat -------------------------------------------------------------------

# A listener in the background of the same family, and a client to it.
cat >"$work/socat.sh" <<'EOT'
set -e
socat -u VSOCK-LISTEN:5000 "OPEN:$1/got,creat,trunc" &
server=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
	socat -u "OPEN:$1/sent" VSOCK-CONNECT:3:5000 2>"$1/why" && break
	sleep 0.2
done
wait "$server"
cmp "$1/sent" "$1/got"
EOT

# Several at once, each with a child of its own, and an answer back.
cat >"$work/socat-fork.sh" <<'EOT'
set -e
socat VSOCK-LISTEN:5000,fork EXEC:'tr a-z A-Z' &
server=$!
sleep 0.3
for i in 1 2 3 4 5 6 7 8 9 10; do
	(echo "hello $i" | socat -t 10 - VSOCK-CONNECT:3:5000 >"$1/answer$i") &
	clients="$clients $!"
done
wait $clients
kill "$server"
for i in 1 2 3 4 5 6 7 8 9 10; do
	[ "$(cat "$1/answer$i")" = "HELLO $i" ]
done
EOT

if ! have socat || ! socat -h 2>&1 | grep -qi vsock-connect; then
	reason="needs socat with VSOCK addresses; apt-get install socat"
	skip "socat: a file arrives unchanged" "$reason"
	skip "socat: a listener with children serves many" "$reason"
else
	head -c 3000000 /dev/urandom >"$work/sent"
	run_expect 0 "socat: a file arrives unchanged" \
		"$NE_EMU" run -q -- sh "$work/socat.sh" "$work"
	run_expect 0 "socat: a listener with children serves many" \
		"$NE_EMU" run -q -- sh "$work/socat-fork.sh" "$work"
fi

# --- Static programs -----------------------------------------------------------

echo_program=$top_builddir/tests/system/vsock_echo

run_expect 0 "a static program: 64 MiB each way, checksummed" \
	"$NE_EMU" run -q -- "$echo_program" 5000 1 67108864
run_expect 0 "a static program: 100 connections at once" \
	"$NE_EMU" run -q -- "$echo_program" 5000 100 100000

if have musl-gcc; then
	# The kernel's headers are not musl's, but of the system's.
	musl-gcc -static -O2 -o "$work/musl-echo" "$programs/vsock_echo.c" \
		-idirafter /usr/include \
		-idirafter "/usr/include/$(gcc -print-multiarch)" 2>"$err" ||
		diag "does not build: $(cat "$err")"
	run_expect 0 "a musl program: 10 connections at once" \
		"$NE_EMU" run -q -- "$work/musl-echo" 5000 10 1000000
else
	skip "a musl program: 10 connections at once" \
		"needs musl-gcc; apt-get install musl-tools"
fi

# Go's own network poller on raw AF_VSOCK sockets; no module is needed.
if have go; then
	mkdir "$work/go"
	cp "$programs/vsock_go/main.go" "$work/go/"
	if (cd "$work/go" && GO111MODULE=off CGO_ENABLED=0 GOFLAGS='' \
		GOCACHE="$work/go-cache" go build -o ../go-echo .) >"$out" 2>"$err"; then
		run_expect 0 "a Go program: 100 connections at once" \
			"$NE_EMU" run -q -- "$work/go-echo"
	else
		not_ok "a Go program: 100 connections at once" "does not build"
		show_output
	fi
else
	skip "a Go program: 100 connections at once" \
		"needs go; apt-get install golang-go"
fi

# --- Between emulations ----------------------------------------------------------

# One runtime folder, two commands: they are on one fabric.
"$NE_EMU" run -q -- "$echo_program" --serve 5001 >"$work/server" 2>&1 &
server=$!
at_exit_run "kill $server 2>/dev/null"
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ -s "$work/server" ] && break
	sleep 0.2
done
run_expect 0 "two commands under ne-emu meet on one fabric" \
	"$NE_EMU" run -q -- "$echo_program" --connect 5001 3 1000000
kill "$server"
wait "$server" 2>/dev/null
run_expect 1 "and not when the server is gone" \
	"$NE_EMU" run -q -- "$echo_program" --connect 5001 1 10
grep -q 'Connection reset' "$err" &&
	ok "which is a reset connection" ||
	not_ok "which is a reset connection" "$(cat "$err")"

done_testing
