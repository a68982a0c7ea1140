// SPDX-License-Identifier: Apache-2.0
/*
 * Keys, and signatures that come out the same again.
 */
#include "nsm-emu/key.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "libne/cleanup.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/random.h"
#include "nsm-emu/rfc6979.h"

static void cleanup_keyp(struct nsm_key **key)
{
	nsm_key_free(*key);
}

static void cleanup_randomp(struct nsm_random **random)
{
	nsm_random_free(*random);
}

#define cleanup_key __attribute__((cleanup(cleanup_keyp)))
#define cleanup_random __attribute__((cleanup(cleanup_randomp)))

static struct nsm_key *key_of(const char *seed)
{
	cleanup_random struct nsm_random *random = nsm_random_new(seed);
	struct nsm_key *key = NULL;

	assert_int_equal(nsm_key_new(&key, random, NULL), 0);
	return key;
}

static bool is_signature(const struct nsm_key *key, const void *data,
			 size_t size, const uint8_t *der, size_t der_size)
{
	cleanup_md_ctx EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_true(EVP_DigestVerifyInit(ctx, NULL, nsm_key_digest(key), NULL,
					 nsm_key_pkey(key)));
	return EVP_DigestVerify(ctx, der, der_size, data, size) == 1;
}

static ECDSA_SIG *from_raw(const uint8_t raw[NSM_KEY_SIGNATURE_SIZE])
{
	ECDSA_SIG *signature = ECDSA_SIG_new();

	ECDSA_SIG_set0(signature, BN_bin2bn(raw, 48, NULL),
		       BN_bin2bn(raw + 48, 48, NULL));
	return signature;
}

static bool is_raw_signature(const struct nsm_key *key, const void *data,
			     size_t size,
			     const uint8_t raw[NSM_KEY_SIGNATURE_SIZE])
{
	ECDSA_SIG *signature = from_raw(raw);
	uint8_t *der = NULL;
	int der_size = i2d_ECDSA_SIG(signature, &der);
	bool holds = is_signature(key, data, size, der, (size_t)der_size);

	OPENSSL_free(der);
	ECDSA_SIG_free(signature);
	return holds;
}

/* --- RFC 6979, appendix A.2 --------------------------------------------------- */

struct vector {
	const char *curve;
	const char *secret;
	const EVP_MD *(*md)(void);
	const char *message;
	const char *r;
	const char *s;
};

static const struct vector vectors[] = {
	/* A.2.5 */
	{ "P-256",
	  "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
	  EVP_sha256, "sample",
	  "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
	  "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8" },
	/* A.2.6 */
	{ "P-384",
	  "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA"
	  "9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
	  EVP_sha384, "sample",
	  "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA7"
	  "3D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46",
	  "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526"
	  "203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8" },
	{ "P-384",
	  "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA"
	  "9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
	  EVP_sha384, "test",
	  "8203B63D3C853E8D77227FB377BCF7B7B772E97892A80F36"
	  "AB775D509D7A5FEB0542A7F0812998DA8F1DD3CA3CF023DB",
	  "DDD0760448D42D8A43AF45AF836FCE4DE8BE06B485E9B61B"
	  "827C2F13173923E06A739F040649A667BF3B828246BAA5A5" },
	/* A.2.7 */
	{ "P-521",
	  "00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CA"
	  "A896EB32F1F47C70855836A6D16FCC1466F6D8FBEC67DB89EC0C08B0E996B83538",
	  EVP_sha512, "sample",
	  "00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F17"
	  "4E25A1EE9017B5D450606ADD152B534931D7D4E8455CC91F9B15BF05EC36E377FA",
	  "00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF28"
	  "2623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A" },
};

static void assert_number(const BIGNUM *number, const char *hex)
{
	cleanup_bn BIGNUM *expected = NULL;

	assert_true(BN_hex2bn(&expected, hex));
	assert_int_equal(BN_cmp(number, expected), 0);
}

