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
tests_conformance_conformance_CFLAGS = $(WARN_CFLAGS) -pthread
tests_conformance_conformance_LDFLAGS = -all-static -pthread
tests_conformance_init_SOURCES = %D%/conformance/init.c
tests_conformance_init_CFLAGS = $(WARN_CFLAGS)
tests_conformance_init_LDFLAGS = -all-static
NE_TESTS += %D%/system/conformance.sh
EXTRA_DIST += %D%/system/conformance.sh

# --- Other people's programs -----------------------------------------------
# What goes into the test images; the clients are built by the test, with the
# compilers that it finds.
check_PROGRAMS += tests/interop/nitro-cli-init tests/interop/application
tests_interop_nitro_cli_init_SOURCES = %D%/interop/nitro-cli-init.c
tests_interop_nitro_cli_init_CFLAGS = $(WARN_CFLAGS)
tests_interop_nitro_cli_init_LDFLAGS = -all-static
tests_interop_application_SOURCES = %D%/interop/application.c
tests_interop_application_CFLAGS = $(WARN_CFLAGS)
tests_interop_application_LDFLAGS = -all-static
NE_TESTS += %D%/interop/interop.sh %D%/system/lifecycle.sh
EXTRA_DIST += %D%/system/lifecycle.sh %D%/system/lifecycle.py
EXTRA_DIST += ci/linux-sample %D%/interop/interop.sh %D%/interop/client.c \
	%D%/interop/client.py \
	%D%/interop/go-plain/go.mod %D%/interop/go-plain/main.go \
	%D%/interop/go-vsock/go.mod %D%/interop/go-vsock/go.sum \
	%D%/interop/go-vsock/main.go

# --- libne's lifecycle and ne-run -------------------------------------------
check_PROGRAMS += tests/system/run_init
tests_system_run_init_SOURCES = %D%/system/run_init.c libne/heartbeat_lines.c
tests_system_run_init_CFLAGS = $(WARN_CFLAGS)
tests_system_run_init_LDFLAGS = -all-static
NE_TESTS += %D%/system/ne-run.sh
EXTRA_DIST += %D%/system/ne-run.sh
check_PROGRAMS += tests/system/forbid
tests_system_forbid_SOURCES = %D%/system/forbid.c
tests_system_forbid_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
tests_system_forbid_LDADD = $(SECCOMP_LIBS)
NE_TESTS += %D%/system/refusals.sh
EXTRA_DIST += %D%/system/refusals.sh
check_PROGRAMS += tests/system/hostile_init
tests_system_hostile_init_SOURCES = %D%/system/hostile_init.c
tests_system_hostile_init_CFLAGS = $(WARN_CFLAGS)
tests_system_hostile_init_LDFLAGS = -all-static
NE_TESTS += %D%/system/hostile.sh
EXTRA_DIST += %D%/system/hostile.sh
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

# --- Enclave images --------------------------------------------------------
if HAVE_CMOCKA
eif_tests = \
	%D%/unit/test_error \
	%D%/unit/test_eif \
	%D%/unit/test_eif_measure \
	%D%/unit/test_eif_metadata \
	%D%/unit/test_eif_signature \
	%D%/unit/test_eif_writer
check_PROGRAMS += $(eif_tests)
NE_TESTS += $(eif_tests)
eif_test_sources = %D%/unit/test_eif_image.c %D%/unit/test_eif_image.h
eif_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
eif_test_libs = libne.la $(CMOCKA_LIBS)
eif_test_ldflags = $(AM_LDFLAGS) -static
tests_unit_test_error_CFLAGS = $(eif_test_cflags)
tests_unit_test_error_LDADD = $(eif_test_libs)
tests_unit_test_error_LDFLAGS = $(eif_test_ldflags)
tests_unit_test_eif_SOURCES = %D%/unit/test_eif.c $(eif_test_sources)
tests_unit_test_eif_CFLAGS = $(eif_test_cflags)
tests_unit_test_eif_LDADD = $(eif_test_libs)
tests_unit_test_eif_LDFLAGS = $(eif_test_ldflags)
tests_unit_test_eif_measure_SOURCES = %D%/unit/test_eif_measure.c $(eif_test_sources)
tests_unit_test_eif_measure_CFLAGS = $(eif_test_cflags)
tests_unit_test_eif_measure_LDADD = $(eif_test_libs)
tests_unit_test_eif_measure_LDFLAGS = $(eif_test_ldflags)
tests_unit_test_eif_metadata_SOURCES = %D%/unit/test_eif_metadata.c $(eif_test_sources)
tests_unit_test_eif_metadata_CFLAGS = $(eif_test_cflags)
tests_unit_test_eif_metadata_LDADD = $(eif_test_libs)
tests_unit_test_eif_metadata_LDFLAGS = $(eif_test_ldflags)
tests_unit_test_eif_signature_SOURCES = %D%/unit/test_eif_signature.c $(eif_test_sources)
tests_unit_test_eif_signature_CFLAGS = $(eif_test_cflags)
tests_unit_test_eif_signature_LDADD = $(eif_test_libs)
tests_unit_test_eif_signature_LDFLAGS = $(eif_test_ldflags)
tests_unit_test_eif_writer_SOURCES = %D%/unit/test_eif_writer.c $(eif_test_sources)
tests_unit_test_eif_writer_CFLAGS = $(eif_test_cflags)
tests_unit_test_eif_writer_LDADD = $(eif_test_libs)
tests_unit_test_eif_writer_LDFLAGS = $(eif_test_ldflags)
endif
NE_TESTS += %D%/system/eif-build.sh
EXTRA_DIST += %D%/system/eif-build.sh
if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_eif
tests_fuzz_fuzz_eif_SOURCES = %D%/fuzz/fuzz_eif.c
tests_fuzz_fuzz_eif_LDADD = libne.la
tests_fuzz_fuzz_eif_LDFLAGS = $(AM_LDFLAGS) -static -fsanitize=fuzzer
endif

