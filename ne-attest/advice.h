/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library cannot say of a refusal, since it knows no options: which
 * of them it was, and which would help.
 */
#ifndef NE_ATTEST_ADVICE_H
#define NE_ATTEST_ADVICE_H

#include "ne-attest/verify_options.h"

/* Adds to the sentence of a document that was refused. */
void advise(struct ne_error *err, enum ne_attestation_check failed,
	    const struct ne_attestation *attestation,
	    const struct verify_options *options);

#endif
