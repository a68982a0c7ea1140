// SPDX-License-Identifier: Apache-2.0
/*
 * The authorities above a leaf: that they look like Nitro's, that OpenSSL
 * takes them, that they are renewed in time, and whose authority may be the
 * one at the top.
 */
#include "nsm-emu/authority.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ne/attestation.h>
#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/hierarchy.h"
#include "nsm-emu/key.h"
#include "nsm-emu/random.h"
#include "tests/unit/certificates.h"

#define MODULE_ID "i-0918f6c55e3b61d89-enc018aa8b8e2285d13"
#define INSTANCE_ID "i-0918f6c55e3b61d89"
#define REGION "us-east-1"
#define NOW 1700000000
#define HOUR 3600
#define DAY (24 * HOUR)

/* A folder with a root of a seed, and an authority upon it. */
struct fixture {
	char *folder;
	struct nsm_random *random;
	struct nsm_authority *authority;
};

static struct nsm_authority *open_in(const char *folder,
				     const struct nsm_random *random)
{
	const struct nsm_authority_options options = {
		.folder = folder,
		.region = REGION,
		.instance_id = INSTANCE_ID,
		.random = random,
	};
	struct nsm_authority *authority = NULL;
	struct ne_error err = { 0 };

	if (nsm_authority_open(&authority, &options, &err))
		fail_msg("%s", err.text);
	return authority;
}

static void begin(struct fixture *fixture, const char *seed)
{
	fixture->folder = folder_new();
	fixture->random = nsm_random_new(seed);
	fixture->authority = open_in(fixture->folder, fixture->random);
}

static void cleanup_fixturep(struct fixture *fixture)
{
	nsm_authority_free(fixture->authority);
	nsm_random_free(fixture->random);
	if (fixture->folder)
		folder_remove(fixture->folder);
}

#define cleanup_fixture __attribute__((cleanup(cleanup_fixturep)))

static void cleanup_issuedp(struct nsm_issued *issued)
{
	nsm_issued_clear(issued);
}

#define cleanup_issued __attribute__((cleanup(cleanup_issuedp)))

static struct nsm_issued issue(struct nsm_authority *authority, int64_t now,
			       uint32_t lifetime)
{
	struct nsm_issued issued = { 0 };
	struct ne_error err = { 0 };

	if (nsm_authority_issue(authority, MODULE_ID, now, lifetime, &issued,
				&err))
		fail_msg("%s", err.text);
	return issued;
}

static X509 *nth(const struct nsm_issued *issued, size_t i)
{
	return i < issued->n_bundle ? issued->bundle[i] : issued->leaf;
}

static struct hierarchy_validity validity_of(const X509 *certificate)
{
	struct hierarchy_validity validity;

	assert_int_equal(certificate_validity(certificate, &validity.not_before,
					      &validity.not_after),
			 0);
	return validity;
}

/* --- As Nitro's ------------------------------------------------------------------ */

static struct ne_attestation *real_document(const char *name)
{
	const char *top = getenv("top_srcdir");
	cleanup_free char *folder =
		folder_entry(top ? top : ".", "tests/vectors");
	cleanup_free char *path = folder_entry(folder, name);
	struct ne_attestation *document = NULL;
	cleanup_free char *bytes = NULL;
	struct ne_error err = { 0 };
	size_t size;

	bytes = file_read(path, &size);
	if (ne_attestation_parse(&document, bytes, size, &err))
		fail_msg("%s", err.text);
	return document;
}

/* The i-th from the root. */
static X509 *real_certificate(const struct ne_attestation *document,
			      unsigned int i)
{
	const struct ne_attestation_bytes *der =
		i < ne_attestation_cabundle_count(document)
			? ne_attestation_cabundle(document, i)
			: ne_attestation_certificate(document);

	return certificate_from(der->data, der->size);
}

static void compare_names(const X509_NAME *ours, const X509_NAME *real)
{
	int n = X509_NAME_entry_count(real);

	assert_int_equal(X509_NAME_entry_count(ours), n);
	for (int i = 0; i < n; i++) {
		const X509_NAME_ENTRY *a = X509_NAME_get_entry(ours, i);
		const X509_NAME_ENTRY *b = X509_NAME_get_entry(real, i);

		assert_int_equal(OBJ_cmp(X509_NAME_ENTRY_get_object(a),
					 X509_NAME_ENTRY_get_object(b)),
				 0);
		assert_int_equal(ASN1_STRING_type(X509_NAME_ENTRY_get_data(a)),
				 ASN1_STRING_type(X509_NAME_ENTRY_get_data(b)));
	}
}

/* Those that hold no name and no number of a key are the same. */
static bool has_fixed_value(int nid)
{
	return nid == NID_basic_constraints || nid == NID_key_usage;
}

static bool has_fixed_size(int nid)
{
	return nid == NID_subject_key_identifier ||
	       nid == NID_authority_key_identifier;
}

