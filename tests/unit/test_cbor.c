// SPDX-License-Identifier: Apache-2.0
/*
 * CBOR, head by head: the examples of RFC 8949 (appendix A), what it calls
 * not well-formed (appendix F), and the bounds.
 */
#include "libne/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "libne/cleanup.h"
#include "tests/unit/bytes.h"

static uint8_t bytes[65536];

static struct cbor_in in_of(const char *notation)
{
	return (struct cbor_in){
		.at = bytes,
		.left = bytes_read(notation, bytes, sizeof(bytes)),
	};
}

/* --- Heads ------------------------------------------------------------------ */

struct head {
	const char *bytes;
	enum cbor_in_kind kind;
	uint64_t value;
	bool indefinite;
};

static const struct head heads[] = {
	{ "00", CBOR_IN_UNSIGNED, 0, false },
	{ "17", CBOR_IN_UNSIGNED, 23, false },
	{ "1818", CBOR_IN_UNSIGNED, 24, false },
	{ "1864", CBOR_IN_UNSIGNED, 100, false },
	{ "1903e8", CBOR_IN_UNSIGNED, 1000, false },
	{ "1a000f4240", CBOR_IN_UNSIGNED, 1000000, false },
	{ "1b000000e8d4a51000", CBOR_IN_UNSIGNED, 1000000000000, false },
	{ "1bffffffffffffffff", CBOR_IN_UNSIGNED, UINT64_MAX, false },
	/* Longer than they must be. */
	{ "1800", CBOR_IN_UNSIGNED, 0, false },
	{ "190000", CBOR_IN_UNSIGNED, 0, false },
	{ "1a00000000", CBOR_IN_UNSIGNED, 0, false },
	{ "1b0000000000000000", CBOR_IN_UNSIGNED, 0, false },
	{ "20", CBOR_IN_NEGATIVE, 0, false },
	{ "3822", CBOR_IN_NEGATIVE, 34, false },
	{ "3903e7", CBOR_IN_NEGATIVE, 999, false },
	{ "3a000f423f", CBOR_IN_NEGATIVE, 999999, false },
	{ "3bffffffffffffffff", CBOR_IN_NEGATIVE, UINT64_MAX, false },
	{ "40", CBOR_IN_BYTES, 0, false },
	{ "4401020304", CBOR_IN_BYTES, 4, false },
	{ "580101", CBOR_IN_BYTES, 1, false },
	{ "59000101", CBOR_IN_BYTES, 1, false },
	{ "5a0000000101", CBOR_IN_BYTES, 1, false },
	{ "5b000000000000000101", CBOR_IN_BYTES, 1, false },
	{ "5f", CBOR_IN_BYTES, 0, true },
	{ "60", CBOR_IN_TEXT, 0, false },
	{ "64'IETF'", CBOR_IN_TEXT, 4, false },
	{ "7801'a'", CBOR_IN_TEXT, 1, false },
	{ "790001'a'", CBOR_IN_TEXT, 1, false },
	{ "7a00000001'a'", CBOR_IN_TEXT, 1, false },
	{ "7b0000000000000001'a'", CBOR_IN_TEXT, 1, false },
	{ "7f", CBOR_IN_TEXT, 0, true },
	{ "80", CBOR_IN_ARRAY, 0, false },
	{ "9819", CBOR_IN_ARRAY, 25, false },
	{ "990100", CBOR_IN_ARRAY, 256, false },
	{ "9a00010000", CBOR_IN_ARRAY, 65536, false },
	{ "9bffffffffffffffff", CBOR_IN_ARRAY, UINT64_MAX, false },
	{ "9f", CBOR_IN_ARRAY, 0, true },
	{ "a0", CBOR_IN_MAP, 0, false },
	{ "b820", CBOR_IN_MAP, 32, false },
	{ "b90100", CBOR_IN_MAP, 256, false },
	{ "ba00010000", CBOR_IN_MAP, 65536, false },
	{ "bbffffffffffffffff", CBOR_IN_MAP, UINT64_MAX, false },
	{ "bf", CBOR_IN_MAP, 0, true },
	{ "c0", CBOR_IN_TAG, 0, false },
	{ "c6", CBOR_IN_TAG, 6, false },
	{ "d2", CBOR_IN_TAG, 18, false }, /* COSE_Sign1 */
	{ "d4", CBOR_IN_TAG, 20, false },
	{ "d7", CBOR_IN_TAG, 23, false },
	{ "d812", CBOR_IN_TAG, 18, false },
	{ "d9d9f7", CBOR_IN_TAG, 55799, false },
	{ "da00010000", CBOR_IN_TAG, 65536, false },
	{ "dbffffffffffffffff", CBOR_IN_TAG, UINT64_MAX, false },
	{ "f4", CBOR_IN_BOOL, 0, false },
	{ "f5", CBOR_IN_BOOL, 1, false },
	{ "f6", CBOR_IN_NULL, 0, false },
	{ "f7", CBOR_IN_OTHER, 0, false }, /* undefined */
	{ "e0", CBOR_IN_OTHER, 0, false }, /* simple values */
	{ "f3", CBOR_IN_OTHER, 0, false },
	{ "f820", CBOR_IN_OTHER, 0, false },
	{ "f8ff", CBOR_IN_OTHER, 0, false },
	{ "f90000", CBOR_IN_OTHER, 0, false }, /* floats */
	{ "f90001", CBOR_IN_OTHER, 0, false },
	{ "f97bff", CBOR_IN_OTHER, 0, false },
	{ "f97c00", CBOR_IN_OTHER, 0, false },
	{ "f97e00", CBOR_IN_OTHER, 0, false },
	{ "f9fc00", CBOR_IN_OTHER, 0, false },
	{ "fa47c35000", CBOR_IN_OTHER, 0, false },
	{ "fb3ff199999999999a", CBOR_IN_OTHER, 0, false },
	{ "ff", CBOR_IN_BREAK, 0, false },
};

