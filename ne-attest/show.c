// SPDX-License-Identifier: Apache-2.0
/*
 * ne-attest show
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "ne-attest/commands.h"
#include "ne-attest/document.h"

static const char usage[] =
	"Usage: ne-attest show [--json] DOCUMENT...\n"
	"\n"
	"  --json      as JSON, an object for each document\n"
	"  -h, --help  this text\n"
	"\n"
	"DOCUMENT is a file or - for standard input: binary, hexadecimal or base64.\n"
	"Nothing is verified: anybody can write such a document.\n";

static int print_as_json(const char *path,
			 const struct ne_attestation *attestation)
{
	json_t *json = json_pack("{s:s, s:b, s:o}", "document", path,
				 "verified", 0, "attestation",
				 document_to_json(attestation));

	if (!json) {
		fprintf(stderr,
			"ne-attest: %s: cannot be made JSON: out of "
			"memory\n",
			path);
		return EXIT_TROUBLE;
	}
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(json);
	return EXIT_SUCCESS;
}

static int show(const char *path, bool as_json)
{
	cleanup_attestation struct ne_attestation *attestation = NULL;
	cleanup_bytes struct bytes document = { 0 };
	const struct printable name = printable(path);
	struct ne_error err = { 0 };
	int ret;

	if (document_read(&document, path, &err))
		return report_failure(&err);
	ret = document_parse(&attestation, &document, &err);
	if (ret) {
		ne_error_prefix(&err, "%s", path);
		report_failure(&err);
		return ret == -EBADMSG ? EXIT_REFUSED : EXIT_TROUBLE;
	}
	if (as_json)
		return print_as_json(name.text, attestation);
	printf("%s: NOT VERIFIED, this is only what it says\n\n", name.text);
	document_print(attestation);
	return EXIT_SUCCESS;
}

int command_show(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int worst = EXIT_SUCCESS;
	bool as_json = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >=
	       0) {
		switch (option) {
		case 'j':
			as_json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default: /* getopt has said why */
			fputs("see ne-attest show --help\n", stderr);
			return EXIT_TROUBLE;
		}
	}
	if (optind == argc)
		return report_usage("show", "name a DOCUMENT");
	for (; optind < argc; optind++) {
		int status = show(argv[optind], as_json);

		if (status > worst)
			worst = status;
	}
	return worst;
}