# --- Ramdisks ----------------------------------------------------------------
if HAVE_CMOCKA
ramdisk_tests = %D%/unit/test_cpio %D%/unit/test_initramfs
check_PROGRAMS += $(ramdisk_tests)
NE_TESTS += $(ramdisk_tests)
ramdisk_test_libs = ne-emu/libneemu.la libne.la $(ARCHIVE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_cpio_SOURCES = %D%/unit/test_cpio.c %D%/unit/cpio_writer.h
tests_unit_test_cpio_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_cpio_LDADD = $(ramdisk_test_libs)
tests_unit_test_cpio_LDFLAGS = $(AM_LDFLAGS) -static
tests_unit_test_initramfs_SOURCES = %D%/unit/test_initramfs.c %D%/unit/cpio_writer.h
tests_unit_test_initramfs_CFLAGS = $(AM_CFLAGS) $(ARCHIVE_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_initramfs_LDADD = $(ramdisk_test_libs)
tests_unit_test_initramfs_LDFLAGS = $(AM_LDFLAGS) -static
endif
if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_initramfs
tests_fuzz_fuzz_initramfs_SOURCES = %D%/fuzz/fuzz_initramfs.c %D%/unit/cpio_writer.h
tests_fuzz_fuzz_initramfs_CFLAGS = $(AM_CFLAGS) $(ARCHIVE_CFLAGS)
tests_fuzz_fuzz_initramfs_LDADD = ne-emu/libneemu.la libne.la $(ARCHIVE_LIBS)
tests_fuzz_fuzz_initramfs_LDFLAGS = $(AM_LDFLAGS) -static -fsanitize=fuzzer
endif

# --- ne-init -----------------------------------------------------------------
if HAVE_CMOCKA
ne_init_tests = %D%/unit/test_ne_init_config %D%/unit/test_ne_init_supervise
check_PROGRAMS += $(ne_init_tests)
NE_TESTS += $(ne_init_tests)
tests_unit_test_ne_init_config_SOURCES = %D%/unit/test_ne_init_config.c \
	ne-init/config.c ne-init/modules.c ne-init/say.c
tests_unit_test_ne_init_config_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_ne_init_config_LDADD = $(CMOCKA_LIBS)
tests_unit_test_ne_init_supervise_SOURCES = %D%/unit/test_ne_init_supervise.c \
	ne-init/parent.c ne-init/say.c ne-init/supervise.c \
	libne/heartbeat_lines.c
tests_unit_test_ne_init_supervise_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_ne_init_supervise_LDADD = $(CMOCKA_LIBS)
endif

# --- Fuzz targets ------------------------------------------------------------
# Those of another build, see ci/check: this one may be of another compiler.
NE_TESTS += %D%/system/fuzz.sh
EXTRA_DIST += %D%/system/fuzz.sh

# --- The hypervisor and the driver -------------------------------------------
check_PROGRAMS += tests/system/huge_pages
tests_system_huge_pages_SOURCES = %D%/system/huge_pages.c
tests_system_huge_pages_CFLAGS = $(WARN_CFLAGS) -pthread
tests_system_huge_pages_LDFLAGS = -all-static -pthread
NE_TESTS += %D%/system/huge-pages.sh
EXTRA_DIST += %D%/system/huge-pages.sh
if HAVE_CMOCKA
driver_tests = \
	%D%/unit/test_topology \
	%D%/unit/test_hypervisor \
	%D%/unit/test_driver
check_PROGRAMS += $(driver_tests)
NE_TESTS += $(driver_tests)
driver_test_fakes = %D%/unit/fakes.c %D%/unit/fakes.h
driver_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
driver_test_libs = ne-emu/libneemu.la nsm-emu/libnsm-emu.la \
	plumbing/libplumbing.la libne.la $(CMOCKA_LIBS)
driver_test_ldflags = $(AM_LDFLAGS) -static
tests_unit_test_topology_SOURCES = %D%/unit/test_topology.c
tests_unit_test_topology_CFLAGS = $(driver_test_cflags)
tests_unit_test_topology_LDADD = $(driver_test_libs)
tests_unit_test_topology_LDFLAGS = $(driver_test_ldflags)
tests_unit_test_hypervisor_SOURCES = \
	%D%/unit/test_hypervisor.c $(driver_test_fakes)
tests_unit_test_hypervisor_CFLAGS = $(driver_test_cflags)
tests_unit_test_hypervisor_LDADD = $(driver_test_libs)
tests_unit_test_hypervisor_LDFLAGS = $(driver_test_ldflags)
tests_unit_test_driver_SOURCES = \
	%D%/unit/test_driver.c $(driver_test_fakes)
tests_unit_test_driver_CFLAGS = $(driver_test_cflags)
tests_unit_test_driver_LDADD = $(driver_test_libs)
tests_unit_test_driver_LDFLAGS = $(driver_test_ldflags)
endif

# --- The event loop, the trap and vsock --------------------------------------
if HAVE_CMOCKA
plumbing_tests = \
	%D%/unit/test_loop \
	%D%/unit/test_claim \
	%D%/unit/test_log \
	%D%/unit/test_message \
	%D%/unit/test_opening \
	%D%/unit/test_trap \
	%D%/unit/test_vsock_address \
	%D%/unit/test_vsock_fabric \
	%D%/unit/test_vsock_syscalls \
	%D%/unit/test_relay \
	%D%/unit/test_door \
	%D%/unit/test_cmdline \
	%D%/unit/test_console \
	%D%/unit/test_cgroup
check_PROGRAMS += $(plumbing_tests) tests/unit/ask
NE_TESTS += $(plumbing_tests)
plumbing_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -pthread
plumbing_test_libs = vsock-sim/libvsock-sim.la plumbing/libplumbing.la libne.la \
	$(CMOCKA_LIBS)
plumbing_test_ldflags = $(AM_LDFLAGS) -static -pthread
# A child under a trap, and a static program for it to execute
plumbing_test_sources = %D%/unit/traced.c %D%/unit/traced.h
fabric_test_sources = $(plumbing_test_sources) \
	%D%/unit/fabric_fixture.c %D%/unit/fabric_fixture.h
tests_unit_ask_SOURCES = %D%/unit/ask.c
tests_unit_ask_CFLAGS = $(WARN_CFLAGS)
tests_unit_ask_LDFLAGS = -all-static
tests_unit_test_message_SOURCES = %D%/unit/test_message.c
tests_unit_test_message_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_message_LDADD = $(plumbing_test_libs)
tests_unit_test_message_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_loop_SOURCES = %D%/unit/test_loop.c $(plumbing_test_sources)
tests_unit_test_loop_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_loop_LDADD = $(plumbing_test_libs)
tests_unit_test_loop_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_claim_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_claim_LDADD = $(plumbing_test_libs)
tests_unit_test_claim_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_log_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_log_LDADD = $(plumbing_test_libs)
tests_unit_test_log_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_opening_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_opening_LDADD = $(plumbing_test_libs)
tests_unit_test_opening_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_trap_SOURCES = %D%/unit/test_trap.c $(plumbing_test_sources)
tests_unit_test_trap_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_trap_LDADD = $(plumbing_test_libs)
tests_unit_test_trap_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_vsock_address_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_vsock_address_LDADD = $(plumbing_test_libs)
tests_unit_test_vsock_address_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_vsock_fabric_SOURCES = %D%/unit/test_vsock_fabric.c $(fabric_test_sources)
tests_unit_test_vsock_fabric_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_vsock_fabric_LDADD = $(plumbing_test_libs)
tests_unit_test_vsock_fabric_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_vsock_syscalls_SOURCES = %D%/unit/test_vsock_syscalls.c $(fabric_test_sources)
tests_unit_test_vsock_syscalls_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_vsock_syscalls_LDADD = $(plumbing_test_libs)
tests_unit_test_vsock_syscalls_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_relay_SOURCES = %D%/unit/test_relay.c $(plumbing_test_sources)
tests_unit_test_relay_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_relay_LDADD = $(plumbing_test_libs)
tests_unit_test_relay_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_door_SOURCES = %D%/unit/test_door.c $(fabric_test_sources)
tests_unit_test_door_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_door_LDADD = $(plumbing_test_libs)
tests_unit_test_door_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_cmdline_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_cmdline_LDADD = ne-emu/libneemu.la $(plumbing_test_libs)
tests_unit_test_cmdline_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_console_SOURCES = %D%/unit/test_console.c $(fabric_test_sources)
tests_unit_test_console_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_console_LDADD = ne-emu/libneemu.la $(plumbing_test_libs)
tests_unit_test_console_LDFLAGS = $(plumbing_test_ldflags)
tests_unit_test_cgroup_CFLAGS = $(plumbing_test_cflags)
tests_unit_test_cgroup_LDADD = ne-emu/libneemu.la $(plumbing_test_libs)
tests_unit_test_cgroup_LDFLAGS = $(plumbing_test_ldflags)
endif
check_PROGRAMS += tests/system/vsock_echo
tests_system_vsock_echo_SOURCES = %D%/system/vsock_echo.c
tests_system_vsock_echo_CFLAGS = $(WARN_CFLAGS) -pthread
tests_system_vsock_echo_LDFLAGS = -all-static -pthread
NE_TESTS += %D%/system/vsock.sh
EXTRA_DIST += %D%/system/vsock.sh %D%/system/vsock.py %D%/system/vsock_go/main.go
if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_names
tests_fuzz_fuzz_names_SOURCES = %D%/fuzz/fuzz_names.c
tests_fuzz_fuzz_names_LDADD = ne-emu/libneemu.la vsock-sim/libvsock-sim.la \
	plumbing/libplumbing.la libne.la
tests_fuzz_fuzz_names_LDFLAGS = $(AM_LDFLAGS) -static -fsanitize=fuzzer
endif
EXTRA_DIST += %D%/fuzz/fuzz_names.seeds

# --- The NSM: the module -----------------------------------------------------
# The module's own sources, above a fake identity: every byte is known.
nsm_module_sources = \
	nsm-emu/document.c \
	nsm-emu/module.c \
	nsm-emu/request.c \
	nsm-emu/response.c \
	%D%/unit/nsm_fakes.c %D%/unit/nsm_fakes.h
if HAVE_CMOCKA
nsm_module_tests = \
	%D%/unit/test_cbor \
	%D%/unit/test_nsm_request \
	%D%/unit/test_nsm_response \
	%D%/unit/test_nsm_document \
	%D%/unit/test_nsm_module
check_PROGRAMS += $(nsm_module_tests)
NE_TESTS += $(nsm_module_tests)
nsm_module_test_bytes = %D%/unit/bytes.c %D%/unit/bytes.h
nsm_module_test_cflags = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(CMOCKA_CFLAGS)
nsm_module_test_libs = libne.la $(CRYPTO_LIBS) $(CMOCKA_LIBS)
nsm_module_test_ldflags = $(AM_LDFLAGS) -static
tests_unit_test_cbor_SOURCES = %D%/unit/test_cbor.c $(nsm_module_test_bytes)
tests_unit_test_cbor_CFLAGS = $(nsm_module_test_cflags)
tests_unit_test_cbor_LDADD = $(nsm_module_test_libs)
tests_unit_test_cbor_LDFLAGS = $(nsm_module_test_ldflags)
tests_unit_test_nsm_request_SOURCES = %D%/unit/test_nsm_request.c \
	$(nsm_module_test_bytes) $(nsm_module_sources)
tests_unit_test_nsm_request_CFLAGS = $(nsm_module_test_cflags)
tests_unit_test_nsm_request_LDADD = $(nsm_module_test_libs)
tests_unit_test_nsm_request_LDFLAGS = $(nsm_module_test_ldflags)
tests_unit_test_nsm_response_SOURCES = %D%/unit/test_nsm_response.c \
	$(nsm_module_test_bytes) $(nsm_module_sources)
tests_unit_test_nsm_response_CFLAGS = $(nsm_module_test_cflags)
tests_unit_test_nsm_response_LDADD = $(nsm_module_test_libs)
tests_unit_test_nsm_response_LDFLAGS = $(nsm_module_test_ldflags)
tests_unit_test_nsm_document_SOURCES = %D%/unit/test_nsm_document.c \
	$(nsm_module_test_bytes) $(nsm_module_sources)
tests_unit_test_nsm_document_CFLAGS = $(nsm_module_test_cflags)
tests_unit_test_nsm_document_LDADD = $(nsm_module_test_libs)
tests_unit_test_nsm_document_LDFLAGS = $(nsm_module_test_ldflags)
tests_unit_test_nsm_module_SOURCES = %D%/unit/test_nsm_module.c \
	$(nsm_module_test_bytes) $(nsm_module_sources)
tests_unit_test_nsm_module_CFLAGS = $(nsm_module_test_cflags)
tests_unit_test_nsm_module_LDADD = $(nsm_module_test_libs)
tests_unit_test_nsm_module_LDFLAGS = $(nsm_module_test_ldflags)
endif
if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_nsm_request
tests_fuzz_fuzz_nsm_request_SOURCES = %D%/fuzz/fuzz_nsm_request.c \
	$(nsm_module_sources)
tests_fuzz_fuzz_nsm_request_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS)
tests_fuzz_fuzz_nsm_request_LDADD = libne.la $(CRYPTO_LIBS)
tests_fuzz_fuzz_nsm_request_LDFLAGS = $(AM_LDFLAGS) -static -fsanitize=fuzzer
endif
EXTRA_DIST += %D%/fuzz/fuzz_nsm_request.seeds

# --- The NSM: certificates ---------------------------------------------------
if HAVE_CMOCKA
certificate_tests = \
	%D%/unit/test_nsm_random \
	%D%/unit/test_nsm_key \
	%D%/unit/test_nsm_certificate \
	%D%/unit/test_nsm_authority \
	%D%/unit/test_nsm_identity \
	%D%/unit/test_nsm_pki
check_PROGRAMS += $(certificate_tests)
NE_TESTS += $(certificate_tests)
certificate_test_sources = %D%/unit/certificates.c %D%/unit/certificates.h
certificate_test_cflags = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(CMOCKA_CFLAGS) -pthread
certificate_test_libs = nsm-emu/libnsm-emu.la plumbing/libplumbing.la libne.la \
	$(CRYPTO_LIBS) $(CMOCKA_LIBS)
certificate_test_ldflags = $(AM_LDFLAGS) -static -pthread
tests_unit_test_nsm_random_SOURCES = %D%/unit/test_nsm_random.c
tests_unit_test_nsm_random_CFLAGS = $(certificate_test_cflags)
tests_unit_test_nsm_random_LDADD = $(certificate_test_libs)
tests_unit_test_nsm_random_LDFLAGS = $(certificate_test_ldflags)
tests_unit_test_nsm_key_SOURCES = %D%/unit/test_nsm_key.c
tests_unit_test_nsm_key_CFLAGS = $(certificate_test_cflags)
tests_unit_test_nsm_key_LDADD = $(certificate_test_libs)
tests_unit_test_nsm_key_LDFLAGS = $(certificate_test_ldflags)
tests_unit_test_nsm_certificate_SOURCES = %D%/unit/test_nsm_certificate.c
tests_unit_test_nsm_certificate_CFLAGS = $(certificate_test_cflags)
tests_unit_test_nsm_certificate_LDADD = $(certificate_test_libs)
tests_unit_test_nsm_certificate_LDFLAGS = $(certificate_test_ldflags)
tests_unit_test_nsm_authority_SOURCES = %D%/unit/test_nsm_authority.c $(certificate_test_sources)
tests_unit_test_nsm_authority_CFLAGS = $(certificate_test_cflags)
tests_unit_test_nsm_authority_LDADD = $(certificate_test_libs)
tests_unit_test_nsm_authority_LDFLAGS = $(certificate_test_ldflags)
tests_unit_test_nsm_identity_SOURCES = %D%/unit/test_nsm_identity.c $(certificate_test_sources)
tests_unit_test_nsm_identity_CFLAGS = $(certificate_test_cflags)
tests_unit_test_nsm_identity_LDADD = $(certificate_test_libs)
tests_unit_test_nsm_identity_LDFLAGS = $(certificate_test_ldflags)
tests_unit_test_nsm_pki_SOURCES = %D%/unit/test_nsm_pki.c $(certificate_test_sources) \
	nsm-emu/pki_command.c
tests_unit_test_nsm_pki_CFLAGS = $(certificate_test_cflags) $(JANSSON_CFLAGS)
tests_unit_test_nsm_pki_LDADD = $(certificate_test_libs) $(JANSSON_LIBS)
tests_unit_test_nsm_pki_LDFLAGS = $(certificate_test_ldflags)
endif

# --- The NSM: all of it together ---------------------------------------------
check_PROGRAMS += tests/system/nsm_soak
tests_system_nsm_soak_SOURCES = %D%/system/nsm_soak.c
tests_system_nsm_soak_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS)
tests_system_nsm_soak_LDADD = libne.la $(CRYPTO_LIBS)
tests_system_nsm_soak_LDFLAGS = $(AM_LDFLAGS) -static
NE_TESTS += %D%/system/nsm-soak.sh %D%/system/attestation-doc.sh
EXTRA_DIST += %D%/system/nsm-soak.sh %D%/system/attestation-doc.sh

