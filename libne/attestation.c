// SPDX-License-Identifier: Apache-2.0
/*
 * Reading attestation documents.
 *
 * Theory of operation
 *
 * A document is copied once. A pass over the COSE structure finds the four
 * parts, one over the payload finds the fields; both leave views into the
 * copy. The payload's fields are a table: what each is called, whether it may
 * be missing, and who reads it.
 *
 * What is not signed must not vary, else a document could be changed without
 * anybody noticing: nothing may follow the structure, and the unprotected
 * header is empty.
 */
#include <ne/attestation.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libne/attestation_internal.h"
#include "libne/cbor.h"
#include "libne/cleanup.h"

/* COSE_Sign1 and ES384 [RFC 9052, RFC 9053]; -35 is -1 - 34 */
#define COSE_SIGN1_TAG 18
#define COSE_ALGORITHM 1
#define ES384_NEGATIVE 34
/* [3.1] */
#define MAX_PAYLOAD_SIZE 16384
/* [3.2.2.2] */
#define MAX_CERTIFICATE_SIZE 1024
#define MAX_PUBLIC_KEY_SIZE 1024
/* Nine are specified. */
#define MAX_FIELDS 32

static const char digest[] = "SHA384";

static int malformed(struct ne_error *err, const char *what)
{
	return ne_error_set(err, EBADMSG, "no attestation document: %s", what);
}

/* --- Bytes --------------------------------------------------------------- */

/* What a byte string is called, and how large it may be. */
struct bytes_rule {
	const char *name;
	size_t min;
	size_t max;
};

static int read_bytes(struct cbor_in *in, const struct bytes_rule *rule,
		      struct ne_attestation_bytes *bytes, struct ne_error *err)
{
	struct cbor_item item;

	if (!cbor_in_next(in, &item) || item.kind != CBOR_IN_BYTES ||
	    item.indefinite)
		return ne_error_set(err, EBADMSG,
				    "no attestation document: its %s is no "
				    "byte string",
				    rule->name);
	if (item.value < rule->min || item.value > rule->max)
		return ne_error_set(err, EBADMSG,
				    "no attestation document: its %s has %llu "
				    "bytes, not %zu to %zu",
				    rule->name, (unsigned long long)item.value,
				    rule->min, rule->max);
	bytes->data = item.bytes;
	bytes->size = item.value;
	return 0;
}

/* --- Fields that are not just bytes -------------------------------------- */

static int read_module_id(struct ne_attestation *attestation,
			  struct cbor_in *in, struct ne_error *err)
{
	struct cbor_item item;

	if (!cbor_in_next(in, &item) || item.kind != CBOR_IN_TEXT ||
	    item.indefinite || !cbor_item_is_utf8(&item))
		return malformed(err, "its module_id is no text");
	if (!item.value)
		return malformed(err, "its module_id is empty");
	if (memchr(item.bytes, 0, item.value))
		return malformed(err, "there is a zero byte in its module_id");
	attestation->module_id = strndup((const char *)item.bytes, item.value);
	if (!attestation->module_id)
		return ne_error_set(err, ENOMEM, "out of memory");
	return 0;
}

static int read_digest(struct ne_attestation *attestation
		       __attribute__((unused)),
		       struct cbor_in *in, struct ne_error *err)
{
	struct cbor_item item;

	if (!cbor_in_next(in, &item) || !cbor_item_is_text(&item, digest))
		return malformed(err, "its digest is not \"SHA384\"");
	return 0;
}

static int read_timestamp(struct ne_attestation *attestation,
			  struct cbor_in *in, struct ne_error *err)
{
	struct cbor_item item;

	if (!cbor_in_next(in, &item) || item.kind != CBOR_IN_UNSIGNED ||
	    !item.value || item.value > INT64_MAX)
		return malformed(err, "its timestamp is no positive integer");
	attestation->timestamp = item.value;
	return 0;
}

static int read_pcr(struct ne_attestation *attestation, struct cbor_in *in,
		    struct ne_error *err)
{
	static const struct bytes_rule rule = { "register", 32, 64 };
	struct ne_attestation_bytes *pcr;
	struct cbor_item index;
	int ret;

