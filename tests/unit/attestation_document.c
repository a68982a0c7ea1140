// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/attestation_document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "libne/cbor.h"

void raw_set(struct raw *raw, const void *bytes, size_t size)
{
	assert_true(size <= sizeof(raw->bytes));
	if (size)
		memcpy(raw->bytes, bytes, size);
	raw->size = size;
}

/* --- Documents ----------------------------------------------------------- */

static struct document_field *find(struct document *document, const char *name)
{
	for (size_t i = 0; i < document->n_fields; i++)
		if (!strcmp(document->fields[i].name, name))
			return &document->fields[i];
	return NULL;
}

void document_add(struct document *document, const char *name,
		  const void *value, size_t size)
{
	struct document_field *field = &document->fields[document->n_fields++];

	assert_true(document->n_fields <= 40);
	field->name = name;
	field->is_there = true;
	raw_set(&field->value, value, size);
}

void document_set(struct document *document, const char *name,
		  const void *value, size_t size)
{
	struct document_field *field = find(document, name);

	if (!field) {
		document_add(document, name, value, size);
		return;
	}
	field->is_there = true;
	raw_set(&field->value, value, size);
}

void document_set_bytes(struct document *document, const char *name,
			size_t size)
{
	static uint8_t content[20000];
	static struct raw raw;
	struct cbor_out out = { .start = raw.bytes,
				.capacity = sizeof(raw.bytes) };

	memset(content, 0xaa, sizeof(content));
	cbor_out_bytes(&out, content, size);
	assert_false(out.full);
	document_set(document, name, raw.bytes, out.used);
}

void document_drop(struct document *document, const char *name)
{
	struct document_field *field = find(document, name);

	assert_non_null(field);
	field->is_there = false;
}

struct document *document_new(void)
{
	struct document *document = calloc(1, sizeof(*document));
	uint8_t pcrs[2 + 3 * 51] = { 0 };
	struct cbor_out out = { .start = pcrs, .capacity = sizeof(pcrs) };
	uint8_t pcr[48];

	assert_non_null(document);
	cbor_out_map(&out, 3);
	for (uint8_t i = 0; i < 3; i++) {
		memset(pcr, 0x10 + i, sizeof(pcr));
		cbor_out_unsigned(&out, i);
		cbor_out_bytes(&out, pcr, sizeof(pcr));
	}
	SET(document, "module_id", "\x65i-enc");
	SET(document, "digest", "\x66SHA384");
	/* CHAIN_TIME, in milliseconds */
	SET(document, "timestamp", "\x1b\x00\x00\x01\xa3\x18\x5c\x50\x00");
	document_set(document, "pcrs", pcrs, out.used);
	SET(document, "certificate", "\x44leaf");
	SET(document, "cabundle", "\x82\x44root\x44more");
	SET(document, "public_key", "\x43key");
	SET(document, "user_data",
	    "\x44"
	    "data");
	SET(document, "nonce", "\x45nonce");
	RAW(&document->head, "\x84");
	RAW(&document->protected_header, "\xa1\x01\x38\x22");
	RAW(&document->unprotected_header, "\xa0");
	document->signature_size = 96;
	return document;
}

void document_free(struct document *document)
{
	free(document);
}

static void encode_payload(struct document *document)
{
	struct cbor_out out = { .start = document->payload.bytes,
				.capacity = sizeof(document->payload.bytes) };
	size_t count = 0;

	for (size_t i = 0; i < document->n_fields; i++)
		count += document->fields[i].is_there;
	if (document->indefinite)
		cbor_out_map_start(&out);
	else
		cbor_out_map(&out, count);
	for (size_t i = 0; i < document->n_fields; i++) {
		const struct document_field *field = &document->fields[i];

		if (!field->is_there)
			continue;
		cbor_out_text(&out, field->name);
		cbor_out_raw(&out, field->value.bytes, field->value.size);
	}
	if (document->indefinite)
		cbor_out_break(&out);
	cbor_out_raw(&out, document->behind_map.bytes,
		     document->behind_map.size);
	assert_false(out.full);
	document->payload.size = out.used;
}

static void to_raw_signature(const uint8_t *der, size_t size, uint8_t *to)
{
	const unsigned char *at = der;
	ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)size);

	assert_non_null(parts);
	/* A key on a smaller curve is for tests, too. */
	BN_bn2binpad(ECDSA_SIG_get0_r(parts), to, 48);
	BN_bn2binpad(ECDSA_SIG_get0_s(parts), to + 48, 48);
	ECDSA_SIG_free(parts);
}