# --- The NSM: ways of reaching it --------------------------------------------
if HAVE_CMOCKA
nsm_face_tests = \
	%D%/unit/test_workers \
	%D%/unit/test_nsm_options \
	%D%/unit/test_nsm_server \
	%D%/unit/test_nsm_trap
check_PROGRAMS += $(nsm_face_tests)
NE_TESTS += $(nsm_face_tests)
nsm_face_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -pthread
nsm_face_libs = nsm-emu/libnsm-emu.la plumbing/libplumbing.la libne.la \
	$(CMOCKA_LIBS)
nsm_face_ldflags = $(AM_LDFLAGS) -static -pthread
nsm_face_sources = %D%/unit/nsm_fixture.c %D%/unit/nsm_fixture.h \
	%D%/unit/traced.c %D%/unit/traced.h
tests_unit_test_workers_SOURCES = %D%/unit/test_workers.c \
	%D%/unit/traced.c %D%/unit/traced.h
tests_unit_test_workers_CFLAGS = $(nsm_face_cflags)
tests_unit_test_workers_LDADD = plumbing/libplumbing.la libne.la $(CMOCKA_LIBS)
tests_unit_test_workers_LDFLAGS = $(nsm_face_ldflags)
tests_unit_test_nsm_options_CFLAGS = $(nsm_face_cflags)
tests_unit_test_nsm_options_LDADD = $(nsm_face_libs)
tests_unit_test_nsm_options_LDFLAGS = $(nsm_face_ldflags)
tests_unit_test_nsm_server_SOURCES = \
	%D%/unit/test_nsm_server.c $(nsm_face_sources)
