// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * serde writes a request or response without fields as a text, its name, and
 * one with fields as a map of one pair: the name, and a map of the fields.
 * An error is the pair "Error" and the text of its code.
 *
 * A response is read in one go. Each kind has a table of its fields, with a
 * function that reads the value of each; all of them must be there, once, in
 * any order; what the table does not know is skipped, as serde does it. Names
 * and maps may have their length in front or not.
 */
#include "libne/nsm_codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libne/cleanup.h"

/* --- Requests --------------------------------------------------------------- */

void nsm_client_put_describe(struct cbor_out *out)
{
	cbor_out_text(out, "DescribeNSM");
}

void nsm_client_put_random(struct cbor_out *out)
{
	cbor_out_text(out, "GetRandom");
}

/* Opens the map of the fields, too. */
static void put_name(struct cbor_out *out, const char *name, size_t fields)
{
	cbor_out_map(out, 1);
	cbor_out_text(out, name);
	cbor_out_map(out, fields);
}

static void put_number(struct cbor_out *out, const char *field, uint16_t value)
{
	cbor_out_text(out, field);
	cbor_out_unsigned(out, value);
}

void nsm_client_put_describe_pcr(struct cbor_out *out, uint16_t index)
{
	put_name(out, "DescribePCR", 1);
	put_number(out, "index", index);
}

void nsm_client_put_extend_pcr(struct cbor_out *out, uint16_t index,
			       const void *data, size_t size)
{
	put_name(out, "ExtendPCR", 2);
	put_number(out, "index", index);
	cbor_out_text(out, "data");
	cbor_out_bytes(out, data, size);
}

void nsm_client_put_lock_pcr(struct cbor_out *out, uint16_t index)
{
	put_name(out, "LockPCR", 1);
	put_number(out, "index", index);
}

void nsm_client_put_lock_pcrs(struct cbor_out *out, uint16_t range)
{
	put_name(out, "LockPCRs", 1);
	put_number(out, "range", range);
}

static void put_optional(struct cbor_out *out, const char *field,
			 const void *bytes, size_t size)
{
	cbor_out_text(out, field);
	if (bytes)
		cbor_out_bytes(out, bytes, size);
	else
		cbor_out_null(out);
}

void nsm_client_put_attestation(struct cbor_out *out,
				const struct ne_nsm_attest_input *input)
{
	put_name(out, "Attestation", 3);
	put_optional(out, "user_data", input->user_data, input->user_data_size);
	put_optional(out, "nonce", input->nonce, input->nonce_size);
	put_optional(out, "public_key", input->public_key,
		     input->public_key_size);
}

/* --- Values of a response --------------------------------------------------- */

/* Longer than any that is known. */
struct text {
	char start[NE_NSM_MODULE_ID_SIZE]; /* terminated, maybe cut */
	size_t size;			   /* of all of it */
};

/* The text whose head was taken. */
static bool read_text(struct cbor_in *in, struct cbor_item *item,
		      struct text *text)
{
	*text = (struct text){ 0 };
	return cbor_in_text(in, item, (uint8_t *)text->start,
			    sizeof(text->start) - 1, &text->size);
}

static bool next_text(struct cbor_in *in, struct text *text)
{
	struct cbor_item item;

	return cbor_in_next(in, &item) && read_text(in, &item, text);
}

static bool text_is(const struct text *text, const char *expected)
{
	return text->size == strlen(expected) &&
	       !memcmp(text->start, expected, text->size);
}

static bool read_number(struct cbor_in *in, void *to)
{
	struct cbor_item item;

	if (!cbor_in_next(in, &item) || item.kind != CBOR_IN_UNSIGNED ||
	    item.value > UINT16_MAX)
		return false;
	*(uint16_t *)to = (uint16_t)item.value;
	return true;
}

static bool read_bool(struct cbor_in *in, void *to)
{
	struct cbor_item item;

	if (!cbor_in_next(in, &item) || item.kind != CBOR_IN_BOOL)
		return false;
	*(bool *)to = item.value != 0;
	return true;
}

static bool read_pcr(struct cbor_in *in, void *to)
{
	struct ne_pcr *pcr = to;
	struct cbor_item item;
	size_t size;

	return cbor_in_next(in, &item) &&
	       cbor_in_blob(in, &item, pcr->bytes, sizeof(pcr->bytes), &size) &&
	       size == sizeof(pcr->bytes);
}

struct blob {
	uint8_t *to;
	size_t capacity;
	size_t size; /* may be more than the capacity */
};

static bool read_blob(struct cbor_in *in, void *to)
{
	struct blob *blob = to;
	struct cbor_item item;

	return cbor_in_next(in, &item) &&
	       cbor_in_blob(in, &item, blob->to, blob->capacity, &blob->size) &&
	       blob->size;
}

