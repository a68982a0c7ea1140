// SPDX-License-Identifier: Apache-2.0
/*
 * Attestation documents: reading, verifying, and what ne-attest makes of them.
 *
 * The first byte of the input chooses what the rest is, so that no seeds are
 * needed to get past the signature:
 *
 *	0: a document
 *	1: changes to a valid document, three bytes each: offset, new value
 *	2: the same, in its payload, and it is signed again
 *	3: what ne-attest finds in a file: binary, hexadecimal or base64
 *
 * The root of the document is trusted whatever it is, so that the checks of the
 * chain are reached. Certificates are as long in every run, so that an input
 * that was found means the same in the next one.
 */
#include <ne/attestation.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libne/endian.h"
#include "ne-attest/document.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/attestation_document.h"

enum { WHOLE, CHANGES, SIGNED_CHANGES, TEXT, MODES };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* DER of r and s, when both have their highest bit set. */
#define SIGNATURE_SIZE 104

static struct made_chain chain;
static struct document *valid;
static struct raw valid_payload;

/* ECDSA signatures vary in length; tries until all have the same. */
static void sign_again(unsigned int index)
{
	EVP_PKEY *signer = chain.keys[index ? index - 1 : 0];

	while (X509_sign(chain.certificates[index], signer, EVP_sha384()) !=
	       SIGNATURE_SIZE)
		;
}

static void make_valid(void)
{
	chain_plan(&chain);
	chain_make(&chain);
	for (unsigned int i = 0; i < chain.count; i++)
		sign_again(i);
	valid = document_new();
	chain_into(&chain, valid);
	document_encode(valid);
	/* Behind the head, the protected and the unprotected header, 59 xxxx */
	raw_set(&valid_payload, valid->encoded.bytes + 10,
		get_big_endian16(valid->encoded.bytes + 8));
}

static void change(struct raw *raw, const uint8_t *data, size_t size)
{
	for (; size >= 3; data += 3, size -= 3) {
		size_t at = get_big_endian16(data);

		if (at < raw->size)
			raw->bytes[at] = data[2];
	}
}

/* Must hold of any document that could be read. */
static void look_at(const struct ne_attestation *attestation)
{
	json_t *json = document_to_json(attestation);
	char *text = json ? json_dumps(json, 0) : NULL;

	if (!text || !*ne_attestation_module_id(attestation) ||
	    !ne_attestation_timestamp(attestation))
		abort();
	free(text);
	json_decref(json);
	ne_attestation_is_debug(attestation);
}

static int verify(const struct ne_attestation *attestation)
{
	const struct ne_attestation_policy policy = {
		.roots = ne_attestation_cabundle(attestation, 0),
		.n_roots = 1,
		.when = NE_ATTESTATION_AT_ITS_TIME,
	};
	enum ne_attestation_check failed = NE_ATTESTATION_CHECKS;
	struct ne_error err = { 0 };
	bool is_refused;
	int ret;

	fuzz_calls_may_fail();
	ret = ne_attestation_verify(attestation, &policy, &failed, &err);
	fuzz_calls_succeed();
	/* Each refusal has a reason, and only refusals have one. */
	is_refused = failed != NE_ATTESTATION_NO_CHECK;
	expect(ret <= 0 && (!ret || (err.code == -ret && *err.text)));
	expect(fuzz_has_failed() ? ret || !is_refused : !ret == !is_refused);
	return ret;
}

static int use(const uint8_t *bytes, size_t size)
{
	struct ne_attestation *attestation = NULL;
	struct ne_error err = { 0 };
	int ret;

	fuzz_calls_may_fail();
	ret = ne_attestation_parse(&attestation, bytes, size, &err);
	fuzz_calls_succeed();
	if (ret) {
		expect((ret == -EBADMSG || fuzz_has_failed()) && *err.text);
		return ret;
	}
	look_at(attestation);
	ret = verify(attestation);
	ne_attestation_free(attestation);
	return ret;
}

/* From memory that is just as large, so that reads beyond it are seen. */
static int use_copy(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	int ret;

	if (!copy)
		abort();
	if (size)
		memcpy(copy, bytes, size);
	ret = use(copy, size);
	free(copy);
	return ret;
}

static void use_changed(const uint8_t *data, size_t size)
{
	static struct raw changed;

	changed = valid->encoded;
	change(&changed, data, size);
	if (!use_copy(changed.bytes, changed.size) &&
	    memcmp(changed.bytes, valid->encoded.bytes, changed.size))
		abort();
}

static void use_signed(const uint8_t *data, size_t size)
{
	valid->payload = valid_payload;
	change(&valid->payload, data, size);
	document_encode(valid);
	use_copy(valid->encoded.bytes, valid->encoded.size);
	valid->payload = valid_payload;
	document_encode(valid);
}

static void use_text(const uint8_t *data, size_t size)
{
	struct bytes bytes = { .data = calloc(1, size + 1), .size = size };

	if (!bytes.data)
		abort();
	if (size)
		memcpy(bytes.data, data, size);
	if (!document_decode(&bytes, NULL))
		use_copy(bytes.data, bytes.size);
	bytes_free(&bytes);
}

int LLVMFuzzerInitialize(int *argc __attribute__((unused)),
			 char ***argv __attribute__((unused)))
{
	make_valid();
	/* Else nothing deep would ever be reached. */
	expect(!use(valid->encoded.bytes, valid->encoded.size));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0] % MODES) {
	case CHANGES:
		use_changed(data + 1, size - 1);
		break;
	case SIGNED_CHANGES:
		use_signed(data + 1, size - 1);
		break;
	case TEXT:
		use_text(data + 1, size - 1);
		break;
	default:
		use_copy(data + 1, size - 1);
	}
	return 0;
}
