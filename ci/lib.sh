# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034
#
# What the scripts of this folder share; sourced, never run.
#
#	$top	the source tree
#	$cache	what is fetched once and kept: the archive's indices and packages

set -eu
export LC_ALL=C.UTF-8
umask 022

top=$(cd "$(dirname "$0")/.." && pwd)
if [ -n "${XDG_CACHE_HOME:-${HOME:-}}" ]; then
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/libne
else
	cache=$top/build/cache
fi

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# locked FILE COMMAND...: run COMMAND, one process at a time
locked() (
	mkdir -p "$(dirname "$1")"
	exec 9>"$1"
	flock 9
	shift
	# The lock is for this shell: a daemon that COMMAND leaves behind must
	# not keep it.
	"$@" 9>&-
)
