// SPDX-License-Identifier: Apache-2.0
/*
 * What is a request, and what is none: the bytes of every form.
 */
#include "nsm-emu/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "libne/cbor.h"
#include "libne/cleanup.h"
#include "tests/unit/bytes.h"

struct row {
	const char *name;
	const char *bytes;
	enum nsm_operation operation;
	uint16_t number; /* index or range */
};

static const struct row requests[] = {
	/* As serde_cbor and AWS's libnsm write them. */
	{ "DescribeNSM", "6b'DescribeNSM'", NSM_DESCRIBE_NSM, 0 },
	{ "GetRandom", "69'GetRandom'", NSM_GET_RANDOM, 0 },
	{ "DescribePCR", "a1 6b'DescribePCR' a1 65'index' 10", NSM_DESCRIBE_PCR,
	  16 },
	{ "LockPCR", "a1 67'LockPCR' a1 65'index' 1818", NSM_LOCK_PCR, 24 },
	{ "LockPCRs", "a1 68'LockPCRs' a1 65'range' 1820", NSM_LOCK_PCRS, 32 },

	/* Units by another name. */
	{ "a unit as a map with null", "a1 69'GetRandom' f6", NSM_GET_RANDOM,
	  0 },
	{ "a unit in pieces", "7f 63'Get' 66'Random' ff", NSM_GET_RANDOM, 0 },
	{ "a unit with a long head", "78 09'GetRandom'", NSM_GET_RANDOM, 0 },
	{ "a tagged unit", "d9d9f7 69'GetRandom'", NSM_GET_RANDOM, 0 },

	/* Numbers of any width. */
	{ "a number of 8 bits", "a1 67'LockPCR' a1 65'index' 1810",
	  NSM_LOCK_PCR, 16 },
	{ "a number of 16 bits", "a1 67'LockPCR' a1 65'index' 190010",
	  NSM_LOCK_PCR, 16 },
	{ "a number of 32 bits", "a1 67'LockPCR' a1 65'index' 1a00000010",
	  NSM_LOCK_PCR, 16 },
	{ "a number of 64 bits",
	  "a1 67'LockPCR' a1 65'index' 1b0000000000000010", NSM_LOCK_PCR, 16 },
	{ "the largest number", "a1 67'LockPCR' a1 65'index' 19ffff",
	  NSM_LOCK_PCR, 65535 },
	{ "a tagged number", "a1 67'LockPCR' a1 65'index' c0 d2 10",
	  NSM_LOCK_PCR, 16 },

	/* Maps of any form. */
	{ "an indefinite request", "bf 67'LockPCR' bf 65'index' 10 ff ff",
	  NSM_LOCK_PCR, 16 },
	{ "long heads of maps", "b8 01 67'LockPCR' ba 00000001 65'index' 10",
	  NSM_LOCK_PCR, 16 },
	{ "names in pieces",
	  "a1 7f 64'Lock' 60 63'PCR' ff a1 7f 65'index' ff 10", NSM_LOCK_PCR,
	  16 },
	{ "tagged names and maps", "d2 a1 c1 67'LockPCR' c2 a1 c3 65'index' 10",
	  NSM_LOCK_PCR, 16 },
	{ "unknown fields",
	  "a1 67'LockPCR' a9 63'new' 01 61'a' a1 61'b' 9f 02 ff 01 02 41 00 f6"
	  "f7 f5 e0 f8ff f93c00 00 65'index' 10 63'new' 5f 41 00 ff",
	  NSM_LOCK_PCR, 16 },
	{ "an unknown field with a longer name",
	  "a1 67'LockPCR' a2 66'indexx' 01 65'index' 10", NSM_LOCK_PCR, 16 },
	{ "an unknown field with a shorter name",
	  "a1 67'LockPCR' a2 64'inde' 01 65'index' 10", NSM_LOCK_PCR, 16 },
	{ "an unknown field with a very long name",
	  "a1 67'LockPCR' a2 78 1d 'index and everything after it' 01"
	  "65'index' 10",
	  NSM_LOCK_PCR, 16 },
	{ "a byte string for a name is unknown",
	  "a1 67'LockPCR' a2 45'index' 01 65'index' 10", NSM_LOCK_PCR, 16 },
};