tests_unit_test_nsm_server_CFLAGS = $(nsm_face_cflags)
tests_unit_test_nsm_server_LDADD = $(nsm_face_libs)
tests_unit_test_nsm_server_LDFLAGS = $(nsm_face_ldflags)
tests_unit_test_nsm_trap_SOURCES = \
	%D%/unit/test_nsm_trap.c $(nsm_face_sources)
tests_unit_test_nsm_trap_CFLAGS = $(nsm_face_cflags)
tests_unit_test_nsm_trap_LDADD = $(nsm_face_libs)
tests_unit_test_nsm_trap_LDFLAGS = $(nsm_face_ldflags)
endif
check_PROGRAMS += tests/system/nsm_bare
tests_system_nsm_bare_SOURCES = %D%/system/nsm_bare.c
tests_system_nsm_bare_CFLAGS = $(WARN_CFLAGS) -pthread
tests_system_nsm_bare_LDFLAGS = -all-static -pthread
NE_TESTS += %D%/system/nsm.sh
EXTRA_DIST += %D%/system/nsm.sh %D%/system/nsm.py
NE_TESTS += %D%/system/nsm-pki.sh
EXTRA_DIST += %D%/system/nsm-pki.sh

# --- Attestation documents ---------------------------------------------------
EXTRA_DIST += %D%/vectors/README.md %D%/vectors/aws-nitro-root-g1.pem \
	%D%/vectors/evervault-valid.cbor \
	%D%/vectors/veracruz-bad-signature.cbor \
	%D%/vectors/veracruz-valid.cbor
