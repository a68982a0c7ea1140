// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * The identity keeps one leaf. Whoever asks gets it while it is valid at his
 * time. When three quarters of its life are over, the first who asks makes
 * the next one, outside the lock, and everybody else goes on with the old
 * one. When the old one is not valid for him (it has ended, or his clock is
 * set to another time), he waits for the one who is at it, and looks again;
 * if there is nobody he makes one himself.
 */
#include "nsm-emu/identity.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/authority.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/hierarchy.h"
#include "nsm-emu/key.h"

_Static_assert(NSM_SIGNATURE_SIZE == NSM_KEY_SIGNATURE_SIZE,
	       "a leaf's signature is that of its key");

struct leaf {
	struct nsm_leaf public; /* first: what others see */
	atomic_uint references;
	struct nsm_key *key;
	int64_t renewal;  /* from this second on */
	uint8_t *encoded; /* all certificates */
};

struct nsm_identity {
	atomic_uint references;
	struct nsm_authority *authority;
	char *module_id;
	uint32_t lifetime;
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t renewed;
	bool is_renewing;
	struct leaf *current;
};

/* --- A leaf -------------------------------------------------------------------- */

static void leaf_free(struct leaf *leaf)
{
	nsm_key_free(leaf->key);
	free(leaf->encoded);
	free(leaf);
}

static struct leaf *leaf_ref(struct leaf *leaf)
{
	atomic_fetch_add_explicit(&leaf->references, 1, memory_order_relaxed);
	return leaf;
}

static void leaf_unref(struct leaf *leaf)
{
	if (leaf && atomic_fetch_sub_explicit(&leaf->references, 1,
					      memory_order_acq_rel) == 1)
		leaf_free(leaf);
}

void nsm_leaf_unref(const struct nsm_leaf *leaf)
{
	leaf_unref((struct leaf *)leaf);
}

int nsm_leaf_sign(const struct nsm_leaf *leaf, const void *data, size_t size,
		  uint8_t signature[NSM_SIGNATURE_SIZE], struct ne_error *err)
{
	return nsm_key_sign(((const struct leaf *)leaf)->key, data, size,
			    signature, err);
}

/* The certificates of an issue one behind the other, root first, leaf last. */
static X509 *nth_certificate(const struct nsm_issued *issued, size_t i)
{
	return i < issued->n_bundle ? issued->bundle[i] : issued->leaf;
}

static size_t encoded_size(const struct nsm_issued *issued)
{
	size_t total = 0;
	int size;

	for (size_t i = 0; i <= issued->n_bundle; i++) {
		size = i2d_X509(nth_certificate(issued, i), NULL);
		if (size <= 0)
			return 0;
		total += (size_t)size;
	}
	return total;
}

static int encode(struct leaf *leaf, const struct nsm_issued *issued)
{
	const size_t size = encoded_size(issued);
	uint8_t *at, *start;

	leaf->encoded = size ? malloc(size) : NULL;
	if (!leaf->encoded)
		return size ? -ENOMEM : -EIO;
	at = leaf->encoded;
	for (size_t i = 0; i <= issued->n_bundle; i++) {
		start = at;
		if (i2d_X509(nth_certificate(issued, i), &at) <= 0)
			return -EIO;
		*(i < issued->n_bundle ? &leaf->public.bundle[i]
				       : &leaf->public.certificate) =
			(struct nsm_certificate){ start, (size_t)(at - start) };
	}
	leaf->public.n_bundle = issued->n_bundle;
	return 0;
}

/*
 * When to make the next one: after three quarters of the time that is left
 * now, but not in this second; never if the next one would not live longer.
 */
static int64_t renewal(const struct nsm_issued *issued, int64_t now,
		       int64_t authority_not_after)
{
	const int64_t wait = (issued->not_after - now) / 4 * 3;

	if (issued->not_after >= authority_not_after)
		return INT64_MAX;
	return now + (wait ? wait : 1);
}

static int leaf_from(struct leaf **leaf, struct nsm_issued *issued,
		     struct ne_error *err)
{
	struct leaf *made = calloc(1, sizeof(*made));
	int r;

