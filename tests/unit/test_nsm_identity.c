// SPDX-License-Identifier: Apache-2.0
/*
 * A module's leaf: what it says, that it signs, and that there is always one
 * which is valid.
 */
#include "nsm-emu/identity.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/authority.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/random.h"
#include "tests/unit/certificates.h"

#define MODULE_ID "i-0918f6c55e3b61d89-enc018aa8b8e2285d13"
#define NOW 1700000000
#define MS UINT64_C(1000)
#define HOUR 3600
#define LIFETIME (3 * HOUR)

/* A module's identity under an authority of its own. */
struct fixture {
	char *folder;
	struct nsm_random *random;
	struct nsm_authority *authority;
	struct nsm_identity *identity;
};

static void begin(struct fixture *fixture, const char *seed,
		  const char *module_id, uint32_t lifetime)
{
	struct nsm_authority_options options = {
		.region = "us-east-1",
		.instance_id = "i-0918f6c55e3b61d89",
	};

	fixture->folder = folder_new();
	fixture->random = nsm_random_new(seed);
	options.folder = fixture->folder;
	options.random = fixture->random;
	assert_int_equal(
		nsm_authority_open(&fixture->authority, &options, NULL), 0);
	assert_int_equal(nsm_identity_new(&fixture->identity,
					  fixture->authority, module_id,
					  lifetime, NULL),
			 0);
}

static void cleanup_fixturep(struct fixture *fixture)
{
	nsm_identity_unref(fixture->identity);
	nsm_authority_free(fixture->authority);
	nsm_random_free(fixture->random);
	folder_remove(fixture->folder);
}

#define cleanup_fixture __attribute__((cleanup(cleanup_fixturep)))

static void cleanup_leafp(const struct nsm_leaf **leaf)
{
	if (*leaf)
		nsm_leaf_unref(*leaf);
}

#define cleanup_leaf __attribute__((cleanup(cleanup_leafp)))

static const struct nsm_leaf *leaf_at(struct nsm_identity *identity,
				      int64_t now)
{
	const struct nsm_leaf *leaf = NULL;
	struct ne_error err = { 0 };

	if (nsm_identity_leaf(identity, (uint64_t)now * MS, &leaf, &err))
		fail_msg("%s", err.text);
	return leaf;
}

static X509 *certificate_of(const struct nsm_leaf *leaf)
{
	return certificate_from(leaf->certificate.der, leaf->certificate.size);
}

static bool is_signature(const struct nsm_leaf *leaf, const void *data,
			 size_t size, const uint8_t raw[NSM_SIGNATURE_SIZE])
{
	cleanup_x509 X509 *certificate = certificate_of(leaf);
	cleanup_md_ctx EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *signature = ECDSA_SIG_new();
	uint8_t *der = NULL;
	int der_size;
	bool holds;

	ECDSA_SIG_set0(signature, BN_bin2bn(raw, 48, NULL),
		       BN_bin2bn(raw + 48, 48, NULL));
	der_size = i2d_ECDSA_SIG(signature, &der);
	EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL,
			     X509_get0_pubkey(certificate));
	holds = EVP_DigestVerify(ctx, der, (size_t)der_size, data, size) == 1;
	OPENSSL_free(der);
	ECDSA_SIG_free(signature);
	return holds;
}

/* --- What it says -------------------------------------------------------------- */

static void a_leaf_is_valid_from_a_moment_ago_for_three_hours(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_leaf const struct nsm_leaf *leaf = NULL;
	cleanup_x509 X509 *certificate = NULL;
	int64_t not_before, not_after;

	(void)state;
	begin(&fixture, NULL, MODULE_ID, 0);
	leaf = leaf_at(fixture.identity, NOW);
	assert_int_equal(leaf->not_before, NOW - 3);
	assert_int_equal(leaf->not_after, NOW + LIFETIME);
	certificate = certificate_of(leaf);
	assert_int_equal(
		certificate_validity(certificate, &not_before, &not_after), 0);
	assert_int_equal(not_before, leaf->not_before);
	assert_int_equal(not_after, leaf->not_after);
	assert_int_equal(leaf->n_bundle, 4);
	assert_int_equal(verify_leaf(leaf, NOW), X509_V_OK);
}

