// SPDX-License-Identifier: Apache-2.0
#include "libne/cbor.h"

#include <string.h>

#include <cbor.h>

#include "libne/utf8.h"

/* --- libcbor's callbacks: each fills a struct cbor_item ------------------ */

static void got(struct cbor_item *item, enum cbor_in_kind kind, uint64_t value)
{
	item->kind = kind;
	item->value = value;
}

static void got_uint8(void *item, uint8_t value)
{
	got(item, CBOR_IN_UNSIGNED, value);
}

static void got_uint16(void *item, uint16_t value)
{
	got(item, CBOR_IN_UNSIGNED, value);
}

static void got_uint32(void *item, uint32_t value)
{
	got(item, CBOR_IN_UNSIGNED, value);
}

static void got_uint64(void *item, uint64_t value)
{
	got(item, CBOR_IN_UNSIGNED, value);
}

static void got_negint8(void *item, uint8_t value)
{
	got(item, CBOR_IN_NEGATIVE, value);
}

static void got_negint16(void *item, uint16_t value)
{
	got(item, CBOR_IN_NEGATIVE, value);
}

static void got_negint32(void *item, uint32_t value)
{
	got(item, CBOR_IN_NEGATIVE, value);
}

static void got_negint64(void *item, uint64_t value)
{
	got(item, CBOR_IN_NEGATIVE, value);
}

static void got_string(struct cbor_item *item, enum cbor_in_kind kind,
		       cbor_data bytes, uint64_t size)
{
	got(item, kind, size);
	item->bytes = bytes;
}

static void got_bytes(void *item, cbor_data bytes, size_t size)
{
	got_string(item, CBOR_IN_BYTES, bytes, size);
}

static void got_text(void *item, cbor_data bytes, size_t size)
{
	got_string(item, CBOR_IN_TEXT, bytes, size);
}

static void got_indefinite(struct cbor_item *item, enum cbor_in_kind kind)
{
	item->kind = kind;
	item->indefinite = true;
}

static void got_bytes_start(void *item)
{
	got_indefinite(item, CBOR_IN_BYTES);
}

static void got_text_start(void *item)
{
	got_indefinite(item, CBOR_IN_TEXT);
}

static void got_array(void *item, size_t elements)
{
	got(item, CBOR_IN_ARRAY, elements);
}

static void got_array_start(void *item)
{
	got_indefinite(item, CBOR_IN_ARRAY);
}

static void got_map(void *item, size_t pairs)
{
	got(item, CBOR_IN_MAP, pairs);
}

static void got_map_start(void *item)
{
	got_indefinite(item, CBOR_IN_MAP);
}

static void got_tag(void *item, uint64_t tag)
{
	got(item, CBOR_IN_TAG, tag);
}

static void got_float(void *item, float value __attribute__((unused)))
{
	got(item, CBOR_IN_OTHER, 0);
}

static void got_double(void *item, double value __attribute__((unused)))
{
	got(item, CBOR_IN_OTHER, 0);
}

static void got_undefined(void *item)
{
	got(item, CBOR_IN_OTHER, 0);
}

static void got_bool(void *item, bool value)
{
	got(item, CBOR_IN_BOOL, value);
}

static void got_null(void *item)
{
	got(item, CBOR_IN_NULL, 0);
}

static void got_break(void *item)
{
	got(item, CBOR_IN_BREAK, 0);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = got_uint8,
	.uint16 = got_uint16,
	.uint32 = got_uint32,
	.uint64 = got_uint64,
	.negint8 = got_negint8,
	.negint16 = got_negint16,
	.negint32 = got_negint32,
	.negint64 = got_negint64,
	.byte_string = got_bytes,
	.byte_string_start = got_bytes_start,
	.string = got_text,
	.string_start = got_text_start,
	.array_start = got_array,
	.indef_array_start = got_array_start,
	.map_start = got_map,
	.indef_map_start = got_map_start,
	.tag = got_tag,
	.float2 = got_float,
	.float4 = got_float,
	.float8 = got_double,
	.undefined = got_undefined,
	.null = got_null,
	.boolean = got_bool,
	.indef_break = got_break,
};

/* --- Reading -------------------------------------------------------------- */

static void take(struct cbor_in *in, size_t size)
{
	in->at += size;
	in->left -= size;
}

