/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files about attestation documents know of one another.
 */
#ifndef LIBNE_ATTESTATION_INTERNAL_H
#define LIBNE_ATTESTATION_INTERNAL_H

#include <ne/attestation.h>

#include <openssl/x509.h>

/* Its views point into its bytes. */
struct ne_attestation {
	/* COSE */
	struct ne_attestation_bytes protected_header;
	struct ne_attestation_bytes payload;
	struct ne_attestation_bytes signature;
	/* The payload; data is NULL where there is no such field. */
	char *module_id;
	uint64_t timestamp;
	struct ne_attestation_bytes pcrs[NE_PCR_COUNT];
	struct ne_attestation_bytes certificate;
	struct ne_attestation_bytes cabundle[NE_ATTESTATION_MAX_CABUNDLE];
	unsigned int n_cabundle;
	struct ne_attestation_bytes public_key;
	struct ne_attestation_bytes user_data;
	struct ne_attestation_bytes nonce;
	/* The whole document */
	uint8_t bytes[];
};

/* Bytes of an ES384 signature: r and s. */
#define ES384_SIGNATURE_SIZE 96

/* The outcome of verifying: what failed, and where its sentence goes. */
struct verdict {
	enum ne_attestation_check failed;
	struct ne_error *err;
};

/* Records that this check failed, and why. Returns its negative errno. */
int verdict_refuse(struct verdict *verdict, enum ne_attestation_check check,
		   const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* OpenSSL failed at what cannot be the document's fault. -ENOMEM or -EIO. */
int verdict_openssl(struct verdict *verdict, const char *what);
/* Did OpenSSL last fail because memory is short? */
bool verdict_lacks_memory(void);

/* --- attestation_certificate.c ------------------------------------------- */

/* The certificates of a document, decoded: root first, leaf last. */
struct chain {
	X509 *certificates[NE_ATTESTATION_MAX_CABUNDLE + 1];
	unsigned int count;
};

/* 0; or refused by NE_ATTESTATION_SYNTAX. For chain_unload(), both ways. */
int chain_load(struct chain *chain, const struct ne_attestation *attestation,
	       struct verdict *verdict);
void chain_unload(struct chain *chain);
/* The chain is valid: keeps its authorities decoded for other documents. */
void chain_remember(const struct chain *chain,
		    const struct ne_attestation *attestation);
X509 *chain_root(const struct chain *chain);
X509 *chain_leaf(const struct chain *chain);

/* Text for sentences; too long ones are cut. */
struct certificate_text {
	char text[128];
};

/* "the leaf (CN=...)" and the like */
struct certificate_text chain_describe(const struct chain *chain,
				       unsigned int index);
/* The last common name, "" if there is none. */
struct certificate_text certificate_common_name(const X509_NAME *name);

/* Is it a key on this curve, as OpenSSL names curves? */
bool certificate_key_is_on(const EVP_PKEY *key, const char *curve);

/* --- attestation_chain.c ------------------------------------------------- */

/* NE_ATTESTATION_ORDER, _CONSTRAINTS, _KEY_USAGE and _CHAIN. */
int chain_check(const struct chain *chain, struct verdict *verdict);
/* NE_ATTESTATION_VALIDITY, at this time: seconds since 1970 (UTC). */
int chain_check_validity(const struct chain *chain, int64_t time,
			 struct verdict *verdict);

/* --- attestation_verify.c ------------------------------------------------ */

struct utc_text {
	char text[32];
};

/* "2022-11-10 01:52:00 UTC" */
struct utc_text utc_describe(int64_t time);

#endif
