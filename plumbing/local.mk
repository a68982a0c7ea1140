# SPDX-License-Identifier: Apache-2.0

noinst_LTLIBRARIES += plumbing/libplumbing.la
plumbing_libplumbing_la_SOURCES = \
	%D%/claim.c %D%/claim.h \
	%D%/command.c %D%/command.h \
	%D%/descriptors.c %D%/descriptors.h \
	%D%/family.c %D%/family.h \
	%D%/listener.c %D%/listener.h \
	%D%/log.c %D%/log.h \
	%D%/loop.c %D%/loop.h \
	%D%/message.c %D%/message.h \
	%D%/opening.c %D%/opening.h \
	%D%/program.c %D%/program.h \
	%D%/trap.c %D%/trap.h \
	%D%/workers.c %D%/workers.h
plumbing_libplumbing_la_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
plumbing_libplumbing_la_LIBADD = $(SECCOMP_LIBS)
