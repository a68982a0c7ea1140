// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * All certificates of the text are taken first, in whatever order. The one
 * that has the key's public half is the issuer's own; from there the chain is
 * followed upwards by who has issued whom, until a certificate that has issued
 * itself. Then each is asked whether it may have signed what is below it.
 * What is left over does not matter.
 */
#include "nsm-emu/issuer.h"

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
#include <openssl/x509v3.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/certificate.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/key.h"
#include "nsm-emu/random.h"

/* Certificates in a text, at most. */
#define POOL_MAX 32

/* The PEM block that holds a URI. */
#define KEY_URI_BLOCK "NSM EMULATOR KEY URI"

struct pool {
	X509 *certificates[POOL_MAX];
	size_t n;
	bool leaves_keys;    /* a key is to come from somewhere else */
	bool has_locked_key; /* one with a password */
	EVP_PKEY *pkey;
	char *key_uri;
};

static void cleanup_poolp(struct pool *pool)
{
	for (size_t i = 0; i < pool->n; i++)
		X509_free(pool->certificates[i]);
	EVP_PKEY_free(pool->pkey);
	free(pool->key_uri);
}

#define cleanup_pool __attribute__((cleanup(cleanup_poolp)))

static void cleanup_issuerp(struct issuer **issuer)
{
	issuer_free(*issuer);
}

#define cleanup_issuer __attribute__((cleanup(cleanup_issuerp)))

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