	if (!made)
		return ne_error_set(err, ENOMEM, "out of memory");
	atomic_init(&made->references, 1);
	made->public.not_before = issued->not_before;
	made->public.not_after = issued->not_after;
	made->key = take_ptr(&issued->key);
	r = encode(made, issued);
	if (r) {
		leaf_free(made);
		return crypto_error(err, -r, "cannot encode a certificate");
	}
	*leaf = made;
	return 0;
}

static int leaf_new(struct leaf **leaf, const struct nsm_identity *identity,
		    int64_t now, struct ne_error *err)
{
	struct nsm_issued issued;
	int r = nsm_authority_issue(identity->authority, identity->module_id,
				    now, identity->lifetime, &issued, err);

	if (r)
		return r;
	r = leaf_from(leaf, &issued, err);
	if (!r)
		(*leaf)->renewal =
			renewal(&issued, now,
				nsm_authority_not_after(identity->authority));
	nsm_issued_clear(&issued);
	return r;
}

/* --- The identity --------------------------------------------------------------- */

int nsm_identity_new(struct nsm_identity **identity,
		     struct nsm_authority *authority, const char *module_id,
		     uint32_t lifetime, struct ne_error *err)
{
	struct nsm_identity *made = calloc(1, sizeof(*made));

	if (made)
		made->module_id = strdup(module_id);
	if (!made || !made->module_id) {
		free(made);
		return ne_error_set(err, ENOMEM, "out of memory");
	}
	atomic_init(&made->references, 1);
	made->authority = authority;
	made->lifetime = lifetime ? lifetime : HIERARCHY_LEAF_LIFETIME;
	pthread_mutex_init(&made->mutex, NULL);
	pthread_cond_init(&made->renewed, NULL);
	*identity = made;
	return 0;
}

struct nsm_identity *nsm_identity_ref(struct nsm_identity *identity)
{
	atomic_fetch_add_explicit(&identity->references, 1,
				  memory_order_relaxed);
	return identity;
}

void nsm_identity_unref(struct nsm_identity *identity)
{
	if (!identity || atomic_fetch_sub_explicit(&identity->references, 1,
						   memory_order_acq_rel) != 1)
		return;
	leaf_unref(identity->current);
	pthread_cond_destroy(&identity->renewed);
	pthread_mutex_destroy(&identity->mutex);
	free(identity->module_id);
	free(identity);
}

/*
 * The last second does not count: documents have milliseconds, and one that
 * is later than not_after might be refused.
 */
static bool is_valid(const struct leaf *leaf, int64_t now)
{
	return leaf && now >= leaf->public.not_before &&
	       now < leaf->public.not_after;
}

/* Called and returns with the lock held, which it drops meanwhile. */
static int renew(struct nsm_identity *identity, int64_t now, struct leaf **leaf,
		 struct ne_error *err)
{
	struct leaf *made = NULL;
	int r;

	identity->is_renewing = true;
	pthread_mutex_unlock(&identity->mutex);
	r = leaf_new(&made, identity, now, err);
	pthread_mutex_lock(&identity->mutex);
	identity->is_renewing = false;
	pthread_cond_broadcast(&identity->renewed);
	if (r)
		return r;
	leaf_unref(identity->current);
	identity->current = made;
	*leaf = leaf_ref(made);
	return 0;
}

/* With the lock held. */
static int find(struct nsm_identity *identity, int64_t now, struct leaf **leaf,
		struct ne_error *err)
{
	struct leaf *current;

	while (!is_valid(identity->current, now) && identity->is_renewing)
		pthread_cond_wait(&identity->renewed, &identity->mutex);
	current = identity->current;
	if (!is_valid(current, now))
		return renew(identity, now, leaf, err);
	*leaf = leaf_ref(current);
	if (now < current->renewal || identity->is_renewing)
		return 0;
	/* The old one will do if there is no other to be had. */
	if (!renew(identity, now, &current, NULL)) {
		leaf_unref(*leaf);
		*leaf = current;
	}
	return 0;
}

int nsm_identity_leaf(struct nsm_identity *identity, uint64_t now,
		      const struct nsm_leaf **leaf, struct ne_error *err)
{
	struct leaf *found;
	int r;

	pthread_mutex_lock(&identity->mutex);
	r = find(identity, (int64_t)(now / 1000), &found, err);
	pthread_mutex_unlock(&identity->mutex);
	if (!r)
		*leaf = &found->public;
	return r;
}
