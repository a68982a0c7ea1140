# SPDX-License-Identifier: Apache-2.0

# All of ne-emu but main, for the program and for its tests.
noinst_LTLIBRARIES += ne-emu/libneemu.la
ne_emu_libneemu_la_CFLAGS = $(AM_CFLAGS)
ne_emu_libneemu_la_LIBADD =

# The hypervisor and the driver
ne_emu_libneemu_la_SOURCES = \
	%D%/device.c %D%/device.h \
	%D%/driver.c %D%/driver.h \
	%D%/hugetlb.c %D%/hugetlb.h \
	%D%/hypervisor.c %D%/hypervisor.h \
	%D%/image.c %D%/image.h \
	%D%/machine.h \
	%D%/mappings.c %D%/mappings.h \
	%D%/nsm.c %D%/nsm.h \
	%D%/pool.c %D%/pool.h \
	%D%/topology.c %D%/topology.h

# Ramdisks
ne_emu_libneemu_la_SOURCES += \
	%D%/cpio.c %D%/cpio.h \
	%D%/decompress.c %D%/decompress.h \
	%D%/initramfs.c %D%/initramfs.h \
	%D%/initramfs_tree.c %D%/initramfs_tree.h
ne_emu_libneemu_la_CFLAGS += $(ARCHIVE_CFLAGS) $(DEFLATE_CFLAGS)
ne_emu_libneemu_la_LIBADD += $(ARCHIVE_LIBS) $(DEFLATE_LIBS)

# The process machine
ne_emu_libneemu_la_SOURCES += \
	%D%/cgroup.c %D%/cgroup.h \
	%D%/cmdline.c %D%/cmdline.h \
	%D%/console.c %D%/console.h \
	%D%/idmap.c %D%/idmap.h \
	%D%/kernel_syscalls.c %D%/kernel_syscalls.h \
	%D%/process.c \
	%D%/sandbox.c %D%/sandbox.h \
	%D%/warden.c %D%/warden.h

bin_PROGRAMS += ne-emu/ne-emu
ne_emu_ne_emu_SOURCES = \
	%D%/commands.h \
	%D%/main.c \
	%D%/run.c
ne_emu_ne_emu_LDFLAGS = $(AM_LDFLAGS) -static
ne_emu_ne_emu_LDADD = ne-emu/libneemu.la nsm-emu/libnsm-emu.la \
	vsock-sim/libvsock-sim.la plumbing/libplumbing.la libne.la
