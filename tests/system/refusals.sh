#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What images can be wrong with inside, what the host can forbid, and what is
# taken: one clear line, exit status 125, and nothing left running or written.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

forbid=$top_builddir/tests/system/forbid
kernel=$work/kernel
printf 'no kernel: nothing runs it here' >"$kernel"
echo exit3 >"$work/do"

# build NAME RAMDISK...: $work/NAME.eif
build() {
	name_=$1
	shift
	for ramdisk_; do
		set -- "$@" --ramdisk "$ramdisk_"
		shift
	done
	"$EIF" build -o "$work/$name_.eif" --kernel "$kernel" --cmdline x "$@" \
		>"$out" 2>"$err" || {
		not_ok "building $name_.eif"
		show_output
		done_testing
	}
}

# refused NAME PATTERN COMMAND...: exit status 125, and one line like PATTERN
refused() {
	case_=$1 pattern_=$2
	shift 2
	run_expect 125 "$case_: exit status 125" "$@" || return
	# Two lines are the emulation's own: that it is one, what it cannot do.
	grep -vE 'emulating|^ne-emu: .*not held to' "$err" >"$work/said"
	if [ "$(wc -l <"$work/said")" -eq 1 ] &&
		grep -qE -e "$pattern_" "$work/said"; then
		ok "$case_: one clear line"
	else
		not_ok "$case_: one clear line" "no \"$pattern_\" in:"
		show_output
	fi
}

init=$top_builddir/tests/system/run_init
ramdisk "init=$init" "do=$work/do" >"$work/good.cpio"
build good "$work/good.cpio"
run_expect 3 "a good image runs" "$NE_RUN" "$work/good.eif"

# --- Ramdisks ----------------------------------------------------------------

gzip -nc "$work/good.cpio" >"$work/good.gz"
size=$(wc -c <"$work/good.gz")
head -c $((size / 2)) "$work/good.gz" >"$work/half.gz"
build half "$work/half.gz"
refused "a gzip ramdisk that ends early" "ramdisk 1: " "$NE_RUN" "$work/half.eif"

# Garbage in the middle of the compressed data.
{
	head -c $((size / 2)) "$work/good.gz"
	head -c 4096 /dev/zero | tr '\000' '\377'
	tail -c +$((size / 2 + 4097)) "$work/good.gz"
} >"$work/bad.gz"
build bad "$work/bad.gz"
refused "a damaged gzip ramdisk" "ramdisk 1: " "$NE_RUN" "$work/bad.eif"

# Its checksum, in the last eight bytes.
cp "$work/good.gz" "$work/sum.gz"
printf '\001\002\003\004' |
	dd of="$work/sum.gz" bs=1 seek=$((size - 8)) conv=notrunc 2>/dev/null
build sum "$work/sum.gz"
refused "a gzip ramdisk with a wrong checksum" "ramdisk 1: " \
	"$NE_RUN" "$work/sum.eif"

printf 'this is neither cpio nor compressed' >"$work/text"
build text "$work/good.cpio" "$work/text"
refused "a second ramdisk that is none" "ramdisk 2: " "$NE_RUN" "$work/text.eif"

# Names that lead out, by dots, from the root and through links: all of them
# end inside, where /init looks for nothing, so the image boots all the same.
marker=ne-escaped-$$
cat >"$work/links.py" <<'EOF'
import sys

def entry(name, mode, data=b""):
    name = name.encode() + b"\0"
    out = b"070701" + b"".join(b"%08X" % n for n in (
        entry.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0))
    entry.inode += 1
    out += name
    out += b"\0" * (-len(out) % 4) + data
    return out + b"\0" * (-len(data) % 4)