static void compare_extensions(const X509 *ours, const X509 *real)
{
	int n = X509_get_ext_count(real);

	assert_int_equal(X509_get_ext_count(ours), n);
	for (int i = 0; i < n; i++) {
		X509_EXTENSION *a = X509_get_ext(ours, i);
		X509_EXTENSION *b = X509_get_ext(real, i);
		const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(a);
		const ASN1_OCTET_STRING *wanted = X509_EXTENSION_get_data(b);
		const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(b));

		assert_int_equal(OBJ_obj2nid(X509_EXTENSION_get_object(a)),
				 nid);
		assert_int_equal(X509_EXTENSION_get_critical(a),
				 X509_EXTENSION_get_critical(b));
		if (has_fixed_value(nid))
			assert_int_equal(ASN1_OCTET_STRING_cmp(value, wanted),
					 0);
		if (has_fixed_size(nid))
			assert_int_equal(ASN1_STRING_length(value),
					 ASN1_STRING_length(wanted));
	}
}

static void compare_keys(const X509 *ours, const X509 *real)
{
	char a[64], b[64];

	assert_true(EVP_PKEY_get_group_name(X509_get0_pubkey(ours), a,
					    sizeof(a), NULL));
	assert_true(EVP_PKEY_get_group_name(X509_get0_pubkey(real), b,
					    sizeof(b), NULL));
	assert_string_equal(a, b);
	assert_int_equal(X509_get_signature_nid(ours),
			 X509_get_signature_nid(real));
}

static int serial_size(const X509 *certificate)
{
	return ASN1_STRING_length(X509_get0_serialNumber((X509 *)certificate));
}

static void every_certificate_has_the_shape_of_the_real_one(void **state)
{
	static const char *const names[] = { "evervault-valid.cbor",
					     "veracruz-valid.cbor" };
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_issued struct nsm_issued issued = { 0 };

	(void)state;
	begin(&fixture, NULL);
	issued = issue(fixture.authority, NOW, HIERARCHY_LEAF_LIFETIME);
	assert_int_equal(issued.n_bundle, 4);
	for (size_t d = 0; d < ARRAY_SIZE(names); d++) {
		struct ne_attestation *document = real_document(names[d]);

		assert_int_equal(ne_attestation_cabundle_count(document), 4);
		for (unsigned int i = 0; i < 5; i++) {
			cleanup_x509 X509 *real = real_certificate(document, i);
			X509 *ours = nth(&issued, i);

			assert_int_equal(X509_get_version(ours),
					 X509_get_version(real));
			compare_names(X509_get_subject_name(ours),
				      X509_get_subject_name(real));
			compare_names(X509_get_issuer_name(ours),
				      X509_get_issuer_name(real));
			compare_extensions(ours, real);
			compare_keys(ours, real);
			if (i < 4)
				assert_int_equal(serial_size(ours),
						 serial_size(real) -
							 (serial_size(real) >
							  20));
		}
		ne_attestation_free(document);
	}
}

static int64_t length_of(const X509 *certificate)
{
	const struct hierarchy_validity validity = validity_of(certificate);

	return validity.not_after - validity.not_before;
}

static void every_certificate_lives_as_long_as_the_real_one(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_issued struct nsm_issued issued = { 0 };

	(void)state;
	begin(&fixture, NULL);
	issued = issue(fixture.authority, NOW, HIERARCHY_LEAF_LIFETIME);
	for (size_t d = 0; d < 2; d++) {
		struct ne_attestation *document = real_document(
			d ? "veracruz-valid.cbor" : "evervault-valid.cbor");
		static const unsigned int exact[] = { 1, 3, 4 };

		for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
			cleanup_x509 X509 *real =
				real_certificate(document, exact[i]);

			assert_int_equal(length_of(nth(&issued, exact[i])),
					 length_of(real));
		}
		ne_attestation_free(document);
	}
	/* Leap years are not at the same distance. */
	assert_in_range(length_of(issued.bundle[0]),
			30 * 365 * (int64_t)DAY + HOUR,
			30 * 366 * (int64_t)DAY);
	/* Real ones have been seen with two lifetimes. */
	assert_in_range(length_of(issued.bundle[2]), 5 * DAY, 6 * DAY);
}

static void check_subject(X509 *certificate, const char *pattern)
{
	cleanup_free char *subject = certificate_subject(certificate);
	const char *at = subject;

	/* # stands for 16 hexadecimal digits */
	for (; *pattern; pattern++) {
		if (*pattern == '#') {
			assert_int_equal(strspn(at, "0123456789abcdef"), 16);
			at += 16;
		} else if (*at++ != *pattern) {
			fail_msg("%s", subject);
		}
	}
	assert_string_equal(at, "");
}

