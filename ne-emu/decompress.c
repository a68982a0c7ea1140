// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * libarchive's filters decompress. Only its built-in ones are used: where it
 * was built without a compression it would run a program found in PATH.
 *
 * A ramdisk may go on behind a compressed stream. The filters for gzip,
 * bzip2 and lzma stop at the end of the stream and tell where that was. Those
 * for xz, zstd and lz4 take whatever follows for a part of it and fail. Their
 * formats say how long they are, so the end is looked up beforehand (struct
 * compression's extent()) and the filter sees the stream alone.
 *
 * An extent is only a place to cut. It is no check: where the walk over the
 * format meets something strange it answers "all there is", and the filter
 * tells what is wrong.
 *
 * gzip is what most images have, and zlib, which libarchive uses for it, takes
 * most of their boot time. libdeflate is two to three times as fast, but wants
 * room for the whole result. The last bytes of a stream say how much that is;
 * where they do not, because something follows it, it is tried with more and
 * more. The result's memory is given back piece by piece, so that it and the
 * files made of it are never both there in full. Only what is too large for
 * that is left to the filter.
 *
 * The checksums of xz, zstd and bzip2 are verified by the filters and gzip's
 * by libdeflate, but not by the filter for gzip: there, the image's own CRC
 * has to do.
 */
#include "ne-emu/decompress.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <ne/error.h>
#include "libne/cleanup.h"
#include "libne/endian.h"

struct compression {
	const char *name;
	int filter; /* ARCHIVE_FILTER_*, or -1: known, but not to us */
	size_t magic_size;
	uint8_t magic[8];
	/* Bytes of the stream at data; NULL: the filter tells afterwards. */
	size_t (*extent)(const uint8_t *data, size_t size);
};

static uint32_t get_little_endian24(const uint8_t *p)
{
	return (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint32_t get_little_endian32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | get_little_endian24(p);
}

/* --- How long a stream is --------------------------------------------------- */

/* Bytes of a zstd frame's header behind the magic [RFC 8878, 3.1.1.1]. */
static size_t zstd_header_size(uint8_t descriptor)
{
	static const uint8_t dictionary_id[] = { 0, 1, 2, 4 };
	static const uint8_t content_size[] = { 0, 2, 4, 8 };
	bool single_segment = descriptor & 0x20;
	size_t size = 1;

	size += !single_segment; /* window descriptor */
	size += dictionary_id[descriptor & 3];
	size += content_size[descriptor >> 6];
	/* The smallest content size is one byte, if there is no window. */
	if (single_segment && !(descriptor >> 6))
		size++;
	return size;
}

static size_t zstd_extent(const uint8_t *data, size_t size)
{
	const size_t magic_size = 4;
	bool has_checksum, last;
	size_t at;

	if (size <= magic_size)
		return size;
	has_checksum = data[magic_size] & 4;
	at = magic_size + zstd_header_size(data[magic_size]);
	do {
		uint32_t header, block_size;

		if (at >= size || size - at < 3)
			return size;
		header = get_little_endian24(data + at);
		last = header & 1;
		/* A block of type 1 is one byte, repeated. */
		block_size = (header >> 1 & 3) == 1 ? 1 : header >> 3;
		at += 3 + (size_t)block_size;
	} while (!last);
	if (has_checksum)
		at += 4;
	return at < size ? at : size;
}

/* Blocks, each behind its size, until something that is no size of one. */
static size_t lz4_legacy_extent(const uint8_t *data, size_t size)
{
	/* What 8 MiB that do not compress become. */
	const uint32_t block_max = (8 << 20) + (8 << 20) / 255 + 16;
	size_t at = 4;

	while (at < size && size - at >= 4) {
		uint32_t block_size = get_little_endian32(data + at);

		if (!block_size || block_size > block_max)
			return at;
		at += 4 + (size_t)block_size;
	}
	return size;
}

/* A frame of lz4's own format [lz4: doc/lz4_Frame_format.md]. */
static size_t lz4_frame_extent(const uint8_t *data, size_t size)
{
	const size_t magic_size = 4;
	uint8_t flags;
	size_t at;

	if (size <= magic_size)
		return size;
	flags = data[magic_size];
	/* flags, block descriptor, [content size], [dictionary], checksum */
	at = magic_size + 2 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0) + 1;
	for (;;) {
		uint32_t block;

		if (at >= size || size - at < 4)
			return size;
		block = get_little_endian32(data + at);
		at += 4;
		if (!block)
			break;
		/* The highest bit: not compressed. */
		at += (block & 0x7fffffff) + (flags & 0x10 ? 4u : 0);
	}
	if (flags & 4)
		at += 4;
	return at < size ? at : size;
}

/* Is this the footer of the xz stream at data? [xz-file-format, 2.1.2] */
static bool is_xz_footer(const uint8_t *footer, const uint8_t *data)
{
	return footer[10] == 'Y' && footer[11] == 'Z' &&
	       !memcmp(footer + 8, data + 6, 2) &&
	       libdeflate_crc32(0, footer + 4, 6) ==
		       get_little_endian32(footer);
}

/*
 * An xz stream does not say where it ends until it does, with a footer: the
 * stream flags again, a CRC and "YZ", at a multiple of four bytes.
 */
static size_t xz_extent(const uint8_t *data, size_t size)
{
	const size_t header_size = 12, footer_size = 12;

	for (size_t at = header_size; at < size && size - at >= footer_size;
	     at += 4)
		if (is_xz_footer(data + at, data))
			return at + footer_size;
	return size;
}

/* --- Which compression ------------------------------------------------------ */

static const struct compression compressions[] = {
	{ "gzip", ARCHIVE_FILTER_GZIP, 2, { 0x1f, 0x8b }, NULL },
	{ "xz",
	  ARCHIVE_FILTER_XZ,
	  6,
	  { 0xfd, '7', 'z', 'X', 'Z', 0 },
	  xz_extent },
	{ "zstd",
	  ARCHIVE_FILTER_ZSTD,
	  4,
	  { 0x28, 0xb5, 0x2f, 0xfd },
	  zstd_extent },
	{ "lz4",
	  ARCHIVE_FILTER_LZ4,
	  4,
	  { 0x02, 0x21, 0x4c, 0x18 },
	  lz4_legacy_extent },
	{ "lz4",
	  ARCHIVE_FILTER_LZ4,
	  4,
	  { 0x04, 0x22, 0x4d, 0x18 },
	  lz4_frame_extent },
	{ "bzip2", ARCHIVE_FILTER_BZIP2, 3, { 'B', 'Z', 'h' }, NULL },
	{ "lzma", ARCHIVE_FILTER_LZMA, 3, { 0x5d, 0, 0 }, NULL },
	{ "lzo", -1, 4, { 0x89, 'L', 'Z', 'O' }, NULL },
};

const struct compression *compression_of(const void *data, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
		const struct compression *c = &compressions[i];

		if (size >= c->magic_size &&
		    !memcmp(data, c->magic, c->magic_size))
			return c;
	}
	return NULL;
}

