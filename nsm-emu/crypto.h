/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's objects at the end of a scope, as libne/cleanup.h has it for
 * others, and OpenSSL's reasons in sentences.
 */
#ifndef NSM_EMU_CRYPTO_H
#define NSM_EMU_CRYPTO_H

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

struct ne_error;

#define CRYPTO_CLEANUP(type, name, release)         \
	static inline void cleanup_##name(type **p) \
	{                                           \
		release(*p);                        \
	}

CRYPTO_CLEANUP(BIGNUM, bnp, BN_clear_free)
CRYPTO_CLEANUP(BN_CTX, bn_ctxp, BN_CTX_free)
CRYPTO_CLEANUP(BIO, biop, BIO_free_all)
CRYPTO_CLEANUP(EC_GROUP, ec_groupp, EC_GROUP_free)
CRYPTO_CLEANUP(EC_POINT, ec_pointp, EC_POINT_clear_free)
CRYPTO_CLEANUP(EVP_MD_CTX, md_ctxp, EVP_MD_CTX_free)
CRYPTO_CLEANUP(EVP_PKEY, pkeyp, EVP_PKEY_free)
CRYPTO_CLEANUP(EVP_PKEY_CTX, pkey_ctxp, EVP_PKEY_CTX_free)
CRYPTO_CLEANUP(X509, x509p, X509_free)

#define cleanup_bn __attribute__((cleanup(cleanup_bnp)))
#define cleanup_bn_ctx __attribute__((cleanup(cleanup_bn_ctxp)))
#define cleanup_bio __attribute__((cleanup(cleanup_biop)))
#define cleanup_ec_group __attribute__((cleanup(cleanup_ec_groupp)))
#define cleanup_ec_point __attribute__((cleanup(cleanup_ec_pointp)))
#define cleanup_md_ctx __attribute__((cleanup(cleanup_md_ctxp)))
#define cleanup_pkey __attribute__((cleanup(cleanup_pkeyp)))
#define cleanup_pkey_ctx __attribute__((cleanup(cleanup_pkey_ctxp)))
#define cleanup_x509 __attribute__((cleanup(cleanup_x509p)))

/*
 * "<the sentence>: <OpenSSL's reason>" with this positive errno; empties
 * OpenSSL's queue of errors. Returns -code.
 */
int crypto_error(struct ne_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
