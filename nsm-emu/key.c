// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/key.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/random.h"
#include "nsm-emu/rfc6979.h"

/*
 * Bytes that make a secret number of P-384: 64 bits more than the order has,
 * so that the remainder is as good as evenly distributed [FIPS 186-5, A.2.1].
 */
#define SECRET_MATERIAL_SIZE (48 + 8)

struct nsm_key {
	EVP_PKEY *pkey;
	const EVP_MD *md;
	/* What RFC 6979 needs; NULL: signs with OpenSSL's randomness. */
	EC_GROUP *group;
	BIGNUM *secret;
};

static void cleanup_keyp(struct nsm_key **key)
{
	nsm_key_free(*key);
}

#define cleanup_key __attribute__((cleanup(cleanup_keyp)))

static void cleanup_ecdsa_sigp(ECDSA_SIG **signature)
{
	ECDSA_SIG_free(*signature);
}

#define cleanup_ecdsa_sig __attribute__((cleanup(cleanup_ecdsa_sigp)))

static void cleanup_param_bldp(OSSL_PARAM_BLD **builder)
{
	OSSL_PARAM_BLD_free(*builder);
}

static void cleanup_paramsp(OSSL_PARAM **params)
{
	OSSL_PARAM_free(*params);
}

#define cleanup_param_bld __attribute__((cleanup(cleanup_param_bldp)))
#define cleanup_params __attribute__((cleanup(cleanup_paramsp)))

/* --- Making one ----------------------------------------------------------- */

/* 1 to order - 1 */
static BIGNUM *secret_from(struct nsm_random *random, const EC_GROUP *group)
{
	uint8_t material[SECRET_MATERIAL_SIZE];
	cleanup_bn_ctx BN_CTX *ctx = BN_CTX_secure_new();
	cleanup_bn BIGNUM *limit = BN_dup(EC_GROUP_get0_order(group));
	cleanup_bn BIGNUM *secret = BN_secure_new();
	bool done;

	done = ctx && limit && secret && BN_sub_word(limit, 1) &&
	       !nsm_random_bytes(random, material, sizeof(material)) &&
	       BN_bin2bn(material, sizeof(material), secret) &&
	       BN_mod(secret, secret, limit, ctx) && BN_add_word(secret, 1);
	OPENSSL_cleanse(material, sizeof(material));
	return done ? take_ptr(&secret) : NULL;
}

/* The curve's point as bytes, for OPENSSL_free(); 0: failed. */
static size_t public_from(const EC_GROUP *group, const BIGNUM *secret,
			  uint8_t **bytes)
{
	cleanup_ec_point EC_POINT *point = EC_POINT_new(group);

	if (!point || !EC_POINT_mul(group, point, secret, NULL, NULL, NULL))
		return 0;
	return EC_POINT_point2buf(group, point, POINT_CONVERSION_UNCOMPRESSED,
				  bytes, NULL);
}

static OSSL_PARAM *params_from(const BIGNUM *secret, const uint8_t *public,
			       size_t size)
{
	cleanup_param_bld OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();

	if (!builder ||
	    !OSSL_PARAM_BLD_push_utf8_string(
		    builder, OSSL_PKEY_PARAM_GROUP_NAME, SN_secp384r1, 0) ||
	    !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY,
				    secret) ||
	    !OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY,
					      public, size))
		return NULL;
	return OSSL_PARAM_BLD_to_param(builder);
}

static EVP_PKEY *pkey_from(const EC_GROUP *group, const BIGNUM *secret)
{
	cleanup_pkey_ctx EVP_PKEY_CTX *ctx =
		EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	cleanup_params OSSL_PARAM *params = NULL;
	uint8_t *public = NULL;
	size_t size = public_from(group, secret, &public);
	EVP_PKEY *pkey = NULL;

	if (size)
		params = params_from(secret, public, size);
	OPENSSL_free(public);
	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
		return NULL;
	return pkey;
}

static EVP_PKEY *pkey_from_seed(struct nsm_random *random)
{
	cleanup_ec_group EC_GROUP *group =
		EC_GROUP_new_by_curve_name(NID_secp384r1);
	cleanup_bn BIGNUM *secret = group ? secret_from(random, group) : NULL;

	return secret ? pkey_from(group, secret) : NULL;
}

int nsm_key_new(struct nsm_key **key, struct nsm_random *random,
		struct ne_error *err)
{
	const bool is_seeded = nsm_random_is_seeded(random);
	cleanup_pkey EVP_PKEY *pkey = is_seeded ? pkey_from_seed(random)
						: EVP_EC_gen(SN_secp384r1);

	if (!pkey)
		return crypto_error(err, EIO, "cannot make a P-384 key");
	return nsm_key_adopt(key, pkey, is_seeded, err);
}

/* --- Adopting one ---------------------------------------------------------- */

/* NID_undef: none that has a name */
static int curve_of(const EVP_PKEY *pkey)
{
	char name[64];

	if (!EVP_PKEY_is_a(pkey, "EC") ||
	    !EVP_PKEY_get_group_name(pkey, name, sizeof(name), NULL))
		return NID_undef;
	return OBJ_txt2nid(name);
}

