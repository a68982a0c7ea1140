/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who signs documents: the module's leaf certificate, its key, and the chain
 * up to the root; and its renewal.
 *
 * A leaf lives for three hours as on Nitro, a module for as long as it likes.
 * An identity hands out the leaf that is good now. When the leaf has used up
 * most of its life the next one is made, with a new key, by whoever asks
 * then; others meanwhile go on with the old one as long as it is valid.
 *
 * Thread safety: all of it, from any thread.
 */
#ifndef NSM_EMU_IDENTITY_H
#define NSM_EMU_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

struct ne_error;
struct nsm_authority;

/* Bytes of an ES384 signature as COSE has it: r and s, 48 each. */
#define NSM_SIGNATURE_SIZE 96
/* Certificates from the root to the leaf's issuer, at most. */
#define NSM_BUNDLE_MAX 8

struct nsm_identity;

struct nsm_certificate {
	const uint8_t *der;
	size_t size;
};

/* Never changes once it is made; kept alive by references. */
struct nsm_leaf {
	struct nsm_certificate certificate;
	struct nsm_certificate bundle[NSM_BUNDLE_MAX]; /* root first */
	size_t n_bundle;
	int64_t not_before; /* seconds since 1970 (UTC) */
	int64_t not_after;
};

/*
 * lifetime: of a leaf, in seconds; 0: three hours.
 * The authority must outlive the identity. Makes no key yet.
 */
int nsm_identity_new(struct nsm_identity **identity,
		     struct nsm_authority *authority, const char *module_id,
		     uint32_t lifetime, struct ne_error *err);
struct nsm_identity *nsm_identity_ref(struct nsm_identity *identity);
/* NULL is fine. */
void nsm_identity_unref(struct nsm_identity *identity);

/*
 * The leaf to use at this time (milliseconds since 1970), for
 * nsm_leaf_unref(). 0, or a negative errno: no certificate can be made.
 */
int nsm_identity_leaf(struct nsm_identity *identity, uint64_t now,
		      const struct nsm_leaf **leaf, struct ne_error *err);
void nsm_leaf_unref(const struct nsm_leaf *leaf);

/* ES384 over data: r and s, big-endian. 0, -EIO, -ENOMEM. */
int nsm_leaf_sign(const struct nsm_leaf *leaf, const void *data, size_t size,
		  uint8_t signature[NSM_SIGNATURE_SIZE], struct ne_error *err);

#endif
