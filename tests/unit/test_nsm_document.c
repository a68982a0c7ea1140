// SPDX-License-Identifier: Apache-2.0
/*
 * The bytes of a document in both dialects. nsm-emu/document.c tells where
 * they are from.
 */
#include "nsm-emu/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "libne/cbor.h"
#include "tests/unit/bytes.h"

static const struct nsm_leaf leaf = {
	.certificate = { (const uint8_t *)"leaf", 4 },
	.bundle = { { (const uint8_t *)"root", 4 },
		    { (const uint8_t *)"region", 6 } },
	.n_bundle = 2,
};

static struct ne_pcr pcrs[NE_PCR_COUNT];

static int setup(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NE_PCR_COUNT; i++)
		memset(pcrs[i].bytes, (int)i, NE_PCR_SIZE);
	return 0;
}

static struct nsm_document small_document(void)
{
	return (struct nsm_document){
		.module_id = "i-0-enc0",
		.timestamp = UINT64_C(1695049410860),
		.pcrs = pcrs,
		.locked = 1,
		.leaf = &leaf,
	};
}

static void expect_payload(const struct nsm_document *document,
			   enum nsm_dialect dialect, const char *expected)
{
	uint8_t bytes[4096];
	struct cbor_out out = { .start = bytes, .capacity = sizeof(bytes) };

	nsm_document_write_payload(&out, document, dialect);
	assert_false(out.full);
	bytes_expect(expected, expected, bytes, out.used);
}

#define UP_TO_TIMESTAMP              \
	"69'module_id' 68'i-0-enc0'" \
	"66'digest' 66'SHA384'"      \
	"69'timestamp' 1b 0000018aa8d1692c"
#define CERTIFICATES                \
	" 6b'certificate' 44'leaf'" \
	"68'cabundle' 82 44'root' 46'region'"
#define NO_OPTIONS "6a'public_key' f6 69'user_data' f6 65'nonce' f6"

static void the_older_dialect_is_a_definite_map(void **state)
{
	const struct nsm_document document = small_document();

	(void)state;
	expect_payload(&document, NSM_DIALECT_DEFINITE,
		       "a9" UP_TO_TIMESTAMP
		       "64'pcrs' a1 00 5830 00(48)" CERTIFICATES NO_OPTIONS);
}

static void the_newer_dialect_is_an_indefinite_map_of_the_same(void **state)
{
	const struct nsm_document document = small_document();

	(void)state;
	expect_payload(&document, NSM_DIALECT_INDEFINITE,
		       "bf" UP_TO_TIMESTAMP
		       "64'pcrs' a1 00 5830 00(48)" CERTIFICATES NO_OPTIONS
		       "ff");
}

static void the_sparse_dialect_leaves_out_what_is_absent(void **state)
{
	struct nsm_document document = small_document();

	(void)state;
	expect_payload(&document, NSM_DIALECT_SPARSE,
		       "bf" UP_TO_TIMESTAMP
		       "64'pcrs' a1 00 5830 00(48)" CERTIFICATES "ff");
	document.user_data.bytes = (const uint8_t *)"";
	expect_payload(&document, NSM_DIALECT_SPARSE,
		       "bf" UP_TO_TIMESTAMP
		       "64'pcrs' a1 00 5830 00(48)" CERTIFICATES
		       "69'user_data' 40 ff");
}

static void options_are_byte_strings_even_if_empty(void **state)
{
	struct nsm_document document = small_document();

	(void)state;
	document.public_key.bytes = (const uint8_t *)"key";
	document.public_key.size = 3;
	document.user_data.bytes = (const uint8_t *)"";
	document.nonce.bytes = (const uint8_t *)"nonce";
	document.nonce.size = 5;
	expect_payload(&document, NSM_DIALECT_INDEFINITE,
		       "bf" UP_TO_TIMESTAMP
		       "64'pcrs' a1 00 5830 00(48)" CERTIFICATES
		       "6a'public_key' 43'key' 69'user_data' 40"
		       "65'nonce' 45'nonce' ff");
}

