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

#include <stdint.h>

struct ne_error;
struct nsm_authority;
struct nsm_random;

/*
 * folder: of the root, see pki.h; NULL: the user's ($XDG_CONFIG_HOME/ne/pki).
 * ca_cert, ca_key: another authority instead: a PEM file with its certificate
 *	and those above it, and its key: a PEM file, or a URI that OpenSSL can
 *	open ("pkcs11:..." with a provider for that). Both or none.
 * region: as in "us-east-1"; part of names
 * instance_id: of the parent; part of names
 * random: copied by derivation
 */
struct nsm_authority_options {
	const char *folder;
	const char *ca_cert;
	const char *ca_key;
	const char *region;
	const char *instance_id;
	const struct nsm_random *random;
};

/*
 * Reads the root; makes it if the folder is the user's own or empty. Quick
 * unless the root has to be made.
 * 0, or a negative errno with a sentence that says what to do.
 */
int nsm_authority_open(struct nsm_authority **authority,
		       const struct nsm_authority_options *options,
		       struct ne_error *err);
/* NULL is fine. */
void nsm_authority_free(struct nsm_authority *authority);

#endif