static bool is_utf8(const struct text *text)
{
	const struct cbor_item item = {
		.kind = CBOR_IN_TEXT,
		.value = strlen(text->start),
		.bytes = (const uint8_t *)text->start,
	};

	return cbor_item_is_utf8(&item);
}

static bool read_module_id(struct cbor_in *in, void *to)
{
	struct text text;

	/* strlen(): no zero in it, and not cut. */
	if (!next_text(in, &text) || strlen(text.start) != text.size ||
	    !is_utf8(&text))
		return false;
	memcpy(to, text.start, sizeof(text.start));
	return true;
}

/* A set of indices to a bit mask. */
static bool read_locked(struct cbor_in *in, void *to)
{
	uint32_t *locked = to;
	struct cbor_item array;
	uint16_t index;

	if (!cbor_in_next(in, &array) || array.kind != CBOR_IN_ARRAY)
		return false;
	*locked = 0;
	while (cbor_in_more(in, &array)) {
		if (!read_number(in, &index))
			return false;
		if (index < NE_PCR_COUNT)
			*locked |= UINT32_C(1) << index;
	}
	return true;
}

static const char *const digest_names[] = {
	[NE_NSM_SHA256] = "SHA256",
	[NE_NSM_SHA384] = "SHA384",
	[NE_NSM_SHA512] = "SHA512",
};

const char *ne_nsm_digest_name(enum ne_nsm_digest digest)
{
	if ((size_t)digest >= ARRAY_SIZE(digest_names))
		return "unknown";
	return digest_names[digest];
}

static bool read_digest(struct cbor_in *in, void *to)
{
	struct text text;

	if (!next_text(in, &text))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(digest_names); i++) {
		if (!text_is(&text, digest_names[i]))
			continue;
		*(enum ne_nsm_digest *)to = (enum ne_nsm_digest)i;
		return true;
	}
	return false;
}

/* --- Errors ----------------------------------------------------------------- */

static const struct {
	const char *name;
	int code;
	const char *sentence;
} errors[] = {
	{ "InvalidArgument", EINVAL, "it cannot read an argument" },
	{ "InvalidIndex", ERANGE,
	  "it has no such PCR; an enclave has PCR 0 to 31" },
	{ "InvalidResponse", EPROTO,
	  "the response does not belong to the request" },
	{ "ReadOnlyIndex", EROFS,
	  "the PCR is locked, as 0 to 15 are from the boot on; use one of 16 "
	  "to 31 that has not been locked" },
	{ "InvalidOperation", EOPNOTSUPP, "it does not know this request" },
	{ "BufferTooSmall", ENOBUFS, "the response does not fit" },
	{ "InputTooLarge", E2BIG,
	  "too much data; 512 bytes of user data, 512 of a nonce, 1024 of a "
	  "public key and a request of 4096 are safe" },
	{ "InternalError", EIO,
	  "the fault is its own, and nothing is "
	  "wrong with the request; who runs it may know more" },
};

static int read_error(struct cbor_in *in, struct ne_error *err)
{
	struct text text;

	if (!next_text(in, &text))
		return ne_error_set(err, EPROTO,
				    "the NSM answers a malformed error");
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (text_is(&text, errors[i].name))
			return ne_error_set(err, errors[i].code,
					    "the NSM answers %s: %s",
					    errors[i].name, errors[i].sentence);
	return ne_error_set(err, EPROTO, "the NSM answers an unknown error%s%s",
			    is_utf8(&text) ? ": " : "",
			    is_utf8(&text) ? text.start : "");
}

/* --- Responses -------------------------------------------------------------- */

struct field {
	const char *name;
	bool (*read)(struct cbor_in *in, void *to);
	void *to;
};

/* The value of the field; or of none that is known. */
static bool read_value(struct cbor_in *in, const struct text *name,
		       const struct field *fields, size_t n, unsigned int *seen)
{
	for (size_t i = 0; i < n; i++) {
		if (!text_is(name, fields[i].name))
			continue;
		if (*seen & 1U << i)
			return false;
		*seen |= 1U << i;
		return fields[i].read(in, fields[i].to);
	}
	return cbor_in_skip(in);
}

static bool read_fields(struct cbor_in *in, const struct field *fields,
			size_t n)
{
	unsigned int seen = 0;
	struct cbor_item map;
	struct text name;

	if (!cbor_in_next(in, &map) || map.kind != CBOR_IN_MAP)
		return false;
	while (cbor_in_more(in, &map))
		if (!next_text(in, &name) ||
		    !read_value(in, &name, fields, n, &seen))
			return false;
	return seen == (1U << n) - 1;
}

