// SPDX-License-Identifier: Apache-2.0
/*
 * PCR8, and what a hostile signature section can look like.
 */
#include <ne/eif.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_eif_image.h"

/* openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 ... */
static const char certificate[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBtTCCATugAwIBAgIBATAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9saWJuZSB1\n"
	"bml0IHRlc3QwIBcNMjYxMTIxMDMwODQ3WhgPMjEyNjEwMjgwMzA4NDdaMBoxGDAW\n"
	"BgNVBAMMD2xpYm5lIHVuaXQgdGVzdDB2MBAGByqGSM49AgEGBSuBBAAiA2IABMNj\n"
	"iDCM4/moT9QhJvQ4blv4/dTYs/3nc6w/LZLyrgvj/DdY++dJXOz+NNQa2KRbwzCR\n"
	"dAdm9NT+LlRrDYF9HMepG6IZVJ1esRABjPRK/WhkLgwW5VD8W2iGe3a5YAzldKNT\n"
	"MFEwHQYDVR0OBBYEFLnDRlGoTaAJs9/kxe+Ba1jgwX7MMB8GA1UdIwQYMBaAFLnD\n"
	"RlGoTaAJs9/kxe+Ba1jgwX7MMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID\n"
	"aAAwZQIwTMY9fz+5l+HqsOHJIKZO9sQhpxIOW0+nbeFkE1Vb2685O+8o9UzbuXu5\n"
	"VKvKiRI3AjEAtFmf6Vd+gfe2SxEu5OL2zYN9mUYFcFVae4yeueXYwY56WRnoQ+GU\n"
	"FrOuqJ7RVhEm\n"
	"-----END CERTIFICATE-----\n";

/* openssl x509 -outform DER | sha384sum, then as in test_eif_measure.c. */
#define PCR8                                               \
	"24c95da31f40b438b2b8eac8c2052a7324d3df8878f188f0" \
	"0cf4937d17c3e598ab8174d213376b226bd22abf68aafb39"

/* --- CBOR, written by hand ------------------------------------------------ */

struct cbor {
	uint8_t bytes[32768];
	size_t size;
};

static void put(struct cbor *cbor, const void *bytes, size_t size)
{
	assert_true(cbor->size + size <= sizeof(cbor->bytes));
	memcpy(cbor->bytes + cbor->size, bytes, size);
	cbor->size += size;
}

static void put_byte(struct cbor *cbor, unsigned int value)
{
	const uint8_t byte = (uint8_t)value;

	put(cbor, &byte, 1);
}

/* A head with a 16 bit argument. */
static void put_head(struct cbor *cbor, unsigned int major, size_t argument)
{
	put_byte(cbor, major << 5 | 25);
	put_byte(cbor, (unsigned int)argument >> 8);
	put_byte(cbor, (unsigned int)argument);
}

static void put_text(struct cbor *cbor, const char *text)
{
	put_head(cbor, 3, strlen(text));
	put(cbor, text, strlen(text));
}

static void put_bytes(struct cbor *cbor, const char *text)
{
	put_head(cbor, 2, strlen(text));
	put(cbor, text, strlen(text));
}

/* As serde does it: integers below 24 in one byte, others in two. */
static void put_byte_array(struct cbor *cbor, const char *text)
{
	put_head(cbor, 4, strlen(text));
	for (; *text; text++) {
		if (*text >= 24)
			put_byte(cbor, 24);
		put_byte(cbor, (unsigned char)*text);
	}
}

enum {
	ARRAY_1 = 0x81,
	ARRAY_2,
	MAP_1 = 0xa1,
	MAP_2,
	MAP_3,
	ARRAY_MORE = 0x9f,
	MAP_MORE = 0xbf,
	BREAK = 0xff,
	NULL_VALUE = 0xf6
};

/* [{"signing_certificate": [@pem], "signature": [...]}] */
static void put_section(struct cbor *cbor, const char *pem)
{
	put_byte(cbor, ARRAY_1);
	put_byte(cbor, MAP_2);
	put_text(cbor, "signing_certificate");
	put_byte_array(cbor, pem);
	put_text(cbor, "signature");
	put_byte_array(cbor, "\x01\x7f");
}

/* --- Helpers -------------------------------------------------------------- */

static int measure(const struct cbor *cbor,
		   struct ne_eif_measurements *measurements,
		   struct ne_error *err)
{
	struct image *image = image_new_typical();
	struct ne_eif *eif;
	int ret;

	image_add(image, SIGNATURE, cbor->bytes, cbor->size);
	assert_int_equal(ne_eif_parse(&eif, image->bytes, image->size, err), 0);
	ret = ne_eif_measure(eif, measurements, err);
	ne_eif_close(eif);
	image_free(image);
	return ret;
}

static void accept(const struct cbor *cbor)
{
	struct ne_eif_measurements measured;
	struct ne_error err = { 0 };
	char hex[NE_PCR_HEX_SIZE];

	if (measure(cbor, &measured, &err))
		fail_msg("refused: %s", err.text);
	assert_true(measured.is_signed);
	ne_pcr_to_hex(&measured.pcr8, hex);
	assert_string_equal(hex, PCR8);
}

static void refuse(const struct cbor *cbor, const char *fragment)
{
	struct ne_eif_measurements measured;
	struct ne_error err = { 0 };

	memset(&measured, 0x55, sizeof(measured));
	check_failure(measure(cbor, &measured, &err), &err, EBADMSG, fragment);
	assert_int_equal(measured.pcr0.bytes[0], 0x55);
}

#define NO_SIGNATURES "is no CBOR array of signing certificates and signatures"

/* --- Tests ---------------------------------------------------------------- */

static void pcr8_measures_the_certificate(void **state)
{
	struct cbor cbor = { 0 };

	(void)state;
	put_section(&cbor, certificate);
	accept(&cbor);
}

static void byte_strings_do_too(void **state)
{
	struct cbor cbor = { 0 };

	(void)state;
	put_byte(&cbor, ARRAY_1);
	put_byte(&cbor, MAP_2);
	put_text(&cbor, "signature");
	put_bytes(&cbor, "x");
	put_text(&cbor, "signing_certificate");
	put_bytes(&cbor, certificate);
	accept(&cbor);
}

static void collections_of_unknown_length_do_too(void **state)
{
	struct cbor cbor = { 0 };

	(void)state;
	put_byte(&cbor, ARRAY_MORE);
	put_byte(&cbor, MAP_MORE);
	put_text(&cbor, "signing_certificate");
	put_byte_array(&cbor, certificate);
	put_text(&cbor, "signature");
	put_byte(&cbor, ARRAY_MORE);
	put_byte(&cbor, BREAK);
	put_byte(&cbor, BREAK);
	put_byte(&cbor, BREAK);
	accept(&cbor);
}

static void unknown_fields_and_further_entries_are_skipped(void **state)
{
	struct cbor cbor = { 0 };

	(void)state;
	put_byte(&cbor, ARRAY_2);
	put_byte(&cbor, MAP_3);
	put_text(&cbor, "comment");
	put_byte(&cbor, MAP_1);
	put_byte(&cbor, 0xc1); /* a tag */
	put_byte(&cbor, NULL_VALUE);
	put_byte(&cbor, ARRAY_1);
	put_byte(&cbor, 0xf5); /* true */
	put_text(&cbor, "signing_certificate");
	put_byte_array(&cbor, certificate);
	put_text(&cbor, "signature");
	put_byte_array(&cbor, "x");
	put_byte(&cbor, NULL_VALUE);
	accept(&cbor);
}

static void text_around_the_pem_is_ignored(void **state)
{
	struct cbor cbor = { 0 };
	char pem[2048] = "Certificate:\n";

	(void)state;
	strcat(pem, certificate);
	strcat(pem, "that was it\n");
	put_section(&cbor, pem);
	accept(&cbor);
}

static void an_empty_section_is_refused(void **state)
{
	const struct cbor cbor = { 0 };

	(void)state;
	refuse(&cbor, NO_SIGNATURES);
}

static void a_section_cut_anywhere_is_refused(void **state)
{
	struct cbor cbor = { 0 };
	size_t size;

	(void)state;
	put_section(&cbor, certificate);
	for (size = cbor.size - 1; size; size -= size > 40 ? 37 : 1) {
		cbor.size = size;
		refuse(&cbor, NO_SIGNATURES);
	}
}

static void bytes_behind_the_array_are_refused(void **state)
{
	struct cbor cbor = { 0 };

	(void)state;
	put_section(&cbor, certificate);
	put_byte(&cbor, 0);
	refuse(&cbor, NO_SIGNATURES);
}

static void an_empty_array_is_refused(void **state)
{
	struct cbor cbor = { 0 };

	(void)state;
	put_byte(&cbor, 0x80);
	refuse(&cbor, NO_SIGNATURES);
}

static void a_map_for_an_array_is_refused(void **state)
{
	struct cbor cbor = { 0 };

	(void)state;
	put_byte(&cbor, MAP_1);
	put_section(&cbor, certificate);
	put_byte(&cbor, NULL_VALUE);
	refuse(&cbor, NO_SIGNATURES);
}

static void a_missing_field_is_refused(void **state)
{
	static const char *const fields[] = { "signing_certificate",
					      "signature" };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct cbor cbor = { 0 };

		put_byte(&cbor, ARRAY_1);
		put_byte(&cbor, MAP_1);
		put_text(&cbor, fields[i]);
		put_byte_array(&cbor, certificate);
		refuse(&cbor, NO_SIGNATURES);
	}
}

