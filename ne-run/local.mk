# SPDX-License-Identifier: Apache-2.0

bin_PROGRAMS += ne-run/ne-run
# What unit tests link, too.
noinst_LTLIBRARIES += ne-run/libne-run.la
ne_run_libne_run_la_SOURCES = \
	%D%/console.c %D%/console.h \
	%D%/control.c %D%/control.h \
	%D%/emulate.c %D%/emulate.h \
	%D%/options.c %D%/options.h \
	%D%/parse.c %D%/parse.h \
	%D%/report.c %D%/report.h \
	%D%/resources.c %D%/resources.h \
	%D%/run.c %D%/run.h
ne_run_libne_run_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
ne_run_libne_run_la_LIBADD = libne.la $(JANSSON_LIBS)
ne_run_ne_run_SOURCES = %D%/main.c
ne_run_ne_run_LDADD = ne-run/libne-run.la
ne_run_ne_run_LDFLAGS = $(AM_LDFLAGS) -static
