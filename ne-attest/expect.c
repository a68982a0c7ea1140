// SPDX-License-Identifier: Apache-2.0
/*
 * ne-attest expect
 *
 * Condition keys of AWS KMS (kms:RecipientAttestation:ImageSha384, which is
 * PCR0, and kms:RecipientAttestation:PCR<n>), the operator that compares them,
 * and the actions that know them are from AWS KMS's developer guide,
 * "Condition keys for Nitro Enclaves".
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "ne-attest/commands.h"
#include "ne-attest/expected.h"

static const char usage[] =
	"Usage: ne-attest expect [OPTION]... IMAGE\n"
	"\n"
	"  --role ARN        also PCR3, of the parent instance's IAM role\n"
	"  --instance-id ID  also PCR4, of the parent instance\n"
	"  --kms             just a statement for the policy of a KMS key\n"
	"  --json            as JSON\n"
	"  -h, --help        this text\n"
	"\n"
	"Prints the registers that a document of this enclave image has, unless the\n"
	"enclave runs in debug mode, and the condition of a KMS key policy for them.\n";

/* To be replaced by whoever does not say. */
static const char no_role[] = "arn:aws:iam::ACCOUNT:role/ROLE";

struct choice {
	const char *role;
	const char *instance_id;
	bool kms;
	bool as_json;
};

static int set_pcr(json_t *json, const char *key,
		   const struct expected *expected, unsigned int index)
{
	char hex[NE_PCR_HEX_SIZE];

	ne_pcr_to_hex(&expected->pcrs[index], hex);
	return json_object_set_new(json, key, json_string(hex));
}

static json_t *pcrs_to_json(const struct expected *expected)
{
	json_t *json = json_object();
	char key[16];

	for (unsigned int i = 0; i < NE_PCR_COUNT; i++) {
		if (!is_expected(expected, i))
			continue;
		snprintf(key, sizeof(key), "PCR%u", i);
		set_pcr(json, key, expected, i);
	}
	return json;
}

/* PCR0 measures what PCR1 and PCR2 do, so that these would say it again. */
static json_t *kms_condition(const struct expected *expected)
{
	static const unsigned int others[] = { 3, 4, 8 };
	json_t *keys = json_object();
	char key[48];

	set_pcr(keys, "kms:RecipientAttestation:ImageSha384", expected, 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (!is_expected(expected, others[i]))
			continue;
		snprintf(key, sizeof(key), "kms:RecipientAttestation:PCR%u",
			 others[i]);
		set_pcr(keys, key, expected, others[i]);
	}
	return json_pack("{s:o}", "StringEqualsIgnoreCase", keys);
}

static json_t *kms_statement(const struct expected *expected, const char *role)
{
	return json_pack("{s:s, s:s, s:{s:s}, s:[s,s,s,s,s], s:s, s:o}", "Sid",
			 "AllowEnclave", "Effect", "Allow", "Principal", "AWS",
			 role ? role : no_role, "Action", "kms:Decrypt",
			 "kms:DeriveSharedSecret", "kms:GenerateDataKey",
			 "kms:GenerateDataKeyPair", "kms:GenerateRandom",
			 "Resource", "*", "Condition", kms_condition(expected));
}

static int print_json(json_t *json)
{
	if (!json) {
		fputs("ne-attest: out of memory\n", stderr);
		return EXIT_TROUBLE;
	}
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(json);
	return EXIT_SUCCESS;
}

static int print_for_people(const struct expected *expected)
{
	for (unsigned int i = 0; i < NE_PCR_COUNT; i++) {
		char hex[NE_PCR_HEX_SIZE];
		int width;

		if (!is_expected(expected, i))
			continue;
		ne_pcr_to_hex(&expected->pcrs[i], hex);
		width = printf("PCR%u", i);
		printf("%*s%s\n", 8 - width, "", hex);
	}
	puts("\nIn the policy of a KMS key (a whole statement: --kms):");
	printf("\"Condition\": ");
	fflush(stdout);
	return print_json(kms_condition(expected));
}

static int print(const struct expected *expected, const struct choice *choice)
{
	if (choice->kms)
		return print_json(kms_statement(expected, choice->role));
	if (choice->as_json)
		return print_json(
			json_pack("{s:o, s:o, s:o}", "pcrs",
				  pcrs_to_json(expected), "kms_condition",
				  kms_condition(expected), "kms_statement",
				  kms_statement(expected, choice->role)));
	return print_for_people(expected);
}

static int expect(const char *image, const struct choice *choice)
{
	struct expected expected = { 0 };
	struct ne_error err = { 0 };
	int ret = 0;

	if (choice->role)
		ret = expect_role(&expected, choice->role, &err);
	if (!ret && choice->instance_id)
		ret = expect_instance_id(&expected, choice->instance_id, &err);
	if (ret == -EINVAL)
		return report_usage("expect", "%s", err.text);
	if (!ret)
		ret = expect_image(&expected, image, &err);
	return ret ? report_failure(&err) : print(&expected, choice);
}

int command_expect(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "role", required_argument, NULL, 'r' },
		{ "instance-id", required_argument, NULL, 'i' },
		{ "kms", no_argument, NULL, 'k' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct choice choice = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >=
	       0) {
		switch (option) {
		case 'r':
			choice.role = optarg;
			break;
		case 'i':
			choice.instance_id = optarg;
			break;
		case 'k':
			choice.kms = true;
			break;
		case 'j':
			choice.as_json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default: /* getopt has said why */
			fputs("see ne-attest expect --help\n", stderr);
			return EXIT_TROUBLE;
		}
	}
	if (argc - optind != 1)
		return report_usage("expect", "name one IMAGE");
	return expect(argv[optind], &choice);
}