static void heads_are_read_in_every_width(void **state)
{
	struct cbor_item item;
	struct cbor_in in;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		in = in_of(heads[i].bytes);
		if (!cbor_in_next(&in, &item) || in.left ||
		    item.kind != heads[i].kind ||
		    item.value != heads[i].value ||
		    item.indefinite != heads[i].indefinite)
			fail_msg("%s", heads[i].bytes);
	}
}

/* Whatever follows is not read, and what is missing is not, either. */
static void heads_end_where_they_end(void **state)
{
	struct cbor_item item;
	struct cbor_in in;
	size_t size;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		size = in_of(heads[i].bytes).left;
		bytes[size] = 0xff;
		in = (struct cbor_in){ .at = bytes, .left = size + 1 };
		assert_true(cbor_in_next(&in, &item));
		assert_int_equal(in.left, 1);
		assert_ptr_equal(in.at, bytes + size);
		while (size--) {
			in = (struct cbor_in){ .at = bytes, .left = size };
			assert_false(cbor_in_next(&in, &item));
			assert_int_equal(in.left, size);
			assert_ptr_equal(in.at, bytes);
		}
	}
}

static void malformed_heads_are_refused(void **state)
{
	static const char *const malformed[] = {
		"1c",
		"1d",
		"1e",
		"1f",
		"3c",
		"3d",
		"3e",
		"3f",
		"5c",
		"5d",
		"5e",
		"7c",
		"7d",
		"7e",
		"9c",
		"9d",
		"9e",
		"bc",
		"bd",
		"be",
		"dc",
		"dd",
		"de",
		"df",
		"f800",
		"f817",
		"f818",
		"f81f",
		"fc",
		"fd",
		"fe",
		"41",
		"5820",
		"5affffffff00",
		"5bffffffffffffffff00",
		"61",
		"7820",
		"7affffffff00",
		"7bffffffffffffffff00",
	};
	struct cbor_item item;
	struct cbor_in in;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		in = in_of(malformed[i]);
		if (cbor_in_next(&in, &item) || in.at != bytes)
			fail_msg("%s", malformed[i]);
	}
}

