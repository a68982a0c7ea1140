// SPDX-License-Identifier: Apache-2.0
/*
 * The EIF reader.
 *
 * Theory of operation
 *
 * An image says twice where its sections are: the table in its header has
 * offset and size of each, and each section starts with a header of its own
 * that has type and size again. A reader that trusts the one and a reader that
 * trusts the other must never see two different images, so whatever they can
 * disagree on is refused: sections follow each other from the end of the
 * header to the end of the file with nothing between them and nothing behind
 * them, and both sizes are equal.
 *
 * The image may be shared memory that somebody else writes to. Headers are
 * therefore copied first, then checked, and never read again; what is kept is
 * in struct ne_eif. Every offset is checked by subtraction from a bound that
 * it is known not to exceed, so nothing can wrap.
 */
#include "libne/eif_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <libdeflate.h>

#include "libne/cleanup.h"
#include "libne/endian.h"

#define OLDEST_VERSION 2
#define METADATA_SINCE_VERSION 4
/* A kernel and a command line; that there is a ramdisk is checked later. */
#define MIN_SECTIONS 2

static const char *const section_names[] = {
	[NE_EIF_SECTION_KERNEL] = "kernel",
	[NE_EIF_SECTION_CMDLINE] = "command line",
	[NE_EIF_SECTION_RAMDISK] = "ramdisk",
	[NE_EIF_SECTION_SIGNATURE] = "signature",
	[NE_EIF_SECTION_METADATA] = "metadata",
};

static int check_magic(const uint8_t *bytes, size_t size, struct ne_error *err)
{
	size_t compared = size < EIF_MAGIC_SIZE ? size : EIF_MAGIC_SIZE;

	if (size == 0)
		return ne_error_set(err, EBADMSG,
				    "not an enclave image: it is empty");
	if (memcmp(bytes, EIF_MAGIC, compared))
		return ne_error_set(err, EBADMSG,
				    "not an enclave image: it does not start "
				    "with \"" EIF_MAGIC "\"");
	if (size < NE_EIF_HEADER_SIZE)
		return ne_error_set(err, EBADMSG,
				    "the image is cut off: it has %zu bytes, "
				    "its header alone has %d",
				    size, NE_EIF_HEADER_SIZE);
	return 0;
}

static int decode_header(struct eif_header *header, const uint8_t *bytes,
			 struct ne_error *err)
{
	unsigned int i;

	header->version = get_big_endian16(bytes + EIF_VERSION);
	header->arch = get_big_endian16(bytes + EIF_FLAGS) & EIF_FLAG_AARCH64
			       ? NE_EIF_AARCH64
			       : NE_EIF_X86_64;
	header->default_memory = get_big_endian64(bytes + EIF_DEFAULT_MEMORY);
	header->default_cpus = get_big_endian64(bytes + EIF_DEFAULT_CPUS);
	header->section_count = get_big_endian16(bytes + EIF_SECTION_COUNT);
	header->crc = get_big_endian32(bytes + EIF_CRC);
	if (header->version < OLDEST_VERSION ||
	    header->version > NE_EIF_VERSION)
		return ne_error_set(err, ENOTSUP,
				    "the image has format version %u, "
				    "supported are %d to %d",
				    header->version, OLDEST_VERSION,
				    NE_EIF_VERSION);
	if (header->section_count < MIN_SECTIONS ||
	    header->section_count > NE_EIF_MAX_SECTIONS)
		return ne_error_set(err, EBADMSG,
				    "the header claims %u sections, an image "
				    "has %d to %d",
				    header->section_count, MIN_SECTIONS,
				    NE_EIF_MAX_SECTIONS);
	for (i = 0; i < header->section_count; i++) {
		header->section_offsets[i] =
			get_big_endian64(bytes + EIF_SECTION_OFFSETS + 8 * i);
		header->section_sizes[i] =
			get_big_endian64(bytes + EIF_SECTION_SIZES + 8 * i);
	}
	return 0;
}

