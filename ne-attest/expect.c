// SPDX-License-Identifier: Apache-2.0
/*
 * ne-attest expect
 *
 * Condition keys of AWS KMS (kms:RecipientAttestation:ImageSha384, which is
 * PCR0, and kms:RecipientAttestation:PCR<n>), the operator that compares them,
 * and the actions that know them are from AWS KMS's developer guide,
 * "Condition keys for Nitro Enclaves".
 *
 * Theory of operation
 *
 * A policy allows what any of its statements allows, unless one denies it. So a
 * statement that allows an image to use a key says nothing of all the others:
 * the default policy of a key, for one, allows everything to the account. Hence
 * there are two kinds of statements. One allows, if all registers are as
 * expected. The others deny what needs no enclave otherwise, one for each
 * register: the keys of a condition are joined by "and", and the statement
 * must deny if any register is another. StringNotEquals and its like are true
 * if the key is missing, that is for whoever brings no document, which is the
 * very point; those that end in IfExists would be no different.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ne-attest/commands.h"
#include "ne-attest/expected.h"

static const char usage[] =
	"Usage: ne-attest expect [OPTION]... IMAGE\n"
	"\n"
	"  --role ARN        also PCR3, of the parent instance's IAM role\n"
	"  --instance-id ID  also PCR4, of the parent instance\n"
	"  --extend INDEX=VALUE\n"
	"                    also a register, from 16 on, that the enclave extends by\n"
	"                    this; may be repeated\n"
	"  --kms[=WHICH]     just the statements for the policy of a KMS key: all of\n"
	"                    them, allow or deny\n"
	"  --json            all of it as JSON\n"
	"  -h, --help        this text\n"
	"\n"
	"Prints the registers that a document of this enclave image has, unless the\n"
	"enclave runs in debug mode, and the condition of a KMS key policy for them.\n"
	"One statement allows this image to use the key; the others deny it to all else,\n"
	"whatever other statements allow.\n"
	"VALUE is HEX, text:TEXT, base64:TEXT or @FILE.\n";

/* To be replaced by whoever does not say. */
static const char no_role[] = "arn:aws:iam::ACCOUNT:role/ROLE";

enum kms_statements {
	KMS_NONE = 0,
	KMS_ALLOW = 1,
	KMS_DENY = 2,
	KMS_ALL = KMS_ALLOW | KMS_DENY,
};

struct choice {
	const char *role;
	const char *instance_id;
	struct expected expected; /* by --extend, at first */
	enum kms_statements kms;
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
static bool is_in_policies(const struct expected *expected, unsigned int index)
{
	return is_expected(expected, index) && index != 1 && index != 2;
}

static int set_kms_key(json_t *json, const struct expected *expected,
		       unsigned int index)
{
	char key[48];

	if (!index)
		return set_pcr(json, "kms:RecipientAttestation:ImageSha384",
			       expected, 0);
	snprintf(key, sizeof(key), "kms:RecipientAttestation:PCR%u", index);
	return set_pcr(json, key, expected, index);
}

static json_t *kms_condition(const struct expected *expected)
{
	json_t *keys = json_object();

	for (unsigned int i = 0; i < NE_PCR_COUNT; i++)
		if (is_in_policies(expected, i))
			set_kms_key(keys, expected, i);
	return json_pack("{s:o}", "StringEqualsIgnoreCase", keys);
}

static json_t *allow_statement(const struct expected *expected,
			       const char *role)
{
	return json_pack("{s:s, s:s, s:{s:s}, s:[s,s,s,s,s], s:s, s:o}", "Sid",
			 "AllowEnclave", "Effect", "Allow", "Principal", "AWS",
			 role ? role : no_role, "Action", "kms:Decrypt",
			 "kms:DeriveSharedSecret", "kms:GenerateDataKey",
			 "kms:GenerateDataKeyPair", "kms:GenerateRandom",
			 "Resource", "*", "Condition", kms_condition(expected));
}

/*
 * Random numbers come from no key, so that a key's policy cannot deny them.
 * Whoever may encrypt with another key what this one encrypted can decrypt it
 * there; no enclave takes part in that.
 */
static json_t *deny_statement(const struct expected *expected,
			      unsigned int index)
{
	json_t *keys = json_object();
	char name[32];

	snprintf(name, sizeof(name), "DenyOtherPCR%u", index);
	set_kms_key(keys, expected, index);
	return json_pack("{s:s, s:s, s:s, s:[s,s,s,s,s], s:s, s:{s:o}}", "Sid",
			 name, "Effect", "Deny", "Principal", "*", "Action",
			 "kms:Decrypt", "kms:DeriveSharedSecret",
			 "kms:GenerateDataKey", "kms:GenerateDataKeyPair",
			 "kms:ReEncryptFrom", "Resource", "*", "Condition",
			 "StringNotEqualsIgnoreCase", keys);
}

static json_t *kms_statements(const struct expected *expected, const char *role,
			      enum kms_statements which)
{
	json_t *statements = json_array();

