/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a module stands on, for tests in which every byte is known: an
 * identity whose certificates and signatures are none, randomness that counts,
 * and a clock that stands still.
 */
#ifndef TESTS_UNIT_NSM_FAKES_H
#define TESTS_UNIT_NSM_FAKES_H

#include <stdbool.h>

#include "nsm-emu/identity.h"
#include "nsm-emu/module.h"

/*
 * The leaf's certificate is c1 c2 c3 (or certificate_size times c1), above it
 * are a1, the root, and a2 a3. A signature is the SHA-384 of what was signed,
 * twice.
 */
struct nsm_identity {
	struct nsm_leaf leaf;
	bool has_no_leaf; /* nsm_identity_leaf() fails */
	bool has_no_key;  /* nsm_leaf_sign() fails */
	int references;
	int leaves;	   /* that are referenced */
	uint64_t asked_at; /* by the last nsm_identity_leaf() */
};

/* 00, 01, 02 and so on. */
struct nsm_random {
	uint8_t next;
	bool is_broken;
};

void fake_identity_start(struct nsm_identity *identity);
/* bytes: at least size of them, which must stay. */
void fake_identity_set_certificate(struct nsm_identity *identity,
				   const uint8_t *bytes, size_t size);

/* 2023-11-14 22:13:20 UTC: 1b 0000018bcfe56800 */
#define FAKE_TIME UINT64_C(1700000000000)
extern const struct nsm_clock fake_clock;

#endif
