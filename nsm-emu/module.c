// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * A module is 32 registers and a bit for each that is locked. Requests are
 * read, done and answered one after the other; each starts with a copy of the
 * registers, which is what an undo puts back.
 *
 * An attestation copies what it needs and is signed later, elsewhere. Its
 * document tells the time of the signing, which is taken after the leaf was:
 * whatever other threads renew meanwhile, the leaf is valid at that time.
 */
#include "nsm-emu/module.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ne/error.h>

#include "libne/cbor.h"
#include "libne/cleanup.h"
#include "nsm-emu/document.h"
#include "nsm-emu/identity.h"
#include "nsm-emu/random.h"
#include "nsm-emu/request.h"
#include "nsm-emu/response.h"

/* [docs/attestation_process.md, 3.2.2.2] */
#define USER_DATA_MAX 512
#define NONCE_MAX 512
#define PUBLIC_KEY_MAX 1024

struct registers {
	struct ne_pcr pcrs[NE_PCR_COUNT];
	uint32_t locked; /* bit n: register n */
};

struct nsm_module {
	char module_id[NSM_MODULE_ID_MAX + 1];
	struct registers registers;
	struct registers before; /* the last request */
	enum nsm_dialect dialect;
	enum nsm_limits limits;
	struct nsm_identity *identity; /* referenced, or NULL */
	struct nsm_random *random;
	struct nsm_clock clock;
	struct nsm_failures failures;
	struct nsm_request request; /* the last one: too large for a stack */
};

/* All that a signature needs when its module is gone. */
struct nsm_attestation {
	char module_id[NSM_MODULE_ID_MAX + 1];
	struct registers registers;
	enum nsm_dialect dialect;
	struct nsm_identity *identity; /* referenced */
	struct nsm_clock clock;
	struct nsm_failures failures;
	struct nsm_request request;
};

/* While it is being signed; many may wait for that. */
struct draft {
	uint8_t payload[NSM_RESPONSE_MAX];
	/* What gets signed; after that, the document. */
	uint8_t document[NSM_RESPONSE_MAX];
};

/* --- A module's life -------------------------------------------------------- */

static bool is_module_id(const char *module_id)
{
	const struct cbor_item text = {
		.kind = CBOR_IN_TEXT,
		.value = strlen(module_id),
		.bytes = (const uint8_t *)module_id,
	};

	return text.value && text.value <= NSM_MODULE_ID_MAX &&
	       cbor_item_is_utf8(&text);
}

int nsm_module_new(struct nsm_module **module, const struct nsm_config *config,
		   struct ne_error *err)
{
	struct nsm_module *made;

	*module = NULL;
	if (!config->module_id || !is_module_id(config->module_id))
		return ne_error_set(
			err, EINVAL,
			"cannot make a security module: its id must be 1 to %d bytes of UTF-8",
			NSM_MODULE_ID_MAX);
	made = calloc(1, sizeof(*made));
	if (!made)
		return ne_error_set(
			err, ENOMEM,
			"cannot make a security module: out of memory");
	strcpy(made->module_id, config->module_id);
	memcpy(made->registers.pcrs, config->pcrs, sizeof(config->pcrs));
	made->registers.locked = (1U << NSM_LOCKED_AT_BOOT) - 1;
	made->before = made->registers;
	made->dialect = config->dialect;
	made->limits = config->limits;
	if (config->identity)
		made->identity = nsm_identity_ref(config->identity);
	made->random = config->random;
	made->clock = config->clock;
	made->failures = config->failures;
	*module = made;
	return 0;
}

void nsm_module_free(struct nsm_module *module)
{
	if (!module)
		return;
	nsm_identity_unref(module->identity);
	free(module);
}

/* --- Failures ---------------------------------------------------------------- */

static size_t internal_error(const struct nsm_failures *failures,
			     const struct ne_error *why, uint8_t *response)
{
	if (failures->tell)
		failures->tell(why, failures->data);
	return nsm_response_error(response, NSM_INTERNAL_ERROR);
}

/* --- Registers -------------------------------------------------------------- */

static bool is_locked(const struct nsm_module *module, uint16_t index)
{
	return module->registers.locked >> index & 1;
}

