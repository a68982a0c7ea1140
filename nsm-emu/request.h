/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a module is asked for: the Request enum of aws-nitro-enclaves-nsm-api
 * (src/api/mod.rs), from CBOR.
 *
 * Accepted is what serde_cbor's deserialiser accepts from serialisers that
 * write names: requests without fields as a text, or as a map of one with
 * null; others as a map of one; fields in any order, unknown ones ignored,
 * texts and byte strings whole or in pieces, byte strings also as texts or as
 * arrays of integers, integers of any width, tags ignored. Beyond that, maps
 * of one may be indefinite. Not accepted are its numbers for names ("packed")
 * and its arrays for maps, which no client of an NSM is known to send.
 */
#ifndef NSM_EMU_REQUEST_H
#define NSM_EMU_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nsm-emu/module.h"
#include "nsm-emu/response.h"

enum nsm_operation {
	NSM_DESCRIBE_PCR,
	NSM_EXTEND_PCR,
	NSM_LOCK_PCR,
	NSM_LOCK_PCRS,
	NSM_DESCRIBE_NSM,
	NSM_ATTESTATION,
	NSM_GET_RANDOM,
};

/* A byte string of a request: where in its content it is. */
struct nsm_blob {
	bool present; /* not null, not left out */
	size_t offset;
	size_t size;
};

/* A request can be copied: nothing in it points anywhere. */
struct nsm_request {
	enum nsm_operation operation;
	uint16_t index;		   /* of DescribePCR, ExtendPCR, LockPCR */
	uint16_t range;		   /* of LockPCRs */
	struct nsm_blob data;	   /* of ExtendPCR */
	struct nsm_blob user_data; /* these three: of Attestation */
	struct nsm_blob nonce;
	struct nsm_blob public_key;
	size_t content_size;
	uint8_t content[NSM_REQUEST_MAX];
};

static inline const uint8_t *nsm_blob_bytes(const struct nsm_request *request,
					    const struct nsm_blob *blob)
{
	return request->content + blob->offset;
}

/*
 * NSM_SUCCESS, or
 * NSM_INPUT_TOO_LARGE: more than NSM_REQUEST_MAX bytes
 * NSM_INVALID_OPERATION: not one whole CBOR item, or no known operation
 * NSM_INVALID_ARGUMENT: a field that is missing, twice there, of the wrong
 *	type, or too large for its type
 */
enum nsm_error nsm_request_read(struct nsm_request *request, const void *bytes,
				size_t size);

#endif
