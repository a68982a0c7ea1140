// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * At the top is what was read from files (struct issuer). Below it are kept
 * the last regional, zonal and instance authorities that were made. A leaf is
 * to be valid for a window of time, so who issues it must be valid for all of
 * that window; if the instance that is kept is not, another one is made, which
 * itself asks the same of the zonal one, and so on up. That covers first use,
 * renewal, and clocks that jump. Each level lives longer than the one below it
 * and is backdated further, so that one above is renewed rarely.
 *
 * Only the top is given. Windows are cut to its validity; one that a usual
 * lifetime does not fill (a very long-lived leaf) makes the levels above live
 * longer.
 *
 * One mutex guards what is kept. It is held while certificates are made, which
 * takes about a millisecond and happens once in hours.
 */
#include "nsm-emu/authority.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/hierarchy.h"
#include "nsm-emu/issuer.h"
#include "nsm-emu/key.h"
#include "nsm-emu/pki.h"
#include "nsm-emu/random.h"

#define DEFAULT_REGION "us-east-1"
#define DEFAULT_INSTANCE_ID "i-00000000000000000"

/* Region, zone, instance. */
#define LEVELS_BETWEEN (HIERARCHY_LEAF - HIERARCHY_REGIONAL)

_Static_assert(ISSUER_CHAIN_MAX + LEVELS_BETWEEN <= NSM_BUNDLE_MAX,
	       "every chain fits into a bundle");

struct nsm_authority {
	struct issuer *top;
	enum hierarchy_level first; /* directly below the top */
	char *region;
	char *instance_id;
	struct nsm_random *random;
	pthread_mutex_t mutex; /* of levels */
	struct hierarchy_signer levels[HIERARCHY_LEAF];
};

/* --- Opening ---------------------------------------------------------------- */

static int copy_options(struct nsm_authority *authority,
			const struct nsm_authority_options *options,
			struct ne_error *err)
{
	authority->region =
		strdup(options->region ? options->region : DEFAULT_REGION);
	authority->instance_id = strdup(options->instance_id
						? options->instance_id
						: DEFAULT_INSTANCE_ID);
	authority->random = options->random ? nsm_random_derive(options->random,
								"authority")
					    : nsm_random_new(NULL);
	if (!authority->region || !authority->instance_id || !authority->random)
		return ne_error_set(err, ENOMEM, "out of memory");
	return hierarchy_check_names(
		&(struct hierarchy_names){ .region = authority->region,
					   .instance_id =
						   authority->instance_id,
					   .module_id = "" },
		err);
}

static int open_top(struct nsm_authority *authority,
		    const struct nsm_authority_options *options,
		    struct ne_error *err)
{
	if (!options->ca_cert != !options->ca_key)
		return ne_error_set(
			err, EINVAL,
			"an authority's certificate and its key go together: name both or none");
	if (options->ca_cert)
		return issuer_open(&authority->top, options->ca_cert,
				   options->ca_key,
				   nsm_random_is_seeded(authority->random),
				   err);
	return pki_open(&authority->top, options->folder,
			options->random ? options->random : authority->random,
			err);
}

static enum hierarchy_level first_level(const struct issuer *top)
{
	return top->path_length >= LEVELS_BETWEEN
		       ? HIERARCHY_REGIONAL
		       : (enum hierarchy_level)(HIERARCHY_LEAF -
						top->path_length);
}

int nsm_authority_open(struct nsm_authority **authority,
		       const struct nsm_authority_options *options,
		       struct ne_error *err)
{
	struct nsm_authority *made = calloc(1, sizeof(*made));
	const int64_t now = options->now ? (int64_t)(options->now / 1000)
					 : (int64_t)time(NULL);
	int r;

	if (!made)
		return ne_error_set(err, ENOMEM, "out of memory");
	pthread_mutex_init(&made->mutex, NULL);
	r = copy_options(made, options, err);
	if (!r)
		r = open_top(made, options, err);
	if (!r)
		r = issuer_check_time(made->top, now, err);
	if (r) {
		nsm_authority_free(made);
		return r;
	}
	made->first = first_level(made->top);
	*authority = made;
	return 0;
}

void nsm_authority_free(struct nsm_authority *authority)
{
	if (!authority)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(authority->levels); i++)
		hierarchy_signer_clear(&authority->levels[i]);
	pthread_mutex_destroy(&authority->mutex);
	issuer_free(authority->top);
	nsm_random_free(authority->random);
	free(authority->region);
	free(authority->instance_id);
	free(authority);
}

const char *nsm_authority_left_out(const struct nsm_authority *authority)
{
	return hierarchy_left_out(authority->top->path_length);
}