static void a_field_that_comes_twice_is_refused(void **state)
{
	struct cbor cbor = { 0 };

	(void)state;
	put_byte(&cbor, ARRAY_1);
	put_byte(&cbor, MAP_3);
	put_text(&cbor, "signing_certificate");
	put_byte_array(&cbor, certificate);
	put_text(&cbor, "signing_certificate");
	put_byte_array(&cbor, certificate);
	put_text(&cbor, "signature");
	put_byte_array(&cbor, "x");
	refuse(&cbor, NO_SIGNATURES);
}

static void integers_that_are_no_bytes_are_refused(void **state)
{
	struct cbor cbor = { 0 };

	(void)state;
	put_byte(&cbor, ARRAY_1);
	put_byte(&cbor, MAP_2);
	put_text(&cbor, "signing_certificate");
	put_byte_array(&cbor, certificate);
	put_text(&cbor, "signature");
	put_byte(&cbor, ARRAY_1);
	put_head(&cbor, 0, 256);
	refuse(&cbor, NO_SIGNATURES);
}

static void enormous_lengths_are_refused_without_memory_for_them(void **state)
{
	static const uint8_t majors[] = { 2, 3, 4, 5 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(majors); i++) {
		struct cbor cbor = { 0 };

		put_byte(&cbor, ARRAY_1);
		put_byte(&cbor, MAP_1);
		put_text(&cbor, "signature");
		put_byte(&cbor, (unsigned int)majors[i] << 5 | 27);
		put(&cbor, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8);
		refuse(&cbor, NO_SIGNATURES);
	}
}

