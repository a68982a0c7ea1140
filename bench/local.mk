# SPDX-License-Identifier: Apache-2.0

# One script per figure that the project claims. They are noisy, so what they
# need is built with everything else, but only "make bench" runs them.
noinst_PROGRAMS += bench/boot-init bench/time-boot bench/time-nsm \
	bench/time-trap bench/time-verify bench/trap-load

bench_boot_init_SOURCES = %D%/boot-init.c
bench_boot_init_CFLAGS = $(WARN_CFLAGS)
bench_boot_init_LDFLAGS = -all-static
bench_time_boot_SOURCES = %D%/time-boot.c %D%/samples.c %D%/samples.h
bench_time_trap_SOURCES = %D%/time-trap.c %D%/samples.c %D%/samples.h
bench_time_nsm_SOURCES = %D%/time-nsm.c %D%/samples.c %D%/samples.h
bench_time_nsm_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) -pthread
bench_time_nsm_LDADD = $(CRYPTO_LIBS)
bench_time_verify_SOURCES = %D%/time-verify.c %D%/samples.c %D%/samples.h
bench_time_verify_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS)
bench_time_verify_LDADD = libne.la $(CRYPTO_LIBS)
bench_time_verify_LDFLAGS = $(AM_LDFLAGS) -static
bench_trap_load_SOURCES = %D%/trap-load.c

bench_scripts = %D%/boot %D%/nsm %D%/trap
EXTRA_DIST += $(bench_scripts)

.PHONY: bench
bench: all
	@for script in $(bench_scripts); do \
		top_builddir='$(abs_top_builddir)' \
			$(SHELL) "$(top_srcdir)/$$script" || exit; \
	done
