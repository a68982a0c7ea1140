#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# eif build: what it makes, that it always makes the same, and what it refuses.
# eif describe: what it says about it.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/system/lib.sh"
unset SOURCE_DATE_EPOCH

cd "$work" || exit 1
head -c 5000 /dev/zero | tr '\000' k >kernel
head -c 777 /dev/zero | tr '\000' n >nsm.ko
echo vsock >vsock.ko
cp /bin/true init
umask 022

# A command of its own, so that it can be run under timeout.
mkdir commands
cat >commands/build <<-'EOT'
	#!/bin/sh
	exec "$EIF" build -o image.eif --kernel kernel \
		--cmdline 'quiet panic=1' --init init "$@"
EOT
chmod +x commands/build
PATH=$work/commands:$PATH
export PATH EIF

# section N: its content on stdout, found with nothing but od and the header
section() {
	start_=$(number image.eif $((28 + 8 * $1)) 8)
	size_=$(number image.eif $((284 + 8 * $1)) 8)
	tail -c +$((start_ + 12 + 1)) image.eif | head -c "$size_"
}

# number FILE OFFSET BYTES: big-endian
number() {
	echo $((0x$(od -An -v -tx1 -j "$2" -N "$3" "$1" | tr -d ' \n')))
}

# pcr: of what is on stdin, by sha384sum
pcr() {
	digest_=$(sha384sum | cut -c1-96 | sed 's/../\\x&/g')
	{
		head -c 48 /dev/zero
		# shellcheck disable=SC2059
		/usr/bin/printf "$digest_"
	} | sha384sum | cut -c1-96
}

# field NAME: a string of the JSON in $out
field() {
	sed -n "s/.*\"$1\": \"\\([^\"]*\\)\".*/\\1/p" "$out"
}

# make_tree DIR ORDER: the same files, made in another order
make_tree() {
	mkdir -m 755 "$1"
	for name_ in $2; do
		case $name_ in
		bin | etc | Etc) mkdir -m 755 "$1/$name_" ;;
		*) echo "I am $name_" >"$1/$name_" ;;
		esac
	done
	echo shell >"$1/bin/sh"
	chmod 4755 "$1/bin/sh"
	ln "$1/bin/sh" "$1/etc/same"
	ln "$1/bin/sh" "$1/also"
	ln -s /bin/sh "$1/etc/link"
	mkfifo "$1/fifo"
	[ "$(id -u)" -ne 0 ] || mknod "$1/null" c 1 3
}

# --- What it makes ----------------------------------------------------------

make_tree tree 'bin etc a B c ä'
run_expect 0 'an image is built from a root file system' \
	build --rootfs tree --module vsock.ko --module nsm.ko \
	--env PATH=/bin --env 'GREETING=a b' -- /bin/sh -c 'echo "$GREETING"'
cp "$out" measured
"$EIF" describe --json image.eif >described 2>&1

is 'the sections are in the order that nitro-cli has them in' \
	"$(for i in 0 1 2 3 4; do
		number image.eif "$(number image.eif $((28 + 8 * i)) 8)" 2
	done | tr '\n' ' ')" '1 2 5 3 3 '
section 0 | cmp -s - kernel && ok 'the kernel is as it was' ||
	not_ok 'the kernel is as it was'
is 'the command line is as it was' "$(section 1)" 'quiet panic=1'
is 'the metadata is what the tools of AWS read' "$(section 2)" \
	"{\"ImageName\":\"enclave\",\"ImageVersion\":\"1.0\",\"BuildMetadata\":{\"BuildTime\":\"1970-01-01T00:00:00+00:00\",\"BuildTool\":\"eif\",\"BuildToolVersion\":\"$("$EIF" --version | cut -d' ' -f2)\",\"OperatingSystem\":\"Linux\",\"KernelVersion\":\"\"},\"DockerInfo\":{},\"CustomMetadata\":{}}"

cp measured "$out"
is 'PCR0 measures kernel, command line and ramdisks' "$(field PCR0)" \
	"$({ section 0; section 1; section 3; section 4; } | pcr)"
is 'PCR1 measures kernel, command line and the first ramdisk' \
	"$(field PCR1)" "$({ section 0; section 1; section 3; } | pcr)"
is 'PCR2 measures the second ramdisk' "$(field PCR2)" "$(section 4 | pcr)"
is 'the ramdisks are multiples of four bytes long' \
	"$(($(section 3 | wc -c) % 4)) $(($(section 4 | wc -c) % 4))" '0 0'

if have cpio; then
	mkdir boot application
	section 3 | (cd boot && cpio -id --quiet)
	is 'the first ramdisk has /init and the modules' \
		"$(cd boot && find . | LC_ALL=C sort | tr '\n' ' ')" \
		'. ./dev ./init ./modules ./modules/nsm.ko ./modules/order ./modules/vsock.ko '
	cmp -s init boot/init && cmp -s nsm.ko boot/modules/nsm.ko &&
		[ -x boot/init ] && ok 'which are as they were' ||
		not_ok 'which are as they were'
	is 'modules are listed in the order of loading' \
		"$(cat boot/modules/order)" 'vsock.ko