static void names_are_nobody_elses(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_issued struct nsm_issued issued = { 0 };

	(void)state;
	begin(&fixture, NULL);
	issued = issue(fixture.authority, NOW, HIERARCHY_LEAF_LIFETIME);
	check_subject(issued.bundle[0],
		      "CN=emulated.nitro-enclaves,OU=Emulated,O=libne,C=ZZ");
	check_subject(issued.bundle[1],
		      "CN=#.us-east-1.emulated.nitro-enclaves,"
		      "OU=Emulated,O=libne,C=ZZ");
	check_subject(issued.bundle[2],
		      "L=Nowhere,ST=NW,C=ZZ,O=libne,OU=Emulated,"
		      "CN=#.zonal.us-east-1.emulated.nitro-enclaves");
	check_subject(issued.bundle[3],
		      "CN=" INSTANCE_ID ".us-east-1.emulated.nitro-enclaves,"
		      "OU=Emulated,O=libne,L=Nowhere,ST=Nowhere,C=ZZ");
	check_subject(issued.leaf,
		      "CN=" MODULE_ID ".us-east-1.emulated,"
		      "OU=Emulated,O=libne,L=Nowhere,ST=Nowhere,C=ZZ");
}

static void lists_of_revoked_ones_are_at_places_that_do_not_exist(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_issued struct nsm_issued issued = { 0 };

	(void)state;
	begin(&fixture, NULL);
	issued = issue(fixture.authority, NOW, HIERARCHY_LEAF_LIFETIME);
	for (size_t i = 1; i <= 2; i++) {
		CRL_DIST_POINTS *points = X509_get_ext_d2i(
			issued.bundle[i], NID_crl_distribution_points, NULL,
			NULL);
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(
			sk_DIST_POINT_value(points, 0)->distpoint->name.fullname,
			0);
		const char *uri = (const char *)ASN1_STRING_get0_data(
			name->d.uniformResourceIdentifier);

		assert_int_equal(name->type, GEN_URI);
		assert_memory_equal(uri, "http://crl.emulated.invalid/crl/",
				    32);
		assert_int_equal(strlen(uri), 32 + 36 + 4);
		assert_int_equal(uri[32 + 14], '4'); /* a random UUID */
		assert_non_null(strchr("89ab", uri[32 + 19]));
		assert_string_equal(uri + 32 + 36, ".crl");
		CRL_DIST_POINTS_free(points);
	}
}

/* --- Times ------------------------------------------------------------------------ */

static void a_chain_is_valid_within_its_time_and_not_outside(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_issued struct nsm_issued issued = { 0 };

	(void)state;
	begin(&fixture, NULL);
	issued = issue(fixture.authority, NOW, HIERARCHY_LEAF_LIFETIME);
	assert_int_equal(issued.not_before, NOW - 3);
	assert_int_equal(issued.not_after, NOW + 3 * HOUR);
	assert_int_equal(verify_issued(&issued, NOW - 4),
			 X509_V_ERR_CERT_NOT_YET_VALID);
	assert_int_equal(verify_issued(&issued, NOW - 3), X509_V_OK);
	/* OpenSSL does not count the last second. */
	assert_int_equal(verify_issued(&issued, NOW + 3 * HOUR - 1), X509_V_OK);
	assert_int_equal(verify_issued(&issued, NOW + 3 * HOUR),
			 X509_V_ERR_CERT_HAS_EXPIRED);
}

static void check_nesting(const struct nsm_issued *issued)
{
	for (size_t i = 1; i <= issued->n_bundle; i++) {
		const struct hierarchy_validity above =
			validity_of(nth(issued, i - 1));
		const struct hierarchy_validity below =
			validity_of(nth(issued, i));

		assert_true(above.not_before <= below.not_before);
		assert_true(above.not_after >= below.not_after);
	}
}

/* Forty days, a leaf every two hours. */
static void all_levels_are_renewed_before_they_end(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_issued struct nsm_issued last = { 0 };
	unsigned int changes[5] = { 0 };

	(void)state;
	begin(&fixture, NULL);
	last = issue(fixture.authority, NOW, HIERARCHY_LEAF_LIFETIME);
	for (int64_t now = NOW; now < NOW + 40 * DAY; now += 2 * HOUR) {
		struct nsm_issued issued =
			issue(fixture.authority, now, HIERARCHY_LEAF_LIFETIME);

		assert_int_equal(verify_issued(&issued, issued.not_after - 1),
				 X509_V_OK);
		check_nesting(&issued);
		for (size_t i = 0; i < 5; i++)
			if (X509_cmp(nth(&issued, i), nth(&last, i)))
				changes[i]++;
		nsm_issued_clear(&last);
		last = issued;
	}
	assert_int_equal(changes[0], 0);
	assert_in_range(changes[1], 2, 4);
	assert_in_range(changes[2], 7, 11);
	assert_in_range(changes[3], 40, 50);
	/* The first round gets the leaf of its time anew. */
	assert_int_equal(changes[4], 40 * 12);
}

