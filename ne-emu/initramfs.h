/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ramdisk, unpacked as the kernel would.
 *
 * A ramdisk is a sequence of cpio archives ("newc", 070701, or 070702 with
 * checksums) and of compressed streams (gzip, xz, zstd, lz4, bzip2, lzma)
 * that hold such archives, with zero bytes between them. Later entries take
 * the place of earlier ones. [linux: buffer-format.rst]
 *
 * Nothing outside of root_fd's directory, and nothing on another file system
 * that is mounted in it, is ever written, whatever names and links the
 * ramdisk brings. That holds without any chroot; names are resolved as if
 * root_fd were "/".
 */
#ifndef NE_EMU_INITRAMFS_H
#define NE_EMU_INITRAMFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ne_error;

/* What was done, added up over the ramdisks of one enclave. */
struct initramfs_counts {
	uint64_t entries;	  /* made, directories and links included */
	uint64_t bytes;		  /* of file data written */
	uint64_t placeholders;	  /* empty files that stand for device nodes */
	uint64_t unmapped_owners; /* entries that kept the unpacker's owner */
	/*
	 * Entries that could not be made where the ramdisk wants them: no
	 * parent directory, a parent that is none, a name that is too long,
	 * a directory in the way. The kernel drops these without a word; we
	 * drop them too, and keep the first one's name for a word.
	 */
	uint64_t dropped;
	char first_dropped[256]; /* cut, terminated; untrusted text */
};

struct initramfs_options {
	/*
	 * Most bytes of file data that may be written, counts->bytes at the
	 * time of the call included; 0: no limit but the file system's.
	 */
	uint64_t max_bytes;
	/*
	 * Give entries the owners the ramdisk says. Owners that the user
	 * namespace does not map are left alone and counted. Without it
	 * everything belongs to the caller.
	 */
	bool chown;
	/*
	 * Makes a character or block device node: dir_fd is its parent
	 * directory, name its last component (no slash), path its whole name
	 * in the ramdisk (for messages). Nothing is there by that name. mode
	 * has the type in it.
	 * Returns 0 when something stands there now (a node, a file with a
	 * host's node bound on it), -ENOTSUP to have an empty regular file
	 * made, which is counted as a placeholder; another negative errno
	 * ends the unpacking with it.
	 * NULL: placeholders for all. When an entry names a device a second
	 * time and a device of that type is there, it is left as it is.
	 */
	int (*device)(int dir_fd, const char *name, const char *path,
		      mode_t mode, unsigned int major, unsigned int minor,
		      void *data);
	void *data;			 /* for device() */
	struct initramfs_counts *counts; /* added to; NULL if of no interest */
};

/*
 * Unpacks one ramdisk below root_fd. Call it for each ramdisk, in order.
 * A kernel starts out with /dev, /dev/console and /root [linux:
 * usr/default_cpio_list]; they are the caller's to make.
 *
 * data should be a private mapping of a sealed file: file contents are
 * written straight from it. An error leaves what has been unpacked so far.
 * The umask is set to 0 meanwhile: call it from a process that has no other
 * threads.
 *
 * Returns 0, or a negative errno with a sentence that has the offset in the
 * ramdisk: -EINVAL what is there is no ramdisk or is damaged, -E2BIG more
 * than max_bytes, -ENOSPC the file system is full, others from the system.
 */
int initramfs_unpack(int root_fd, const void *data, size_t size,
		     const struct initramfs_options *options,
		     struct ne_error *err);

#endif