struct extension {
	const char *name;
	const char *bytes;
	const char *data;
};

static const struct extension extensions[] = {
	/* As serde_cbor and AWS's libnsm write them. */
	{ "ExtendPCR", "a1 69'ExtendPCR' a2 65'index' 10 64'data' 43 010203",
	  "010203" },

	/* Maps of any form. */
	{ "fields in another order",
	  "a1 69'ExtendPCR' a2 64'data' 41 aa 65'index' 10", "aa" },

	/* Byte strings of any form. */
	{ "no data at all", "a1 69'ExtendPCR' a2 65'index' 10 64'data' 40",
	  "" },
	{ "data in pieces",
	  "a1 69'ExtendPCR' a2 65'index' 10 64'data' 5f 41 01 40 42 0203 ff",
	  "010203" },
	{ "data in no pieces",
	  "a1 69'ExtendPCR' a2 65'index' 10 64'data' 5f ff", "" },
	{ "data as integers",
	  "a1 69'ExtendPCR' a2 65'index' 10 64'data' 84 01 1818 18ff 1900fe",
	  "01 18 ff fe" },
	{ "data as integers without a length",
	  "a1 69'ExtendPCR' a2 65'index' 10 64'data' 9f 01 18ff ff", "01 ff" },
	{ "data as a text", "a1 69'ExtendPCR' a2 65'index' 10 64'data' 63'abc'",
	  "'abc'" },
	{ "data as a text in pieces",
	  "a1 69'ExtendPCR' a2 65'index' 10 64'data' 7f 61'a' 62'bc' ff",
	  "'abc'" },
	{ "tagged data", "a1 69'ExtendPCR' a2 65'index' 10 64'data' d7 41 01",
	  "01" },
};

static enum nsm_error decode(struct nsm_request *request, const char *notation)
{
	uint8_t bytes[NSM_REQUEST_MAX + 1];
	size_t size = bytes_read(notation, bytes, sizeof(bytes));

	return nsm_request_read(request, bytes, size);
}

static void requests_come_in_many_forms(void **state)
{
	struct nsm_request request;
	uint16_t number;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		const struct row *row = &requests[i];

		if (decode(&request, row->bytes) != NSM_SUCCESS)
			fail_msg("%s", row->name);
		number = row->operation == NSM_LOCK_PCRS ? request.range
							 : request.index;
		if (request.operation != row->operation ||
		    number != row->number || request.data.present)
			fail_msg("%s", row->name);
	}
}

static void data_comes_in_many_forms(void **state)
{
	struct nsm_request request;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
		const struct extension *row = &extensions[i];

		if (decode(&request, row->bytes) != NSM_SUCCESS ||
		    request.operation != NSM_EXTEND_PCR ||
		    request.index != 16 || !request.data.present)
			fail_msg("%s", row->name);
		bytes_expect(row->name, row->data,
			     nsm_blob_bytes(&request, &request.data),
			     request.data.size);
	}
}

struct no_item {
	const char *name;
	const char *bytes;
};

static const struct no_item no_items[] = {
	{ "nothing", "" },
	{ "a reserved byte", "1c" },
	{ "a break", "ff" },
	{ "a tag alone", "c0" },
	{ "a trailing byte", "69'GetRandom' 00" },
	{ "two requests", "69'GetRandom' 69'GetRandom'" },
	{ "a trailing byte after a map", "a1 67'LockPCR' a1 65'index' 10 f6" },
	{ "a length beyond the end", "78 ff 'GetRandom'" },
	{ "the largest length", "7b ffffffffffffffff 'GetRandom'" },
	{ "the largest map", "bb ffffffffffffffff 67'LockPCR' f6" },
	{ "a map without its end", "bf 67'LockPCR' a1 65'index' 10" },
	{ "a key without a value", "bf 67'LockPCR' ff" },
	{ "pieces of another kind", "7f 43'Get' 66'Random' ff" },
	{ "pieces in pieces", "7f 7f 69'GetRandom' ff ff" },
	{ "a nest", "a1 67'LockPCR' a2 61'x' 81(4000) 00 65'index' 10" },
};