static int misplaced(unsigned int i, uint64_t offset, uint64_t end,
		     struct ne_error *err)
{
	char before[32] = "the header";

	if (i > 0)
		snprintf(before, sizeof(before), "section %u", i - 1);
	if (offset < end)
		return ne_error_set(err, EBADMSG,
				    "section %u at byte %" PRIu64 " overlaps "
				    "%s, which ends at byte %" PRIu64,
				    i, offset, before, end);
	return ne_error_set(err, EBADMSG,
			    "section %u at byte %" PRIu64 " leaves a gap of "
			    "%" PRIu64 " bytes behind %s",
			    i, offset, offset - end, before);
}

/*
 * Do the sections of the table lie one behind the other within @limit bytes?
 * @end: where the last one ends.
 */
static int check_table(const struct eif_header *header, uint64_t limit,
		       uint64_t *end, struct ne_error *err)
{
	unsigned int i;

	*end = NE_EIF_HEADER_SIZE;
	for (i = 0; i < header->section_count; i++) {
		uint64_t offset = header->section_offsets[i];
		uint64_t size = header->section_sizes[i];

		if (offset != *end)
			return misplaced(i, offset, *end, err);
		if (limit - *end < NE_EIF_SECTION_HEADER_SIZE ||
		    limit - *end - NE_EIF_SECTION_HEADER_SIZE < size)
			return ne_error_set(
				err, EBADMSG,
				"section %u at byte %" PRIu64 " should have a "
				"header of %d and %" PRIu64 " bytes of "
				"content, but the image ends at byte %" PRIu64,
				i, offset, NE_EIF_SECTION_HEADER_SIZE, size,
				limit);
		*end += NE_EIF_SECTION_HEADER_SIZE + size;
	}
	return 0;
}

/* Put a section where its type belongs. */
static int file_section(struct ne_eif *eif, unsigned int i,
			struct ne_error *err)
{
	const struct ne_eif_section *section = &eif->sections[i];
	const struct ne_eif_section **place = NULL;

	switch (section->type) {
	case NE_EIF_SECTION_KERNEL:
		place = &eif->kernel;
		break;
	case NE_EIF_SECTION_CMDLINE:
		place = &eif->cmdline;
		break;
	case NE_EIF_SECTION_SIGNATURE:
		place = &eif->signature;
		break;
	case NE_EIF_SECTION_METADATA:
		place = &eif->metadata;
		break;
	case NE_EIF_SECTION_RAMDISK:
		if (!eif->kernel)
			return ne_error_set(err, EBADMSG,
					    "section %u at byte %" PRIu64 " is "
					    "a ramdisk, but no kernel comes "
					    "before it",
					    i, eif->header.section_offsets[i]);
		place = &eif->ramdisks[eif->ramdisk_count++];
		break;
	}
	if (*place)
		return ne_error_set(err, EBADMSG,
				    "section %u at byte %" PRIu64 " is a "
				    "second %s, section %td is one already",
				    i, eif->header.section_offsets[i],
				    section_names[section->type],
				    *place - eif->sections);
	*place = section;
	return 0;
}

static int decode_section(struct ne_eif *eif, unsigned int i,
			  struct ne_error *err)
{
	struct ne_eif_section *section = &eif->sections[i];
	uint64_t offset = eif->header.section_offsets[i];
	uint64_t size = eif->header.section_sizes[i];
	uint8_t bytes[NE_EIF_SECTION_HEADER_SIZE];
	unsigned int type;

