// SPDX-License-Identifier: Apache-2.0
#include "ne-attest/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libne/cleanup.h"

/* Hexadecimal, with a line break now and then. */
#define MAX_FILE (3 * NE_ATTESTATION_MAX_SIZE)

static bool is_text(const struct bytes *bytes)
{
	for (size_t i = 0; i < bytes->size; i++)
		if (bytes->data[i] >= 0x80 || !bytes->data[i])
			return false;
	return bytes->size;
}

/* Removes what is around and in encoded text; terminates it. */
static void squeeze(struct bytes *text)
{
	size_t kept = 0;

	for (size_t i = 0; i < text->size; i++)
		if (!strchr(" \t\r\n\"'", text->data[i]))
			text->data[kept++] = text->data[i];
	text->size = kept;
	text->data[kept] = '\0';
}

/* -EINVAL: neither. No sentences: that is no failure here. */
static int decode_text(struct bytes *decoded, const char *text)
{
	int ret = bytes_from_hex(decoded, text, NULL);

	/* No document's base64 is hexadecimal: it begins with "hE" or "0oR". */
	return ret == -EINVAL ? bytes_from_base64(decoded, text, NULL) : ret;
}

int document_decode(struct bytes *document, struct ne_error *err)
{
	struct bytes decoded = { 0 };
	int ret;

	/* A COSE structure starts with a byte above 0x7f. */
	if (!is_text(document))
		return 0;
	squeeze(document);
	ret = decode_text(&decoded, (const char *)document->data);
	if (ret == -EINVAL)
		return 0;
	if (ret)
		return ne_error_set(err, -ret, "cannot decode text: %s",
				    ne_strerror(ret));
	bytes_free(document);
	*document = decoded;
	return 0;
}

int document_read(struct bytes *document, const char *path,
		  struct ne_error *err)
{
	int ret = bytes_read(document, path, MAX_FILE, err);

	return ret ? ret : document_decode(document, err);
}

/* As services log documents: in a field of an object */
static bool is_json(const struct bytes *document)
{
	size_t at = 0;

	while (at < document->size && strchr(" \t\r\n", document->data[at]))
		at++;
	return at < document->size &&
	       (document->data[at] == '{' || document->data[at] == '[');
}

int document_parse(struct ne_attestation **attestation,
		   const struct bytes *document, struct ne_error *err)
{
	int ret = ne_attestation_parse(attestation, document->data,
				       document->size, err);
	struct ne_error why;

	if (ret != -EBADMSG || !is_json(document))
		return ret;
	why = *err;
	return ne_error_set(err, EBADMSG,
			    "%s; it looks like JSON: take the field with the "
			    "document out of it, as jq -r .FIELD does",
			    why.text);
}
