// SPDX-License-Identifier: Apache-2.0
/*
 * Verifying attestation documents: real ones, and ones that are wrong in one
 * way each.
 */
#include <ne/attestation.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "libne/cleanup.h"
#include "tests/unit/attestation_document.h"

/* --- A chain, a document below it, and what to expect of it -------------- */

struct test {
	struct made_chain chain;
	struct document *document;
	struct ne_attestation_policy policy;
	struct ne_attestation_bytes root;
	uint8_t root_der[1024];
	/* The result */
	enum ne_attestation_check failed;
	struct ne_error err;
	int ret;
};

/* Plans only: what is wrong comes between this and judge(). */
static struct test *test_new(void)
{
	struct test *test = calloc(1, sizeof(*test));

	assert_non_null(test);
	chain_plan(&test->chain);
	test->document = document_new();
	test->policy.when = NE_ATTESTATION_AT_ITS_TIME;
	test->policy.roots = &test->root;
	test->policy.n_roots = 1;
	return test;
}

static void forget(struct test *test)
{
	document_free(test->document);
	chain_free(&test->chain);
	free(test);
}

static void verify_raw(struct test *test, const struct raw *raw)
{
	struct ne_attestation *attestation = NULL;

	memset(&test->err, 0, sizeof(test->err));
	if (ne_attestation_parse(&attestation, raw->bytes, raw->size,
				 &test->err))
		fail_msg("%s", test->err.text);
	test->failed = NE_ATTESTATION_CHECKS;
	test->ret = ne_attestation_verify(attestation, &test->policy,
					  &test->failed, &test->err);
	ne_attestation_free(attestation);
	/* Nothing of OpenSSL's is left behind. */
	assert_int_equal(ERR_peek_error(), 0);
}

static void prepare(struct test *test)
{
	if (!test->chain.certificates[0])
		chain_make(&test->chain);
	if (!test->document->key)
		chain_into(&test->chain, test->document);
	test->root = chain_root_der(&test->chain, test->root_der);
	document_encode(test->document);
}

static void judge(struct test *test)
{
	prepare(test);
	verify_raw(test, &test->document->encoded);
}

static void check_accepted(const struct test *test)
{
	if (test->ret)
		fail_msg("refused (%s): %s",
			 ne_attestation_check_name(test->failed),
			 test->err.text);
	assert_int_equal(test->failed, NE_ATTESTATION_NO_CHECK);
	assert_int_equal(test->err.code, 0);
}

static void check_refused(const struct test *test, int code,
			  enum ne_attestation_check check, const char *fragment)
{
	if (test->failed != check || !strstr(test->err.text, fragment))
		fail_msg("failed: %s, \"%s\"; not %s, \"%s\"",
			 ne_attestation_check_name(test->failed),
			 test->err.text, ne_attestation_check_name(check),
			 fragment);
	/* Options are a command's, not the library's. */
	assert_null(strstr(test->err.text, "--"));
	assert_int_equal(test->ret, -code);
	assert_int_equal(test->err.code, code);
}

static void accept(struct test *test)
{
	judge(test);
	check_accepted(test);
	forget(test);
}

static void refuse(struct test *test, int code, enum ne_attestation_check check,
		   const char *fragment)
{
	judge(test);
	check_refused(test, code, check, fragment);
	forget(test);
}

#define REJECT(test, check, fragment) \
	refuse(test, EKEYREJECTED, NE_ATTESTATION_##check, fragment)

/* --- Real documents ------------------------------------------------------ */

#define VERACRUZ_TIME 1668034320

static void verify_vector(struct test *test, const char *name)
{
	static struct raw raw;

	vector_read(&raw, name);
	verify_raw(test, &raw);
}

/* AWS's root, and nothing else. */
static struct test *test_of_aws(void)
{
	struct test *test = test_new();

	test->policy.roots = NULL;
	test->policy.n_roots = 0;
	return test;
}

static void real_documents_verify_at_their_time(void **state)
{
	static const char *const names[] = { "veracruz-valid.cbor",
					     "evervault-valid.cbor" };
	struct test *test = test_of_aws();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		verify_vector(test, names[i]);
		check_accepted(test);
		/* Also with authorities that are known already. */
		verify_vector(test, names[i]);
		check_accepted(test);
	}
	test->policy.when = NE_ATTESTATION_AT_TIME;
	test->policy.time = VERACRUZ_TIME + 3600;
	verify_vector(test, names[0]);
	check_accepted(test);
	forget(test);
}

static void real_documents_have_expired_since(void **state)
{
	struct test *test = test_of_aws();

	(void)state;
	test->policy.when = NE_ATTESTATION_NOW;
	verify_vector(test, "veracruz-valid.cbor");
	check_refused(test, EKEYEXPIRED, NE_ATTESTATION_VALIDITY,
		      "has expired: its life ended at 2022-11-26 23:20:55 UTC");
	assert_non_null(strstr(test->err.text, "at the time it was made"));
	verify_vector(test, "evervault-valid.cbor");
	check_refused(test, EKEYEXPIRED, NE_ATTESTATION_VALIDITY,
		      "has expired");
	test->policy.when = NE_ATTESTATION_AT_TIME;
	test->policy.time = VERACRUZ_TIME - 7 * 86400;
	verify_vector(test, "veracruz-valid.cbor");
	check_refused(test, EKEYEXPIRED, NE_ATTESTATION_VALIDITY,
		      "is not yet valid at 2022-11-02 22:52:00 UTC");
	forget(test);
}

static void real_documents_are_not_below_another_root(void **state)
{
	struct test *test = test_new();

	(void)state;
	prepare(test);
	verify_vector(test, "veracruz-valid.cbor");
	check_refused(test, EKEYREJECTED, NE_ATTESTATION_ROOT,
		      "this document is from AWS (CN=aws.nitro-enclaves), and "
		      "the root that is trusted is another");
	forget(test);
}