if HAVE_CMOCKA
attestation_tests = \
	%D%/unit/test_attestation \
	%D%/unit/test_attestation_verify \
	%D%/unit/test_attestation_bits
check_PROGRAMS += $(attestation_tests)
NE_TESTS += $(attestation_tests)
attestation_test_sources = %D%/unit/attestation_document.c \
	%D%/unit/attestation_document.h
attestation_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(CRYPTO_CFLAGS) -pthread
attestation_test_libs = libne.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)
attestation_test_ldflags = $(AM_LDFLAGS) -static -pthread
tests_unit_test_attestation_SOURCES = \
	%D%/unit/test_attestation.c $(attestation_test_sources)
tests_unit_test_attestation_CFLAGS = $(attestation_test_cflags)
tests_unit_test_attestation_LDADD = $(attestation_test_libs)
tests_unit_test_attestation_LDFLAGS = $(attestation_test_ldflags)
tests_unit_test_attestation_verify_SOURCES = \
	%D%/unit/test_attestation_verify.c $(attestation_test_sources)
tests_unit_test_attestation_verify_CFLAGS = $(attestation_test_cflags)
tests_unit_test_attestation_verify_LDADD = $(attestation_test_libs)
tests_unit_test_attestation_verify_LDFLAGS = $(attestation_test_ldflags)
tests_unit_test_attestation_bits_SOURCES = \
	%D%/unit/test_attestation_bits.c $(attestation_test_sources)