static void time_may_jump_and_stand_still(void **state)
{
	static const int64_t times[] = {
		NOW,
		NOW,
		NOW - 1,
		NOW - 300 * DAY,
		NOW,
		NOW + 300 * DAY,
		NOW - 40 * DAY,
		NOW - 40 * DAY + 2,
	};
	cleanup_fixture struct fixture fixture = { 0 };

	(void)state;
	begin(&fixture, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		cleanup_issued struct nsm_issued issued = issue(
			fixture.authority, times[i], HIERARCHY_LEAF_LIFETIME);

		assert_int_equal(verify_issued(&issued, times[i]), X509_V_OK);
		assert_int_equal(issued.not_before, times[i] - 3);
		check_nesting(&issued);
	}
}

static void leaves_may_live_long_and_briefly(void **state)
{
	static const uint32_t lifetimes[] = { 1, 10, DAY, 30 * DAY, 365 * DAY };
	cleanup_fixture struct fixture fixture = { 0 };

	(void)state;
	begin(&fixture, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(lifetimes); i++) {
		cleanup_issued struct nsm_issued issued =
			issue(fixture.authority, NOW, lifetimes[i]);

		assert_int_equal(issued.not_after, NOW + lifetimes[i]);
		assert_int_equal(verify_issued(&issued, issued.not_after - 1),
				 X509_V_OK);
		check_nesting(&issued);
	}
}

static void nothing_outlives_the_root(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_issued struct nsm_issued issued = { 0 };
	int64_t end;

	(void)state;
	begin(&fixture, "seed");
	end = nsm_authority_not_after(fixture.authority);
	issued = issue(fixture.authority, end - 10, HIERARCHY_LEAF_LIFETIME);
	assert_int_equal(issued.not_after, end);
	assert_int_equal(verify_issued(&issued, end - 10), X509_V_OK);
	check_nesting(&issued);
	nsm_issued_clear(&issued);
	issued = issue(fixture.authority, NOW, UINT32_MAX);
	assert_int_equal(issued.not_after, end);
	check_nesting(&issued);
}

static void times_outside_of_the_roots_are_refused(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	struct nsm_issued issued;
	struct ne_error err = { 0 };
	int64_t end;

	(void)state;
	begin(&fixture, "seed");
	end = nsm_authority_not_after(fixture.authority);
	assert_int_equal(nsm_authority_issue(fixture.authority, MODULE_ID, end,
					     10, &issued, &err),
			 -EKEYEXPIRED);
	assert_non_null(strstr(err.text, "has expired on 2050-01-01"));
	assert_int_equal(nsm_authority_issue(fixture.authority, MODULE_ID, 0,
					     10, &issued, &err),
			 -EKEYEXPIRED);
	assert_non_null(strstr(err.text, "valid only from 2020-01-01"));
	assert_int_equal(nsm_authority_issue(fixture.authority, MODULE_ID,
					     INT64_MAX / 1000, 10, &issued,
					     &err),
			 -EKEYEXPIRED);
}

/* --- Seeds -------------------------------------------------------------------------- */

static void compare_chains(const struct nsm_issued *a,
			   const struct nsm_issued *b, bool is_same)
{
	assert_int_equal(a->n_bundle, b->n_bundle);
	for (size_t i = 0; i <= a->n_bundle; i++)
		assert_int_equal(!X509_cmp(nth(a, i), nth(b, i)), is_same);
}

static void a_seed_and_a_time_give_the_same_chain(void **state)
{
	static const struct {
		const char *one;
		const char *two;
		bool is_same;
	} pairs[] = {
		{ "seed", "seed", true },
		{ "seed", "other", false },
		{ "seed", NULL, false },
		{ NULL, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		cleanup_fixture struct fixture one = { 0 }, two = { 0 };
		cleanup_issued struct nsm_issued a = { 0 }, b = { 0 };

		begin(&one, pairs[i].one);
		begin(&two, pairs[i].two);
		a = issue(one.authority, NOW, HIERARCHY_LEAF_LIFETIME);
		b = issue(two.authority, NOW, HIERARCHY_LEAF_LIFETIME);
		compare_chains(&a, &b, pairs[i].is_same);
		assert_int_equal(verify_issued(&a, NOW), X509_V_OK);
	}
}

static void what_was_issued_before_does_not_matter_to_a_seed(void **state)
{
	cleanup_fixture struct fixture one = { 0 }, two = { 0 };
	cleanup_issued struct nsm_issued a = { 0 }, b = { 0 }, other = { 0 };

	(void)state;
	begin(&one, "seed");
	begin(&two, "seed");
	a = issue(one.authority, NOW, HIERARCHY_LEAF_LIFETIME);
	other = issue(two.authority, NOW + 60 * DAY, 20);
	b = issue(two.authority, NOW, HIERARCHY_LEAF_LIFETIME);
	compare_chains(&a, &b, true);
}

/* It is the user's for years, and its key must not be a word on a command line. */
static void the_users_own_root_never_comes_from_a_seed(void **state)
{
	struct nsm_random *random = nsm_random_new("seed");
	struct nsm_issued issued[2] = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char *home = folder_new();
		struct nsm_authority *authority;

		setenv("XDG_CONFIG_HOME", home, 1);
		authority = open_in(NULL, random);
		issued[i] = issue(authority, NOW, HIERARCHY_LEAF_LIFETIME);
		nsm_authority_free(authority);
		folder_remove(home);
	}
	assert_int_not_equal(X509_cmp(issued[0].bundle[0], issued[1].bundle[0]),
			     0);
	nsm_issued_clear(&issued[0]);
	nsm_issued_clear(&issued[1]);
	nsm_random_free(random);
}

