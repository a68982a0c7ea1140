/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deterministic ECDSA, RFC 6979: nonces that are a function of key and
 * message, for documents that shall come out the same again.
 */
#ifndef NSM_EMU_RFC6979_H
#define NSM_EMU_RFC6979_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ec.h>
#include <openssl/evp.h>

/*
 * Signs a message's digest with the secret number of a key on this curve; md
 * is what the digest was made with. NULL if out of memory, or if OpenSSL
 * fails (its error queue says why).
 */
ECDSA_SIG *rfc6979_sign(const EC_GROUP *group, const BIGNUM *secret,
			const EVP_MD *md, const uint8_t *digest);

#endif
