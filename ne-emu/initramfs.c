// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * A ramdisk is walked from its start: zero bytes are skipped, a cpio archive
 * goes straight from the mapping to the reader (and its file contents from
 * the mapping to write(2)), anything else must be a compressed stream, whose
 * decompressed bytes go to a reader of their own. The readers' sink makes
 * the entries.
 */
#include "ne-emu/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include <ne/error.h>
#include "libne/cleanup.h"
#include "ne-emu/cpio.h"
#include "ne-emu/decompress.h"
#include "ne-emu/initramfs_tree.h"

/* A write(2) does at most 2 GiB less a page; be a round number below. */
#define WRITE_MAX ((size_t)1 << 30)

struct unpacker {
	const struct initramfs_options *options;
	struct initramfs_counts counts;
	struct tree tree;
	char name[PATH_MAX]; /* of the current entry */
};

/* --- Failing --------------------------------------------------------------- */

/* The kernel drops entries that it cannot place, without a word. */
static bool is_misplaced(int error)
{
	switch (error) {
	case ENOENT: /* no parent directory */
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
	case EXDEV:	/* on another file system */
	case EBUSY:	/* something is mounted there */
	case ENOTEMPTY: /* a directory is in the way */
	case EEXIST:
	case EISDIR:
	case ENXIO: /* a FIFO that was made meanwhile */
		return true;
	default:
		return false;
	}
}

static int drop(struct unpacker *unpacker)
{
	struct initramfs_counts *counts = &unpacker->counts;

	if (!counts->dropped++) {
		size_t size = strnlen(unpacker->name,
				      sizeof(counts->first_dropped) - 1);

		memcpy(counts->first_dropped, unpacker->name, size);
		counts->first_dropped[size] = '\0';
	}
	return 0;
}

/* The current entry could not be made: -error, or 0 if it is dropped. */
static int cannot_make(struct unpacker *unpacker, int error,
		       struct ne_error *err)
{
	if (is_misplaced(error))
		return drop(unpacker);
	if (error == ENOSPC || error == EDQUOT)
		return ne_error_set(
			err, ENOSPC,
			"cannot make %s: the enclave's file system is full",
			unpacker->name);
	return ne_error_set(err, error, "cannot make %s: %s", unpacker->name,
			    ne_strerror(error));
}

/* --- The sink of the cpio reader ------------------------------------------- */

static int on_entry(const struct cpio_entry *entry, void *data,
		    struct ne_error *err)
{
	struct unpacker *unpacker = data;
	size_t length = strlen(entry->name);
	int r;

	memcpy(unpacker->name, entry->name, length + 1);
	/* "directory/" is "directory". */
	if (S_ISDIR(entry->mode))
		while (length > 1 && unpacker->name[length - 1] == '/')
			unpacker->name[--length] = '\0';
	/* What has content and is no file is dropped, as by the kernel. */
	if (entry->size && !S_ISREG(entry->mode))
		return drop(unpacker);
	r = tree_make(&unpacker->tree, entry, unpacker->name);
	if (r < 0)
		return cannot_make(unpacker, -r, err);
	unpacker->counts.entries++;
	return 0;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n =
			write(fd, bytes, size < WRITE_MAX ? size : WRITE_MAX);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static int on_content(const void *bytes, size_t size, void *data,
		      struct ne_error *err)
{
	struct unpacker *unpacker = data;
	uint64_t max = unpacker->options->max_bytes;
	int r;

