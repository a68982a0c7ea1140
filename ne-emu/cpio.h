/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads cpio archives in the "newc" format: bytes in, entries out. No I/O.
 *
 * Theory of operation
 *
 * The reader is fed pieces of a stream, of any size, and calls its sink with
 * what it finds. File contents are never copied: the sink sees pointers into
 * the caller's pieces. Only a header, a name or a link's target that is split
 * between two pieces is put together in the reader.
 *
 *	BETWEEN -> HEADER -> NAME -> [TARGET] -> CONTENT -> PADDING -> BETWEEN
 *
 * BETWEEN eats zero bytes and stops at anything that cannot start an entry:
 * what follows (a compressed stream, junk) is the caller's to judge. Entries
 * start at multiples of four bytes. An archive needs no trailer.
 *
 * Format: [linux: Documentation/driver-api/early-userspace/buffer-format.rst]
 */
#ifndef NE_EMU_CPIO_H
#define NE_EMU_CPIO_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ne_error;

#define CPIO_HEADER_SIZE 110

struct cpio_entry {
	uint32_t ino;
	uint32_t mode; /* type and permissions */
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink;
	uint32_t size; /* bytes of content; 0 for symbolic links */
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	const char *name;   /* terminated, not empty */
	const char *target; /* of a symbolic link, terminated; else NULL */
};

/* All return 0 or a negative errno (with its sentence), which ends it. */
struct cpio_sink {
	/* entry and its strings are valid during the call. */
	int (*entry)(const struct cpio_entry *entry, void *data,
		     struct ne_error *err);
	/* The next bytes of the last entry's content. */
	int (*content)(const void *bytes, size_t size, void *data,
		       struct ne_error *err);
	/* The last entry is complete, its checksum (if any) is right. */
	int (*entry_end)(void *data, struct ne_error *err);
	/* A trailer: hard links do not reach beyond it. */
	void (*trailer)(void *data);
};

enum cpio_state {
	CPIO_BETWEEN,
	CPIO_HEADER,
	CPIO_NAME,
	CPIO_TARGET,
	CPIO_CONTENT,
	CPIO_PADDING,
};

/* Belongs to the caller; fields are the reader's own. */
struct cpio_reader {
	const struct cpio_sink *sink;
	void *data;
	enum cpio_state state;
	uint64_t offset;       /* of the next byte in the stream */
	uint64_t entry_offset; /* of the current entry */
	size_t wanted;	  /* bytes that the state still needs (see collected) */
	size_t collected; /* bytes in buffer */
	size_t name_size;
	uint32_t padding; /* zero to three bytes behind the content */
	bool has_checksum;
	uint32_t checksum; /* as it is written */
	uint32_t sum;	   /* as it is so far */
	struct cpio_entry entry;
	char buffer[PATH_MAX + 4]; /* header, name or target */
	char name[PATH_MAX + 4];   /* while a link's target is put together */
};

/* offset: where in the stream, for messages and alignment. */
void cpio_reader_init(struct cpio_reader *reader, const struct cpio_sink *sink,
		      void *data, uint64_t offset);

/*
 * Eats size bytes, or fewer if between two entries there is a byte that
 * starts none. Returns how many, or a negative errno with a sentence that
 * has the offset.
 */
ssize_t cpio_reader_feed(struct cpio_reader *reader, const void *bytes,
			 size_t size, struct ne_error *err);

/*
 * The stream has ended here. 0, or -EINVAL with a sentence if that is in the
 * middle of an entry.
 */
int cpio_reader_end(const struct cpio_reader *reader, struct ne_error *err);

#endif
