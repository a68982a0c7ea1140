// SPDX-License-Identifier: Apache-2.0
/*
 * The folder that keeps an authority: each byte of the input opens it, stores
 * another authority in it, or reads it.
 *
 * Whatever fails meanwhile: an authority that was there is there or its
 * successor is, whole; no temporary file and no descriptor stays.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/x509.h>

#include <ne/error.h>

#include "nsm-emu/issuer.h"
#include "nsm-emu/pki.h"
#include "nsm-emu/random.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPEN, STORE_NEW, STORE_INSTEAD, LOAD, OPERATIONS };

#define OPERATIONS_MAX 8

static char folder[256];
static struct nsm_random *random_source;
static struct issuer *issuers[2];

/* --- The folder --------------------------------------------------------------- */

int LLVMFuzzerInitialize(int *argc __attribute__((unused)),
			 char ***argv __attribute__((unused)))
{
	const char *where = getenv("TMPDIR");

	/* Made and removed with each input. */
	snprintf(folder, sizeof(folder), "%s/fuzz-pki.%d",
		 where ? where : "/tmp", getpid());
	/* Seeded: its root takes the same steps in each run. */
	random_source = nsm_random_new("fuzz");
	expect(random_source);
	for (size_t i = 0; i < 2; i++) {
		struct nsm_random *own = nsm_random_new(i ? "one" : "two");

		expect(own && !issuer_new_root(&issuers[i], own, NULL));
		nsm_random_free(own);
	}
	return 0;
}

static bool is_expected(const char *name)
{
	return !strcmp(name, "authority.pem") || !strcmp(name, "root.pem") ||
	       !strcmp(name, ".lock") || !strncmp(name, "root.pem.old-", 13);
}

/* Looks at, or removes, each file. */
static void visit(void (*file)(const char *path, const char *name))
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[600];

	if (!dir && errno == ENOENT)
		return;
	expect(dir);
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		file(path, entry->d_name);
	}
	closedir(dir);
}

static void check_file(const char *path __attribute__((unused)),
		       const char *name)
{
	expect(is_expected(name));
}

static void remove_file(const char *path,
			const char *name __attribute__((unused)))
{
	expect(!unlink(path));
}

static bool has_authority(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/authority.pem", folder);
	return access(path, F_OK) == 0;
}

static unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	expect(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* --- Operations --------------------------------------------------------------- */

static void check_is(const struct issuer *expected)
{
	struct issuer *found = NULL;

	expect(!pki_load(&found, folder, false, NULL));
	expect(!expected ||
	       !X509_cmp(issuer_root(found), issuer_root(expected)));
	issuer_free(found);
}

static int open_authority(struct ne_error *err)
{
	struct issuer *issuer = NULL;
	int ret;

	fuzz_calls_may_fail();
	ret = pki_open(&issuer, folder, random_source, err);
	fuzz_calls_succeed();
	if (!ret)
		check_is(issuer);
	issuer_free(issuer);
	return ret;
}

static int store(const struct issuer *issuer, enum pki_mode mode,
		 struct ne_error *err)
{
	char *old = NULL;
	int ret;

	fuzz_calls_may_fail();
	ret = pki_store(issuer, folder, mode, &old, err);
	fuzz_calls_succeed();
	if (!ret)
		check_is(issuer);
	expect(!old || access(old, F_OK) == 0);
	free(old);
	return ret;
}

static int load(struct ne_error *err)
{
	struct issuer *issuer = NULL;
	int ret;

	fuzz_calls_may_fail();
	ret = pki_load(&issuer, folder, false, err);
	fuzz_calls_succeed();
	issuer_free(issuer);
	return ret;
}

static int operate(unsigned int byte, struct ne_error *err)
{
	const struct issuer *issuer = issuers[byte / OPERATIONS % 2];

	switch (byte % OPERATIONS) {
	case OPEN:
		return open_authority(err);
	case STORE_NEW:
		return store(issuer, PKI_NEW, err);
	case STORE_INSTEAD:
		return store(issuer, PKI_REPLACE, err);
	default:
		return load(err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned int descriptors = count_descriptors();

	if (size > OPERATIONS_MAX)
		return -1;
	for (; size; data++, size--) {
		const bool had_authority = has_authority();
		struct ne_error err = { 0 };
		int ret = operate(data[0], &err);

		expect(ret <= 0 && (!ret || (err.code == -ret && *err.text)));
		expect(!had_authority || has_authority());
		if (has_authority())
			check_is(NULL);
		visit(check_file);
	}
	visit(remove_file);
	expect(!rmdir(folder) || errno == ENOENT);
	expect(count_descriptors() == descriptors);
	return 0;
}