tests_unit_test_attestation_bits_CFLAGS = $(attestation_test_cflags)
tests_unit_test_attestation_bits_LDADD = $(attestation_test_libs)
tests_unit_test_attestation_bits_LDFLAGS = $(attestation_test_ldflags)
if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_attestation
tests_fuzz_fuzz_attestation_SOURCES = \
	%D%/fuzz/fuzz_attestation.c $(attestation_test_sources)
tests_fuzz_fuzz_attestation_CFLAGS = $(attestation_test_cflags) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_attestation_LDADD = ne-attest/libne-attest.la \
	$(attestation_test_libs)
tests_fuzz_fuzz_attestation_LDFLAGS = $(attestation_test_ldflags) -fsanitize=fuzzer
endif
endif
NE_TESTS += %D%/system/ne-attest.sh
EXTRA_DIST += %D%/system/ne-attest.sh

# --- The NSM's clients -------------------------------------------------------
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_nsm_client
NE_TESTS += %D%/unit/test_nsm_client
tests_unit_test_nsm_client_SOURCES = %D%/unit/test_nsm_client.c \
	%D%/unit/bytes.c %D%/unit/bytes.h
tests_unit_test_nsm_client_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_nsm_client_LDADD = libne.la $(CMOCKA_LIBS)
tests_unit_test_nsm_client_LDFLAGS = $(AM_LDFLAGS) -static -Wl,--wrap=ioctl
endif
check_PROGRAMS += tests/system/nsm_client
tests_system_nsm_client_SOURCES = %D%/system/nsm_client.c
tests_system_nsm_client_CFLAGS = $(AM_CFLAGS) -pthread
tests_system_nsm_client_LDADD = libne.la
tests_system_nsm_client_LDFLAGS = $(AM_LDFLAGS) -static -pthread
NE_TESTS += %D%/system/nsm-client.sh
EXTRA_DIST += %D%/system/nsm-client.sh
if FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_nsm_response
tests_fuzz_fuzz_nsm_response_SOURCES = %D%/fuzz/fuzz_nsm_response.c
tests_fuzz_fuzz_nsm_response_LDADD = libne.la
tests_fuzz_fuzz_nsm_response_LDFLAGS = $(AM_LDFLAGS) -static -fsanitize=fuzzer
noinst_PROGRAMS += \
	tests/fuzz/fuzz_eif_signature \
	tests/fuzz/fuzz_nsm_pki \
	tests/fuzz/fuzz_nsm_sign
