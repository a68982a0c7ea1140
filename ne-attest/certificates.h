/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates: those to trust, from files; and words for any.
 */
#ifndef NE_ATTEST_CERTIFICATES_H
#define NE_ATTEST_CERTIFICATES_H

#include <stdbool.h>

#include <ne/attestation.h>

#include "ne-attest/bytes.h"

/* --- Roots to trust ------------------------------------------------------ */

struct roots {
	struct ne_attestation_bytes *items; /* NULL: none were named */
	size_t count;
};

/*
 * Adds every certificate of a PEM file, or the one of a DER file, or AWS's
 * root for "aws". 0, or a negative errno with a sentence.
 */
int roots_add(struct roots *roots, const char *name, struct ne_error *err);
void roots_free(struct roots *roots);

/* --- Public keys --------------------------------------------------------- */

/*
 * DER of the public key in a file, PEM or DER. 0, or a negative errno with a
 * sentence; -EINVAL: it is none.
 */
int public_key_read(struct bytes *der, const char *path, struct ne_error *err);
/* The same of PEM; any other file as it is: enclaves may show anything. */
int public_key_read_any(struct bytes *key, const char *path,
			struct ne_error *err);

/* --- Words --------------------------------------------------------------- */

struct certificate_words {
	char *subject;
	char *issuer;
	char *serial; /* hexadecimal */
	char *sha256; /* the fingerprint, hexadecimal */
	int64_t not_before;
	int64_t not_after;
};

/* False: it is malformed, or memory is short. For ..._free(), both ways. */
bool certificate_describe(struct certificate_words *words,
			  const struct ne_attestation_bytes *der);
void certificate_words_free(struct certificate_words *words);

#define cleanup_certificate_words \
	__attribute__((cleanup(certificate_words_free)))

#endif
