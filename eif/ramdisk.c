// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * libarchive makes the cpio archive and compresses it; what comes out goes
 * straight into the image. For the same entries the bytes must always be the
 * same, so nothing of the machine gets in: inode numbers are counted, device
 * numbers are 0, gzip's time stamp is left out, and the archive is not padded
 * to the blocks of a tape.
 *
 * The kernel unpacks the ramdisks as if they were one file, in which an
 * uncompressed archive must start at a multiple of four bytes; it skips zero
 * bytes before that. So every ramdisk is made a multiple of four long.
 */
#include "eif/ramdisk.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "libne/cleanup.h"

#define BLOCK_SIZE (64 * 1024)
#define ALIGNMENT 4
/* In the format a size has eight hexadecimal digits. */
#define MAX_FILE_SIZE UINT32_MAX

struct ramdisk {
	struct ne_eif_writer *writer;
	struct archive *archive;
	uint64_t size; /* of the section, so far */
	uint32_t last_inode;
	struct ne_error failure; /* of writing to the image */
	bool discard;		 /* what libarchive still writes */
	uint8_t buffer[BLOCK_SIZE];
};

static int add_none(struct archive *archive)
{
	return archive_write_add_filter_none(archive);
}

static int add_gzip(struct archive *archive)
{
	int ret = archive_write_add_filter_gzip(archive);

	if (ret == ARCHIVE_OK)
		ret = archive_write_set_filter_option(archive, "gzip",
						      "timestamp", NULL);
	return ret;
}

/* The kernel knows xz with a CRC-32; libarchive itself writes a CRC-64. */
static int add_xz(struct archive *archive)
{
	return archive_write_add_filter_program(
		archive, "xz --format=xz --check=crc32 --threads=1 --stdout");
}

static int add_zstd(struct archive *archive)
{
	return archive_write_add_filter_zstd(archive);
}

static const struct {
	const char *name;
	int (*add_filter)(struct archive *archive);
} methods[] = {
	[COMPRESSION_NONE] = { "none", add_none },
	[COMPRESSION_GZIP] = { "gzip", add_gzip },
	[COMPRESSION_XZ] = { "xz", add_xz },
	[COMPRESSION_ZSTD] = { "zstd", add_zstd },
};

bool parse_compression(enum compression *compression, const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(name, methods[i].name)) {
			*compression = (enum compression)i;
			return true;
		}
	return false;
}

/*
 * The result of a call of libarchive's.
 * @done: whether it thinks that all is well.
 */
static int result(const struct ramdisk *ramdisk, bool done,
		  struct ne_error *err)
{
	const char *why = NULL;

	if (ramdisk->failure.code) {
		*err = ramdisk->failure;
		return -err->code;
	}
	if (done)
		return 0;
	if (ramdisk->archive)
		why = archive_error_string(ramdisk->archive);
	return ne_error_set(err, EIO, "cannot write the ramdisk: %s",
			    why ? why : "out of memory");
}

/*
 * libarchive leaks memory if it is told of a failure here: it is told none and
 * result() finds it.
 */
static la_ssize_t write_section(struct archive *archive __attribute__((unused)),
				void *data, const void *bytes, size_t size)
{
	struct ramdisk *ramdisk = data;

	if (ramdisk->discard)
		return (la_ssize_t)size;
	if (ne_eif_writer_append(ramdisk->writer, bytes, size,
				 &ramdisk->failure))
		ramdisk->discard = true;
	ramdisk->size += size;
	return (la_ssize_t)size;
}

static bool open_archive(struct ramdisk *ramdisk, enum compression compression)
{
	struct archive *archive = ramdisk->archive;

	return archive_write_set_format_cpio_newc(archive) == ARCHIVE_OK &&
	       methods[compression].add_filter(archive) >= ARCHIVE_WARN &&
	       archive_write_set_bytes_per_block(archive, BLOCK_SIZE) ==
		       ARCHIVE_OK &&
	       archive_write_set_bytes_in_last_block(archive, 1) ==
		       ARCHIVE_OK &&
	       archive_write_open(archive, ramdisk, NULL, write_section,
				  NULL) == ARCHIVE_OK;
}

int ramdisk_new(struct ramdisk **ramdisk, struct ne_eif_writer *writer,
		enum compression compression, struct ne_error *err)
{
	struct ramdisk *started;
	int ret;

	ret = ne_eif_writer_begin(writer, NE_EIF_SECTION_RAMDISK, err);
	if (ret)
		return ret;
	started = calloc(1, sizeof(*started));
	if (!started)
		return ne_error_set(err, ENOMEM, "out of memory");
	started->writer = writer;
	started->archive = archive_write_new();
	ret = result(started,
		     started->archive && open_archive(started, compression),
		     err);
	if (ret) {
		ramdisk_free(started);
		return ret;
	}
	*ramdisk = started;
	return 0;
}

uint32_t ramdisk_new_inode(struct ramdisk *ramdisk)
{
	return ++ramdisk->last_inode;
}

static void cleanup_entryp(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}

#define cleanup_entry __attribute__((cleanup(cleanup_entryp)))