static size_t describe_pcr(struct nsm_module *module,
			   const struct nsm_request *request, uint8_t *response)
{
	uint16_t index = request->index;

	if (index >= NE_PCR_COUNT)
		return nsm_response_error(response, NSM_INVALID_INDEX);
	return nsm_response_describe_pcr(response,
					 &module->registers.pcrs[index],
					 is_locked(module, index));
}

static size_t extend_pcr(struct nsm_module *module,
			 const struct nsm_request *request, uint8_t *response)
{
	uint16_t index = request->index;
	struct ne_error err = { 0 };

	if (index >= NE_PCR_COUNT)
		return nsm_response_error(response, NSM_INVALID_INDEX);
	if (is_locked(module, index))
		return nsm_response_error(response, NSM_READ_ONLY_INDEX);
	if (ne_pcr_extend(&module->registers.pcrs[index],
			  nsm_blob_bytes(request, &request->data),
			  request->data.size, &err))
		return internal_error(&module->failures, &err, response);
	return nsm_response_extend_pcr(response,
				       &module->registers.pcrs[index]);
}

static size_t lock_pcr(struct nsm_module *module,
		       const struct nsm_request *request, uint8_t *response)
{
	uint16_t index = request->index;

	if (index >= NE_PCR_COUNT)
		return nsm_response_error(response, NSM_INVALID_INDEX);
	if (is_locked(module, index))
		return nsm_response_error(response, NSM_READ_ONLY_INDEX);
	module->registers.locked |= 1U << index;
	return nsm_response_lock_pcr(response);
}

static size_t lock_pcrs(struct nsm_module *module,
			const struct nsm_request *request, uint8_t *response)
{
	if (request->range > NE_PCR_COUNT)
		return nsm_response_error(response, NSM_INVALID_INDEX);
	module->registers.locked |=
		(uint32_t)((UINT64_C(1) << request->range) - 1);
	return nsm_response_lock_pcrs(response);
}

void nsm_module_undo(struct nsm_module *module)
{
	module->registers = module->before;
}

/* --- The rest --------------------------------------------------------------- */

static size_t describe_nsm(const struct nsm_module *module, uint8_t *response)
{
	return nsm_response_describe_nsm(response, module->module_id,
					 module->registers.locked);
}

static size_t get_random(struct nsm_module *module, uint8_t *response)
{
	static const struct ne_error why = {
		.code = EIO, .text = "there is no randomness to be had"
	};
	uint8_t random[NSM_RANDOM_SIZE];

	if (nsm_random_bytes(module->random, random, sizeof(random)))
		return internal_error(&module->failures, &why, response);
	return nsm_response_get_random(response, random, sizeof(random));
}

/* --- Attestation ------------------------------------------------------------ */

static bool is_within_limits(const struct nsm_request *request,
			     enum nsm_limits limits)
{
	return limits == NSM_LIMITS_HARDWARE ||
	       (request->user_data.size <= USER_DATA_MAX &&
		request->nonce.size <= NONCE_MAX &&
		request->public_key.size <= PUBLIC_KEY_MAX);
}

static size_t attest(struct nsm_module *module,
		     const struct nsm_request *request, uint8_t *response,
		     struct nsm_attestation **attestation)
{
	static const struct ne_error why = { .code = ENOMEM,
					     .text = "out of memory" };
	struct nsm_attestation *made;

	if (!is_within_limits(request, module->limits))
		return nsm_response_error(response, NSM_INPUT_TOO_LARGE);
	if (!module->identity)
		return nsm_response_error(response, NSM_INTERNAL_ERROR);
	made = malloc(sizeof(*made));
	if (!made)
		return internal_error(&module->failures, &why, response);
	strcpy(made->module_id, module->module_id);
	made->registers = module->registers;
	made->dialect = module->dialect;
	made->identity = nsm_identity_ref(module->identity);
	made->clock = module->clock;
	made->failures = module->failures;
	made->request = *request;
	*attestation = made;
	return 0;
}

void nsm_attestation_free(struct nsm_attestation *attestation)
{
	if (!attestation)
		return;
	nsm_identity_unref(attestation->identity);
	free(attestation);
}

static struct nsm_optional optional(const struct nsm_request *request,
				    const struct nsm_blob *blob)
{
	struct nsm_optional none = { .bytes = NULL };

	if (!blob->present)
		return none;
	return (struct nsm_optional){ .bytes = nsm_blob_bytes(request, blob),
				      .size = blob->size };
}

