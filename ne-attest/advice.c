// SPDX-License-Identifier: Apache-2.0
#include "ne-attest/advice.h"

#include <string.h>
#include <time.h>

/* --- Which option it was ------------------------------------------------- */

static bool is_as_expected(const struct ne_attestation_bytes *found,
			   const struct ne_pcr *expected)
{
	return found && found->size == sizeof(expected->bytes) &&
	       !memcmp(found->data, expected->bytes, found->size);
}

/* Of the first register that is another; NULL: nobody's. */
static const struct origin *
origin_of_wrong_pcr(const struct ne_attestation *attestation,
		    const struct expected *expected, unsigned int *index)
{
	for (unsigned int i = 0; i < NE_PCR_COUNT; i++) {
		if (!is_expected(expected, i) ||
		    is_as_expected(ne_attestation_pcr(attestation, i),
				   &expected->pcrs[i]))
			continue;
		*index = i;
		return expected->origins[i].what ? &expected->origins[i] : NULL;
	}
	return NULL;
}

static void name_origin(struct ne_error *err,
			const struct ne_attestation *attestation,
			const struct expected *expected)
{
	unsigned int index;
	const struct origin *origin =
		origin_of_wrong_pcr(attestation, expected, &index);

	if (origin)
		ne_error_prefix(err, "PCR%u is not that of %s %.100s", index,
				origin->what, origin->name);
}

/* --- Which option would help --------------------------------------------- */

static const char *help_with_root(const struct ne_attestation *attestation)
{
	const struct ne_attestation_bytes *aws = ne_attestation_aws_root();
	const struct ne_attestation_bytes *root =
		ne_attestation_cabundle(attestation, 0);

	if (root->size == aws->size &&
	    !memcmp(root->data, aws->data, root->size))
		return "--root aws trusts AWS's, too";
	return "if that is meant, name its root with --root";
}

static bool is_too_large(const struct ne_attestation_bytes *data)
{
	return data && data->size > NE_ATTESTATION_MAX_DATA;
}

static const char *help_with_syntax(const struct ne_attestation *attestation,
				    const struct ne_attestation_policy *policy)
{
	if (policy->large_data ||
	    (!is_too_large(ne_attestation_nonce(attestation)) &&
	     !is_too_large(ne_attestation_user_data(attestation))))
		return NULL;
	return "if yours does, use --large";
}

/* Only for a document that is too old, not one that is too young. */
static const char *
help_with_validity(const struct ne_attestation *attestation,
		   const struct ne_attestation_policy *policy)
{
	uint64_t made = ne_attestation_timestamp(attestation) / 1000;

	if (policy->when != NE_ATTESTATION_NOW || made >= (uint64_t)time(NULL))
		return NULL;
	return "that is --time document, if you know that it was received "
	       "then";
}

static const char *help(enum ne_attestation_check failed,
			const struct ne_attestation *attestation,
			const struct ne_attestation_policy *policy)
{
	switch (failed) {
	case NE_ATTESTATION_SYNTAX:
		return help_with_syntax(attestation, policy);
	case NE_ATTESTATION_ROOT:
		return help_with_root(attestation);
	case NE_ATTESTATION_VALIDITY:
		return help_with_validity(attestation, policy);
	default:
		return NULL;
	}
}

void advise(struct ne_error *err, enum ne_attestation_check failed,
	    const struct ne_attestation *attestation,
	    const struct verify_options *options)
{
	const char *text = help(failed, attestation, &options->policy);
	struct ne_error before = *err;

	if (failed == NE_ATTESTATION_PCRS)
		name_origin(err, attestation, &options->expected);
	else if (text)
		ne_error_set(err, before.code, "%s; %s", before.text, text);
}
