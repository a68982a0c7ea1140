/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ramdisk being written into an image: a cpio archive ("newc"), as the
 * kernel unpacks it.
 */
#ifndef EIF_RAMDISK_H
#define EIF_RAMDISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <ne/eif.h>

struct ramdisk;

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_GZIP,
	COMPRESSION_XZ,
	COMPRESSION_ZSTD,
};

/*
 * One entry.
 * path: without a leading slash.
 * size: of a regular file's content, else 0.
 * inode, links: entries with the same inode are one file; links says how many
 *	there are, and the last of them has the content, as the kernel wants
 *	it. inode 0: a new one, links is 1.
 * target: of a symbolic link.
 */
struct ramdisk_entry {
	const char *path;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	time_t mtime;
	dev_t device;
	uint64_t size;
	uint32_t inode;
	unsigned int links;
	const char *target;
};

bool parse_compression(enum compression *compression, const char *name);

/* Begins a section of @writer, which must outlive the ramdisk. */
int ramdisk_new(struct ramdisk **ramdisk, struct ne_eif_writer *writer,
		enum compression compression, struct ne_error *err);

/* A number for entries that share it. */
uint32_t ramdisk_new_inode(struct ramdisk *ramdisk);

/*
 * Adds an entry; its content is the next entry->size bytes of @fd, fewer are
 * an error. @fd may be -1 if there is no content.
 */
int ramdisk_add(struct ramdisk *ramdisk, const struct ramdisk_entry *entry,
		int fd, struct ne_error *err);

/* Root's directories and files, dated 1970. */
int ramdisk_add_directory(struct ramdisk *ramdisk, const char *path,
			  mode_t mode, struct ne_error *err);
int ramdisk_add_file(struct ramdisk *ramdisk, const char *path, mode_t mode,
		     const char *source, struct ne_error *err);
int ramdisk_add_text(struct ramdisk *ramdisk, const char *path,
		     const char *text, size_t size, struct ne_error *err);

/* Completes the section. */
int ramdisk_finish(struct ramdisk *ramdisk, struct ne_error *err);

void ramdisk_free(struct ramdisk *ramdisk);

#endif
