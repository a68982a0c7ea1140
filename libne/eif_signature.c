// SPDX-License-Identifier: Apache-2.0
/*
 * The signature section: who signed the image.
 *
 * Theory of operation
 *
 * The section is CBOR: an array of maps {"signing_certificate": PEM,
 * "signature": COSE_Sign1}, of which the first counts. serde, which AWS's
 * tools write it with, makes arrays of integers of both; byte strings are
 * taken too.
 */
#include "libne/eif_internal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "libne/cbor.h"
#include "libne/cleanup.h"

struct blob {
	uint8_t *bytes;
	size_t size;
};

static void cleanup_blobp(struct blob *blob)
{
	free(blob->bytes);
}

#define cleanup_blob __attribute__((cleanup(cleanup_blobp)))

/* Not twice. */
static bool read_blob(struct cbor_in *in, struct blob *blob)
{
	/* Each byte of it takes at least one of the section. */
	size_t capacity = in->left;
	struct cbor_item item;

	if (blob->bytes || !cbor_in_next(in, &item))
		return false;
	blob->bytes = malloc(capacity);
	return blob->bytes &&
	       cbor_in_blob(in, &item, blob->bytes, capacity, &blob->size);
}

static bool read_entry(struct cbor_in *in, struct blob *certificate,
		       struct blob *signature)
{
	struct cbor_item map, key;
	bool done;

	if (!cbor_in_next(in, &map) || map.kind != CBOR_IN_MAP)
		return false;
	while (cbor_in_more(in, &map)) {
		if (!cbor_in_next(in, &key))
			return false;
		if (cbor_item_is_text(&key, "signing_certificate"))
			done = read_blob(in, certificate);
		else if (cbor_item_is_text(&key, "signature"))
			done = read_blob(in, signature);
		else
			done = key.kind == CBOR_IN_TEXT && !key.indefinite &&
			       cbor_in_skip(in);
		if (!done)
			return false;
	}
	return certificate->bytes && signature->bytes;
}

/* The first entry; the rest must only be well-formed. */
static bool read_section(const struct ne_eif_section *section,
			 struct blob *certificate, struct blob *signature)
{
	struct cbor_in in = { .at = section->data, .left = section->size };
	struct cbor_item array;

	if (!cbor_in_next(&in, &array) || array.kind != CBOR_IN_ARRAY ||
	    !cbor_in_more(&in, &array) ||
	    !read_entry(&in, certificate, signature))
		return false;
	while (cbor_in_more(&in, &array))
		if (!cbor_in_skip(&in))
			return false;
	return in.left == 0;
}

/* --- The certificate ---------------------------------------------------- */

static void cleanup_biop(BIO **bio)
{
	BIO_free(*bio);
}

static void cleanup_x509p(X509 **x509)
{
	X509_free(*x509);
}

#define cleanup_bio __attribute__((cleanup(cleanup_biop)))
#define cleanup_x509 __attribute__((cleanup(cleanup_x509p)))

/* OpenSSL's own would ask on the terminal. */
static int no_password(char *buffer __attribute__((unused)),
		       int size __attribute__((unused)),
		       int writing __attribute__((unused)),
		       void *data __attribute__((unused)))
{
	return -1;
}

static int bad_certificate(struct ne_error *err)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return ne_error_set(err, EBADMSG,
			    "the signing certificate is no PEM certificate: %s",
			    why ? why : "unknown reason");
}

static int pem_to_der(const struct blob *pem, uint8_t **der, size_t *size,
		      struct ne_error *err)
{
	cleanup_bio BIO *bio = BIO_new_mem_buf(pem->bytes, (int)pem->size);
	cleanup_x509 X509 *certificate = NULL;
	cleanup_free uint8_t *bytes = NULL;
	unsigned char *end;
	int length;

	if (bio)
		certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	if (!certificate)
		return bad_certificate(err);
	length = i2d_X509(certificate, NULL);
	if (length <= 0)
		return bad_certificate(err);
	bytes = malloc((size_t)length);
	if (!bytes)
		return ne_error_set(err, ENOMEM, "out of memory");
	end = bytes;
	if (i2d_X509(certificate, &end) != length)
		return bad_certificate(err);
	*der = take_ptr(&bytes);
	*size = (size_t)length;
	return 0;
}

int eif_signing_certificate(const struct ne_eif_section *section, uint8_t **der,
			    size_t *size, struct ne_error *err)
{
	cleanup_blob struct blob certificate = { 0 };
	cleanup_blob struct blob signature = { 0 };

	if (!read_section(section, &certificate, &signature))
		return ne_error_set(err, EBADMSG,
				    "the signature section is no CBOR array of "
				    "signing certificates and signatures");
	return pem_to_der(&certificate, der, size, err);
}
