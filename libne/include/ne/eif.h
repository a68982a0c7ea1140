/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enclave image files (EIF): reading, checking, measuring and writing them.
 *
 * An image is a 548 byte header and up to 32 sections, one behind the other:
 * a kernel, its command line, ramdisks, and possibly a signature and metadata.
 * The format is specified in the README.md of AWS's
 * aws-nitro-enclaves-image-format; versions 2 to 4 are read, 4 is written.
 *
 * Reading an image checks its structure: a few hundred bytes, however large
 * the image is. Its checksum and its measurements cost a pass over all of it
 * and are only computed when asked for: ne_eif_check_crc(), ne_eif_measure().
 *
 * The image comes from a read-only mapping of its file. If somebody makes the
 * file shorter meanwhile, touching the lost part of the mapping raises SIGBUS.
 * Functions that read all of it look at the file's size once more first and
 * fail with -ESTALE, which leaves a short race. Who must not die of another's
 * truncate() reads from ne_eif_fd() instead, or opens a sealed memfd.
 *
 * Thread safety: an open image does not change, any number of threads may use
 * it at the same time; ne_eif_close() must be the last. A writer belongs to
 * one thread at a time.
 */
#ifndef NE_EIF_H
#define NE_EIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ne/error.h>
#include <ne/pcr.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of the header. The first section starts right behind it. */
#define NE_EIF_HEADER_SIZE 548
/** Bytes of the header that each section has. */
#define NE_EIF_SECTION_HEADER_SIZE 12
/** Sections that the header has room for. */
#define NE_EIF_MAX_SECTIONS 32
/** Largest signature section, in bytes. */
#define NE_EIF_MAX_SIGNATURE_SIZE 32768
/** The version that is written. */
#define NE_EIF_VERSION 4

/** The CPU that an image is for: bit 0 of the header's flags. */
enum ne_eif_arch {
	NE_EIF_X86_64 = 0,
	NE_EIF_AARCH64 = 1,
};

/** What a section holds. */
enum ne_eif_section_type {
	NE_EIF_SECTION_KERNEL = 1,
	NE_EIF_SECTION_CMDLINE = 2,
	NE_EIF_SECTION_RAMDISK = 3,
	NE_EIF_SECTION_SIGNATURE = 4,
	NE_EIF_SECTION_METADATA = 5,
};

/**
 * struct ne_eif_section - one section of an open image
 * @type: what it holds
 * @flags: reserved by the format, as found
 * @offset: where @data starts in the image, in bytes from its start (behind
 *          the section's own header)
 * @data: the content; belongs to the image and lives as long as it
 * @size: bytes of @data
 */
struct ne_eif_section {
	enum ne_eif_section_type type;
	uint16_t flags;
	uint64_t offset;
	const void *data;
	size_t size;
};

/** An open image. */
struct ne_eif;

/* --- Opening ------------------------------------------------------------ */

/**
 * ne_eif_open() - open an image file
 * @eif: the image, for ne_eif_close(); untouched on failure
 * @path: of the file
 * @err: the sentence of a failure, or NULL; it starts with @path
 *
 * Maps the file and checks the structure of the image in it: its magic and
 * version; that the sections lie one behind the other without gap or overlap
 * from the end of the header to the end of the file; that the sizes in the
 * header and in the sections agree; that there is one kernel, one command
 * line (without a zero byte in it), at least one ramdisk and none before the
 * kernel, at most one signature and metadata section each, metadata from
 * version 4 on. Reserved fields and flags are ignored, as Nitro does.
 *
 * Not checked: checksum, architecture, signature, and what the kernel, the
 * ramdisks and the metadata contain.
 *
 * Return: 0; -EBADMSG: not an image, or a damaged one; -ENOTSUP: a version
 * that is not supported; -EISDIR or -EINVAL: not a regular file; -EFBIG: it
 * does not fit into the address space; -ENOMEM; what open(2), fstat(2) and
 * mmap(2) fail with.
 */
int ne_eif_open(struct ne_eif **eif, const char *path, struct ne_error *err);

/**
 * ne_eif_open_fd() - open an image from a file descriptor
 * @eif: the image, for ne_eif_close(); untouched on failure
 * @fd: a regular file or memfd open for reading, the image is all of it; its
 *      file offset does not matter and is not moved. The image keeps a
 *      duplicate, the caller keeps @fd
 * @err: the sentence of a failure, or NULL
 *
 * Checks what ne_eif_open() checks.
 *
 * Return: as ne_eif_open(), and what fcntl(2) fails with.
 */
int ne_eif_open_fd(struct ne_eif **eif, int fd, struct ne_error *err);

/**
 * ne_eif_parse() - open an image in memory
 * @eif: the image, for ne_eif_close(); untouched on failure
 * @data: the image; borrowed: must stay until ne_eif_close()
 * @size: bytes of @data, all of which are the image
 * @err: the sentence of a failure, or NULL
 *
 * Checks what ne_eif_open() checks. @data may even change while it is being
 * parsed: every field is read once.
 *
 * Return: 0, -EBADMSG, -ENOTSUP, -ENOMEM as for ne_eif_open().
 */