	if (which & KMS_ALLOW)
		json_array_append_new(statements,
				      allow_statement(expected, role));
	for (unsigned int i = 0; which & KMS_DENY && i < NE_PCR_COUNT; i++)
		if (is_in_policies(expected, i))
			json_array_append_new(statements,
					      deny_statement(expected, i));
	return statements;
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
	puts("\nIn the policy of a KMS key (whole statements, which also\n"
	     "deny it to all else: --kms):");
	printf("\"Condition\": ");
	fflush(stdout);
	return print_json(kms_condition(expected));
}

static int print(const struct choice *choice)
{
	const struct expected *expected = &choice->expected;

	if (choice->kms)
		return print_json(
			kms_statements(expected, choice->role, choice->kms));
	if (choice->as_json)
		return print_json(
			json_pack("{s:o, s:o, s:o, s:o}", "pcrs",
				  pcrs_to_json(expected), "kms_condition",
				  kms_condition(expected), "kms_statement",
				  allow_statement(expected, choice->role),
				  "kms_deny_statements",
				  kms_statements(expected, NULL, KMS_DENY)));
	return print_for_people(expected);
}

static int expect(const char *image, struct choice *choice)
{
	struct expected *expected = &choice->expected;
	struct ne_error err = { 0 };
	int ret = 0;

	if (choice->role)
		ret = expect_role(expected, choice->role, &err);
	if (!ret && choice->instance_id)
		ret = expect_instance_id(expected, choice->instance_id, &err);
	if (ret == -EINVAL)
		return report_usage("expect", "%s", err.text);
	if (!ret)
		ret = expect_image(expected, image, &err);
	return ret ? report_failure(&err) : print(choice);
}

/* 0, or the exit status */
static int add_extension(struct expected *expected, const char *text)
{
	struct ne_error err = { 0 };
	int ret = expect_extension(expected, text, &err);

	if (!ret)
		return 0;
	return ret == -EINVAL ? report_usage("expect", "%s", err.text)
			      : report_failure(&err);
}

static bool parse_kms(enum kms_statements *which, const char *text)
{
	*which = KMS_ALL;
	if (!text)
		return true;
	*which = strcmp(text, "deny") ? KMS_ALLOW : KMS_DENY;
	return *which == KMS_DENY || !strcmp(text, "allow");
}

/* -1: go on; else the exit status. */
static int parse_option(struct choice *choice, int option)
{
	int status;

	switch (option) {
	case 'r':
		choice->role = optarg;
		return -1;
	case 'i':
		choice->instance_id = optarg;
		return -1;
	case 'x':
		status = add_extension(&choice->expected, optarg);
		return status ? status : -1;
	case 'k':
		if (parse_kms(&choice->kms, optarg))
			return -1;
		return report_usage("expect",
				    "--kms is \"allow\", \"deny\", or both if "
				    "it says neither");
	case 'j':
		choice->as_json = true;
		return -1;
	case 'h':
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	default: /* getopt has said why */
		fputs("see ne-attest expect --help\n", stderr);
		return EXIT_TROUBLE;
	}
}

int command_expect(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "role", required_argument, NULL, 'r' },
		{ "instance-id", required_argument, NULL, 'i' },
		{ "extend", required_argument, NULL, 'x' },
		{ "kms", optional_argument, NULL, 'k' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct choice choice = { 0 };
	int option, status;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >=
	       0) {
		status = parse_option(&choice, option);
		if (status >= 0)
			return status;
	}
	if (argc - optind != 1)
		return report_usage("expect", "name one IMAGE");
	if (choice.kms && choice.as_json)
		return report_usage("expect",
				    "--kms prints JSON, too, of which --json "
				    "is all: choose one");
	return expect(argv[optind], &choice);
}