static bool is_one_item(const char *notation)
{
	uint8_t bytes[NSM_REQUEST_MAX];
	struct cbor_in in = { .at = bytes };

	in.left = bytes_read(notation, bytes, sizeof(bytes));
	return cbor_in_skip(&in) && !in.left;
}

static void what_is_not_one_item_is_no_operation(void **state)
{
	struct nsm_request request;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(no_items); i++)
		if (decode(&request, no_items[i].bytes) !=
			    NSM_INVALID_OPERATION ||
		    is_one_item(no_items[i].bytes))
			fail_msg("%s", no_items[i].name);
}

struct refusal {
	const char *name;
	const char *bytes;
	enum nsm_error error;
};

static const struct refusal refusals[] = {
	/* No operation, or an unknown one. */
	{ "null", "f6", NSM_INVALID_OPERATION },
	{ "a number", "00", NSM_INVALID_OPERATION },
	{ "a byte string", "49'GetRandom'", NSM_INVALID_OPERATION },
	{ "an array", "81 69'GetRandom'", NSM_INVALID_OPERATION },
	{ "an array with fields", "82 67'LockPCR' a1 65'index' 10",
	  NSM_INVALID_OPERATION },
	{ "an empty text", "60", NSM_INVALID_OPERATION },
	{ "an empty map", "a0", NSM_INVALID_OPERATION },
	{ "an empty map without a length", "bf ff", NSM_INVALID_OPERATION },
	{ "a map of two",
	  "a2 67'LockPCR' a1 65'index' 10 67'LockPCR' a1 65'index' 11",
	  NSM_INVALID_OPERATION },
	{ "an unknown operation", "6c'DescribePCRs'", NSM_INVALID_OPERATION },
	{ "an unknown operation with fields",
	  "a1 69'UnlockPCR' a1 65'index' 10", NSM_INVALID_OPERATION },
	{ "an operation in small letters", "69'getrandom'",
	  NSM_INVALID_OPERATION },
	{ "an operation with a zero behind it", "6a'GetRandom' 00",
	  NSM_INVALID_OPERATION },
	{ "a very long operation", "78 18 'GetRandomGetRandomGetRan'",
	  NSM_INVALID_OPERATION },
	{ "a number for an operation", "a1 02 a1 65'index' 10",
	  NSM_INVALID_OPERATION },
	{ "a response", "a1 65'Error' 6c'InvalidIndex'",
	  NSM_INVALID_OPERATION },

	/* A known operation, but not its form. */
	{ "a unit with a map", "a1 69'GetRandom' a0", NSM_INVALID_ARGUMENT },
	{ "a unit with a number", "a1 6b'DescribeNSM' 00",
	  NSM_INVALID_ARGUMENT },
	{ "fields wanted, a text given", "67'LockPCR'", NSM_INVALID_ARGUMENT },
	{ "optional fields, a text given", "6b'Attestation'",
	  NSM_INVALID_ARGUMENT },
	{ "fields wanted, null given", "a1 67'LockPCR' f6",
	  NSM_INVALID_ARGUMENT },
	{ "optional fields, null given", "a1 6b'Attestation' f6",
	  NSM_INVALID_ARGUMENT },
	{ "fields wanted, an array given", "a1 67'LockPCR' 81 10",
	  NSM_INVALID_ARGUMENT },

	/* Fields that are missing, or there twice. */
	{ "DescribePCR without index", "a1 6b'DescribePCR' a0",
	  NSM_INVALID_ARGUMENT },
	{ "LockPCR without index", "a1 67'LockPCR' a1 65'range' 10",
	  NSM_INVALID_ARGUMENT },
	{ "LockPCRs without range", "a1 68'LockPCRs' a1 65'index' 10",
	  NSM_INVALID_ARGUMENT },
	{ "ExtendPCR without index", "a1 69'ExtendPCR' a1 64'data' 41 00",
	  NSM_INVALID_ARGUMENT },
	{ "ExtendPCR without data", "a1 69'ExtendPCR' a1 65'index' 10",
	  NSM_INVALID_ARGUMENT },
	{ "index twice", "a1 67'LockPCR' a2 65'index' 10 65'index' 10",
	  NSM_INVALID_ARGUMENT },
	{ "range twice", "a1 68'LockPCRs' a2 65'range' 10 65'range' 11",
	  NSM_INVALID_ARGUMENT },
	{ "data twice",
	  "a1 69'ExtendPCR' a3 65'index' 10 64'data' 40 64'data' 40",
	  NSM_INVALID_ARGUMENT },
	{ "nonce twice", "a1 6b'Attestation' a2 65'nonce' f6 65'nonce' 40",
	  NSM_INVALID_ARGUMENT },
	{ "a number for a name is unknown", "a1 67'LockPCR' a1 00 10",
	  NSM_INVALID_ARGUMENT },

	/* Fields of the wrong type, or out of its range. */
	{ "65536", "a1 67'LockPCR' a1 65'index' 1a00010000",
	  NSM_INVALID_ARGUMENT },
	{ "the largest number",
	  "a1 67'LockPCR' a1 65'index' 1bffffffffffffffff",
	  NSM_INVALID_ARGUMENT },
	{ "a range of 65536", "a1 68'LockPCRs' a1 65'range' 1a00010000",
	  NSM_INVALID_ARGUMENT },
	{ "a negative number", "a1 67'LockPCR' a1 65'index' 20",
	  NSM_INVALID_ARGUMENT },
	{ "a float", "a1 67'LockPCR' a1 65'index' f94c00",
	  NSM_INVALID_ARGUMENT },
	{ "a number as a text", "a1 67'LockPCR' a1 65'index' 62'16'",
	  NSM_INVALID_ARGUMENT },
	{ "null for a number", "a1 67'LockPCR' a1 65'index' f6",
	  NSM_INVALID_ARGUMENT },
	{ "a large number in bytes", "a1 67'LockPCR' a1 65'index' c2 41 10",
	  NSM_INVALID_ARGUMENT },
	{ "null for data", "a1 69'ExtendPCR' a2 65'index' 10 64'data' f6",
	  NSM_INVALID_ARGUMENT },
	{ "a number for data", "a1 69'ExtendPCR' a2 65'index' 10 64'data' 01",
	  NSM_INVALID_ARGUMENT },
	{ "an integer that is no byte",
	  "a1 69'ExtendPCR' a2 65'index' 10 64'data' 82 01 190100",
	  NSM_INVALID_ARGUMENT },
	{ "a negative integer for a byte",
	  "a1 69'ExtendPCR' a2 65'index' 10 64'data' 81 20",
	  NSM_INVALID_ARGUMENT },
	{ "texts for bytes",
	  "a1 69'ExtendPCR' a2 65'index' 10 64'data' 81 61'a'",
	  NSM_INVALID_ARGUMENT },
	{ "a map for data", "a1 69'ExtendPCR' a2 65'index' 10 64'data' a0",
	  NSM_INVALID_ARGUMENT },
	{ "undefined for an optional field",
	  "a1 6b'Attestation' a1 65'nonce' f7", NSM_INVALID_ARGUMENT },
	{ "false for an optional field", "a1 6b'Attestation' a1 65'nonce' f4",
	  NSM_INVALID_ARGUMENT },
};