static void a_broken_signature_is_told_first(void **state)
{
	struct test *test = test_of_aws();

	(void)state;
	test->policy.when = NE_ATTESTATION_NOW;
	verify_vector(test, "veracruz-bad-signature.cbor");
	check_refused(test, EKEYREJECTED, NE_ATTESTATION_SIGNATURE,
		      "the signature does not hold: the document was changed");
	forget(test);
}

static void the_root_that_is_built_in_is_aws_s(void **state)
{
	static const uint8_t fingerprint[] = {
		0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef,
		0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6, 0x06, 0x31,
		0x7e, 0xd7, 0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0,
		0x98, 0x93, 0xf3, 0xc6, 0x8f, 0x79, 0xbb, 0x5b
	};
	const struct ne_attestation_bytes *root = ne_attestation_aws_root();
	uint8_t digest[32];

	(void)state;
	assert_true(EVP_Q_digest(NULL, "SHA256", NULL, root->data, root->size,
				 digest, NULL));
	assert_memory_equal(digest, fingerprint, sizeof(digest));
}

static void real_documents_have_what_is_expected(void **state)
{
	static struct raw raw;
	struct test *test = test_of_aws();
	struct ne_attestation *attestation;

	(void)state;
	vector_read(&raw, "veracruz-valid.cbor");
	assert_int_equal(ne_attestation_parse(&attestation, raw.bytes, raw.size,
					      NULL),
			 0);
	for (unsigned int i = 0; i < 16; i++) {
		memcpy(test->policy.pcrs[i].bytes,
		       ne_attestation_pcr(attestation, i)->data, NE_PCR_SIZE);
		test->policy.expected_pcrs |= UINT32_C(1) << i;
	}
	test->policy.nonce = ne_attestation_nonce(attestation);
	test->policy.user_data = ne_attestation_user_data(attestation);
	test->policy.module_id = ne_attestation_module_id(attestation);
	test->policy.when = NE_ATTESTATION_AT_TIME;
	test->policy.time = VERACRUZ_TIME + 1;
	test->policy.max_age = 1;
	verify_raw(test, &raw);
	check_accepted(test);
	test->policy.expected_pcrs |= UINT32_C(1) << 16;
	verify_raw(test, &raw);
	check_refused(test, EACCES, NE_ATTESTATION_PCRS, "PCR16 is missing");
	ne_attestation_free(attestation);
	forget(test);
}

/* --- Ours ---------------------------------------------------------------- */

static void a_chain_like_nitro_s_is_accepted(void **state)
{
	(void)state;
	accept(test_new());
}

static void both_dialects_and_the_tag_are_accepted(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->document->indefinite = true;
	document_drop(test->document, "nonce");
	RAW(&test->document->head, "\xd2\x84");
	RAW(&test->document->protected_header, "\xbf\x01\x38\x22\xff");
	accept(test);
}

static void chains_of_other_lengths_are_accepted(void **state)
{
	struct test *test = test_new();

	(void)state;
	/* A root and a leaf */
	test->chain.plans[1] = test->chain.plans[4];
	test->chain.count = 2;
	accept(test);
	/* As many as a document may have */
	test = test_new();
	test->chain.plans[16] = test->chain.plans[4];
	for (unsigned int i = 1; i < 16; i++) {
		test->chain.plans[i] = test->chain.plans[0];
		test->chain.plans[i].name =
			&"abcdefghijklmnop"[16 - i]; /* all different */
	}
	test->chain.count = 17;
	accept(test);
}

static void a_company_s_root_on_another_curve_is_accepted(void **state)
{
	static const char *const kinds[] = { "P-256", "P-521", "RSA",
					     "ED25519" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct test *test = test_new();

		test->chain.plans[0].key = kinds[i];
		accept(test);
	}
}

static void one_of_several_roots_is_enough(void **state)
{
	struct test *test = test_new();
	struct ne_attestation_bytes roots[3];

	(void)state;
	prepare(test);
	roots[0] = *ne_attestation_aws_root();
	roots[1] = (struct ne_attestation_bytes){ (const uint8_t *)"x", 1 };
	roots[2] = test->root;
	test->policy.roots = roots;
	test->policy.n_roots = 3;
	accept(test);
}

/* --- The signature ------------------------------------------------------- */

static void another_key_than_the_leaf_s_is_refused(void **state)
{
	struct test *test = test_new();

	(void)state;
	chain_make(&test->chain);
	chain_into(&test->chain, test->document);
	test->document->key = test->chain.keys[3];
	REJECT(test, SIGNATURE, "not signed by the leaf (CN=leaf)");
}

static void another_header_than_the_signed_one_is_refused(void **state)
{
	struct test *test = test_new();
	struct raw *encoded = &test->document->encoded;

	(void)state;
	prepare(test);
	/* The same in other CBOR: 84 44 a1013822 -> 84 46 a1 1801 3822 */
	assert_memory_equal(encoded->bytes, "\x84\x44\xa1\x01\x38\x22", 6);
	memmove(encoded->bytes + 7, encoded->bytes + 6, encoded->size - 6);
	memcpy(encoded->bytes, "\x84\x45\xa1\x18\x01\x38\x22", 7);
	encoded->size++;
	verify_raw(test, encoded);
	check_refused(test, EKEYREJECTED, NE_ATTESTATION_SIGNATURE,
		      "the signature does not hold");
	forget(test);
}