static void check_serial(const char *module_id, const uint8_t *expected,
			 size_t size)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_leaf const struct nsm_leaf *leaf = NULL;
	cleanup_x509 X509 *certificate = NULL;
	const ASN1_INTEGER *serial;

	begin(&fixture, NULL, module_id, 0);
	leaf = leaf_at(fixture.identity, 0x65086098 + 3);
	certificate = certificate_of(leaf);
	serial = X509_get0_serialNumber(certificate);
	assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER);
	assert_int_equal(ASN1_STRING_length(serial), size);
	assert_memory_equal(ASN1_STRING_get0_data(serial), expected, size);
}

/* That of the leaf in evervault-valid.cbor. */
static void the_serial_is_made_of_enclave_and_time_as_the_real_one(void **state)
{
	static const uint8_t real[] = { 0x01, 0x8a, 0xa8, 0xb8, 0xe2, 0x28,
					0x5d, 0x13, 0,	  0,	0,    0,
					0x65, 0x08, 0x60, 0x98 };
	/* The first 8 bytes of sha256("a module"). */
	static const uint8_t other[] = { 0xf6, 0xc0, 0xd9, 0x45, 0xdc, 0x8a,
					 0x9e, 0x01, 0,	   0,	 0,    0,
					 0x65, 0x08, 0x60, 0x98 };

	(void)state;
	check_serial(MODULE_ID, real, sizeof(real));
	check_serial("a module", other, sizeof(other));
}

static void check_common_name(const char *module_id, const char *expected)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_leaf const struct nsm_leaf *leaf = NULL;
	cleanup_x509 X509 *certificate = NULL;
	const X509_NAME *subject;
	const ASN1_STRING *name;
	int at;

	begin(&fixture, NULL, module_id, 0);
	leaf = leaf_at(fixture.identity, NOW);
	certificate = certificate_of(leaf);
	subject = X509_get_subject_name(certificate);
	at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	assert_int_equal(ASN1_STRING_length(name), strlen(expected));
	assert_memory_equal(ASN1_STRING_get0_data(name), expected,
			    strlen(expected));
	assert_int_equal(verify_leaf(leaf, NOW), X509_V_OK);
}

static void any_module_id_makes_a_name_that_fits(void **state)
{
	(void)state;
	check_common_name(MODULE_ID, MODULE_ID ".us-east-1.emulated");
	check_common_name("m", "m.us-east-1.emulated");
	check_common_name("", ".us-east-1.emulated");
	check_common_name(
		"0123456789012345678901234567890123456789abcdeFGHIJ",
		"0123456789012345678901234567890123456789abcde.us-east-1.emulated");
	/* Not in the middle of a character */
	check_common_name(
		"0123456789012345678901234567890123456789abcdö",
		"0123456789012345678901234567890123456789abcd.us-east-1.emulated");
}

/* --- Signing -------------------------------------------------------------------- */

static void a_leaf_signs_with_the_key_of_its_certificate(void **state)
{
	static const char *const seeds[] = { NULL, "seed" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
		cleanup_fixture struct fixture fixture = { 0 };
		cleanup_leaf const struct nsm_leaf *leaf = NULL;
		uint8_t signature[NSM_SIGNATURE_SIZE];

		begin(&fixture, seeds[i], MODULE_ID, 0);
		leaf = leaf_at(fixture.identity, NOW);
		assert_int_equal(
			nsm_leaf_sign(leaf, "document", 8, signature, NULL), 0);
		assert_true(is_signature(leaf, "document", 8, signature));
		assert_false(is_signature(leaf, "documents", 9, signature));
	}
}

static void a_leaf_outlives_its_identity_and_its_authority(void **state)
{
	const struct nsm_leaf *leaf;
	uint8_t signature[NSM_SIGNATURE_SIZE];

	(void)state;
	{
		cleanup_fixture struct fixture fixture = { 0 };

		begin(&fixture, NULL, MODULE_ID, 0);
		leaf = leaf_at(fixture.identity, NOW);
		nsm_identity_unref(nsm_identity_ref(fixture.identity));
	}
	assert_int_equal(nsm_leaf_sign(leaf, "document", 8, signature, NULL),
			 0);
	assert_true(is_signature(leaf, "document", 8, signature));
	assert_int_equal(verify_leaf(leaf, NOW), X509_V_OK);
	nsm_leaf_unref(leaf);
}

