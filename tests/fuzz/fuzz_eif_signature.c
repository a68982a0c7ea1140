// SPDX-License-Identifier: Apache-2.0
/*
 * The signature section of an image. The first byte of the input says what
 * the rest is, so that neither CBOR nor base64 has to be guessed:
 *
 *	0: the section
 *	1, 2: a certificate in PEM, as a byte string or an array of integers
 *	3, 4: one in DER, likewise
 */
#include <ne/eif.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "libne/cbor.h"
#include "libne/eif_internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SECTION, PEM_BYTES, PEM_ARRAY, DER_BYTES, DER_ARRAY, FORMS };

/* As large as a section may be. */
#define SECTION_MAX 32768
/* Of a certificate, so that base64 in an array of integers still fits. */
#define DER_MAX 8192

static void put_blob(struct cbor_out *out, bool as_array, const char *bytes,
		     size_t size)
{
	if (!as_array) {
		cbor_out_bytes(out, bytes, size);
		return;
	}
	cbor_out_array(out, size);
	for (size_t i = 0; i < size; i++)
		cbor_out_unsigned(out, (uint8_t)bytes[i]);
}

static void put_section(struct cbor_out *out, bool as_array, const char *pem,
			size_t size)
{
	cbor_out_array(out, 1);
	cbor_out_map(out, 2);
	cbor_out_text(out, "signing_certificate");
	put_blob(out, as_array, pem, size);
	cbor_out_text(out, "signature");
	put_blob(out, as_array, "signature", 9);
}

static size_t put_line(char *pem, size_t at, const char *line)
{
	memcpy(pem + at, line, strlen(line));
	return at + strlen(line);
}

/* One line of base64 is fine with OpenSSL up to some length; 64 always are. */
static size_t to_pem(char *pem, const uint8_t *der, size_t size)
{
	size_t at = put_line(pem, 0, "-----BEGIN CERTIFICATE-----\n");

	for (size_t i = 0; i < size; i += 48) {
		size_t line = size - i < 48 ? size - i : 48;

		at += (size_t)EVP_EncodeBlock((uint8_t *)pem + at, der + i,
					      (int)line);
		pem[at++] = '\n';
	}
	return put_line(pem, at, "-----END CERTIFICATE-----\n");
}

static void make_section(struct cbor_out *out, const uint8_t *data, size_t size)
{
	static char pem[2 * DER_MAX];
	unsigned int form = data[0] % FORMS;

	data++;
	size--;
	if (form == SECTION) {
		cbor_out_raw(out, data, size);
		return;
	}
	if (form >= DER_BYTES) {
		size = to_pem(pem, data, size < DER_MAX ? size : DER_MAX);
		data = (const uint8_t *)pem;
	}
	put_section(out, form == PEM_ARRAY || form == DER_ARRAY,
		    (const char *)data, size);
}

/* What is measured is one certificate, and nothing else. */
static void expect_certificate(const uint8_t *der, size_t size)
{
	const uint8_t *end = der;
	X509 *certificate = d2i_X509(NULL, &end, (long)size);

	expect(certificate && end == der + size);
	X509_free(certificate);
}

static void use(const struct ne_eif_section *section)
{
	struct ne_error err = { 0 };
	uint8_t *der = NULL;
	size_t size = 0;
	int ret;

	fuzz_calls_may_fail();
	ret = eif_signing_certificate(section, &der, &size, &err);
	fuzz_calls_succeed();
	if (ret) {
		expect(ret < 0 && err.code == -ret && *err.text);
		expect(!der);
	} else {
		expect(der && size);
		expect_certificate(der, size);
	}
	free(der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[SECTION_MAX];
	struct cbor_out out = { .start = room, .capacity = sizeof(room) };
	struct ne_eif_section section = { .type = NE_EIF_SECTION_SIGNATURE };
	uint8_t *copy;

	if (!size)
		return 0;
	make_section(&out, data, size);
	if (out.full)
		return -1;
	/* Exactly as large, so that reads beyond the end are seen. */
	copy = malloc(out.used ? out.used : 1);
	expect(copy);
	memcpy(copy, out.start, out.used);
	section.data = copy;
	section.size = out.used;
	use(&section);
	free(copy);
	return 0;
}