int issuer_read_file(int fd, const char *where, char **text, size_t *size,
		     struct ne_error *err)
{
	cleanup_free char *bytes = malloc(ISSUER_FILE_MAX + 1);
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
	r = read_all(fd, bytes, ISSUER_FILE_MAX + 1, &used);
	if (r)
		return cannot_read(where, -r, err);
	if (used > ISSUER_FILE_MAX)
		return ne_error_set(
			err, EFBIG,
			"%s is longer than %d bytes: no file of certificates",
			where, ISSUER_FILE_MAX);
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

static int take_certificate(struct pool *pool, const struct block *block,
			    const char *where, struct ne_error *err)
{
	const unsigned char *at = block->data;
	X509 *certificate;

	if (pool->n == POOL_MAX)
		return ne_error_set(
			err, EBADMSG,
			"%s has more than %d certificates; leave only the chain in it",
			where, POOL_MAX);
	certificate = d2i_X509(NULL, &at, block->size);
	if (!certificate)
		return damaged(where, "a certificate cannot be decoded", err);
	pool->certificates[pool->n++] = certificate;
	return 0;
}

static int take_uri(struct pool *pool, const struct block *block,
		    const char *where, struct ne_error *err)
{
	if (pool->key_uri || memchr(block->data, 0, (size_t)block->size))
		return ne_error_set(err, EBADMSG,
				    "%s is damaged: its key's URI is none",
				    where);
	pool->key_uri = strndup((char *)block->data, (size_t)block->size);
	return pool->key_uri ? 0 : ne_error_set(err, ENOMEM, "out of memory");
}

static int take_key(struct pool *pool, const struct block *block,
		    const char *where, struct ne_error *err)
{
	const unsigned char *at = block->data;

	if (pool->pkey)
		return ne_error_set(err, EBADMSG, "%s has more than one key",
				    where);
	pool->pkey = d2i_AutoPrivateKey(NULL, &at, block->size);
	if (!pool->pkey)
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
static int take_block(struct pool *pool, const struct block *block,
		      const char *where, struct ne_error *err)
{
	if (!strcmp(block->name, PEM_STRING_X509))
		return take_certificate(pool, block, where, err);
	if (pool->leaves_keys)
		return 0;
	if (!strcmp(block->name, KEY_URI_BLOCK))
		return take_uri(pool, block, where, err);
	if (!is_key(block))
		return 0;
	if (!is_locked(block))
		return take_key(pool, block, where, err);
	pool->has_locked_key = true;
	return 0;
}

static bool is_end_of_pem(void)
{
	const unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM &&
	       ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static int parse_pem(struct pool *pool, const char *text, size_t size,
		     const char *where, struct ne_error *err)
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
		r = take_block(pool, &block, where, err);
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

static int open_uri(EVP_PKEY **pkey, const char *uri, struct ne_error *err)
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

/* --- The chain ------------------------------------------------------------------ */

/* For a sentence; of the certificate's subject. */
#define SUBJECT_SIZE 160

static const char *subject(const X509 *certificate, char text[SUBJECT_SIZE])
{
	cleanup_free char *whole = certificate_subject(certificate);

	snprintf(text, SUBJECT_SIZE, "%s", whole ? whole : "?");
	return text;
}

static X509 *find_own(const struct pool *pool)
{
	X509 *found = NULL;

	for (size_t i = 0; i < pool->n && !found; i++)
		if (EVP_PKEY_eq(X509_get0_pubkey(pool->certificates[i]),
				pool->pkey) == 1)
			found = pool->certificates[i];
	ERR_clear_error();
	return found;
}

/* By name and by identifiers of keys; signatures are checked later. */
static bool has_issued(X509 *issuer, X509 *certificate)
{
	return X509_NAME_cmp(X509_get_subject_name(issuer),
			     X509_get_issuer_name(certificate)) == 0 &&
	       X509_check_issued(issuer, certificate) !=
		       X509_V_ERR_AKID_SKID_MISMATCH;
}

/* Of several of the name, the one whose key it was. */
static X509 *find_issuer(const struct pool *pool, X509 *certificate)
{
	X509 *found = NULL;

	for (size_t i = 0; i < pool->n; i++) {
		X509 *candidate = pool->certificates[i];

		if (!has_issued(candidate, certificate))
			continue;
		found = candidate;
		if (X509_verify(certificate, X509_get0_pubkey(found)) == 1)
			break;
	}
	ERR_clear_error();
	return found;
}

static int missing_issuer(X509 *certificate, const char *where,
			  struct ne_error *err)
{
	char text[SUBJECT_SIZE];

	return ne_error_set(
		err, EBADMSG,
		"%s is incomplete: who issued %s is not in it; add the certificates up to the root, which has issued itself",
		where, subject(certificate, text));
}

/* From the issuer's own certificate up to the root. */
static int follow(struct issuer *issuer, const struct pool *pool, X509 *own,
		  const char *where, struct ne_error *err)
{
	X509 *next = own;

	for (issuer->n = 0; issuer->n < ISSUER_CHAIN_MAX;) {
		X509_up_ref(next);
		issuer->chain[issuer->n++] = next;
		if (has_issued(next, next))
			return 0;
		next = find_issuer(pool, next);
		if (!next)
			return missing_issuer(issuer->chain[issuer->n - 1],
					      where, err);
	}
	return ne_error_set(
		err, EBADMSG,
		"%s has a chain of more than %d certificates up to its root",
		where, ISSUER_CHAIN_MAX);
}

static int no_authority(X509 *certificate, const char *why,
			struct ne_error *err)
{
	char text[SUBJECT_SIZE];

	return ne_error_set(
		err, EBADMSG,
		"%s is no certificate of an authority: %s; take one with CA:TRUE and keyCertSign",
		subject(certificate, text), why);
}

static int check_authority(X509 *certificate, struct ne_error *err)
{
	const uint32_t flags = X509_get_extension_flags(certificate);
	const uint32_t usage = X509_get_key_usage(certificate);

	if (flags & EXFLAG_INVALID)
		return no_authority(certificate, "its extensions make no sense",
				    err);
	if (!(flags & EXFLAG_CA))
		return no_authority(certificate, "CA is not TRUE", err);
	if (usage == UINT32_MAX || !(usage & KU_KEY_CERT_SIGN))
		return no_authority(certificate,
				    "its key usage lacks keyCertSign", err);
	return 0;
}

static int check_signature(X509 *certificate, X509 *issuer,
			   struct ne_error *err)
{
	char text[SUBJECT_SIZE];

	if (X509_verify(certificate, X509_get0_pubkey(issuer)) == 1)
		return 0;
	return crypto_error(err, EBADMSG, "the signature of %s does not hold",
			    subject(certificate, text));
}

/* What the i-th certificate of a chain allows below the first one. */
static void limit_path(struct issuer *issuer, size_t i)
{
	const long length = X509_get_pathlen(issuer->chain[i]);

	if (length >= 0 && length - (long)i < issuer->path_length)
		issuer->path_length = (int32_t)(length - (long)i);
}

static int limit_validity(struct issuer *issuer, X509 *certificate,
			  struct ne_error *err)
{
	struct hierarchy_validity *whole = &issuer->signer.validity;
	int64_t not_before, not_after;
	char text[SUBJECT_SIZE];

	if (certificate_validity(certificate, &not_before, &not_after))
		return ne_error_set(err, EBADMSG,
				    "the times of %s make no sense",
				    subject(certificate, text));
	if (not_before > whole->not_before)
		whole->not_before = not_before;
	if (not_after < whole->not_after)
		whole->not_after = not_after;
	return 0;
}

static int check_chain(struct issuer *issuer, struct ne_error *err)
{
	int r = 0;

	issuer->path_length = ISSUER_UNLIMITED;
	issuer->signer.validity =
		(struct hierarchy_validity){ .not_before = INT64_MIN,
					     .not_after = INT64_MAX };
	for (size_t i = 0; i < issuer->n && !r; i++) {
		X509 *above = issuer->chain[i + 1 < issuer->n ? i + 1 : i];

		r = check_authority(issuer->chain[i], err);
		if (!r)
			r = check_signature(issuer->chain[i], above, err);
		if (!r)
			r = limit_validity(issuer, issuer->chain[i], err);
		limit_path(issuer, i);
	}
	if (!r && issuer->path_length < 0)
		return ne_error_set(
			err, EBADMSG,
			"the chain is longer than a path length in it allows");
	return r;
}

/* --- Putting it together --------------------------------------------------------- */

static int build(struct issuer **issuer, struct pool *pool, const char *where,
		 bool is_deterministic, struct ne_error *err)
{
	cleanup_issuer struct issuer *made = calloc(1, sizeof(*made));
	X509 *own;
	int r;

	if (!made)
		return ne_error_set(err, ENOMEM, "out of memory");
	if (!pool->n)
		return ne_error_set(err, EBADMSG, "%s has no certificate in it",
				    where);
	own = find_own(pool);
	if (!own)
		return ne_error_set(
			err, EBADMSG,
			"%s has no certificate for the key: they belong to different authorities",
			where);
	r = follow(made, pool, own, where, err);
	if (!r)
		r = check_chain(made, err);
	if (!r)
		r = nsm_key_adopt(&made->signer.key, pool->pkey,
				  is_deterministic, err);
	if (r)
		return r;
	X509_up_ref(own);
	made->signer.certificate = own;
	made->key_uri = take_ptr(&pool->key_uri);
	*issuer = take_ptr(&made);
	return 0;
}

static int no_key(const struct pool *pool, const char *where,
		  struct ne_error *err)
{
	if (pool->has_locked_key)
		return ne_error_set(
			err, EBADMSG,
			"the key in %s has a password, and nobody is asked for one; take it off: openssl pkey -in %s -out PLAIN",
			where, where);
	return ne_error_set(err, EBADMSG, "%s has no private key in PEM in it",
			    where);
}

int issuer_parse(struct issuer **issuer, const char *text, size_t size,
		 const char *where, bool is_deterministic, struct ne_error *err)
{
	cleanup_pool struct pool pool = { 0 };
	int r = parse_pem(&pool, text, size, where, err);

	if (r)
		return r;
	if (pool.key_uri && !pool.pkey)
		r = open_uri(&pool.pkey, pool.key_uri, err);
	if (!r && !pool.pkey)
		r = no_key(&pool, where, err);
	return r ? r : build(issuer, &pool, where, is_deterministic, err);
}

static int parse_file(struct pool *pool, const char *path, struct ne_error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char *text = NULL;
	size_t size = 0;
	int r;

	if (fd < 0)
		return cannot_read(path, errno, err);
	r = issuer_read_file(fd, path, &text, &size, err);
	if (!r)
		r = parse_pem(pool, text, size, path, err);
	if (text)
		OPENSSL_cleanse(text, size);
	free(text);
	return r;
}

static int open_key_file(struct pool *pool, const char *path,
			 struct ne_error *err)
{
	cleanup_pool struct pool keys = { 0 };
	int r = parse_file(&keys, path, err);

	if (!r && !keys.pkey)
		r = no_key(&keys, path, err);
	pool->pkey = take_ptr(&keys.pkey);
	return r;
}

/* What is no file is a URI, which is to be remembered. */
static int open_key(struct pool *pool, const char *key, struct ne_error *err)
{
	if (access(key, F_OK) == 0 || !strchr(key, ':'))
		return open_key_file(pool, key, err);
	pool->key_uri = strdup(key);
	if (!pool->key_uri)
		return ne_error_set(err, ENOMEM, "out of memory");
	return open_uri(&pool->pkey, key, err);
}

int issuer_open(struct issuer **issuer, const char *certificates,
		const char *key, bool is_deterministic, struct ne_error *err)
{
	cleanup_pool struct pool pool = { .leaves_keys = true };
	int r = parse_file(&pool, certificates, err);

	if (!r)
		r = open_key(&pool, key, err);
	return r ? r
		 : build(issuer, &pool, certificates, is_deterministic, err);
}

int issuer_new_root(struct issuer **issuer, const struct nsm_random *random,
		    struct ne_error *err)
{
	cleanup_issuer struct issuer *made = calloc(1, sizeof(*made));
	const struct hierarchy_names names = { 0 };
	int r;

	if (!made)
		return ne_error_set(err, ENOMEM, "out of memory");
	r = hierarchy_make(&made->signer, HIERARCHY_ROOT, &names,
			   hierarchy_validity(HIERARCHY_ROOT, time(NULL),
					      random),
			   NULL, random, err);
	if (r)
		return r;
	X509_up_ref(made->signer.certificate);
	made->chain[made->n++] = made->signer.certificate;
	made->path_length = ISSUER_UNLIMITED;
	*issuer = take_ptr(&made);
	return 0;
}

void issuer_free(struct issuer *issuer)
{
	if (!issuer)
		return;
	for (size_t i = 0; i < issuer->n; i++)
		X509_free(issuer->chain[i]);
	hierarchy_signer_clear(&issuer->signer);
	free(issuer->key_uri);
	free(issuer);
}

X509 *issuer_root(const struct issuer *issuer)
{
	return issuer->chain[issuer->n - 1];
}

int issuer_check_time(const struct issuer *issuer, int64_t now,
		      struct ne_error *err)
{
	const struct hierarchy_validity *validity = &issuer->signer.validity;
	const bool is_early = now < validity->not_before;
	char limit[CERTIFICATE_TIME_SIZE], at[CERTIFICATE_TIME_SIZE];
	char text[SUBJECT_SIZE];

	if (!is_early && now < validity->not_after)
		return 0;
	certificate_time_text(
		is_early ? validity->not_before : validity->not_after, limit);
	certificate_time_text(now, at);
	return ne_error_set(
		err, EKEYEXPIRED,
		"the authority %s, or one above it, %s %s, and the clock says %s; %s",
		subject(issuer->chain[0], text),
		is_early ? "is valid only from" : "has expired on", limit, at,
		is_early
			? "set the clock to a later time"
			: "renew it, or make a new root with \"nsm-emu pki rotate\"");
}

/* --- As text ----------------------------------------------------------------------- */

static int take_text(BIO *bio, char **text, size_t *size, struct ne_error *err)
{
	char *bytes;
	long length = BIO_get_mem_data(bio, &bytes);

	*text = malloc((size_t)length + 1);
	if (!*text)
		return ne_error_set(err, ENOMEM, "out of memory");
	memcpy(*text, bytes, (size_t)length);
	(*text)[length] = '\0';
	*size = (size_t)length;
	return 0;
}

/* Its memory is wiped when it is freed. */
static BIO *new_memory(void)
{
	return BIO_new(BIO_s_secmem());
}

static bool print_key(BIO *bio, const struct issuer *issuer)
{
	const char *uri = issuer->key_uri;

	if (uri)
		return PEM_write_bio(bio, KEY_URI_BLOCK, "",
				     (const unsigned char *)uri,
				     (long)strlen(uri)) > 0;
	return PEM_write_bio_PKCS8PrivateKey(bio,
					     nsm_key_pkey(issuer->signer.key),
					     NULL, NULL, 0, NULL, NULL) == 1;
}

int issuer_print(const struct issuer *issuer, char **text, size_t *size,
		 struct ne_error *err)
{
	cleanup_bio BIO *bio = new_memory();

	if (!bio)
		return ne_error_set(err, ENOMEM, "out of memory");
	if (!print_key(bio, issuer))
		return crypto_error(err, EACCES,
				    "the authority's key cannot be copied");
	for (size_t i = 0; i < issuer->n; i++)
		if (!PEM_write_bio_X509(bio, issuer->chain[i]))
			return crypto_error(err, EIO,
					    "cannot write a certificate");
	return take_text(bio, text, size, err);
}

int issuer_print_certificate(X509 *certificate, char **text, size_t *size,
			     struct ne_error *err)
{
	cleanup_bio BIO *bio = new_memory();

	if (!bio)
		return ne_error_set(err, ENOMEM, "out of memory");
	if (!PEM_write_bio_X509(bio, certificate))
		return crypto_error(err, EIO, "cannot write a certificate");
	return take_text(bio, text, size, err);
}
