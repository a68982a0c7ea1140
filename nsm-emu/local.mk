# SPDX-License-Identifier: Apache-2.0

# All of nsm-emu but main, for the program, for ne-emu and for the tests.
noinst_LTLIBRARIES += nsm-emu/libnsm-emu.la
nsm_emu_libnsm_emu_la_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(CBOR_CFLAGS)
nsm_emu_libnsm_emu_la_LIBADD = $(CRYPTO_LIBS) $(CBOR_LIBS)

# The module
nsm_emu_libnsm_emu_la_SOURCES = \
	%D%/document.c %D%/document.h \
	%D%/module.c %D%/module.h \
	%D%/request.c %D%/request.h \
	%D%/response.c %D%/response.h

# Certificates
nsm_emu_libnsm_emu_la_SOURCES += \
	%D%/authority.h \
	%D%/identity.h \
	%D%/random.h