nsm.ko'
	section 4 | (cd application && cpio -id --quiet 2>/dev/null)
	is 'the second ramdisk has the command, a word on each line' \
		"$(cat application/cmd)" '/bin/sh
-c
echo "$GREETING"'
	is 'and the environment, a variable on each line' \
		"$(cat application/env)" 'PATH=/bin
GREETING=a b'
	is 'and the root file system, with places to mount on' \
		"$(cd application/rootfs && find . ! -name null |
			LC_ALL=C sort | tr '\n' ' ')" \
		'. ./B ./a ./also ./bin ./bin/sh ./c ./dev ./etc ./etc/link ./etc/same ./fifo ./proc ./run ./sys ./tmp ./var ./ä '
	is 'hard links are one file' \
		"$(cd application/rootfs && stat -c %h bin/sh) $(
			cat application/rootfs/etc/same)" '3 shell'
	is 'symbolic links lead where they led' \
		"$(readlink application/rootfs/etc/link)" /bin/sh
	is 'modes are as they were' \
		"$(stat -c %a application/rootfs/bin/sh)" 4755
	if [ "$(id -u)" -eq 0 ]; then
		is 'device nodes are as they were' \
			"$(stat -c '%F %t %T' application/rootfs/null)" \
			'character special file 1 3'
	else
		skip 'device nodes are as they were' 'only root makes any'
	fi
else
	skip 'the ramdisks unpack' 'cpio is not installed'
fi

cp described "$out"
is 'describe says the same measurements' \
	"$(field PCR0) $(field PCR1) $(field PCR2)" \
	"$(cp measured "$out"; field PCR0) $(field PCR1) $(field PCR2)"
cp described "$out"
grep -q '"CheckCRC": true' "$out" && grep -q '"IsSigned": false' "$out" &&
	grep -q '"EifVersion": 4' "$out" &&
	ok 'describe says what describe-eif says' ||
	{ not_ok 'describe says what describe-eif says'; show_output; }
run_expect 0 'describe speaks to people too' "$EIF" describe image.eif
is 'without control characters from the image' \
	"$(tr -d '\n\040-\176' <"$out" | wc -c)" 0

# --- Always the same --------------------------------------------------------

mv image.eif first.eif
make_tree again 'ä c B a etc bin'
find again -exec touch -h -d '2001-02-03 04:05:06' {} +
TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOSTNAME=elsewhere run_expect 0 \
	'the same files in another order, time, zone and locale are built' \
	build --rootfs again/ --module vsock.ko --module nsm.ko \
	--env PATH=/bin --env 'GREETING=a b' -- /bin/sh -c 'echo "$GREETING"'
cmp first.eif image.eif >"$out" 2>&1 &&
	ok 'into the same bytes' || { not_ok 'into the same bytes'; show_output; }
for method in gzip xz zstd; do
	if [ $method = xz ] && ! have xz; then
		skip "$method is the same every time" 'xz is not installed'
		continue
	fi
	build --rootfs tree --compress $method -- /bin/sh >/dev/null
	mv image.eif first.eif
	# gzip would like to write down the second.
	[ $method != gzip ] || sleep 1
	build --rootfs again --compress $method -- /bin/sh >/dev/null
	cmp -s first.eif image.eif && ok "$method is the same every time" ||
		not_ok "$method is the same every time"
	# What pads a section is not the stream's; bsdtar minds zstd's.
	decompress='cat'
	[ $method != zstd ] || decompress='zstd -dcq'
	if have bsdtar && have ${decompress%% *}; then
		is "a ramdisk compressed by $method unpacks" "$(section 4 |
			$decompress 2>"$out" |
			bsdtar -xOf - rootfs/bin/sh rootfs/c)" "$(cat tree/c)"
	fi
done

SOURCE_DATE_EPOCH=86400 run_expect 0 'SOURCE_DATE_EPOCH is heeded' \
	build --rootfs tree -- /bin/sh
section 2 | grep -q '"BuildTime":"1970-01-02T00:00:00+00:00"' &&
	ok 'as the time of building' || not_ok 'as the time of building'
is 'and is not measured' "$(field PCR2)" \
	"$(build --rootfs tree -- /bin/sh >"$out"; field PCR2)"

# --- Options ----------------------------------------------------------------

echo '{"team": "blue"}' >metadata.json
run_expect 0 'name, version, metadata and architecture are settings' \
	"$EIF" build -o image.eif --kernel kernel --cmdline '' --ramdisk kernel \
	--name Näme --version 7 --metadata metadata.json --arch aarch64
is 'a ramdisk is taken as it is' "$(section 3 | cksum)" "$(cksum <kernel)"
is 'the architecture is in the header' "$(number image.eif 6 2)" 1
"$EIF" describe --json image.eif >"$out"
is 'name, version and metadata are in the metadata' \
	"$(field ImageName) $(field ImageVersion) $(field team)" 'Näme 7 blue'

