#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Eight clients ask one module without a pause, while its certificate is
# renewed every few seconds: every document verifies, and the module's memory
# does not grow. For $NE_SOAK_SECONDS (15).

. "$top_srcdir/tests/system/lib.sh"

: "${NE_SOAK_SECONDS:=15}"
nsm_emu=$top_builddir/nsm-emu/nsm-emu
lifetime=10
allowed=2048 # KiB: what the allocator may still take for its arenas

"$nsm_emu" pki create >/dev/null 2>"$err" &&
	"$nsm_emu" pki export -o "$work/root.pem" 2>>"$err" || {
	diag "$(cat "$err")"
	not_ok "there is a root"
	done_testing
}

rss() {
	sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$1/status" 2>/dev/null
}

"$nsm_emu" run -q --leaf-lifetime "$lifetime" -- \
	"$top_builddir/tests/system/nsm_soak" "$NE_SOAK_SECONDS" 8 \
	"$work/root.pem" >"$out" 2>"$err" &
emulator=$!
at_exit_run "kill $emulator 2>/dev/null"

# The first part of the time is for what is made once.
first=
most=0
seconds=0
while now=$(rss "$emulator") && [ -n "$now" ]; do
	if [ "$seconds" -ge $((NE_SOAK_SECONDS / 3)) ]; then
		: "${first:=$now}"
		[ "$now" -le "$most" ] || most=$now
	fi
	seconds=$((seconds + 1))
	sleep 1
done
status=0
wait "$emulator" || status=$?

is "every document of eight clients verifies" "$status" 0
[ "$status" -eq 0 ] || diag "$(cat "$err")"
diag "$(cat "$out"); memory ${first:-?} to $most KiB"

leaves=$(sed -n 's/.*, \([0-9]*\) leaves$/\1/p' "$out")
if [ "${leaves:-0}" -ge $((NE_SOAK_SECONDS / lifetime + 1)) ]; then
	ok "the certificate is renewed before it ends"
else
	not_ok "the certificate is renewed before it ends" "leaves: $leaves"
fi
if grep -q __asan_init "$nsm_emu"; then
	skip "the module's memory stays flat" \
		"AddressSanitizer keeps what was freed"
elif [ -n "$first" ] && [ $((most - first)) -le "$allowed" ]; then
	ok "the module's memory stays flat"
else
	not_ok "the module's memory stays flat" "${first:-?} to $most KiB"
fi
done_testing