entry.inode = 1
marker, target = sys.argv[1:]
sys.stdout.buffer.write(
    entry("../../../../tmp/" + marker, 0o100644, b"1")
    + entry("/tmp/" + marker, 0o100644, b"2")
    + entry("out", 0o120777, b"../../../../../../tmp")
    + entry("out/" + marker, 0o100644, b"3")
    + entry("abs", 0o120777, target.encode())
    + entry("abs/" + marker, 0o100644, b"4")
    + entry("deep", 0o40755) + entry("deep/up", 0o120777, b"../../..")
    + entry("deep/up/" + marker, 0o100644, b"5")
    + entry("TRAILER!!!", 0))
EOF
if have python3; then
	python3 "$work/links.py" "$marker" "$work" >"$work/links.cpio"
	build links "$work/good.cpio" "$work/links.cpio"
	run_expect 3 "a ramdisk with names that lead out boots" \
		"$NE_RUN" "$work/links.eif"
	if [ -e "/tmp/$marker" ] || [ -e "$work/$marker" ] ||
		[ -e "/$marker" ]; then
		not_ok "nothing is written outside of the enclave"
	else
		ok "nothing is written outside of the enclave"
	fi
else
	skip "a ramdisk with names that lead out boots" "no python3"
	skip "nothing is written outside of the enclave" "no python3"
fi

# --- The first process --------------------------------------------------------

ramdisk "init/" "do=$work/do" >"$work/folder.cpio"
build folder "$work/folder.cpio"
refused "an init that is a folder" "/init of the image is not executable" \
	"$NE_RUN" "$work/folder.eif"

cp "$init" "$work/other"
# e_machine, at byte 18 of every ELF file: 243, RISC-V.
printf '\363\000' | dd of="$work/other" bs=1 seek=18 conv=notrunc 2>/dev/null
ramdisk "init=$work/other" >"$work/other.cpio"
build other "$work/other.cpio"
refused "an init for another CPU" "/init of the image is for another CPU" \
	"$NE_RUN" "$work/other.eif"

printf '#!/nowhere/sh\n' >"$work/script"
ramdisk "init=$work/script" >"$work/script.cpio"
build script "$work/script.cpio"
refused "an init without its interpreter" "interpreter .*is missing" \
	"$NE_RUN" "$work/script.eif"

# --- What is taken -------------------------------------------------------------

echo serve >"$work/do"
ramdisk "init=$init" "do=$work/do" >"$work/serve.cpio"
build serve "$work/serve.cpio"
"$NE_RUN" "$work/serve.eif" --cid 77 >"$work/serve.out" 2>&1 </dev/null &
pid=$!
for _ in $(seq 200); do
	grep -q booted "$work/serve.out" && break
	sleep 0.05
done
refused "a CID that is taken" "CID 77 .*(taken|in use)" \
	"$NE_RUN" "$work/serve.eif" --cid 77
kill -TERM "$pid"
wait "$pid"
is "the enclave that had it went on, and ends when told" $? 143

# --- What is forbidden ----------------------------------------------------------

refused "no user namespaces" "sysctl user.max_user_namespaces" \
	"$forbid" namespaces - "$NE_RUN" "$work/good.eif"
refused "a container that forbids user namespaces" "seccomp=unconfined" \
	"$forbid" clone3 38 "$NE_RUN" "$work/good.eif"
refused "a container that forbids seccomp" "seccomp=unconfined" \
	"$forbid" seccomp 1 "$NE_RUN" "$work/good.eif"

# --- Who else is there -----------------------------------------------------------

# What a container's entry point does.
# shellcheck disable=SC2016 # the inner shell's
run_expect 3 "ne-run in the place of a shell" sh -c \
	'sleep 60 & echo $! >"$3"; exec "$0" "$1" >"$2" 2>&1' \
	"$NE_RUN" "$work/good.eif" "$work/log" "$work/sleep"
kill "$(cat "$work/sleep")" && ok "spares the shell's other children" ||
	not_ok "spares the shell's other children"

# --- Nobody is left -------------------------------------------------------------

# Everything that was started has our folder in its arguments.
left=$(printf '%s/' "$work" | grep -lFf - /proc/[0-9]*/cmdline 2>/dev/null)
is "nothing is left running" "$left" ""

done_testing