static void signatures_are_those_of_rfc_6979(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct vector *v = &vectors[i];
		cleanup_ec_group EC_GROUP *group =
			EC_GROUP_new_by_curve_name(EC_curve_nist2nid(v->curve));
		cleanup_bn BIGNUM *secret = NULL;
		uint8_t digest[EVP_MAX_MD_SIZE];
		ECDSA_SIG *signature;

		BN_hex2bn(&secret, v->secret);
		EVP_Digest(v->message, strlen(v->message), digest, NULL,
			   v->md(), NULL);
		signature = rfc6979_sign(group, secret, v->md(), digest);
		assert_non_null(signature);
		assert_number(ECDSA_SIG_get0_r(signature), v->r);
		assert_number(ECDSA_SIG_get0_s(signature), v->s);
		ECDSA_SIG_free(signature);
	}
}

static EVP_PKEY *pkey_of(const struct vector *v)
{
	cleanup_ec_group EC_GROUP *group =
		EC_GROUP_new_by_curve_name(EC_curve_nist2nid(v->curve));
	cleanup_ec_point EC_POINT *point = EC_POINT_new(group);
	cleanup_pkey_ctx EVP_PKEY_CTX *ctx =
		EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	cleanup_bn BIGNUM *secret = NULL;
	EVP_PKEY *pkey = NULL;
	uint8_t *public = NULL;
	OSSL_PARAM *params;
	size_t size;

	BN_hex2bn(&secret, v->secret);
	EC_POINT_mul(group, point, secret, NULL, NULL, NULL);
	size = EC_POINT_point2buf(group, point, POINT_CONVERSION_UNCOMPRESSED,
				  &public, NULL);
	OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
					v->curve, 0);
	OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, secret);
	OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY,
					 public, size);
	params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_fromdata_init(ctx);
	assert_int_equal(
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	OPENSSL_free(public);
	return pkey;
}

static void a_key_of_others_can_sign_as_rfc_6979_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct vector *v = &vectors[i];
		cleanup_pkey EVP_PKEY *pkey = pkey_of(v);
		cleanup_key struct nsm_key *key = NULL;
		const uint8_t *at;
		ECDSA_SIG *signature;
		uint8_t *der;
		size_t size;

		assert_int_equal(nsm_key_adopt(&key, pkey, true, NULL), 0);
		assert_true(nsm_key_is_deterministic(key));
		assert_ptr_equal(nsm_key_digest(key), v->md());
		assert_int_equal(nsm_key_sign_der(key, v->message,
						  strlen(v->message), &der,
						  &size, NULL),
				 0);
		at = der;
		signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
		assert_number(ECDSA_SIG_get0_r(signature), v->r);
		assert_number(ECDSA_SIG_get0_s(signature), v->s);
		assert_true(is_signature(key, v->message, strlen(v->message),
					 der, size));
		ECDSA_SIG_free(signature);
		OPENSSL_free(der);
	}
}

/* --- Keys --------------------------------------------------------------------- */

static void keys_are_on_p_384(void **state)
{
	static const char *const seeds[] = { NULL, "seed" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
		cleanup_key struct nsm_key *key = key_of(seeds[i]);
		char group[32];

		assert_true(EVP_PKEY_get_group_name(nsm_key_pkey(key), group,
						    sizeof(group), NULL));
		assert_string_equal(group, "secp384r1");
		assert_ptr_equal(nsm_key_digest(key), EVP_sha384());
		assert_int_equal(nsm_key_is_deterministic(key),
				 seeds[i] != NULL);
	}
}

static void a_seed_gives_the_same_key_and_another_seed_another(void **state)
{
	cleanup_key struct nsm_key *a = key_of("a");
	cleanup_key struct nsm_key *again = key_of("a");
	cleanup_key struct nsm_key *b = key_of("b");
	cleanup_key struct nsm_key *random = key_of(NULL);

	(void)state;
	assert_int_equal(EVP_PKEY_eq(nsm_key_pkey(a), nsm_key_pkey(again)), 1);
	assert_int_equal(EVP_PKEY_eq(nsm_key_pkey(a), nsm_key_pkey(b)), 0);
	assert_int_equal(EVP_PKEY_eq(nsm_key_pkey(a), nsm_key_pkey(random)), 0);
}

