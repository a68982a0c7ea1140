// SPDX-License-Identifier: Apache-2.0
/*
 * One certificate: every field is what its description says.
 */
#include "nsm-emu/certificate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/key.h"
#include "nsm-emu/random.h"

static void cleanup_keyp(struct nsm_key **key)
{
	nsm_key_free(*key);
}

#define cleanup_key __attribute__((cleanup(cleanup_keyp)))

static struct nsm_key *key_of(const char *seed)
{
	struct nsm_random *random = nsm_random_new(seed);
	struct nsm_key *key = NULL;

	assert_int_equal(nsm_key_new(&key, random, NULL), 0);
	nsm_random_free(random);
	return key;
}

static const uint8_t serial[] = { 0xf9, 0x31, 0x75, 0x68, 0x1b, 0x90 };

static struct certificate_description typical(const struct nsm_key *key)
{
	return (struct certificate_description){
		.subject = { { "C", "ZZ" },
			     { "ST", "Nowhere" },
			     { "CN", "an öthority" } },
		.key = key,
		.issuer_key = key,
		.serial = serial,
		.serial_size = sizeof(serial),
		.not_before = 1700000000,
		.not_after = 1700086400,
		.basic_constraints = "critical,CA:TRUE,pathlen:1",
		.key_usage = "critical,keyCertSign",
		.crl = "URI:http://crl.example/1.crl",
		.has_key_ids = true,
	};
}

static X509 *make(const struct certificate_description *description)
{
	struct ne_error err = { 0 };
	X509 *certificate = NULL;

	if (certificate_make(&certificate, description, &err))
		fail_msg("%s", err.text);
	return certificate;
}

static void every_field_is_as_described(void **state)
{
	cleanup_key struct nsm_key *key = key_of(NULL);
	const struct certificate_description d = typical(key);
	cleanup_x509 X509 *certificate = make(&d);
	cleanup_bn BIGNUM *number = NULL, *expected = NULL;
	int64_t not_before, not_after;

	(void)state;
	assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
	number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	expected = BN_bin2bn(serial, sizeof(serial), NULL);
	assert_int_equal(BN_cmp(number, expected), 0);
	assert_int_equal(
		certificate_validity(certificate, &not_before, &not_after), 0);
	assert_int_equal(not_before, d.not_before);
	assert_int_equal(not_after, d.not_after);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(certificate),
				     nsm_key_pkey(key)),
			 1);
	assert_int_equal(X509_get_signature_nid(certificate),
			 NID_ecdsa_with_SHA384);
	assert_int_equal(X509_get_pathlen(certificate), 1);
	assert_int_equal(X509_get_key_usage(certificate), KU_KEY_CERT_SIGN);
	assert_int_equal(X509_get_ext_count(certificate), 4);
	assert_int_equal(X509_verify(certificate, nsm_key_pkey(key)), 1);
}

static void a_name_keeps_its_order_and_its_kinds_of_text(void **state)
{
	static const struct {
		int nid;
		int type;
		const char *value;
	} parts[] = {
		{ NID_countryName, V_ASN1_PRINTABLESTRING, "ZZ" },
		{ NID_stateOrProvinceName, V_ASN1_UTF8STRING, "Nowhere" },
		{ NID_commonName, V_ASN1_UTF8STRING, "an öthority" },
	};
	cleanup_key struct nsm_key *key = key_of(NULL);
	const struct certificate_description d = typical(key);
	cleanup_x509 X509 *certificate = make(&d);
	cleanup_free char *text = certificate_subject(certificate);
	X509_NAME *name = X509_get_subject_name(certificate);

	(void)state;
	assert_int_equal(X509_NAME_entry_count(name), ARRAY_SIZE(parts));
	for (int i = 0; i < (int)ARRAY_SIZE(parts); i++) {
		X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);

		assert_int_equal(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)),
				 parts[i].nid);
		assert_int_equal(ASN1_STRING_type(value), parts[i].type);
		assert_int_equal(ASN1_STRING_length(value),
				 strlen(parts[i].value));
		assert_memory_equal(ASN1_STRING_get0_data(value),
				    parts[i].value, strlen(parts[i].value));
	}
	assert_string_equal(text, "CN=an öthority,ST=Nowhere,C=ZZ");
}

static void names_that_do_not_fit_are_refused(void **state)
{
	static const char *const names[] = {
		"0123456789012345678901234567890123456789012345678901234567890"
		"12345",
		"",
		"\xff\xfe",
	};
	cleanup_key struct nsm_key *key = key_of(NULL);
	struct certificate_description d = typical(key);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct ne_error err = { 0 };
		X509 *certificate = NULL;

		d.subject[2].value = names[i];
		assert_int_equal(certificate_make(&certificate, &d, &err),
				 -EINVAL);
		assert_null(certificate);
		assert_non_null(strstr(err.text, "cannot make a certificate"));
	}
}

