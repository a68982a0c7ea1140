# SPDX-License-Identifier: Apache-2.0

lib_LTLIBRARIES += libne.la
libne_la_SOURCES = \
	%D%/attestation.c %D%/attestation_internal.h \
	%D%/attestation_certificate.c \
	%D%/attestation_chain.c \
	%D%/attestation_root.c \
	%D%/attestation_verify.c \
	%D%/cbor.c %D%/cbor.h \
	%D%/cleanup.h \
	%D%/console.c \
	%D%/enclave.c %D%/enclave.h \
	%D%/enclave_cpus.c \
	%D%/enclave_load.c \
	%D%/enclave_wait.c \
	%D%/eif.c %D%/eif_internal.h \
	%D%/eif_measure.c \
	%D%/eif_metadata.c \
	%D%/eif_signature.c \
	%D%/eif_writer.c \
	%D%/endian.h \
	%D%/error.c \
	%D%/heartbeat.c \
	%D%/heartbeat_lines.c \
	%D%/instance.c %D%/instance.h \
	%D%/memory.c %D%/memory.h \
	%D%/nsm.c \
	%D%/nsm_codec.c %D%/nsm_codec.h \
	%D%/pcr.c \
	%D%/utf8.c %D%/utf8.h \
	%D%/vsock.c %D%/vsock.h
libne_la_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(CBOR_CFLAGS) \
	$(JANSSON_CFLAGS) $(DEFLATE_CFLAGS)
libne_la_LIBADD = $(CRYPTO_LIBS) $(CBOR_LIBS) $(JANSSON_LIBS) $(DEFLATE_LIBS)
# current:revision:age, see libtool's manual; 0:0:0 until the first release.
libne_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 \
	-Wl,--version-script=$(top_srcdir)/%D%/libne.map
EXTRA_libne_la_DEPENDENCIES = %D%/libne.map
EXTRA_DIST += %D%/libne.map

neincludedir = $(includedir)/ne
neinclude_HEADERS = \
	%D%/include/ne/attestation.h \
	%D%/include/ne/console.h \
	%D%/include/ne/eif.h \
	%D%/include/ne/enclave.h \
	%D%/include/ne/end_reason.h \
	%D%/include/ne/error.h \
	%D%/include/ne/heartbeat.h \
	%D%/include/ne/nsm.h \
	%D%/include/ne/pcr.h \
	%D%/include/ne/vsock.h

pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = %D%/libne.pc