	memcpy(bytes, eif->data + offset, sizeof(bytes));
	type = get_big_endian16(bytes + EIF_SECTION_TYPE);
	if (type < NE_EIF_SECTION_KERNEL || type > NE_EIF_SECTION_METADATA)
		return ne_error_set(err, EBADMSG,
				    "section %u at byte %" PRIu64 " has type "
				    "%u, known are %d to %d",
				    i, offset, type, NE_EIF_SECTION_KERNEL,
				    NE_EIF_SECTION_METADATA);
	if (get_big_endian64(bytes + EIF_SECTION_SIZE) != size)
		return ne_error_set(err, EBADMSG,
				    "section %u at byte %" PRIu64
				    " has %" PRIu64
				    " bytes by its own header, %" PRIu64
				    " by the header of the image",
				    i, offset,
				    get_big_endian64(bytes + EIF_SECTION_SIZE),
				    size);
	if (type == NE_EIF_SECTION_SIGNATURE &&
	    size > NE_EIF_MAX_SIGNATURE_SIZE)
		return ne_error_set(err, EBADMSG,
				    "section %u at byte %" PRIu64 " is a "
				    "signature of %" PRIu64 " bytes, the "
				    "format allows %d",
				    i, offset, size, NE_EIF_MAX_SIGNATURE_SIZE);
	section->type = type;
	section->flags = get_big_endian16(bytes + EIF_SECTION_FLAGS);
	section->offset = offset + NE_EIF_SECTION_HEADER_SIZE;
	section->data = eif->data + section->offset;
	section->size = (size_t)size;
	return file_section(eif, i, err);
}

static int check_complete(const struct ne_eif *eif, struct ne_error *err)
{
	const char *missing = NULL;

	if (!eif->kernel)
		missing = "kernel";
	else if (!eif->cmdline)
		missing = "command line";
	else if (!eif->ramdisk_count)
		missing = "ramdisk";
	if (missing)
		return ne_error_set(err, EBADMSG, "the image has no %s",
				    missing);
	if (!eif->metadata && eif->header.version >= METADATA_SINCE_VERSION)
		return ne_error_set(err, EBADMSG,
				    "the image has no metadata section, which "
				    "format version %u demands",
				    eif->header.version);
	return 0;
}

static int check_cmdline(const struct ne_eif *eif, struct ne_error *err)
{
	const struct ne_eif_section *cmdline = eif->cmdline;
	const char *zero = memchr(cmdline->data, 0, cmdline->size);

	if (zero)
		return ne_error_set(
			err, EBADMSG,
			"the command line (section %td at byte "
			"%" PRIu64 ") has a zero byte at %td of "
			"%zu",
			cmdline - eif->sections,
			cmdline->offset - NE_EIF_SECTION_HEADER_SIZE,
			zero - (const char *)cmdline->data, cmdline->size);
	return 0;
}

/* Everything but eif->data and eif->size comes from here. */
static int parse(struct ne_eif *eif, struct ne_error *err)
{
	uint8_t bytes[NE_EIF_HEADER_SIZE];
	unsigned int i;
	uint64_t end;
	int ret;

	ret = check_magic(eif->data, eif->size, err);
	if (ret)
		return ret;
	memcpy(bytes, eif->data, sizeof(bytes));
	ret = decode_header(&eif->header, bytes, err);
	if (ret)
		return ret;
	ret = check_table(&eif->header, eif->size, &end, err);
	if (ret)
		return ret;
	for (i = 0; i < eif->header.section_count; i++) {
		ret = decode_section(eif, i, err);
		if (ret)
			return ret;
	}
	if (end != eif->size)
		return ne_error_set(err, EBADMSG,
				    "%" PRIu64 " bytes follow the last "
				    "section, which ends at byte %" PRIu64,
				    eif->size - end, end);
	ret = check_complete(eif, err);
	return ret ? ret : check_cmdline(eif, err);
}

static void cleanup_eifp(struct ne_eif **eif)
{
	ne_eif_close(*eif);
}

#define cleanup_eif __attribute__((cleanup(cleanup_eifp)))

static struct ne_eif *new_eif(void)
{
	struct ne_eif *eif = calloc(1, sizeof(*eif));

	if (eif)
		eif->fd = -1;
	return eif;
}

