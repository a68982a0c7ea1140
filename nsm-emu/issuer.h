/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who signs certificates for an emulated module, and all above it up to a
 * root: the emulator's own root, or a company's root or intermediate.
 *
 * As text this is PEM: certificates, and the private key or the URI by which
 * OpenSSL opens it ("pkcs11:...", with a provider for that).
 *
 * Thread safety: an issuer never changes; read it from any thread.
 */
#ifndef NSM_EMU_ISSUER_H
#define NSM_EMU_ISSUER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "nsm-emu/hierarchy.h"

struct ne_error;

/* Certificates from the issuer's own to the root, at most. */
#define ISSUER_CHAIN_MAX 5
/* As many as one likes. */
#define ISSUER_UNLIMITED INT32_MAX

/* The issuer's own certificate is chain[0]; the root is the last one. */
struct issuer {
	struct hierarchy_signer signer; /* its validity is the whole chain's */
	X509 *chain[ISSUER_CHAIN_MAX];
	size_t n;
	char *key_uri; /* where the key is; NULL: it was in the text */
	/* How many authorities may be below it, one below the other. */
	int32_t path_length;
};

/*
 * From text. where: for sentences. is_deterministic: the key signs as RFC 6979
 * says, if it can. *issuer is for issuer_free().
 *
 * 0, or a negative errno: -EBADMSG: the text is damaged, has no key, none of
 * the certificates is the key's, or one in the chain is missing, does not
 * verify or is no authority's.
 */
int issuer_parse(struct issuer **issuer, const char *text, size_t size,
		 const char *where, bool is_deterministic,
		 struct ne_error *err);
/*
 * From a file with certificates, and a key: a file too, or a URI.
 * As above; or -ENOENT, -EACCES, ...
 */
int issuer_open(struct issuer **issuer, const char *certificates,
		const char *key, bool is_deterministic, struct ne_error *err);
/* A new root of the emulator's own. 0, -EIO, -ENOMEM. */
int issuer_new_root(struct issuer **issuer, const struct nsm_random *random,
		    struct ne_error *err);
/* NULL is fine. */
void issuer_free(struct issuer *issuer);

/* Is all of the chain valid at this second? -EKEYEXPIRED and a sentence. */
int issuer_check_time(const struct issuer *issuer, int64_t now,
		      struct ne_error *err);

X509 *issuer_root(const struct issuer *issuer);
/* Is it one that issuer_new_root() has made, and no company's? */
bool issuer_is_own(const struct issuer *issuer);

/*
 * As text, for issuer_parse(). *text is for free(). 0; -EACCES: the key is one
 * that cannot be told and has no URI; -EIO, -ENOMEM.
 */
int issuer_print(const struct issuer *issuer, char **text, size_t *size,
		 struct ne_error *err);
/* A certificate alone, as PEM. The same. */
int issuer_print_certificate(X509 *certificate, char **text, size_t *size,
			     struct ne_error *err);

#endif
