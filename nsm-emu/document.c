// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * What real modules have been seen to write, byte by byte:
 *
 *	84			array of 4: no tag 18 before it
 *	   44 a1 01 38 22	protected header: {1: -35}, ES384
 *	   a0			unprotected header: {}
 *	   59 .. ..		payload, a byte string:
 *		a9 or bf	map of 9 pairs, in this order:
 *		   "module_id": text
 *		   "digest": "SHA384"
 *		   "timestamp": 1b ........
 *		   "pcrs": b0 or b8 .., definite; locked registers, ascending
 *		   "certificate": byte string
 *		   "cabundle": 84, definite; root first
 *		   "public_key": byte string, or null
 *		   "user_data": byte string, or null
 *		   "nonce": byte string, or null
 *		ff		the end, after bf alone
 *	   58 60		signature: r and s, 48 bytes each
 *
 * Documents of 2021 to 2024 begin the payload with a9; those of 2025 and 2026
 * (from enclaves in several regions, and from a NitroTPM) with bf, and are the
 * same otherwise: in these, too, a field that was not asked for is null,
 * contrary to docs/attestation_process.md, which wants it left out, and to what
 * is told of them. For verifiers that have to cope with that there is a third
 * dialect, which does leave it out.
 */
#include "nsm-emu/document.h"

#include "libne/cbor.h"

/* {1: -35}: the algorithm is ES384 [RFC 9053, 2.1]. */
static const uint8_t protected_header[] = { 0xa1, 0x01, 0x38, 0x22 };

/* --- The payload ------------------------------------------------------------ */

#define PAIRS 9

static void write_pcrs(struct cbor_out *out,
		       const struct nsm_document *document)
{
	uint32_t locked = document->locked;

	cbor_out_map(out, (size_t)__builtin_popcount(locked));
	for (unsigned int i = 0; i < NE_PCR_COUNT; i++) {
		if (!(locked >> i & 1))
			continue;
		cbor_out_unsigned(out, i);
		cbor_out_bytes(out, document->pcrs[i].bytes, NE_PCR_SIZE);
	}
}

static void write_certificate(struct cbor_out *out,
			      const struct nsm_certificate *certificate)
{
	cbor_out_bytes(out, certificate->der, certificate->size);
}

static void write_bundle(struct cbor_out *out, const struct nsm_leaf *leaf)
{
	cbor_out_array(out, leaf->n_bundle);
	for (size_t i = 0; i < leaf->n_bundle; i++)
		write_certificate(out, &leaf->bundle[i]);
}

static void write_optional(struct cbor_out *out, const char *name,
			   const struct nsm_optional *optional,
			   enum nsm_dialect dialect)
{
	if (!optional->bytes && dialect == NSM_DIALECT_SPARSE)
		return;
	cbor_out_text(out, name);
	if (optional->bytes)
		cbor_out_bytes(out, optional->bytes, optional->size);
	else
		cbor_out_null(out);
}

static void write_pairs(struct cbor_out *out,
			const struct nsm_document *document,
			enum nsm_dialect dialect)
{
	cbor_out_text(out, "module_id");
	cbor_out_text(out, document->module_id);
	cbor_out_text(out, "digest");
	cbor_out_text(out, "SHA384");
	cbor_out_text(out, "timestamp");
	cbor_out_unsigned(out, document->timestamp);
	cbor_out_text(out, "pcrs");
	write_pcrs(out, document);
	cbor_out_text(out, "certificate");
	write_certificate(out, &document->leaf->certificate);
	cbor_out_text(out, "cabundle");
	write_bundle(out, document->leaf);
	write_optional(out, "public_key", &document->public_key, dialect);
	write_optional(out, "user_data", &document->user_data, dialect);
	write_optional(out, "nonce", &document->nonce, dialect);
}

void nsm_document_write_payload(struct cbor_out *out,
				const struct nsm_document *document,
				enum nsm_dialect dialect)
{
	if (dialect == NSM_DIALECT_DEFINITE) {
		cbor_out_map(out, PAIRS);
		write_pairs(out, document, dialect);
	} else {
		cbor_out_map_start(out);
		write_pairs(out, document, dialect);
		cbor_out_break(out);
	}
}

/* --- COSE_Sign1 --------------------------------------------------------------- */

void nsm_document_write_to_be_signed(struct cbor_out *out, const void *payload,
				     size_t size)
{
	cbor_out_array(out, 4);
	cbor_out_text(out, "Signature1");
	cbor_out_bytes(out, protected_header, sizeof(protected_header));
	cbor_out_bytes(out, NULL, 0); /* external data: none */
	cbor_out_bytes(out, payload, size);
}

void nsm_document_write_signed(struct cbor_out *out, const void *payload,
			       size_t size,
			       const uint8_t signature[NSM_SIGNATURE_SIZE])
{
	cbor_out_array(out, 4);
	cbor_out_bytes(out, protected_header, sizeof(protected_header));
	cbor_out_map(out, 0);
	cbor_out_bytes(out, payload, size);
	cbor_out_bytes(out, signature, NSM_SIGNATURE_SIZE);
}
