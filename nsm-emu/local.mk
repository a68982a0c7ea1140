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
	%D%/authority.c %D%/authority.h \
	%D%/certificate.c %D%/certificate.h \
	%D%/crypto.c %D%/crypto.h \
	%D%/hierarchy.c %D%/hierarchy.h \
	%D%/identity.c %D%/identity.h \
	%D%/issuer.c %D%/issuer.h \
	%D%/key.c %D%/key.h \
	%D%/pem.c %D%/pem.h \
	%D%/pki.c %D%/pki.h \
	%D%/random.c %D%/random.h \
	%D%/rfc6979.c %D%/rfc6979.h

# Ways of reaching it
nsm_emu_libnsm_emu_la_SOURCES += \
	%D%/factory.c %D%/factory.h \
	%D%/options.c %D%/options.h \
	%D%/serve.h \
	%D%/serve_connections.c \
	%D%/serve_datagrams.c \
	%D%/server.c %D%/server.h \
	%D%/trap.c %D%/trap.h

bin_PROGRAMS += nsm-emu/nsm-emu
nsm_emu_nsm_emu_SOURCES = \
	%D%/boot.c %D%/boot.h \
	%D%/commands.h \
	%D%/main.c \
	%D%/pki_command.c \
	%D%/run.c \
	%D%/serve.c
nsm_emu_nsm_emu_LDFLAGS = $(AM_LDFLAGS) -static
nsm_emu_nsm_emu_LDADD = nsm-emu/libnsm-emu.la plumbing/libplumbing.la \
	libne.la