static void seed_time_and_module_give_the_same_bytes(void **state)
{
	static const struct {
		const char *seed;
		const char *module_id;
		int64_t now;
		bool is_same;
	} others[] = {
		{ "seed", MODULE_ID, NOW, true },
		{ "other", MODULE_ID, NOW, false },
		{ "seed", "other", NOW, false },
		{ "seed", MODULE_ID, NOW + 1, false },
	};
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_leaf const struct nsm_leaf *leaf = NULL;
	uint8_t one[NSM_SIGNATURE_SIZE], two[NSM_SIGNATURE_SIZE];

	(void)state;
	begin(&fixture, "seed", MODULE_ID, 0);
	leaf = leaf_at(fixture.identity, NOW);
	nsm_leaf_sign(leaf, "document", 8, one, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		cleanup_fixture struct fixture f = { 0 };
		cleanup_leaf const struct nsm_leaf *l = NULL;

		begin(&f, others[i].seed, others[i].module_id, 0);
		l = leaf_at(f.identity, others[i].now);
		nsm_leaf_sign(l, "document", 8, two, NULL);
		assert_int_equal(!memcmp(one, two, sizeof(one)),
				 others[i].is_same);
		assert_int_equal(l->certificate.size ==
						 leaf->certificate.size &&
					 !memcmp(l->certificate.der,
						 leaf->certificate.der,
						 l->certificate.size),
				 others[i].is_same);
	}
}

/* --- Renewal -------------------------------------------------------------------- */

static void a_leaf_serves_for_three_quarters_of_its_life(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_leaf const struct nsm_leaf *first = NULL, *same = NULL;
	cleanup_leaf const struct nsm_leaf *next = NULL;
	uint8_t signature[NSM_SIGNATURE_SIZE];

	(void)state;
	begin(&fixture, NULL, MODULE_ID, 0);
	first = leaf_at(fixture.identity, NOW);
	same = leaf_at(fixture.identity, NOW + LIFETIME / 4 * 3 - 1);
	assert_ptr_equal(first, same);
	next = leaf_at(fixture.identity, NOW + LIFETIME / 4 * 3);
	assert_ptr_not_equal(first, next);
	assert_int_equal(next->not_before, NOW + LIFETIME / 4 * 3 - 3);
	/* Who has the first goes on with it. */
	nsm_leaf_sign(first, "document", 8, signature, NULL);
	assert_true(is_signature(first, "document", 8, signature));
	assert_false(is_signature(next, "document", 8, signature));
}

static void check_leaf(struct nsm_identity *identity, int64_t now)
{
	cleanup_leaf const struct nsm_leaf *leaf = leaf_at(identity, now);

	assert_true(leaf->not_before <= now);
	assert_true(leaf->not_after > now);
	assert_int_equal(verify_leaf(leaf, now), X509_V_OK);
}

static void whatever_the_clock_does_there_is_a_valid_leaf(void **state)
{
	static const int64_t steps[] = {
		0,	0,	    1,	   LIFETIME - 1, 1,	-1,
		-3,	-4,	    -HOUR, LIFETIME,	 HOUR,	2 * LIFETIME,
		-86400, 30 * 86400, 0,	   -29 * 86400,	 86400, 7,
	};
	static const uint32_t lifetimes[] = { 0, 1, 2, 10, 86400 };

	(void)state;
	for (size_t l = 0; l < ARRAY_SIZE(lifetimes); l++) {
		cleanup_fixture struct fixture fixture = { 0 };
		int64_t now = NOW;

		begin(&fixture, NULL, MODULE_ID, lifetimes[l]);
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			now += steps[i];
			check_leaf(fixture.identity, now);
		}
	}
}

static void a_brief_leaf_serves_while_time_stands_still(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_leaf const struct nsm_leaf *a = NULL, *b = NULL;

	(void)state;
	begin(&fixture, NULL, MODULE_ID, 1);
	a = leaf_at(fixture.identity, NOW);
	b = leaf_at(fixture.identity, NOW);
	assert_ptr_equal(a, b);
}

static void the_last_leaf_serves_until_the_root_ends(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_leaf const struct nsm_leaf *a = NULL, *b = NULL;
	const struct nsm_leaf *none = NULL;
	struct ne_error err = { 0 };
	int64_t end;

	(void)state;
	begin(&fixture, "seed", MODULE_ID, 0);
	end = nsm_authority_not_after(fixture.authority);
	a = leaf_at(fixture.identity, end - 100);
	b = leaf_at(fixture.identity, end - 1);
	assert_ptr_equal(a, b);
	assert_int_equal(nsm_identity_leaf(fixture.identity, (uint64_t)end * MS,
					   &none, &err),
			 -EKEYEXPIRED);
	assert_null(none);
	assert_non_null(strstr(err.text, "nsm-emu pki rotate"));
	assert_int_equal(nsm_identity_leaf(fixture.identity, UINT64_MAX, &none,
					   &err),
			 -EKEYEXPIRED);
}

