// SPDX-License-Identifier: Apache-2.0
/*
 * The EIF writer.
 *
 * Theory of operation
 *
 * Content goes to the file as it comes, behind a hole for the header of the
 * image and of its section; sizes are known only afterwards, so the headers
 * are written last. The checksum covers the headers too: it is computed by
 * reading the finished file back, by the reader itself. So nothing can be
 * finished that the reader would refuse, and every rule of the format is
 * written down once, in eif.c.
 *
 * A failure is final: what was begun is no image, and every later call says
 * again what went wrong first.
 */
#include "libne/eif_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "libne/cleanup.h"
#include "libne/endian.h"

#define COPY_SIZE (256 * 1024)

struct ne_eif_writer {
	int fd; /* the caller's */
	struct ne_eif_settings settings;
	uint64_t end; /* of what has been written, holes included */
	unsigned int section_count;
	uint64_t offsets[NE_EIF_MAX_SECTIONS];
	enum ne_eif_section_type types[NE_EIF_MAX_SECTIONS];
	struct ne_error failure; /* the first one */
};

int ne_eif_writer_new(struct ne_eif_writer **writer, int fd,
		      const struct ne_eif_settings *settings,
		      struct ne_error *err)
{
	struct ne_eif_writer *started;
	struct stat status;

	if (settings->arch != NE_EIF_X86_64 && settings->arch != NE_EIF_AARCH64)
		return ne_error_set(err, EINVAL, "%d is no architecture",
				    (int)settings->arch);
	if (fstat(fd, &status))
		return ne_error_set(err, errno, "cannot look at the file: %s",
				    ne_strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size)
		return ne_error_set(err, EINVAL,
				    "an image can only be written to an empty "
				    "regular file");
	started = calloc(1, sizeof(*started));
	if (!started)
		return ne_error_set(err, ENOMEM, "out of memory");
	started->fd = fd;
	started->settings = *settings;
	started->end = NE_EIF_HEADER_SIZE;
	*writer = started;
	return 0;
}

/* Tells the caller what went wrong first; 0 if nothing did. */
static int failure(const struct ne_eif_writer *writer, struct ne_error *err)
{
	if (writer->failure.code && err)
		*err = writer->failure;
	return -writer->failure.code;
}

#define fail(writer, err, code, ...)                            \
	(ne_error_set(&(writer)->failure, (code), __VA_ARGS__), \
	 failure((writer), (err)))

int ne_eif_writer_begin(struct ne_eif_writer *writer,
			enum ne_eif_section_type type, struct ne_error *err)
{
	int ret = failure(writer, err);

	if (ret)
		return ret;
	if (type < NE_EIF_SECTION_KERNEL || type > NE_EIF_SECTION_METADATA)
		return fail(writer, err, EINVAL, "%d is no type of section",
			    (int)type);
	if (writer->section_count == NE_EIF_MAX_SECTIONS)
		return fail(writer, err, E2BIG,
			    "an image has room for %d sections, no more",
			    NE_EIF_MAX_SECTIONS);
	writer->offsets[writer->section_count] = writer->end;
	writer->types[writer->section_count] = type;
	writer->section_count++;
	writer->end += NE_EIF_SECTION_HEADER_SIZE;
	return 0;
}

