# SPDX-License-Identifier: Apache-2.0

noinst_LTLIBRARIES += vsock-sim/libvsock-sim.la
vsock_sim_libvsock_sim_la_SOURCES = \
	%D%/accept.c \
	%D%/address.c %D%/address.h \
	%D%/caller.c \
	%D%/connect.c \
	%D%/door.c %D%/door.h \
	%D%/fabric.c %D%/fabric.h \
	%D%/options.c \
	%D%/relay.c %D%/relay.h \
	%D%/syscalls.c %D%/syscalls.h \
	%D%/syscalls_internal.h \
	%D%/waiting.c
