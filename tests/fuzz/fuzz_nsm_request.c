// SPDX-License-Identifier: Apache-2.0
/*
 * Requests from an enclave, several to one module: a byte that says what kind
 * of module, then for each request two bytes (whether it is undone, and its
 * size) and the request.
 *
 * Whatever is asked: the answer is one CBOR item of the promised size, what is
 * locked stays as it is, and what is undone never was.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libne/cbor.h"
#include "nsm-emu/module.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/nsm_fakes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OLDER_DIALECT = 1,
	HARDWARE_LIMITS = 2,
	WITHOUT_LEAF = 4,
	WITHOUT_KEY = 8,
	WITHOUT_RANDOMNESS = 16,
	LONG_CERTIFICATE = 32,
	UNDONE = 0x80,
};

static bool is_one_item(const uint8_t *bytes, size_t size)
{
	struct cbor_in in = { .at = bytes, .left = size };

	return cbor_in_skip(&in) && !in.left;
}

/* --- What a module says of its registers ------------------------------------ */

/* {"DescribePCR": {"lock": bool, "data": 48 bytes}} */
#define RESPONSE_SIZE 75
#define LOCK_AT 19
#define DATA_AT 27

struct registers {
	bool locked[NE_PCR_COUNT];
	struct ne_pcr pcrs[NE_PCR_COUNT];
};

static void describe(struct nsm_module *module, struct registers *registers)
{
	uint8_t request[] = "\xa1\x6b"
			    "DescribePCR"
			    "\xa1\x65"
			    "index"
			    "\x18\x00";
	static uint8_t response[NSM_RESPONSE_MAX];
	struct nsm_attestation *attestation;

	for (uint8_t i = 0; i < NE_PCR_COUNT; i++) {
		request[sizeof(request) - 2] = i;
		expect(nsm_module_request(module, request, sizeof(request) - 1,
					  response,
					  &attestation) == RESPONSE_SIZE);
		registers->locked[i] = response[LOCK_AT] == 0xf5;
		memcpy(registers->pcrs[i].bytes, response + DATA_AT,
		       NE_PCR_SIZE);
	}
}

static void expect_locked_ones_unchanged(const struct registers *before,
					 const struct registers *after)
{
	for (unsigned int i = 0; i < NE_PCR_COUNT; i++)
		expect(!before->locked[i] ||
		       (after->locked[i] &&
			!memcmp(&before->pcrs[i], &after->pcrs[i],
				NE_PCR_SIZE)));
}

/* --- Documents ---------------------------------------------------------------- */

static void next(struct cbor_in *in, struct cbor_item *item,
		 enum cbor_in_kind kind)
{
	expect(cbor_in_next(in, item) && item->kind == kind);
}

/* An error, or {"Attestation": {"document": [., {}, payload, signature]}} */
static void expect_document(const uint8_t *response, size_t size)
{
	struct cbor_in in = { .at = response, .left = size };
	struct cbor_item item;

	next(&in, &item, CBOR_IN_MAP);
	next(&in, &item, CBOR_IN_TEXT);
	if (cbor_item_is_text(&item, "Error"))
		return;
	next(&in, &item, CBOR_IN_MAP);
	next(&in, &item, CBOR_IN_TEXT);
	next(&in, &item, CBOR_IN_BYTES);
	expect(is_one_item(item.bytes, item.value));
	in = (struct cbor_in){ .at = item.bytes, .left = item.value };
	next(&in, &item, CBOR_IN_ARRAY);
	expect(item.value == 4);
	next(&in, &item, CBOR_IN_BYTES);
	next(&in, &item, CBOR_IN_MAP);
	next(&in, &item, CBOR_IN_BYTES);
	expect(is_one_item(item.bytes, item.value));
	next(&in, &item, CBOR_IN_BYTES);
	expect(item.value == NSM_SIGNATURE_SIZE);
}

/* --- Requests ----------------------------------------------------------------- */

static void ask(struct nsm_module *module, const uint8_t *request, size_t size)
{
	static uint8_t response[NSM_RESPONSE_MAX];
	struct nsm_attestation *attestation;
	size_t answered;

	fuzz_calls_may_fail();
	answered = nsm_module_request(module, request, size, response,
				      &attestation);
	fuzz_calls_succeed();
	expect(!answered == !!attestation);
	if (attestation) {
		fuzz_calls_may_fail();
		answered = nsm_attestation_sign(attestation, response);
		fuzz_calls_succeed();
		nsm_attestation_free(attestation);
		expect(answered && answered <= NSM_RESPONSE_MAX);
		expect_document(response, answered);
	}
	expect(answered <= NSM_RESPONSE_MAX && is_one_item(response, answered));
}

static void ask_all(struct nsm_module *module, const uint8_t *data, size_t size)
{
	static struct registers before, after;
	uint8_t *request;
	size_t length;
	bool undone;

	describe(module, &before);
	while (size >= 2) {
		undone = data[0] & UNDONE;
		length = (size_t)(data[0] & ~UNDONE) << 8 | data[1];
		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		/* A copy, so that one byte beyond it is noticed. */
		request = malloc(length);
		expect(request || !length);
		if (length)
			memcpy(request, data, length);
		ask(module, request, length);
		free(request);
		data += length;
		size -= length;
		if (undone)
			nsm_module_undo(module);
		describe(module, &after);
		if (undone)
			expect(!memcmp(&before, &after, sizeof(before)));
		expect_locked_ones_unchanged(&before, &after);
		before = after;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t certificate[NSM_RESPONSE_MAX];
	struct nsm_identity identity;
	struct nsm_random random = { .next = 0 };
	struct nsm_config config = { .module_id = "i-0-enc0",
				     .identity = &identity,
				     .random = &random,
				     .clock = fake_clock };
	struct nsm_module *module = NULL;
	int ret;

	if (!size)
		return 0;
	fake_identity_start(&identity);
	if (data[0] & OLDER_DIALECT)
		config.dialect = NSM_DIALECT_DEFINITE;
	if (data[0] & HARDWARE_LIMITS)
		config.limits = NSM_LIMITS_HARDWARE;
	if (data[0] & LONG_CERTIFICATE)
		fake_identity_set_certificate(&identity, certificate, 10700);
	identity.has_no_leaf = data[0] & WITHOUT_LEAF;
	identity.has_no_key = data[0] & WITHOUT_KEY;
	random.is_broken = data[0] & WITHOUT_RANDOMNESS;
	fuzz_calls_may_fail();
	ret = nsm_module_new(&module, &config, NULL);
	fuzz_calls_succeed();
	expect(!ret || (ret == -ENOMEM && fuzz_has_failed()));
	if (!ret)
		ask_all(module, data + 1, size - 1);
	nsm_module_free(module);
	expect(identity.references == 1 && !identity.leaves);
	return 0;
}
