// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/request.h"

#include <string.h>

#include "libne/cbor.h"
#include "libne/cleanup.h"

/* --- Names and tagged items ----------------------------------------------- */

/* More than the longest name has: what is longer is no name of ours. */
#define NAME_MAX_SIZE 16

/* Tags say nothing here; serde ignores them, too. */
static bool next_untagged(struct cbor_in *in, struct cbor_item *item)
{
	do {
		if (!cbor_in_next(in, item))
			return false;
	} while (item->kind == CBOR_IN_TAG);
	return true;
}

struct name {
	uint8_t bytes[NAME_MAX_SIZE];
	size_t size;
};

/* False: the item, whose head was taken, is no text. */
static bool read_name(struct cbor_in *in, struct cbor_item *item,
		      struct name *name)
{
	return cbor_in_text(in, item, name->bytes, sizeof(name->bytes),
			    &name->size);
}

static bool name_is(const struct name *name, const char *expected)
{
	return name->size == strlen(expected) &&
	       name->size <= sizeof(name->bytes) &&
	       !memcmp(name->bytes, expected, name->size);
}

/* --- Fields ----------------------------------------------------------------- */

static bool read_u16(struct cbor_in *in, uint16_t *value)
{
	struct cbor_item item;

	if (!next_untagged(in, &item) || item.kind != CBOR_IN_UNSIGNED ||
	    item.value > UINT16_MAX)
		return false;
	*value = (uint16_t)item.value;
	return true;
}

static bool read_index(struct cbor_in *in, struct nsm_request *request)
{
	return read_u16(in, &request->index);
}

static bool read_range(struct cbor_in *in, struct nsm_request *request)
{
	return read_u16(in, &request->range);
}

/* The head of a blob was taken. */
static bool add_blob(struct cbor_in *in, struct cbor_item *item,
		     struct nsm_request *request, struct nsm_blob *blob)
{
	size_t room = sizeof(request->content) - request->content_size;
	uint8_t *to = request->content + request->content_size;
	bool is_text = item->kind == CBOR_IN_TEXT;

	if (is_text ? !cbor_in_text(in, item, to, room, &blob->size)
		    : !cbor_in_blob(in, item, to, room, &blob->size))
		return false;
	/* Every byte of content took one of the request at least. */
	if (blob->size > room)
		return false;
	blob->present = true;
	blob->offset = request->content_size;
	request->content_size += blob->size;
	return true;
}

static bool read_data(struct cbor_in *in, struct nsm_request *request)
{
	struct cbor_item item;

	return next_untagged(in, &item) &&
	       add_blob(in, &item, request, &request->data);
}

static bool read_optional(struct cbor_in *in, struct nsm_request *request,
			  struct nsm_blob *blob)
{
	struct cbor_item item;

	if (!next_untagged(in, &item))
		return false;
	return item.kind == CBOR_IN_NULL || add_blob(in, &item, request, blob);
}

static bool read_user_data(struct cbor_in *in, struct nsm_request *request)
{
	return read_optional(in, request, &request->user_data);
}

static bool read_nonce(struct cbor_in *in, struct nsm_request *request)
{
	return read_optional(in, request, &request->nonce);
}

static bool read_public_key(struct cbor_in *in, struct nsm_request *request)
{
	return read_optional(in, request, &request->public_key);
}

/* --- Operations ------------------------------------------------------------- */

#define FIELDS_MAX 3

struct field {
	const char *name;
	bool (*read)(struct cbor_in *in, struct nsm_request *request);
	bool optional;
};

/* Without a field: it has none, and is no map. */
struct operation {
	const char *name;
	struct field fields[FIELDS_MAX];
};

#define MUST(field)                                  \
	{                                            \
		.name = #field, .read = read_##field \
	}
#define MAY(field)                                                     \
	{                                                              \
		.name = #field, .read = read_##field, .optional = true \
	}

static const struct operation operations[] = {
	[NSM_DESCRIBE_PCR] = { .name = "DescribePCR",
			       .fields = { MUST(index) } },
	[NSM_EXTEND_PCR] = { .name = "ExtendPCR",
			     .fields = { MUST(index), MUST(data) } },
	[NSM_LOCK_PCR] = { .name = "LockPCR", .fields = { MUST(index) } },
	[NSM_LOCK_PCRS] = { .name = "LockPCRs", .fields = { MUST(range) } },
	[NSM_DESCRIBE_NSM] = { .name = "DescribeNSM" },
	[NSM_ATTESTATION] = { .name = "Attestation",
			      .fields = { MAY(user_data), MAY(nonce),
					  MAY(public_key) } },
	[NSM_GET_RANDOM] = { .name = "GetRandom" },
};

