// SPDX-License-Identifier: Apache-2.0
#include "ne-attest/certificates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "libne/cleanup.h"

#define MAX_CERTIFICATES_FILE (1 << 20)

static void cleanup_biop(BIO **bio)
{
	BIO_free(*bio);
}

static void cleanup_x509p(X509 **certificate)
{
	X509_free(*certificate);
}

#define cleanup_bio __attribute__((cleanup(cleanup_biop)))
#define cleanup_x509 __attribute__((cleanup(cleanup_x509p)))

/* --- Roots --------------------------------------------------------------- */

static int out_of_memory(struct ne_error *err)
{
	return ne_error_set(err, ENOMEM, "out of memory");
}

static int add_der(struct roots *roots, const uint8_t *der, size_t size,
		   struct ne_error *err)
{
	struct ne_attestation_bytes *items;
	uint8_t *copy;

	items = reallocarray(roots->items, roots->count + 1, sizeof(*items));
	if (!items)
		return out_of_memory(err);
	roots->items = items;
	copy = malloc(size);
	if (!copy)
		return out_of_memory(err);
	memcpy(copy, der, size);
	roots->items[roots->count++] =
		(struct ne_attestation_bytes){ .data = copy, .size = size };
	return 0;
}

static int add_certificate(struct roots *roots, const X509 *certificate,
			   struct ne_error *err)
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);
	int ret;

	if (size <= 0)
		return out_of_memory(err);
	ret = add_der(roots, der, (size_t)size, err);
	OPENSSL_free(der);
	return ret;
}

/* OpenSSL's own would ask on the terminal. */
static int no_password(char *buffer __attribute__((unused)),
		       int size __attribute__((unused)),
		       int writing __attribute__((unused)),
		       void *data __attribute__((unused)))
{
	return -1;
}

static int add_pem(struct roots *roots, const struct bytes *file,
		   struct ne_error *err)
{
	cleanup_bio BIO *bio = BIO_new_mem_buf(file->data, (int)file->size);
	int ret = 0;

	if (!bio)
		return out_of_memory(err);
	while (!ret) {
		cleanup_x509 X509 *certificate =
			PEM_read_bio_X509(bio, NULL, no_password, NULL);

		if (!certificate)
			break;
		ret = add_certificate(roots, certificate, err);
	}
	return ret;
}

static int add_plain(struct roots *roots, const struct bytes *file,
		     struct ne_error *err)
{
	const unsigned char *at = file->data;
	cleanup_x509 X509 *certificate = d2i_X509(NULL, &at, (long)file->size);

	if (!certificate || at != file->data + file->size)
		return 0;
	return add_der(roots, file->data, file->size, err);
}

int roots_add(struct roots *roots, const char *name, struct ne_error *err)
{
	const struct ne_attestation_bytes *aws = ne_attestation_aws_root();
	cleanup_bytes struct bytes file = { 0 };
	size_t before = roots->count;
	int ret;

	if (!strcmp(name, "aws"))
		return add_der(roots, aws->data, aws->size, err);
	ret = bytes_read(&file, name, MAX_CERTIFICATES_FILE, err);
	if (!ret)
		ret = add_plain(roots, &file, err);
	if (!ret && roots->count == before)
		ret = add_pem(roots, &file, err);
	if (!ret && roots->count == before)
		return ne_error_set(err, EINVAL,
				    "%s: no certificate, neither PEM nor DER",
				    name);
	return ret;
}

void roots_free(struct roots *roots)
{
	for (size_t i = 0; i < roots->count; i++)
		free((void *)roots->items[i].data);
	free(roots->items);
	*roots = (struct roots){ 0 };
}

/* --- Public keys --------------------------------------------------------- */

static int decode_pem(struct bytes *key, const struct bytes *file)
{
	cleanup_bio BIO *bio = BIO_new_mem_buf(file->data, (int)file->size);
	char *name = NULL, *header = NULL;
	unsigned char *content = NULL;
	long size = 0;
	int ret = -EINVAL;

	if (bio && PEM_read_bio(bio, &name, &header, &content, &size)) {
		key->data = malloc((size_t)size + 1);
		key->size = (size_t)size;
		ret = key->data ? 0 : -ENOMEM;
		if (!ret)
			memcpy(key->data, content, key->size);
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(content);
	return ret;
}

int public_key_read(struct bytes *key, const char *path, struct ne_error *err)
{
	cleanup_bytes struct bytes file = { 0 };
	int ret = bytes_read(&file, path, MAX_CERTIFICATES_FILE, err);

	if (ret)
		return ret;
	if (!memmem(file.data, file.size, "-----BEGIN ", 11)) {
		*key = file;
		file = (struct bytes){ 0 };
		return 0;
	}
	ret = decode_pem(key, &file);
	if (ret)
		ne_error_set(err, -ret, "%s: cannot read its PEM", path);
	return ret;
}

/* --- Words --------------------------------------------------------------- */

static char *name_to_text(const X509_NAME *name)
{
	cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long size;

	/* Escapes control characters and all that is not ASCII. */
	if (!bio ||
	    X509_NAME_print_ex(bio, name, 0,
			       XN_FLAG_ONELINE &
				       ~(unsigned long)XN_FLAG_SPC_EQ) < 0)
		return NULL;
	size = BIO_get_mem_data(bio, &text);
	return strndup(text, (size_t)size);
}

static char *serial_to_text(const X509 *certificate)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
	BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;
	char *copy = hex ? strdup(hex) : NULL;

	OPENSSL_free(hex);
	BN_free(number);
	return copy;
}

static char *fingerprint(const struct ne_attestation_bytes *der)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int size;

	if (!EVP_Digest(der->data, der->size, digest, &size, EVP_sha256(),
			NULL))
		return NULL;
	return bytes_to_hex(digest, size);
}

static bool to_seconds(const ASN1_TIME *time, int64_t *seconds)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(time, &tm))
		return false;
	*seconds = timegm(&tm);
	return true;
}

bool certificate_describe(struct certificate_words *words,
			  const struct ne_attestation_bytes *der)
{
	const unsigned char *at = der->data;
	cleanup_x509 X509 *certificate = d2i_X509(NULL, &at, (long)der->size);

	*words = (struct certificate_words){ 0 };
	if (!certificate || at != der->data + der->size)
		return false;
	words->subject = name_to_text(X509_get_subject_name(certificate));
	words->issuer = name_to_text(X509_get_issuer_name(certificate));
	words->serial = serial_to_text(certificate);
	words->sha256 = fingerprint(der);
	return words->subject && words->issuer && words->serial &&
	       words->sha256 &&
	       to_seconds(X509_get0_notBefore(certificate),
			  &words->not_before) &&
	       to_seconds(X509_get0_notAfter(certificate), &words->not_after);
}

void certificate_words_free(struct certificate_words *words)
{
	free(words->subject);
	free(words->issuer);
	free(words->serial);
	free(words->sha256);
}
