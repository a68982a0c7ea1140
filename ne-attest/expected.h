/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers that are expected of an enclave, from wherever they are known.
 *
 * Functions return 0 or a negative errno with a sentence; -EINVAL: a register
 * is expected to have two different values, or a value makes no sense.
 */
#ifndef NE_ATTEST_EXPECTED_H
#define NE_ATTEST_EXPECTED_H

#include <stdbool.h>

#include <ne/pcr.h>

#include "ne-attest/bytes.h"

/* Whose register it is, as in "role" and its ARN. */
struct origin {
	const char *what; /* NULL: just a value */
	const char *name; /* the caller's */
};

struct expected {
	uint32_t mask;	   /* bit i: pcrs[i] is expected */
	uint32_t extended; /* bit i: by what extends it */
	struct ne_pcr pcrs[NE_PCR_COUNT];
	struct origin origins[NE_PCR_COUNT];
};

bool is_expected(const struct expected *expected, unsigned int index);

/* 96 hexadecimal digits. */
int expect_hex(struct expected *expected, unsigned int index, const char *hex,
	       struct ne_error *err);
/* "INDEX=HEX" */
int expect_assignment(struct expected *expected, const char *text,
		      struct ne_error *err);
/*
 * "INDEX=VALUE": that the enclave extends a register of its own, 16 to 31, by
 * this value, after all that it was extended by here before.
 */
int expect_extension(struct expected *expected, const char *text,
		     struct ne_error *err);
/* PCR0, 1 and 2 of an image, and PCR8 if it is signed. */
int expect_image(struct expected *expected, const char *path,
		 struct ne_error *err);
/* PCR3: the ARN of the parent's IAM role. */
int expect_role(struct expected *expected, const char *arn,
		struct ne_error *err);
/* PCR4: the parent's instance id. */
int expect_instance_id(struct expected *expected, const char *id,
		       struct ne_error *err);

#endif
