/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a module answers: the Response enum of aws-nitro-enclaves-nsm-api
 * (src/api/mod.rs), byte for byte as serde_cbor writes it: fields in the order
 * in which the enum declares them, everything definite and as short as it can
 * be, variants without fields as a text.
 *
 * Each function writes a response to NSM_RESPONSE_MAX bytes, and returns its
 * size; one that is larger becomes the error BufferTooSmall.
 */
#ifndef NSM_EMU_RESPONSE_H
#define NSM_EMU_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ne/pcr.h>

/* The ErrorCode enum, in its order. */
enum nsm_error {
	NSM_SUCCESS,
	NSM_INVALID_ARGUMENT,
	NSM_INVALID_INDEX,
	NSM_INVALID_RESPONSE, /* only clients make this one */
	NSM_READ_ONLY_INDEX,
	NSM_INVALID_OPERATION,
	NSM_BUFFER_TOO_SMALL,
	NSM_INPUT_TOO_LARGE,
	NSM_INTERNAL_ERROR,
};

/* locked: bit n for register n. */
size_t nsm_response_describe_nsm(uint8_t *response, const char *module_id,
				 uint32_t locked);
size_t nsm_response_describe_pcr(uint8_t *response, const struct ne_pcr *pcr,
				 bool locked);
size_t nsm_response_extend_pcr(uint8_t *response, const struct ne_pcr *pcr);
size_t nsm_response_lock_pcr(uint8_t *response);
size_t nsm_response_lock_pcrs(uint8_t *response);
size_t nsm_response_get_random(uint8_t *response, const void *random,
			       size_t size);
size_t nsm_response_attestation(uint8_t *response, const void *document,
				size_t size);
size_t nsm_response_error(uint8_t *response, enum nsm_error error);

#endif