static void the_content_of_a_string_is_in_the_input(void **state)
{
	struct cbor_in in = in_of("58 03 010203 64'IETF'");
	struct cbor_item item;

	(void)state;
	assert_true(cbor_in_next(&in, &item));
	assert_ptr_equal(item.bytes, bytes + 2);
	assert_true(cbor_in_next(&in, &item));
	assert_ptr_equal(item.bytes, bytes + 6);
	assert_int_equal(in.left, 0);
}

/* --- Items ------------------------------------------------------------------ */

static bool is_one_item(const char *notation)
{
	struct cbor_in in = in_of(notation);

	return cbor_in_skip(&in) && !in.left;
}

static void whole_items_are_skipped(void **state)
{
	static const char *const items[] = {
		"00",
		"f6",
		"e5",
		"f0",
		"f8ff",
		"f90000",
		"83 01 02 03",
		"83 01 82 02 03 82 04 05",
		"98 19 00(25)",
		"a2 01 02 03 04",
		"a2 61'a' 01 61'b' 82 02 03",
		"82 61'a' a1 61'b' 61'c'",
		"5f 42 0102 43 030405 ff",
		"5f ff",
		"7f 65'strea' 64'ming' ff",
		"9f ff",
		"9f 01 82 02 03 9f 04 05 ff ff",
		"83 01 82 02 03 9f 04 05 ff",
		"bf ff",
		"bf 61'a' 01 61'b' 9f 02 03 ff ff",
		"c0 74'2013-03-21T20:04:00Z'",
		"d2 84 40 a0 40 40",
		"d7 d8 20 d9d9f7 00",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		if (!is_one_item(items[i]))
			fail_msg("%s", items[i]);
}

static void what_is_no_item_is_not(void **state)
{
	static const char *const none[] = {
		"",
		"ff",
		"c0",
		"c0 ff",
		"d2",
		/* Too little in it. */
		"81",
		"82 00",
		"9f",
		"9f 00",
		"a1",
		"a1 00",
		"a2 00 00 00",
		"bf",
		"bf 00 00",
		"bf 00",
		"5f",
		"5f 41 00",
		"7f",
		"7f 61'a'",
		"9bffffffffffffffff 00",
		"bbffffffffffffffff 00",
		/* A break where none can be. */
		"81 ff",
		"82 00 ff",
		"a1 ff",
		"a1 ff 00",
		"a1 00 ff",
		"bf 00 ff",
		"9f c0 ff ff",
		"bf 00 c0 ff ff",
		/* Pieces of another kind, or in pieces. */
		"5f 00 ff",
		"5f 61'a' ff",
		"5f 80 ff",
		"5f a0 ff",
		"5f c0 40 ff",
		"5f f6 ff",
		"5f 5f 41 00 ff ff",
		"7f 41 00 ff",
		"7f 7f 61'a' ff ff",
		/* Malformed further inside. */
		"81 1c",
		"a1 00 1c",
		"a1 1c 00",
		"81 f800",
		"c0 1c",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (is_one_item(none[i]))
			fail_msg("%s", none[i]);
}

static void what_is_cut_is_told_from_what_is_malformed(void **state)
{
	static const struct {
		const char *notation;
		bool is_cut;
	} cases[] = {
		{ "", true },	       { "19 01", true },
		{ "43 aabb", true },   { "82 01", true },
		{ "bf 61'a'", true },  { "5b 7fffffffffffffff", true },
		{ "d2", true },	       { "7f 61'a'", true },
		{ "1c", false },       { "ff", false },
		{ "82 01 1c", false }, { "7f 41 aa", false },
	};
	uint8_t buffer[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cbor_in in = { .at = buffer };

		in.left = bytes_read(cases[i].notation, buffer, sizeof(buffer));
		assert_false(cbor_in_skip(&in));
		if (in.is_cut != cases[i].is_cut)
			fail_msg("%s", cases[i].notation);
	}
}

static void items_are_skipped_up_to_a_depth(void **state)
{
	(void)state;
	assert_true(is_one_item("81(15) 00"));
	assert_false(is_one_item("81(16) 00"));
	assert_true(is_one_item("c0(15) 00"));
	assert_false(is_one_item("c0(16) 00"));
	assert_true(is_one_item("9f(15) ff(15)"));
	assert_true(is_one_item("9f(16) ff(16)"));
	assert_false(is_one_item("9f(17) ff(17)"));
	assert_false(is_one_item("81(60000) 00"));
	assert_false(is_one_item("9f(30000) ff(30000)"));
	/* Not so much beside one another. */
	assert_true(is_one_item("9f 80(60000) ff"));
}

/* --- Collections ------------------------------------------------------------ */

static size_t count(const char *notation, struct cbor_in *in)
{
	struct cbor_item collection, item;
	size_t counted = 0;

	*in = in_of(notation);
	assert_true(cbor_in_next(in, &collection));
	while (cbor_in_more(in, &collection) && cbor_in_next(in, &item))
		counted++;
	return counted;
}

static void collections_have_elements_up_to_their_end(void **state)
{
	struct cbor_in in;

	(void)state;
	assert_int_equal(count("80 00", &in), 0);
	assert_int_equal(in.left, 1);
	assert_int_equal(count("83 01 02 03 00", &in), 3);
	assert_int_equal(in.left, 1);
	assert_int_equal(count("9f ff 00", &in), 0);
	assert_int_equal(in.left, 1);
	assert_int_equal(count("9f 01 02 03 ff 00", &in), 3);
	assert_int_equal(in.left, 1);
	assert_int_equal(count("5f 41 00 41 00 ff 00", &in), 2);
	assert_int_equal(in.left, 1);
	/* A loop ends at the end of the input whatever is claimed. */
	assert_int_equal(count("9bffffffffffffffff 01 02", &in), 2);
	assert_int_equal(count("9f 01 02", &in), 2);
}

static void a_definite_collection_stays_at_its_end(void **state)
{
	struct cbor_in in = in_of("81 00");
	struct cbor_item array, item;

	(void)state;
	assert_true(cbor_in_next(&in, &array));
	assert_true(cbor_in_more(&in, &array));
	assert_true(cbor_in_next(&in, &item));
	assert_false(cbor_in_more(&in, &array));
	assert_false(cbor_in_more(&in, &array));
}

/* --- Strings ---------------------------------------------------------------- */

static void texts_are_compared_whole(void **state)
{
	struct cbor_item item;
	struct cbor_in in;

	(void)state;
	in = in_of("65'nonce'");
	assert_true(cbor_in_next(&in, &item));
	assert_true(cbor_item_is_text(&item, "nonce"));
	assert_false(cbor_item_is_text(&item, "nonc"));
	assert_false(cbor_item_is_text(&item, "nonces"));
	assert_false(cbor_item_is_text(&item, ""));
	in = in_of("45'nonce'");
	assert_true(cbor_in_next(&in, &item));
	assert_false(cbor_item_is_text(&item, "nonce"));
	in = in_of("60");
	assert_true(cbor_in_next(&in, &item));
	assert_true(cbor_item_is_text(&item, ""));
	in = in_of("7f ff");
	assert_true(cbor_in_next(&in, &item));
	assert_false(cbor_item_is_text(&item, ""));
}

typedef bool read_string(struct cbor_in *in, struct cbor_item *item,
			 uint8_t *to, size_t capacity, size_t *size);

static void expect_read(read_string *read_it, const char *notation,
			const char *expected)
{
	struct cbor_in in = in_of(notation);
	struct cbor_item item;
	uint8_t to[1024];
	size_t size;

	assert_true(cbor_in_next(&in, &item));
	if (!read_it(&in, &item, to, sizeof(to), &size))
		fail_msg("%s", notation);
	assert_int_equal(in.left, 0);
	bytes_expect(notation, expected, to, size);
}

static void expect_unread(read_string *read_it, const char *notation)
{
	struct cbor_in in = in_of(notation);
	struct cbor_item item;
	uint8_t to[1024];
	size_t size;

	assert_true(cbor_in_next(&in, &item));
	if (read_it(&in, &item, to, sizeof(to), &size))
		fail_msg("%s", notation);
}

static void blobs_have_three_forms(void **state)
{
	(void)state;
	expect_read(cbor_in_blob, "40", "");
	expect_read(cbor_in_blob, "43 010203", "010203");
	expect_read(cbor_in_blob, "5f ff", "");
	expect_read(cbor_in_blob, "5f 41 01 40 42 0203 ff", "010203");
	expect_read(cbor_in_blob, "80", "");
	expect_read(cbor_in_blob, "83 01 18ff 190003", "01ff03");
	expect_read(cbor_in_blob, "9f 01 1802 03 ff", "010203");
	expect_unread(cbor_in_blob, "63'abc'");
	expect_unread(cbor_in_blob, "a0");
	expect_unread(cbor_in_blob, "f6");
	expect_unread(cbor_in_blob, "5f 41 01");
	expect_unread(cbor_in_blob, "5f 61'a' ff");
	expect_unread(cbor_in_blob, "81 190100");
	expect_unread(cbor_in_blob, "81 20");
	expect_unread(cbor_in_blob, "81 41 00");
	expect_unread(cbor_in_blob, "9bffffffffffffffff 01");
}

static void texts_have_two_forms(void **state)
{
	(void)state;
	expect_read(cbor_in_text, "60", "");
	expect_read(cbor_in_text, "63'abc'", "'abc'");
	expect_read(cbor_in_text, "7f ff", "");
	expect_read(cbor_in_text, "7f 61'a' 60 62'bc' ff", "'abc'");
	expect_unread(cbor_in_text, "43 010203");
	expect_unread(cbor_in_text, "83 01 02 03");
	expect_unread(cbor_in_text, "7f 61'a'");
	expect_unread(cbor_in_text, "7f 41 00 ff");
}

static void what_does_not_fit_is_counted_only(void **state)
{
	static const char *const blobs[] = {
		"45 0102030405",
		"5f 42 0102 43 030405 ff",
		"5f 43 010203 42 0405 ff",
		"85 01 02 03 04 05",
	};
	struct cbor_item item;
	struct cbor_in in;
	uint8_t to[4];
	size_t size;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(blobs); i++) {
		in = in_of(blobs[i]);
		memset(to, 0xee, sizeof(to));
		assert_true(cbor_in_next(&in, &item));
		assert_true(cbor_in_blob(&in, &item, to, 3, &size));
		assert_int_equal(size, 5);
		bytes_expect(blobs[i], "010203 ee", to, sizeof(to));
		in = in_of(blobs[i]);
		assert_true(cbor_in_next(&in, &item));
		assert_true(cbor_in_blob(&in, &item, NULL, 0, &size));
		assert_int_equal(size, 5);
	}
}

static bool is_utf8(const char *content)
{
	struct cbor_item item = { .kind = CBOR_IN_TEXT, .bytes = bytes };

	item.value = bytes_read(content, bytes, sizeof(bytes));
	return cbor_item_is_utf8(&item);
}

static void utf8_is_checked(void **state)
{
	static const char *const good[] = {
		"",	  "00",	      "'ascii' 7f", "c280",
		"dfbf",	  "e0a080",   "ed9fbf",	    "ee8080",
		"efbfbf", "f0908080", "f48fbfbf",   "c3a9'x'c3a9",
	};
	static const char *const bad[] = {
		"80",	    "bf",	"c080",	  "c1bf",     "c2",
		"c200",	    "c2c2",	"e08080", "e09fbf",   "eda080",
		"edbfbf",   "e0a0",	"e0a000", "f0808080", "f08fbfbf",
		"f4908080", "f5808080", "ff",	  "f09080",   "'x'80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!is_utf8(good[i]))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (is_utf8(bad[i]))
			fail_msg("%s", bad[i]);
}

/* --- Writing ---------------------------------------------------------------- */

static void heads_take_the_fewest_bytes(void **state)
{
	static const struct {
		uint64_t value;
		const char *expected;
	} rows[] = {
		{ 0, "00 20 40 80 a0" },
		{ 23, "17 37 57 97 b7" },
		{ 24, "1818 3818 5818 9818 b818" },
		{ 255, "18ff 38ff 58ff 98ff b8ff" },
		{ 256, "190100 390100 590100 990100 b90100" },
		{ 65535, "19ffff 39ffff 59ffff 99ffff b9ffff" },
		{ 65536, "1a00010000 3a00010000 5a00010000 9a00010000"
			 "ba00010000" },
		{ UINT32_MAX, "1affffffff 3affffffff 5affffffff 9affffffff"
			      "baffffffff" },
		{ UINT64_C(1) << 32, "1b0000000100000000 3b0000000100000000"
				     "5b0000000100000000 9b0000000100000000"
				     "bb0000000100000000" },
		{ UINT64_MAX, "1bffffffffffffffff 3bffffffffffffffff"
			      "5bffffffffffffffff 9bffffffffffffffff"
			      "bbffffffffffffffff" },
	};
	uint8_t to[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cbor_out out = { .start = to, .capacity = sizeof(to) };

		cbor_out_unsigned(&out, rows[i].value);
		cbor_out_negative(&out, rows[i].value);
		cbor_out_bytes_head(&out, rows[i].value);
		cbor_out_array(&out, rows[i].value);
		cbor_out_map(&out, rows[i].value);
		assert_false(out.full);
		bytes_expect(rows[i].expected, rows[i].expected, to, out.used);
	}
}

static void write_everything(struct cbor_out *out)
{
	cbor_out_map_start(out);
	cbor_out_text(out, "a");
	cbor_out_bytes(out, "\1\2\3", 3);
	cbor_out_text(out, "");
	cbor_out_bytes(out, NULL, 0);
	cbor_out_bool(out, true);
	cbor_out_bool(out, false);
	cbor_out_unsigned(out, 1000);
	cbor_out_null(out);
	cbor_out_break(out);
	cbor_out_raw(out, "\x80", 1);
	cbor_out_raw(out, NULL, 0);
}

#define EVERYTHING "bf 61'a' 43 010203 60 40 f5 f4 1903e8 f6 ff 80"

static void everything_can_be_written(void **state)
{
	uint8_t to[64];
	struct cbor_out out = { .start = to, .capacity = sizeof(to) };

	(void)state;
	write_everything(&out);
	assert_false(out.full);
	bytes_expect("everything", EVERYTHING, to, out.used);
}

static void what_does_not_fit_is_not_written(void **state)
{
	uint8_t wanted[64], to[64];
	size_t size = bytes_read(EVERYTHING, wanted, sizeof(wanted));

	(void)state;
	for (size_t capacity = 0; capacity < size; capacity++) {
		struct cbor_out out = { .start = to, .capacity = capacity };

		memset(to, 0xee, sizeof(to));
		write_everything(&out);
		assert_true(out.full);
		assert_true(out.used <= capacity);
		/* No hole: nothing after what did not fit. */
		assert_memory_equal(to, wanted, out.used);
		assert_int_equal(to[capacity], 0xee);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_read_in_every_width),
		cmocka_unit_test(heads_end_where_they_end),
		cmocka_unit_test(malformed_heads_are_refused),
		cmocka_unit_test(the_content_of_a_string_is_in_the_input),
		cmocka_unit_test(whole_items_are_skipped),
		cmocka_unit_test(what_is_no_item_is_not),
		cmocka_unit_test(what_is_cut_is_told_from_what_is_malformed),
		cmocka_unit_test(items_are_skipped_up_to_a_depth),
		cmocka_unit_test(collections_have_elements_up_to_their_end),
		cmocka_unit_test(a_definite_collection_stays_at_its_end),
		cmocka_unit_test(texts_are_compared_whole),
		cmocka_unit_test(blobs_have_three_forms),
		cmocka_unit_test(texts_have_two_forms),
		cmocka_unit_test(what_does_not_fit_is_counted_only),
		cmocka_unit_test(utf8_is_checked),
		cmocka_unit_test(heads_take_the_fewest_bytes),
		cmocka_unit_test(everything_can_be_written),
		cmocka_unit_test(what_does_not_fit_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
