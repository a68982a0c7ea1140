/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of certificates share: folders, authorities, and a verifier
 * that nobody here wrote (OpenSSL's).
 */
#ifndef TESTS_UNIT_CERTIFICATES_H
#define TESTS_UNIT_CERTIFICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "nsm-emu/certificate.h"
#include "nsm-emu/identity.h"

struct nsm_issued;

/* A folder under $TMPDIR, for folder_remove(). */
char *folder_new(void);
void folder_remove(char *folder);
/* Its entry of this name, for free(). */
char *folder_entry(const char *folder, const char *name);
char *file_read(const char *path, size_t *size);
void file_write(const char *path, const void *bytes, size_t size);

/*
 * Is the leaf valid at this second under the root (bundle[0]), says OpenSSL?
 * X509_V_OK, or another X509_V_ERR_*.
 */
int verify_issued(const struct nsm_issued *issued, int64_t now);
int verify_leaf(const struct nsm_leaf *leaf, int64_t now);

/* The certificate of DER; for X509_free(). */
X509 *certificate_from(const void *der, size_t size);

/* A company's authority; for company_free(). */
struct company {
	X509 *certificate;
	struct nsm_key *key;
};

/*
 * above: who issues it; NULL: itself. kind: "P-384", "P-256", "P-521",
 * "ED25519" or "RSA". constraints and usage as in struct
 * certificate_description; from and until: seconds since 1970.
 */
struct company company_new(const char *name, const char *kind,
			   const struct company *above, const char *constraints,
			   const char *usage, int64_t from, int64_t until);
/* A usual one: CA:TRUE of this path length (-1: none), 2020 to 2040. */
struct company company_usual(const char *name, const char *kind,
			     const struct company *above, int path_length);
void company_free(struct company *company);
/* Appends the certificate; writes the key. */
void company_write(const struct company *company, const char *path);
void company_write_key(const struct company *company, const char *path);

#define COMPANY_FROM 1577836800	 /* 2020-01-01 */
#define COMPANY_UNTIL 2208988800 /* 2040-01-01 */

#endif