static void everything_else_is_refused(void **state)
{
	struct nsm_request request;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		if (decode(&request, refusals[i].bytes) != refusals[i].error ||
		    !is_one_item(refusals[i].bytes))
			fail_msg("%s", refusals[i].name);
}

static void expect_blob(const struct nsm_request *request,
			const struct nsm_blob *blob, const char *expected)
{
	assert_int_equal(blob->present, !!expected);
	if (expected)
		bytes_expect(expected, expected, nsm_blob_bytes(request, blob),
			     blob->size);
}

static void expect_attestation(const char *bytes, const char *user_data,
			       const char *nonce, const char *public_key)
{
	struct nsm_request request;

	assert_int_equal(decode(&request, bytes), NSM_SUCCESS);
	assert_int_equal(request.operation, NSM_ATTESTATION);
	expect_blob(&request, &request.user_data, user_data);
	expect_blob(&request, &request.nonce, nonce);
	expect_blob(&request, &request.public_key, public_key);
}

static void fields_of_an_attestation_may_be_absent(void **state)
{
	(void)state;
	expect_attestation("a1 6b'Attestation' a3 69'user_data' f6 65'nonce' f6"
			   "6a'public_key' f6",
			   NULL, NULL, NULL);
	expect_attestation("a1 6b'Attestation' a0", NULL, NULL, NULL);
	expect_attestation("a1 6b'Attestation' bf ff", NULL, NULL, NULL);
	expect_attestation("a1 6b'Attestation' a1 65'nonce' 42 0102", NULL,
			   "0102", NULL);
	expect_attestation("a1 6b'Attestation' a3 69'user_data' 43 010203"
			   "65'nonce' 40 6a'public_key' 62'pk'",
			   "010203", "", "'pk'");
	expect_attestation("a1 6b'Attestation' a3 6a'public_key' 5f 41 01 41 02"
			   "ff 65'nonce' 82 18aa 03 69'user_data' f6",
			   NULL, "aa 03", "01 02");
}

