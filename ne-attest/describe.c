// SPDX-License-Identifier: Apache-2.0
/*
 * ne-attest describe
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <ne/nsm.h>

#include "libne/cleanup.h"
#include "ne-attest/commands.h"

static const char usage[] =
	"Usage: ne-attest describe [--json] [--device PATH]\n"
	"\n"
	"Inside an enclave: show which NSM it has, and its registers.\n"
	"\n"
	"  --json           for programs\n"
	"  --device PATH    default: " NE_NSM_PATH "\n"
	"  -h, --help       this text\n";

struct description {
	struct ne_nsm_description nsm;
	unsigned int n_pcrs;
	struct {
		struct ne_pcr value;
		bool locked;
	} pcrs[NE_PCR_COUNT];
};

static int ask(struct description *description, const char *device,
	       struct ne_error *err)
{
	cleanup_close int nsm = ne_nsm_open(device, err);
	int ret;

	if (nsm < 0)
		return nsm;
	ret = ne_nsm_describe(nsm, &description->nsm, err);
	description->n_pcrs = description->nsm.max_pcrs < NE_PCR_COUNT
				      ? description->nsm.max_pcrs
				      : NE_PCR_COUNT;
	for (unsigned int i = 0; !ret && i < description->n_pcrs; i++)
		ret = ne_nsm_describe_pcr(nsm, (uint16_t)i,
					  &description->pcrs[i].value,
					  &description->pcrs[i].locked, err);
	return ret;
}

/* --- For programs ----------------------------------------------------------- */

static json_t *pcrs_to_json(const struct description *description)
{
	json_t *pcrs = json_object();
	char hex[NE_PCR_HEX_SIZE];
	char name[16];

	for (unsigned int i = 0; i < description->n_pcrs; i++) {
		snprintf(name, sizeof(name), "PCR%u", i);
		ne_pcr_to_hex(&description->pcrs[i].value, hex);
		json_object_set_new(pcrs, name,
				    json_pack("{s:s, s:b}", "value", hex,
					      "locked",
					      description->pcrs[i].locked));
	}
	return pcrs;
}

static int print_json(const struct description *description,
		      struct ne_error *err)
{
	const struct ne_nsm_description *nsm = &description->nsm;
	char version[32];
	json_t *json;

	snprintf(version, sizeof(version), "%u.%u.%u", nsm->version_major,
		 nsm->version_minor, nsm->version_patch);
	json = json_pack("{s:s, s:s, s:s, s:i, s:o}", "module_id",
			 nsm->module_id, "version", version, "digest",
			 ne_nsm_digest_name(nsm->digest), "max_pcrs",
			 nsm->max_pcrs, "pcrs", pcrs_to_json(description));
	if (!json)
		return ne_error_set(err, ENOMEM, "out of memory");
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(json);
	return 0;
}

/* --- For people ------------------------------------------------------------- */

static void print_pcr(unsigned int index, const struct ne_pcr *value,
		      bool locked)
{
	static const struct ne_pcr zero;
	char hex[NE_PCR_HEX_SIZE];

	ne_pcr_to_hex(value, hex);
	printf("PCR%-7u%-8s%s\n", index, locked ? "locked" : "open",
	       memcmp(value, &zero, sizeof(zero)) ? hex : "zero");
}

static void print_for_people(const struct description *description)
{
	const struct ne_nsm_description *nsm = &description->nsm;

	printf("module    %s\n", printable(nsm->module_id).text);
	printf("version   %u.%u.%u\n", nsm->version_major, nsm->version_minor,
	       nsm->version_patch);
	printf("PCRs      %u, %s\n", nsm->max_pcrs,
	       ne_nsm_digest_name(nsm->digest));
	for (unsigned int i = 0; i < description->n_pcrs; i++)
		print_pcr(i, &description->pcrs[i].value,
			  description->pcrs[i].locked);
}

static int describe(const char *device, bool as_json)
{
	struct description description = { 0 };
	struct ne_error err = { 0 };

	if (ask(&description, device, &err))
		return report_failure(&err);
	if (!as_json)
		print_for_people(&description);
	else if (print_json(&description, &err))
		return report_failure(&err);
	return EXIT_SUCCESS;
}

int command_describe(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "device", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *device = NULL;
	bool as_json = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >=
	       0) {
		switch (option) {
		case 'j':
			as_json = true;
			break;
		case 'd':
			device = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default: /* getopt has said why */
			fputs("see ne-attest describe --help\n", stderr);
			return EXIT_TROUBLE;
		}
	}
	if (optind < argc)
		return report_usage("describe", "\"%s\" is no option",
				    argv[optind]);
	return describe(device, as_json);
}
