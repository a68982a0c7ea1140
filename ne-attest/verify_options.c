// SPDX-License-Identifier: Apache-2.0
#include "ne-attest/verify_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "ne-attest/commands.h"
#include "ne-attest/times.h"

/* --pcr0 to --pcr31 are OPTION_PCR0 + index. */
enum {
	OPTION_ROOT = 256,
	OPTION_PCR,
	OPTION_EXTEND,
	OPTION_EIF,
	OPTION_ROLE,
	OPTION_INSTANCE_ID,
	OPTION_MODULE_ID,
	OPTION_NONCE,
	OPTION_USER_DATA,
	OPTION_PUBLIC_KEY,
	OPTION_TIME,
	OPTION_MAX_AGE,
	OPTION_LARGE,
	OPTION_STRICT,
	OPTION_JSON,
	OPTION_PCR0,
};

#define PCR(index)                                                         \
	{                                                                  \
		"pcr" #index, required_argument, NULL, OPTION_PCR0 + index \
	}

static const struct option long_options[] = {
	PCR(0),
	PCR(1),
	PCR(2),
	PCR(3),
	PCR(4),
	PCR(5),
	PCR(6),
	PCR(7),
	PCR(8),
	PCR(9),
	PCR(10),
	PCR(11),
	PCR(12),
	PCR(13),
	PCR(14),
	PCR(15),
	PCR(16),
	PCR(17),
	PCR(18),
	PCR(19),
	PCR(20),
	PCR(21),
	PCR(22),
	PCR(23),
	PCR(24),
	PCR(25),
	PCR(26),
	PCR(27),
	PCR(28),
	PCR(29),
	PCR(30),
	PCR(31),
	{ "pcr", required_argument, NULL, OPTION_PCR },
	{ "extend", required_argument, NULL, OPTION_EXTEND },
	{ "root", required_argument, NULL, OPTION_ROOT },
	{ "eif", required_argument, NULL, OPTION_EIF },
	{ "role", required_argument, NULL, OPTION_ROLE },
	{ "instance-id", required_argument, NULL, OPTION_INSTANCE_ID },
	{ "module-id", required_argument, NULL, OPTION_MODULE_ID },
	{ "nonce", required_argument, NULL, OPTION_NONCE },
	{ "user-data", required_argument, NULL, OPTION_USER_DATA },
	{ "public-key", required_argument, NULL, OPTION_PUBLIC_KEY },
	{ "time", required_argument, NULL, OPTION_TIME },
	{ "max-age", required_argument, NULL, OPTION_MAX_AGE },
	{ "large", no_argument, NULL, OPTION_LARGE },
	{ "strict", no_argument, NULL, OPTION_STRICT },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char usage[] =
	"Usage: ne-attest verify [OPTION]... DOCUMENT...\n"
	"\n"
	"  --root FILE          trust these roots (PEM or DER) instead of AWS's, which\n"
	"                       is called \"aws\"; may be repeated\n"
	"  --eif IMAGE          expect PCR0, 1, 2 and 8 of this enclave image\n"
	"  --pcr0 HEX ...       expect PCR0; likewise up to --pcr31\n"
	"  --pcr INDEX=HEX      expect a register; may be repeated\n"
	"  --extend INDEX=VALUE expect that the enclave extends a register, from 16 on,\n"
	"                       by this; may be repeated\n"
	"  --role ARN           expect PCR3: the IAM role of the parent instance\n"
	"  --instance-id ID     expect PCR4: the id of the parent instance\n"
	"  --module-id ID       expect this module\n"
	"  --nonce VALUE        expect this nonce\n"
	"  --user-data VALUE    expect this user data\n"
	"  --public-key FILE    expect this public key (PEM or DER)\n"
	"  --time TIME          now (default), document, as in 2026-11-21T08:00:00Z, or\n"
	"                       seconds since 1970\n"
	"  --max-age TIME       refuse documents older than seconds, or 10m, 2h, 1d\n"
	"  --large              user data and nonce may have 1024 bytes, not just 512\n"
	"  --strict             refuse what is else just warned of: debug mode, and that\n"
	"                       no measurement of code is expected\n"
	"  --json               as JSON, an object for each document\n"
	"  -q, --quiet          nothing but what is refused, and warnings\n"
	"  -h, --help           this text\n"
	"\n"
	"DOCUMENT is a file or - for standard input: binary, hexadecimal or base64.\n"
	"VALUE is HEX, text:TEXT, base64:TEXT or @FILE.\n"
	"The exit status is 0 if all are verified, 1 if one is refused, 2 otherwise.\n";

static int parse_time(struct ne_attestation_policy *policy, const char *text,
		      struct ne_error *err)
{
	if (!strcmp(text, "now")) {
		policy->when = NE_ATTESTATION_NOW;
		return 0;
	}
	if (!strcmp(text, "document")) {
		policy->when = NE_ATTESTATION_AT_ITS_TIME;
		return 0;
	}
	policy->when = NE_ATTESTATION_AT_TIME;
	if (!time_parse(&policy->time, text))
		return ne_error_set(err, EINVAL,
				    "\"%.40s\" is no time: now, document, as "
				    "in 2026-11-21T08:00:00Z, or seconds "
				    "since 1970",
				    text);
	/* The year 5138 */
	if (policy->time > INT64_C(100000000000))
		return ne_error_set(err, EINVAL,
				    "%s is too far away to be seconds since "
				    "1970; milliseconds?",
				    text);
	return 0;
}

static int read_value(struct bytes *value, const char *text,
		      struct ne_error *err)
{
	bytes_free(value);
	return bytes_from_option(value, text, err);
}

static int parse_expectation(struct verify_options *options, int option,
			     struct ne_error *err)
{
	switch (option) {
	case OPTION_PCR:
		return expect_assignment(&options->expected, optarg, err);
	case OPTION_EXTEND:
		return expect_extension(&options->expected, optarg, err);
	case OPTION_EIF:
		return expect_image(&options->expected, optarg, err);
	case OPTION_ROLE:
		return expect_role(&options->expected, optarg, err);
	case OPTION_INSTANCE_ID:
		return expect_instance_id(&options->expected, optarg, err);
	case OPTION_MODULE_ID:
		options->policy.module_id = optarg;
		return 0;
	case OPTION_NONCE:
		return read_value(&options->nonce, optarg, err);
	case OPTION_USER_DATA:
		return read_value(&options->user_data, optarg, err);
	case OPTION_PUBLIC_KEY:
		bytes_free(&options->public_key);
		return public_key_read_any(&options->public_key, optarg, err);
	default:
		return expect_hex(&options->expected,
				  (unsigned int)(option - OPTION_PCR0), optarg,
				  err);
	}
}

static int parse_option(struct verify_options *options, int option,
			struct ne_error *err)
{
	switch (option) {
	case OPTION_ROOT:
		return roots_add(&options->roots, optarg, err);
	case OPTION_TIME:
		return parse_time(&options->policy, optarg, err);
	case OPTION_MAX_AGE:
		if (!duration_parse(&options->policy.max_age, optarg))
			return ne_error_set(err, EINVAL,
					    "\"%.40s\" is no age: seconds, or "
					    "a number with s, m, h or d",
					    optarg);
		return 0;
	case OPTION_LARGE:
		options->policy.large_data = true;
		return 0;
	case OPTION_STRICT:
		options->strict = true;
		return 0;
	case OPTION_JSON:
		options->as_json = true;
		return 0;
	case 'q':
		options->quiet = true;
		return 0;
	default:
		return parse_expectation(options, option, err);
	}
}

static const struct ne_attestation_bytes *
view(struct ne_attestation_bytes *view, const struct bytes *bytes)
{
	*view = (struct ne_attestation_bytes){ bytes->data, bytes->size };
	return bytes->data ? view : NULL;
}

static void finish_policy(struct verify_options *options)
{
	struct ne_attestation_policy *policy = &options->policy;

	policy->roots = options->roots.items;
	policy->n_roots = options->roots.count;
	policy->expected_pcrs = options->expected.mask;
	memcpy(policy->pcrs, options->expected.pcrs, sizeof(policy->pcrs));
	policy->nonce = view(&options->nonce_view, &options->nonce);
	policy->user_data = view(&options->user_data_view, &options->user_data);
	policy->public_key =
		view(&options->public_key_view, &options->public_key);
}

int verify_options_parse(struct verify_options *options, int argc, char **argv)
{
	struct ne_error err = { 0 };
	int option, ret;

	while ((option = getopt_long(argc, argv, "qh", long_options, NULL)) >=
	       0) {
		if (option == 'h') {
			fputs(usage, stdout);
			return -1;
		}
		if (option == '?') { /* getopt has said why */
			fputs("see ne-attest verify --help\n", stderr);
			return EXIT_TROUBLE;
		}
		ret = parse_option(options, option, &err);
		if (!ret)
			continue;
		return ret == -EINVAL ? report_usage("verify", "%s", err.text)
				      : report_failure(&err);
	}
	if (optind == argc)
		return report_usage("verify", "name a DOCUMENT");
	if (options->policy.max_age &&
	    options->policy.when == NE_ATTESTATION_AT_ITS_TIME)
		return report_usage("verify",
				    "a document has no age at its own time: "
				    "--max-age wants another --time, such as "
				    "when you received it");
	options->documents = argv + optind;
	finish_policy(options);
	return 0;
}

void verify_options_free(struct verify_options *options)
{
	roots_free(&options->roots);
	bytes_free(&options->nonce);
	bytes_free(&options->user_data);
	bytes_free(&options->public_key);
}