static void the_root_is_made_once(void **state)
{
	cleanup_fixture struct fixture fixture = { 0 };
	cleanup_issued struct nsm_issued a = { 0 }, b = { 0 };
	struct nsm_authority *again;

	(void)state;
	begin(&fixture, NULL);
	again = open_in(fixture.folder, fixture.random);
	a = issue(fixture.authority, NOW, HIERARCHY_LEAF_LIFETIME);
	b = issue(again, NOW, HIERARCHY_LEAF_LIFETIME);
	assert_int_equal(X509_cmp(a.bundle[0], b.bundle[0]), 0);
	assert_int_not_equal(X509_cmp(a.bundle[1], b.bundle[1]), 0);
	nsm_authority_free(again);
}

/* --- Companies ------------------------------------------------------------------------ */

/* Files of a company's authority: ca_cert and ca_key. */
struct files {
	char *folder;
	char *certificates;
	char *key;
};

static void files_new(struct files *files)
{
	files->folder = folder_new();
	files->certificates = folder_entry(files->folder, "ca.pem");
	files->key = folder_entry(files->folder, "ca.key");
}

static void cleanup_filesp(struct files *files)
{
	folder_remove(files->folder);
	free(files->certificates);
	free(files->key);
}

#define cleanup_files __attribute__((cleanup(cleanup_filesp)))

static void cleanup_companyp(struct company *company)
{
	company_free(company);
}

#define cleanup_company __attribute__((cleanup(cleanup_companyp)))

static int open_files(struct nsm_authority **authority,
		      const struct files *files, const char *seed,
		      struct ne_error *err)
{
	struct nsm_random *random = nsm_random_new(seed);
	const struct nsm_authority_options options = {
		.ca_cert = files->certificates,
		.ca_key = files->key,
		.region = REGION,
		.instance_id = INSTANCE_ID,
		.random = random,
		.now = NOW * UINT64_C(1000),
	};
	int r = nsm_authority_open(authority, &options, err);

	nsm_random_free(random);
	return r;
}

/* Issues a leaf under the authority, which has this many certificates below. */
static void accept(const struct files *files, const char *seed, size_t n_bundle)
{
	cleanup_issued struct nsm_issued issued = { 0 };
	struct nsm_authority *authority = NULL;
	struct ne_error err = { 0 };

	if (open_files(&authority, files, seed, &err))
		fail_msg("%s", err.text);
	issued = issue(authority, NOW, HIERARCHY_LEAF_LIFETIME);
	nsm_authority_free(authority);
	assert_int_equal(verify_issued(&issued, NOW), X509_V_OK);
	assert_int_equal(issued.n_bundle, n_bundle);
	check_nesting(&issued);
}

static void refuse(const struct files *files, int code, const char *fragment)
{
	struct nsm_authority *authority = NULL;
	struct ne_error err = { 0 };

	assert_int_equal(open_files(&authority, files, NULL, &err), -code);
	assert_null(authority);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, fragment))
		fail_msg("\"%s\" lacks \"%s\"", err.text, fragment);
}

static void a_companys_root_may_have_a_key_of_any_kind(void **state)
{
	static const char *const kinds[] = { "RSA", "P-256", "P-384", "P-521",
					     "ED25519" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cleanup_files struct files files;
		cleanup_company struct company root =
			company_usual("root", kinds[i], NULL, -1);

		files_new(&files);
		company_write(&root, files.certificates);
		company_write_key(&root, files.key);
		accept(&files, NULL, 4);
		accept(&files, "seed", 4);
	}
}

static void below_a_company_there_is_what_its_path_length_allows(void **state)
{
	static const struct {
		int root;
		int intermediate;
		size_t levels;
	} lengths[] = {
		{ -1, -1, 3 }, { -1, 3, 3 }, { -1, 2, 2 }, { -1, 1, 1 },
		{ -1, 0, 0 },  { 4, -1, 3 }, { 3, -1, 2 }, { 2, 2, 1 },
		{ 1, -1, 0 },  { 1, 5, 0 },
	};
	cleanup_files struct files files;

	(void)state;
	files_new(&files);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		cleanup_company struct company root =
			company_usual("root", "P-256", NULL, lengths[i].root);
		cleanup_company struct company intermediate =
			company_usual("intermediate", "P-384", &root,
				      lengths[i].intermediate);

		remove(files.certificates);
		company_write(&intermediate, files.certificates);
		company_write(&root, files.certificates);
		company_write_key(&intermediate, files.key);
		accept(&files, NULL, 2 + lengths[i].levels);
	}
}

