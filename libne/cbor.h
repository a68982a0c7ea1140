/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR, one head at a time: what is read and written here is small, comes
 * from strangers, and has a known shape, so there is never a tree of it.
 *
 * libcbor takes a head apart and puts one together; this adds a cursor over
 * bytes, the ends of collections, and a bound on what can be skipped. Memory
 * and depth stay bounded whatever lengths the input claims, and every item
 * takes at least one byte of it, so that loops end.
 *
 * Internal to this house: not installed.
 */
#ifndef LIBNE_CBOR_H
#define LIBNE_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- Reading -------------------------------------------------------------- */

enum cbor_in_kind {
	CBOR_IN_UNSIGNED,
	CBOR_IN_NEGATIVE,
	CBOR_IN_BYTES,
	CBOR_IN_TEXT,
	CBOR_IN_ARRAY,
	CBOR_IN_MAP,
	CBOR_IN_TAG,
	CBOR_IN_BOOL,
	CBOR_IN_NULL,
	CBOR_IN_OTHER, /* undefined, a float, a simple value without meaning */
	CBOR_IN_BREAK, /* the end of something indefinite */
};

/* The head of an item; of a whole, definite string also its content. */
struct cbor_item {
	enum cbor_in_kind kind;
	/*
	 * CBOR_IN_UNSIGNED: the number; CBOR_IN_NEGATIVE: n for -1 - n;
	 * CBOR_IN_TAG: the tag; CBOR_IN_BOOL: 0 or 1;
	 * strings: their bytes; arrays: elements, maps: pairs that are left.
	 */
	uint64_t value;
	const uint8_t *bytes; /* of a string: into the input */
	bool indefinite; /* a collection, or a string in pieces: no value */
};

/* What is left of the input. */
struct cbor_in {
	const uint8_t *at;
	size_t left;
	bool is_cut; /* something failed for want of more of it */
};

/*
 * Takes the next head, a tag's or a break's included. False, and nothing
 * taken: the input ends here, or is malformed.
 */
bool cbor_in_next(struct cbor_in *in, struct cbor_item *item);
/*
 * Is there another element in the collection, or another piece in the
 * indefinite string, whose head was taken? Takes the end of an indefinite
 * one. True at the end of the input: the next cbor_in_next() fails.
 */
bool cbor_in_more(struct cbor_in *in, struct cbor_item *collection);
/* Skips a whole item of any kind, at most CBOR_IN_DEPTH deep. */
#define CBOR_IN_DEPTH 16
bool cbor_in_skip(struct cbor_in *in);
/* Is it this text, definite? */
bool cbor_item_is_text(const struct cbor_item *item, const char *text);
/* Is the text valid UTF-8, as CBOR demands? */
bool cbor_item_is_utf8(const struct cbor_item *item);
/*
 * The bytes of what serde and others make of a blob, whose head was taken: a
 * byte string, whole or in pieces, or an array of integers 0 to 255. Copies
 * at most `capacity` bytes of it, and says how many there are. False: it is
 * none of these, or malformed.
 */
bool cbor_in_blob(struct cbor_in *in, struct cbor_item *item, uint8_t *to,
		  size_t capacity, size_t *size);
/* The same for a text, whole or in pieces; its UTF-8 is not checked. */
bool cbor_in_text(struct cbor_in *in, struct cbor_item *item, uint8_t *to,
		  size_t capacity, size_t *size);

/* --- Writing -------------------------------------------------------------- */

/*
 * Where it goes. Every number and length takes the fewest bytes that hold it,
 * as serde writes them. What does not fit is left out, `full` is set, and
 * stays so.
 */
struct cbor_out {
	uint8_t *start;
	size_t used;
	size_t capacity;
	bool full;
};

void cbor_out_unsigned(struct cbor_out *out, uint64_t value);
/* -1 - value */
void cbor_out_negative(struct cbor_out *out, uint64_t value);
void cbor_out_bytes(struct cbor_out *out, const void *bytes, size_t size);
/* A byte string's head; its content is for the caller to add. */
void cbor_out_bytes_head(struct cbor_out *out, size_t size);
void cbor_out_text(struct cbor_out *out, const char *text);
void cbor_out_array(struct cbor_out *out, size_t elements);
void cbor_out_map(struct cbor_out *out, size_t pairs);
void cbor_out_map_start(struct cbor_out *out); /* indefinite, up to a break */
void cbor_out_break(struct cbor_out *out);
void cbor_out_bool(struct cbor_out *out, bool value);
void cbor_out_null(struct cbor_out *out);
/* Bytes that are CBOR already. */
void cbor_out_raw(struct cbor_out *out, const void *bytes, size_t size);

#endif