static void signatures_without_meaning_are_refused(void **state)
{
	struct test *test = test_new();
	struct raw *encoded = &test->document->encoded;
	uint8_t *signature;

	(void)state;
	prepare(test);
	signature = encoded->bytes + encoded->size - 96;
	for (int fill = 0; fill < 2; fill++) {
		memset(signature, fill ? 0xff : 0, 96);
		verify_raw(test, encoded);
		check_refused(test, EKEYREJECTED, NE_ATTESTATION_SIGNATURE,
			      "the signature does not hold");
	}
	forget(test);
}

static void a_leaf_without_a_p_384_key_is_refused(void **state)
{
	static const char *const kinds[] = { "P-256", "P-521", "RSA",
					     "ED25519" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct test *test = test_new();

		test->chain.plans[4].key = kinds[i];
		chain_make(&test->chain);
		chain_into(&test->chain, test->document);
		/* Which is not the point */
		test->document->key = test->chain.keys[3];
		REJECT(test, SIGNATURE,
		       "the leaf (CN=leaf) has no key on P-384");
	}
}

/* --- The root ------------------------------------------------------------ */

static void another_root_of_the_same_name_is_untrusted(void **state)
{
	struct test *test = test_new();
	struct test *other = test_new();

	(void)state;
	prepare(test);
	prepare(other);
	test->policy.roots = &other->root;
	verify_raw(test, &test->document->encoded);
	check_refused(test, EKEYREJECTED, NE_ATTESTATION_ROOT,
		      "the root of this document (CN=root, SHA-256 ");
	forget(test);
	forget(other);
}

static void an_emulator_s_document_is_named_so(void **state)
{
	struct test *test = test_of_aws();

	(void)state;
	test->chain.plans[0].name = "emulated.nitro-enclaves";
	refuse(test, EKEYREJECTED, NE_ATTESTATION_ROOT,
	       "this document is from an emulator (CN=emulated.nitro-enclaves");
}

static void another_partition_s_root_is_named_so(void **state)
{
	static const char *const others[] = { "aws-us.nitro-enclaves.com",
					      "aws-us-gov",
					      "laws-us.nitro-enclaves" };
	struct test *test = test_of_aws();

	(void)state;
	test->chain.plans[0].name = "aws-us-gov.nitro-enclaves";
	refuse(test, EKEYREJECTED, NE_ATTESTATION_ROOT,
	       "this document claims to be from another partition of AWS's "
	       "(CN=aws-us-gov.nitro-enclaves, SHA-256 ");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		test = test_of_aws();
		test->chain.plans[0].name = others[i];
		refuse(test, EKEYREJECTED, NE_ATTESTATION_ROOT,
		       "the root of this document (CN=");
	}
}

static void a_root_that_claims_to_be_aws_s_is_not(void **state)
{
	struct test *test = test_of_aws();

	(void)state;
	test->chain.plans[0].name = "aws.nitro-enclaves";
	refuse(test, EKEYREJECTED, NE_ATTESTATION_ROOT, "is not AWS's root");
}

static void a_trusted_intermediate_is_no_root(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[0].issuer = "someone above";
	REJECT(test, ROOT, "the root (CN=root) is not self-signed");
}

static void the_real_root_does_not_help_a_foreign_chain(void **state)
{
	struct test *test = test_of_aws();
	const struct ne_attestation_bytes *aws = ne_attestation_aws_root();
	static struct raw bundle;

	(void)state;
	chain_make(&test->chain);
	chain_into(&test->chain, test->document);
	/* AWS's root, then the chain's own authorities */
	for (size_t i = 0; i < test->document->n_fields; i++)
		if (!strcmp(test->document->fields[i].name, "cabundle"))
			bundle = test->document->fields[i].value;
	memmove(bundle.bytes + 4 + aws->size, bundle.bytes + 1,
		bundle.size - 1);
	bundle.bytes[0] = 0x85;
	bundle.bytes[1] = 0x59;
	bundle.bytes[2] = (uint8_t)(aws->size >> 8);
	bundle.bytes[3] = (uint8_t)aws->size;
	memcpy(bundle.bytes + 4, aws->data, aws->size);
	document_set(test->document, "cabundle", bundle.bytes,
		     bundle.size + 3 + aws->size);
	REJECT(test, ORDER,
	       "the authority (CN=root) was issued by CN=root, but before it "
	       "comes CN=aws.nitro-enclaves");
}

static void a_policy_without_any_root_is_an_error(void **state)
{
	struct test *test = test_new();

	(void)state;
	prepare(test);
	test->policy.n_roots = 0;
	verify_raw(test, &test->document->encoded);
	check_refused(test, EINVAL, NE_ATTESTATION_NO_CHECK, "no root");
	/* AWS's is not meant. */
	test->policy.roots = NULL;
	test->policy.n_roots = 1;
	verify_raw(test, &test->document->encoded);
	check_refused(test, EINVAL, NE_ATTESTATION_NO_CHECK,
		      "no list of the 1 roots");
	forget(test);
}

/* --- The chain ----------------------------------------------------------- */

static void swap(struct made_chain *chain, unsigned int a, unsigned int b)
{
	X509 *certificate = chain->certificates[a];

	chain->certificates[a] = chain->certificates[b];
	chain->certificates[b] = certificate;
}

static void another_order_is_refused(void **state)
{
	struct test *test = test_new();

	(void)state;
	chain_make(&test->chain);
	swap(&test->chain, 1, 2);
	REJECT(test, ORDER,
	       "the authority (CN=zone) was issued by CN=region, but before "
	       "it comes CN=root; certificates must run from the root to the "
	       "leaf");
	/* The leaf's issuer first, as other verifiers want it */
	test = test_new();
	chain_make(&test->chain);
	swap(&test->chain, 0, 3);
	swap(&test->chain, 1, 2);
	test->root = chain_root_der(&test->chain, test->root_der);
	REJECT(test, ROOT, "the root (CN=instance) is not self-signed");
}

