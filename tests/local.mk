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

# --- libne's lifecycle and ne-run -------------------------------------------
if HAVE_CMOCKA
run_tests = \
	%D%/unit/test_memory \
	%D%/unit/test_enclave_cpus \
	%D%/unit/test_enclave_wait \
	%D%/unit/test_heartbeat_lines \
	%D%/unit/test_ne_run_parse \
	%D%/unit/test_ne_run_resources \
	%D%/unit/test_ne_run_options \
	%D%/unit/test_ne_run_control
check_PROGRAMS += $(run_tests)
NE_TESTS += $(run_tests)
run_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
run_test_libs = ne-run/libne-run.la $(CMOCKA_LIBS)
run_test_ldflags = $(AM_LDFLAGS) -static
tests_unit_test_memory_CFLAGS = $(run_test_cflags)
tests_unit_test_memory_LDADD = $(run_test_libs)
tests_unit_test_memory_LDFLAGS = $(run_test_ldflags)
tests_unit_test_enclave_cpus_CFLAGS = $(run_test_cflags)
tests_unit_test_enclave_cpus_LDADD = $(run_test_libs)
tests_unit_test_enclave_cpus_LDFLAGS = $(run_test_ldflags)
tests_unit_test_enclave_wait_CFLAGS = $(run_test_cflags)
tests_unit_test_enclave_wait_LDADD = $(run_test_libs)
tests_unit_test_enclave_wait_LDFLAGS = $(run_test_ldflags)
tests_unit_test_heartbeat_lines_CFLAGS = $(run_test_cflags)
tests_unit_test_heartbeat_lines_LDADD = $(run_test_libs)
tests_unit_test_heartbeat_lines_LDFLAGS = $(run_test_ldflags)
tests_unit_test_ne_run_parse_CFLAGS = $(run_test_cflags)
tests_unit_test_ne_run_parse_LDADD = $(run_test_libs)
tests_unit_test_ne_run_parse_LDFLAGS = $(run_test_ldflags)
tests_unit_test_ne_run_resources_CFLAGS = $(run_test_cflags)
tests_unit_test_ne_run_resources_LDADD = $(run_test_libs)
tests_unit_test_ne_run_resources_LDFLAGS = $(run_test_ldflags)
tests_unit_test_ne_run_options_CFLAGS = $(run_test_cflags)
tests_unit_test_ne_run_options_LDADD = $(run_test_libs)
tests_unit_test_ne_run_options_LDFLAGS = $(run_test_ldflags)
tests_unit_test_ne_run_control_CFLAGS = $(run_test_cflags)
tests_unit_test_ne_run_control_LDADD = $(run_test_libs)
tests_unit_test_ne_run_control_LDFLAGS = $(run_test_ldflags)
endif
if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_control
tests_fuzz_fuzz_control_SOURCES = %D%/fuzz/fuzz_control.c
tests_fuzz_fuzz_control_LDADD = libne.la
tests_fuzz_fuzz_control_LDFLAGS = $(AM_LDFLAGS) -static -fsanitize=fuzzer
endif
