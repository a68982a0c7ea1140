// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/nsm_fakes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <ne/error.h>

#include "nsm-emu/random.h"

static const uint8_t certificate[] = { 0xc1, 0xc2, 0xc3 };
static const uint8_t root[] = { 0xa1 };
static const uint8_t issuer[] = { 0xa2, 0xa3 };

/* --- nsm-emu/identity.h ----------------------------------------------------- */

void fake_identity_set_certificate(struct nsm_identity *identity,
				   const uint8_t *bytes, size_t size)
{
	identity->leaf.certificate.der = bytes;
	identity->leaf.certificate.size = size;
}

void fake_identity_start(struct nsm_identity *identity)
{
	*identity = (struct nsm_identity){ .references = 1 };
	fake_identity_set_certificate(identity, certificate,
				      sizeof(certificate));
	identity->leaf.bundle[0].der = root;
	identity->leaf.bundle[0].size = sizeof(root);
	identity->leaf.bundle[1].der = issuer;
	identity->leaf.bundle[1].size = sizeof(issuer);
	identity->leaf.n_bundle = 2;
	identity->leaf.not_after = INT64_MAX;
}

struct nsm_identity *nsm_identity_ref(struct nsm_identity *identity)
{
	identity->references++;
	return identity;
}

void nsm_identity_unref(struct nsm_identity *identity)
{
	if (identity && !identity->references--)
		abort();
}

int nsm_identity_leaf(struct nsm_identity *identity, uint64_t now,
		      const struct nsm_leaf **leaf, struct ne_error *err)
{
	if (identity->has_no_leaf)
		return ne_error_set(err, EKEYEXPIRED, "there is no leaf");
	identity->asked_at = now;
	identity->leaves++;
	*leaf = &identity->leaf;
	return 0;
}

/* The leaf is the first member. */
static struct nsm_identity *identity_of(const struct nsm_leaf *leaf)
{
	return (struct nsm_identity *)(uintptr_t)leaf;
}

void nsm_leaf_unref(const struct nsm_leaf *leaf)
{
	if (!identity_of(leaf)->leaves--)
		abort();
}

int nsm_leaf_sign(const struct nsm_leaf *leaf, const void *data, size_t size,
		  uint8_t signature[NSM_SIGNATURE_SIZE], struct ne_error *err)
{
	if (identity_of(leaf)->has_no_key)
		return ne_error_set(err, EIO, "there is no key");
	if (!EVP_Digest(data, size, signature, NULL, EVP_sha384(), NULL))
		return -EIO;
	memcpy(signature + 48, signature, 48);
	return 0;
}

/* --- nsm-emu/random.h --------------------------------------------------------- */

int nsm_random_bytes(struct nsm_random *random, void *to, size_t size)
{
	uint8_t *bytes = to;

	if (random->is_broken)
		return -EIO;
	for (size_t i = 0; i < size; i++)
		bytes[i] = random->next++;
	return 0;
}

/* --- The clock ---------------------------------------------------------------- */

static uint64_t stand_still(void *data __attribute__((unused)))
{
	return FAKE_TIME;
}

const struct nsm_clock fake_clock = { .now = stand_still };
