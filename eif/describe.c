// SPDX-License-Identifier: Apache-2.0
/*
 * eif describe
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <ne/eif.h>

#include "eif/eif.h"
#include "eif/measurements.h"
#include "libne/cleanup.h"

struct description {
	struct ne_eif *eif;
	struct ne_eif_measurements measurements;
	bool crc_holds;
	json_t *metadata; /* NULL: none, or no JSON */
};

static void cleanup_descriptionp(struct description *description)
{
	ne_eif_close(description->eif);
	json_decref(description->metadata);
}

#define cleanup_description __attribute__((cleanup(cleanup_descriptionp)))

static const char usage[] =
	"Usage: eif describe [--json] IMAGE\n"
	"\n"
	"  --json      as nitro-cli describe-eif prints it\n"
	"  -h, --help  this text\n"
	"\n"
	"The exit status is 1 if the image's checksum does not hold.\n";

static void load_metadata(struct description *description)
{
	cleanup_free char *text = NULL;

	if (!ne_eif_metadata(description->eif, &text, NULL))
		description->metadata = json_loads(text, 0, NULL);
}

static int load(struct description *description, const char *path,
		struct ne_error *err)
{
	int ret = ne_eif_open(&description->eif, path, err);

	if (ret)
		return ret;
	ret = ne_eif_measure(description->eif, &description->measurements, err);
	if (ret) {
		ne_error_prefix(err, "%s", path);
		return ret;
	}
	description->crc_holds = !ne_eif_check_crc(description->eif, NULL);
	load_metadata(description);
	return 0;
}

/* --- For programs ------------------------------------------------------- */

/* What describe-eif calls metadata: all but name and version, in one object. */
static json_t *flatten(json_t *metadata)
{
	json_t *flat = json_object();

	json_object_update(flat, json_object_get(metadata, "BuildMetadata"));
	if (json_object_get(metadata, "DockerInfo"))
		json_object_set(flat, "DockerInfo",
				json_object_get(metadata, "DockerInfo"));
	json_object_update(flat, json_object_get(metadata, "CustomMetadata"));
	return flat;
}

static json_t *to_json(const struct description *description)
{
	json_t *metadata = description->metadata;
	json_t *json =
		json_pack("{s:i, s:o, s:b, s:b}", "EifVersion",
			  (int)ne_eif_version(description->eif), "Measurements",
			  measurements_to_json(&description->measurements),
			  "IsSigned", (int)description->measurements.is_signed,
			  "CheckCRC", (int)description->crc_holds);

	if (!json || !metadata)
		return json;
	if (json_object_get(metadata, "ImageName"))
		json_object_set(json, "ImageName",
				json_object_get(metadata, "ImageName"));
	if (json_object_get(metadata, "ImageVersion"))
		json_object_set(json, "ImageVersion",
				json_object_get(metadata, "ImageVersion"));
	json_object_set_new(json, "Metadata", flatten(metadata));
	return json;
}

/* --- For people --------------------------------------------------------- */

static const char *section_name(enum ne_eif_section_type type)
{
	switch (type) {
	case NE_EIF_SECTION_KERNEL:
		return "kernel";
	case NE_EIF_SECTION_CMDLINE:
		return "cmdline";
	case NE_EIF_SECTION_RAMDISK:
		return "ramdisk";
	case NE_EIF_SECTION_SIGNATURE:
		return "signature";
	case NE_EIF_SECTION_METADATA:
		return "metadata";
	}
	return "?";
}

/* Text from an image must not play with the terminal. */
static void print_text(const char *label, const char *text, size_t size)
{
	size_t i;

	printf("%-13s", label);
	for (i = 0; i < size; i++)
		putchar((unsigned char)text[i] < 0x20 || text[i] == 0x7f
				? '?'
				: text[i]);
	putchar('\n');
}

static void print_field(const char *label, const json_t *object,
			const char *name)
{
	const json_t *field = json_object_get(object, name);

	if (json_string_length(field))
		print_text(label, json_string_value(field),
			   json_string_length(field));
}

static void print_pcr(const char *name, const struct ne_pcr *pcr)
{
	char hex[NE_PCR_HEX_SIZE];

	ne_pcr_to_hex(pcr, hex);
	printf("%-13s%s\n", name, hex);
}

static void print_sections(const struct ne_eif *eif)
{
	unsigned int i;

	for (i = 0; i < ne_eif_section_count(eif); i++) {
		const struct ne_eif_section *section = ne_eif_section(eif, i);

		printf("section %-5u%-10s%12zu bytes at %" PRIu64 "\n", i,
		       section_name(section->type), section->size,
		       section->offset);
	}
}

static void print_for_people(const struct description *description)
{
	const struct ne_eif *eif = description->eif;
	const struct ne_eif_measurements *measured = &description->measurements;
	const json_t *metadata = description->metadata;
	const json_t *build = json_object_get(metadata, "BuildMetadata");

	print_field("name", metadata, "ImageName");
	print_field("version", metadata, "ImageVersion");
	print_field("built", build, "BuildTime");
	print_field("built by", build, "BuildTool");
	print_field("kernel", build, "KernelVersion");
	print_text("cmdline", ne_eif_cmdline(eif)->data,
		   ne_eif_cmdline(eif)->size);
	printf("%-13sversion %u for %s, %zu bytes\n", "format",
	       ne_eif_version(eif), ne_eif_arch_name(ne_eif_arch(eif)),
	       ne_eif_size(eif));
	printf("%-13s%08" PRIx32 "%s\n", "checksum", ne_eif_crc(eif),
	       description->crc_holds ? "" : ", which is wrong");
	print_sections(eif);
	print_pcr("PCR0", &measured->pcr0);
	print_pcr("PCR1", &measured->pcr1);
	print_pcr("PCR2", &measured->pcr2);
	if (measured->is_signed)
		print_pcr("PCR8", &measured->pcr8);
}

static int describe(const char *path, bool as_json)
{
	cleanup_description struct description description = { 0 };
	struct ne_error err = { 0 };

	if (load(&description, path, &err))
		return report_failure(&err);
	if (!as_json)
		print_for_people(&description);
	else if (print_json(to_json(&description), &err))
		return report_failure(&err);
	if (ne_eif_check_crc(description.eif, &err)) {
		ne_error_prefix(&err, "%s", path);
		return report_failure(&err);
	}
	return EXIT_SUCCESS;
}

int describe_command(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
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
			fputs("see eif describe --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 1)
		return report_usage("describe", "name one IMAGE");
	return describe(argv[optind], as_json);
}
