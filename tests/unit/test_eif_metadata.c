// SPDX-License-Identifier: Apache-2.0
#include <ne/eif.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_eif_image.h"

static struct ne_eif *open_with(struct image **image, const void *metadata,
				size_t size)
{
	struct ne_eif *eif;

	*image = image_new(4);
	image_add_text(*image, KERNEL, "k");
	image_add_text(*image, CMDLINE, "c");
	image_add_text(*image, RAMDISK, "r");
	image_add(*image, METADATA, metadata, size);
	assert_int_equal(
		ne_eif_parse(&eif, (*image)->bytes, (*image)->size, NULL), 0);
	return eif;
}

static void accept(const char *metadata)
{
	struct image *image;
	struct ne_eif *eif = open_with(&image, metadata, strlen(metadata));
	struct ne_error err = { 0 };
	char *json;

	if (ne_eif_metadata(eif, &json, &err))
		fail_msg("%s: refused: %s", metadata, err.text);
	assert_string_equal(json, metadata);
	free(json);
	ne_eif_close(eif);
	image_free(image);
}

static void refuse(const void *metadata, size_t size, int code,
		   const char *fragment)
{
	struct image *image;
	struct ne_eif *eif = open_with(&image, metadata, size);
	struct ne_error err = { 0 };
	char *json = NULL;

	check_failure(ne_eif_metadata(eif, &json, &err), &err, code, fragment);
	assert_null(json);
	ne_eif_close(eif);
	image_free(image);
}

static void refuse_text(const char *metadata, const char *fragment)
{
	refuse(metadata, strlen(metadata), EBADMSG, fragment);
}

static void metadata_is_given_as_it_is(void **state)
{
	(void)state;
	accept("{}");
	accept("{\"ImageName\": \"\xc3\xa4\", \"DockerInfo\": {\"Size\": "
	       "99999999999999999999}}\n");
}

static void images_before_version_4_have_none(void **state)
{
	struct image *image = image_new(3);
	struct ne_error err = { 0 };
	struct ne_eif *eif;
	char *json;

	(void)state;
	image_add_text(image, KERNEL, "k");
	image_add_text(image, CMDLINE, "c");
	image_add_text(image, RAMDISK, "r");
	assert_int_equal(ne_eif_parse(&eif, image->bytes, image->size, &err),
			 0);
	check_failure(ne_eif_metadata(eif, &json, &err), &err, ENODATA,
		      "the image has no metadata; its format version is 3");
	ne_eif_close(eif);
	image_free(image);
}

static void what_is_no_json_object_is_refused(void **state)
{
	(void)state;
	refuse_text("", "no JSON object: line 1 column 0");
	refuse_text("{", "no JSON object: line 1 column 1");
	refuse_text("{\"a\":\"\xff\"}", "no JSON object");
	refuse_text("[]", "the metadata is JSON, but no object");
	refuse_text("{} {}", "no JSON object");
	refuse("{}\0", 3, EBADMSG, "no JSON object");
}

static void deep_nesting_is_refused(void **state)
{
	char *text = malloc(100001);

	(void)state;
	assert_non_null(text);
	memset(text, '[', 100000);
	text[100000] = 0;
	refuse_text(text, "no JSON object");
	free(text);
}

static void at_most_a_mebibyte_is_read(void **state)
{
	size_t size = 1024 * 1024 + 1;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text, "{}", 2);
	refuse(text, size, EFBIG,
	       "has 1048577 bytes, at most 1048576 are read");
	text[size - 1] = 0;
	accept(text);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_is_given_as_it_is),
		cmocka_unit_test(images_before_version_4_have_none),
		cmocka_unit_test(what_is_no_json_object_is_refused),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(at_most_a_mebibyte_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