static void sign(const struct document *document, uint8_t *to)
{
	static struct raw signed_bytes;
	struct cbor_out out = { .start = signed_bytes.bytes,
				.capacity = sizeof(signed_bytes.bytes) };
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t der[1024];
	size_t size = sizeof(der);

	cbor_out_array(&out, 4);
	cbor_out_text(&out, "Signature1");
	cbor_out_bytes(&out, document->protected_header.bytes,
		       document->protected_header.size);
	cbor_out_bytes(&out, "", 0);
	cbor_out_bytes(&out, document->payload.bytes, document->payload.size);
	assert_false(out.full);
	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL,
					    document->key),
			 1);
	assert_int_equal(
		EVP_DigestSign(context, der, &size, out.start, out.used), 1);
	if (EVP_PKEY_is_a(document->key, "EC"))
		to_raw_signature(der, size, to);
	EVP_MD_CTX_free(context);
}

void document_encode(struct document *document)
{
	struct cbor_out out = { .start = document->encoded.bytes,
				.capacity = sizeof(document->encoded.bytes) };
	uint8_t signature[200];
	bool is_given = document->payload.size;

	memset(signature, 0x55, sizeof(signature));
	if (!is_given)
		encode_payload(document);
	if (document->key)
		sign(document, signature);
	cbor_out_raw(&out, document->head.bytes, document->head.size);
	cbor_out_bytes(&out, document->protected_header.bytes,
		       document->protected_header.size);
	cbor_out_raw(&out, document->unprotected_header.bytes,
		     document->unprotected_header.size);
	cbor_out_bytes(&out, document->payload.bytes, document->payload.size);
	cbor_out_bytes(&out, signature, document->signature_size);
	cbor_out_raw(&out, document->tail.bytes, document->tail.size);
	assert_false(out.full);
	document->encoded.size = out.used;
	if (!is_given)
		document->payload.size = 0;
}

/* --- Chains -------------------------------------------------------------- */

void chain_plan(struct made_chain *chain)
{
	static const char *const names[] = { "root", "region", "zone",
					     "instance", "leaf" };
	static const char *const constraints[] = { "critical,CA:TRUE",
						   "critical,CA:TRUE,pathlen:2",
						   "critical,CA:TRUE,pathlen:1",
						   "critical,CA:TRUE,pathlen:0",
						   "critical,CA:FALSE" };

	memset(chain, 0, sizeof(*chain));
	chain->count = 5;
	for (unsigned int i = 0; i < 5; i++)
		chain->plans[i] = (struct plan){
			.name = names[i],
			.key = "P-384",
			.digest = "SHA384",
			.basic_constraints = constraints[i],
			.key_usage = "critical,digitalSignature,keyCertSign",
			.signer = -1,
			.version = 3,
			.not_before = CHAIN_TIME - 1000 * (5 - i),
			.not_after = CHAIN_TIME + 1000 * (5 - i),
		};
	chain->plans[4].key_usage = "digitalSignature,nonRepudiation";
}

static EVP_PKEY *make_key(const char *kind)
{
	EVP_PKEY *key;

	if (!strcmp(kind, "RSA"))
		key = EVP_RSA_gen(2048);
	else if (!strcmp(kind, "RSA-1024"))
		key = EVP_RSA_gen(1024);
	else if (!strcmp(kind, "ED25519"))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_EC_gen(kind);
	assert_non_null(key);
	return key;
}

