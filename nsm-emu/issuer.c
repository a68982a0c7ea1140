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
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/certificate.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/key.h"
#include "nsm-emu/pem.h"
#include "nsm-emu/random.h"

static void cleanup_issuerp(struct issuer **issuer)
{
	issuer_free(*issuer);
}

#define cleanup_issuer __attribute__((cleanup(cleanup_issuerp)))

/* What no company calls its root. */
#define OWN_NAME "CN=" HIERARCHY_DOMAIN ","

/* --- The chain ------------------------------------------------------------------ */

/* For a sentence; of the certificate's subject. */
#define SUBJECT_SIZE 160

static const char *subject(const X509 *certificate, char text[SUBJECT_SIZE])
{
	cleanup_free char *whole = certificate_subject(certificate);

	snprintf(text, SUBJECT_SIZE, "%s", whole ? whole : "?");
	return text;
}

static X509 *find_own(const struct pem *pem)
{
	X509 *found = NULL;

	for (size_t i = 0; i < pem->n && !found; i++)
		if (EVP_PKEY_eq(X509_get0_pubkey(pem->certificates[i]),
				pem->pkey) == 1)
			found = pem->certificates[i];
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
static X509 *find_issuer(const struct pem *pem, X509 *certificate)
{
	X509 *found = NULL;

	for (size_t i = 0; i < pem->n; i++) {
		X509 *candidate = pem->certificates[i];

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
static int follow(struct issuer *issuer, const struct pem *pem, X509 *own,
		  const char *where, struct ne_error *err)
{
	X509 *next = own;

	for (issuer->n = 0; issuer->n < ISSUER_CHAIN_MAX;) {
		X509_up_ref(next);
		issuer->chain[issuer->n++] = next;
		if (has_issued(next, next))
			return 0;
		next = find_issuer(pem, next);
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
		"%s is no certificate of an authority: %s; make one with basicConstraints=critical,CA:TRUE and keyUsage=critical,keyCertSign,cRLSign (openssl req -x509: behind -addext)",
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
	if (!(flags & EXFLAG_KUSAGE))
		return no_authority(certificate, "it has no key usage", err);
	if (!(usage & KU_KEY_CERT_SIGN))
		return no_authority(certificate,
				    "its key usage lacks keyCertSign", err);
	return 0;
}

#define RSA_BITS_MIN 2048

/* As verifiers ask for: 112 bits of security, on a curve that all know. */
static bool is_sound(const EVP_PKEY *key)
{
	static const char *const curves[] = { SN_X9_62_prime256v1, SN_secp384r1,
					      SN_secp521r1 };
	char group[64];

	if (!key || EVP_PKEY_is_a(key, "ED25519") ||
	    EVP_PKEY_is_a(key, "ED448"))
		return key;
	if (EVP_PKEY_is_a(key, "RSA"))
		return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
		if (!strcmp(group, curves[i]))
			return true;
	return false;
}

static int check_key(X509 *certificate, struct ne_error *err)
{
	char text[SUBJECT_SIZE];

	if (is_sound(X509_get0_pubkey(certificate)))
		return 0;
	return ne_error_set(
		err, EBADMSG,
		"verifiers do not accept the key of %s: take an EC key on P-256, P-384 or P-521, Ed25519 or Ed448, or RSA with %d bits",
		subject(certificate, text), RSA_BITS_MIN);
}

/* Verifiers take no larger one [docs/attestation_process.md, 3.2.2.2]. */
#define CERTIFICATE_SIZE_MAX 1024

static int check_size(X509 *certificate, struct ne_error *err)
{
	char text[SUBJECT_SIZE];
	int size = i2d_X509(certificate, NULL);

	if (size < 0)
		return crypto_error(err, EIO, "cannot encode a certificate");
	if (size > CERTIFICATE_SIZE_MAX)
		return ne_error_set(
			err, EMSGSIZE,
			"%s has %d bytes, and attestation documents may have certificates of %d: take one with an EC key, or an RSA key of 2048 bits",
			subject(certificate, text), size, CERTIFICATE_SIZE_MAX);
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

static int check_chain(struct issuer *issuer, const char *where,
		       struct ne_error *err)
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
			r = check_key(issuer->chain[i], err);
		if (!r)
			r = check_size(issuer->chain[i], err);
		if (!r)
			r = check_signature(issuer->chain[i], above, err);
		if (!r)
			r = limit_validity(issuer, issuer->chain[i], err);
		limit_path(issuer, i);
	}
	if (!r && issuer->path_length < 0)
		r = ne_error_set(
			err, EBADMSG,
			"the chain is longer than a path length in it allows");
	if (r)
		ne_error_prefix(err, "%s", where);
	return r;
}

/* --- Putting it together --------------------------------------------------------- */

static int build(struct issuer **issuer, struct pem *pem, const char *where,
		 bool is_deterministic, struct ne_error *err)
{
	cleanup_issuer struct issuer *made = calloc(1, sizeof(*made));
	X509 *own;
	int r;

	if (!made)
		return ne_error_set(err, ENOMEM, "out of memory");
	if (!pem->n)
		return ne_error_set(err, EBADMSG, "%s has no certificate in it",
				    where);
	own = find_own(pem);
	if (!own)
		return ne_error_set(
			err, EBADMSG,
			"%s has no certificate for the key: they belong to different authorities",
			where);
	r = follow(made, pem, own, where, err);
	if (!r)
		r = check_chain(made, where, err);
	if (!r)
		r = nsm_key_adopt(&made->signer.key, pem->pkey,
				  is_deterministic, err);
	if (r)
		return r;
	X509_up_ref(own);
	made->signer.certificate = own;
	made->key_uri = take_ptr(&pem->key_uri);
	*issuer = take_ptr(&made);
	return 0;
}

int issuer_parse(struct issuer **issuer, const char *text, size_t size,
		 const char *where, bool is_deterministic, struct ne_error *err)
{
	cleanup_pem struct pem pem = { 0 };
	int r = pem_parse(&pem, text, size, where, err);

	if (r)
		return r;
	if (pem.key_uri && !pem.pkey)
		r = pem_open_uri(&pem.pkey, pem.key_uri, err);
	if (!r && !pem.pkey)
		r = pem_no_key(&pem, where, err);
	return r ? r : build(issuer, &pem, where, is_deterministic, err);
}

int issuer_open(struct issuer **issuer, const char *certificates,
		const char *key, bool is_deterministic, struct ne_error *err)
{
	cleanup_pem struct pem pem = { .leaves_keys = true };
	int r = pem_parse_file(&pem, certificates, err);

	if (!r)
		r = pem_open_key(&pem, key, err);
	return r ? r : build(issuer, &pem, certificates, is_deterministic, err);
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

bool issuer_is_own(const struct issuer *issuer)
{
	cleanup_free char *subject = certificate_subject(issuer->chain[0]);

	return issuer->n == 1 && !issuer->key_uri && subject &&
	       !strncmp(subject, OWN_NAME, strlen(OWN_NAME));
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
			? "set the clock to a later time, or take another authority"
			: "renew it (our own: \"nsm-emu pki rotate\"), or set the clock to an earlier time");
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
		return PEM_write_bio(bio, PEM_KEY_URI, "",
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
