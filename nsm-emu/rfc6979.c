// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/rfc6979.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "nsm-emu/crypto.h"

/* Bytes of the largest order of a curve, P-521's, and of the largest digest. */
#define ORDER_MAX 66
#define DIGEST_MAX EVP_MAX_MD_SIZE

/* The generator of section 3.2; names are the RFC's. */
struct generator {
	const EVP_MD *md;
	size_t hlen;
	uint8_t k[DIGEST_MAX];
	uint8_t v[DIGEST_MAX];
};

/* out = HMAC_K(data); out may be k or v, and data may hold them. */
static bool hmac(const struct generator *g, const uint8_t *data, size_t size,
		 uint8_t *out)
{
	uint8_t mac[DIGEST_MAX];
	unsigned int length;

	if (!HMAC(g->md, g->k, (int)g->hlen, data, size, mac, &length))
		return false;
	memcpy(out, mac, g->hlen);
	return true;
}

/* K = HMAC_K(V || separator || data), V = HMAC_K(V) */
static bool update(struct generator *g, uint8_t separator, const uint8_t *data,
		   size_t size)
{
	uint8_t message[DIGEST_MAX + 1 + 2 * ORDER_MAX];
	bool done;

	memcpy(message, g->v, g->hlen);
	message[g->hlen] = separator;
	if (size)
		memcpy(message + g->hlen + 1, data, size);
	done = hmac(g, message, g->hlen + 1 + size, g->k) &&
	       hmac(g, g->v, g->hlen, g->v);
	OPENSSL_cleanse(message, sizeof(message));
	return done;
}

/* Section 2.3.2: the leftmost bits, as many as the order has. */
static bool bits2int(BIGNUM *number, const uint8_t *bytes, size_t size,
		     const BIGNUM *order)
{
	int excess = (int)size * 8 - BN_num_bits(order);

	if (!BN_bin2bn(bytes, (int)size, number))
		return false;
	return excess <= 0 || BN_rshift(number, number, excess);
}

/* Steps a to g: seeds the generator with the secret and the digest. */
static bool start(struct generator *g, const EVP_MD *md, const BIGNUM *order,
		  const BIGNUM *secret, const BIGNUM *e)
{
	const int rlen = BN_num_bytes(order);
	uint8_t material[2 * ORDER_MAX];
	bool done;

	g->md = md;
	g->hlen = (size_t)EVP_MD_get_size(md);
	memset(g->v, 1, g->hlen);
	memset(g->k, 0, g->hlen);
	if (rlen > ORDER_MAX || BN_bn2binpad(secret, material, rlen) < 0 ||
	    BN_bn2binpad(e, material + rlen, rlen) < 0)
		return false;
	done = update(g, 0, material, 2 * (size_t)rlen) &&
	       update(g, 1, material, 2 * (size_t)rlen);
	OPENSSL_cleanse(material, sizeof(material));
	return done;
}

/* Step h, one round: a candidate, which may be no good. */
static bool candidate(struct generator *g, const BIGNUM *order, BIGNUM *nonce)
{
	const size_t rlen = (size_t)BN_num_bytes(order);
	uint8_t t[ORDER_MAX + DIGEST_MAX];
	size_t tlen;
	bool done;

	for (tlen = 0; tlen < rlen; tlen += g->hlen) {
		if (!hmac(g, g->v, g->hlen, g->v))
			return false;
		memcpy(t + tlen, g->v, g->hlen);
	}
	done = bits2int(nonce, t, rlen, order);
	OPENSSL_cleanse(t, sizeof(t));
	return done;
}

/* s = (e + r * secret) / nonce modulo the order */
static bool second_half(BIGNUM *s, const BIGNUM *r, const BIGNUM *e,
			const BIGNUM *secret, const BIGNUM *nonce,
			const BIGNUM *order, BN_CTX *ctx)
{
	cleanup_bn BIGNUM *inverse = BN_secure_new();

	if (!inverse)
		return false;
	BN_set_flags(inverse, BN_FLG_CONSTTIME);
	return BN_mod_inverse(inverse, nonce, order, ctx) &&
	       BN_mod_mul(s, r, secret, order, ctx) &&
	       BN_mod_add(s, s, e, order, ctx) &&
	       BN_mod_mul(s, s, inverse, order, ctx);
}

/* r = the x of nonce * G, modulo the order */
static bool first_half(BIGNUM *r, const EC_GROUP *group, const BIGNUM *nonce,
		       BN_CTX *ctx)
{
	cleanup_ec_point EC_POINT *point = EC_POINT_new(group);

	return point && EC_POINT_mul(group, point, nonce, NULL, NULL, ctx) &&
	       EC_POINT_get_affine_coordinates(group, point, r, NULL, ctx) &&
	       BN_nnmod(r, r, EC_GROUP_get0_order(group), ctx);
}

/* One after the other, until one is good (which the first nearly always is). */
static bool sign(struct generator *g, const EC_GROUP *group,
		 const BIGNUM *secret, const BIGNUM *e, BIGNUM *r, BIGNUM *s)
{
	const BIGNUM *order = EC_GROUP_get0_order(group);
	cleanup_bn_ctx BN_CTX *ctx = BN_CTX_secure_new();
	cleanup_bn BIGNUM *nonce = BN_secure_new();

	if (!ctx || !nonce)
		return false;
	BN_set_flags(nonce, BN_FLG_CONSTTIME);
	for (;;) {
		if (!candidate(g, order, nonce))
			return false;
		if (!BN_is_zero(nonce) && BN_cmp(nonce, order) < 0) {
			if (!first_half(r, group, nonce, ctx) ||
			    !second_half(s, r, e, secret, nonce, order, ctx))
				return false;
			if (!BN_is_zero(r) && !BN_is_zero(s))
				return true;
		}
		if (!update(g, 0, NULL, 0))
			return false;
	}
}

/* Takes over r and s. */
static ECDSA_SIG *to_signature(BIGNUM **r, BIGNUM **s)
{
	ECDSA_SIG *signature = ECDSA_SIG_new();

	if (!signature)
		return NULL;
	ECDSA_SIG_set0(signature, *r, *s);
	*r = NULL;
	*s = NULL;
	return signature;
}

ECDSA_SIG *rfc6979_sign(const EC_GROUP *group, const BIGNUM *secret,
			const EVP_MD *md, const uint8_t *digest)
{
	const BIGNUM *order = EC_GROUP_get0_order(group);
	cleanup_bn BIGNUM *e = BN_new(), *r = BN_new(), *s = BN_new();
	struct generator g;
	bool done;

	if (!e || !r || !s ||
	    !bits2int(e, digest, (size_t)EVP_MD_get_size(md), order))
		return NULL;
	if (BN_cmp(e, order) >= 0 && !BN_sub(e, e, order))
		return NULL;
	done = start(&g, md, order, secret, e) &&
	       sign(&g, group, secret, e, r, s);
	OPENSSL_cleanse(&g, sizeof(g));
	return done ? to_signature(&r, &s) : NULL;
}