static void set_name(X509_NAME *to, const char *common_name)
{
	assert_int_equal(X509_NAME_add_entry_by_txt(
				 to, "CN", MBSTRING_ASC,
				 (const unsigned char *)common_name, -1, -1, 0),
			 1);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension;

	if (!value)
		return;
	extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void add_other_extension(X509 *certificate, const struct plan *plan)
{
	ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;
	ASN1_OBJECT *oid;

	if (plan->extension_oid) {
		oid = OBJ_txt2obj(plan->extension_oid, 0);
		ASN1_OCTET_STRING_set(content, (const unsigned char *)"\x05\0",
				      2);
		extension = X509_EXTENSION_create_by_OBJ(
			NULL, oid, plan->extension_is_critical, content);
		assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
		X509_EXTENSION_free(extension);
		ASN1_OBJECT_free(oid);
	}
	ASN1_OCTET_STRING_free(content);
}

/* Identifiers of keys: of any bytes, the issuer's in a sequence [0]. */
static void add_key_identifiers(X509 *certificate, const struct plan *plan)
{
	if (plan->subject_key) {
		ASN1_OCTET_STRING *key = ASN1_OCTET_STRING_new();

		ASN1_OCTET_STRING_set(
			key, (const unsigned char *)plan->subject_key, -1);
		assert_int_equal(X509_add1_ext_i2d(certificate,
						   NID_subject_key_identifier,
						   key, 0, 0),
				 1);
		ASN1_OCTET_STRING_free(key);
	}
	if (plan->authority_key) {
		AUTHORITY_KEYID *key = AUTHORITY_KEYID_new();

		key->keyid = ASN1_OCTET_STRING_new();
		ASN1_OCTET_STRING_set(
			key->keyid, (const unsigned char *)plan->authority_key,
			-1);
		assert_int_equal(X509_add1_ext_i2d(certificate,
						   NID_authority_key_identifier,
						   key, 0, 0),
				 1);
		AUTHORITY_KEYID_free(key);
	}
}

static void fill(X509 *certificate, const struct made_chain *chain,
		 unsigned int index)
{
	const struct plan *plan = &chain->plans[index];
	const char *issuer = index ? chain->plans[index - 1].name : plan->name;

	X509_set_version(certificate, plan->version - 1);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), index + 1);
	ASN1_TIME_set(X509_getm_notBefore(certificate), plan->not_before);
	ASN1_TIME_set(X509_getm_notAfter(certificate), plan->not_after);
	set_name(X509_get_subject_name(certificate), plan->name);
	set_name(X509_get_issuer_name(certificate),
		 plan->issuer ? plan->issuer : issuer);
	X509_set_pubkey(certificate, chain->keys[index]);
	add_extension(certificate, NID_basic_constraints,
		      plan->basic_constraints);
	add_extension(certificate, NID_key_usage, plan->key_usage);
	add_extension(certificate, NID_name_constraints,
		      plan->name_constraints);
	add_key_identifiers(certificate, plan);
	add_other_extension(certificate, plan);
}

static EVP_PKEY *signer_of(const struct made_chain *chain, unsigned int index)
{
	int signer = chain->plans[index].signer;

	if (signer < 0)
		signer = index ? (int)index - 1 : 0;
	return chain->keys[signer];
}

void chain_make(struct made_chain *chain)
{
	for (unsigned int i = 0; i < chain->count; i++)
		chain->keys[i] = make_key(chain->plans[i].key);
	for (unsigned int i = 0; i < chain->count; i++) {
		EVP_PKEY *signer = signer_of(chain, i);
		bool is_pure = EVP_PKEY_is_a(signer, "ED25519");

		chain->certificates[i] = X509_new();
		fill(chain->certificates[i], chain, i);
		assert_true(
			X509_sign(chain->certificates[i], signer,
				  is_pure ? NULL
					  : EVP_get_digestbyname(
						    chain->plans[i].digest)));
	}
}

void chain_free(struct made_chain *chain)
{
	for (unsigned int i = 0; i < chain->count; i++) {
		EVP_PKEY_free(chain->keys[i]);
		X509_free(chain->certificates[i]);
		chain->keys[i] = NULL;
		chain->certificates[i] = NULL;
	}
}

static void put_certificate(struct cbor_out *out, const X509 *certificate)
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);

	assert_true(size > 0);
	cbor_out_bytes(out, der, (size_t)size);
	OPENSSL_free(der);
}

void chain_into(const struct made_chain *chain, struct document *document)
{
	static struct raw raw;
	struct cbor_out out = { .start = raw.bytes,
				.capacity = sizeof(raw.bytes) };

	cbor_out_array(&out, chain->count - 1);
	for (unsigned int i = 0; i < chain->count - 1; i++)
		put_certificate(&out, chain->certificates[i]);
	assert_false(out.full);
	document_set(document, "cabundle", raw.bytes, out.used);
	out.used = 0;
	put_certificate(&out, chain->certificates[chain->count - 1]);
	document_set(document, "certificate", raw.bytes, out.used);
	document->key = chain->keys[chain->count - 1];
}

struct ne_attestation_bytes chain_root_der(const struct made_chain *chain,
					   uint8_t der[1024])
{
	unsigned char *end = der;
	int size = i2d_X509(chain->certificates[0], NULL);

	assert_in_range(size, 1, 1024);
	i2d_X509(chain->certificates[0], &end);
	return (struct ne_attestation_bytes){ der, (size_t)size };
}

/* --- Files --------------------------------------------------------------- */

void vector_read(struct raw *raw, const char *name)
{
	const char *top = getenv("top_srcdir");
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/vectors/%s", top ? top : ".",
		 name);
	file = fopen(path, "re");
	if (!file)
		fail_msg("cannot open %s", path);
	raw->size = fread(raw->bytes, 1, sizeof(raw->bytes), file);
	fclose(file);
	assert_true(raw->size);
}