/* 0: it does not fit. */
static size_t write_payload(struct draft *draft,
			    const struct nsm_attestation *attestation,
			    const struct nsm_leaf *leaf, uint64_t timestamp)
{
	const struct nsm_request *request = &attestation->request;
	const struct nsm_document document = {
		.module_id = attestation->module_id,
		.timestamp = timestamp,
		.pcrs = attestation->registers.pcrs,
		.locked = attestation->registers.locked,
		.leaf = leaf,
		.public_key = optional(request, &request->public_key),
		.user_data = optional(request, &request->user_data),
		.nonce = optional(request, &request->nonce),
	};
	struct cbor_out out = { .start = draft->payload,
				.capacity = sizeof(draft->payload) };

	nsm_document_write_payload(&out, &document, attestation->dialect);
	return out.full ? 0 : out.used;
}

static struct cbor_out document_of(struct draft *draft)
{
	return (struct cbor_out){ .start = draft->document,
				  .capacity = sizeof(draft->document) };
}

static size_t sign_with(struct draft *draft,
			const struct nsm_attestation *attestation,
			const struct nsm_leaf *leaf, uint64_t timestamp,
			uint8_t *response)
{
	const uint8_t *payload = draft->payload;
	size_t size = write_payload(draft, attestation, leaf, timestamp);
	struct cbor_out out = document_of(draft);
	uint8_t signature[NSM_SIGNATURE_SIZE];
	struct ne_error err = { 0 };

	nsm_document_write_to_be_signed(&out, payload, size);
	if (!size || out.full)
		return nsm_response_error(response, NSM_BUFFER_TOO_SMALL);
	if (nsm_leaf_sign(leaf, out.start, out.used, signature, &err))
		return internal_error(&attestation->failures, &err, response);
	out = document_of(draft);
	nsm_document_write_signed(&out, payload, size, signature);
	if (out.full)
		return nsm_response_error(response, NSM_BUFFER_TOO_SMALL);
	return nsm_response_attestation(response, out.start, out.used);
}

static uint64_t now(const struct nsm_clock *clock)
{
	return clock->now(clock->data);
}

size_t nsm_attestation_sign(struct nsm_attestation *attestation,
			    uint8_t *response)
{
	cleanup_free struct draft *draft = malloc(sizeof(*draft));
	const struct nsm_clock *clock = &attestation->clock;
	const struct nsm_leaf *leaf;
	struct ne_error err = { 0 };
	size_t size;

	if (!draft) {
		ne_error_set(&err, ENOMEM, "out of memory");
		return internal_error(&attestation->failures, &err, response);
	}
	if (nsm_identity_leaf(attestation->identity, now(clock), &leaf, &err))
		return internal_error(&attestation->failures, &err, response);
	size = sign_with(draft, attestation, leaf, now(clock), response);
	nsm_leaf_unref(leaf);
	return size;
}

/* --- Requests --------------------------------------------------------------- */

static size_t answer(struct nsm_module *module,
		     const struct nsm_request *request, uint8_t *response,
		     struct nsm_attestation **attestation)
{
	switch (request->operation) {
	case NSM_DESCRIBE_PCR:
		return describe_pcr(module, request, response);
	case NSM_EXTEND_PCR:
		return extend_pcr(module, request, response);
	case NSM_LOCK_PCR:
		return lock_pcr(module, request, response);
	case NSM_LOCK_PCRS:
		return lock_pcrs(module, request, response);
	case NSM_DESCRIBE_NSM:
		return describe_nsm(module, response);
	case NSM_ATTESTATION:
		return attest(module, request, response, attestation);
	case NSM_GET_RANDOM:
		return get_random(module, response);
	}
	return nsm_response_error(response, NSM_INVALID_OPERATION);
}

size_t nsm_module_request(struct nsm_module *module, const void *request,
			  size_t size, uint8_t *response,
			  struct nsm_attestation **attestation)
{
	enum nsm_error error;

	*attestation = NULL;
	module->before = module->registers;
	error = nsm_request_read(&module->request, request, size);
	if (error)
		return nsm_response_error(response, error);
	return answer(module, &module->request, response, attestation);
}
