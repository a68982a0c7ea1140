// SPDX-License-Identifier: Apache-2.0
#include "ne-attest/expected.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ne/eif.h>

#include "libne/cleanup.h"
#include "libne/instance.h"

/* Those before are locked when an enclave starts. */
#define FIRST_OWN_PCR 16

static void cleanup_eifp(struct ne_eif **eif)
{
	ne_eif_close(*eif);
}

#define cleanup_eif __attribute__((cleanup(cleanup_eifp)))

bool is_expected(const struct expected *expected, unsigned int index)
{
	return expected->mask & UINT32_C(1) << index;
}

static int expect(struct expected *expected, unsigned int index,
		  const struct ne_pcr *pcr, struct origin origin,
		  struct ne_error *err)
{
	if (is_expected(expected, index) &&
	    memcmp(&expected->pcrs[index], pcr, sizeof(*pcr)))
		return ne_error_set(err, EINVAL,
				    "PCR%u is expected to have two different "
				    "values",
				    index);
	expected->mask |= UINT32_C(1) << index;
	expected->pcrs[index] = *pcr;
	if (origin.what)
		expected->origins[index] = origin;
	return 0;
}

int expect_hex(struct expected *expected, unsigned int index, const char *hex,
	       struct ne_error *err)
{
	cleanup_bytes struct bytes bytes = { 0 };
	struct ne_pcr pcr;
	int ret;

	if (strlen(hex) != (size_t)2 * NE_PCR_SIZE)
		return ne_error_set(err, EINVAL,
				    "PCR%u is to be %d hexadecimal digits, "
				    "not %zu",
				    index, 2 * NE_PCR_SIZE, strlen(hex));
	ret = bytes_from_hex(&bytes, hex, err);
	if (ret)
		return ret;
	memcpy(pcr.bytes, bytes.data, sizeof(pcr.bytes));
	return expect(expected, index, &pcr, (struct origin){ 0 }, err);
}

/* "INDEX=": what follows, or NULL: the index is not from first to 31. */
static const char *parse_index(unsigned int *index, unsigned int first,
			       const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long number = strtoul(text, NULL, 10);

	if (!digits || digits > 2 || text[digits] != '=' || number < first ||
	    number >= NE_PCR_COUNT)
		return NULL;
	*index = (unsigned int)number;
	return text + digits + 1;
}

int expect_assignment(struct expected *expected, const char *text,
		      struct ne_error *err)
{
	unsigned int index;
	const char *hex = parse_index(&index, 0, text);

	if (!hex)
		return ne_error_set(err, EINVAL,
				    "\"%.40s\" is not INDEX=HEX with an index "
				    "from 0 to 31",
				    text);
	return expect_hex(expected, index, hex, err);
}

static int extend(struct expected *expected, unsigned int index,
		  const struct bytes *value, struct ne_error *err)
{
	uint32_t bit = UINT32_C(1) << index;

	if (is_expected(expected, index) && !(expected->extended & bit))
		return ne_error_set(err, EINVAL,
				    "PCR%u is expected to have a value, and to "
				    "be extended: choose one",
				    index);
	expected->mask |= bit;
	expected->extended |= bit;
	return ne_pcr_extend(&expected->pcrs[index], value->data, value->size,
			     err);
}

int expect_extension(struct expected *expected, const char *text,
		     struct ne_error *err)
{
	cleanup_bytes struct bytes bytes = { 0 };
	unsigned int index;
	const char *value = parse_index(&index, FIRST_OWN_PCR, text);
	int ret;

	if (!value)
		return ne_error_set(err, EINVAL,
				    "\"%.40s\" is not INDEX=VALUE with an "
				    "index from 16 to 31; enclaves cannot "
				    "extend others",
				    text);
	ret = bytes_from_option(&bytes, value, err);
	return ret ? ret : extend(expected, index, &bytes, err);
}

int expect_image(struct expected *expected, const char *path,
		 struct ne_error *err)
{
	const struct origin origin = { "image", path };
	cleanup_eif struct ne_eif *eif = NULL;
	struct ne_eif_measurements measured;
	int ret = ne_eif_open(&eif, path, err);

	if (ret)
		return ret;
	ret = ne_eif_check_crc(eif, err);
	if (!ret)
		ret = ne_eif_measure(eif, &measured, err);
	if (ret) {
		ne_error_prefix(err, "%s", path);
		return ret;
	}
	ret = expect(expected, 0, &measured.pcr0, origin, err);
	if (!ret)
		ret = expect(expected, 1, &measured.pcr1, origin, err);
	if (!ret)
		ret = expect(expected, 2, &measured.pcr2, origin, err);
	if (!ret && measured.is_signed)
		ret = expect(expected, 8, &measured.pcr8, origin, err);
	return ret;
}

static int expect_text(struct expected *expected, unsigned int index,
		       struct origin origin, struct ne_error *err)
{
	struct ne_pcr pcr = { 0 };
	int ret = ne_pcr_extend(&pcr, origin.name, strlen(origin.name), err);

	return ret ? ret : expect(expected, index, &pcr, origin, err);
}

int expect_role(struct expected *expected, const char *arn,
		struct ne_error *err)
{
	if (!instance_is_role(arn))
		return ne_error_set(err, EINVAL,
				    "\"%.80s\" is no ARN of a role; one is "
				    "arn:aws:iam::123456789012:role/NAME",
				    arn);
	return expect_text(expected, 3, (struct origin){ "role", arn }, err);
}

int expect_instance_id(struct expected *expected, const char *id,
		       struct ne_error *err)
{
	if (!instance_is_id(id))
		return ne_error_set(err, EINVAL,
				    "\"%.40s\" is no instance id; one is "
				    "i-0123456789abcdef0",
				    id);
	return expect_text(expected, 4, (struct origin){ "instance", id }, err);
}
