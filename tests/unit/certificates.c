// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/certificates.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "libne/cleanup.h"
#include "nsm-emu/authority.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/key.h"

/* --- Files ----------------------------------------------------------------- */

char *folder_new(void)
{
	const char *below = getenv("TMPDIR");
	char *folder = NULL;

	assert_true(asprintf(&folder, "%s/pki.XXXXXX", below ? below : "/tmp") >
		    0);
	assert_non_null(mkdtemp(folder));
	return folder;
}

static void remove_below(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		cleanup_free char *name = NULL;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		name = folder_entry(path, entry->d_name);
		if (unlink(name))
			remove_below(name);
	}
	if (folder)
		closedir(folder);
	rmdir(path);
}

void folder_remove(char *folder)
{
	remove_below(folder);
	free(folder);
}

char *folder_entry(const char *folder, const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	return path;
}

char *file_read(const char *path, size_t *size)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	char *bytes = malloc(65536);

	assert_non_null(bytes);
	if (!file)
		fail_msg("cannot open %s", path);
	*size = fread(bytes, 1, 65535, file);
	bytes[*size] = '\0';
	return bytes;
}

void file_write(const char *path, const void *bytes, size_t size)
{
	cleanup_fclose FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
}

/* --- Verifying -------------------------------------------------------------- */

static int verify(X509 *leaf, X509 *const *bundle, size_t n, int64_t now)
{
	X509_STORE *roots = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *between = sk_X509_new_null();
	int result;

	assert_true(X509_STORE_add_cert(roots, bundle[0]));
	for (size_t i = 1; i < n; i++)
		assert_true(sk_X509_push(between, bundle[i]));
	assert_true(X509_STORE_CTX_init(ctx, roots, leaf, between));
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), now);
	result = X509_verify_cert(ctx) == 1 ? X509_V_OK
					    : X509_STORE_CTX_get_error(ctx);
	sk_X509_free(between);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(roots);
	return result;
}

int verify_issued(const struct nsm_issued *issued, int64_t now)
{
	return verify(issued->leaf, issued->bundle, issued->n_bundle, now);
}

X509 *certificate_from(const void *der, size_t size)
{
	const unsigned char *at = der;
	X509 *certificate = d2i_X509(NULL, &at, (long)size);

	assert_non_null(certificate);
	assert_ptr_equal(at, (const unsigned char *)der + size);
	return certificate;
}

int verify_leaf(const struct nsm_leaf *leaf, int64_t now)
{
	cleanup_x509 X509 *certificate =
		certificate_from(leaf->certificate.der, leaf->certificate.size);
	X509 *bundle[NSM_BUNDLE_MAX];
	int result;

	for (size_t i = 0; i < leaf->n_bundle; i++)
		bundle[i] = certificate_from(leaf->bundle[i].der,
					     leaf->bundle[i].size);
	result = verify(certificate, bundle, leaf->n_bundle, now);
	for (size_t i = 0; i < leaf->n_bundle; i++)
		X509_free(bundle[i]);
	return result;
}

/* --- Companies --------------------------------------------------------------- */

static EVP_PKEY *pkey_new(const char *kind)
{
	if (!strcmp(kind, "RSA"))
		return EVP_RSA_gen(2048);
	if (!strcmp(kind, "RSA-1024"))
		return EVP_RSA_gen(1024);
	if (!strcmp(kind, "RSA-4096"))
		return EVP_RSA_gen(4096);
	if (!strncmp(kind, "P-", 2))
		return EVP_EC_gen(kind);
	return EVP_PKEY_Q_keygen(NULL, NULL, kind);
}

struct company company_new(const char *name, const char *kind,
			   const struct company *above, const char *constraints,
			   const char *usage, int64_t from, int64_t until)
{
	static uint8_t serial;
	struct company made = { 0 };
	cleanup_pkey EVP_PKEY *pkey = pkey_new(kind);
	struct certificate_description d = {
		.subject = { { "O", "Company" }, { "CN", name } },
		.issuer = above ? above->certificate : NULL,
		.serial = &serial,
		.serial_size = 1,
		.not_before = from,
		.not_after = until,
		.basic_constraints = constraints,
		.key_usage = usage,
		.has_key_ids = true,
	};

	serial++;
	assert_non_null(pkey);
	assert_int_equal(nsm_key_adopt(&made.key, pkey, false, NULL), 0);
	d.key = made.key;
	d.issuer_key = above ? above->key : made.key;
	assert_int_equal(certificate_make(&made.certificate, &d, NULL), 0);
	return made;
}

struct company company_usual(const char *name, const char *kind,
			     const struct company *above, int path_length)
{
	char constraints[40];

	if (path_length < 0)
		snprintf(constraints, sizeof(constraints), "critical,CA:TRUE");
	else
		snprintf(constraints, sizeof(constraints),
			 "critical,CA:TRUE,pathlen:%d", path_length);
	return company_new(name, kind, above, constraints,
			   "critical,keyCertSign,cRLSign", COMPANY_FROM,
			   COMPANY_UNTIL);
}

void company_free(struct company *company)
{
	X509_free(company->certificate);
	nsm_key_free(company->key);
}

void company_write(const struct company *company, const char *path)
{
	cleanup_fclose FILE *file = fopen(path, "ae");

	assert_non_null(file);
	assert_true(PEM_write_X509(file, company->certificate));
}

void company_write_key(const struct company *company, const char *path)
{
	cleanup_fclose FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(PEM_write_PrivateKey(file, nsm_key_pkey(company->key), NULL,
					 NULL, 0, NULL, NULL));
}
