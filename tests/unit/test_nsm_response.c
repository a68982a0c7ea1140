// SPDX-License-Identifier: Apache-2.0
/*
 * Responses as serde_cbor's to_vec() writes the Response enum of
 * aws-nitro-enclaves-nsm-api.
 */
#include "nsm-emu/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nsm-emu/module.h"
#include "tests/unit/bytes.h"

static uint8_t response[NSM_RESPONSE_MAX];

static void expect(size_t size, const char *expected)
{
	bytes_expect(expected, expected, response, size);
}

static void a_description_has_its_fields_in_the_declared_order(void **state)
{
	(void)state;
	expect(nsm_response_describe_nsm(response, "i-0-enc0", 0x8000ffff),
	       "a1 6b'DescribeNSM' a7"
	       "6d'version_major' 01"
	       "6d'version_minor' 00"
	       "6d'version_patch' 00"
	       "69'module_id' 68'i-0-enc0'"
	       "68'max_pcrs' 1820"
	       "6b'locked_pcrs' 91"
	       "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 181f"
	       "66'digest' 66'SHA384'");
}

static void all_and_none_of_the_registers_can_be_locked(void **state)
{
	(void)state;
	expect(nsm_response_describe_nsm(response, "m", 0),
	       "a1 6b'DescribeNSM' a7"
	       "6d'version_major' 01 6d'version_minor' 00 6d'version_patch' 00"
	       "69'module_id' 61'm' 68'max_pcrs' 1820"
	       "6b'locked_pcrs' 80 66'digest' 66'SHA384'");
	expect(nsm_response_describe_nsm(response, "m", 0xffffffff),
	       "a1 6b'DescribeNSM' a7"
	       "6d'version_major' 01 6d'version_minor' 00 6d'version_patch' 00"
	       "69'module_id' 61'm' 68'max_pcrs' 1820"
	       "6b'locked_pcrs' 9820"
	       "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13"
	       "14 15 16 17 1818 1819 181a 181b 181c 181d 181e 181f"
	       "66'digest' 66'SHA384'");
}

static void a_register_is_its_lock_and_then_its_value(void **state)
{
	const struct ne_pcr pcr = { { 1, 2, 3 } };

	(void)state;
	expect(nsm_response_describe_pcr(response, &pcr, true),
	       "a1 6b'DescribePCR' a2 64'lock' f5 64'data' 5830 010203 00(45)");
	expect(nsm_response_describe_pcr(response, &pcr, false),
	       "a1 6b'DescribePCR' a2 64'lock' f4 64'data' 5830 010203 00(45)");
	expect(nsm_response_extend_pcr(response, &pcr),
	       "a1 69'ExtendPCR' a1 64'data' 5830 010203 00(45)");
}

static void a_variant_without_fields_is_a_text(void **state)
{
	(void)state;
	expect(nsm_response_lock_pcr(response), "67'LockPCR'");
	expect(nsm_response_lock_pcrs(response), "68'LockPCRs'");
}

static void lengths_take_the_fewest_bytes(void **state)
{
	static const uint8_t bytes[0x100] = { 0 };

	(void)state;
	expect(nsm_response_get_random(response, bytes, 0),
	       "a1 69'GetRandom' a1 66'random' 40");
	expect(nsm_response_get_random(response, bytes, 23),
	       "a1 69'GetRandom' a1 66'random' 57 00(23)");
	expect(nsm_response_get_random(response, bytes, 24),
	       "a1 69'GetRandom' a1 66'random' 5818 00(24)");
	expect(nsm_response_get_random(response, bytes, 255),
	       "a1 69'GetRandom' a1 66'random' 58ff 00(255)");
	expect(nsm_response_get_random(response, bytes, 256),
	       "a1 69'GetRandom' a1 66'random' 590100 00(256)");
	expect(nsm_response_attestation(response, bytes, 1),
	       "a1 6b'Attestation' a1 68'document' 41 00");
}

static void every_error_has_its_name(void **state)
{
	(void)state;
	expect(nsm_response_error(response, NSM_SUCCESS),
	       "a1 65'Error' 67'Success'");
	expect(nsm_response_error(response, NSM_INVALID_ARGUMENT),
	       "a1 65'Error' 6f'InvalidArgument'");
	expect(nsm_response_error(response, NSM_INVALID_INDEX),
	       "a1 65'Error' 6c'InvalidIndex'");
	expect(nsm_response_error(response, NSM_INVALID_RESPONSE),
	       "a1 65'Error' 6f'InvalidResponse'");
	expect(nsm_response_error(response, NSM_READ_ONLY_INDEX),
	       "a1 65'Error' 6d'ReadOnlyIndex'");
	expect(nsm_response_error(response, NSM_INVALID_OPERATION),
	       "a1 65'Error' 70'InvalidOperation'");
	expect(nsm_response_error(response, NSM_BUFFER_TOO_SMALL),
	       "a1 65'Error' 6e'BufferTooSmall'");
	expect(nsm_response_error(response, NSM_INPUT_TOO_LARGE),
	       "a1 65'Error' 6d'InputTooLarge'");
	expect(nsm_response_error(response, NSM_INTERNAL_ERROR),
	       "a1 65'Error' 6d'InternalError'");
}

static void what_is_too_large_for_a_response_is_an_error(void **state)
{
	static const uint8_t bytes[NSM_RESPONSE_MAX] = { 0 };

	(void)state;
	/* The heads and names around a document take 26 bytes. */
	assert_int_equal(nsm_response_attestation(response, bytes,
						  NSM_RESPONSE_MAX - 26),
			 NSM_RESPONSE_MAX);
	expect(nsm_response_attestation(response, bytes, NSM_RESPONSE_MAX - 25),
	       "a1 65'Error' 6e'BufferTooSmall'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_description_has_its_fields_in_the_declared_order),
		cmocka_unit_test(all_and_none_of_the_registers_can_be_locked),
		cmocka_unit_test(a_register_is_its_lock_and_then_its_value),
		cmocka_unit_test(a_variant_without_fields_is_a_text),
		cmocka_unit_test(lengths_take_the_fewest_bytes),
		cmocka_unit_test(every_error_has_its_name),
		cmocka_unit_test(what_is_too_large_for_a_response_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