static void the_instance_is_the_last_to_be_left_out(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "P-384", NULL, 1);
	cleanup_issued struct nsm_issued issued = { 0 };
	struct nsm_authority *authority = NULL;

	(void)state;
	files_new(&files);
	company_write(&root, files.certificates);
	company_write_key(&root, files.key);
	assert_int_equal(open_files(&authority, &files, NULL, NULL), 0);
	issued = issue(authority, NOW, HIERARCHY_LEAF_LIFETIME);
	assert_int_equal(issued.n_bundle, 2);
	check_subject(issued.bundle[1],
		      "CN=" INSTANCE_ID ".us-east-1.emulated.nitro-enclaves,"
		      "OU=Emulated,O=libne,L=Nowhere,ST=Nowhere,C=ZZ");
	nsm_authority_free(authority);
}

static void no_certificate_is_larger_than_a_document_may_have(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "RSA-4096", NULL, -1);

	(void)state;
	files_new(&files);
	company_write(&root, files.certificates);
	company_write_key(&root, files.key);
	refuse(&files, EMSGSIZE, "may have certificates of 1024");
}

static void keys_that_no_verifier_accepts_are_refused(void **state)
{
	static const char *const kinds[] = { "RSA-1024", "P-224" };
	cleanup_files struct files files;

	(void)state;
	files_new(&files);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cleanup_company struct company root =
			company_usual("root", kinds[i], NULL, -1);

		remove(files.certificates);
		company_write(&root, files.certificates);
		company_write_key(&root, files.key);
		refuse(&files, EBADMSG,
		       "verifiers do not accept the key of CN=root");
	}
}

static void a_chain_may_be_in_any_order_and_have_others_in_it(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "RSA", NULL, -1);
	cleanup_company struct company namesake =
		company_new("root", "P-256", NULL, "critical,CA:TRUE",
			    "keyCertSign", COMPANY_FROM, COMPANY_UNTIL);
	cleanup_company struct company one =
		company_usual("one", "P-384", &root, -1);
	cleanup_company struct company two =
		company_usual("two", "P-384", &one, -1);

	(void)state;
	files_new(&files);
	file_write(files.certificates, "Our authorities:\n", 17);
	company_write(&namesake, files.certificates);
	company_write(&root, files.certificates);
	company_write(&two, files.certificates);
	company_write(&one, files.certificates);
	company_write_key(&two, files.key);
	accept(&files, NULL, 6);
}

static void an_expired_company_is_refused(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_new("root", "P-384", NULL, "critical,CA:TRUE",
			    "keyCertSign", NOW - 100, NOW - 1);
	cleanup_company struct company intermediate =
		company_usual("intermediate", "P-384", &root, -1);

	(void)state;
	files_new(&files);
	company_write(&intermediate, files.certificates);
	company_write(&root, files.certificates);
	company_write_key(&intermediate, files.key);
	refuse(&files, EKEYEXPIRED, "has expired on 2023-11-14T22:13:19Z");
}

static void a_company_that_is_not_yet_valid_is_refused(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_new("root", "P-384", NULL, "critical,CA:TRUE",
			    "keyCertSign", NOW + 1, NOW + 100);

	(void)state;
	files_new(&files);
	company_write(&root, files.certificates);
	company_write_key(&root, files.key);
	refuse(&files, EKEYEXPIRED, "valid only from 2023-11-14T22:13:21Z");
}

static void who_is_no_authority_is_refused(void **state)
{
	static const struct {
		const char *constraints;
		const char *usage;
		const char *fragment;
	} cases[] = {
		{ "critical,CA:FALSE", "keyCertSign", "CA is not TRUE" },
		{ NULL, "keyCertSign", "CA is not TRUE" },
		{ NULL, NULL, "CA is not TRUE" },
		{ "CA:TRUE", "digitalSignature", "lacks keyCertSign" },
		{ "CA:TRUE", NULL, "ca.pem: " },
		{ "CA:TRUE", NULL, "it has no key usage; make one with" },
	};
	cleanup_files struct files files;

	(void)state;
	files_new(&files);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_company struct company root = company_new(
			"root", "P-384", NULL, cases[i].constraints,
			cases[i].usage, COMPANY_FROM, COMPANY_UNTIL);

		remove(files.certificates);
		company_write(&root, files.certificates);
		company_write_key(&root, files.key);
		refuse(&files, EBADMSG, cases[i].fragment);
	}
}

static void a_key_of_another_certificate_is_refused(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "P-384", NULL, -1);
	cleanup_company struct company other =
		company_usual("other", "RSA", NULL, -1);

	(void)state;
	files_new(&files);
	company_write(&root, files.certificates);
	company_write_key(&other, files.key);
	refuse(&files, EBADMSG, "no certificate for the key");
}

static void a_chain_without_its_root_is_refused(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "P-384", NULL, -1);
	cleanup_company struct company intermediate =
		company_usual("intermediate", "P-384", &root, -1);

	(void)state;
	files_new(&files);
	company_write(&intermediate, files.certificates);
	company_write_key(&intermediate, files.key);
	refuse(&files, EBADMSG,
	       "who issued CN=intermediate,O=Company is not in it");
}

