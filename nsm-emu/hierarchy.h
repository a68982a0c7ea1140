/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the five certificates of a chain look like: root, regional, zonal,
 * instance and leaf, as those of Nitro do [certificates of real documents],
 * but for names that nobody can take for AWS's.
 *
 * From a seeded source a certificate is a function of the seed, its level,
 * its names and its validity, and of who signs it.
 *
 * Thread safety: all of it, from any thread.
 */
#ifndef NSM_EMU_HIERARCHY_H
#define NSM_EMU_HIERARCHY_H

#include <stdint.h>

#include <openssl/x509.h>

struct ne_error;
struct nsm_key;
struct nsm_random;

enum hierarchy_level {
	HIERARCHY_ROOT,
	HIERARCHY_REGIONAL,
	HIERARCHY_ZONAL,
	HIERARCHY_INSTANCE,
	HIERARCHY_LEAF,
};

#define HIERARCHY_LEVELS 5

/*
 * Which levels there are not below an authority that may have so many others
 * below it: in words; NULL: all are there.
 */
const char *hierarchy_left_out(int32_t path_length);

/* What our own names end with; the root has no other name. */
#define HIERARCHY_DOMAIN "emulated.nitro-enclaves"

/* How long a leaf lives from when it is made, and how far it is backdated. */
#define HIERARCHY_LEAF_LIFETIME (3 * 3600)
#define HIERARCHY_LEAF_BACKDATE 3

/* Both are the certificate's; seconds since 1970 (UTC). */
struct hierarchy_validity {
	int64_t not_before;
	int64_t not_after;
};

/* A certificate, and its subject's key: who can sign. */
struct hierarchy_signer {
	struct nsm_key *key;
	X509 *certificate;
	struct hierarchy_validity validity;
};

/* NULL: not needed for the level in question. */
struct hierarchy_names {
	const char *region;
	const char *instance_id;
	const char *module_id;
};

/*
 * The validity that a certificate of this level usually gets at this time
 * (seconds since 1970). From a seeded source a root's does not depend on it.
 */
struct hierarchy_validity hierarchy_validity(enum hierarchy_level level,
					     int64_t now,
					     const struct nsm_random *random);

/* Do they fit into certificates' names? 0, or -EINVAL. */
int hierarchy_check_names(const struct hierarchy_names *names,
			  struct ne_error *err);

/*
 * Makes a key and a certificate; issuer is NULL for a root. For
 * hierarchy_signer_clear(). 0, -EINVAL (a name is too long), -EIO, -ENOMEM.
 */
int hierarchy_make(struct hierarchy_signer *made, enum hierarchy_level level,
		   const struct hierarchy_names *names,
		   struct hierarchy_validity validity,
		   const struct hierarchy_signer *issuer,
		   const struct nsm_random *random, struct ne_error *err);

/* Releases and empties it; an empty one is fine. */
void hierarchy_signer_clear(struct hierarchy_signer *signer);

#endif
