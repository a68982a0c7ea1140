// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * OpenSSL builds and signs the certificate. It has no way to put a signature
 * of our own into one; so when the issuer signs deterministically, what OpenSSL
 * made is taken apart, and put together again around the signature that is to
 * be there: a sequence of what is signed, the algorithm, and the signature.
 */
#include "nsm-emu/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/asn1t.h>
#include <openssl/x509v3.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/key.h"

/* --- What is signed -------------------------------------------------------- */

static bool set_serial(X509 *certificate, const uint8_t *serial, size_t size)
{
	cleanup_bn BIGNUM *number = BN_bin2bn(serial, (int)size, NULL);

	return number &&
	       BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
}

static bool set_validity(X509 *certificate, int64_t not_before,
			 int64_t not_after)
{
	return ASN1_TIME_set(X509_getm_notBefore(certificate), not_before) &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), not_after);
}

/* Countries are PrintableStrings, all else is UTF-8, as OpenSSL has it. */
static bool set_subject(X509 *certificate,
			const struct certificate_name_part *parts)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	size_t i;

	for (i = 0; i < CERTIFICATE_NAME_PARTS_MAX && parts[i].type; i++)
		if (!X509_NAME_add_entry_by_txt(
			    name, parts[i].type, MBSTRING_UTF8,
			    (const unsigned char *)parts[i].value, -1, -1, 0))
			return false;
	return true;
}

static bool add_extension(X509 *certificate, X509V3_CTX *ctx, int nid,
			  const char *value)
{
	X509_EXTENSION *extension;
	bool done;

	if (!value)
		return true;
	extension = X509V3_EXT_nconf_nid(NULL, ctx, nid, value);
	done = extension && X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return done;
}

/* In the order in which the real ones have them. */
static bool add_extensions(X509 *certificate,
			   const struct certificate_description *d)
{
	const bool has_issuer_id =
		d->issuer &&
		X509_get_ext_by_NID(d->issuer, NID_subject_key_identifier,
				    -1) >= 0;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, d->issuer ? (X509 *)d->issuer : certificate,
		       certificate, NULL, NULL, 0);
	return add_extension(certificate, &ctx, NID_basic_constraints,
			     d->basic_constraints) &&
	       (!d->has_key_ids || !has_issuer_id ||
		add_extension(certificate, &ctx, NID_authority_key_identifier,
			      "keyid:always")) &&
	       (!d->has_key_ids ||
		add_extension(certificate, &ctx, NID_subject_key_identifier,
			      "hash")) &&
	       add_extension(certificate, &ctx, NID_key_usage, d->key_usage) &&
	       add_extension(certificate, &ctx, NID_crl_distribution_points,
			     d->crl);
}

static bool fill(X509 *certificate, const struct certificate_description *d)
{
	const X509 *issuer = d->issuer ? d->issuer : certificate;

	return X509_set_version(certificate, X509_VERSION_3) &&
	       set_serial(certificate, d->serial, d->serial_size) &&
	       set_validity(certificate, d->not_before, d->not_after) &&
	       set_subject(certificate, d->subject) &&
	       X509_set_issuer_name(certificate,
				    X509_get_subject_name(issuer)) &&
	       X509_set_pubkey(certificate, nsm_key_pkey(d->key)) &&
	       add_extensions(certificate, d);
}

/* --- The signature --------------------------------------------------------- */

static void cleanup_asn1_typep(ASN1_TYPE **type)
{
	ASN1_TYPE_free(*type);
}

#define cleanup_asn1_type __attribute__((cleanup(cleanup_asn1_typep)))

static void cleanup_asn1_sequencep(ASN1_SEQUENCE_ANY **sequence)
{
	sk_ASN1_TYPE_pop_free(*sequence, ASN1_TYPE_free);
}

#define cleanup_asn1_sequence __attribute__((cleanup(cleanup_asn1_sequencep)))

/* Adds an element of this kind to the sequence. */
static bool push(ASN1_SEQUENCE_ANY *sequence, int kind, const uint8_t *bytes,
		 size_t size)
{
	cleanup_asn1_type ASN1_TYPE *element = ASN1_TYPE_new();
	ASN1_STRING *string = ASN1_STRING_type_new(kind);

	if (!element || !string || !ASN1_STRING_set(string, bytes, (int)size)) {
		ASN1_STRING_free(string);
		return false;
	}
	if (kind == V_ASN1_BIT_STRING)
		string->flags |=
			ASN1_STRING_FLAG_BITS_LEFT; /* none is unused */
	ASN1_TYPE_set(element, kind, string);
	if (!sk_ASN1_TYPE_push(sequence, element))
		return false;
	element = NULL;
	return true;
}

