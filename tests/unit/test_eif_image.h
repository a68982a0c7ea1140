/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes enclave images byte by byte, also wrong ones, without any of libne.
 */
#ifndef TEST_EIF_IMAGE_H
#define TEST_EIF_IMAGE_H

#include <stdint.h>
#include <stddef.h>

#include <ne/error.h>

enum {
	KERNEL = 1,
	CMDLINE = 2,
	RAMDISK = 3,
	SIGNATURE = 4,
	METADATA = 5,
};

/* Offsets of the header, as the format's specification draws them. */
enum {
	AT_VERSION = 0x4,
	AT_FLAGS = 0x6,
	AT_DEFAULT_MEMORY = 0x8,
	AT_DEFAULT_CPUS = 0x10,
	AT_SECTION_COUNT = 0x1a,
	AT_OFFSETS = 0x1c,
	AT_SIZES = 0x11c,
	AT_CRC = 0x220,
	HEADER_SIZE = 0x224,
	SECTION_HEADER_SIZE = 12,
};

/*
 * bytes: exactly size of them, from malloc(), so that a sanitizer sees a read
 *	beyond the end.
 */
struct image {
	uint8_t *bytes;
	size_t size;
	unsigned int count;
	size_t starts[40]; /* of each section, its header first */
};

/* A header alone. */
struct image *image_new(unsigned int version);
/* Kernel, command line, metadata, two ramdisks; version 4. */
struct image *image_new_typical(void);
void image_free(struct image *image);

/* Adds a section and says so in the header. */
void image_add(struct image *image, unsigned int type, const void *data,
	       size_t size);
void image_add_text(struct image *image, unsigned int type, const char *text);
void image_append(struct image *image, const void *data, size_t size);
void image_cut(struct image *image, size_t size);
/* Writes the checksum that the image should have. */
void image_seal(struct image *image);

void image_put16(struct image *image, size_t at, unsigned int value);
void image_put32(struct image *image, size_t at, uint32_t value);
void image_put64(struct image *image, size_t at, uint64_t value);

/*
 * The code and the sentence of a failure are what they should be. @fragment is
 * part of the sentence.
 */
void check_failure(int ret, const struct ne_error *err, int code,
		   const char *fragment);

#endif