static void a_certificate_too_many_is_refused(void **state)
{
	struct test *test = test_new();

	(void)state;
	/* Self-issued and signed by the right one, but not needed */
	test->chain.plans[5] = test->chain.plans[4];
	test->chain.plans[4] = test->chain.plans[3];
	test->chain.plans[3].basic_constraints = "critical,CA:TRUE";
	test->chain.plans[2].basic_constraints = "critical,CA:TRUE";
	test->chain.plans[1].basic_constraints = "critical,CA:TRUE";
	test->chain.count = 6;
	/* instance is there twice; the leaf is signed by the first of them */
	test->chain.plans[5].signer = 3;
	REJECT(test, CHAIN, "");
}

static void a_certificate_too_few_is_refused(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[2].issuer = "lost";
	REJECT(test, ORDER,
	       "the authority (CN=zone) was issued by CN=lost, but before it "
	       "comes CN=region");
}

static void a_certificate_signed_by_another_is_refused(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < 5; i++) {
		struct test *test = test_new();

		test->chain.plans[i].signer = (int)i;
		REJECT(test, CHAIN, "was not signed by the certificate before");
	}
}

static void identifiers_of_keys_must_match_if_they_are_there(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[2].subject_key = "zone";
	test->chain.plans[3].authority_key = "zone";
	test->chain.plans[3].subject_key = "instance";
	accept(test);
	test = test_new();
	test->chain.plans[2].subject_key = "zone";
	test->chain.plans[3].authority_key = "another zone";
	REJECT(test, CHAIN,
	       "the authority (CN=instance): authority and subject key "
	       "identifier mismatch");
}

/*
 * Three authorities of the same name, so that only the identifiers of keys tell
 * which is whose.
 */
static struct test *test_of_namesakes(void)
{
	static const char *const keys[] = { "first", "second", "third" };
	struct test *test = test_new();
	struct plan *plans = test->chain.plans;

	plans[3] = plans[4];
	test->chain.count = 4;
	for (unsigned int i = 0; i < 4; i++) {
		if (i < 3) {
			plans[i].name = "root";
			plans[i].basic_constraints = "critical,CA:TRUE";
			plans[i].subject_key = keys[i];
		}
		if (i)
			plans[i].authority_key = keys[i - 1];
	}
	return test;
}

static void authorities_of_the_same_name_are_told_apart(void **state)
{
	struct test *test = test_of_namesakes();

	(void)state;
	accept(test);
	test = test_of_namesakes();
	chain_make(&test->chain);
	swap(&test->chain, 1, 2);
	REJECT(test, CHAIN, "");
	/* The second has issued the leaf, the third has not. */
	test = test_of_namesakes();
	test->chain.plans[3].signer = 1;
	test->chain.plans[3].authority_key = "second";
	REJECT(test, CHAIN, "");
}

static void a_root_that_comes_twice_is_refused(void **state)
{
	struct test *test = test_of_namesakes();
	struct made_chain *chain = &test->chain;

	(void)state;
	chain->plans[2] = chain->plans[3];
	chain->plans[2].signer = 0;
	chain->plans[2].authority_key = "first";
	chain->count = 3;
	chain_make(chain);
	X509_free(chain->certificates[1]);
	chain->certificates[1] = chain->certificates[0];
	assert_true(X509_up_ref(chain->certificates[0]));
	REJECT(test, CHAIN, "");
}

static void a_root_whose_issuer_has_another_key_is_refused(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[0].subject_key = "root";
	test->chain.plans[0].authority_key = "another root";
	REJECT(test, CHAIN, "the root (CN=root): ");
}

static void a_weak_digest_is_refused(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[2].digest = "SHA1";
	REJECT(test, CHAIN, "the authority (CN=zone)");
}

static void name_constraints_are_heeded(void **state)
{
	static const char *const leaves[] = { "enclave.example.com",
					      "enclave.example.org" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct test *test = test_new();

		test->chain.plans[0].name_constraints =
			"critical,permitted;DNS:example.com";
		test->chain.plans[4].name = leaves[i];
		if (!i)
			accept(test);
		else
			REJECT(test, CHAIN, "permitted subtree violation");
	}
}

static void certificates_that_are_none_are_refused(void **state)
{
	struct test *test = test_new();

	(void)state;
	chain_make(&test->chain);
	chain_into(&test->chain, test->document);
	SET(test->document, "certificate", "\x44leaf");
	refuse(test, EBADMSG, NE_ATTESTATION_SYNTAX,
	       "certificate 4 (the leaf) is no X.509 certificate");
	test = test_new();
	chain_make(&test->chain);
	chain_into(&test->chain, test->document);
	SET(test->document, "cabundle", "\x81\x44root");
	refuse(test, EBADMSG, NE_ATTESTATION_SYNTAX,
	       "certificate 0 of the cabundle is no X.509 certificate");
}

static void bytes_behind_a_certificate_are_refused(void **state)
{
	struct test *test = test_new();
	static struct raw leaf;

	(void)state;
	chain_make(&test->chain);
	chain_into(&test->chain, test->document);
	for (size_t i = 0; i < test->document->n_fields; i++)
		if (!strcmp(test->document->fields[i].name, "certificate"))
			leaf = test->document->fields[i].value;
	assert_int_equal(leaf.bytes[0], 0x59);
	leaf.bytes[2]++;
	leaf.bytes[leaf.size++] = 0;
	document_set(test->document, "certificate", leaf.bytes, leaf.size);
	refuse(test, EBADMSG, NE_ATTESTATION_SYNTAX, "(the leaf)");
}

/* --- Constraints --------------------------------------------------------- */