static void locked_registers_alone_are_in_it_in_order(void **state)
{
	struct nsm_document document = small_document();

	(void)state;
	document.locked = 0;
	expect_payload(&document, NSM_DIALECT_DEFINITE,
		       "a9" UP_TO_TIMESTAMP
		       "64'pcrs' a0" CERTIFICATES NO_OPTIONS);
	document.locked = 0x81808005;
	expect_payload(
		&document, NSM_DIALECT_DEFINITE,
		"a9" UP_TO_TIMESTAMP "64'pcrs' a6"
		"00 5830 00(48) 02 5830 02(48) 0f 5830 0f(48)"
		"17 5830 17(48) 1818 5830 18(48) 181f 5830 1f(48)" CERTIFICATES
			NO_OPTIONS);
	document.locked = 0xffffffff;
	expect_payload(
		&document, NSM_DIALECT_DEFINITE,
		"a9" UP_TO_TIMESTAMP "64'pcrs' b820"
		"00 5830 00(48) 01 5830 01(48) 02 5830 02(48)"
		"03 5830 03(48) 04 5830 04(48) 05 5830 05(48)"
		"06 5830 06(48) 07 5830 07(48) 08 5830 08(48)"
		"09 5830 09(48) 0a 5830 0a(48) 0b 5830 0b(48)"
		"0c 5830 0c(48) 0d 5830 0d(48) 0e 5830 0e(48)"
		"0f 5830 0f(48) 10 5830 10(48) 11 5830 11(48)"
		"12 5830 12(48) 13 5830 13(48) 14 5830 14(48)"
		"15 5830 15(48) 16 5830 16(48) 17 5830 17(48)"
		"1818 5830 18(48) 1819 5830 19(48) 181a 5830 1a(48)"
		"181b 5830 1b(48) 181c 5830 1c(48) 181d 5830 1d(48)"
		"181e 5830 1e(48) 181f 5830 1f(48)" CERTIFICATES NO_OPTIONS);
}

static void times_take_the_fewest_bytes(void **state)
{
	struct nsm_document document = small_document();

	(void)state;
	document.locked = 0;
	document.timestamp = 1;
	expect_payload(&document, NSM_DIALECT_DEFINITE,
		       "a9 69'module_id' 68'i-0-enc0' 66'digest' 66'SHA384'"
		       "69'timestamp' 01 64'pcrs' a0" CERTIFICATES NO_OPTIONS);
}

static void what_gets_signed_is_a_sig_structure(void **state)
{
	uint8_t bytes[512];
	struct cbor_out out = { .start = bytes, .capacity = sizeof(bytes) };

	(void)state;
	nsm_document_write_to_be_signed(&out, "payload", 7);
	assert_false(out.full);
	bytes_expect("Sig_structure",
		     "84 6a'Signature1' 44 a1013822 40 47'payload'", bytes,
		     out.used);
}

static void a_document_is_an_untagged_sign1(void **state)
{
	uint8_t signature[NSM_SIGNATURE_SIZE];
	uint8_t bytes[512];
	struct cbor_out out = { .start = bytes, .capacity = sizeof(bytes) };

	(void)state;
	memset(signature, 's', sizeof(signature));
	nsm_document_write_signed(&out, "payload", 7, signature);
	assert_false(out.full);
	bytes_expect("COSE_Sign1", "84 44 a1013822 a0 47'payload' 5860 's'(96)",
		     bytes, out.used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_older_dialect_is_a_definite_map),
		cmocka_unit_test(
			the_newer_dialect_is_an_indefinite_map_of_the_same),
		cmocka_unit_test(the_sparse_dialect_leaves_out_what_is_absent),
		cmocka_unit_test(options_are_byte_strings_even_if_empty),
		cmocka_unit_test(locked_registers_alone_are_in_it_in_order),
		cmocka_unit_test(times_take_the_fewest_bytes),
		cmocka_unit_test(what_gets_signed_is_a_sig_structure),
		cmocka_unit_test(a_document_is_an_untagged_sign1),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
