// SPDX-License-Identifier: Apache-2.0
/*
 * ne-attest verify
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libne/cleanup.h"
#include "ne-attest/advice.h"
#include "ne-attest/commands.h"
#include "ne-attest/document.h"
#include "ne-attest/times.h"
#include "ne-attest/verify_options.h"

/* A document, and what became of it. */
struct outcome {
	const char *path;		    /* as it may be shown */
	struct ne_attestation *attestation; /* NULL: it is none */
	enum ne_attestation_check failed;   /* of `ret`; none: undecided */
	int64_t time;			    /* that it was verified at */
	int ret;			    /* 0: it is verified */
	struct ne_error err;		    /* why it is not */
};

/* --- What each check came to --------------------------------------------- */

static bool is_asked(enum ne_attestation_check check,
		     const struct verify_options *options)
{
	const struct ne_attestation_policy *policy = &options->policy;

	switch (check) {
	case NE_ATTESTATION_AGE:
		return policy->max_age;
	case NE_ATTESTATION_PCRS:
		return policy->expected_pcrs || options->strict;
	case NE_ATTESTATION_NONCE:
		return policy->nonce;
	case NE_ATTESTATION_USER_DATA:
		return policy->user_data;
	case NE_ATTESTATION_PUBLIC_KEY:
		return policy->public_key;
	case NE_ATTESTATION_MODULE_ID:
		return policy->module_id;
	default:
		return true;
	}
}

static const char *result_of(enum ne_attestation_check check,
			     const struct outcome *outcome,
			     const struct verify_options *options)
{
	if (!is_asked(check, options))
		return "not asked";
	if (!outcome->ret || check < outcome->failed)
		return "passed";
	return check == outcome->failed ? "failed" : "not reached";
}

/* --- Warnings ------------------------------------------------------------ */

/* PCR0 to 2 and 8 are about code, the others are not. */
#define PCRS_OF_CODE 0x107

static const char *const no_code =
	"no measurement was expected: the document is authentic, but of which "
	"code? use --eif, --pcr0 or --pcr8";
static const char *const debug_mode =
	"the enclave ran in debug mode: its console is open and nothing was "
	"measured";

static bool no_code_expected(const struct ne_attestation_policy *policy)
{
	return !(policy->expected_pcrs & PCRS_OF_CODE);
}

/* What a verified document is to be warned of; NULL: of no more. */
static const char *warning(unsigned int index, const struct outcome *outcome,
			   const struct ne_attestation_policy *policy)
{
	const char *warnings[3] = { NULL };
	unsigned int count = 0;

	if (no_code_expected(policy))
		warnings[count++] = no_code;
	if (ne_attestation_is_debug(outcome->attestation))
		warnings[count++] = debug_mode;
	return warnings[index];
}

static void warn_people(const struct outcome *outcome,
			const struct ne_attestation_policy *policy)
{
	const char *text;

	for (unsigned int i = 0; (text = warning(i, outcome, policy)); i++)
		fprintf(stderr, "ne-attest: %s: warning: %s\n", outcome->path,
			text);
}

static json_t *warnings_to_json(const struct outcome *outcome,
				const struct ne_attestation_policy *policy)
{
	json_t *json = json_array();
	const char *text;

	if (outcome->ret)
		return json;
	for (unsigned int i = 0; (text = warning(i, outcome, policy)); i++)
		json_array_append_new(json, json_string(text));
	return json;
}

/* For --strict */
static void refuse_what_is_warned_of(struct outcome *outcome,
				     const struct ne_attestation_policy *policy)
{
	const char *text = warning(0, outcome, policy);

	if (!text)
		return;
	outcome->failed = NE_ATTESTATION_PCRS;
	outcome->ret = ne_error_set(&outcome->err, EACCES, "%s", text);
}

/* --- For people ---------------------------------------------------------- */

static void print_checks(const struct outcome *outcome,
			 const struct verify_options *options)
{
	for (unsigned int i = NE_ATTESTATION_SYNTAX; i < NE_ATTESTATION_CHECKS;
	     i++)
		printf("  %-13s%s\n", ne_attestation_check_name(i),
		       result_of(i, outcome, options));
}

static void print_for_people(const struct outcome *outcome,
			     const struct verify_options *options)
{
	printf("%s: %s, at %s\n", outcome->path,
	       outcome->ret ? "REFUSED" : "verified",
	       time_to_text(outcome->time).text);
	print_checks(outcome, options);
	/* What was refused is not shown: somebody might rely on it. */
	if (!outcome->ret) {
		putchar('\n');
		document_print(outcome->attestation);
	}
}

/* --- For programs -------------------------------------------------------- */

static json_t *checks_to_json(const struct outcome *outcome,
			      const struct verify_options *options)
{
	json_t *json = json_object();

	for (unsigned int i = NE_ATTESTATION_SYNTAX; i < NE_ATTESTATION_CHECKS;
	     i++)
		json_object_set_new(
			json, ne_attestation_check_name(i),
			json_string(result_of(i, outcome, options)));
	return json;
}