static void other_versions_than_3_are_refused(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[2].version = 2;
	REJECT(test, CONSTRAINTS,
	       "the authority (CN=zone) is of X.509 version 2, not 3");
	test = test_new();
	test->chain.plans[4].version = 1;
	REJECT(test, CONSTRAINTS,
	       "the leaf (CN=leaf) is of X.509 version 1, not 3");
}

static void authorities_without_ca_are_refused(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct test *test = test_new();

		test->chain.plans[i].basic_constraints = "critical,CA:FALSE";
		REJECT(test, CONSTRAINTS, "is no authority (CA:TRUE)");
		test = test_new();
		test->chain.plans[i].basic_constraints = NULL;
		REJECT(test, CONSTRAINTS, "is no authority (CA:TRUE)");
		test = test_new();
		test->chain.plans[i].basic_constraints = "CA:TRUE";
		REJECT(test, CONSTRAINTS,
		       "basic constraints that are not "
		       "critical");
	}
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	static const char *const limits[] = { "critical,CA:TRUE,pathlen:2",
					      "critical,CA:TRUE,pathlen:1",
					      "critical,CA:TRUE,pathlen:0" };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct test *test = test_new();

		test->chain.plans[i].basic_constraints = limits[i];
		REJECT(test, CONSTRAINTS, "authorities are below it");
	}
}

static void a_path_that_is_just_short_enough_is_accepted(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[0].basic_constraints = "critical,CA:TRUE,pathlen:3";
	accept(test);
}

static void a_leaf_that_is_an_authority_is_refused(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[4].basic_constraints = "critical,CA:TRUE";
	REJECT(test, CONSTRAINTS,
	       "the leaf (CN=leaf) is an authority (CA:TRUE)");
	test = test_new();
	test->chain.plans[4].basic_constraints = "critical,CA:FALSE,pathlen:0";
	REJECT(test, CONSTRAINTS, "the leaf (CN=leaf) has a path length");
}

static void a_leaf_without_basic_constraints_is_accepted(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[4].basic_constraints = NULL;
	accept(test);
}

static void critical_extensions_must_be_understood(void **state)
{
	static const char *const oids[] = {
		"1.2.3.4.5", "2.5.29.32" /* certificate policies */,
		"2.5.29.36" /* policy constraints */,
		"2.5.29.37" /* extended key usage */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(oids); i++)
		for (unsigned int j = 0; j < 5; j++) {
			struct test *test = test_new();

			test->chain.plans[j].extension_oid = oids[i];
			test->chain.plans[j].extension_is_critical = true;
			judge(test);
			assert_int_equal(test->failed,
					 NE_ATTESTATION_CONSTRAINTS);
			forget(test);
		}
	{
		struct test *test = test_new();

		test->chain.plans[4].extension_oid = oids[0];
		test->chain.plans[4].extension_is_critical = true;
		REJECT(test, CONSTRAINTS,
		       "the leaf (CN=leaf) has the critical extension "
		       "1.2.3.4.5, which is not understood");
	}
}

static void other_extensions_are_ignored(void **state)
{
	struct test *test = test_new();

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		test->chain.plans[i].extension_oid = "1.2.3.4.5";
	accept(test);
}

static void a_doubled_extension_is_refused(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[2].extension_oid = "2.5.29.19";
	REJECT(test, CONSTRAINTS,
	       "the authority (CN=zone) has a malformed or doubled extension");
}

static void unsound_keys_are_refused(void **state)
{
	static const char *const kinds[] = { "RSA-1024", "secp256k1", "P-224" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct test *test = test_new();

		test->chain.plans[3].key = kinds[i];
		if (!strcmp(kinds[i], "RSA-1024"))
			test->chain.plans[4].digest = "SHA256";
		REJECT(test, CONSTRAINTS,
		       "the authority (CN=instance) has neither an EC key");
	}
}

/* --- Key usage ----------------------------------------------------------- */

static void authorities_must_be_allowed_to_sign_certificates(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct test *test = test_new();

		test->chain.plans[i].key_usage =
			"critical,digitalSignature,cRLSign";
		REJECT(test, KEY_USAGE, "may not sign certificates");
		test = test_new();
		test->chain.plans[i].key_usage = NULL;
		REJECT(test, KEY_USAGE, "may not sign certificates");
	}
}

static void the_leaf_must_be_allowed_to_sign_documents(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[4].key_usage = "nonRepudiation";
	REJECT(test, KEY_USAGE, "the leaf (CN=leaf) may not sign documents");
	test = test_new();
	test->chain.plans[4].key_usage = NULL;
	REJECT(test, KEY_USAGE, "the leaf (CN=leaf) may not sign documents");
	test = test_new();
	test->chain.plans[4].key_usage = "digitalSignature,keyCertSign";
	REJECT(test, KEY_USAGE, "the leaf (CN=leaf) may sign certificates");
}

/* --- Times --------------------------------------------------------------- */

static void every_certificate_must_be_valid(void **state)
{
	static const char *const names[] = { "the root", "the authority",
					     "the authority", "the authority",
					     "the leaf" };

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		struct test *test = test_new();

		test->chain.plans[i].not_after = CHAIN_TIME - 1;
		judge(test);
		check_refused(test, EKEYEXPIRED, NE_ATTESTATION_VALIDITY,
			      "has expired: its life ended at 2027-01-15 "
			      "07:59:59 UTC");
		assert_ptr_equal(strstr(test->err.text, names[i]),
				 test->err.text);
		forget(test);

		test = test_new();
		test->chain.plans[i].not_before = CHAIN_TIME + 1;
		judge(test);
		check_refused(test, EKEYEXPIRED, NE_ATTESTATION_VALIDITY,
			      "is not yet valid at 2027-01-15 08:00:00 UTC: "
			      "its life begins at 2027-01-15 08:00:01 UTC");
		assert_ptr_equal(strstr(test->err.text, names[i]),
				 test->err.text);
		forget(test);
	}
}

