#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Enclaves come and go: many at once, for too few CPUs, two hundred times, and
# killed at any moment. Makes the images; lifecycle.py does the rest.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

have python3 || skip_all "no Python; apt-get install python3"

build_image() {
	"$EIF" build --kernel "$work/kernel" --cmdline 'console=ttyS0' "$@" \
		>"$out" 2>"$err" && return
	not_ok "an image to run: eif build $*"
	show_output
	done_testing
}

printf 'no kernel: nothing runs it here' >"$work/kernel"
mkdir -p "$work/rootfs/bin"
cp "$top_builddir/tests/interop/application" "$work/rootfs/bin/"
# One that stays until it is ended, one that ends at once.
build_image -o "$work/stays.eif" --init "$top_builddir/tests/conformance/init"
build_image -o "$work/ends.eif" --init "$top_builddir/ne-init/ne-init" \
	--rootfs "$work/rootfs" --cmd /bin/application --cmd 0
# One that takes its time to unpack.
head -c 30000000 /dev/urandom >"$work/rootfs/ballast"
build_image -o "$work/large.eif" --init "$top_builddir/ne-init/ne-init" \
	--rootfs "$work/rootfs" --cmd /bin/application --cmd stay

NE_RUNTIME_DIR=${NE_RUNTIME_DIR:-$work/runtime}
export NE_RUNTIME_DIR NE_RUN
mkdir -p "$NE_RUNTIME_DIR"
chmod 700 "$NE_RUNTIME_DIR"
python3 "$top_srcdir/tests/system/lifecycle.py" "$work"