static void key_identifiers_are_those_of_the_keys(void **state)
{
	cleanup_key struct nsm_key *root_key = key_of(NULL);
	cleanup_key struct nsm_key *key = key_of(NULL);
	const struct certificate_description root_d = typical(root_key);
	cleanup_x509 X509 *root = make(&root_d);
	struct certificate_description d = typical(key);
	cleanup_x509 X509 *certificate = NULL;
	uint8_t sha1[EVP_MAX_MD_SIZE];
	const ASN1_OCTET_STRING *id;

	(void)state;
	d.issuer = root;
	d.issuer_key = root_key;
	certificate = make(&d);
	assert_int_equal(X509_get_ext_count(certificate), 5);
	assert_int_equal(
		X509_pubkey_digest(certificate, EVP_sha1(), sha1, NULL), 1);
	id = X509_get0_subject_key_id(certificate);
	assert_int_equal(ASN1_STRING_length(id), 20);
	assert_memory_equal(ASN1_STRING_get0_data(id), sha1, 20);
	assert_int_equal(
		ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(certificate),
				      X509_get0_subject_key_id(root)),
		0);
	assert_int_equal(X509_check_issued(root, certificate), X509_V_OK);
	assert_int_equal(X509_verify(certificate, nsm_key_pkey(root_key)), 1);
}

static void an_issuer_without_an_identifier_is_not_pointed_at(void **state)
{
	cleanup_key struct nsm_key *key = key_of(NULL);
	struct certificate_description d = typical(key);
	cleanup_x509 X509 *root = NULL, *certificate = NULL;

	(void)state;
	d.has_key_ids = false;
	root = make(&d);
	d.has_key_ids = true;
	d.issuer = root;
	certificate = make(&d);
	assert_null(X509_get0_authority_key_id(certificate));
	assert_non_null(X509_get0_subject_key_id(certificate));
}

static void what_is_not_described_is_not_there(void **state)
{
	cleanup_key struct nsm_key *key = key_of(NULL);
	struct certificate_description d = typical(key);
	cleanup_x509 X509 *certificate = NULL;

	(void)state;
	d.basic_constraints = d.key_usage = d.crl = NULL;
	d.has_key_ids = false;
	certificate = make(&d);
	assert_int_equal(X509_get_ext_count(certificate), 0);
}

/* RFC 5280, 4.1.2.5: two digits up to 2049. */
static void times_are_written_as_their_year_demands(void **state)
{
	cleanup_key struct nsm_key *key = key_of(NULL);
	struct certificate_description d = typical(key);
	cleanup_x509 X509 *certificate = NULL;
	int64_t not_before, not_after;

	(void)state;
	d.not_before = -3;
	d.not_after = 2524608000; /* 2050-01-01 */
	certificate = make(&d);
	assert_int_equal(ASN1_STRING_type(X509_get0_notBefore(certificate)),
			 V_ASN1_UTCTIME);
	assert_int_equal(ASN1_STRING_type(X509_get0_notAfter(certificate)),
			 V_ASN1_GENERALIZEDTIME);
	certificate_validity(certificate, &not_before, &not_after);
	assert_int_equal(not_before, d.not_before);
	assert_int_equal(not_after, d.not_after);
}

static void times_are_told_as_rfc_3339_has_them(void **state)
{
	char text[CERTIFICATE_TIME_SIZE];

	(void)state;
	certificate_time_text(1700000000, text);
	assert_string_equal(text, "2023-11-14T22:13:20Z");
	certificate_time_text(INT64_MAX, text);
	assert_string_equal(text, "9223372036854775807 s after 1970");
}

static bool is_same(const X509 *a, const X509 *b)
{
	unsigned char one[CERTIFICATE_FINGERPRINT_SIZE];
	unsigned char two[CERTIFICATE_FINGERPRINT_SIZE];

	assert_int_equal(certificate_fingerprint(a, one), 0);
	assert_int_equal(certificate_fingerprint(b, two), 0);
	return !memcmp(one, two, sizeof(one));
}

static void a_seed_gives_the_same_certificate_again(void **state)
{
	cleanup_key struct nsm_key *seeded = key_of("seed");
	cleanup_key struct nsm_key *random = key_of(NULL);
	struct certificate_description d = typical(seeded);
	cleanup_x509 X509 *a = make(&d), *b = make(&d);
	cleanup_x509 X509 *c = NULL, *e = NULL;

	(void)state;
	assert_true(is_same(a, b));
	assert_int_equal(X509_verify(a, nsm_key_pkey(seeded)), 1);
	assert_int_equal(X509_get_signature_nid(a), NID_ecdsa_with_SHA384);
	d = typical(random);
	c = make(&d);
	e = make(&d);
	assert_false(is_same(c, e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_as_described),
		cmocka_unit_test(a_name_keeps_its_order_and_its_kinds_of_text),
		cmocka_unit_test(names_that_do_not_fit_are_refused),
		cmocka_unit_test(key_identifiers_are_those_of_the_keys),
		cmocka_unit_test(
			an_issuer_without_an_identifier_is_not_pointed_at),
		cmocka_unit_test(what_is_not_described_is_not_there),
		cmocka_unit_test(times_are_written_as_their_year_demands),
		cmocka_unit_test(times_are_told_as_rfc_3339_has_them),
		cmocka_unit_test(a_seed_gives_the_same_certificate_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