static int write_at(struct ne_eif_writer *writer, const uint8_t *data,
		    size_t size, uint64_t offset, struct ne_error *err)
{
	while (size) {
		ssize_t written = pwrite(writer->fd, data, size, (off_t)offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return fail(writer, err, errno,
				    "cannot write %zu bytes of the image: %s",
				    size, ne_strerror(errno));
		data += written;
		size -= (size_t)written;
		offset += (uint64_t)written;
	}
	return 0;
}

int ne_eif_writer_append(struct ne_eif_writer *writer, const void *data,
			 size_t size, struct ne_error *err)
{
	int ret = failure(writer, err);

	if (ret)
		return ret;
	if (!writer->section_count)
		return fail(writer, err, EINVAL,
			    "content without a section to hold it");
	ret = write_at(writer, data, size, writer->end, err);
	if (!ret)
		writer->end += size;
	return ret;
}

/* @buffer: COPY_SIZE bytes. */
static int copy(struct ne_eif_writer *writer, int fd, uint8_t *buffer,
		struct ne_error *err)
{
	for (;;) {
		ssize_t got = read(fd, buffer, COPY_SIZE);
		int ret;

		if (got == 0)
			return 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(writer, err, errno, "cannot read it: %s",
				    ne_strerror(errno));
		ret = ne_eif_writer_append(writer, buffer, (size_t)got, err);
		if (ret)
			return ret;
	}
}

int ne_eif_writer_append_fd(struct ne_eif_writer *writer, int fd,
			    struct ne_error *err)
{
	cleanup_free uint8_t *buffer = NULL;
	int ret = failure(writer, err);

	if (ret)
		return ret;
	buffer = malloc(COPY_SIZE);
	if (!buffer)
		return fail(writer, err, ENOMEM, "out of memory");
	return copy(writer, fd, buffer, err);
}

static uint64_t section_size(const struct ne_eif_writer *writer, unsigned int i)
{
	uint64_t end = i + 1 < writer->section_count ? writer->offsets[i + 1]
						     : writer->end;

	return end - writer->offsets[i] - NE_EIF_SECTION_HEADER_SIZE;
}

static int write_header(struct ne_eif_writer *writer, struct ne_error *err)
{
	uint8_t bytes[NE_EIF_HEADER_SIZE] = EIF_MAGIC;
	unsigned int i;

	put_big_endian16(bytes + EIF_VERSION, NE_EIF_VERSION);
	if (writer->settings.arch == NE_EIF_AARCH64)
		put_big_endian16(bytes + EIF_FLAGS, EIF_FLAG_AARCH64);
	put_big_endian64(bytes + EIF_DEFAULT_MEMORY,
			 writer->settings.default_memory);
	put_big_endian64(bytes + EIF_DEFAULT_CPUS,
			 writer->settings.default_cpus);
	put_big_endian16(bytes + EIF_SECTION_COUNT,
			 (uint16_t)writer->section_count);
	for (i = 0; i < writer->section_count; i++) {
		put_big_endian64(bytes + EIF_SECTION_OFFSETS + 8 * i,
				 writer->offsets[i]);
		put_big_endian64(bytes + EIF_SECTION_SIZES + 8 * i,
				 section_size(writer, i));
	}
	return write_at(writer, bytes, sizeof(bytes), 0, err);
}

static int write_section_headers(struct ne_eif_writer *writer,
				 struct ne_error *err)
{
	unsigned int i;

	for (i = 0; i < writer->section_count; i++) {
		uint8_t bytes[NE_EIF_SECTION_HEADER_SIZE] = { 0 };
		int ret;

		put_big_endian16(bytes + EIF_SECTION_TYPE,
				 (uint16_t)writer->types[i]);
		put_big_endian64(bytes + EIF_SECTION_SIZE,
				 section_size(writer, i));
		ret = write_at(writer, bytes, sizeof(bytes), writer->offsets[i],
			       err);
		if (ret)
			return ret;
	}
	return 0;
}

static int write_crc(struct ne_eif_writer *writer, struct ne_error *err)
{
	uint8_t bytes[sizeof(uint32_t)];
	struct ne_eif *eif;
	int ret;

	ret = ne_eif_open_fd(&eif, writer->fd, &writer->failure);
	if (ret)
		return failure(writer, err);
	put_big_endian32(bytes, eif_compute_crc(eif));
	ne_eif_close(eif);
	return write_at(writer, bytes, sizeof(bytes), EIF_CRC, err);
}

int ne_eif_writer_finish(struct ne_eif_writer *writer, struct ne_error *err)
{
	int ret = failure(writer, err);

	if (!ret)
		ret = write_header(writer, err);
	if (!ret)
		ret = write_section_headers(writer, err);
	if (!ret)
		ret = write_crc(writer, err);
	return ret;
}

void ne_eif_writer_free(struct ne_eif_writer *writer)
{
	free(writer);
}