static void deep_nesting_is_refused(void **state)
{
	struct cbor cbor = { 0 };
	unsigned int i;

	(void)state;
	put_byte(&cbor, ARRAY_1);
	put_byte(&cbor, MAP_1);
	put_text(&cbor, "x");
	for (i = 0; i < 30000; i++)
		put_byte(&cbor, i & 1 ? ARRAY_1 : 0xc1);
	refuse(&cbor, NO_SIGNATURES);
}

static void a_certificate_that_is_none_is_refused(void **state)
{
	static const char *const pems[] = {
		"",
		"certificate",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n",
		/* Nobody must be asked for a password. */
		"-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
		"DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\n"
		"AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pems) / sizeof(pems[0]); i++) {
		struct cbor cbor = { 0 };

		put_section(&cbor, pems[i]);
		refuse(&cbor, "the signing certificate is no PEM certificate");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcr8_measures_the_certificate),
		cmocka_unit_test(byte_strings_do_too),
		cmocka_unit_test(collections_of_unknown_length_do_too),
		cmocka_unit_test(
			unknown_fields_and_further_entries_are_skipped),
		cmocka_unit_test(text_around_the_pem_is_ignored),
		cmocka_unit_test(an_empty_section_is_refused),
		cmocka_unit_test(a_section_cut_anywhere_is_refused),
		cmocka_unit_test(bytes_behind_the_array_are_refused),
		cmocka_unit_test(an_empty_array_is_refused),
		cmocka_unit_test(a_map_for_an_array_is_refused),
		cmocka_unit_test(a_missing_field_is_refused),
		cmocka_unit_test(a_field_that_comes_twice_is_refused),
		cmocka_unit_test(integers_that_are_no_bytes_are_refused),
		cmocka_unit_test(
			enormous_lengths_are_refused_without_memory_for_them),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(a_certificate_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