/* Map all of a file. On success the image owns @fd. */
static int map(struct ne_eif *eif, int *fd, struct ne_error *err)
{
	struct stat status;
	void *data;

	if (fstat(*fd, &status))
		return ne_error_set(err, errno, "cannot look at the file: %s",
				    ne_strerror(errno));
	if (S_ISDIR(status.st_mode))
		return ne_error_set(err, EISDIR,
				    "not an enclave image: it is a directory");
	if (!S_ISREG(status.st_mode))
		return ne_error_set(err, EINVAL,
				    "not an enclave image: it is no regular "
				    "file");
	if (status.st_size == 0)
		return check_magic(NULL, 0, err);
	if ((uint64_t)status.st_size > SIZE_MAX)
		return ne_error_set(err, EFBIG,
				    "the file is too large to be mapped");
	/* Not shared: kernels before 6.7 refuse that for a sealed memfd. */
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, *fd,
		    0);
	if (data == MAP_FAILED)
		return ne_error_set(err, errno, "cannot map the file: %s",
				    ne_strerror(errno));
	eif->data = data;
	eif->size = (size_t)status.st_size;
	eif->fd = take_fd(fd);
	return 0;
}

/* As ne_eif_open_fd(), but takes @fd over on success. */
static int open_owned(struct ne_eif **eif, int *fd, struct ne_error *err)
{
	cleanup_eif struct ne_eif *opened = new_eif();
	int ret;

	if (!opened)
		return ne_error_set(err, ENOMEM, "out of memory");
	ret = map(opened, fd, err);
	if (!ret)
		ret = parse(opened, err);
	if (ret)
		return ret;
	*eif = take_ptr(&opened);
	return 0;
}

int ne_eif_open(struct ne_eif **eif, const char *path, struct ne_error *err)
{
	/* Not to wait for the writer of a FIFO; regular files ignore it. */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		ret = ne_error_set(err, errno, "cannot open it: %s",
				   ne_strerror(errno));
	else
		ret = open_owned(eif, &fd, err);
	if (ret)
		ne_error_prefix(err, "%s", path);
	return ret;
}

int ne_eif_open_fd(struct ne_eif **eif, int fd, struct ne_error *err)
{
	cleanup_close int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (own < 0)
		return ne_error_set(err, errno,
				    "cannot duplicate file descriptor %d: %s",
				    fd, ne_strerror(errno));
	return open_owned(eif, &own, err);
}

int ne_eif_parse(struct ne_eif **eif, const void *data, size_t size,
		 struct ne_error *err)
{
	cleanup_eif struct ne_eif *parsed = new_eif();
	int ret;

	if (!parsed)
		return ne_error_set(err, ENOMEM, "out of memory");
	parsed->data = data;
	parsed->size = size;
	ret = parse(parsed, err);
	if (ret)
		return ret;
	*eif = take_ptr(&parsed);
	return 0;
}

int ne_eif_size_from_header(const void *header, uint64_t *size,
			    struct ne_error *err)
{
	uint8_t bytes[NE_EIF_HEADER_SIZE];
	struct eif_header decoded;
	uint64_t end;
	int ret;

	memcpy(bytes, header, sizeof(bytes));
	ret = check_magic(bytes, sizeof(bytes), err);
	if (!ret)
		ret = decode_header(&decoded, bytes, err);
	if (!ret)
		ret = check_table(&decoded, UINT64_MAX, &end, err);
	if (!ret)
		*size = end;
	return ret;
}

void ne_eif_close(struct ne_eif *eif)
{
	if (!eif)
		return;
	if (eif->fd >= 0) {
		munmap((void *)eif->data, eif->size);
		close_keeping_errno(eif->fd);
	}
	free(eif);
}

unsigned int ne_eif_version(const struct ne_eif *eif)
{
	return eif->header.version;
}

enum ne_eif_arch ne_eif_arch(const struct ne_eif *eif)
{
	return eif->header.arch;
}