	if (!cbor_in_next(in, &index) || index.kind != CBOR_IN_UNSIGNED ||
	    index.value >= NE_PCR_COUNT)
		return malformed(err, "a register's index is no integer from "
				      "0 to 31");
	pcr = &attestation->pcrs[index.value];
	if (pcr->data)
		return malformed(err, "it has a register twice");
	ret = read_bytes(in, &rule, pcr, err);
	if (ret)
		return ret;
	if (pcr->size != 32 && pcr->size != 48 && pcr->size != 64)
		return malformed(err, "a register does not have 32, 48 or 64 "
				      "bytes");
	return 0;
}

static int read_pcrs(struct ne_attestation *attestation, struct cbor_in *in,
		     struct ne_error *err)
{
	struct cbor_item map;
	unsigned int count;
	int ret;

	if (!cbor_in_next(in, &map) || map.kind != CBOR_IN_MAP)
		return malformed(err, "its pcrs are no map");
	/* Ends: there are only so many different indices. */
	for (count = 0; cbor_in_more(in, &map); count++) {
		ret = read_pcr(attestation, in, err);
		if (ret)
			return ret;
	}
	if (!count)
		return malformed(err, "it has no registers");
	return 0;
}

static int read_cabundle(struct ne_attestation *attestation, struct cbor_in *in,
			 struct ne_error *err)
{
	static const struct bytes_rule rule = { "cabundle's certificate", 1,
						MAX_CERTIFICATE_SIZE };
	struct cbor_item array;
	int ret;

	if (!cbor_in_next(in, &array) || array.kind != CBOR_IN_ARRAY)
		return malformed(err, "its cabundle is no array");
	while (cbor_in_more(in, &array)) {
		if (attestation->n_cabundle == NE_ATTESTATION_MAX_CABUNDLE)
			return malformed(err, "its cabundle has more than 16 "
					      "certificates");
		ret = read_bytes(
			in, &rule,
			&attestation->cabundle[attestation->n_cabundle], err);
		if (ret)
			return ret;
		attestation->n_cabundle++;
	}
	if (!attestation->n_cabundle)
		return malformed(err, "its cabundle is empty");
	return 0;
}

/* --- The payload --------------------------------------------------------- */

/* Either read, or a byte string of min to max bytes at this offset. */
struct field {
	const char *name;
	bool is_optional;
	int (*read)(struct ne_attestation *attestation, struct cbor_in *in,
		    struct ne_error *err);
	size_t offset;
	size_t min;
	size_t max;
};

#define BYTES(field_) .offset = offsetof(struct ne_attestation, field_)

static const struct field fields[] = {
	{ .name = "module_id", .read = read_module_id },
	{ .name = "digest", .read = read_digest },
	{ .name = "timestamp", .read = read_timestamp },
	{ .name = "pcrs", .read = read_pcrs },
	{ .name = "certificate",
	  BYTES(certificate),
	  .min = 1,
	  .max = MAX_CERTIFICATE_SIZE },
	{ .name = "cabundle", .read = read_cabundle },
	{ .name = "public_key",
	  .is_optional = true,
	  BYTES(public_key),
	  .min = 1,
	  .max = MAX_PUBLIC_KEY_SIZE },
	{ .name = "user_data",
	  .is_optional = true,
	  BYTES(user_data),
	  .max = NE_ATTESTATION_MAX_LARGE_DATA },
	{ .name = "nonce",
	  .is_optional = true,
	  BYTES(nonce),
	  .max = NE_ATTESTATION_MAX_LARGE_DATA },
};

/*
 * What the documents of NitroTPMs have. They come from the same root, but an
 * instance's administrator extends most of its registers as he likes, also to
 * what an enclave's would be.
 */
static const char nitrotpm_field[] = "nitrotpm_pcrs";

/* The keys that were seen, to find the one that comes twice. */
struct keys {
	struct cbor_item items[MAX_FIELDS];
	size_t count;
};

static bool is_same_key(const struct cbor_item *a, const struct cbor_item *b)
{
	return a->value == b->value && !memcmp(a->bytes, b->bytes, a->value);
}

static int read_key(struct cbor_in *in, struct keys *keys,
		    struct cbor_item *key, struct ne_error *err)
{
	if (!cbor_in_next(in, key) || key->kind != CBOR_IN_TEXT ||
	    key->indefinite || !cbor_item_is_utf8(key))
		return malformed(err, "the name of a field is no text");
	for (size_t i = 0; i < keys->count; i++)
		if (is_same_key(&keys->items[i], key))
			return ne_error_set(err, EBADMSG,
					    "no attestation document: it has "
					    "the field %.*s twice",
					    key->value > 64 ? 64
							    : (int)key->value,
					    key->bytes);
	if (keys->count == MAX_FIELDS)
		return malformed(err, "it has more than 32 fields");
	keys->items[keys->count++] = *key;
	return 0;
}