tests_fuzz_fuzz_eif_signature_SOURCES = %D%/fuzz/fuzz_eif_signature.c
tests_fuzz_fuzz_eif_signature_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS)
tests_fuzz_fuzz_eif_signature_LDADD = libne.la $(CRYPTO_LIBS)
tests_fuzz_fuzz_eif_signature_LDFLAGS = $(AM_LDFLAGS) -static -fsanitize=fuzzer
tests_fuzz_fuzz_nsm_pki_SOURCES = %D%/fuzz/fuzz_nsm_pki.c
tests_fuzz_fuzz_nsm_pki_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) -pthread
tests_fuzz_fuzz_nsm_pki_LDADD = $(tests_fuzz_fuzz_nsm_sign_LDADD)
tests_fuzz_fuzz_nsm_pki_LDFLAGS = $(AM_LDFLAGS) -static -pthread -fsanitize=fuzzer
tests_fuzz_fuzz_nsm_sign_SOURCES = %D%/fuzz/fuzz_nsm_sign.c
tests_fuzz_fuzz_nsm_sign_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) -pthread
tests_fuzz_fuzz_nsm_sign_LDADD = nsm-emu/libnsm-emu.la \
	plumbing/libplumbing.la libne.la $(CRYPTO_LIBS)
tests_fuzz_fuzz_nsm_sign_LDFLAGS = $(AM_LDFLAGS) -static -pthread -fsanitize=fuzzer

# The same, and others, where calls fail. See fuzz/wrap.c.
noinst_PROGRAMS += \
	tests/fuzz/fuzz_attestation_failing \
	tests/fuzz/fuzz_eif_failing \
	tests/fuzz/fuzz_eif_signature_failing \
	tests/fuzz/fuzz_nsm_pki_failing \
	tests/fuzz/fuzz_nsm_request_failing \
	tests/fuzz/fuzz_nsm_sign_failing
wrap_sources = %D%/fuzz/wrap.c %D%/fuzz/wrap.h %D%/fuzz/fuzz.h
wrap_cflags = $(AM_CFLAGS) $(CRYPTO_CFLAGS) -pthread
wrap_ldflags = $(AM_LDFLAGS) -static -pthread -fsanitize=fuzzer \
	-Wl,@$(abs_top_srcdir)/%D%/fuzz/wrap.options
wrap_depends = %D%/fuzz/wrap.options
tests_fuzz_fuzz_attestation_failing_SOURCES = \
	$(tests_fuzz_fuzz_attestation_SOURCES) $(wrap_sources)
tests_fuzz_fuzz_attestation_failing_CFLAGS = \
	$(wrap_cflags) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_attestation_failing_LDADD = $(tests_fuzz_fuzz_attestation_LDADD)
tests_fuzz_fuzz_attestation_failing_LDFLAGS = $(wrap_ldflags)
EXTRA_tests_fuzz_fuzz_attestation_failing_DEPENDENCIES = $(wrap_depends)
tests_fuzz_fuzz_eif_failing_SOURCES = %D%/fuzz/fuzz_eif.c $(wrap_sources)
tests_fuzz_fuzz_eif_failing_CFLAGS = $(wrap_cflags)
tests_fuzz_fuzz_eif_failing_LDADD = libne.la $(CRYPTO_LIBS)
tests_fuzz_fuzz_eif_failing_LDFLAGS = $(wrap_ldflags)
EXTRA_tests_fuzz_fuzz_eif_failing_DEPENDENCIES = $(wrap_depends)
tests_fuzz_fuzz_eif_signature_failing_SOURCES = \
	$(tests_fuzz_fuzz_eif_signature_SOURCES) $(wrap_sources)
