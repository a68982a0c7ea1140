/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attestation document: the payload, and the COSE_Sign1 around it
 * [RFC 9052, 4.2; docs/attestation_process.md of aws-nitro-enclaves-nsm-api].
 *
 * Thread safety: everything here works on the caller's memory alone.
 */
#ifndef NSM_EMU_DOCUMENT_H
#define NSM_EMU_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include <ne/pcr.h>

#include "nsm-emu/identity.h"
#include "nsm-emu/module.h"

struct cbor_out;

/* A field that may be absent. */
struct nsm_optional {
	const uint8_t *bytes; /* NULL: absent */
	size_t size;
};

/* What a document says. All of it belongs to the caller. */
struct nsm_document {
	const char *module_id;
	uint64_t timestamp;	   /* milliseconds since 1970 (UTC) */
	const struct ne_pcr *pcrs; /* NE_PCR_COUNT of them */
	uint32_t locked;	   /* bit n: register n is in the document */
	const struct nsm_leaf *leaf;
	struct nsm_optional public_key;
	struct nsm_optional user_data;
	struct nsm_optional nonce;
};

void nsm_document_write_payload(struct cbor_out *out,
				const struct nsm_document *document,
				enum nsm_dialect dialect);
/* The bytes that get signed: Sig_structure [RFC 9052, 4.4]. */
void nsm_document_write_to_be_signed(struct cbor_out *out, const void *payload,
				     size_t size);
/* The whole, untagged as real modules write it. */
void nsm_document_write_signed(struct cbor_out *out, const void *payload,
			       size_t size,
			       const uint8_t signature[NSM_SIGNATURE_SIZE]);

#endif
