// SPDX-License-Identifier: Apache-2.0

#include "ne-emu/cpio.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include <ne/error.h>

/* Thirteen numbers of eight hexadecimal digits follow the magic. */
#define MAGIC_SIZE 6
#define N_FIELDS 13

enum field {
	FIELD_INO,
	FIELD_MODE,
	FIELD_UID,
	FIELD_GID,
	FIELD_NLINK,
	FIELD_MTIME,
	FIELD_SIZE,
	FIELD_DEV_MAJOR,
	FIELD_DEV_MINOR,
	FIELD_RDEV_MAJOR,
	FIELD_RDEV_MINOR,
	FIELD_NAME_SIZE,
	FIELD_CHECKSUM,
};

void cpio_reader_init(struct cpio_reader *reader, const struct cpio_sink *sink,
		      void *data, uint64_t offset)
{
	reader->sink = sink;
	reader->data = data;
	reader->state = CPIO_BETWEEN;
	reader->offset = offset;
	reader->entry_offset = offset;
	reader->wanted = 0;
	reader->collected = 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool parse_field(const char *text, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 8; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return false;
		*value = *value << 4 | (uint32_t)digit;
	}
	return true;
}

/* Bytes from size to the next multiple of four. */
static uint32_t padding_of(uint64_t size)
{
	return (uint32_t)(-size & 3);
}

/* -EINVAL: what is wrong with the current entry. */
static int bad_entry(const struct cpio_reader *reader, struct ne_error *err,
		     const char *what)
{
	return ne_error_set(err, EINVAL, "cpio entry at offset %" PRIu64 ": %s",
			    reader->entry_offset, what);
}

static int check_magic(struct cpio_reader *reader, const char *header,
		       struct ne_error *err)
{
	reader->has_checksum = !memcmp(header, "070702", MAGIC_SIZE);
	if (reader->has_checksum || !memcmp(header, "070701", MAGIC_SIZE))
		return 0;
	if (!memcmp(header, "070707", MAGIC_SIZE))
		return bad_entry(reader, err,
				 "this is the old character format of cpio; "
				 "make the ramdisk with cpio -H newc");
	return bad_entry(reader, err, "no cpio header (070701 or 070702)");
}

static int parse_header(struct cpio_reader *reader, const char *header,
			struct ne_error *err)
{
	struct cpio_entry *entry = &reader->entry;
	uint32_t fields[N_FIELDS];
	int r = check_magic(reader, header, err);

	if (r < 0)
		return r;
	for (int i = 0; i < N_FIELDS; i++)
		if (!parse_field(header + MAGIC_SIZE + 8 * i, &fields[i]))
			return bad_entry(reader, err,
					 "its header has characters that are "
					 "no hexadecimal digits");
	*entry = (struct cpio_entry){
		.ino = fields[FIELD_INO],
		.mode = fields[FIELD_MODE],
		.uid = fields[FIELD_UID],
		.gid = fields[FIELD_GID],
		.nlink = fields[FIELD_NLINK],
		.size = fields[FIELD_SIZE],
		.dev_major = fields[FIELD_DEV_MAJOR],
		.dev_minor = fields[FIELD_DEV_MINOR],
		.rdev_major = fields[FIELD_RDEV_MAJOR],
		.rdev_minor = fields[FIELD_RDEV_MINOR],
	};
	reader->checksum = fields[FIELD_CHECKSUM];
	reader->sum = 0;
	reader->name_size = fields[FIELD_NAME_SIZE];
	reader->padding = padding_of(entry->size);
	if (!reader->name_size || reader->name_size > PATH_MAX)
		return bad_entry(reader, err,
				 "its name must have 1 to 4096 bytes");
	if (S_ISLNK(entry->mode) && entry->size >= PATH_MAX)
		return bad_entry(reader, err,
				 "the target of a symbolic link must have less "
				 "than 4096 bytes");
	return 0;
}

static void want(struct cpio_reader *reader, enum cpio_state state, size_t size)
{
	reader->state = state;
	reader->wanted = size;
	reader->collected = 0;
}

static int end_entry(struct cpio_reader *reader, struct ne_error *err)
{
	want(reader, CPIO_PADDING, reader->padding);
	return reader->sink->entry_end(reader->data, err);
}

static int begin_entry(struct cpio_reader *reader, struct ne_error *err)
{
	struct cpio_entry *entry = &reader->entry;
	int r;

	if (!strcmp(entry->name, "TRAILER!!!")) {
		reader->sink->trailer(reader->data);
		/* Its content, if it brings any, is of no interest. */
		want(reader, CPIO_PADDING,
		     (size_t)entry->size + reader->padding);
		return 0;
	}
	r = reader->sink->entry(entry, reader->data, err);
	if (r < 0)
		return r;
	want(reader, CPIO_CONTENT, entry->size);
	return entry->size ? 0 : end_entry(reader, err);
}

static int got_name(struct cpio_reader *reader, const char *name,
		    struct ne_error *err)
{
	struct cpio_entry *entry = &reader->entry;

