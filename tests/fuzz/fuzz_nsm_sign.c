// SPDX-License-Identifier: Apache-2.0
/*
 * The module with its real certificates and keys, from the root to a verified
 * document: a byte of flags, then for each request two bytes, how far the clock
 * goes and how large a nonce is, or 0 and a request with its size before it.
 *
 * Whatever fails meanwhile: a document that is given out is a good one, a good
 * one with a changed bit is none, and what was good stays so.
 */
#include <ne/attestation.h>

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/x509.h>

#include "libne/cbor.h"
#include "nsm-emu/authority.h"
#include "nsm-emu/identity.h"
#include "nsm-emu/issuer.h"
#include "nsm-emu/module.h"
#include "nsm-emu/random.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SEEDED = 1,
	OLDER_DIALECT = 2,
	HARDWARE_LIMITS = 4,
	NEW_ROOT = 8,
};

/* Documents take their time. */
#define REQUESTS_MAX 4

#define MODULE_ID "i-0123456789abcdef0-enc0123456789abcdef"

/* Where the root is, for nsm_authority_open(); and its certificate. */
static char root_path[32];
static struct ne_attestation_bytes root;

/* --- The root ----------------------------------------------------------------- */

static void save(const char *text, size_t size)
{
	int fd = memfd_create("root.pem", MFD_CLOEXEC);

	expect(fd >= 0 && write(fd, text, size) == (ssize_t)size);
	snprintf(root_path, sizeof(root_path), "/proc/self/fd/%d", fd);
}

int LLVMFuzzerInitialize(int *argc __attribute__((unused)),
			 char ***argv __attribute__((unused)))
{
	struct nsm_random *random = nsm_random_new("fuzz");
	struct issuer *issuer = NULL;
	uint8_t *der = NULL;
	char *text = NULL;
	size_t size = 0;
	int length;

	expect(random && !issuer_new_root(&issuer, random, NULL) &&
	       !issuer_print(issuer, &text, &size, NULL));
	save(text, size);
	length = i2d_X509(issuer_root(issuer), &der);
	expect(length > 0);
	root = (struct ne_attestation_bytes){ der, (size_t)length };
	free(text);
	issuer_free(issuer);
	nsm_random_free(random);
	return 0;
}

/* Each failure is told, and only if there was one. */
static int told(int ret, const struct ne_error *err)
{
	expect(ret <= 0);
	expect(!ret || (err->code == -ret && *err->text));
	expect(!ret || fuzz_has_failed());
	return ret;
}

static void make_root(const struct nsm_random *random)
{
	struct issuer *made = NULL, *read = NULL;
	struct ne_error err = { 0 };
	char *text = NULL;
	size_t size = 0;

	fuzz_calls_may_fail();
	if (!told(issuer_new_root(&made, random, &err), &err) &&
	    !told(issuer_print(made, &text, &size, &err), &err))
		told(issuer_parse(&read, text, size, "root", false, &err),
		     &err);
	fuzz_calls_succeed();
	expect(!read || !X509_cmp(issuer_root(made), issuer_root(read)));
	free(text);
	issuer_free(read);
	issuer_free(made);
}

/* --- Documents ---------------------------------------------------------------- */

static int verify(const uint8_t *document, size_t size)
{
	const struct ne_attestation_policy policy = {
		.roots = &root,
		.n_roots = 1,
		.when = NE_ATTESTATION_AT_ITS_TIME,
		.large_data = true,
	};
	struct ne_attestation *attestation;
	struct ne_error err = { 0 };
	int ret = ne_attestation_parse(&attestation, document, size, &err);

	if (!ret) {
		ret = ne_attestation_verify(attestation, &policy, NULL, &err);
		ne_attestation_free(attestation);
	}
	expect(ret <= 0 && (!ret || (err.code == -ret && *err.text)));
	return ret;
}

static void check_document(const uint8_t *document, size_t size)
{
	uint8_t *changed = malloc(size);
	size_t at;

	expect(changed && size);
	at = (size * 2654435761U >> 7) % size;
	memcpy(changed, document, size);
	changed[at] ^= 1 << at % 8;
	fuzz_calls_may_fail();
	expect(!verify(document, size) || fuzz_has_failed());
	expect(verify(changed, size));
	fuzz_calls_succeed();
	expect(!fuzz_has_failed() || !verify(document, size));
	free(changed);
}

/* --- Requests ----------------------------------------------------------------- */

static uint64_t now;

static uint64_t clock_now(void *data __attribute__((unused)))
{
	return now;
}

static struct cbor_item next(struct cbor_in *in)
{
	struct cbor_item item;

	expect(cbor_in_next(in, &item));
	return item;
}