static void a_source_gives_one_key_after_the_other(void **state)
{
	cleanup_random struct nsm_random *random = nsm_random_new("seed");
	cleanup_key struct nsm_key *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(nsm_key_new(&a, random, NULL), 0);
	assert_int_equal(nsm_key_new(&b, random, NULL), 0);
	assert_int_equal(EVP_PKEY_eq(nsm_key_pkey(a), nsm_key_pkey(b)), 0);
}

/* --- Signatures ---------------------------------------------------------------- */

/* Enough that some have an r or an s that begins with a zero byte. */
static void raw_signatures_hold_whatever_their_numbers_are(void **state)
{
	static const char *const seeds[] = { NULL, "seed" };
	uint8_t raw[NSM_KEY_SIGNATURE_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
		cleanup_key struct nsm_key *key = key_of(seeds[i]);
		unsigned int short_ones = 0;

		for (unsigned int n = 0; n < 2000 && short_ones < 2; n++) {
			assert_int_equal(
				nsm_key_sign(key, &n, sizeof(n), raw, NULL), 0);
			if (raw[0] && raw[48])
				continue;
			short_ones++;
			assert_true(is_raw_signature(key, &n, sizeof(n), raw));
		}
		assert_true(short_ones > 0);
	}
}

static void a_signature_is_of_its_message_alone(void **state)
{
	static const char *const seeds[] = { NULL, "seed" };
	uint8_t raw[NSM_KEY_SIGNATURE_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
		cleanup_key struct nsm_key *key = key_of(seeds[i]);

		assert_int_equal(nsm_key_sign(key, "message", 7, raw, NULL), 0);
		assert_true(is_raw_signature(key, "message", 7, raw));
		assert_false(is_raw_signature(key, "messagf", 7, raw));
		assert_int_equal(nsm_key_sign(key, "", 0, raw, NULL), 0);
		assert_true(is_raw_signature(key, "", 0, raw));
	}
}

static void only_keys_of_a_seed_sign_the_same_again(void **state)
{
	cleanup_key struct nsm_key *seeded = key_of("seed");
	cleanup_key struct nsm_key *random = key_of(NULL);
	uint8_t one[NSM_KEY_SIGNATURE_SIZE], two[NSM_KEY_SIGNATURE_SIZE];

	(void)state;
	nsm_key_sign(seeded, "message", 7, one, NULL);
	nsm_key_sign(seeded, "message", 7, two, NULL);
	assert_memory_equal(one, two, sizeof(one));
	nsm_key_sign(random, "message", 7, one, NULL);
	nsm_key_sign(random, "message", 7, two, NULL);
	assert_memory_not_equal(one, two, sizeof(one));
}

static void keys_of_other_kinds_sign_in_their_own_way(void **state)
{
	const struct {
		EVP_PKEY *pkey;
		const EVP_MD *md;
	} kinds[] = {
		{ EVP_RSA_gen(2048), EVP_sha384() },
		{ EVP_EC_gen("P-256"), EVP_sha256() },
		{ EVP_EC_gen("P-521"), EVP_sha512() },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cleanup_key struct nsm_key *key = NULL;
		cleanup_pkey EVP_PKEY *pkey = kinds[i].pkey;
		uint8_t *der;
		size_t size;

		assert_int_equal(nsm_key_adopt(&key, pkey, i == 0, NULL), 0);
		assert_false(nsm_key_is_deterministic(key));
		assert_ptr_equal(nsm_key_digest(key), kinds[i].md);
		assert_int_equal(nsm_key_sign_der(key, "message", 7, &der,
						  &size, NULL),
				 0);
		assert_true(is_signature(key, "message", 7, der, size));
		OPENSSL_free(der);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_are_those_of_rfc_6979),
		cmocka_unit_test(a_key_of_others_can_sign_as_rfc_6979_says),
		cmocka_unit_test(keys_are_on_p_384),
		cmocka_unit_test(
			a_seed_gives_the_same_key_and_another_seed_another),
		cmocka_unit_test(a_source_gives_one_key_after_the_other),
		cmocka_unit_test(
			raw_signatures_hold_whatever_their_numbers_are),
		cmocka_unit_test(a_signature_is_of_its_message_alone),
		cmocka_unit_test(only_keys_of_a_seed_sign_the_same_again),
		cmocka_unit_test(keys_of_other_kinds_sign_in_their_own_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