static void first_and_last_second_belong_to_a_life(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->chain.plans[4].not_before = CHAIN_TIME;
	test->chain.plans[4].not_after = CHAIN_TIME;
	accept(test);
}

static void a_time_can_be_given(void **state)
{
	struct test *test = test_new();

	(void)state;
	prepare(test);
	test->policy.when = NE_ATTESTATION_AT_TIME;
	test->policy.time = CHAIN_TIME + 999;
	verify_raw(test, &test->document->encoded);
	check_accepted(test);
	test->policy.time = CHAIN_TIME + 1001;
	verify_raw(test, &test->document->encoded);
	check_refused(test, EKEYEXPIRED, NE_ATTESTATION_VALIDITY, "the leaf");
	test->policy.time = CHAIN_TIME + 5001;
	verify_raw(test, &test->document->encoded);
	check_refused(test, EKEYEXPIRED, NE_ATTESTATION_VALIDITY, "the root");
	test->policy.time = INT64_MIN;
	verify_raw(test, &test->document->encoded);
	check_refused(test, EKEYEXPIRED, NE_ATTESTATION_VALIDITY, "not yet");
	test->policy.time = INT64_MAX;
	verify_raw(test, &test->document->encoded);
	check_refused(test, EKEYEXPIRED, NE_ATTESTATION_VALIDITY, "expired");
	forget(test);
}

static void now_is_the_time_unless_said(void **state)
{
	struct test *test = test_new();
	int64_t now = time(NULL);

	(void)state;
	test->policy.when = NE_ATTESTATION_NOW;
	for (unsigned int i = 0; i < 5; i++) {
		test->chain.plans[i].not_before = now - 1000;
		test->chain.plans[i].not_after = now + 1000;
	}
	accept(test);
}

static void the_age_is_that_of_the_document(void **state)
{
	struct test *test = test_new();

	(void)state;
	prepare(test);
	test->policy.when = NE_ATTESTATION_AT_TIME;
	test->policy.max_age = 300;
	test->policy.time = CHAIN_TIME + 300;
	verify_raw(test, &test->document->encoded);
	check_accepted(test);
	test->policy.time = CHAIN_TIME + 301;
	verify_raw(test, &test->document->encoded);
	check_refused(test, EKEYEXPIRED, NE_ATTESTATION_AGE,
		      "the document is 301 s old (from 2027-01-15 08:00:00 "
		      "UTC), and may be 300 s");
	/* Clocks differ, but not by much. */
	test->policy.time = CHAIN_TIME - 60;
	verify_raw(test, &test->document->encoded);
	check_accepted(test);
	test->policy.time = CHAIN_TIME - 61;
	verify_raw(test, &test->document->encoded);
	check_refused(test, EKEYEXPIRED, NE_ATTESTATION_AGE,
		      "the document is from 2027-01-15 08:00:00 UTC, which is "
		      "after 2027-01-15 07:58:59 UTC");
	forget(test);
}

static void a_document_has_no_age_at_its_own_time(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->policy.when = NE_ATTESTATION_AT_ITS_TIME;
	test->policy.max_age = 1;
	refuse(test, EINVAL, NE_ATTESTATION_NO_CHECK,
	       "a document has no age at its own time");
}

/* --- Expectations -------------------------------------------------------- */

static struct test *test_that_expects(unsigned int pcr, uint8_t value)
{
	struct test *test = test_new();

	test->policy.expected_pcrs = UINT32_C(1) << pcr;
	memset(test->policy.pcrs[pcr].bytes, value, NE_PCR_SIZE);
	return test;
}

static void registers_are_compared(void **state)
{
	struct test *test = test_that_expects(0, 0x10);

	(void)state;
	test->policy.expected_pcrs |= 1 << 2;
	memset(test->policy.pcrs[2].bytes, 0x12, NE_PCR_SIZE);
	/* Those that are not expected may be anything. */
	memset(test->policy.pcrs[1].bytes, 0x99, NE_PCR_SIZE);
	accept(test);
	refuse(test_that_expects(1, 0x10), EACCES, NE_ATTESTATION_PCRS,
	       "PCR1 is 1111111111111111111111111111111111111111111111111111111"
	       "11111111111111111111111111111111111111111, expected is 10101010"
	       "1010101010101010");
	refuse(test_that_expects(31, 0), EACCES, NE_ATTESTATION_PCRS,
	       "PCR31 is missing (it was not locked), expected is 0000");
}

static void one_wrong_bit_of_a_register_is_seen(void **state)
{
	struct test *test = test_that_expects(0, 0x10);

	(void)state;
	test->policy.pcrs[0].bytes[47] ^= 0x80;
	refuse(test, EACCES, NE_ATTESTATION_PCRS, "PCR0 is 1010");
}

/* PCR0 to 2 are zero, PCR3 is not: a role. */
static void run_in_debug_mode(struct document *document)
{
	uint8_t pcrs[1 + 4 * 51] = { 0xa4 };

	for (uint8_t i = 0; i < 4; i++) {
		pcrs[1 + 51 * i] = i;
		pcrs[2 + 51 * i] = 0x58;
		pcrs[3 + 51 * i] = 48;
	}
	memset(pcrs + sizeof(pcrs) - 48, 0x13, 48);
	document_set(document, "pcrs", pcrs, sizeof(pcrs));
}

static void debug_mode_is_named(void **state)
{
	struct test *test = test_that_expects(0, 0x10);

	(void)state;
	run_in_debug_mode(test->document);
	refuse(test, EACCES, NE_ATTESTATION_PCRS,
	       "PCR0 is zero: the enclave ran in debug mode");
}