const char *compression_name(const struct compression *compression)
{
	return compression->name;
}

/* --- gzip in one go ---------------------------------------------------------- */

/* A multiple of any page size. */
#define PIECE_SIZE ((size_t)4 << 20)

/* What the stream's last bytes say is its decompressed size; 0: nonsense. */
static size_t gzip_size_hint(const uint8_t *data, size_t size)
{
	const size_t smallest = 18; /* header and trailer */
	size_t hint;

	if (size < smallest)
		return 0;
	hint = get_little_endian32(data + size - 4);
	/* deflate makes nothing more than 1032 times smaller. */
	return hint / 1032 <= size ? hint : 0;
}

/* Passes on what is at bytes and gives its memory back. */
static int sink_pieces(uint8_t *bytes, size_t size, decompress_sink *sink,
		       void *sink_data, struct ne_error *err)
{
	for (size_t at = 0; at < size; at += PIECE_SIZE) {
		size_t piece = size - at < PIECE_SIZE ? size - at : PIECE_SIZE;
		int r = sink(bytes + at, piece, sink_data, err);

		if (r < 0)
			return r;
		madvise(bytes + at, piece, MADV_DONTNEED);
	}
	return 0;
}

/* Somewhere to decompress to; no page of it is there before it is used. */
struct room {
	void *bytes;
	size_t size;
};

static void free_room(struct room *room)
{
	if (room->bytes)
		munmap(room->bytes, room->size);
	room->bytes = NULL;
}

#define cleanup_room __attribute__((cleanup(free_room)))

static bool make_room(struct room *room, size_t size)
{
	free_room(room);
	room->size = size;
	room->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room->bytes == MAP_FAILED)
		room->bytes = NULL;
	return room->bytes;
}

static void free_decompressor(struct libdeflate_decompressor **decompressor)
{
	libdeflate_free_decompressor(*decompressor);
}

#define cleanup_decompressor __attribute__((cleanup(free_decompressor)))

/*
 * The first stream at data, with as much room as it turns out to need.
 * Returns its bytes; 0: not with this much room; or a failure.
 */
static ssize_t gunzip(const uint8_t *data, size_t size, size_t most,
		      decompress_sink *sink, void *sink_data,
		      struct ne_error *err)
{
	cleanup_decompressor struct libdeflate_decompressor *decompressor =
		libdeflate_alloc_decompressor();
	cleanup_room struct room room = { 0 };
	size_t wanted = gzip_size_hint(data, size) ?: PIECE_SIZE, used, made;
	enum libdeflate_result result;
	int r;