static bool find_operation(const struct name *name,
			   enum nsm_operation *operation)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (name_is(name, operations[i].name)) {
			*operation = (enum nsm_operation)i;
			return true;
		}
	}
	return false;
}

static bool has_fields(const struct operation *operation)
{
	return operation->fields[0].name;
}

/* The number of a field; FIELDS_MAX: there is none of this name. */
static size_t find_field(const struct operation *operation,
			 const struct name *name)
{
	size_t i = 0;

	while (i < FIELDS_MAX && (!operation->fields[i].name ||
				  !name_is(name, operation->fields[i].name)))
		i++;
	return i;
}

/* A key and its value; seen: bit n for field n. */
static bool read_field(struct cbor_in *in, const struct operation *operation,
		       struct nsm_request *request, unsigned int *seen)
{
	struct cbor_in start = *in;
	struct cbor_item key;
	struct name name;
	size_t field;

	if (!next_untagged(in, &key))
		return false;
	if (!read_name(in, &key, &name)) {
		*in = start;
		return cbor_in_skip(in) && cbor_in_skip(in);
	}
	field = find_field(operation, &name);
	if (field == FIELDS_MAX)
		return cbor_in_skip(in);
	if (*seen >> field & 1)
		return false;
	*seen |= 1U << field;
	return operation->fields[field].read(in, request);
}

static bool is_complete(const struct operation *operation, unsigned int seen)
{
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		const struct field *field = &operation->fields[i];

		if (field->name && !field->optional && !(seen >> i & 1))
			return false;
	}
	return true;
}

static bool read_fields(struct cbor_in *in, const struct operation *operation,
			struct nsm_request *request)
{
	struct cbor_item map;
	unsigned int seen = 0;

	if (!next_untagged(in, &map) || map.kind != CBOR_IN_MAP)
		return false;
	while (cbor_in_more(in, &map))
		if (!read_field(in, operation, request, &seen))
			return false;
	return is_complete(operation, seen);
}

/* What serde's unit is read from. */
static bool read_nothing(struct cbor_in *in)
{
	struct cbor_item item;

	return next_untagged(in, &item) && item.kind == CBOR_IN_NULL;
}

/* --- Requests --------------------------------------------------------------- */

static enum nsm_error read_unit(struct cbor_in *in, struct cbor_item *text,
				struct nsm_request *request)
{
	struct name name;

	if (!read_name(in, text, &name) ||
	    !find_operation(&name, &request->operation))
		return NSM_INVALID_OPERATION;
	return has_fields(&operations[request->operation])
		       ? NSM_INVALID_ARGUMENT
		       : NSM_SUCCESS;
}

static enum nsm_error read_map(struct cbor_in *in, struct cbor_item *map,
			       struct nsm_request *request)
{
	const struct operation *operation;
	struct cbor_in value;
	struct cbor_item key;
	struct name name;

	if (!cbor_in_more(in, map) || !next_untagged(in, &key) ||
	    !read_name(in, &key, &name))
		return NSM_INVALID_OPERATION;
	value = *in;
	if (!cbor_in_skip(in) || cbor_in_more(in, map) ||
	    !find_operation(&name, &request->operation))
		return NSM_INVALID_OPERATION;
	operation = &operations[request->operation];
	if (has_fields(operation) ? !read_fields(&value, operation, request)
				  : !read_nothing(&value))
		return NSM_INVALID_ARGUMENT;
	return NSM_SUCCESS;
}

static bool is_one_item(struct cbor_in in)
{
	return cbor_in_skip(&in) && !in.left;
}

/* Leaves the content as it is: only what is read into it counts. */
static void start(struct nsm_request *request)
{
	request->index = 0;
	request->range = 0;
	request->data = (struct nsm_blob){ .present = false };
	request->user_data = (struct nsm_blob){ .present = false };
	request->nonce = (struct nsm_blob){ .present = false };
	request->public_key = (struct nsm_blob){ .present = false };
	request->content_size = 0;
}

enum nsm_error nsm_request_read(struct nsm_request *request, const void *bytes,
				size_t size)
{
	struct cbor_in in = { .at = bytes, .left = size };
	struct cbor_item item;

	start(request);
	if (size > NSM_REQUEST_MAX)
		return NSM_INPUT_TOO_LARGE;
	if (!is_one_item(in) || !next_untagged(&in, &item))
		return NSM_INVALID_OPERATION;
	return item.kind == CBOR_IN_MAP ? read_map(&in, &item, request)
					: read_unit(&in, &item, request);
}