/*
 * Heads that are well-formed, but that libcbor calls malformed: simple values
 * that nobody has given a meaning, and (in 0.8 at least) tags 6 to 20 in a single
 * byte, COSE_Sign1's among them. False: it is none of these.
 */
static bool next_unassigned(struct cbor_in *in, struct cbor_item *item)
{
	uint8_t first = in->left ? in->at[0] : 0;

	if (first >= 0xc6 && first <= 0xd4) {
		got_tag(item, first - 0xc0);
		take(in, 1);
		return true;
	}
	if (first >= 0xe0 && first <= 0xf3) {
		take(in, 1);
		return true;
	}
	/* Values below 32 must not take two bytes [RFC 8949, 3.3]. */
	if (first == 0xf8 && in->left >= 2 && in->at[1] >= 32) {
		take(in, 2);
		return true;
	}
	return false;
}

bool cbor_in_next(struct cbor_in *in, struct cbor_item *item)
{
	struct cbor_decoder_result result;

	*item = (struct cbor_item){ .kind = CBOR_IN_OTHER };
	if (next_unassigned(in, item))
		return true;
	result = cbor_stream_decode(in->at, in->left, &callbacks, item);
	if (result.status == CBOR_DECODER_NEDATA)
		in->is_cut = true;
	if (result.status != CBOR_DECODER_FINISHED)
		return false;
	take(in, result.read);
	return true;
}

bool cbor_in_more(struct cbor_in *in, struct cbor_item *collection)
{
	struct cbor_in ahead = *in;
	struct cbor_item item;

	if (!collection->indefinite)
		return collection->value && collection->value--;
	if (!cbor_in_next(&ahead, &item) || item.kind != CBOR_IN_BREAK)
		return true;
	*in = ahead;
	return false;
}

/* The pieces of an indefinite string are definite ones of its kind. */
static bool next_piece(struct cbor_in *in, const struct cbor_item *string,
		       struct cbor_item *piece)
{
	return cbor_in_next(in, piece) && piece->kind == string->kind &&
	       !piece->indefinite;
}

static bool skip(struct cbor_in *in, unsigned int depth);

static bool skip_content(struct cbor_in *in, struct cbor_item *item,
			 unsigned int depth)
{
	struct cbor_item piece;

	switch (item->kind) {
	case CBOR_IN_TAG:
		return skip(in, depth);
	case CBOR_IN_BYTES:
	case CBOR_IN_TEXT:
		while (item->indefinite && cbor_in_more(in, item))
			if (!next_piece(in, item, &piece))
				return false;
		return true;
	case CBOR_IN_ARRAY:
	case CBOR_IN_MAP:
		while (cbor_in_more(in, item))
			if (!skip(in, depth) ||
			    (item->kind == CBOR_IN_MAP && !skip(in, depth)))
				return false;
		return true;
	case CBOR_IN_BREAK:
		return false;
	default:
		return true;
	}
}

static bool skip(struct cbor_in *in, unsigned int depth)
{
	struct cbor_item item;

	return depth && cbor_in_next(in, &item) &&
	       skip_content(in, &item, depth - 1);
}

bool cbor_in_skip(struct cbor_in *in)
{
	return skip(in, CBOR_IN_DEPTH);
}

bool cbor_item_is_text(const struct cbor_item *item, const char *text)
{
	return item->kind == CBOR_IN_TEXT && !item->indefinite &&
	       item->value == strlen(text) &&
	       !memcmp(item->bytes, text, item->value);
}

/* Where the content of a blob goes. */
struct blob {
	uint8_t *to;
	size_t capacity;
	size_t size;
};

static void add_to_blob(struct blob *blob, const uint8_t *bytes, size_t size)
{
	if (blob->size < blob->capacity && size) {
		size_t room = blob->capacity - blob->size;

		memcpy(blob->to + blob->size, bytes, size < room ? size : room);
	}
	/* Cannot wrap: all of it lies in the input. */
	blob->size += size;
}

static bool read_integers(struct cbor_in *in, struct cbor_item *array,
			  struct blob *blob)
{
	struct cbor_item element;
	uint8_t byte;

	while (cbor_in_more(in, array)) {
		if (!cbor_in_next(in, &element) ||
		    element.kind != CBOR_IN_UNSIGNED ||
		    element.value > UINT8_MAX)
			return false;
		byte = (uint8_t)element.value;
		add_to_blob(blob, &byte, 1);
	}
	return true;
}

