# SPDX-License-Identifier: Apache-2.0

bin_PROGRAMS += eif/eif
eif_eif_SOURCES = \
	%D%/build.c \
	%D%/build_options.c %D%/build_options.h \
	%D%/describe.c \
	%D%/eif.h \
	%D%/init.c %D%/init.h \
	%D%/kernel.c %D%/kernel.h \
	%D%/main.c \
	%D%/measurements.c %D%/measurements.h \
	%D%/metadata.c %D%/metadata.h \
	%D%/output.c %D%/output.h \
	%D%/ramdisk.c %D%/ramdisk.h \
	%D%/tree.c %D%/tree.h
eif_eif_CFLAGS = $(AM_CFLAGS) $(ARCHIVE_CFLAGS) $(JANSSON_CFLAGS)
eif_eif_LDADD = libne.la $(ARCHIVE_LIBS) $(JANSSON_LIBS)
eif_eif_LDFLAGS = $(AM_LDFLAGS) -static
