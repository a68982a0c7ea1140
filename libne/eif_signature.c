// SPDX-License-Identifier: Apache-2.0
/*
 * The signature section: who signed the image.
 *
 * Theory of operation
 *
 * The section is CBOR: an array of maps {"signing_certificate": PEM,
 * "signature": COSE_Sign1}, of which the first counts. serde, which AWS's
 * tools write it with, makes arrays of integers of both; byte strings are
 * taken too.
 *
 * libcbor decodes one head at a time here and builds no tree: memory and depth
 * stay bounded whatever lengths a hostile section claims. Every element takes
 * at least one byte of a section of at most 32768, so loops end soon as well.
 */
#include "libne/eif_internal.h"

#include <errno.h>
#include <string.h>

#include <cbor.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "libne/cleanup.h"

/* Of what is skipped. Signatures as they are need 2. */
#define MAX_DEPTH 8
#define CBOR_BREAK 0xff

enum kind {
	KIND_INTEGER,
	KIND_BYTES,
	KIND_TEXT,
	KIND_ARRAY,
	KIND_MAP,
	KIND_TAG,
	KIND_OTHER,	  /* a simple value or a float */
	KIND_UNSUPPORTED, /* negative, or a string in pieces */
};

struct item {
	enum kind kind;
	uint64_t value;	      /* of an integer */
	const uint8_t *bytes; /* of a string, count bytes */
	uint64_t count;	      /* elements, or pairs of a map */
	bool indefinite;      /* count is unknown */
};

struct cursor {
	const uint8_t *at;
	size_t left;
};

/* --- libcbor's callbacks: each fills a struct item ---------------------- */

static void got(void *data, enum kind kind)
{
	struct item *item = data;

	item->kind = kind;
}

static void got_integer(void *data, uint64_t value)
{
	struct item *item = data;

	item->kind = KIND_INTEGER;
	item->value = value;
}

static void got_uint8(void *data, uint8_t value)
{
	got_integer(data, value);
}

static void got_uint16(void *data, uint16_t value)
{
	got_integer(data, value);
}

static void got_uint32(void *data, uint32_t value)
{
	got_integer(data, value);
}

static void got_negint8(void *data, uint8_t value __attribute__((unused)))
{
	got(data, KIND_UNSUPPORTED);
}

static void got_negint16(void *data, uint16_t value __attribute__((unused)))
{
	got(data, KIND_UNSUPPORTED);
}

static void got_negint32(void *data, uint32_t value __attribute__((unused)))
{
	got(data, KIND_UNSUPPORTED);
}

static void got_negint64(void *data, uint64_t value __attribute__((unused)))
{
	got(data, KIND_UNSUPPORTED);
}

static void got_pieces(void *data)
{
	got(data, KIND_UNSUPPORTED);
}

static void got_string(struct item *item, enum kind kind, cbor_data bytes,
		       uint64_t size)
{
	item->kind = kind;
	item->bytes = bytes;
	item->count = size;
}

static void got_bytes(void *data, cbor_data bytes, size_t size)
{
	got_string(data, KIND_BYTES, bytes, size);
}

static void got_text(void *data, cbor_data bytes, size_t size)
{
	got_string(data, KIND_TEXT, bytes, size);
}

static void got_collection(struct item *item, enum kind kind, uint64_t count)
{
	item->kind = kind;
	item->count = count;
}

static void got_array(void *data, size_t count)
{
	got_collection(data, KIND_ARRAY, count);
}

static void got_map(void *data, size_t count)
{
	got_collection(data, KIND_MAP, count);
}

static void got_array_start(void *data)
{
	struct item *item = data;

	item->kind = KIND_ARRAY;
	item->indefinite = true;
}

static void got_map_start(void *data)
{
	struct item *item = data;

	item->kind = KIND_MAP;
	item->indefinite = true;
}

static void got_tag(void *data, uint64_t value __attribute__((unused)))
{
	got(data, KIND_TAG);
}

static void got_float(void *data, float value __attribute__((unused)))
{
	got(data, KIND_OTHER);
}

static void got_double(void *data, double value __attribute__((unused)))
{
	got(data, KIND_OTHER);
}

static void got_bool(void *data, bool value __attribute__((unused)))
{
	got(data, KIND_OTHER);
}

static void got_simple(void *data)
{
	got(data, KIND_OTHER);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = got_uint8,
	.uint16 = got_uint16,
	.uint32 = got_uint32,
	.uint64 = got_integer,
	.negint8 = got_negint8,
	.negint16 = got_negint16,
	.negint32 = got_negint32,
	.negint64 = got_negint64,
	.byte_string = got_bytes,
	.byte_string_start = got_pieces,
	.string = got_text,
	.string_start = got_pieces,
	.array_start = got_array,
	.indef_array_start = got_array_start,
	.map_start = got_map,
	.indef_map_start = got_map_start,
	.tag = got_tag,
	.float2 = got_float,
	.float4 = got_float,
	.float8 = got_double,
	.undefined = got_simple,
	.null = got_simple,
	.boolean = got_bool,
	.indef_break = got_pieces,
};

/* --- Walking ------------------------------------------------------------ */

static bool next(struct cursor *cursor, struct item *item)
{
	struct cbor_decoder_result result;

	*item = (struct item){ .kind = KIND_UNSUPPORTED };
	result = cbor_stream_decode(cursor->at, cursor->left, &callbacks, item);
	if (result.status != CBOR_DECODER_FINISHED ||
	    item->kind == KIND_UNSUPPORTED)
		return false;
	cursor->at += result.read;
	cursor->left -= result.read;
	return true;
}

