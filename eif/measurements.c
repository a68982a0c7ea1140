// SPDX-License-Identifier: Apache-2.0
#include "eif/measurements.h"

#include <errno.h>

static int add_pcr(json_t *json, const char *name, const struct ne_pcr *pcr)
{
	char hex[NE_PCR_HEX_SIZE];

	ne_pcr_to_hex(pcr, hex);
	return json_object_set_new(json, name, json_string(hex));
}

json_t *measurements_to_json(const struct ne_eif_measurements *measurements)
{
	json_t *json = json_pack("{s:s}", "HashAlgorithm", "Sha384 { ... }");

	if (add_pcr(json, "PCR0", &measurements->pcr0) ||
	    add_pcr(json, "PCR1", &measurements->pcr1) ||
	    add_pcr(json, "PCR2", &measurements->pcr2) ||
	    (measurements->is_signed &&
	     add_pcr(json, "PCR8", &measurements->pcr8))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

int print_json(json_t *json, struct ne_error *err)
{
	if (!json)
		return ne_error_set(err, ENOMEM, "out of memory");
	json_dumpf(json, stdout, JSON_INDENT(2));
	json_decref(json);
	putchar('\n');
	return 0;
}