static const EVP_MD *digest_for(const EVP_PKEY *pkey)
{
	if (EVP_PKEY_is_a(pkey, "ED25519") || EVP_PKEY_is_a(pkey, "ED448"))
		return NULL;
	switch (curve_of(pkey)) {
	case NID_X9_62_prime256v1:
		return EVP_sha256();
	case NID_secp521r1:
		return EVP_sha512();
	default:
		return EVP_sha384();
	}
}

/* Not having the secret, which may be in a token, is no failure. */
static int prepare_rfc6979(struct nsm_key *key, struct ne_error *err)
{
	const int curve = curve_of(key->pkey);

	if (curve == NID_undef ||
	    !EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_PRIV_KEY,
				   &key->secret)) {
		ERR_clear_error();
		return 0;
	}
	BN_set_flags(key->secret, BN_FLG_CONSTTIME);
	key->group = EC_GROUP_new_by_curve_name(curve);
	return key->group ? 0 : crypto_error(err, EIO, "cannot use the key");
}

int nsm_key_adopt(struct nsm_key **key, EVP_PKEY *pkey, bool is_deterministic,
		  struct ne_error *err)
{
	cleanup_key struct nsm_key *made = calloc(1, sizeof(*made));
	int r = 0;

	if (!made)
		return ne_error_set(err, ENOMEM, "out of memory");
	if (!EVP_PKEY_up_ref(pkey))
		return crypto_error(err, EIO, "cannot use the key");
	made->pkey = pkey;
	made->md = digest_for(pkey);
	if (is_deterministic)
		r = prepare_rfc6979(made, err);
	if (!r)
		*key = take_ptr(&made);
	return r;
}

void nsm_key_free(struct nsm_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	EC_GROUP_free(key->group);
	BN_clear_free(key->secret);
	free(key);
}

EVP_PKEY *nsm_key_pkey(const struct nsm_key *key)
{
	return key->pkey;
}

const EVP_MD *nsm_key_digest(const struct nsm_key *key)
{
	return key->md;
}

bool nsm_key_is_deterministic(const struct nsm_key *key)
{
	return key->secret != NULL;
}

/* --- Signing --------------------------------------------------------------- */

static int cannot_sign(struct ne_error *err)
{
	return crypto_error(err, EIO, "cannot sign");
}

static ECDSA_SIG *sign_deterministically(const struct nsm_key *key,
					 const void *data, size_t size)
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (!EVP_Digest(data, size, digest, NULL, key->md, NULL))
		return NULL;
	return rfc6979_sign(key->group, key->secret, key->md, digest);
}

/* By OpenSSL; the signature's encoding depends on the kind of key. */
static int sign_randomly(const struct nsm_key *key, const void *data,
			 size_t size, uint8_t *signature,
			 size_t *signature_size)
{
	cleanup_md_ctx EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	return ctx &&
	       EVP_DigestSignInit(ctx, NULL, key->md, NULL, key->pkey) == 1 &&
	       EVP_DigestSign(ctx, signature, signature_size, data, size) == 1;
}

static ECDSA_SIG *sign_with_openssl(const struct nsm_key *key, const void *data,
				    size_t size)
{
	/* A sequence of two numbers of 48 bytes, each of which may need one
	 * zero byte in front: 3 + 2 * (2 + 1 + 48) */
	uint8_t der[105];
	const uint8_t *at = der;
	size_t der_size = sizeof(der);

	if (!sign_randomly(key, data, size, der, &der_size))
		return NULL;
	return d2i_ECDSA_SIG(NULL, &at, (long)der_size);
}

int nsm_key_sign(const struct nsm_key *key, const void *data, size_t size,
		 uint8_t signature[NSM_KEY_SIGNATURE_SIZE],
		 struct ne_error *err)
{
	const int half = NSM_KEY_SIGNATURE_SIZE / 2;
	cleanup_ecdsa_sig ECDSA_SIG *made =
		key->secret ? sign_deterministically(key, data, size)
			    : sign_with_openssl(key, data, size);

	if (!made ||
	    BN_bn2binpad(ECDSA_SIG_get0_r(made), signature, half) < 0 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(made), signature + half, half) < 0)
		return cannot_sign(err);
	return 0;
}

static int deterministic_der(const struct nsm_key *key, const void *data,
			     size_t size, uint8_t **der, size_t *der_size,
			     struct ne_error *err)
{
	cleanup_ecdsa_sig ECDSA_SIG *made =
		sign_deterministically(key, data, size);
	int length;

	*der = NULL;
	if (!made)
		return cannot_sign(err);
	length = i2d_ECDSA_SIG(made, der);
	if (length <= 0)
		return cannot_sign(err);
	*der_size = (size_t)length;
	return 0;
}

int nsm_key_sign_der(const struct nsm_key *key, const void *data, size_t size,
		     uint8_t **der, size_t *der_size, struct ne_error *err)
{
	if (key->secret)
		return deterministic_der(key, data, size, der, der_size, err);
	*der_size = (size_t)EVP_PKEY_get_size(key->pkey);
	*der = OPENSSL_malloc(*der_size);
	if (!*der)
		return ne_error_set(err, ENOMEM, "out of memory");
	if (sign_randomly(key, data, size, *der, der_size))
		return 0;
	OPENSSL_free(*der);
	*der = NULL;
	return cannot_sign(err);
}
