/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NSM's requests to bytes, and its responses from bytes.
 *
 * Requests are written as serde writes them. A request that does not fit sets
 * out->full.
 *
 * Responses are untrusted. Readers return 0; what the module's error stands
 * for, see <ne/nsm.h>; or -EPROTO: malformed, or another request's. Then what
 * they were to fill in is untouched.
 */
#ifndef LIBNE_NSM_CODEC_H
#define LIBNE_NSM_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ne/nsm.h>

#include "libne/cbor.h"

/* --- Requests --------------------------------------------------------------- */

void nsm_client_put_describe(struct cbor_out *out);
void nsm_client_put_describe_pcr(struct cbor_out *out, uint16_t index);
void nsm_client_put_extend_pcr(struct cbor_out *out, uint16_t index,
			       const void *data, size_t size);
void nsm_client_put_lock_pcr(struct cbor_out *out, uint16_t index);
void nsm_client_put_lock_pcrs(struct cbor_out *out, uint16_t range);
void nsm_client_put_random(struct cbor_out *out);
void nsm_client_put_attestation(struct cbor_out *out,
				const struct ne_nsm_attest_input *input);

/* --- Responses -------------------------------------------------------------- */

int nsm_client_read_describe(struct cbor_in response,
			     struct ne_nsm_description *description,
			     struct ne_error *err);
/* value, locked: may be NULL */
int nsm_client_read_describe_pcr(struct cbor_in response, struct ne_pcr *value,
				 bool *locked, struct ne_error *err);
/* value: may be NULL */
int nsm_client_read_extend_pcr(struct cbor_in response, struct ne_pcr *value,
			       struct ne_error *err);
int nsm_client_read_lock_pcr(struct cbor_in response, struct ne_error *err);
int nsm_client_read_lock_pcrs(struct cbor_in response, struct ne_error *err);
/* Fills at most `capacity` bytes of `to`; at least one, and says how many. */
int nsm_client_read_random(struct cbor_in response, uint8_t *to,
			   size_t capacity, size_t *size, struct ne_error *err);
/* document: to be freed */
int nsm_client_read_attestation(struct cbor_in response, uint8_t **document,
				size_t *size, struct ne_error *err);

#endif