	if (name[reader->name_size - 1])
		return bad_entry(reader, err, "its name has no end");
	if (!*name)
		return bad_entry(reader, err, "its name is empty");
	entry->name = name;
	if (!S_ISLNK(entry->mode) || !strcmp(name, "TRAILER!!!"))
		return begin_entry(reader, err);
	entry->target = "";
	if (!entry->size)
		return begin_entry(reader, err);
	/* What name points to may be gone when the target is complete. */
	memmove(reader->name, name, reader->name_size);
	entry->name = reader->name;
	want(reader, CPIO_TARGET, entry->size);
	return 0;
}

static int got_target(struct cpio_reader *reader, const char *target,
		      struct ne_error *err)
{
	struct cpio_entry *entry = &reader->entry;

	if (target != reader->buffer)
		memcpy(reader->buffer, target, entry->size);
	reader->buffer[entry->size] = '\0';
	entry->target = reader->buffer;
	entry->size = 0;
	return begin_entry(reader, err);
}

/* The bytes that a state has waited for are all there. */
static int got(struct cpio_reader *reader, const char *bytes,
	       struct ne_error *err)
{
	size_t unpadded = CPIO_HEADER_SIZE;
	int r;

	switch (reader->state) {
	case CPIO_HEADER:
		r = parse_header(reader, bytes, err);
		if (r < 0)
			return r;
		unpadded += reader->name_size;
		want(reader, CPIO_NAME,
		     reader->name_size + padding_of(unpadded));
		return 0;
	case CPIO_NAME:
		return got_name(reader, bytes, err);
	default:
		return got_target(reader, bytes, err);
	}
}

/*
 * Waits for all of the wanted bytes: in place if the piece has them, else
 * in the buffer. Returns how many were eaten.
 */
static ssize_t collect(struct cpio_reader *reader, const char *bytes,
		       size_t size, struct ne_error *err)
{
	size_t part = reader->wanted - reader->collected;
	int r;

	if (!reader->collected && size >= part) {
		r = got(reader, bytes, err);
		return r < 0 ? r : (ssize_t)part;
	}
	if (part > size)
		part = size;
	memcpy(reader->buffer + reader->collected, bytes, part);
	reader->collected += part;
	if (reader->collected == reader->wanted) {
		r = got(reader, reader->buffer, err);
		if (r < 0)
			return r;
	}
	return (ssize_t)part;
}

static uint32_t sum_of(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	return sum;
}

static ssize_t pass_content(struct cpio_reader *reader, const void *bytes,
			    size_t size, struct ne_error *err)
{
	size_t part = size < reader->wanted ? size : reader->wanted;
	int r;

	if (reader->has_checksum)
		reader->sum += sum_of(bytes, part);
	r = reader->sink->content(bytes, part, reader->data, err);
	if (r < 0)
		return r;
	reader->wanted -= part;
	if (reader->wanted)
		return (ssize_t)part;
	if (reader->has_checksum && reader->sum != reader->checksum)
		return bad_entry(reader, err,
				 "its content does not match its checksum");
	r = end_entry(reader, err);
	return r < 0 ? r : (ssize_t)part;
}

static ssize_t skip_padding(struct cpio_reader *reader, size_t size)
{
	size_t part = size < reader->wanted ? size : reader->wanted;

	reader->wanted -= part;
	return (ssize_t)part;
}

/* Zero bytes, or the start of an entry, or (still BETWEEN) neither. */
static ssize_t skip_zeros(struct cpio_reader *reader, const char *bytes,
			  size_t size, struct ne_error *err)
{
	size_t zeros = 0;

	while (zeros < size && !bytes[zeros])
		zeros++;
	if (zeros || bytes[zeros] != '0')
		return (ssize_t)zeros;
	reader->entry_offset = reader->offset;
	if (reader->entry_offset & 3)
		return bad_entry(reader, err,
				 "it does not start at a multiple of 4 bytes");
	want(reader, CPIO_HEADER, CPIO_HEADER_SIZE);
	return 0;
}

/* One state's share of the piece. */
static ssize_t step(struct cpio_reader *reader, const char *bytes, size_t size,
		    struct ne_error *err)
{
	switch (reader->state) {
	case CPIO_BETWEEN:
		return skip_zeros(reader, bytes, size, err);
	case CPIO_CONTENT:
		return pass_content(reader, bytes, size, err);
	case CPIO_PADDING:
		return skip_padding(reader, size);
	default:
		return collect(reader, bytes, size, err);
	}
}

ssize_t cpio_reader_feed(struct cpio_reader *reader, const void *bytes,
			 size_t size, struct ne_error *err)
{
	size_t eaten = 0;

	while (eaten < size) {
		ssize_t n;

		if (reader->state == CPIO_PADDING && !reader->wanted)
			reader->state = CPIO_BETWEEN;
		n = step(reader, (const char *)bytes + eaten, size - eaten,
			 err);

		if (n < 0)
			return n;
		eaten += (size_t)n;
		reader->offset += (size_t)n;
		if (reader->state == CPIO_BETWEEN && !n)
			break;
	}
	return (ssize_t)eaten;
}

int cpio_reader_end(const struct cpio_reader *reader, struct ne_error *err)
{
	/* Archivers may leave out the last padding. */
	if (reader->state == CPIO_BETWEEN || reader->state == CPIO_PADDING)
		return 0;
	return bad_entry(reader, err,
			 "the data ends in the middle of it; it is cut short");
}