	if (unpacker->tree.file < 0)
		return 0;
	if (max && (unpacker->counts.bytes > max ||
		    size > max - unpacker->counts.bytes))
		return ne_error_set(
			err, E2BIG,
			"cannot write %s: the ramdisks' files have more than %" PRIu64
			" MiB; give the enclave more memory",
			unpacker->name, max >> 20);
	r = write_all(unpacker->tree.file, bytes, size);
	if (r < 0)
		return cannot_make(unpacker, -r, err);
	unpacker->counts.bytes += size;
	return 0;
}

static int on_entry_end(void *data, struct ne_error *err)
{
	struct unpacker *unpacker = data;
	int r = tree_end_file(&unpacker->tree);

	return r < 0 ? cannot_make(unpacker, -r, err) : 0;
}

static void on_trailer(void *data)
{
	struct unpacker *unpacker = data;

	tree_forget_links(&unpacker->tree);
}

static const struct cpio_sink sink = {
	.entry = on_entry,
	.content = on_content,
	.entry_end = on_entry_end,
	.trailer = on_trailer,
};

/* --- Ramdisks -------------------------------------------------------------- */

static int feed_decompressed(const void *bytes, size_t size, void *data,
			     struct ne_error *err)
{
	struct cpio_reader *reader = data;
	ssize_t eaten = cpio_reader_feed(reader, bytes, size, err);

	if (eaten < 0)
		return (int)eaten;
	if ((size_t)eaten < size)
		return ne_error_set(err, EINVAL,
				    "no cpio archive at offset %" PRIu64,
				    reader->offset);
	return 0;
}

/* What may be taken for decompression: not more than the files may have. */
static size_t room_of(const struct unpacker *unpacker)
{
	const size_t most = (size_t)1 << 30;
	uint64_t max = unpacker->options->max_bytes;

	return max && max < most ? (size_t)max : most;
}

/* A compressed stream at the start of data; how many bytes it has. */
static ssize_t unpack_compressed(struct unpacker *unpacker,
				 struct cpio_reader *reader,
				 const uint8_t *data, size_t size,
				 uint64_t offset, struct ne_error *err)
{
	const struct compression *compression = compression_of(data, size);
	ssize_t used;

	if (!compression)
		return ne_error_set(
			err, EINVAL,
			"no cpio archive and no compression that is known at offset %" PRIu64,
			offset);
	cpio_reader_init(reader, &sink, unpacker, 0);
	used = decompress(compression, data, size, room_of(unpacker),
			  feed_decompressed, reader, err);
	if (used >= 0) {
		int r = cpio_reader_end(reader, err);

		if (r < 0)
			used = r;
	}
	if (used < 0)
		ne_error_prefix(err, "in the %s data at offset %" PRIu64,
				compression_name(compression), offset);
	return used;
}

static int unpack_all(struct unpacker *unpacker, const uint8_t *data,
		      size_t size, struct ne_error *err)
{
	cleanup_free struct cpio_reader *reader = malloc(sizeof(*reader));
	size_t offset = 0;
	int r;

	if (!reader)
		return ne_error_set(err, ENOMEM, "out of memory");
	while (offset < size) {
		ssize_t n;

		cpio_reader_init(reader, &sink, unpacker, offset);
		n = cpio_reader_feed(reader, data + offset, size - offset, err);
		if (n < 0)
			return (int)n;
		offset += (size_t)n;
		r = cpio_reader_end(reader, err);
		if (r < 0)
			return r;
		if (offset == size)
			break;
		n = unpack_compressed(unpacker, reader, data + offset,
				      size - offset, offset, err);
		if (n < 0)
			return (int)n;
		offset += (size_t)n;
	}
	return 0;
}

int initramfs_unpack(int root_fd, const void *data, size_t size,
		     const struct initramfs_options *options,
		     struct ne_error *err)
{
	static const struct initramfs_options defaults;
	cleanup_free struct unpacker *unpacker = calloc(1, sizeof(*unpacker));
	mode_t umask_before;
	int r;

	if (!unpacker)
		return ne_error_set(err, ENOMEM, "out of memory");
	unpacker->options = options ? options : &defaults;
	if (unpacker->options->counts)
		unpacker->counts = *unpacker->options->counts;
	tree_init(&unpacker->tree, root_fd, unpacker->options,
		  &unpacker->counts);

	umask_before = umask(0);
	r = unpack_all(unpacker, data, size, err);
	umask(umask_before);

	tree_release(&unpacker->tree);
	if (unpacker->options->counts)
		*unpacker->options->counts = unpacker->counts;
	return r;
}