if [ "$(id -u)" -eq 0 ] && have bsdtar; then
	chown 1234:5678 tree/a
	build --rootfs tree -- /bin/sh >/dev/null
	is 'owners are kept' \
		"$(section 4 | bsdtar --numeric-owner -tvf - |
			awk '$9 == "rootfs/a" { print $3, $4 }')" '1234 5678'
	build --rootfs tree --all-root -- /bin/sh >/dev/null
	is 'or are all root' \
		"$(section 4 | bsdtar --numeric-owner -tvf - |
			awk '$9 == "rootfs/a" { print $3, $4 }')" '0 0'
else
	skip 'owners are kept' 'needs root and bsdtar'
fi
if have bsdtar; then
	touch -d '2001-02-03 04:05:06 UTC' tree/a
	build --rootfs tree --keep-times -- /bin/sh >/dev/null
	is 'times can be kept' "$(section 4 | TZ=UTC bsdtar -tvf - |
		awk '$9 == "rootfs/a" { print $6, $7, $8 }')" 'Feb 3 2001'
fi

# --- What it refuses --------------------------------------------------------

# refuse STATUS NAME FRAGMENT COMMAND...: one line on stderr, with FRAGMENT in it
refuse() {
	status_=$1 refusal_=$2 fragment_=$3
	shift 3
	run_expect "$status_" "$refusal_" "$@" || return
	if [ "$(wc -l <"$err")" -eq 1 ] && grep -qF -- "$fragment_" "$err"; then
		ok "and says: $fragment_"
	else
		not_ok "and says: $fragment_"
		show_output
	fi
}

rm -f image.eif
refuse 2 'no kernel' '--kernel is missing' "$EIF" build -o x --cmdline ''
refuse 2 'no output' '-o IMAGE is missing' "$EIF" build --kernel kernel
refuse 2 'nothing to run' 'nothing to run' \
	"$EIF" build -o x --kernel kernel --cmdline ''
refuse 2 'a root file system without a command' 'without a command' \
	build --rootfs tree
refuse 2 'a variable without a value' '--env "A" is not NAME=VALUE' \
	build --rootfs tree --env A -- x
refuse 2 'a word of two lines' 'has a newline in it' build -- 'a
b'
refuse 2 'a method of compression that there is not' \
	'no compression "brotli"' build --compress brotli
refuse 2 'a command that there is not' 'no command "bild"' "$EIF" bild
refuse 1 'a kernel that there is not' \
	'eif: nowhere: cannot open it: No such file' \
	build --kernel nowhere
refuse 1 'a root file system that there is not' 'nowhere' \
	build --rootfs nowhere -- x
refuse 1 'a root file system that is a file' 'it is no directory' \
	build --rootfs kernel -- x
refuse 1 'an init that is no program' 'init.txt: neither a program' \
	sh -c 'echo hello >init.txt; "$0" "$@"' \
	"$EIF" build -o image.eif --kernel kernel --cmdline '' --init init.txt
refuse 1 'an init for another CPU' 'a program for another CPU' \
	build --arch "$([ "$(uname -m)" = aarch64 ] && echo x86_64 || echo aarch64)"
refuse 1 'two modules of one name' 'another module has the same name' \
	sh -c 'mkdir -p m; cp nsm.ko m; exec "$0" "$@"' "$EIF" build \
	-o image.eif --kernel kernel --cmdline '' --init init \
	--module nsm.ko --module m/nsm.ko
refuse 1 'an image inside the root file system' 'would contain itself' \
	build --rootfs tree -o tree/image.eif -- x
refuse 1 'a folder to write to that there is not' \
	'nowhere/x.eif: cannot create it' build -o nowhere/x.eif
for method in none gzip; do
	refuse 1 "a disk that is full ($method)" \
		'bytes of the image: File too large' \
		sh -c 'trap "" XFSZ; ulimit -f 20; exec build "$@"' sh \
		--module init --rootfs tree --compress $method -- x
done
refuse 1 'metadata that is no JSON' 'kernel: no JSON' build --metadata kernel
SOURCE_DATE_EPOCH=today refuse 1 'a date that is no number' \
	'SOURCE_DATE_EPOCH=today' build
truncate -s 4G tree/large
refuse 1 'a file that is too large' 'tree/large: it has 4 GiB or more' \
	build --rootfs tree -- x
rm tree/large
is 'what was refused left nothing behind' \
	"$(find . -name 'image.eif*' -o -name 'x*.eif*')" ''

run_expect 0 'an init alone is an image' build
refuse 1 'standard output that is full' 'cannot write to standard output' \
	sh -c '"$EIF" describe image.eif >/dev/full'
printf X | dd of=image.eif bs=1 seek=600 conv=notrunc 2>/dev/null
refuse 1 'describe finds damage' 'image.eif: the image is damaged' \
	"$EIF" describe image.eif
head -c 600 <image.eif >short.eif
refuse 1 'describe finds what is missing' \
	'short.eif: section 0 at byte 548 should have a header of 12 and 5000' \
	"$EIF" describe short.eif

done_testing