	if (!decompressor)
		return 0;
	do {
		if (wanted > most || !make_room(&room, wanted))
			return 0;
		result = libdeflate_gzip_decompress_ex(decompressor, data, size,
						       room.bytes, room.size,
						       &used, &made);
		wanted = room.size * 2;
	} while (result == LIBDEFLATE_INSUFFICIENT_SPACE);
	if (result != LIBDEFLATE_SUCCESS)
		return ne_error_set(err, EINVAL, "it is damaged or cut short");
	r = sink_pieces(room.bytes, made, sink, sink_data, err);
	return r ? r : (ssize_t)used;
}

/* --- Decompression ---------------------------------------------------------- */

static void cleanup_archivep(struct archive **archive)
{
	archive_read_free(*archive);
}

#define cleanup_archive __attribute__((cleanup(cleanup_archivep)))

static int out_of_memory(struct ne_error *err)
{
	return ne_error_set(err, ENOMEM, "out of memory");
}

/* A stream that the filter refuses, at some offset in its output. */
static int damaged(struct archive *archive, struct ne_error *err)
{
	const char *why = archive_error_string(archive);

	return ne_error_set(err, EINVAL,
			    "it is damaged or cut short: %s, after %lld bytes "
			    "of it",
			    why ? why : "no further details",
			    (long long)archive_filter_bytes(archive, -1));
}

/* Not a byte comes out. libarchive's own reason would be misleading. */
static int damaged_at_once(struct ne_error *err)
{
	return ne_error_set(err, EINVAL, "its start is damaged or cut short");
}

/*
 * lzma has next to no magic number, and its decoder reserves the dictionary
 * that the next bytes ask for: a size that no archiver chooses means junk.
 */
static bool has_junk_for_header(const struct compression *compression,
				const uint8_t *data, size_t size)
{
	const uint32_t most = 1 << 30;

	return compression->filter == ARCHIVE_FILTER_LZMA && size >= 5 &&
	       get_little_endian32(data + 1) > most;
}

static int set_up(struct archive *archive,
		  const struct compression *compression, struct ne_error *err)
{
	int r = ARCHIVE_WARN;

	if (compression->filter >= 0)
		r = archive_read_append_filter(archive, compression->filter);
	/* A warning: it would run a program. */
	if (r != ARCHIVE_OK)
		return ne_error_set(
			err, ENOTSUP,
			"cannot decompress this here; make the ramdisk with gzip, xz or zstd");
	if (archive_read_support_format_raw(archive) != ARCHIVE_OK)
		return out_of_memory(err);
	return 0;
}

static int read_blocks(struct archive *archive, decompress_sink *sink,
		       void *sink_data, struct ne_error *err)
{
	struct archive_entry *entry;
	int r = archive_read_next_header(archive, &entry);

	if (r != ARCHIVE_OK)
		return damaged_at_once(err);
	while (r == ARCHIVE_OK) {
		const void *block;
		size_t block_size;
		la_int64_t offset;

		r = archive_read_data_block(archive, &block, &block_size,
					    &offset);
		if (r == ARCHIVE_OK && block_size) {
			int sunk = sink(block, block_size, sink_data, err);

			if (sunk < 0)
				return sunk;
		}
	}
	return r == ARCHIVE_EOF ? 0 : damaged(archive, err);
}

static ssize_t filter(const struct compression *compression, const void *data,
		      size_t size, decompress_sink *sink, void *sink_data,
		      struct ne_error *err)
{
	cleanup_archive struct archive *archive = archive_read_new();
	la_int64_t used;
	int r;

	if (!archive)
		return out_of_memory(err);
	r = set_up(archive, compression, err);
	if (r < 0)
		return r;
	if (has_junk_for_header(compression, data, size))
		return ne_error_set(err, EINVAL, "its header makes no sense");
	if (compression->extent)
		size = compression->extent(data, size);
	if (archive_read_open_memory(archive, data, size) != ARCHIVE_OK)
		return damaged_at_once(err);
	r = read_blocks(archive, sink, sink_data, err);
	if (r < 0)
		return r;
	if (compression->extent)
		return (ssize_t)size;
	used = archive_filter_bytes(archive, -1);
	/* A caller that goes on behind it must not go on for ever. */
	return used > 0 && (size_t)used <= size ? (ssize_t)used : (ssize_t)size;
}

ssize_t decompress(const struct compression *compression, const void *data,
		   size_t size, size_t room, decompress_sink *sink,
		   void *sink_data, struct ne_error *err)
{
	ssize_t done = 0;

	if (compression->filter == ARCHIVE_FILTER_GZIP)
		done = gunzip(data, size, room, sink, sink_data, err);
	if (!done)
		done = filter(compression, data, size, sink, sink_data, err);
	return done;
}