static bool take_null(struct cbor_in *in)
{
	struct cbor_in ahead = *in;
	struct cbor_item item;

	if (!cbor_in_next(&ahead, &item) || item.kind != CBOR_IN_NULL)
		return false;
	*in = ahead;
	return true;
}

static int read_field(struct ne_attestation *attestation,
		      const struct field *field, struct cbor_in *in,
		      struct ne_error *err)
{
	const struct bytes_rule rule = { field->name, field->min, field->max };

	if (field->is_optional && take_null(in))
		return 0;
	if (field->read)
		return field->read(attestation, in, err);
	return read_bytes(in, &rule,
			  (void *)((char *)attestation + field->offset), err);
}

static int read_value(struct ne_attestation *attestation,
		      const struct cbor_item *key, struct cbor_in *in,
		      uint32_t *seen, struct ne_error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (cbor_item_is_text(key, fields[i].name)) {
			*seen |= UINT32_C(1) << i;
			return read_field(attestation, &fields[i], in, err);
		}
	if (cbor_item_is_text(key, nitrotpm_field))
		return malformed(err,
				 "it is of a NitroTPM, thus of an instance and "
				 "not of an enclave (it has nitrotpm_pcrs)");
	if (!cbor_in_skip(in))
		return malformed(err, "a field that is not known is malformed");
	return 0;
}

static int check_all_are_there(uint32_t seen, struct ne_error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!fields[i].is_optional && !(seen & UINT32_C(1) << i))
			return ne_error_set(err, EBADMSG,
					    "no attestation document: its %s "
					    "is missing",
					    fields[i].name);
	return 0;
}

static int read_payload(struct ne_attestation *attestation,
			struct ne_error *err)
{
	struct cbor_in in = { .at = attestation->payload.data,
			      .left = attestation->payload.size };
	struct keys keys = { .count = 0 };
	struct cbor_item map, key;
	uint32_t seen = 0;
	int ret;

	if (!cbor_in_next(&in, &map) || map.kind != CBOR_IN_MAP)
		return malformed(err, "its payload is no CBOR map");
	while (cbor_in_more(&in, &map)) {
		ret = read_key(&in, &keys, &key, err);
		if (!ret)
			ret = read_value(attestation, &key, &in, &seen, err);
		if (ret)
			return ret;
	}
	if (in.left)
		return malformed(err, "its payload goes on behind the map");
	return check_all_are_there(seen, err);
}

/* --- COSE ---------------------------------------------------------------- */

static bool header_is_es384(const struct ne_attestation_bytes *header)
{
	struct cbor_in in = { .at = header->data, .left = header->size };
	struct cbor_item map, key, algorithm;

	return cbor_in_next(&in, &map) && map.kind == CBOR_IN_MAP &&
	       cbor_in_more(&in, &map) && cbor_in_next(&in, &key) &&
	       key.kind == CBOR_IN_UNSIGNED && key.value == COSE_ALGORITHM &&
	       cbor_in_next(&in, &algorithm) &&
	       algorithm.kind == CBOR_IN_NEGATIVE &&
	       algorithm.value == ES384_NEGATIVE && !cbor_in_more(&in, &map) &&
	       !in.left;
}

static int read_headers(struct ne_attestation *attestation, struct cbor_in *in,
			struct ne_error *err)
{
	static const struct bytes_rule rule = { "protected header", 1, 64 };
	struct cbor_item map;
	int ret = read_bytes(in, &rule, &attestation->protected_header, err);

	if (ret)
		return ret;
	if (!header_is_es384(&attestation->protected_header))
		return malformed(err, "its protected header is not {1: -35}, "
				      "which means ES384");
	if (!cbor_in_next(in, &map) || map.kind != CBOR_IN_MAP)
		return malformed(err, "its unprotected header is no map");
	if (cbor_in_more(in, &map))
		return malformed(err, "its unprotected header, which nobody "
				      "signs, is not empty");
	return 0;
}

static int read_start(struct cbor_in *in, struct cbor_item *array,
		      struct ne_error *err)
{
	if (!cbor_in_next(in, array))
		return malformed(err, "it is not CBOR");
	if (array->kind == CBOR_IN_TAG &&
	    (array->value != COSE_SIGN1_TAG || !cbor_in_next(in, array)))
		return malformed(err, "its tag is not 18, COSE_Sign1");
	if (array->kind != CBOR_IN_ARRAY ||
	    (!array->indefinite && array->value != 4))
		return malformed(err, "it is no array of four, COSE_Sign1");
	/* The end of an indefinite one is looked for behind the fourth. */
	return 0;
}

