/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder that keeps a user's authority.
 *
 *	authority.pem	the key and the certificates, mode 0600: the authority
 *	root.pem	its root alone, for verifiers
 *	root.pem.old-*	roots that it had before, for old documents
 *	.lock		held while any of these is written
 *
 * Thread and process safety: all of it; of several that would make the first
 * authority at once one does, and the others take that one.
 */
#ifndef NSM_EMU_PKI_H
#define NSM_EMU_PKI_H

#include <stdbool.h>

struct issuer;
struct ne_error;
struct nsm_random;

/*
 * The name of the user's own folder, $XDG_CONFIG_HOME/ne/pki, else
 * ~/.config/ne/pki; for free(). 0, -ENOENT (no home), -ENOMEM.
 */
int pki_default_folder(char **folder, struct ne_error *err);

/* Of the authority in a folder; both are for free(). 0, -ENOMEM. */
int pki_authority_path(char **path, const char *folder, struct ne_error *err);
int pki_root_path(char **path, const char *folder, struct ne_error *err);

/*
 * The authority of a folder, for issuer_free(). is_deterministic: see
 * issuer_parse(). 0; -ENOENT: there is none; -EACCES: its key can be read by
 * others; -EBADMSG: it is damaged; other negative errnos.
 */
int pki_load(struct issuer **issuer, const char *folder, bool is_deterministic,
	     struct ne_error *err);

/*
 * Keeps an authority in a folder, which is made if need be.
 * PKI_NEW: only if there is none yet; else -EEXIST
 * PKI_REPLACE: in place of the one that is there, whatever state it is in
 * *old_root, which may be NULL: where the root now is that was there before,
 *	for free(); NULL: there was none, or it is the same.
 */
enum pki_mode { PKI_NEW, PKI_REPLACE };
int pki_store(const struct issuer *issuer, const char *folder,
	      enum pki_mode mode, char **old_root, struct ne_error *err);

/*
 * The authority of a folder; if there is none, a new root, which is kept
 * there. folder: NULL: the user's own. Another one must be empty for that, or
 * not be there yet; and from a seeded source (also: is_deterministic) its root
 * is made, but never the user's own, which serves for more than one test.
 */
int pki_open(struct issuer **issuer, const char *folder,
	     const struct nsm_random *random, struct ne_error *err);

#endif
