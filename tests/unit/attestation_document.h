/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestation documents as tests want them, right or wrong, with a chain of
 * certificates that is made for the test.
 */
#ifndef TESTS_ATTESTATION_DOCUMENT_H
#define TESTS_ATTESTATION_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <ne/attestation.h>

/* --- Documents ----------------------------------------------------------- */

/* CBOR, as it is. */
struct raw {
	uint8_t bytes[20000];
	size_t size;
};

struct document_field {
	const char *name;
	struct raw value;
	bool is_there;
};

/*
 * What a document is put together from. All of it is right after
 * document_init(), but for the signature and the certificates, which are just
 * bytes.
 */
struct document {
	struct document_field fields[40];
	size_t n_fields;
	bool indefinite;	     /* the payload's map */
	struct raw head;	     /* tag and array */
	struct raw protected_header; /* content of the byte string */
	struct raw unprotected_header;
	struct raw behind_map; /* in the payload */
	struct raw payload;    /* instead of all fields, unless it is empty */
	size_t signature_size;
	struct raw tail; /* behind the document */
	EVP_PKEY *key;	 /* signs; NULL: nobody does */
	/* The result */
	struct raw encoded;
};

/* For document_free(). */
struct document *document_new(void);
void document_free(struct document *document);

void raw_set(struct raw *raw, const void *bytes, size_t size);
#define RAW(raw, literal) raw_set(raw, literal, sizeof(literal) - 1)

/* Replaces or adds a field, whose value is CBOR. */
void document_set(struct document *document, const char *name,
		  const void *value, size_t size);
#define SET(document, name, literal) \
	document_set(document, name, literal, sizeof(literal) - 1)
/* A byte string of this many bytes, 0xaa each. */
void document_set_bytes(struct document *document, const char *name,
			size_t size);
void document_drop(struct document *document, const char *name);
/* One more field of this name, though there is one. */
void document_add(struct document *document, const char *name,
		  const void *value, size_t size);
/* Encodes and signs. */
void document_encode(struct document *document);

/* --- Chains -------------------------------------------------------------- */

#define CHAIN_MAX 20

/*
 * A certificate to make. Extensions are in OpenSSL's words, as in
 * "critical,CA:TRUE,pathlen:1"; NULL: left out.
 */
struct plan {
	const char *name;   /* CN */
	const char *issuer; /* CN; NULL: of the one before */
	const char *key;    /* "P-384", "P-256", "RSA" (2048 bits), ... */
	const char *digest;
	const char *basic_constraints;
	const char *key_usage;
	const char *extension_oid; /* with 05 00 in it */
	bool extension_is_critical;
	const char *name_constraints;
	const char *subject_key;   /* identifier: text */
	const char *authority_key; /* likewise */
	int signer;	    /* index of another than the one before; -1 */
	long version;	    /* from 1 */
	int64_t not_before; /* seconds since 1970 */
	int64_t not_after;
};

/* Root first, leaf last. */
struct made_chain {
	struct plan plans[CHAIN_MAX];
	unsigned int count;
	EVP_PKEY *keys[CHAIN_MAX];
	X509 *certificates[CHAIN_MAX];
};

/* When all of it is valid. */
#define CHAIN_TIME 1800000000

/* Plans for a chain like Nitro's: four authorities and a leaf. */
void chain_plan(struct made_chain *chain);
void chain_make(struct made_chain *chain);
void chain_free(struct made_chain *chain);
/* Puts the chain into the document, and has the leaf sign it. */
void chain_into(const struct made_chain *chain, struct document *document);
/* The root's DER, which lives as long as the chain. */
struct ne_attestation_bytes chain_root_der(const struct made_chain *chain,
					   uint8_t der[1024]);

/* --- Files --------------------------------------------------------------- */

/* A file of tests/vectors; fails the test if it cannot be read. */
void vector_read(struct raw *raw, const char *name);

#endif