static void a_namesake_of_the_issuer_is_not_the_issuer(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "P-384", NULL, -1);
	cleanup_company struct company namesake =
		company_usual("root", "P-384", NULL, -1);
	cleanup_company struct company intermediate =
		company_usual("intermediate", "P-384", &root, -1);

	(void)state;
	files_new(&files);
	company_write(&intermediate, files.certificates);
	company_write(&namesake, files.certificates);
	company_write_key(&intermediate, files.key);
	refuse(&files, EBADMSG, "is not in it");
}

static void a_chain_with_a_broken_signature_is_refused(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "P-384", NULL, -1);
	cleanup_company struct company intermediate =
		company_usual("intermediate", "P-384", &root, -1);
	unsigned char *der = NULL;
	int size = i2d_X509(intermediate.certificate, &der);

	(void)state;
	files_new(&files);
	der[size - 1] ^= 1;
	X509_free(intermediate.certificate);
	intermediate.certificate = certificate_from(der, (size_t)size);
	OPENSSL_free(der);
	company_write(&intermediate, files.certificates);
	company_write(&root, files.certificates);
	company_write_key(&intermediate, files.key);
	refuse(&files, EBADMSG,
	       "the signature of CN=intermediate,O=Company does not hold");
}

static void a_chain_longer_than_a_path_length_is_refused(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "P-384", NULL, 0);
	cleanup_company struct company intermediate =
		company_usual("intermediate", "P-384", &root, -1);

	(void)state;
	files_new(&files);
	company_write(&intermediate, files.certificates);
	company_write(&root, files.certificates);
	company_write_key(&intermediate, files.key);
	refuse(&files, EBADMSG, "longer than a path length");
}

static void a_chain_that_does_not_fit_into_a_document_is_refused(void **state)
{
	cleanup_files struct files files;
	struct company chain[6];
	const struct company *above = NULL;

	(void)state;
	files_new(&files);
	for (size_t i = 0; i < ARRAY_SIZE(chain); i++) {
		char name[] = { 'c', (char)('0' + i), '\0' };

		chain[i] = company_usual(name, "P-384", above, -1);
		above = &chain[i];
		company_write(above, files.certificates);
		company_write_key(above, files.key);
		if (i == 4)
			accept(&files, NULL, 8);
	}
	refuse(&files, EBADMSG, "more than 5 certificates");
	for (size_t i = 0; i < ARRAY_SIZE(chain); i++)
		company_free(&chain[i]);
}

static void files_that_are_none_are_refused(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "P-384", NULL, -1);

	(void)state;
	files_new(&files);
	refuse(&files, ENOENT, "cannot read ");
	company_write_key(&root, files.key);
	file_write(files.certificates, "nothing\n", 8);
	refuse(&files, EBADMSG, "has no certificate in it");
	company_write(&root, files.certificates);
	remove(files.key);
	refuse(&files, ENOENT, "No such file");
	file_write(files.key, "nothing\n", 8);
	refuse(&files, EBADMSG, "has no private key in PEM");
	free(files.key);
	files.key = strdup("pkcs11:token=none");
	refuse(&files, EBADMSG, "cannot open the key pkcs11:token=none");
	free(files.certificates);
	files.certificates = strdup("/dev/zero");
	refuse(&files, EINVAL, "no regular file");
}

static void write_locked_key(const struct files *files,
			     const struct company *company, bool is_old)
{
	cleanup_fclose FILE *file = fopen(files->key, "we");
	EVP_PKEY *pkey = nsm_key_pkey(company->key);
	unsigned char password[] = "secret";
	cleanup_bio BIO *bio = BIO_new_fp(file, BIO_NOCLOSE);

	if (is_old)
		assert_true(PEM_write_bio_PrivateKey_traditional(
			bio, pkey, EVP_aes_256_cbc(), password, 6, NULL, NULL));
	else
		assert_true(PEM_write_bio_PrivateKey(
			bio, pkey, EVP_aes_256_cbc(), password, 6, NULL, NULL));
}

static void nobody_is_asked_for_a_password(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "P-384", NULL, -1);

	(void)state;
	files_new(&files);
	company_write(&root, files.certificates);
	for (size_t is_old = 0; is_old < 2; is_old++) {
		write_locked_key(&files, &root, is_old);
		refuse(&files, EBADMSG, "take it off: openssl pkey -in ");
	}
}

static void keys_may_be_written_in_the_old_way(void **state)
{
	static const char *const kinds[] = { "RSA", "P-384" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cleanup_files struct files files;
		cleanup_company struct company root =
			company_usual("root", kinds[i], NULL, -1);
		cleanup_bio BIO *bio = NULL;

		files_new(&files);
		company_write(&root, files.certificates);
		bio = BIO_new_file(files.key, "w");
		assert_true(PEM_write_bio_PrivateKey_traditional(
			bio, nsm_key_pkey(root.key), NULL, NULL, 0, NULL,
			NULL));
		BIO_flush(bio);
		accept(&files, NULL, 4);
	}
}