int64_t nsm_authority_not_after(const struct nsm_authority *authority)
{
	return authority->top->signer.validity.not_after;
}

/* --- The levels between ------------------------------------------------------- */

static bool covers(const struct hierarchy_validity *validity,
		   struct hierarchy_validity window)
{
	return validity->not_before <= window.not_before &&
	       validity->not_after >= window.not_after;
}

static struct hierarchy_validity unite(struct hierarchy_validity a,
				       struct hierarchy_validity b)
{
	if (b.not_before < a.not_before)
		a.not_before = b.not_before;
	if (b.not_after > a.not_after)
		a.not_after = b.not_after;
	return a;
}

static struct hierarchy_validity cut(struct hierarchy_validity a,
				     struct hierarchy_validity b)
{
	if (b.not_before > a.not_before)
		a.not_before = b.not_before;
	if (b.not_after < a.not_after)
		a.not_after = b.not_after;
	return a;
}

static int issue(struct nsm_authority *authority, enum hierarchy_level level,
		 int64_t now, const char *module_id,
		 struct hierarchy_validity window,
		 struct hierarchy_signer *made, struct ne_error *err);

/* Who signs at this level, good for all of the window. */
static int signer_of(struct nsm_authority *authority,
		     enum hierarchy_level level, int64_t now,
		     struct hierarchy_validity window,
		     const struct hierarchy_signer **signer,
		     struct ne_error *err)
{
	struct hierarchy_signer *kept = &authority->levels[level];
	struct hierarchy_signer made;
	int r;

	*signer = level < authority->first ? &authority->top->signer : kept;
	if (level < authority->first ||
	    (kept->certificate && covers(&kept->validity, window)))
		return 0;
	window = unite(hierarchy_validity(level, now, authority->random),
		       window);
	window = cut(window, authority->top->signer.validity);
	r = issue(authority, level, now, NULL, window, &made, err);
	if (r)
		return r;
	hierarchy_signer_clear(kept);
	*kept = made;
	return 0;
}

/* By the level above, which it makes if need be. */
static int issue(struct nsm_authority *authority, enum hierarchy_level level,
		 int64_t now, const char *module_id,
		 struct hierarchy_validity window,
		 struct hierarchy_signer *made, struct ne_error *err)
{
	const struct hierarchy_names names = {
		.region = authority->region,
		.instance_id = authority->instance_id,
		.module_id = module_id,
	};
	const struct hierarchy_signer *signer;
	int r = signer_of(authority, level - 1, now, window, &signer, err);

	return r ? r
		 : hierarchy_make(made, level, &names, window, signer,
				  authority->random, err);
}

/* --- Leaves --------------------------------------------------------------------- */

static void add_to_bundle(struct nsm_issued *issued, X509 *certificate)
{
	X509_up_ref(certificate);
	issued->bundle[issued->n_bundle++] = certificate;
}

static void fill_bundle(const struct nsm_authority *authority,
			struct nsm_issued *issued)
{
	const struct issuer *top = authority->top;
	int level;

	for (size_t i = top->n; i > 0; i--)
		add_to_bundle(issued, top->chain[i - 1]);
	for (level = (int)authority->first; level < HIERARCHY_LEAF; level++)
		add_to_bundle(issued, authority->levels[level].certificate);
}

int nsm_authority_issue(struct nsm_authority *authority, const char *module_id,
			int64_t now, uint32_t lifetime,
			struct nsm_issued *issued, struct ne_error *err)
{
	struct hierarchy_validity window = {
		.not_before = now - HIERARCHY_LEAF_BACKDATE,
		.not_after = now + lifetime,
	};
	struct hierarchy_signer leaf;
	int r = issuer_check_time(authority->top, now, err);

	if (r)
		return r;
	window = cut(window, authority->top->signer.validity);
	*issued = (struct nsm_issued){ .not_before = window.not_before,
				       .not_after = window.not_after };
	pthread_mutex_lock(&authority->mutex);
	r = issue(authority, HIERARCHY_LEAF, now, module_id, window, &leaf,
		  err);
	if (!r)
		fill_bundle(authority, issued);
	pthread_mutex_unlock(&authority->mutex);
	if (r)
		return r;
	issued->key = leaf.key;
	issued->leaf = leaf.certificate;
	return 0;
}

void nsm_issued_clear(struct nsm_issued *issued)
{
	nsm_key_free(issued->key);
	X509_free(issued->leaf);
	for (size_t i = 0; i < issued->n_bundle; i++)
		X509_free(issued->bundle[i]);
	*issued = (struct nsm_issued){ 0 };
}
