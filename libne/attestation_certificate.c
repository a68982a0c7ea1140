// SPDX-License-Identifier: Apache-2.0
/*
 * The certificates of attestation documents.
 *
 * Theory of operation
 *
 * Decoding a certificate costs a fifth of verifying a signature, mostly for
 * finding out, each time anew, how to decode its key. But the authorities
 * above a leaf live for a day to 30 years, and sign for many leaves. So those
 * of chains that were found valid stay decoded, in a small table that is
 * searched by their bytes. Being in there says nothing about a certificate:
 * all that is checked is checked for each document again. Nobody but a
 * trusted root's own can get anything in.
 */
#include "libne/attestation_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "libne/cleanup.h"

/* --- Authorities that stay decoded --------------------------------------- */

/* Four for each of the parents whose documents come at the same time. */
#define KEPT_AUTHORITIES 64

struct kept_authority {
	X509 *certificate; /* NULL: a free place */
	uint8_t *der;
	size_t size;
};

/* A ring: the newest takes the place of the oldest. */
static struct {
	pthread_mutex_t mutex;
	struct kept_authority places[KEPT_AUTHORITIES];
	size_t next;
} kept = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static X509 *find_kept(const struct ne_attestation_bytes *der)
{
	for (size_t i = 0; i < KEPT_AUTHORITIES; i++) {
		const struct kept_authority *place = &kept.places[i];

		if (place->certificate && place->size == der->size &&
		    !memcmp(place->der, der->data, der->size))
			return place->certificate;
	}
	return NULL;
}

/* A reference, or NULL. */
static X509 *take_kept(const struct ne_attestation_bytes *der)
{
	X509 *certificate;

	pthread_mutex_lock(&kept.mutex);
	certificate = find_kept(der);
	if (certificate && !X509_up_ref(certificate))
		certificate = NULL;
	pthread_mutex_unlock(&kept.mutex);
	return certificate;
}

/* Without memory, it is not kept. */
static void keep(X509 *certificate, const struct ne_attestation_bytes *der)
{
	struct kept_authority *place;
	uint8_t *copy;

	pthread_mutex_lock(&kept.mutex);
	copy = find_kept(der) ? NULL : malloc(der->size);
	if (copy && X509_up_ref(certificate)) {
		place = &kept.places[kept.next++ % KEPT_AUTHORITIES];
		X509_free(place->certificate);
		free(place->der);
		*place =
			(struct kept_authority){ certificate, copy, der->size };
		memcpy(copy, der->data, der->size);
		copy = NULL;
	}
	pthread_mutex_unlock(&kept.mutex);
	free(copy);
}

void chain_remember(const struct chain *chain,
		    const struct ne_attestation *attestation)
{
	for (unsigned int i = 0; i < attestation->n_cabundle; i++)
		keep(chain->certificates[i], &attestation->cabundle[i]);
}

/* --- Loading ------------------------------------------------------------- */

static X509 *decode(const struct ne_attestation_bytes *der)
{
	const unsigned char *at = der->data;
	X509 *certificate = d2i_X509(NULL, &at, (long)der->size);

	if (certificate && at != der->data + der->size) {
		X509_free(certificate);
		return NULL;
	}
	return certificate;
}

static int bad_certificate(struct verdict *verdict, const char *which,
			   unsigned int number)
{
	if (verdict_lacks_memory())
		return verdict_openssl(verdict, "decode a certificate");
	return verdict_refuse(
		verdict, NE_ATTESTATION_SYNTAX,
		"certificate %u %s is no X.509 certificate in DER", number,
		which);
}

int chain_load(struct chain *chain, const struct ne_attestation *attestation,
	       struct verdict *verdict)
{
	X509 *certificate;

	chain->count = 0;
	for (unsigned int i = 0; i < attestation->n_cabundle; i++) {
		certificate = take_kept(&attestation->cabundle[i]);
		if (!certificate)
			certificate = decode(&attestation->cabundle[i]);
		if (!certificate)
			return bad_certificate(verdict, "of the cabundle", i);
		chain->certificates[chain->count++] = certificate;
	}
	certificate = decode(&attestation->certificate);
	if (!certificate)
		return bad_certificate(verdict, "(the leaf)", chain->count);
	chain->certificates[chain->count++] = certificate;
	return 0;
}

void chain_unload(struct chain *chain)
{
	while (chain->count)
		X509_free(chain->certificates[--chain->count]);
}

X509 *chain_root(const struct chain *chain)
{
	return chain->certificates[0];
}

X509 *chain_leaf(const struct chain *chain)
{
	return chain->certificates[chain->count - 1];
}

/* --- Words for them ------------------------------------------------------ */

struct certificate_text certificate_common_name(const X509_NAME *name)
{
	struct certificate_text text = { "" };
	unsigned char *utf8 = NULL;
	int at = -1;
	int next;

	while ((next = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >=
	       0)
		at = next;
	if (at < 0)
		return text;
	if (ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(
					       X509_NAME_get_entry(name, at))) <
	    0)
		return text;
	snprintf(text.text, sizeof(text.text), "%s", (const char *)utf8);
	OPENSSL_free(utf8);
	return text;
}

struct certificate_text chain_describe(const struct chain *chain,
				       unsigned int index)
{
	struct certificate_text text;
	struct certificate_text name = certificate_common_name(
		X509_get_subject_name(chain->certificates[index]));
	const char *what = "the authority";

	if (!index)
		what = "the root";
	else if (index == chain->count - 1)
		what = "the leaf";
	snprintf(text.text, sizeof(text.text), "%s (CN=%.100s)", what,
		 name.text);
	return text;
}

bool certificate_key_is_on(const EVP_PKEY *key, const char *curve)
{
	char name[32];
	size_t size;

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, name, sizeof(name), &size) == 1 &&
	       !strcmp(name, curve);
}
