// SPDX-License-Identifier: Apache-2.0
/*
 * What libne's NSM client reads. The first byte of the input is the request
 * that the rest is a response to.
 */
#include <ne/nsm.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libne/nsm_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	DESCRIBE,
	DESCRIBE_PCR,
	EXTEND_PCR,
	LOCK_PCR,
	LOCK_PCRS,
	RANDOM,
	ATTEST
};

/* Keeps the compiler from leaving reads out. */
static volatile uint8_t sum;

static void touch(const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	while (size--)
		sum = (uint8_t)(sum + *byte++);
}

static int read_description(struct cbor_in response, struct ne_error *err)
{
	struct ne_nsm_description description;
	int ret = nsm_client_read_describe(response, &description, err);

	if (ret)
		return ret;
	if (strnlen(description.module_id, NE_NSM_MODULE_ID_SIZE) ==
	    NE_NSM_MODULE_ID_SIZE)
		abort();
	touch(&description.version_major, sizeof(description.version_major));
	touch(ne_nsm_digest_name(description.digest), 6);
	return 0;
}

static int read_pcr(struct cbor_in response, struct ne_error *err)
{
	struct ne_pcr pcr;
	bool locked;
	int ret = nsm_client_read_describe_pcr(response, &pcr, &locked, err);

	if (!ret)
		touch(&pcr, sizeof(pcr));
	return ret;
}

static int read_extended(struct cbor_in response, struct ne_error *err)
{
	struct ne_pcr pcr;
	int ret = nsm_client_read_extend_pcr(response, &pcr, err);

	if (!ret)
		touch(&pcr, sizeof(pcr));
	return ret;
}

static int read_random(struct cbor_in response, struct ne_error *err)
{
	uint8_t bytes[64];
	size_t size;
	int ret = nsm_client_read_random(response, bytes, sizeof(bytes), &size,
					 err);

	if (ret)
		return ret;
	if (!size || size > sizeof(bytes))
		abort();
	touch(bytes, size);
	return 0;
}

static int read_document(struct cbor_in response, struct ne_error *err)
{
	uint8_t *document;
	size_t size;
	int ret = nsm_client_read_attestation(response, &document, &size, err);

	if (ret)
		return ret;
	if (!size)
		abort();
	touch(document, size);
	free(document);
	return 0;
}

static int read_response(unsigned int request, struct cbor_in response,
			 struct ne_error *err)
{
	switch (request) {
	case DESCRIBE:
		return read_description(response, err);
	case DESCRIBE_PCR:
		return read_pcr(response, err);
	case EXTEND_PCR:
		return read_extended(response, err);
	case LOCK_PCR:
		return nsm_client_read_lock_pcr(response, err);
	case LOCK_PCRS:
		return nsm_client_read_lock_pcrs(response, err);
	case RANDOM:
		return read_random(response, err);
	default:
		return read_document(response, err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ne_error err = { 0 };
	uint8_t *response;
	int ret;

	if (!size)
		return 0;
	/* Exactly as large, so that reads beyond the end are seen. */
	response = malloc(size > 1 ? size - 1 : 1);
	if (!response)
		abort();
	memcpy(response, data + 1, size - 1);
	ret = read_response(
		data[0] % (ATTEST + 1),
		(struct cbor_in){ .at = response, .left = size - 1 }, &err);
	if (ret > 0 || (ret && (err.code != -ret || !*err.text)))
		abort();
	free(response);
	return 0;
}
