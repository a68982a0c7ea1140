// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * A text is taken block by block, in whatever order they come. What can be a
 * key is kept if one is wanted; other blocks than certificates and keys say
 * nothing here. Nobody is ever asked for a password.
 */
#include "nsm-emu/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/crypto.h"

void pem_release(struct pem *pem)
{
	for (size_t i = 0; i < pem->n; i++)
		X509_free(pem->certificates[i]);
	EVP_PKEY_free(pem->pkey);
	free(pem->key_uri);
}

/* --- Files -------------------------------------------------------------------- */

static int cannot_read(const char *where, int code, struct ne_error *err)
{
	return ne_error_set(err, code, "cannot read %s: %s", where,
			    ne_strerror(code));
}

static int read_all(int fd, char *text, size_t capacity, size_t *size)
{
	ssize_t n;

	for (*size = 0; *size < capacity; *size += (size_t)n) {
		n = read(fd, text + *size, capacity - *size);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
		else if (n == 0)
			return 0;
	}
	return 0;
}

int pem_read_file(int fd, const char *where, char **text, size_t *size,
		  struct ne_error *err)
{
	cleanup_free char *bytes = malloc(PEM_FILE_MAX + 1);
	struct stat st;
	size_t used;
	int r;

	if (!bytes)
		return ne_error_set(err, ENOMEM, "out of memory");
	if (fstat(fd, &st))
		return cannot_read(where, errno, err);
	if (!S_ISREG(st.st_mode))
		return ne_error_set(err, EINVAL, "%s is no regular file",
				    where);
	r = read_all(fd, bytes, PEM_FILE_MAX + 1, &used);
	if (r)
		return cannot_read(where, -r, err);
	if (used > PEM_FILE_MAX)
		return ne_error_set(
			err, EFBIG,
			"%s is longer than %d bytes: no file of certificates",
			where, PEM_FILE_MAX);
	*text = take_ptr(&bytes);
	*size = used;
	return 0;
}

/* --- PEM ----------------------------------------------------------------------- */

struct block {
	char *name;
	char *header;
	unsigned char *data;
	long size;
};

static void cleanup_blockp(struct block *block)
{
	OPENSSL_free(block->name);
	OPENSSL_free(block->header);
	OPENSSL_clear_free(block->data, (size_t)block->size);
}

#define cleanup_block __attribute__((cleanup(cleanup_blockp)))

static int damaged(const char *where, const char *what, struct ne_error *err)
{
	return crypto_error(err, EBADMSG, "%s is damaged: %s", where, what);
}

static int take_certificate(struct pem *pem, const struct block *block,
			    const char *where, struct ne_error *err)
{
	const unsigned char *at = block->data;
	X509 *certificate;

	if (pem->n == PEM_CERTIFICATES_MAX)
		return ne_error_set(
			err, EBADMSG,
			"%s has more than %d certificates; leave only the chain in it",
			where, PEM_CERTIFICATES_MAX);
	certificate = d2i_X509(NULL, &at, block->size);
	if (!certificate)
		return damaged(where, "a certificate cannot be decoded", err);
	pem->certificates[pem->n++] = certificate;
	return 0;
}

static int take_uri(struct pem *pem, const struct block *block,
		    const char *where, struct ne_error *err)
{
	if (pem->key_uri || memchr(block->data, 0, (size_t)block->size))
		return ne_error_set(err, EBADMSG,
				    "%s is damaged: its key's URI is none",
				    where);
	pem->key_uri = strndup((char *)block->data, (size_t)block->size);
	return pem->key_uri ? 0 : ne_error_set(err, ENOMEM, "out of memory");
}

static int take_key(struct pem *pem, const struct block *block,
		    const char *where, struct ne_error *err)
{
	const unsigned char *at = block->data;

	if (pem->pkey)
		return ne_error_set(err, EBADMSG, "%s has more than one key",
				    where);
	pem->pkey = d2i_AutoPrivateKey(NULL, &at, block->size);
	if (!pem->pkey)
		return damaged(where, "the key cannot be decoded", err);
	return 0;
}

static bool is_key(const struct block *block)
{
	const char *name = block->name;
	const size_t length = strlen(name), tail = strlen("PRIVATE KEY");

	return length >= tail && !strcmp(name + length - tail, "PRIVATE KEY");
}

/* In PKCS #8's way, or in the one before that. */
static bool is_locked(const struct block *block)
{
	return !strcmp(block->name, PEM_STRING_PKCS8) ||
	       strstr(block->header, "ENCRYPTED");
}