uint64_t ne_eif_default_memory(const struct ne_eif *eif)
{
	return eif->header.default_memory;
}

uint64_t ne_eif_default_cpus(const struct ne_eif *eif)
{
	return eif->header.default_cpus;
}

uint32_t ne_eif_crc(const struct ne_eif *eif)
{
	return eif->header.crc;
}

const void *ne_eif_data(const struct ne_eif *eif)
{
	return eif->data;
}

size_t ne_eif_size(const struct ne_eif *eif)
{
	return eif->size;
}

int ne_eif_fd(const struct ne_eif *eif)
{
	return eif->fd;
}

unsigned int ne_eif_section_count(const struct ne_eif *eif)
{
	return eif->header.section_count;
}

const struct ne_eif_section *ne_eif_section(const struct ne_eif *eif,
					    unsigned int index)
{
	return index < eif->header.section_count ? &eif->sections[index] : NULL;
}

const struct ne_eif_section *ne_eif_kernel(const struct ne_eif *eif)
{
	return eif->kernel;
}

const struct ne_eif_section *ne_eif_cmdline(const struct ne_eif *eif)
{
	return eif->cmdline;
}

unsigned int ne_eif_ramdisk_count(const struct ne_eif *eif)
{
	return eif->ramdisk_count;
}

const struct ne_eif_section *ne_eif_ramdisk(const struct ne_eif *eif,
					    unsigned int index)
{
	return index < eif->ramdisk_count ? eif->ramdisks[index] : NULL;
}

const struct ne_eif_section *ne_eif_signature(const struct ne_eif *eif)
{
	return eif->signature;
}

const char *ne_eif_arch_name(enum ne_eif_arch arch)
{
	switch (arch) {
	case NE_EIF_X86_64:
		return "x86_64";
	case NE_EIF_AARCH64:
		return "aarch64";
	}
	return "unknown";
}

int ne_eif_check_arch(const struct ne_eif *eif, struct ne_error *err)
{
#ifdef __aarch64__
	const enum ne_eif_arch here = NE_EIF_AARCH64;
#else
	const enum ne_eif_arch here = NE_EIF_X86_64;
#endif
	if (eif->header.arch != here)
		return ne_error_set(err, ENOEXEC,
				    "the image is for %s, this machine is %s; "
				    "build it with --arch %s",
				    ne_eif_arch_name(eif->header.arch),
				    ne_eif_arch_name(here),
				    ne_eif_arch_name(here));
	return 0;
}

int eif_check_size(const struct ne_eif *eif, struct ne_error *err)
{
	struct stat status;

	if (eif->fd < 0)
		return 0;
	if (fstat(eif->fd, &status))
		return ne_error_set(err, errno, "cannot look at the file: %s",
				    ne_strerror(errno));
	if ((uint64_t)status.st_size != eif->size)
		return ne_error_set(err, ESTALE,
				    "the file had %zu bytes when it was "
				    "opened, now it has %jd",
				    eif->size, (intmax_t)status.st_size);
	return 0;
}

uint32_t eif_compute_crc(const struct ne_eif *eif)
{
	uint32_t crc = libdeflate_crc32(0, eif->data, EIF_CRC);

	return libdeflate_crc32(crc, eif->data + NE_EIF_HEADER_SIZE,
				eif->size - NE_EIF_HEADER_SIZE);
}

int ne_eif_check_crc(const struct ne_eif *eif, struct ne_error *err)
{
	uint32_t crc;
	int ret;

	ret = eif_check_size(eif, err);
	if (ret)
		return ret;
	crc = eif_compute_crc(eif);
	if (crc != eif->header.crc)
		return ne_error_set(err, EBADMSG,
				    "the image is damaged: its checksum is "
				    "%08" PRIx32 ", its header says %08" PRIx32,
				    crc, eif->header.crc);
	return 0;
}