static void debug_mode_passes_for_nothing_that_is_expected(void **state)
{
	struct test *test = test_that_expects(3, 0x13);

	(void)state;
	run_in_debug_mode(test->document);
	refuse(test, EACCES, NE_ATTESTATION_PCRS,
	       "the enclave ran in debug mode: its console is open, and no "
	       "register tells which code ran");
}

static void debug_mode_can_be_expected(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct test *test = test_that_expects(3, 0x13);

		test->policy.expected_pcrs |= UINT32_C(1) << i;
		run_in_debug_mode(test->document);
		accept(test);
	}
}

static void debug_mode_is_for_the_caller_if_nothing_is_expected(void **state)
{
	struct test *test = test_new();

	(void)state;
	run_in_debug_mode(test->document);
	accept(test);
}

static void a_register_of_another_length_is_not_the_expected_one(void **state)
{
	static const uint8_t pcrs[] = "\xa1\x00\x58\x20" /* and 32 zeros */
				      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct test *test = test_that_expects(0, 0);

	(void)state;
	document_set(test->document, "pcrs", pcrs, sizeof(pcrs) - 1);
	refuse(test, EACCES, NE_ATTESTATION_PCRS, "PCR0 has 32 bytes");
}

static const struct ne_attestation_bytes *text(const char *text)
{
	static struct ne_attestation_bytes bytes;

	bytes.data = (const uint8_t *)text;
	bytes.size = strlen(text);
	return &bytes;
}

struct data_case {
	const char *field;
	enum ne_attestation_check check;
	size_t offset; /* in the policy */
	const char *right;
	const char *wrong; /* as long */
};

static const struct data_case data_cases[] = {
	{ "nonce", NE_ATTESTATION_NONCE,
	  offsetof(struct ne_attestation_policy, nonce), "nonce", "nomce" },
	{ "user_data", NE_ATTESTATION_USER_DATA,
	  offsetof(struct ne_attestation_policy, user_data), "data", "Data" },
	{ "public_key", NE_ATTESTATION_PUBLIC_KEY,
	  offsetof(struct ne_attestation_policy, public_key), "key", "kez" },
};

static struct test *test_that_expects_data(const struct data_case *data,
					   const char *value)
{
	struct test *test = test_new();
	const struct ne_attestation_bytes **expected =
		(void *)((char *)&test->policy + data->offset);

	*expected = text(value);
	return test;
}

static void data_is_compared(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(data_cases); i++) {
		const struct data_case *data = &data_cases[i];
		struct test *test;

		accept(test_that_expects_data(data, data->right));
		test = test_that_expects_data(data, data->wrong);
		judge(test);
		check_refused(test, EACCES, data->check,
			      "is not the expected one");
		assert_null(strstr(test->err.text, data->wrong));
		forget(test);
		refuse(test_that_expects_data(data, "something longer"), EACCES,
		       data->check, "bytes, and 16 are expected");
		refuse(test_that_expects_data(data, ""), EACCES, data->check,
		       "bytes, and 0 are expected");
		test = test_that_expects_data(data, data->right);
		document_drop(test->document, data->field);
		refuse(test, EACCES, data->check, "the document has no ");
		test = test_that_expects_data(data, "");
		document_drop(test->document, data->field);
		refuse(test, EACCES, data->check, "the document has no ");
	}
}

static void empty_data_can_be_expected(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct test *test = test_that_expects_data(&data_cases[i], "");

		document_set(test->document, data_cases[i].field, "\x40", 1);
		accept(test);
	}
}

static void the_module_is_compared(void **state)
{
	struct test *test = test_new();

	(void)state;
	test->policy.module_id = "i-enc";
	accept(test);
	test = test_new();
	test->policy.module_id = "i-emc";
	refuse(test, EACCES, NE_ATTESTATION_MODULE_ID,
	       "the document is from module i-enc, which is not the expected");
	test = test_new();
	test->policy.module_id = "i-en";
	refuse(test, EACCES, NE_ATTESTATION_MODULE_ID, "from module i-enc");
}

static void large_data_must_be_allowed(void **state)
{
	static const char *const names[] = { "user_data", "nonce" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct test *test = test_new();

		document_set_bytes(test->document, names[i], 512);
		accept(test);
		test = test_new();
		document_set_bytes(test->document, names[i], 513);
		refuse(test, EBADMSG, NE_ATTESTATION_SYNTAX,
		       "has 513 bytes, and verifiers take 512");
		test = test_new();
		document_set_bytes(test->document, names[i], 1024);
		test->policy.large_data = true;
		accept(test);
	}
}

/* --- The rest ------------------------------------------------------------ */

static void what_is_not_wanted_need_not_be_given(void **state)
{
	const struct ne_attestation_policy policy = { 0 };
	static struct raw raw;
	struct ne_attestation *attestation;

	(void)state;
	vector_read(&raw, "veracruz-valid.cbor");
	assert_int_equal(ne_attestation_parse(&attestation, raw.bytes, raw.size,
					      NULL),
			 0);
	assert_int_equal(ne_attestation_verify(attestation, &policy, NULL,
					       NULL),
			 -EKEYEXPIRED);
	ne_attestation_free(attestation);
}

static void every_check_has_a_name_of_its_own(void **state)
{
	(void)state;
	assert_string_equal(ne_attestation_check_name(NE_ATTESTATION_NO_CHECK),
			    "none");
	assert_string_equal(ne_attestation_check_name(NE_ATTESTATION_VALIDITY),
			    "validity");
	for (unsigned int i = 0; i < NE_ATTESTATION_CHECKS; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(ne_attestation_check_name(i),
						ne_attestation_check_name(j));
	assert_string_equal(ne_attestation_check_name(NE_ATTESTATION_CHECKS),
			    "unknown");
	assert_string_equal(
		ne_attestation_check_name((enum ne_attestation_check) - 1),
		"unknown");
}

/* More chains than are kept decoded, so that their places are taken over. */
static void many_chains_can_come(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 40; i++)
		accept(test_new());
}

