/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate authorities above a module's leaf, as Nitro has them: root,
 * region, zone, instance.
 *
 * The root is made once per user and kept in a folder (pki.h); or it is a
 * company's own root or intermediate. The three below it are made in memory
 * when first needed and again before they end.
 *
 * Thread safety: all of it, from any thread.
 */
#ifndef NSM_EMU_AUTHORITY_H
#define NSM_EMU_AUTHORITY_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "nsm-emu/identity.h"

struct ne_error;
struct nsm_authority;
struct nsm_key;
struct nsm_random;

/*
 * folder: of the root, see pki.h; NULL: the user's ($XDG_CONFIG_HOME/ne/pki).
 * ca_cert, ca_key: another authority instead: a PEM file with its certificate
 *	and those above it, and its key: a PEM file, or a URI that OpenSSL can
 *	open ("pkcs11:..." with a provider for that). Both or none.
 * region: as in "us-east-1"; part of names; NULL: that one
 * instance_id: of the parent; part of names; NULL: i-00000000000000000
 * random: copied by derivation; NULL: no seed
 * now: a time (milliseconds since 1970) at which the root must be valid; 0:
 *	the system's
 */
struct nsm_authority_options {
	const char *folder;
	const char *ca_cert;
	const char *ca_key;
	const char *region;
	const char *instance_id;
	const struct nsm_random *random;
	uint64_t now;
};

/*
 * Reads the root; makes it if the folder is the user's own, empty or not there
 * yet. Quick unless the root has to be made. From a seeded source a root that
 * is made comes from the seed, but for the user's own, which is for more than
 * one test.
 *
 * Of region, zone and instance there are as many below a company's authority
 * as the path lengths above allow, the instance first.
 *
 * 0, or a negative errno with a sentence that says what to do: -EKEYEXPIRED,
 * -EACCES (see pki.h), -EBADMSG (the certificates, see issuer.h), -ENOTEMPTY,
 * -EINVAL.
 */
int nsm_authority_open(struct nsm_authority **authority,
		       const struct nsm_authority_options *options,
		       struct ne_error *err);
/* NULL is fine. */
void nsm_authority_free(struct nsm_authority *authority);

/* A leaf's key, its certificate, and those above it. */
struct nsm_issued {
	struct nsm_key *key;
	X509 *leaf;
	X509 *bundle[NSM_BUNDLE_MAX]; /* root first */
	size_t n_bundle;
	int64_t not_before; /* seconds since 1970 (UTC) */
	int64_t not_after;
};

/*
 * Issues a leaf that is valid at this second and for `lifetime` seconds from
 * then, or until the root ends; no certificate in the bundle ends before it.
 * For nsm_issued_clear(). 0; -EKEYEXPIRED: the root is not valid at this time;
 * -EINVAL, -EIO, -ENOMEM.
 */
int nsm_authority_issue(struct nsm_authority *authority, const char *module_id,
			int64_t now, uint32_t lifetime,
			struct nsm_issued *issued, struct ne_error *err);
void nsm_issued_clear(struct nsm_issued *issued);
/* See hierarchy_left_out(). */
const char *nsm_authority_left_out(const struct nsm_authority *authority);
/* After this second the root, or one that it stands below, is not valid. */
int64_t nsm_authority_not_after(const struct nsm_authority *authority);

#endif
