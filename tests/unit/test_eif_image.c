// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/test_eif_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct image *image_new(unsigned int version)
{
	struct image *image = calloc(1, sizeof(*image));
	uint8_t header[HEADER_SIZE] = { '.', 'e', 'i', 'f' };

	assert_non_null(image);
	image_append(image, header, sizeof(header));
	image_put16(image, AT_VERSION, version);
	return image;
}

struct image *image_new_typical(void)
{
	struct image *image = image_new(4);

	image_add_text(image, KERNEL, "kernel");
	image_add_text(image, CMDLINE, "console=ttyS0");
	image_add_text(image, METADATA, "{}");
	image_add_text(image, RAMDISK, "boot ramdisk");
	image_add_text(image, RAMDISK, "application");
	return image;
}

void image_free(struct image *image)
{
	free(image->bytes);
	free(image);
}

void image_append(struct image *image, const void *data, size_t size)
{
	image->bytes = realloc(image->bytes, image->size + size);
	assert_non_null(image->bytes);
	if (size)
		memcpy(image->bytes + image->size, data, size);
	image->size += size;
}

void image_cut(struct image *image, size_t size)
{
	uint8_t *shorter = malloc(size ? size : 1);

	assert_non_null(shorter);
	memcpy(shorter, image->bytes, size);
	free(image->bytes);
	image->bytes = shorter;
	image->size = size;
}

void image_add(struct image *image, unsigned int type, const void *data,
	       size_t size)
{
	uint8_t header[SECTION_HEADER_SIZE] = { 0 };
	size_t start = image->size;
	unsigned int i = image->count++;

	image->starts[i] = start;
	image_append(image, header, sizeof(header));
	image_put16(image, start, type);
	image_put64(image, start + 4, size);
	image_append(image, data, size);
	image_put16(image, AT_SECTION_COUNT, image->count);
	image_put64(image, AT_OFFSETS + 8 * i, start);
	image_put64(image, AT_SIZES + 8 * i, size);
}

void image_add_text(struct image *image, unsigned int type, const char *text)
{
	image_add(image, type, text, strlen(text));
}

/* The bitwise definition of CRC-32/ISO-HDLC. */
static uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t size)
{
	int bit;

	while (size--) {
		crc ^= *bytes++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

void image_seal(struct image *image)
{
	uint32_t crc = crc32(0xffffffff, image->bytes, AT_CRC);

	crc = crc32(crc, image->bytes + HEADER_SIZE, image->size - HEADER_SIZE);
	image_put32(image, AT_CRC, ~crc);
}

static void put(struct image *image, size_t at, uint64_t value, size_t size)
{
	assert_true(at + size <= image->size);
	while (size--) {
		image->bytes[at + size] = (uint8_t)value;
		value >>= 8;
	}
}

void image_put16(struct image *image, size_t at, unsigned int value)
{
	put(image, at, value, 2);
}

void image_put32(struct image *image, size_t at, uint32_t value)
{
	put(image, at, value, 4);
}

void image_put64(struct image *image, size_t at, uint64_t value)
{
	put(image, at, value, 8);
}

void check_failure(int ret, const struct ne_error *err, int code,
		   const char *fragment)
{
	assert_int_equal(ret, -code);
	assert_int_equal(err->code, code);
	if (!strstr(err->text, fragment))
		fail_msg("\"%s\" does not say \"%s\"", err->text, fragment);
}
