/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that sign: the P-384 keys of modules and their authorities, and
 * whatever key a company's own authority has.
 *
 * A key from a seeded source is a function of the seed and signs with the
 * nonces of RFC 6979, so that what it signs is always the same. Others sign
 * with OpenSSL's randomness.
 *
 * Thread safety: a key never changes; sign with it from any thread.
 */
#ifndef NSM_EMU_KEY_H
#define NSM_EMU_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

struct ne_error;
struct nsm_key;
struct nsm_random;

/* Bytes of r and s of a signature by a P-384 key. */
#define NSM_KEY_SIGNATURE_SIZE 96

/* A new P-384 key. 0, -EIO, -ENOMEM. */
int nsm_key_new(struct nsm_key **key, struct nsm_random *random,
		struct ne_error *err);
/*
 * A key made elsewhere, of which it takes a reference. is_deterministic: sign
 * as RFC 6979 says, if it is an elliptic curve key whose secret OpenSSL may
 * see. 0, -EIO, -ENOMEM.
 */
int nsm_key_adopt(struct nsm_key **key, EVP_PKEY *pkey, bool is_deterministic,
		  struct ne_error *err);
/* NULL is fine. */
void nsm_key_free(struct nsm_key *key);

/* Belongs to the key. */
EVP_PKEY *nsm_key_pkey(const struct nsm_key *key);
/*
 * The digest for signatures by this key: the one that suits its curve, else
 * SHA-384; NULL: the key's own (EdDSA).
 */
const EVP_MD *nsm_key_digest(const struct nsm_key *key);
/* Does it sign as RFC 6979 says? */
bool nsm_key_is_deterministic(const struct nsm_key *key);

/* ES384 over data, by a P-384 key: r and s, big-endian. 0, -EIO, -ENOMEM. */
int nsm_key_sign(const struct nsm_key *key, const void *data, size_t size,
		 uint8_t signature[NSM_KEY_SIGNATURE_SIZE],
		 struct ne_error *err);
/*
 * A signature by any key with its digest, as certificates have it. *der is
 * for OPENSSL_free(). 0, -EIO, -ENOMEM.
 */
int nsm_key_sign_der(const struct nsm_key *key, const void *data, size_t size,
		     uint8_t **der, size_t *der_size, struct ne_error *err);

#endif