/* Is there another element? Consumes the end of an indefinite collection. */
static bool more(struct cursor *cursor, struct item *collection)
{
	if (!collection->indefinite)
		return collection->count && collection->count--;
	if (!cursor->left || *cursor->at != CBOR_BREAK)
		return true;
	cursor->at++;
	cursor->left--;
	return false;
}

static bool skip(struct cursor *cursor, unsigned int depth)
{
	struct item item;

	if (depth > MAX_DEPTH || !next(cursor, &item))
		return false;
	if (item.kind == KIND_TAG)
		return skip(cursor, depth + 1);
	if (item.kind != KIND_ARRAY && item.kind != KIND_MAP)
		return true;
	while (more(cursor, &item)) {
		if (!skip(cursor, depth + 1))
			return false;
		if (item.kind == KIND_MAP && !skip(cursor, depth + 1))
			return false;
	}
	return true;
}

struct blob {
	uint8_t *bytes;
	size_t size;
};

static void cleanup_blobp(struct blob *blob)
{
	free(blob->bytes);
}

#define cleanup_blob __attribute__((cleanup(cleanup_blobp)))

static bool read_byte_array(struct cursor *cursor, struct item *array,
			    struct blob *blob)
{
	struct item element;

	/* Every element takes a byte, so there are no more than that. */
	blob->bytes = malloc(cursor->left + 1);
	while (more(cursor, array)) {
		if (!blob->bytes || !next(cursor, &element) ||
		    element.kind != KIND_INTEGER || element.value > UINT8_MAX)
			return false;
		blob->bytes[blob->size++] = (uint8_t)element.value;
	}
	return blob->bytes;
}

/* A byte string, or an array of integers that are bytes. Not twice. */
static bool read_blob(struct cursor *cursor, struct blob *blob)
{
	struct item item;

	if (blob->bytes || !next(cursor, &item))
		return false;
	if (item.kind == KIND_ARRAY)
		return read_byte_array(cursor, &item, blob);
	if (item.kind != KIND_BYTES)
		return false;
	blob->bytes = malloc(item.count + 1);
	if (!blob->bytes)
		return false;
	memcpy(blob->bytes, item.bytes, item.count);
	blob->size = item.count;
	return true;
}

static bool is_text(const struct item *item, const char *text)
{
	return item->kind == KIND_TEXT && item->count == strlen(text) &&
	       !memcmp(item->bytes, text, item->count);
}

static bool read_entry(struct cursor *cursor, struct blob *certificate,
		       struct blob *signature)
{
	struct item map, key;
	bool done;

	if (!next(cursor, &map) || map.kind != KIND_MAP)
		return false;
	while (more(cursor, &map)) {
		if (!next(cursor, &key))
			return false;
		if (is_text(&key, "signing_certificate"))
			done = read_blob(cursor, certificate);
		else if (is_text(&key, "signature"))
			done = read_blob(cursor, signature);
		else
			done = key.kind == KIND_TEXT && skip(cursor, 0);
		if (!done)
			return false;
	}
	return certificate->bytes && signature->bytes;
}

/* The first entry; the rest must only be well-formed. */
static bool read_section(const struct ne_eif_section *section,
			 struct blob *certificate, struct blob *signature)
{
	struct cursor cursor = { .at = section->data, .left = section->size };
	struct item array;

	if (!next(&cursor, &array) || array.kind != KIND_ARRAY ||
	    !more(&cursor, &array) ||
	    !read_entry(&cursor, certificate, signature))
		return false;
	while (more(&cursor, &array))
		if (!skip(&cursor, 0))
			return false;
	return cursor.left == 0;
}

/* --- The certificate ---------------------------------------------------- */

static void cleanup_biop(BIO **bio)
{
	BIO_free(*bio);
}

static void cleanup_x509p(X509 **x509)
{
	X509_free(*x509);
}

#define cleanup_bio __attribute__((cleanup(cleanup_biop)))
#define cleanup_x509 __attribute__((cleanup(cleanup_x509p)))

/* OpenSSL's own would ask on the terminal. */
static int no_password(char *buffer __attribute__((unused)),
		       int size __attribute__((unused)),
		       int writing __attribute__((unused)),
		       void *data __attribute__((unused)))
{
	return -1;
}

static int bad_certificate(struct ne_error *err)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return ne_error_set(err, EBADMSG,
			    "the signing certificate is no PEM certificate: %s",
			    why ? why : "unknown reason");
}

static int pem_to_der(const struct blob *pem, uint8_t **der, size_t *size,
		      struct ne_error *err)
{
	cleanup_bio BIO *bio = BIO_new_mem_buf(pem->bytes, (int)pem->size);
	cleanup_x509 X509 *certificate = NULL;
	unsigned char *end;
	int length;

	if (bio)
		certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	if (!certificate)
		return bad_certificate(err);
	length = i2d_X509(certificate, NULL);
	if (length <= 0)
		return bad_certificate(err);
	*der = malloc((size_t)length);
	if (!*der)
		return ne_error_set(err, ENOMEM, "out of memory");
	end = *der;
	*size = (size_t)i2d_X509(certificate, &end);
	return 0;
}

int eif_signing_certificate(const struct ne_eif_section *section, uint8_t **der,
			    size_t *size, struct ne_error *err)
{
	cleanup_blob struct blob certificate = { 0 };
	cleanup_blob struct blob signature = { 0 };

	if (!read_section(section, &certificate, &signature))
		return ne_error_set(err, EBADMSG,
				    "the signature section is no CBOR array of "
				    "signing certificates and signatures");
	return pem_to_der(&certificate, der, size, err);
}
