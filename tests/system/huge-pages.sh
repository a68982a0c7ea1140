#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Programs that insist on MAP_HUGETLB, on a host without free huge pages.

# shellcheck source=tests/system/lib.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/system/lib.sh"

free=/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages
[ ! -e $free ] || [ "$(cat $free)" -eq 0 ] ||
	skip_all "this host has free huge pages of 1 GiB"
[ "$(cat /proc/sys/vm/overcommit_memory)" != 2 ] ||
	skip_all "this host promises no memory that it does not have (vm.overcommit_memory=2)"

"$NE_EMU" run -- "$top_builddir/tests/system/huge_pages"
