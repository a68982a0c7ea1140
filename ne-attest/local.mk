# SPDX-License-Identifier: Apache-2.0

bin_PROGRAMS += ne-attest/ne-attest
# What unit tests and fuzz targets link, too.
noinst_LTLIBRARIES += ne-attest/libne-attest.la
ne_attest_libne_attest_la_SOURCES = \
	%D%/bytes.c %D%/bytes.h \
	%D%/certificates.c %D%/certificates.h \
	%D%/document.c %D%/document.h \
	%D%/document_words.c \
	%D%/times.c %D%/times.h
ne_attest_libne_attest_la_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) \
	$(JANSSON_CFLAGS)
ne_attest_libne_attest_la_LIBADD = libne.la $(CRYPTO_LIBS) $(JANSSON_LIBS)
ne_attest_ne_attest_SOURCES = \
	%D%/advice.c %D%/advice.h \
	%D%/commands.h \
	%D%/describe.c \
	%D%/expect.c \
	%D%/expected.c %D%/expected.h \
	%D%/main.c \
	%D%/request.c \
	%D%/show.c \
	%D%/verify.c \
	%D%/verify_options.c %D%/verify_options.h
ne_attest_ne_attest_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(JANSSON_CFLAGS)
ne_attest_ne_attest_LDADD = ne-attest/libne-attest.la
ne_attest_ne_attest_LDFLAGS = $(AM_LDFLAGS) -static
