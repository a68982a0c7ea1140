/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes newc archives for tests, also ones that no archiver would make.
 */
#ifndef TESTS_CPIO_WRITER_H
#define TESTS_CPIO_WRITER_H

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct cpio_writer {
	uint8_t *bytes;
	size_t size;
};

/* What an entry has beyond its name, mode and content; zero is the default. */
struct cpio_extra {
	unsigned int ino, nlink, uid, gid, rdev_major, rdev_minor;
	unsigned int checksum; /* with it, the entry is of kind 070702 */
};

static inline void cpio_put(struct cpio_writer *writer, const void *bytes,
			    size_t size)
{
	writer->bytes = realloc(writer->bytes, writer->size + size);
	assert(writer->bytes);
	memcpy(writer->bytes + writer->size, bytes, size);
	writer->size += size;
}

static inline void cpio_align(struct cpio_writer *writer)
{
	cpio_put(writer, "\0\0\0", -writer->size & 3);
}

static inline void cpio_add_raw(struct cpio_writer *writer, const char *name,
				size_t name_size, mode_t mode,
				const void *content, size_t size,
				struct cpio_extra extra)
{
	char header[128];

	snprintf(header, sizeof(header),
		 "%s%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
		 extra.checksum ? "070702" : "070701", extra.ino, mode,
		 extra.uid, extra.gid, extra.nlink ? extra.nlink : 1, 0, size,
		 0, 1, extra.rdev_major, extra.rdev_minor, name_size,
		 extra.checksum);
	cpio_put(writer, header, 110);
	cpio_put(writer, name, name_size);
	cpio_align(writer);
	cpio_put(writer, content, size);
	cpio_align(writer);
}

static inline void cpio_add(struct cpio_writer *writer, const char *name,
			    mode_t mode, const char *content,
			    struct cpio_extra extra)
{
	cpio_add_raw(writer, name, strlen(name) + 1, mode, content,
		     strlen(content), extra);
}

#define NO_EXTRA ((struct cpio_extra){ 0 })

static inline void cpio_file(struct cpio_writer *writer, const char *name,
			     const char *content)
{
	cpio_add(writer, name, S_IFREG | 0644, content, NO_EXTRA);
}

static inline void cpio_directory(struct cpio_writer *writer, const char *name)
{
	cpio_add(writer, name, S_IFDIR | 0755, "", NO_EXTRA);
}

static inline void cpio_symlink(struct cpio_writer *writer, const char *name,
				const char *target)
{
	cpio_add(writer, name, S_IFLNK | 0777, target, NO_EXTRA);
}

static inline void cpio_trailer(struct cpio_writer *writer)
{
	cpio_add(writer, "TRAILER!!!", 0, "", NO_EXTRA);
}

#endif