/* Elements that are whole encodings already go in as sequences. */
static X509 *assemble(const uint8_t *tbs, size_t tbs_size,
		      const uint8_t *algorithm, size_t algorithm_size,
		      const uint8_t *signature, size_t signature_size)
{
	cleanup_asn1_sequence ASN1_SEQUENCE_ANY *sequence =
		sk_ASN1_TYPE_new_null();
	uint8_t *der = NULL;
	const uint8_t *at;
	X509 *certificate;
	int length;

	if (!sequence || !push(sequence, V_ASN1_SEQUENCE, tbs, tbs_size) ||
	    !push(sequence, V_ASN1_SEQUENCE, algorithm, algorithm_size) ||
	    !push(sequence, V_ASN1_BIT_STRING, signature, signature_size))
		return NULL;
	length = i2d_ASN1_SEQUENCE_ANY(sequence, &der);
	if (length <= 0)
		return NULL;
	at = der;
	certificate = d2i_X509(NULL, &at, length);
	OPENSSL_free(der);
	return certificate;
}

static int resign(X509 **certificate, const struct nsm_key *issuer_key,
		  struct ne_error *err)
{
	const X509_ALGOR *algorithm = X509_get0_tbs_sigalg(*certificate);
	uint8_t *tbs = NULL, *algorithm_der = NULL, *signature = NULL;
	int tbs_size = i2d_re_X509_tbs(*certificate, &tbs);
	int algorithm_size = i2d_X509_ALGOR(algorithm, &algorithm_der);
	size_t signature_size;
	X509 *again = NULL;

	if (tbs_size > 0 && algorithm_size > 0 &&
	    !nsm_key_sign_der(issuer_key, tbs, (size_t)tbs_size, &signature,
			      &signature_size, err))
		again = assemble(tbs, (size_t)tbs_size, algorithm_der,
				 (size_t)algorithm_size, signature,
				 signature_size);
	OPENSSL_free(tbs);
	OPENSSL_free(algorithm_der);
	OPENSSL_free(signature);
	if (!again)
		return crypto_error(err, EIO, "cannot sign a certificate");
	X509_free(*certificate);
	*certificate = again;
	return 0;
}

int certificate_make(X509 **certificate,
		     const struct certificate_description *description,
		     struct ne_error *err)
{
	const struct nsm_key *signer = description->issuer_key;
	cleanup_x509 X509 *made = X509_new();
	int r;

	if (!made || !fill(made, description))
		return crypto_error(err, EINVAL, "cannot make a certificate");
	if (!X509_sign(made, nsm_key_pkey(signer), nsm_key_digest(signer)))
		return crypto_error(err, EIO, "cannot sign a certificate");
	if (nsm_key_is_deterministic(signer)) {
		r = resign(&made, signer, err);
		if (r)
			return r;
	}
	*certificate = take_ptr(&made);
	return 0;
}

/* --- Reading ---------------------------------------------------------------- */

static int to_seconds(const ASN1_TIME *time, int64_t *seconds)
{
	struct tm tm;

	if (!time || !ASN1_TIME_to_tm(time, &tm))
		return -EBADMSG;
	*seconds = timegm(&tm);
	return 0;
}

int certificate_validity(const X509 *certificate, int64_t *not_before,
			 int64_t *not_after)
{
	int r = to_seconds(X509_get0_notBefore(certificate), not_before);

	return r ? r : to_seconds(X509_get0_notAfter(certificate), not_after);
}

char *certificate_subject(const X509 *certificate)
{
	cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long size;

	/* UTF-8 stays; what could play with a terminal is escaped. */
	if (!bio ||
	    X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
			       XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
		return NULL;
	size = BIO_get_mem_data(bio, &bytes);
	return strndup(bytes, (size_t)size);
}

int certificate_fingerprint(
	const X509 *certificate,
	unsigned char fingerprint[CERTIFICATE_FINGERPRINT_SIZE])
{
	return X509_digest(certificate, EVP_sha256(), fingerprint, NULL) == 1
		       ? 0
		       : -EIO;
}

void certificate_time_text(int64_t time, char text[CERTIFICATE_TIME_SIZE])
{
	const time_t seconds = time;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) ||
	    !strftime(text, CERTIFICATE_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(text, CERTIFICATE_TIME_SIZE, "%lld s after 1970",
			 (long long)time);
}
