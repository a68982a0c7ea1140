// SPDX-License-Identifier: Apache-2.0
/*
 * The EIF reader: structure, checksum, measurements with the signature
 * section, metadata.
 *
 * The first byte of the input chooses what the rest is, so that no seeds are
 * needed to get past the header:
 *
 *	0: an image
 *	1: changes to a valid image, three bytes each: offset, new value
 *	2: the content of a valid image's signature section
 *	3: the content of a valid image's metadata section
 */
#include <ne/eif.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libne/endian.h"
#include "tests/fuzz/fuzz.h"

enum { WHOLE, CHANGES, SIGNATURE, METADATA, MODES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct image {
	uint8_t *bytes;
	size_t size;
	unsigned int sections;
};

static void add_section(struct image *image, unsigned int type,
			const void *content, size_t size)
{
	size_t start = image->size;

	image->size += NE_EIF_SECTION_HEADER_SIZE + size;
	image->bytes = realloc(image->bytes, image->size);
	if (!image->bytes)
		abort();
	memset(image->bytes + start, 0, NE_EIF_SECTION_HEADER_SIZE);
	put_big_endian16(image->bytes + start, (uint16_t)type);
	put_big_endian64(image->bytes + start + 4, size);
	if (size)
		memcpy(image->bytes + start + NE_EIF_SECTION_HEADER_SIZE,
		       content, size);
	put_big_endian64(image->bytes + 28 + 8 * image->sections, start);
	put_big_endian64(image->bytes + 284 + 8 * image->sections, size);
	image->sections++;
	put_big_endian16(image->bytes + 26, (uint16_t)image->sections);
}

static struct image valid_image(const void *signature, size_t signature_size,
				const void *metadata, size_t metadata_size)
{
	struct image image = { .size = NE_EIF_HEADER_SIZE };

	image.bytes = calloc(1, image.size);
	if (!image.bytes)
		abort();
	memcpy(image.bytes, ".eif", 4);
	put_big_endian16(image.bytes + 4, 4);
	add_section(&image, NE_EIF_SECTION_KERNEL, "kernel", 6);
	add_section(&image, NE_EIF_SECTION_CMDLINE, "quiet", 5);
	add_section(&image, NE_EIF_SECTION_METADATA, metadata, metadata_size);
	add_section(&image, NE_EIF_SECTION_RAMDISK, "boot", 4);
	add_section(&image, NE_EIF_SECTION_RAMDISK, "application", 11);
	add_section(&image, NE_EIF_SECTION_SIGNATURE, signature,
		    signature_size);
	return image;
}

static void change(struct image *image, const uint8_t *data, size_t size)
{
	for (; size >= 3; data += 3, size -= 3) {
		size_t at = get_big_endian16(data);

		if (at < image->size)
			image->bytes[at] = data[2];
	}
}

static struct image make_image(unsigned int mode, const uint8_t *data,
			       size_t size)
{
	struct image image = { 0 };

	switch (mode) {
	case CHANGES:
		image = valid_image("\x80", 1, "{}", 2);
		change(&image, data, size);
		return image;
	case SIGNATURE:
		return valid_image(data, size, "{}", 2);
	case METADATA:
		return valid_image("\x80", 1, data, size);
	default:
		/* Exactly as large, so that reads beyond the end are seen. */
		image.bytes = malloc(size ? size : 1);
		if (!image.bytes)
			abort();
		image.size = size;
		memcpy(image.bytes, data, size);
		return image;
	}
}

/* Keeps touch() from being optimised away. */
static volatile uint32_t sum;

/* Reads every byte that is handed out. */
static uint32_t touch(const struct ne_eif *eif)
{
	uint32_t hash = 0;
	unsigned int i;
	size_t j;

	for (i = 0; i < ne_eif_section_count(eif); i++) {
		const struct ne_eif_section *section = ne_eif_section(eif, i);
		const uint8_t *bytes = section->data;

		for (j = 0; j < section->size; j++)
			hash = hash * 31 + bytes[j];
	}
	return hash;
}

static void use(const struct image *image)
{
	struct ne_eif_measurements measurements;
	struct ne_error err = { 0 };
	struct ne_eif *eif;
	char *json;
	int ret;

	fuzz_calls_may_fail();
	ret = ne_eif_parse(&eif, image->bytes, image->size, &err);
	fuzz_calls_succeed();
	if (ret) {
		if (!err.code || !*err.text)
			abort();
		return;
	}
	if (!ne_eif_kernel(eif) || !ne_eif_cmdline(eif) ||
	    !ne_eif_ramdisk(eif, 0))
		abort();
	sum = touch(eif);
	fuzz_calls_may_fail();
	ne_eif_check_crc(eif, &err);
	ne_eif_measure(eif, &measurements, &err);
	if (!ne_eif_metadata(eif, &json, &err))
		free(json);
	fuzz_calls_succeed();
	ne_eif_close(eif);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image;
	uint64_t total;

	if (!size)
		return 0;
	image = make_image(data[0] % MODES, data + 1, size - 1);
	if (image.size >= NE_EIF_HEADER_SIZE)
		ne_eif_size_from_header(image.bytes, &total, NULL);
	use(&image);
	free(image.bytes);
	return 0;
}
