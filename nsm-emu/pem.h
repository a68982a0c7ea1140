/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PEM, as it is read: certificates, and a private key or the URI by which
 * OpenSSL opens it ("pkcs11:...", with a provider for that).
 *
 * Thread safety: everything here works on the caller's memory alone.
 */
#ifndef NSM_EMU_PEM_H
#define NSM_EMU_PEM_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

struct ne_error;

/* Certificates in a text, at most. */
#define PEM_CERTIFICATES_MAX 32
/* Bytes of a file with certificates and a key, at most. */
#define PEM_FILE_MAX 65536
/* The block that holds a URI. */
#define PEM_KEY_URI "NSM EMULATOR KEY URI"

/* `= { 0 }` is an empty one, for pem_release(). */
struct pem {
	X509 *certificates[PEM_CERTIFICATES_MAX];
	size_t n;
	bool leaves_keys;    /* a key is to come from somewhere else */
	bool has_locked_key; /* one with a password */
	EVP_PKEY *pkey;
	char *key_uri;
};

void pem_release(struct pem *pem);

static inline void cleanup_pemp(struct pem *pem)
{
	pem_release(pem);
}

#define cleanup_pem __attribute__((cleanup(cleanup_pemp)))

/*
 * Adds what a text has. where: for sentences. 0; -EBADMSG: it is damaged, has
 * two keys or too many certificates; -ENOMEM.
 */
int pem_parse(struct pem *pem, const char *text, size_t size, const char *where,
	      struct ne_error *err);
/* Adds what a file has. As above; or -ENOENT, -EACCES, ... */
int pem_parse_file(struct pem *pem, const char *path, struct ne_error *err);
/*
 * Takes the key from elsewhere: a file's, or one that a URI names, which is
 * then remembered.
 */
int pem_open_key(struct pem *pem, const char *key, struct ne_error *err);
int pem_open_uri(EVP_PKEY **pkey, const char *uri, struct ne_error *err);
/* Says why there is no key: -EBADMSG. */
int pem_no_key(const struct pem *pem, const char *where, struct ne_error *err);

/* Reads a regular file of up to PEM_FILE_MAX bytes. *text is for free(). */
int pem_read_file(int fd, const char *where, char **text, size_t *size,
		  struct ne_error *err);

#endif