static bool read_pieces(struct cbor_in *in, struct cbor_item *string,
			struct blob *blob)
{
	struct cbor_item piece;

	while (cbor_in_more(in, string)) {
		if (!next_piece(in, string, &piece))
			return false;
		add_to_blob(blob, piece.bytes, piece.value);
	}
	return true;
}

static bool read_string(struct cbor_in *in, struct cbor_item *string,
			struct blob *blob)
{
	if (string->indefinite)
		return read_pieces(in, string, blob);
	add_to_blob(blob, string->bytes, string->value);
	return true;
}

bool cbor_in_blob(struct cbor_in *in, struct cbor_item *item, uint8_t *to,
		  size_t capacity, size_t *size)
{
	struct blob blob = { .to = to, .capacity = capacity };
	bool done = false;

	if (item->kind == CBOR_IN_ARRAY)
		done = read_integers(in, item, &blob);
	else if (item->kind == CBOR_IN_BYTES)
		done = read_string(in, item, &blob);
	*size = blob.size;
	return done;
}

bool cbor_in_text(struct cbor_in *in, struct cbor_item *item, uint8_t *to,
		  size_t capacity, size_t *size)
{
	struct blob text = { .to = to, .capacity = capacity };
	bool done = item->kind == CBOR_IN_TEXT && read_string(in, item, &text);

	*size = text.size;
	return done;
}

bool cbor_item_is_utf8(const struct cbor_item *item)
{
	uint64_t at = 0;

	while (at < item->value) {
		uint32_t code;
		size_t length =
			utf8_read(item->bytes + at, item->value - at, &code);

		if (!length)
			return false;
		at += length;
	}
	return true;
}

/* --- Writing -------------------------------------------------------------- */

/* libcbor's encoders say how many bytes they wrote, 0: they did not fit. */
static void wrote(struct cbor_out *out, size_t size)
{
	out->used += size;
	if (!size)
		out->full = true;
}

static uint8_t *end_of(const struct cbor_out *out)
{
	return out->start + out->used;
}

static size_t room_in(const struct cbor_out *out)
{
	return out->full ? 0 : out->capacity - out->used;
}

void cbor_out_unsigned(struct cbor_out *out, uint64_t value)
{
	wrote(out, cbor_encode_uint(value, end_of(out), room_in(out)));
}

void cbor_out_negative(struct cbor_out *out, uint64_t value)
{
	wrote(out, cbor_encode_negint(value, end_of(out), room_in(out)));
}

void cbor_out_raw(struct cbor_out *out, const void *bytes, size_t size)
{
	if (size > room_in(out)) {
		out->full = true;
		return;
	}
	if (size)
		memcpy(end_of(out), bytes, size);
	out->used += size;
}

void cbor_out_bytes_head(struct cbor_out *out, size_t size)
{
	wrote(out,
	      cbor_encode_bytestring_start(size, end_of(out), room_in(out)));
}

void cbor_out_bytes(struct cbor_out *out, const void *bytes, size_t size)
{
	cbor_out_bytes_head(out, size);
	cbor_out_raw(out, bytes, size);
}

void cbor_out_text(struct cbor_out *out, const char *text)
{
	size_t size = strlen(text);

	wrote(out, cbor_encode_string_start(size, end_of(out), room_in(out)));
	cbor_out_raw(out, text, size);
}

void cbor_out_array(struct cbor_out *out, size_t elements)
{
	wrote(out,
	      cbor_encode_array_start(elements, end_of(out), room_in(out)));
}

void cbor_out_map(struct cbor_out *out, size_t pairs)
{
	wrote(out, cbor_encode_map_start(pairs, end_of(out), room_in(out)));
}

void cbor_out_map_start(struct cbor_out *out)
{
	wrote(out, cbor_encode_indef_map_start(end_of(out), room_in(out)));
}

void cbor_out_break(struct cbor_out *out)
{
	wrote(out, cbor_encode_break(end_of(out), room_in(out)));
}

void cbor_out_bool(struct cbor_out *out, bool value)
{
	wrote(out, cbor_encode_bool(value, end_of(out), room_in(out)));
}

void cbor_out_null(struct cbor_out *out)
{
	wrote(out, cbor_encode_null(end_of(out), room_in(out)));
}