static int read_document(struct ne_attestation *attestation, struct cbor_in *in,
			 struct ne_error *err)
{
	static const struct bytes_rule payload = { "payload", 1,
						   MAX_PAYLOAD_SIZE };
	static const struct bytes_rule signature = { "signature",
						     ES384_SIGNATURE_SIZE,
						     ES384_SIGNATURE_SIZE };
	struct cbor_item array;
	int ret = read_start(in, &array, err);

	if (!ret)
		ret = read_headers(attestation, in, err);
	if (!ret)
		ret = read_bytes(in, &payload, &attestation->payload, err);
	if (!ret)
		ret = read_bytes(in, &signature, &attestation->signature, err);
	if (ret)
		return ret;
	if (array.indefinite && cbor_in_more(in, &array))
		return malformed(err, "it is no array of four, COSE_Sign1");
	if (in->left)
		return malformed(err, "something follows it");
	return read_payload(attestation, err);
}

/* --- The public face ----------------------------------------------------- */

void ne_attestation_free(struct ne_attestation *attestation)
{
	if (attestation)
		free(attestation->module_id);
	free(attestation);
}

int ne_attestation_parse(struct ne_attestation **attestation, const void *data,
			 size_t size, struct ne_error *err)
{
	struct ne_attestation *new;
	struct cbor_in in;
	int ret;

	if (!size)
		return malformed(err, "it is empty");
	if (size > NE_ATTESTATION_MAX_SIZE)
		return ne_error_set(err, EBADMSG,
				    "no attestation document: it has %zu "
				    "bytes, and none has more than %d",
				    size, NE_ATTESTATION_MAX_SIZE);
	new = calloc(1, sizeof(*new) + size);
	if (!new)
		return ne_error_set(err, ENOMEM, "out of memory");
	memcpy(new->bytes, data, size);
	in = (struct cbor_in){ .at = new->bytes, .left = size };
	ret = read_document(new, &in, err);
	if (ret)
		ne_attestation_free(new);
	else
		*attestation = new;
	return ret;
}

static const struct ne_attestation_bytes *
unless_missing(const struct ne_attestation_bytes *bytes)
{
	return bytes->data ? bytes : NULL;
}

const char *ne_attestation_module_id(const struct ne_attestation *attestation)
{
	return attestation->module_id;
}

const char *ne_attestation_digest(const struct ne_attestation *attestation
				  __attribute__((unused)))
{
	return digest;
}

uint64_t ne_attestation_timestamp(const struct ne_attestation *attestation)
{
	return attestation->timestamp;
}

const struct ne_attestation_bytes *
ne_attestation_pcr(const struct ne_attestation *attestation, unsigned int index)
{
	return index < NE_PCR_COUNT ? unless_missing(&attestation->pcrs[index])
				    : NULL;
}

static bool is_zero(const struct ne_attestation_bytes *bytes)
{
	for (size_t i = 0; i < bytes->size; i++)
		if (bytes->data[i])
			return false;
	return bytes->data;
}

bool ne_attestation_is_debug(const struct ne_attestation *attestation)
{
	return is_zero(&attestation->pcrs[0]) &&
	       is_zero(&attestation->pcrs[1]) && is_zero(&attestation->pcrs[2]);
}

const struct ne_attestation_bytes *
ne_attestation_certificate(const struct ne_attestation *attestation)
{
	return &attestation->certificate;
}

unsigned int
ne_attestation_cabundle_count(const struct ne_attestation *attestation)
{
	return attestation->n_cabundle;
}

const struct ne_attestation_bytes *
ne_attestation_cabundle(const struct ne_attestation *attestation,
			unsigned int index)
{
	return index < attestation->n_cabundle ? &attestation->cabundle[index]
					       : NULL;
}

const struct ne_attestation_bytes *
ne_attestation_public_key(const struct ne_attestation *attestation)
{
	return unless_missing(&attestation->public_key);
}

const struct ne_attestation_bytes *
ne_attestation_user_data(const struct ne_attestation *attestation)
{
	return unless_missing(&attestation->user_data);
}

const struct ne_attestation_bytes *
ne_attestation_nonce(const struct ne_attestation *attestation)
{
	return unless_missing(&attestation->nonce);
}