static int add_header(struct ramdisk *ramdisk,
		      const struct ramdisk_entry *entry, struct ne_error *err)
{
	cleanup_entry struct archive_entry *header = archive_entry_new();

	if (!header)
		return ne_error_set(err, ENOMEM, "out of memory");
	archive_entry_set_pathname(header, entry->path);
	archive_entry_set_mode(header, entry->mode);
	archive_entry_set_uid(header, entry->uid);
	archive_entry_set_gid(header, entry->gid);
	archive_entry_set_mtime(header, entry->mtime, 0);
	archive_entry_set_rdevmajor(header, major(entry->device));
	archive_entry_set_rdevminor(header, minor(entry->device));
	archive_entry_set_dev(header, 0);
	archive_entry_set_ino64(header, entry->inode
						? entry->inode
						: ramdisk_new_inode(ramdisk));
	archive_entry_set_nlink(header, entry->links);
	archive_entry_set_size(header, (la_int64_t)entry->size);
	if (entry->target)
		archive_entry_set_symlink(header, entry->target);
	/* A warning is that something could not be said in the format. */
	return result(ramdisk,
		      archive_write_header(ramdisk->archive, header) ==
			      ARCHIVE_OK,
		      err);
}

static int add_bytes(struct ramdisk *ramdisk, const void *bytes, size_t size,
		     struct ne_error *err)
{
	return result(ramdisk,
		      archive_write_data(ramdisk->archive, bytes, size) ==
			      (la_ssize_t)size,
		      err);
}

static int copy_content(struct ramdisk *ramdisk, int fd, uint64_t size,
			struct ne_error *err)
{
	uint64_t left = size;

	while (left) {
		size_t wanted = left < BLOCK_SIZE ? (size_t)left : BLOCK_SIZE;
		ssize_t got = read(fd, ramdisk->buffer, wanted);
		int ret;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ne_error_set(err, errno, "cannot read it: %s",
					    ne_strerror(errno));
		if (got == 0)
			return ne_error_set(err, ESTALE,
					    "it became shorter while it was "
					    "being read");
		ret = add_bytes(ramdisk, ramdisk->buffer, (size_t)got, err);
		if (ret)
			return ret;
		left -= (uint64_t)got;
	}
	return 0;
}

int ramdisk_add(struct ramdisk *ramdisk, const struct ramdisk_entry *entry,
		int fd, struct ne_error *err)
{
	int ret;

	if (entry->size > MAX_FILE_SIZE)
		return ne_error_set(err, EFBIG,
				    "it has 4 GiB or more, which does not fit "
				    "into a ramdisk");
	ret = add_header(ramdisk, entry, err);
	return ret ? ret : copy_content(ramdisk, fd, entry->size, err);
}

int ramdisk_add_directory(struct ramdisk *ramdisk, const char *path,
			  mode_t mode, struct ne_error *err)
{
	const struct ramdisk_entry entry = {
		.path = path,
		.mode = S_IFDIR | mode,
		.links = 1,
	};

	return ramdisk_add(ramdisk, &entry, -1, err);
}

static int add_open_file(struct ramdisk *ramdisk, const char *path, mode_t mode,
			 int fd, struct ne_error *err)
{
	struct ramdisk_entry entry = {
		.path = path,
		.mode = S_IFREG | mode,
		.links = 1,
	};
	struct stat status;

	if (fstat(fd, &status))
		return ne_error_set(err, errno, "cannot look at it: %s",
				    ne_strerror(errno));
	if (!S_ISREG(status.st_mode))
		return ne_error_set(err, EINVAL, "it is no regular file");
	entry.size = (uint64_t)status.st_size;
	return ramdisk_add(ramdisk, &entry, fd, err);
}

int ramdisk_add_file(struct ramdisk *ramdisk, const char *path, mode_t mode,
		     const char *source, struct ne_error *err)
{
	cleanup_close int fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		ret = ne_error_set(err, errno, "cannot open it: %s",
				   ne_strerror(errno));
	else
		ret = add_open_file(ramdisk, path, mode, fd, err);
	if (ret)
		ne_error_prefix(err, "%s", source);
	return ret;
}

int ramdisk_add_text(struct ramdisk *ramdisk, const char *path,
		     const char *text, size_t size, struct ne_error *err)
{
	const struct ramdisk_entry entry = {
		.path = path,
		.mode = S_IFREG | 0644,
		.links = 1,
		.size = size,
	};
	int ret = add_header(ramdisk, &entry, err);

	return ret ? ret : add_bytes(ramdisk, text, size, err);
}

int ramdisk_finish(struct ramdisk *ramdisk, struct ne_error *err)
{
	static const uint8_t zeros[ALIGNMENT];
	size_t padding;
	int ret;

	ret = result(ramdisk,
		     archive_write_close(ramdisk->archive) == ARCHIVE_OK, err);
	if (ret)
		return ret;
	padding = (ALIGNMENT - ramdisk->size % ALIGNMENT) % ALIGNMENT;
	return ne_eif_writer_append(ramdisk->writer, zeros, padding, err);
}

void ramdisk_free(struct ramdisk *ramdisk)
{
	if (!ramdisk)
		return;
	/* An unfinished archive is finished now. */
	ramdisk->discard = true;
	archive_write_free(ramdisk->archive);
	free(ramdisk);
}