static void *verify_often(void *argument)
{
	struct ne_attestation *attestation = argument;
	const struct ne_attestation_policy policy = {
		.when = NE_ATTESTATION_AT_ITS_TIME
	};

	for (int i = 0; i < 10; i++)
		if (ne_attestation_verify(attestation, &policy, NULL, NULL))
			return argument;
	return NULL;
}

static void threads_may_share_a_document(void **state)
{
	static struct raw raw;
	struct ne_attestation *attestation;
	pthread_t threads[4];

	(void)state;
	vector_read(&raw, "evervault-valid.cbor");
	assert_int_equal(ne_attestation_parse(&attestation, raw.bytes, raw.size,
					      NULL),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_often,
						attestation),
				 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	ne_attestation_free(attestation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_documents_verify_at_their_time),
		cmocka_unit_test(real_documents_have_expired_since),
		cmocka_unit_test(real_documents_are_not_below_another_root),
		cmocka_unit_test(a_broken_signature_is_told_first),
		cmocka_unit_test(the_root_that_is_built_in_is_aws_s),
		cmocka_unit_test(real_documents_have_what_is_expected),
		cmocka_unit_test(a_chain_like_nitro_s_is_accepted),
		cmocka_unit_test(both_dialects_and_the_tag_are_accepted),
		cmocka_unit_test(chains_of_other_lengths_are_accepted),
		cmocka_unit_test(a_company_s_root_on_another_curve_is_accepted),
		cmocka_unit_test(one_of_several_roots_is_enough),
		cmocka_unit_test(another_key_than_the_leaf_s_is_refused),
		cmocka_unit_test(another_header_than_the_signed_one_is_refused),
		cmocka_unit_test(signatures_without_meaning_are_refused),
		cmocka_unit_test(a_leaf_without_a_p_384_key_is_refused),
		cmocka_unit_test(another_root_of_the_same_name_is_untrusted),
		cmocka_unit_test(an_emulator_s_document_is_named_so),
		cmocka_unit_test(another_partition_s_root_is_named_so),
		cmocka_unit_test(a_root_that_claims_to_be_aws_s_is_not),
		cmocka_unit_test(a_trusted_intermediate_is_no_root),
		cmocka_unit_test(the_real_root_does_not_help_a_foreign_chain),
		cmocka_unit_test(a_policy_without_any_root_is_an_error),
		cmocka_unit_test(another_order_is_refused),
		cmocka_unit_test(a_certificate_too_many_is_refused),
		cmocka_unit_test(a_certificate_too_few_is_refused),
		cmocka_unit_test(a_certificate_signed_by_another_is_refused),
		cmocka_unit_test(
			identifiers_of_keys_must_match_if_they_are_there),
		cmocka_unit_test(authorities_of_the_same_name_are_told_apart),
		cmocka_unit_test(a_root_that_comes_twice_is_refused),
		cmocka_unit_test(
			a_root_whose_issuer_has_another_key_is_refused),
		cmocka_unit_test(a_weak_digest_is_refused),
		cmocka_unit_test(name_constraints_are_heeded),
		cmocka_unit_test(certificates_that_are_none_are_refused),
		cmocka_unit_test(bytes_behind_a_certificate_are_refused),
		cmocka_unit_test(other_versions_than_3_are_refused),
		cmocka_unit_test(authorities_without_ca_are_refused),
		cmocka_unit_test(a_path_that_is_too_long_is_refused),
		cmocka_unit_test(a_path_that_is_just_short_enough_is_accepted),
		cmocka_unit_test(a_leaf_that_is_an_authority_is_refused),
		cmocka_unit_test(a_leaf_without_basic_constraints_is_accepted),
		cmocka_unit_test(critical_extensions_must_be_understood),
		cmocka_unit_test(other_extensions_are_ignored),
		cmocka_unit_test(a_doubled_extension_is_refused),
		cmocka_unit_test(unsound_keys_are_refused),
		cmocka_unit_test(
			authorities_must_be_allowed_to_sign_certificates),
		cmocka_unit_test(the_leaf_must_be_allowed_to_sign_documents),
		cmocka_unit_test(every_certificate_must_be_valid),
		cmocka_unit_test(first_and_last_second_belong_to_a_life),
		cmocka_unit_test(a_time_can_be_given),
		cmocka_unit_test(now_is_the_time_unless_said),
		cmocka_unit_test(the_age_is_that_of_the_document),
		cmocka_unit_test(a_document_has_no_age_at_its_own_time),
		cmocka_unit_test(registers_are_compared),
		cmocka_unit_test(one_wrong_bit_of_a_register_is_seen),
		cmocka_unit_test(debug_mode_is_named),
		cmocka_unit_test(
			debug_mode_passes_for_nothing_that_is_expected),
		cmocka_unit_test(debug_mode_can_be_expected),
		cmocka_unit_test(
			debug_mode_is_for_the_caller_if_nothing_is_expected),
		cmocka_unit_test(
			a_register_of_another_length_is_not_the_expected_one),
		cmocka_unit_test(data_is_compared),
		cmocka_unit_test(empty_data_can_be_expected),
		cmocka_unit_test(the_module_is_compared),
		cmocka_unit_test(large_data_must_be_allowed),
		cmocka_unit_test(what_is_not_wanted_need_not_be_given),
		cmocka_unit_test(every_check_has_a_name_of_its_own),
		cmocka_unit_test(many_chains_can_come),
		cmocka_unit_test(threads_may_share_a_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