static void a_request_is_no_longer_than_0x1000_bytes(void **state)
{
	struct nsm_request request;

	(void)state;
	/* 27 bytes, and the data: 0x1000 in all. */
	assert_int_equal(decode(&request, "a1 69'ExtendPCR' a2 65'index' 10"
					  "64'data' 590fe5 aa(4069)"),
			 NSM_SUCCESS);
	assert_int_equal(request.data.size, 4069);
	assert_int_equal(decode(&request, "a1 69'ExtendPCR' a2 65'index' 10"
					  "64'data' 590fe6 aa(4070)"),
			 NSM_INPUT_TOO_LARGE);
	/* Whatever it is. */
	assert_int_equal(decode(&request, "ff(4096)"), NSM_INVALID_OPERATION);
	assert_int_equal(decode(&request, "ff(4097)"), NSM_INPUT_TOO_LARGE);
}

static void expect_no_part_is_one(const char *name, const char *notation)
{
	struct nsm_request request;
	uint8_t bytes[NSM_REQUEST_MAX];
	size_t size = bytes_read(notation, bytes, sizeof(bytes));

	for (size_t part = 0; part < size; part++)
		if (nsm_request_read(&request, bytes, part) !=
		    NSM_INVALID_OPERATION)
			fail_msg("%zu bytes of %s", part, name);
}

static void a_part_of_a_request_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		expect_no_part_is_one(requests[i].name, requests[i].bytes);
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		expect_no_part_is_one(extensions[i].name, extensions[i].bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_come_in_many_forms),
		cmocka_unit_test(data_comes_in_many_forms),
		cmocka_unit_test(what_is_not_one_item_is_no_operation),
		cmocka_unit_test(everything_else_is_refused),
		cmocka_unit_test(fields_of_an_attestation_may_be_absent),
		cmocka_unit_test(a_request_is_no_longer_than_0x1000_bytes),
		cmocka_unit_test(a_part_of_a_request_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