/* An error, or {"Attestation": {"document": ...}} */
static void check_response(const uint8_t *response, size_t size)
{
	struct cbor_in in = { .at = response, .left = size };
	struct cbor_item item;

	next(&in);
	item = next(&in);
	if (cbor_item_is_text(&item, "Error")) {
		expect(fuzz_has_failed());
		return;
	}
	next(&in);
	next(&in);
	item = next(&in);
	expect(item.kind == CBOR_IN_BYTES && !in.left);
	check_document(item.bytes, item.value);
}

static void ask(struct nsm_module *module, const uint8_t *request, size_t size)
{
	static uint8_t response[NSM_RESPONSE_MAX];
	struct nsm_attestation *attestation = NULL;
	size_t answered;

	fuzz_calls_may_fail();
	answered = nsm_module_request(module, request, size, response,
				      &attestation);
	fuzz_calls_succeed();
	expect(!answered == !!attestation && answered <= NSM_RESPONSE_MAX);
	if (!attestation)
		return;
	fuzz_calls_may_fail();
	answered = nsm_attestation_sign(attestation, response);
	fuzz_calls_succeed();
	nsm_attestation_free(attestation);
	expect(answered && answered <= NSM_RESPONSE_MAX);
	check_response(response, answered);
}

static void ask_for_document(struct nsm_module *module, size_t nonce_size)
{
	static const uint8_t nonce[UINT8_MAX];
	uint8_t request[512];
	struct cbor_out out = {
		.start = request,
		.capacity = sizeof(request),
	};

	cbor_out_map(&out, 1);
	cbor_out_text(&out, "Attestation");
	cbor_out_map(&out, 1);
	cbor_out_text(&out, "nonce");
	cbor_out_bytes(&out, nonce, nonce_size);
	expect(!out.full);
	ask(module, request, out.used);
}

static void ask_all(struct nsm_module *module, const uint8_t *data, size_t size)
{
	for (int i = 0; i < REQUESTS_MAX && size >= 3; i++) {
		size_t length = data[2];

		/* Up to 21 hours: also beyond what is left of a leaf's life. */
		now += data[0] * UINT64_C(300000);
		data += 2;
		size -= 2;
		if (data[-1]) {
			ask_for_document(module, data[-1]);
			continue;
		}
		data++;
		size--;
		length = length < size ? length : size;
		ask(module, data, length);
		data += length;
		size -= length;
	}
}

/* --- The module --------------------------------------------------------------- */

static int make_module(struct nsm_module **module, unsigned int flags,
		       struct nsm_identity *identity, struct nsm_random *random)
{
	const struct nsm_config config = {
		.module_id = MODULE_ID,
		.dialect = flags & OLDER_DIALECT ? NSM_DIALECT_DEFINITE
						 : NSM_DIALECT_INDEFINITE,
		.limits = flags & HARDWARE_LIMITS ? NSM_LIMITS_HARDWARE
						  : NSM_LIMITS_DOCUMENTED,
		.identity = identity,
		.random = random,
		.clock = { .now = clock_now },
	};
	struct ne_error err = { 0 };

	return told(nsm_module_new(module, &config, &err), &err);
}

static int make_identity(struct nsm_identity **identity,
			 struct nsm_authority **authority,
			 const struct nsm_random *random)
{
	const struct nsm_authority_options options = {
		.ca_cert = root_path,
		.ca_key = root_path,
		.random = random,
		.now = now,
	};
	struct ne_error err = { 0 };

	if (told(nsm_authority_open(authority, &options, &err), &err))
		return err.code;
	return told(nsm_identity_new(identity, *authority, MODULE_ID, 0, &err),
		    &err);
}

static void use(unsigned int flags, struct nsm_random *random,
		const uint8_t *data, size_t size)
{
	struct nsm_authority *authority = NULL;
	struct nsm_identity *identity = NULL;
	struct nsm_module *module = NULL;

	if (flags & NEW_ROOT)
		make_root(random);
	fuzz_calls_may_fail();
	if (!make_identity(&identity, &authority, random))
		make_module(&module, flags, identity, random);
	fuzz_calls_succeed();
	if (module)
		ask_all(module, data, size);
	nsm_module_free(module);
	nsm_identity_unref(identity);
	nsm_authority_free(authority);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nsm_random *random;

	if (!size)
		return 0;
	now = UINT64_C(1800000000000);
	fuzz_calls_may_fail();
	random = nsm_random_new(data[0] & SEEDED ? "seed" : NULL);
	fuzz_calls_succeed();
	expect(random || fuzz_has_failed());
	if (random)
		use(data[0], random, data + 1, size - 1);
	nsm_random_free(random);
	return 0;
}