static void one_file_may_have_it_all(void **state)
{
	cleanup_files struct files files;
	cleanup_company struct company root =
		company_usual("root", "P-384", NULL, -1);

	(void)state;
	files_new(&files);
	company_write_key(&root, files.certificates);
	company_write(&root, files.certificates);
	free(files.key);
	files.key = strdup(files.certificates);
	accept(&files, NULL, 4);
}

static void a_certificate_and_its_key_go_together(void **state)
{
	const struct nsm_authority_options only_cert = { .ca_cert = "x" };
	const struct nsm_authority_options only_key = { .ca_key = "x" };
	struct nsm_authority *authority = NULL;
	struct ne_error err = { 0 };

	(void)state;
	assert_int_equal(nsm_authority_open(&authority, &only_cert, &err),
			 -EINVAL);
	assert_int_equal(nsm_authority_open(&authority, &only_key, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "both or none"));
}

static void what_makes_names_too_long_is_refused(void **state)
{
	static const struct {
		const char *region;
		const char *instance_id;
		int result;
	} names[] = {
		{ "ap-northeast-1", INSTANCE_ID, 0 },
		{ "a-region-of-17-ch", "i-0123456789", 0 },
		{ "a-region-of-18-cha", "i-0123456789", -EINVAL },
		{ "a-region-that-is-far-too-long-to-be-in-any-name-of-a-"
		  "certificate",
		  INSTANCE_ID, -EINVAL },
		{ REGION, "an-instance-of-30-characters.x", 0 },
		{ REGION, "an-instance-of-31-characters.xx", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *folder = folder_new();
		const struct nsm_authority_options options = {
			.folder = folder,
			.region = names[i].region,
			.instance_id = names[i].instance_id,
		};
		struct nsm_authority *authority = NULL;
		struct ne_error err = { 0 };

		assert_int_equal(nsm_authority_open(&authority, &options, &err),
				 names[i].result);
		if (names[i].result) {
			assert_non_null(strstr(err.text, "a shorter region"));
		} else {
			cleanup_issued struct nsm_issued issued =
				issue(authority, NOW, 10);

			assert_int_equal(verify_issued(&issued, NOW),
					 X509_V_OK);
		}
		nsm_authority_free(authority);
		folder_remove(folder);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_certificate_has_the_shape_of_the_real_one),
		cmocka_unit_test(
			every_certificate_lives_as_long_as_the_real_one),
		cmocka_unit_test(names_are_nobody_elses),
		cmocka_unit_test(
			lists_of_revoked_ones_are_at_places_that_do_not_exist),
		cmocka_unit_test(
			a_chain_is_valid_within_its_time_and_not_outside),
		cmocka_unit_test(all_levels_are_renewed_before_they_end),
		cmocka_unit_test(time_may_jump_and_stand_still),
		cmocka_unit_test(leaves_may_live_long_and_briefly),
		cmocka_unit_test(nothing_outlives_the_root),
		cmocka_unit_test(times_outside_of_the_roots_are_refused),
		cmocka_unit_test(a_seed_and_a_time_give_the_same_chain),
		cmocka_unit_test(
			what_was_issued_before_does_not_matter_to_a_seed),
		cmocka_unit_test(the_users_own_root_never_comes_from_a_seed),
		cmocka_unit_test(the_root_is_made_once),
		cmocka_unit_test(a_companys_root_may_have_a_key_of_any_kind),
		cmocka_unit_test(
			no_certificate_is_larger_than_a_document_may_have),
		cmocka_unit_test(
			below_a_company_there_is_what_its_path_length_allows),
		cmocka_unit_test(the_instance_is_the_last_to_be_left_out),
		cmocka_unit_test(
			a_chain_may_be_in_any_order_and_have_others_in_it),
		cmocka_unit_test(keys_that_no_verifier_accepts_are_refused),
		cmocka_unit_test(an_expired_company_is_refused),
		cmocka_unit_test(a_company_that_is_not_yet_valid_is_refused),
		cmocka_unit_test(who_is_no_authority_is_refused),
		cmocka_unit_test(a_key_of_another_certificate_is_refused),
		cmocka_unit_test(a_chain_without_its_root_is_refused),
		cmocka_unit_test(a_namesake_of_the_issuer_is_not_the_issuer),
		cmocka_unit_test(a_chain_with_a_broken_signature_is_refused),
		cmocka_unit_test(a_chain_longer_than_a_path_length_is_refused),
		cmocka_unit_test(
			a_chain_that_does_not_fit_into_a_document_is_refused),
		cmocka_unit_test(files_that_are_none_are_refused),
		cmocka_unit_test(nobody_is_asked_for_a_password),
		cmocka_unit_test(keys_may_be_written_in_the_old_way),
		cmocka_unit_test(one_file_may_have_it_all),
		cmocka_unit_test(a_certificate_and_its_key_go_together),
		cmocka_unit_test(what_makes_names_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
