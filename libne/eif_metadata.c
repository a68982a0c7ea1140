// SPDX-License-Identifier: Apache-2.0
#include "libne/eif_internal.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "libne/cleanup.h"

/*
 * AWS's tools write a few kilobytes; what "docker image inspect" says about an
 * image is the largest part. The limit keeps parsing cheap.
 */
#define MAX_METADATA_SIZE (1024 * 1024)

static int check_json(const char *text, size_t size, struct ne_error *err)
{
	json_error_t why;
	json_t *json;
	bool is_object;

	/* As real: integers beyond 64 bits are valid JSON too. */
	json = json_loadb(text, size, JSON_DECODE_INT_AS_REAL, &why);
	if (!json)
		return ne_error_set(err, EBADMSG,
				    "the metadata is no JSON object: line %d "
				    "column %d: %s",
				    why.line, why.column, why.text);
	is_object = json_is_object(json);
	json_decref(json);
	if (!is_object)
		return ne_error_set(err, EBADMSG,
				    "the metadata is JSON, but no object");
	return 0;
}

int ne_eif_metadata(const struct ne_eif *eif, char **json, struct ne_error *err)
{
	const struct ne_eif_section *section = eif->metadata;
	cleanup_free char *text = NULL;
	int ret;

	if (!section)
		return ne_error_set(err, ENODATA,
				    "the image has no metadata; its format "
				    "version is %u",
				    eif->header.version);
	if (section->size > MAX_METADATA_SIZE)
		return ne_error_set(err, EFBIG,
				    "the metadata has %zu bytes, at most %d "
				    "are read",
				    section->size, MAX_METADATA_SIZE);
	ret = eif_check_size(eif, err);
	if (ret)
		return ret;
	text = malloc(section->size + 1);
	if (!text)
		return ne_error_set(err, ENOMEM, "out of memory");
	memcpy(text, section->data, section->size);
	text[section->size] = 0;
	ret = check_json(text, section->size, err);
	if (!ret)
		*json = take_ptr(&text);
	return ret;
}
