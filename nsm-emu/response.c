// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/response.h"

#include "libne/cbor.h"
#include "nsm-emu/module.h"

static struct cbor_out start(uint8_t *response)
{
	return (struct cbor_out){ .start = response,
				  .capacity = NSM_RESPONSE_MAX };
}

/* A variant with fields: {name: {...}} */
static struct cbor_out start_variant(uint8_t *response, const char *name,
				     size_t fields)
{
	struct cbor_out out = start(response);

	cbor_out_map(&out, 1);
	cbor_out_text(&out, name);
	cbor_out_map(&out, fields);
	return out;
}

static size_t finish(const struct cbor_out *out)
{
	return out->full ? nsm_response_error(out->start, NSM_BUFFER_TOO_SMALL)
			 : out->used;
}

/* A variant without fields is its name. */
static size_t write_unit(uint8_t *response, const char *name)
{
	struct cbor_out out = start(response);

	cbor_out_text(&out, name);
	return finish(&out);
}

/* {name: {field: bytes}} */
static size_t write_bytes(uint8_t *response, const char *name,
			  const char *field, const void *bytes, size_t size)
{
	struct cbor_out out = start_variant(response, name, 1);

	cbor_out_text(&out, field);
	cbor_out_bytes(&out, bytes, size);
	return finish(&out);
}

static void write_field(struct cbor_out *out, const char *field, uint16_t value)
{
	cbor_out_text(out, field);
	cbor_out_unsigned(out, value);
}

static void write_locked(struct cbor_out *out, uint32_t locked)
{
	cbor_out_text(out, "locked_pcrs");
	cbor_out_array(out, (size_t)__builtin_popcount(locked));
	for (unsigned int i = 0; i < NE_PCR_COUNT; i++)
		if (locked >> i & 1)
			cbor_out_unsigned(out, i);
}

size_t nsm_response_describe_nsm(uint8_t *response, const char *module_id,
				 uint32_t locked)
{
	struct cbor_out out = start_variant(response, "DescribeNSM", 7);

	write_field(&out, "version_major", 1);
	write_field(&out, "version_minor", 0);
	write_field(&out, "version_patch", 0);
	cbor_out_text(&out, "module_id");
	cbor_out_text(&out, module_id);
	write_field(&out, "max_pcrs", NE_PCR_COUNT);
	write_locked(&out, locked);
	cbor_out_text(&out, "digest");
	cbor_out_text(&out, "SHA384");
	return finish(&out);
}

size_t nsm_response_describe_pcr(uint8_t *response, const struct ne_pcr *pcr,
				 bool locked)
{
	struct cbor_out out = start_variant(response, "DescribePCR", 2);

	cbor_out_text(&out, "lock");
	cbor_out_bool(&out, locked);
	cbor_out_text(&out, "data");
	cbor_out_bytes(&out, pcr->bytes, sizeof(pcr->bytes));
	return finish(&out);
}

size_t nsm_response_extend_pcr(uint8_t *response, const struct ne_pcr *pcr)
{
	return write_bytes(response, "ExtendPCR", "data", pcr->bytes,
			   sizeof(pcr->bytes));
}

size_t nsm_response_lock_pcr(uint8_t *response)
{
	return write_unit(response, "LockPCR");
}

size_t nsm_response_lock_pcrs(uint8_t *response)
{
	return write_unit(response, "LockPCRs");
}

size_t nsm_response_get_random(uint8_t *response, const void *random,
			       size_t size)
{
	return write_bytes(response, "GetRandom", "random", random, size);
}

size_t nsm_response_attestation(uint8_t *response, const void *document,
				size_t size)
{
	return write_bytes(response, "Attestation", "document", document, size);
}

size_t nsm_response_error(uint8_t *response, enum nsm_error error)
{
	static const char *const names[] = {
		[NSM_SUCCESS] = "Success",
		[NSM_INVALID_ARGUMENT] = "InvalidArgument",
		[NSM_INVALID_INDEX] = "InvalidIndex",
		[NSM_INVALID_RESPONSE] = "InvalidResponse",
		[NSM_READ_ONLY_INDEX] = "ReadOnlyIndex",
		[NSM_INVALID_OPERATION] = "InvalidOperation",
		[NSM_BUFFER_TOO_SMALL] = "BufferTooSmall",
		[NSM_INPUT_TOO_LARGE] = "InputTooLarge",
		[NSM_INTERNAL_ERROR] = "InternalError",
	};
	struct cbor_out out = start(response);

	cbor_out_map(&out, 1);
	cbor_out_text(&out, "Error");
	cbor_out_text(&out, names[error]);
	return finish(&out);
}
