/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes an X.509 version 3 certificate from its description.
 *
 * Thread safety: all of it, from any thread.
 */
#ifndef NSM_EMU_CERTIFICATE_H
#define NSM_EMU_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

struct ne_error;
struct nsm_key;

/* Characters of a common name, at most [X.520, ub-common-name]. */
#define CERTIFICATE_COMMON_NAME_MAX 64

/* "CN", "foo.example" */
struct certificate_name_part {
	const char *type;
	const char *value; /* UTF-8 */
};

#define CERTIFICATE_NAME_PARTS_MAX 6

struct certificate_description {
	/* In this order; ends at one without a type, or when full. */
	struct certificate_name_part subject[CERTIFICATE_NAME_PARTS_MAX];
	const struct nsm_key *key; /* the subject's */
	const X509 *issuer;	   /* NULL: itself */
	const struct nsm_key *issuer_key;
	const uint8_t *serial; /* big-endian, not negative */
	size_t serial_size;
	int64_t not_before; /* seconds since 1970 (UTC) */
	int64_t not_after;
	/* Values of extensions as in x509v3_config(5); NULL: without it. */
	const char *basic_constraints;
	const char *key_usage;
	const char *crl;  /* "URI:..." */
	bool has_key_ids; /* subject's, and issuer's if it is another one */
};

/* *certificate is for X509_free(). 0, -EINVAL, -EIO. */
int certificate_make(X509 **certificate,
		     const struct certificate_description *description,
		     struct ne_error *err);

/*
 * The first and the last second at which it is valid, since 1970 (UTC).
 * 0; -EBADMSG: it says nonsense.
 */
int certificate_validity(const X509 *certificate, int64_t *not_before,
			 int64_t *not_after);

/*
 * The subject's name as RFC 2253 writes it, "CN=...,O=...", for free(). NULL
 * if out of memory.
 */
char *certificate_subject(const X509 *certificate);
/* SHA-256 of the certificate. 0, -EIO. */
#define CERTIFICATE_FINGERPRINT_SIZE 32
int certificate_fingerprint(
	const X509 *certificate,
	unsigned char fingerprint[CERTIFICATE_FINGERPRINT_SIZE]);

/* A time as RFC 3339 writes it, "2026-01-31T12:00:00Z". */
#define CERTIFICATE_TIME_SIZE 40
void certificate_time_text(int64_t time, char text[CERTIFICATE_TIME_SIZE]);

#endif