tests_fuzz_fuzz_eif_signature_failing_CFLAGS = $(wrap_cflags)
tests_fuzz_fuzz_eif_signature_failing_LDADD = libne.la $(CRYPTO_LIBS)
tests_fuzz_fuzz_eif_signature_failing_LDFLAGS = $(wrap_ldflags)
EXTRA_tests_fuzz_fuzz_eif_signature_failing_DEPENDENCIES = $(wrap_depends)
tests_fuzz_fuzz_nsm_pki_failing_SOURCES = \
	$(tests_fuzz_fuzz_nsm_pki_SOURCES) $(wrap_sources)
tests_fuzz_fuzz_nsm_pki_failing_CFLAGS = $(wrap_cflags)
tests_fuzz_fuzz_nsm_pki_failing_LDADD = $(tests_fuzz_fuzz_nsm_pki_LDADD)
tests_fuzz_fuzz_nsm_pki_failing_LDFLAGS = $(wrap_ldflags)
EXTRA_tests_fuzz_fuzz_nsm_pki_failing_DEPENDENCIES = $(wrap_depends)
tests_fuzz_fuzz_nsm_request_failing_SOURCES = \
	$(tests_fuzz_fuzz_nsm_request_SOURCES) $(wrap_sources)
tests_fuzz_fuzz_nsm_request_failing_CFLAGS = $(wrap_cflags)
tests_fuzz_fuzz_nsm_request_failing_LDADD = libne.la $(CRYPTO_LIBS)
tests_fuzz_fuzz_nsm_request_failing_LDFLAGS = $(wrap_ldflags)
EXTRA_tests_fuzz_fuzz_nsm_request_failing_DEPENDENCIES = $(wrap_depends)
tests_fuzz_fuzz_nsm_sign_failing_SOURCES = \
	$(tests_fuzz_fuzz_nsm_sign_SOURCES) $(wrap_sources)
tests_fuzz_fuzz_nsm_sign_failing_CFLAGS = $(wrap_cflags)
tests_fuzz_fuzz_nsm_sign_failing_LDADD = $(tests_fuzz_fuzz_nsm_sign_LDADD)
tests_fuzz_fuzz_nsm_sign_failing_LDFLAGS = $(wrap_ldflags)
EXTRA_tests_fuzz_fuzz_nsm_sign_failing_DEPENDENCIES = $(wrap_depends)
endif
EXTRA_DIST += %D%/fuzz/fuzz_eif_signature.seeds %D%/fuzz/fuzz_nsm_response.seeds \
	%D%/fuzz/fuzz_nsm_pki.seeds %D%/fuzz/fuzz_nsm_sign.seeds \
	%D%/fuzz/wrap.options
check_PROGRAMS += examples/nsm/attest
examples_nsm_attest_SOURCES = examples/nsm/attest.c
examples_nsm_attest_LDADD = libne.la
examples_nsm_attest_LDFLAGS = $(AM_LDFLAGS) -static
EXTRA_DIST += examples/nsm/Makefile
# Other people's programs around the NSM. The test builds them: nobody who only
# builds this project needs their compilers.
NE_TESTS += %D%/interop/nsm.sh
EXTRA_DIST += %D%/interop/nsm.sh %D%/interop/nsm/README.md \
	%D%/interop/nsm/build \
	%D%/interop/nsm/go-client/go.mod \
	%D%/interop/nsm/go-client/go.sum \
	%D%/interop/nsm/go-client/main.go \
	%D%/interop/nsm/go-verifier/go.mod \
	%D%/interop/nsm/go-verifier/go.sum \
	%D%/interop/nsm/go-verifier/main.go \
	%D%/interop/nsm/python-client/client.py \
	%D%/interop/nsm/python-client/requirements.txt \
	%D%/interop/nsm/python-client/root.py \
	%D%/interop/nsm/python-verifier/requirements.txt \
	%D%/interop/nsm/python-verifier/verifier.py \
	%D%/interop/nsm/rust-client/Cargo.lock \
	%D%/interop/nsm/rust-client/Cargo.toml \
	%D%/interop/nsm/rust-client/src/main.rs \
	%D%/interop/nsm/rust-verifier/Cargo.lock \
	%D%/interop/nsm/rust-verifier/Cargo.toml \
	%D%/interop/nsm/rust-verifier/src/main.rs
clean-local: clean-interop-nsm
.PHONY: clean-interop-nsm
clean-interop-nsm:
	rm -rf tests/interop/nsm.built