static bool is_decided(const struct outcome *outcome)
{
	return !outcome->ret || outcome->failed != NE_ATTESTATION_NO_CHECK;
}

/* NULL: none has failed. */
static const char *failed_check(const struct outcome *outcome)
{
	return outcome->failed == NE_ATTESTATION_NO_CHECK
		       ? NULL
		       : ne_attestation_check_name(outcome->failed);
}

/* Also if it could not be decided: whoever asks for JSON finds all there. */
static bool print_for_programs(const struct outcome *outcome,
			       const struct verify_options *options)
{
	bool is_verified = !outcome->ret;
	json_t *json = json_pack(
		"{s:s, s:b, s:s?, s:s?, s:s, s:o, s:o, s:o}", "document",
		outcome->path, "verified", (int)is_verified, "failed",
		failed_check(outcome), "reason",
		is_verified ? NULL : outcome->err.text, "time",
		time_to_text(outcome->time).text, "checks",
		checks_to_json(outcome, options), "warnings",
		warnings_to_json(outcome, &options->policy), "attestation",
		is_verified ? document_to_json(outcome->attestation)
			    : json_null());

	if (!json) {
		fprintf(stderr,
			"ne-attest: %s: cannot be made JSON: out of memory\n",
			outcome->path);
		return false;
	}
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(json);
	return true;
}

/* --- One document -------------------------------------------------------- */

static int64_t time_of(const struct ne_attestation_policy *policy,
		       const struct ne_attestation *attestation)
{
	if (policy->when == NE_ATTESTATION_AT_TIME)
		return policy->time;
	if (policy->when == NE_ATTESTATION_AT_ITS_TIME && attestation)
		return (int64_t)(ne_attestation_timestamp(attestation) / 1000);
	return time(NULL);
}

static void report_on_stderr(struct outcome *outcome)
{
	if (is_decided(outcome))
		fprintf(stderr, "ne-attest: %s: refused (%s): %s\n",
			outcome->path,
			ne_attestation_check_name(outcome->failed),
			outcome->err.text);
	else
		report_failure(&outcome->err);
}

static int status_of(const struct outcome *outcome)
{
	if (!outcome->ret)
		return EXIT_SUCCESS;
	/* What cannot be decided must not look like a refusal. */
	return is_decided(outcome) ? EXIT_REFUSED : EXIT_TROUBLE;
}

static int report(struct outcome *outcome, const struct verify_options *options)
{
	bool in_json = options->as_json && !options->quiet;

	if (in_json)
		return print_for_programs(outcome, options) ? status_of(outcome)
							    : EXIT_TROUBLE;
	if (outcome->ret)
		report_on_stderr(outcome);
	if (!options->quiet && is_decided(outcome))
		print_for_people(outcome, options);
	/* Quiet or not: else exit status 0 would say more than is true. */
	if (!outcome->ret)
		warn_people(outcome, &options->policy);
	return status_of(outcome);
}

static void judge(struct outcome *outcome, const struct bytes *document,
		  const struct verify_options *options)
{
	outcome->ret =
		document_parse(&outcome->attestation, document, &outcome->err);
	outcome->time = time_of(&options->policy, outcome->attestation);
	if (outcome->ret) {
		if (outcome->ret == -EBADMSG)
			outcome->failed = NE_ATTESTATION_SYNTAX;
		return;
	}
	outcome->ret = ne_attestation_verify(outcome->attestation,
					     &options->policy, &outcome->failed,
					     &outcome->err);
	if (outcome->ret)
		advise(&outcome->err, outcome->failed, outcome->attestation,
		       options);
	else if (options->strict)
		refuse_what_is_warned_of(outcome, &options->policy);
}

static int verify(const char *path, const struct verify_options *options)
{
	cleanup_bytes struct bytes document = { 0 };
	const struct printable name = printable(path);
	struct outcome outcome = {
		.path = name.text,
		.time = time_of(&options->policy, NULL),
	};
	int status;

	outcome.ret = document_read(&document, path, &outcome.err);
	if (!outcome.ret) {
		judge(&outcome, &document, options);
		if (!is_decided(&outcome))
			ne_error_prefix(&outcome.err, "%s", path);
	}
	status = report(&outcome, options);
	ne_attestation_free(outcome.attestation);
	return status;
}

int command_verify(int argc, char **argv)
{
	struct verify_options options = { 0 };
	int worst = verify_options_parse(&options, argc, argv);

	if (!worst)
		for (char **path = options.documents; *path; path++) {
			int status = verify(*path, &options);

			if (status > worst)
				worst = status;
		}
	verify_options_free(&options);
	return worst < 0 ? EXIT_SUCCESS : worst;
}