int ne_eif_parse(struct ne_eif **eif, const void *data, size_t size,
		 struct ne_error *err);

/**
 * ne_eif_size_from_header() - how many bytes an image has
 * @header: the first NE_EIF_HEADER_SIZE bytes of the image
 * @size: bytes from the start of the header to the end of the last section
 * @err: the sentence of a failure, or NULL
 *
 * For those who find an image in memory whose end they do not know. Checks the
 * header alone; ne_eif_parse() is still to follow.
 *
 * Return: 0, -EBADMSG or -ENOTSUP as for ne_eif_open().
 */
int ne_eif_size_from_header(const void *header, uint64_t *size,
			    struct ne_error *err);

/**
 * ne_eif_close() - forget an image
 * @eif: an open image, or NULL
 */
void ne_eif_close(struct ne_eif *eif);

/* --- Looking into it ---------------------------------------------------- */

/** ne_eif_version() - the format's version: 2, 3 or 4. */
unsigned int ne_eif_version(const struct ne_eif *eif);

/** ne_eif_arch() - the CPU that the image is for. */
enum ne_eif_arch ne_eif_arch(const struct ne_eif *eif);

/** ne_eif_default_memory() - bytes, as its builder suggests; 0: nothing. */
uint64_t ne_eif_default_memory(const struct ne_eif *eif);

/** ne_eif_default_cpus() - as its builder suggests; 0: nothing. */
uint64_t ne_eif_default_cpus(const struct ne_eif *eif);

/** ne_eif_crc() - the checksum that the header claims. */
uint32_t ne_eif_crc(const struct ne_eif *eif);

/** ne_eif_data() - the whole image: ne_eif_size() bytes, header first. */
const void *ne_eif_data(const struct ne_eif *eif);

/** ne_eif_size() - bytes of the whole image. */
size_t ne_eif_size(const struct ne_eif *eif);

/**
 * ne_eif_fd() - the file that the image is read from
 *
 * For pread(2) and copy_file_range(2); belongs to the image.
 *
 * Return: a file descriptor, or -1 for an image from ne_eif_parse().
 */
int ne_eif_fd(const struct ne_eif *eif);

/** ne_eif_section_count() - 3 to NE_EIF_MAX_SECTIONS. */
unsigned int ne_eif_section_count(const struct ne_eif *eif);

/**
 * ne_eif_section() - a section by its place in the file
 * @index: from 0
 *
 * Return: the section, which belongs to the image; NULL if there are fewer.
 */
const struct ne_eif_section *ne_eif_section(const struct ne_eif *eif,
					    unsigned int index);

/** ne_eif_kernel() - the kernel's section; never NULL. */
const struct ne_eif_section *ne_eif_kernel(const struct ne_eif *eif);

/**
 * ne_eif_cmdline() - the section of the kernel's command line; never NULL
 *
 * Its data is no C string: nothing terminates it. There was no zero byte in it
 * when the image was opened.
 */
const struct ne_eif_section *ne_eif_cmdline(const struct ne_eif *eif);

/** ne_eif_ramdisk_count() - at least 1. */
unsigned int ne_eif_ramdisk_count(const struct ne_eif *eif);

/** ne_eif_ramdisk() - ramdisk @index, from 0; NULL if there are fewer. */
const struct ne_eif_section *ne_eif_ramdisk(const struct ne_eif *eif,
					    unsigned int index);

/** ne_eif_signature() - the signature's section, or NULL: unsigned. */
const struct ne_eif_section *ne_eif_signature(const struct ne_eif *eif);

/* --- Checking it -------------------------------------------------------- */

/**
 * ne_eif_arch_name() - "x86_64" or "aarch64"
 *
 * Return: a constant; "unknown" for another value.
 */
const char *ne_eif_arch_name(enum ne_eif_arch arch);

/**
 * ne_eif_check_arch() - is the image for the CPU that this program is built for
 * @eif: an open image
 * @err: the sentence of a failure, or NULL
 *
 * Return: 0; -ENOEXEC: it is for another.
 */
int ne_eif_check_arch(const struct ne_eif *eif, struct ne_error *err);

/**
 * ne_eif_check_crc() - does the image's checksum hold
 * @eif: an open image
 * @err: the sentence of a failure, or NULL
 *
 * One pass over the whole image: CRC-32 (ISO-HDLC) of everything but the
 * checksum's own field.
 *
 * Return: 0; -EBADMSG: it does not; -ESTALE: the file is no longer as large as
 * it was; what fstat(2) fails with.
 */
int ne_eif_check_crc(const struct ne_eif *eif, struct ne_error *err);

/**
 * struct ne_eif_measurements - the registers that an image determines
 * @pcr0: kernel, command line and all ramdisks
 * @pcr1: kernel, command line and the first ramdisk
 * @pcr2: the other ramdisks
 * @pcr8: the signing certificate; zero if !@is_signed
 * @is_signed: whether there is a signature section
 */