static int malformed(const char *name, struct ne_error *err)
{
	return ne_error_set(err, EPROTO,
			    "the NSM's response is no %s response as "
			    "aws-nitro-enclaves-nsm-api has it",
			    name);
}

/* What is under the name, up to the end of the map around both. */
static int read_named(struct cbor_in *in, struct cbor_item *map,
		      const char *name, const struct field *fields, size_t n,
		      struct ne_error *err)
{
	struct text key;
	int ret = 0;

	if (!cbor_in_more(in, map) || !next_text(in, &key))
		return malformed(name, err);
	if (text_is(&key, "Error"))
		ret = read_error(in, err);
	else if (!text_is(&key, name) ||
		 !(n ? read_fields(in, fields, n) : cbor_in_skip(in)))
		return malformed(name, err);
	if (cbor_in_more(in, map) || in->left)
		return malformed(name, err);
	return ret;
}

/* n: number of fields; 0: the name says it all. */
static int read_response(struct cbor_in in, const char *name,
			 const struct field *fields, size_t n,
			 struct ne_error *err)
{
	struct cbor_item item;
	struct text text;

	if (!cbor_in_next(&in, &item))
		return malformed(name, err);
	if (item.kind == CBOR_IN_MAP)
		return read_named(&in, &item, name, fields, n, err);
	if (n || !read_text(&in, &item, &text) || !text_is(&text, name) ||
	    in.left)
		return malformed(name, err);
	return 0;
}

int nsm_client_read_describe(struct cbor_in response,
			     struct ne_nsm_description *description,
			     struct ne_error *err)
{
	struct ne_nsm_description read = { 0 };
	const struct field fields[] = {
		{ "version_major", read_number, &read.version_major },
		{ "version_minor", read_number, &read.version_minor },
		{ "version_patch", read_number, &read.version_patch },
		{ "module_id", read_module_id, read.module_id },
		{ "max_pcrs", read_number, &read.max_pcrs },
		{ "locked_pcrs", read_locked, &read.locked_pcrs },
		{ "digest", read_digest, &read.digest },
	};
	int ret = read_response(response, "DescribeNSM", fields,
				ARRAY_SIZE(fields), err);

	if (!ret)
		*description = read;
	return ret;
}

int nsm_client_read_describe_pcr(struct cbor_in response, struct ne_pcr *value,
				 bool *locked, struct ne_error *err)
{
	struct ne_pcr pcr;
	bool lock;
	const struct field fields[] = {
		{ "lock", read_bool, &lock },
		{ "data", read_pcr, &pcr },
	};
	int ret = read_response(response, "DescribePCR", fields,
				ARRAY_SIZE(fields), err);

	if (ret)
		return ret;
	if (value)
		*value = pcr;
	if (locked)
		*locked = lock;
	return 0;
}

int nsm_client_read_extend_pcr(struct cbor_in response, struct ne_pcr *value,
			       struct ne_error *err)
{
	struct ne_pcr extended;
	const struct field field = { "data", read_pcr, &extended };
	int ret = read_response(response, "ExtendPCR", &field, 1, err);

	if (!ret && value)
		*value = extended;
	return ret;
}

int nsm_client_read_lock_pcr(struct cbor_in response, struct ne_error *err)
{
	return read_response(response, "LockPCR", NULL, 0, err);
}

int nsm_client_read_lock_pcrs(struct cbor_in response, struct ne_error *err)
{
	return read_response(response, "LockPCRs", NULL, 0, err);
}

int nsm_client_read_random(struct cbor_in response, uint8_t *to,
			   size_t capacity, size_t *size, struct ne_error *err)
{
	struct blob random = { .to = to, .capacity = capacity };
	const struct field field = { "random", read_blob, &random };
	int ret = read_response(response, "GetRandom", &field, 1, err);

	if (!ret)
		*size = random.size < capacity ? random.size : capacity;
	return ret;
}

int nsm_client_read_attestation(struct cbor_in response, uint8_t **document,
				size_t *size, struct ne_error *err)
{
	/* Each byte of it takes at least one of the response. */
	cleanup_free uint8_t *bytes = malloc(response.left ? response.left : 1);
	struct blob read = { .to = bytes, .capacity = response.left };
	const struct field field = { "document", read_blob, &read };
	int ret;

	if (!bytes)
		return ne_error_set(err, ENOMEM, "out of memory");
	ret = read_response(response, "Attestation", &field, 1, err);
	if (ret)
		return ret;
	*document = take_ptr(&bytes);
	*size = read.size;
	return 0;
}