static void modules_share_an_authority_and_nothing_else(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_leaf const struct nsm_leaf *a = NULL, *b = NULL;
	struct nsm_identity *other = NULL;

	(void)state;
	begin(&fixture, NULL, MODULE_ID, 0);
	assert_int_equal(nsm_identity_new(&other, fixture.authority, "other", 0,
					  NULL),
			 0);
	a = leaf_at(fixture.identity, NOW);
	b = leaf_at(other, NOW);
	nsm_identity_unref(other);
	assert_int_equal(a->n_bundle, b->n_bundle);
	for (size_t i = 0; i < a->n_bundle; i++) {
		assert_int_equal(a->bundle[i].size, b->bundle[i].size);
		assert_memory_equal(a->bundle[i].der, b->bundle[i].der,
				    a->bundle[i].size);
	}
	assert_int_equal(verify_leaf(b, NOW), X509_V_OK);
}

/* --- Many at once ------------------------------------------------------------------ */

#define THREADS 8
#define ROUNDS 120

struct asker {
	pthread_t thread;
	struct nsm_identity *identity;
	atomic_llong *clock;
	unsigned int n_failed;
};

/* All of them drive the clock; a leaf lives for 10 of its seconds. */
static void *ask(void *data)
{
	struct asker *asker = data;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		const int64_t now = atomic_load(asker->clock);
		const struct nsm_leaf *leaf;
		uint8_t signature[NSM_SIGNATURE_SIZE];

		if (nsm_identity_leaf(asker->identity, (uint64_t)now * MS,
				      &leaf, NULL)) {
			asker->n_failed++;
			continue;
		}
		if (now < leaf->not_before || now >= leaf->not_after ||
		    nsm_leaf_sign(leaf, &i, sizeof(i), signature, NULL))
			asker->n_failed++;
		else if (i % 8 == 0 &&
			 (!is_signature(leaf, &i, sizeof(i), signature) ||
			  verify_leaf(leaf, now)))
			asker->n_failed++;
		nsm_leaf_unref(leaf);
		if (i % 4 == 0)
			atomic_fetch_add(asker->clock, i % 32 ? 1 : HOUR);
	}
	return NULL;
}

static void ask_at_once(struct nsm_identity *const *identities)
{
	struct asker askers[THREADS];
	atomic_llong clock = NOW;

	for (size_t i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){ .identity = identities[i],
					    .clock = &clock };
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask,
						&askers[i]),
				 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].n_failed, 0);
	}
}

static void everybody_has_a_valid_leaf_across_renewals(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	struct nsm_identity *identities[THREADS];

	(void)state;
	begin(&fixture, NULL, MODULE_ID, 10);
	for (size_t i = 0; i < THREADS; i++)
		identities[i] = fixture.identity;
	ask_at_once(identities);
}

static void so_has_everybody_who_shares_just_the_authority(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	struct nsm_identity *identities[THREADS];

	(void)state;
	begin(&fixture, NULL, MODULE_ID, 10);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(nsm_identity_new(&identities[i],
						  fixture.authority, MODULE_ID,
						  10, NULL),
				 0);
	ask_at_once(identities);
	for (size_t i = 0; i < THREADS; i++)
		nsm_identity_unref(identities[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_leaf_is_valid_from_a_moment_ago_for_three_hours),
		cmocka_unit_test(
			the_serial_is_made_of_enclave_and_time_as_the_real_one),
		cmocka_unit_test(any_module_id_makes_a_name_that_fits),
		cmocka_unit_test(a_leaf_signs_with_the_key_of_its_certificate),
		cmocka_unit_test(
			a_leaf_outlives_its_identity_and_its_authority),
		cmocka_unit_test(seed_time_and_module_give_the_same_bytes),
		cmocka_unit_test(a_leaf_serves_for_three_quarters_of_its_life),
		cmocka_unit_test(whatever_the_clock_does_there_is_a_valid_leaf),
		cmocka_unit_test(a_brief_leaf_serves_while_time_stands_still),
		cmocka_unit_test(the_last_leaf_serves_until_the_root_ends),
		cmocka_unit_test(modules_share_an_authority_and_nothing_else),
		cmocka_unit_test(everybody_has_a_valid_leaf_across_renewals),
		cmocka_unit_test(
			so_has_everybody_who_shares_just_the_authority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