struct ne_eif_measurements {
	struct ne_pcr pcr0;
	struct ne_pcr pcr1;
	struct ne_pcr pcr2;
	struct ne_pcr pcr8;
	bool is_signed;
};

/**
 * ne_eif_measure() - measure an image as Nitro does
 * @eif: an open image
 * @measurements: the registers; untouched on failure
 * @err: the sentence of a failure, or NULL
 *
 * One pass over kernel, command line and ramdisks, the second and further
 * ramdisks by a second thread, in parallel. Does not verify the signature.
 *
 * Return: 0; -EBADMSG: the signature section is malformed; -ESTALE: the file
 * is no longer as large as it was; -ENOMEM; -EIO if OpenSSL fails.
 */
int ne_eif_measure(const struct ne_eif *eif,
		   struct ne_eif_measurements *measurements,
		   struct ne_error *err);

/**
 * ne_eif_metadata() - what the image's builder says about it
 * @eif: an open image
 * @json: a JSON object as it is in the image, terminated, for free(3); it is
 *        well-formed UTF-8 JSON, nothing more is known; untouched on failure
 * @err: the sentence of a failure, or NULL
 *
 * Metadata is not measured: no attestation vouches for any of it.
 *
 * Return: 0; -ENODATA: there is none (before version 4); -EBADMSG: it is no
 * JSON object; -EFBIG: more than 1 MiB; -ESTALE as above; -ENOMEM.
 */
int ne_eif_metadata(const struct ne_eif *eif, char **json,
		    struct ne_error *err);

/* --- Writing one -------------------------------------------------------- */

/** An image being written. */
struct ne_eif_writer;

/**
 * struct ne_eif_settings - what the header of a new image says
 * @arch: the CPU that it is for
 * @default_memory: suggestion in bytes; 0: none
 * @default_cpus: suggestion; 0: none
 */
struct ne_eif_settings {
	enum ne_eif_arch arch;
	uint64_t default_memory;
	uint64_t default_cpus;
};

/**
 * ne_eif_writer_new() - start an image
 * @writer: for ne_eif_writer_free(); untouched on failure
 * @fd: an empty regular file or memfd, open for reading and writing; the
 *      caller keeps it and leaves it open until the writer is freed
 * @settings: for the header; copied
 * @err: the sentence of a failure, or NULL
 *
 * The content of sections goes straight to the file: memory does not grow with
 * the image.
 *
 * Return: 0; -EINVAL: not an empty regular file, or an unknown architecture;
 * -ENOMEM; what fstat(2) fails with.
 */
int ne_eif_writer_new(struct ne_eif_writer **writer, int fd,
		      const struct ne_eif_settings *settings,
		      struct ne_error *err);

/**
 * ne_eif_writer_begin() - start the next section
 * @writer: an unfinished image
 * @type: what the section holds
 * @err: the sentence of a failure, or NULL
 *
 * Ends the section before it, if there is one.
 *
 * Return: 0; -E2BIG: it would be section NE_EIF_MAX_SECTIONS + 1; -EINVAL: an
 * unknown type; what an earlier call with this writer failed with.
 */
int ne_eif_writer_begin(struct ne_eif_writer *writer,
			enum ne_eif_section_type type, struct ne_error *err);

/**
 * ne_eif_writer_append() - more content for the section last begun
 * @writer: an unfinished image
 * @data: @size bytes
 * @size: bytes of @data
 * @err: the sentence of a failure, or NULL
 *
 * Return: 0; -EINVAL: no section has begun; what pwrite(2) fails with; what an
 * earlier call with this writer failed with.
 */
int ne_eif_writer_append(struct ne_eif_writer *writer, const void *data,
			 size_t size, struct ne_error *err);

/**
 * ne_eif_writer_append_fd() - the rest of a file for the section last begun
 * @writer: an unfinished image
 * @fd: read from its file offset to its end
 * @err: the sentence of a failure, or NULL
 *
 * Return: as ne_eif_writer_append(), and what read(2) fails with.
 */
int ne_eif_writer_append_fd(struct ne_eif_writer *writer, int fd,
			    struct ne_error *err);

/**
 * ne_eif_writer_finish() - write headers and checksum
 * @writer: an unfinished image
 * @err: the sentence of a failure, or NULL
 *
 * Reads the image back and makes the checks of ne_eif_open() on it, so that
 * what is finished can be opened. Nothing is synced to disk. Only
 * ne_eif_writer_free() may follow.
 *
 * Return: 0; -EBADMSG: not an image yet (say, no kernel); what reading and
 * pwrite(2) fail with; what an earlier call with this writer failed with.
 */
int ne_eif_writer_finish(struct ne_eif_writer *writer, struct ne_error *err);

/**
 * ne_eif_writer_free() - forget a writer, finished or not
 * @writer: or NULL
 *
 * What it has written stays in the caller's file.
 */
void ne_eif_writer_free(struct ne_eif_writer *writer);

#ifdef __cplusplus
}
#endif
#endif
