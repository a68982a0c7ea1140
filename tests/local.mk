# SPDX-License-Identifier: Apache-2.0

EXTRA_DIST += %D%/run
EXTRA_DIST += %D%/system/lib.sh

# --- Conformance -----------------------------------------------------------
# The suite and the init of its image run anywhere, also in a VM that has
# nothing else: static, and without what only a build machine has.
check_PROGRAMS += tests/conformance/conformance tests/conformance/init
tests_conformance_conformance_SOURCES = \
	%D%/conformance/call.c \
	%D%/conformance/device.c \
	%D%/conformance/end.c \
	%D%/conformance/fixture.c \
	%D%/conformance/load_info.c \
	%D%/conformance/memory.c \
	%D%/conformance/run.c \
	%D%/conformance/start.c \
	%D%/conformance/suite.h \
	%D%/conformance/vcpu.c
tests_conformance_conformance_CPPFLAGS = -D_GNU_SOURCE
tests_conformance_conformance_CFLAGS = $(WARN_CFLAGS) -pthread
tests_conformance_conformance_LDFLAGS = -all-static -pthread
tests_conformance_init_SOURCES = %D%/conformance/init.c
tests_conformance_init_CPPFLAGS =
tests_conformance_init_CFLAGS = $(WARN_CFLAGS)
tests_conformance_init_LDFLAGS = -all-static
NE_TESTS += %D%/system/conformance.sh
EXTRA_DIST += %D%/system/conformance.sh
