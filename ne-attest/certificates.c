// SPDX-License-Identifier: Apache-2.0
#include "ne-attest/certificates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "libne/cleanup.h"

#define MAX_CERTIFICATES_FILE (1 << 20)
/* PEM with text around it included */
#define MAX_KEY_FILE (1 << 16)

static void cleanup_biop(BIO **bio)
{
	BIO_free(*bio);
}

static void cleanup_x509p(X509 **certificate)
{
	X509_free(*certificate);
}

static void cleanup_pkeyp(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

#define cleanup_pkey __attribute__((cleanup(cleanup_pkeyp)))
#define cleanup_bio __attribute__((cleanup(cleanup_biop)))
#define cleanup_x509 __attribute__((cleanup(cleanup_x509p)))

/* A larger file than any that is sensible is mistaken for one. */
static int read_no_more(struct bytes *file, const char *path, size_t max,
			const char *what, struct ne_error *err)
{
	int ret = bytes_read(file, path, max, err);

	if (ret == -EFBIG)
		return ne_error_set(err, EFBIG,
				    "%s is not %s: it has more than %zu bytes",
				    path, what, max);
	return ret;
}

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
	ret = read_no_more(&file, name, MAX_CERTIFICATES_FILE, "a certificate",
			   err);
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

/* NULL: there is none. A file that is DER already has none. */
static EVP_PKEY *read_pem(const struct bytes *file)
{
	cleanup_bio BIO *bio = BIO_new_mem_buf(file->data, (int)file->size);
	EVP_PKEY *key = NULL;

	if (bio)
		key = PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	ERR_clear_error();
	return key;
}

static EVP_PKEY *read_der(const struct bytes *file)
{
	const unsigned char *at = file->data;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)file->size);

	ERR_clear_error();
	if (key && at == file->data + file->size)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static int key_from_file(struct bytes *der, const struct bytes *file,
			 const char *path, struct ne_error *err)
{
	cleanup_pkey EVP_PKEY *key = read_pem(file);
	unsigned char *end;
	int size;

	if (!key)
		key = read_der(file);
	if (!key)
		return ne_error_set(err, EINVAL,
				    "%s is no public key, neither PEM nor DER; "
				    "openssl pkey -pubout makes one of a "
				    "private key",
				    path);
	size = i2d_PUBKEY(key, NULL);
	der->data = size > 0 ? malloc((size_t)size) : NULL;
	end = der->data;
	if (!end || i2d_PUBKEY(key, &end) != size)
		return ne_error_set(err, ENOMEM, "cannot encode %s: %s", path,
				    ne_strerror(ENOMEM));
	der->size = (size_t)size;
	return 0;
}

int public_key_read(struct bytes *der, const char *path, struct ne_error *err)
{
	cleanup_bytes struct bytes file = { 0 };
	int ret = read_no_more(&file, path, MAX_KEY_FILE, "a public key", err);

	return ret ? ret : key_from_file(der, &file, path, err);
}

int public_key_read_any(struct bytes *key, const char *path,
			struct ne_error *err)
{
	cleanup_bytes struct bytes file = { 0 };
	int ret = read_no_more(&file, path, MAX_KEY_FILE, "a public key", err);

	if (ret)
		return ret;
	if (memmem(file.data, file.size, "-----BEGIN ", 11))
		return key_from_file(key, &file, path, err);
	*key = file;
	file = (struct bytes){ 0 };
	return 0;
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