/* Blocks of other kinds are passed over, as text between blocks is. */
static int take_block(struct pem *pem, const struct block *block,
		      const char *where, struct ne_error *err)
{
	if (!strcmp(block->name, PEM_STRING_X509))
		return take_certificate(pem, block, where, err);
	if (pem->leaves_keys)
		return 0;
	if (!strcmp(block->name, PEM_KEY_URI))
		return take_uri(pem, block, where, err);
	if (!is_key(block))
		return 0;
	if (!is_locked(block))
		return take_key(pem, block, where, err);
	pem->has_locked_key = true;
	return 0;
}

static bool is_end_of_pem(void)
{
	const unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM &&
	       ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

int pem_parse(struct pem *pem, const char *text, size_t size, const char *where,
	      struct ne_error *err)
{
	cleanup_bio BIO *bio = BIO_new_mem_buf(text, (int)size);
	int r = 0;

	if (!bio)
		return ne_error_set(err, ENOMEM, "out of memory");
	while (!r) {
		cleanup_block struct block block = { 0 };

		ERR_clear_error();
		if (!PEM_read_bio(bio, &block.name, &block.header, &block.data,
				  &block.size))
			break;
		r = take_block(pem, &block, where, err);
	}
	if (r)
		return r;
	if (!is_end_of_pem())
		return damaged(where, "a PEM block is broken off", err);
	ERR_clear_error();
	return 0;
}

/* --- Keys ----------------------------------------------------------------------- */

/* Nobody is asked for a password: often nobody is there. */
static int no_password(char *buffer __attribute__((unused)),
		       int size __attribute__((unused)),
		       int writing __attribute__((unused)),
		       void *data __attribute__((unused)))
{
	return -1;
}

static EVP_PKEY *first_key(OSSL_STORE_CTX *store)
{
	EVP_PKEY *pkey = NULL;

	while (!pkey && !OSSL_STORE_eof(store)) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (info &&
		    OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			pkey = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
		if (!info && OSSL_STORE_error(store))
			break;
	}
	return pkey;
}

int pem_open_uri(EVP_PKEY **pkey, const char *uri, struct ne_error *err)
{
	UI_METHOD *silent = UI_UTIL_wrap_read_pem_callback(no_password, 0);
	OSSL_STORE_CTX *store = NULL;

	if (silent)
		store = OSSL_STORE_open(uri, silent, NULL, NULL, NULL);
	if (store) {
		*pkey = first_key(store);
		OSSL_STORE_close(store);
	}
	UI_destroy_method(silent);
	if (!*pkey)
		return crypto_error(
			err, EBADMSG,
			"cannot open the key %s; OpenSSL must have a provider for it, and must not need to ask for a password",
			uri);
	ERR_clear_error();
	return 0;
}

int pem_no_key(const struct pem *pem, const char *where, struct ne_error *err)
{
	if (pem->has_locked_key)
		return ne_error_set(
			err, EBADMSG,
			"the key in %s has a password, and nobody is asked for one; take it off: openssl pkey -in %s -out PLAIN",
			where, where);
	return ne_error_set(err, EBADMSG, "%s has no private key in PEM in it",
			    where);
}

int pem_parse_file(struct pem *pem, const char *path, struct ne_error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char *text = NULL;
	size_t size = 0;
	int r;

	if (fd < 0)
		return cannot_read(path, errno, err);
	r = pem_read_file(fd, path, &text, &size, err);
	if (!r)
		r = pem_parse(pem, text, size, path, err);
	if (text)
		OPENSSL_cleanse(text, size);
	free(text);
	return r;
}

static int open_key_file(struct pem *pem, const char *path,
			 struct ne_error *err)
{
	cleanup_pem struct pem keys = { 0 };
	int r = pem_parse_file(&keys, path, err);

	if (!r && !keys.pkey)
		r = pem_no_key(&keys, path, err);
	pem->pkey = take_ptr(&keys.pkey);
	return r;
}

/* What is no file is a URI, which is to be remembered. */
int pem_open_key(struct pem *pem, const char *key, struct ne_error *err)
{
	if (access(key, F_OK) == 0 || !strchr(key, ':'))
		return open_key_file(pem, key, err);
	pem->key_uri = strdup(key);
	if (!pem->key_uri)
		return ne_error_set(err, ENOMEM, "out of memory");
	return pem_open_uri(&pem->pkey, key, err);
}
