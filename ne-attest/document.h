/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents from files, and what to say about them.
 */
#ifndef NE_ATTEST_DOCUMENT_H
#define NE_ATTEST_DOCUMENT_H

#include <stdbool.h>

#include <jansson.h>

#include <ne/attestation.h>

#include "ne-attest/bytes.h"

/*
 * The document of a file ("-": standard input) as bytes: it may be as the
 * module made it, or hexadecimal or base64 as it is in logs, also in quotes
 * and over several lines. What looks like neither is left as it is.
 * 0, or a negative errno with a sentence.
 */
int document_read(struct bytes *document, const char *path,
		  struct ne_error *err);
/* The same of bytes in memory, which it takes. Pure. */
int document_decode(struct bytes *document, struct ne_error *err);

/* ne_attestation_parse(), and a hint what else it might be. */
int document_parse(struct ne_attestation **attestation,
		   const struct bytes *document, struct ne_error *err);

static inline void cleanup_attestationp(struct ne_attestation **attestation)
{
	ne_attestation_free(*attestation);
}

#define cleanup_attestation __attribute__((cleanup(cleanup_attestationp)))

/* All fields, a line each, with their certificates. */
void document_print(const struct ne_attestation *attestation);
/* The same as an object; NULL: out of memory. */
json_t *document_to_json(const struct ne_attestation *attestation);

#endif
