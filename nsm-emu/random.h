/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Randomness: OpenSSL's generator, or, for reproducible tests, a function of
 * a seed.
 *
 * Thread safety: all of it, from any thread. What a seed gives depends on the
 * order of the calls, so each user that must be reproducible for itself
 * derives a source of its own by a label.
 */
#ifndef NSM_EMU_RANDOM_H
#define NSM_EMU_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

struct nsm_random;

/* seed: a text, any; NULL: no seed. NULL if out of memory. */
struct nsm_random *nsm_random_new(const char *seed);
/*
 * A source that depends on the parent's seed and this label alone, not on
 * what was taken from the parent. Without a seed: one like the parent.
 */
struct nsm_random *nsm_random_derive(const struct nsm_random *parent,
				     const char *label);
/* NULL is fine. */
void nsm_random_free(struct nsm_random *random);

bool nsm_random_is_seeded(const struct nsm_random *random);
/* 0, or -EIO when there is no randomness to be had. */
int nsm_random_bytes(struct nsm_random *random, void *to, size_t size);

#endif
