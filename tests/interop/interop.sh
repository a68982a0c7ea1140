#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Programs that know nothing of this project boot an image under ne-emu: the
# kernel's own sample client, and clients in C with another C library, in Go
# and in Python that make their system calls themselves. And an image as
# nitro-cli lays it out boots, whose init is not ours.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

interop=$top_srcdir/tests/interop
image=$work/image.eif
CC=${CC:-cc}

build_image() {
	"$EIF" build --kernel "$work/kernel" \
		--cmdline 'console=ttyS0 panic=-1 reboot=k' "$@" \
		>"$out" 2>"$err" && return
	not_ok "an image to boot: eif build $*"
	show_output
	done_testing
}

# build NAME COMMAND...: a client from its source, or a failure that says why
build() {
	name=$1
	shift
	"$@" >"$out" 2>"$err" </dev/null && return
	not_ok "$name builds" "$*"
	show_output
	return 1
}

# boots NAME COMMAND...: it boots an image to the heartbeat and ends
boots() {
	name=$1
	shift
	run_expect 0 "$name boots an image" "$NE_EMU" run -q -- "$@" || return
	grep -q '^booted: cid [0-9][0-9]*$' "$out" ||
		not_ok "$name says so" "$(cat "$out")"
}

printf 'no kernel: nothing runs it here' >"$work/kernel"
build_image -o "$image" --init "$top_builddir/tests/conformance/init"

# --- The kernel's sample -----------------------------------------------------
# It makes 256 regions of 2 MiB from MAP_HUGETLB memory, says so, and then
# sleeps for 5 minutes: it is ended once it has seen the heartbeat.

# sample_boots PROGRAM
sample_boots() {
	name="the kernel's sample client boots an image"
	"$NE_EMU" run -q -- stdbuf -oL "$1" "$image" >"$out" 2>"$err" \
		</dev/null &
	pid=$!
	i=0
	while ! grep -q '^Entering sleep' "$out" && kill -0 "$pid" 2>/dev/null &&
		[ "$i" -lt 300 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	if grep -q '^Entering sleep' "$out" && grep -q '^Enclave started, CID' "$out"; then
		ok "$name"
	else
		not_ok "$name"
		show_output
	fi
	kill "$pid" 2>/dev/null
	wait "$pid"
}

if ! sample=$("$top_srcdir/ci/linux-sample" --cached 2>"$err"); then
	skip "the kernel's sample client boots an image" \
		"its source is not there; to fetch it (130 MB, once): ci/linux-sample"
elif build "the kernel's sample client" "$CC" -o "$work/sample" "$sample" \
	-pthread; then
	sample_boots "$work/sample"
fi

# --- Another C library ---------------------------------------------------------

name="a static program with musl"
if ! have musl-gcc; then
	skip "$name boots an image" "no musl-gcc; apt-get install musl-tools"
elif build "$name" musl-gcc -static -D_GNU_SOURCE -O2 -Wall \
	-idirafter /usr/include \
	-idirafter "/usr/include/$("$CC" -print-multiarch 2>/dev/null)" \
	-o "$work/musl" "$interop/client.c"; then
	boots "$name" "$work/musl" "$image"
fi

# --- Go -------------------------------------------------------------------------

GOFLAGS="-mod=readonly -modcacherw"
GOTOOLCHAIN=local
export GOFLAGS GOTOOLCHAIN
# Go's caches are under $HOME, where there is one.
if ! [ -w "${HOME:-/nowhere}" ]; then
	HOME=$work
	export HOME
fi

# go_copy FOLDER: out of the source tree, which may be read-only
go_copy() {
	rm -rf "${work:?}/$1"
	cp -r "$interop/$1" "$work/$1" && chmod -R u+w "$work/$1" || return
	cd "$work/$1" || return
}

# shellcheck disable=SC2317 # called by build
# go_build FOLDER PROGRAM
go_build() {
	go_copy "$1" && CGO_ENABLED=0 go build -o "$2" .
}

# Are the modules that go.mod names here, or to be had?
go_modules() {
	go_copy "$1" && timeout 60 go mod download
}

if ! have go; then
	skip "a static Go program boots an image" \
		"no Go; apt-get install golang-go"
	skip "a Go program with mdlayher/vsock boots an image" \
		"no Go; apt-get install golang-go"
else
	if build "a static Go program" go_build go-plain "$work/plain"; then
		cd "$top_builddir" || exit 1
		boots "a static Go program" "$work/plain" "$image"
	fi
	if ! (go_modules go-vsock) >"$out" 2>"$err"; then
		skip "a Go program with mdlayher/vsock boots an image" \
			"its modules cannot be downloaded"
	elif build "a Go program with mdlayher/vsock" \
		go_build go-vsock "$work/vsock"; then
		cd "$top_builddir" || exit 1
		boots "a Go program with mdlayher/vsock" "$work/vsock" "$image"
	fi
fi
cd "$top_builddir" || exit 1

# --- Python ---------------------------------------------------------------------

name="a Python program"
if ! have python3; then
	skip "$name boots an image" "no Python; apt-get install python3"
else
	boots "$name" python3 "$interop/client.py" "$image"
fi

# --- nitro-cli's layout ------------------------------------------------------------
# Two ramdisks: /init and /nsm.ko; then /rootfs, /cmd and /env. The init is
# ours and makes the system calls of theirs.

printf 'no module: nobody loads it here' >"$work/nsm.ko"
printf '/bin/application\n--flag\n0\n' >"$work/cmd"
printf 'GREETING=hello\n' >"$work/env"
ramdisk init="$top_builddir/tests/interop/nitro-cli-init" \
	nsm.ko="$work/nsm.ko" >"$work/first.cpio"
ramdisk rootfs/ rootfs/bin/ \
	rootfs/bin/application="$top_builddir/tests/interop/application" \
	rootfs/dev/ rootfs/proc/ rootfs/sys/ rootfs/run/ rootfs/tmp/ \
	cmd="$work/cmd" env="$work/env" >"$work/second.cpio"
build_image -o "$work/nitro-cli.eif" --ramdisk "$work/first.cpio" \
	--ramdisk "$work/second.cpio"

name="an image in nitro-cli's layout boots"
if ! have python3; then
	skip "$name" "no Python; apt-get install python3"
	skip "its command has its arguments, environment, session and mounts" \
		"no Python; apt-get install python3"
elif run_expect 0 "$name" "$NE_EMU" run -q -- python3 "$interop/client.py" \
	--report "$work/nitro-cli.eif"; then
	is "its command has its arguments, environment, session and mounts" \
		"$(sed -n 's/^report: //p' "$out")" \
		"arguments 3, greeting hello, session 1, tmp writable"
fi

done_testing
