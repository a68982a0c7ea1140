/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NE_ATTEST_VERIFY_OPTIONS_H
#define NE_ATTEST_VERIFY_OPTIONS_H

#include <stdbool.h>

#include <ne/attestation.h>

#include "ne-attest/bytes.h"
#include "ne-attest/certificates.h"
#include "ne-attest/expected.h"

struct verify_options {
	struct ne_attestation_policy policy; /* points into the rest */
	struct roots roots;
	struct expected expected;
	struct bytes nonce; /* data is NULL: not expected */
	struct bytes user_data;
	struct bytes public_key;
	struct ne_attestation_bytes nonce_view;
	struct ne_attestation_bytes user_data_view;
	struct ne_attestation_bytes public_key_view;
	bool as_json;
	bool quiet;
	bool strict;
	char **documents; /* ends with NULL */
};

/*
 * 0, or an exit status: what is wrong has been said. -1: --help has been
 * answered. Options must not move afterwards; they are for
 * verify_options_free(), whatever the result.
 */
int verify_options_parse(struct verify_options *options, int argc, char **argv);
void verify_options_free(struct verify_options *options);

#endif
