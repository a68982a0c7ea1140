// SPDX-License-Identifier: Apache-2.0
/*
 * Reading attestation documents: what each rule of section 3.2.2 of
 * docs/attestation_process.md lets through, and what it does not.
 */
#include <ne/attestation.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libne/cleanup.h"
#include "tests/unit/attestation_document.h"

/* --- Helpers ------------------------------------------------------------- */

/* From memory that is just as large, so that a sanitizer sees more. */
static int parse(const struct raw *raw, struct ne_attestation **attestation,
		 struct ne_error *err)
{
	uint8_t *bytes = malloc(raw->size ? raw->size : 1);
	int ret;

	assert_non_null(bytes);
	memcpy(bytes, raw->bytes, raw->size);
	ret = ne_attestation_parse(attestation, bytes, raw->size, err);
	free(bytes);
	return ret;
}

/* Encodes, reads and forgets the test's document. */
static struct ne_attestation *accept(struct document *document)
{
	struct ne_attestation *attestation = NULL;
	struct ne_error err = { 0 };

	document_encode(document);
	if (parse(&document->encoded, &attestation, &err))
		fail_msg("refused: %s", err.text);
	document_free(document);
	return attestation;
}

static void accept_and_free(struct document *document)
{
	ne_attestation_free(accept(document));
}

static void refuse_raw(const struct raw *raw, const char *fragment)
{
	struct ne_attestation *attestation = (void *)1;
	struct ne_error err = { 0 };

	assert_int_equal(parse(raw, &attestation, &err), -EBADMSG);
	assert_int_equal(err.code, EBADMSG);
	assert_ptr_equal(attestation, (void *)1);
	if (strncmp(err.text, "no attestation document: ", 25) ||
	    !strstr(err.text, fragment))
		fail_msg("\"%s\" does not say \"%s\"", err.text, fragment);
}

static void refuse(struct document *document, const char *fragment)
{
	document_encode(document);
	refuse_raw(&document->encoded, fragment);
	document_free(document);
}

/* The typical document with this CBOR in a field. */
#define REFUSE_FIELD(name, literal, fragment)                \
	do {                                                 \
		struct document *document_ = document_new(); \
		SET(document_, name, literal);               \
		refuse(document_, fragment);                 \
	} while (0)

#define ACCEPT_FIELD(name, literal)                          \
	do {                                                 \
		struct document *document_ = document_new(); \
		SET(document_, name, literal);               \
		accept_and_free(document_);                  \
	} while (0)

static void check_bytes(const struct ne_attestation_bytes *bytes,
			const char *expected)
{
	assert_non_null(bytes);
	assert_int_equal(bytes->size, strlen(expected));
	assert_memory_equal(bytes->data, expected, bytes->size);
}

/* --- All is well --------------------------------------------------------- */

static void every_field_can_be_read(void **state)
{
	struct ne_attestation *attestation = accept(document_new());
	uint8_t pcr[48];

	(void)state;
	assert_string_equal(ne_attestation_module_id(attestation), "i-enc");
	assert_string_equal(ne_attestation_digest(attestation), "SHA384");
	assert_int_equal(ne_attestation_timestamp(attestation),
			 CHAIN_TIME * UINT64_C(1000));
	for (unsigned int i = 0; i < 3; i++) {
		memset(pcr, 0x10 + (int)i, sizeof(pcr));
		assert_int_equal(ne_attestation_pcr(attestation, i)->size, 48);
		assert_memory_equal(ne_attestation_pcr(attestation, i)->data,
				    pcr, 48);
	}
	assert_null(ne_attestation_pcr(attestation, 3));
	assert_null(ne_attestation_pcr(attestation, 31));
	assert_null(ne_attestation_pcr(attestation, 32));
	assert_null(ne_attestation_pcr(attestation, UINT32_MAX));
	assert_false(ne_attestation_is_debug(attestation));
	check_bytes(ne_attestation_certificate(attestation), "leaf");
	assert_int_equal(ne_attestation_cabundle_count(attestation), 2);
	check_bytes(ne_attestation_cabundle(attestation, 0), "root");
	check_bytes(ne_attestation_cabundle(attestation, 1), "more");
	assert_null(ne_attestation_cabundle(attestation, 2));
	check_bytes(ne_attestation_public_key(attestation), "key");
	check_bytes(ne_attestation_user_data(attestation), "data");
	check_bytes(ne_attestation_nonce(attestation), "nonce");
	ne_attestation_free(attestation);
}

static void a_map_of_indefinite_length_reads_the_same(void **state)
{
	struct document *document = document_new();
	struct ne_attestation *attestation;

	(void)state;
	document->indefinite = true;
	document_drop(document, "public_key");
	document_drop(document, "user_data");
	attestation = accept(document);
	assert_string_equal(ne_attestation_module_id(attestation), "i-enc");
	assert_null(ne_attestation_public_key(attestation));
	assert_null(ne_attestation_user_data(attestation));
	check_bytes(ne_attestation_nonce(attestation), "nonce");
	ne_attestation_free(attestation);
}

static void null_is_absent_for_optional_fields(void **state)
{
	(void)state;
	/* Real modules do so in maps of either length. */
	for (int indefinite = 0; indefinite < 2; indefinite++) {
		struct document *document = document_new();
		struct ne_attestation *attestation;

		document->indefinite = indefinite;
		SET(document, "public_key", "\xf6");
		SET(document, "user_data", "\xf6");
		SET(document, "nonce", "\xf6");
		attestation = accept(document);
		assert_null(ne_attestation_public_key(attestation));
		assert_null(ne_attestation_user_data(attestation));
		assert_null(ne_attestation_nonce(attestation));
		ne_attestation_free(attestation);
	}
}

static void empty_data_is_not_absent(void **state)
{
	struct document *document = document_new();
	struct ne_attestation *attestation;

	(void)state;
	SET(document, "user_data", "\x40");
	SET(document, "nonce", "\x40");
	attestation = accept(document);
	check_bytes(ne_attestation_user_data(attestation), "");
	check_bytes(ne_attestation_nonce(attestation), "");
	ne_attestation_free(attestation);
}

static void a_tag_of_18_may_be_there(void **state)
{
	struct document *document = document_new();

	(void)state;
	RAW(&document->head, "\xd2\x84");
	accept_and_free(document);
}

static void everything_of_indefinite_length_is_fine(void **state)
{
	struct document *document = document_new();

	(void)state;
	document->indefinite = true;
	RAW(&document->head, "\x9f");
	RAW(&document->tail, "\xff");
	RAW(&document->protected_header, "\xbf\x01\x38\x22\xff");
	RAW(&document->unprotected_header, "\xbf\xff");
	SET(document, "cabundle", "\x9f\x44root\xff");
	accept_and_free(document);
}

static void three_zero_registers_are_debug_mode(void **state)
{
	static const uint8_t zero[48];
	uint8_t pcrs[1 + 3 * 51];
	struct document *document = document_new();
	struct ne_attestation *attestation;

	(void)state;
	pcrs[0] = 0xa3;
	for (uint8_t i = 0; i < 3; i++) {
		uint8_t *at = pcrs + 1 + (size_t)51 * i;

		at[0] = i;
		at[1] = 0x58;
		at[2] = 48;
		memcpy(at + 3, zero, sizeof(zero));
	}
	document_set(document, "pcrs", pcrs, sizeof(pcrs));
	attestation = accept(document);
	assert_true(ne_attestation_is_debug(attestation));
	ne_attestation_free(attestation);

	/* One that is not there is not zero. */
	document = document_new();
	pcrs[0] = 0xa2;
	document_set(document, "pcrs", pcrs, sizeof(pcrs) - 51);
	attestation = accept(document);
	assert_false(ne_attestation_is_debug(attestation));
	ne_attestation_free(attestation);
}

static void unknown_fields_are_ignored(void **state)
{
	struct document *document = document_new();

	(void)state;
	SET(document, "from_the_future", "\x82\xa1\x01\xc1\xf6\x5f\x41x\xff");
	accept_and_free(document);
}

static void real_documents_are_read(void **state)
{
	static const struct {
		const char *name;
		const char *module_id;
		uint64_t timestamp;
		bool is_debug;
		size_t nonce_size;
	} vectors[] = {
		{ "veracruz-valid.cbor",
		  "i-04fd167167daacf3b-enc01845e97d0b3eb4e", 1668034320696,
		  false, 32 },
		{ "veracruz-bad-signature.cbor",
		  "i-04fd167167daacf3b-enc01845e97d0b3eb4e", 1668034320696,
		  false, 32 },
		{ "evervault-valid.cbor",
		  "i-0918f6c55e3b61d89-enc018aa8b8e2285d13", 1695049410860,
		  true, 256 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct ne_attestation *attestation;
		static struct raw raw;

		vector_read(&raw, vectors[i].name);
		assert_int_equal(parse(&raw, &attestation, NULL), 0);
		assert_string_equal(ne_attestation_module_id(attestation),
				    vectors[i].module_id);
		assert_int_equal(ne_attestation_timestamp(attestation),
				 vectors[i].timestamp);
		assert_int_equal(ne_attestation_is_debug(attestation),
				 vectors[i].is_debug);
		assert_int_equal(ne_attestation_nonce(attestation)->size,
				 vectors[i].nonce_size);
		assert_non_null(ne_attestation_pcr(attestation, 15));
		assert_null(ne_attestation_pcr(attestation, 16));
		assert_int_equal(ne_attestation_cabundle_count(attestation), 4);
		ne_attestation_free(attestation);
	}
}

/* --- COSE ---------------------------------------------------------------- */

static void nothing_is_no_document(void **state)
{
	static const struct raw nothing;

	(void)state;
	refuse_raw(&nothing, "it is empty");
}

static void other_tags_are_refused(void **state)
{
	static const char *const heads[] = { "\xd1\x84", "\xd3\x84", "\xc0\x84",
					     "\xd8\x62\x84", "\xd2\xd2\x84" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct document *document = document_new();

		raw_set(&document->head, heads[i], strlen(heads[i]));
		refuse(document, i < 4 ? "tag is not 18" : "array of four");
	}
}

static void an_array_of_another_length_is_refused(void **state)
{
	static const char *const heads[] = { "\x83", "\x85", "\x80", "\xa4",
					     "\x44" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct document *document = document_new();

		raw_set(&document->head, heads[i], 1);
		refuse(document, "array of four");
	}
}

static void a_fifth_element_is_refused(void **state)
{
	struct document *document = document_new();

	(void)state;
	RAW(&document->head, "\x9f");
	RAW(&document->tail, "\x00\xff");
	refuse(document, "array of four");
}

static void another_algorithm_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} headers[] = {
		{ "\xa1\x01\x26", 3 },	   /* ES256 */
		{ "\xa1\x01\x38\x23", 4 }, /* ES512 */
		{ "\xa1\x01\x18\x22", 4 }, /* 34 */
		{ "\xa1\x02\x38\x22", 4 },
		{ "\xa1\x20\x38\x22", 4 },	    /* -1 */
		{ "\xa2\x01\x38\x22\x04\x41x", 7 }, /* and a key id */
		{ "\xa0", 1 },
		{ "\xa1\x01\x38\x22\x00", 5 },
		{ "\xa1\x01", 2 },
		{ "\x82\x01\x38\x22", 4 },
		{ "\xff", 1 },
		{ "\xbf\x01\x38\x22", 4 },
		{ "\xa2\x01\x38\x22", 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		struct document *document = document_new();

		raw_set(&document->protected_header, headers[i].bytes,
			headers[i].size);
		refuse(document, "its protected header is not {1: -35}");
	}
	{
		struct document *document = document_new();
		static const uint8_t large[65];

		raw_set(&document->protected_header, large, sizeof(large));
		refuse(document, "its protected header has 65 bytes");
	}
}

static void an_unprotected_header_is_refused(void **state)
{
	struct document *document = document_new();

	(void)state;
	RAW(&document->unprotected_header, "\xa1\x04\x41x");
	refuse(document, "its unprotected header, which nobody signs, is not "
			 "empty");
	document = document_new();
	RAW(&document->unprotected_header, "\x80");
	refuse(document, "its unprotected header is no map");
	document = document_new();
	RAW(&document->unprotected_header, "\xf6");
	refuse(document, "its unprotected header is no map");
}

static void a_signature_of_another_length_is_refused(void **state)
{
	static const size_t sizes[] = { 0, 32, 48, 64, 95, 97, 132 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct document *document = document_new();

		document->signature_size = sizes[i];
		refuse(document, "its signature has");
	}
}

static void what_follows_is_refused(void **state)
{
	struct document *document = document_new();

	(void)state;
	RAW(&document->tail, "\x00");
	refuse(document, "something follows it");
	document = document_new();
	RAW(&document->tail, "\xff");
	refuse(document, "something follows it");
	document = document_new();
	RAW(&document->behind_map, "\xf6");
	refuse(document, "its payload goes on behind the map");
}

static void a_document_cut_anywhere_is_refused(void **state)
{
	static struct raw raw;

	(void)state;
	vector_read(&raw, "veracruz-valid.cbor");
	while (raw.size) {
		raw.size--;
		refuse_raw(&raw, "");
	}
}

/* Behind the head and the protected header: 59 and two bytes of length */
static size_t payload_size(const struct document *document)
{
	assert_int_equal(document->encoded.bytes[7], 0x59);
	return (size_t)document->encoded.bytes[8] << 8 |
	       document->encoded.bytes[9];
}

static void a_payload_cut_anywhere_is_refused(void **state)
{
	struct document *document = document_new();
	size_t size;

	(void)state;
	document_encode(document);
	size = payload_size(document);
	raw_set(&document->payload, document->encoded.bytes + 10, size);
	while (--document->payload.size) {
		document_encode(document);
		refuse_raw(&document->encoded, "");
	}
	document_free(document);
}

static void large_ones_are_refused(void **state)
{
	struct document *document = document_new();
	uint8_t *bytes = calloc(1, NE_ATTESTATION_MAX_SIZE + 1);
	struct ne_error err = { 0 };
	struct ne_attestation *attestation;

	(void)state;
	assert_int_equal(ne_attestation_parse(&attestation, bytes,
					      NE_ATTESTATION_MAX_SIZE + 1,
					      &err),
			 -EBADMSG);
	assert_non_null(strstr(err.text, "it has 32769 bytes"));
	free(bytes);

	document_set_bytes(document, "filler", 16384);
	refuse(document, "its payload has");
}

static void a_payload_has_up_to_16384_bytes(void **state)
{
	size_t filler = 10000;
	struct document *document = document_new();

	(void)state;
	document_set_bytes(document, "filler", filler);
	document_encode(document);
	filler += 16384 - payload_size(document);
	document_set_bytes(document, "filler", filler);
	document_encode(document);
	assert_int_equal(payload_size(document), 16384);
	accept_and_free(document);
	document = document_new();
	document_set_bytes(document, "filler", filler + 1);
	refuse(document, "its payload has 16385 bytes");
}

static void enormous_lengths_are_refused(void **state)
{
	static const uint8_t majors[] = { 2, 3, 4, 5 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(majors); i++) {
		struct document *document = document_new();
		uint8_t head[9] = { (uint8_t)(majors[i] << 5 | 27),
				    0x7f,
				    0xff,
				    0xff,
				    0xff,
				    0xff,
				    0xff,
				    0xff,
				    0xff };

		document_set(document, "pcrs", head, sizeof(head));
		refuse(document, "");
		document = document_new();
		document_set(document, "unknown", head, sizeof(head));
		refuse(document, "a field that is not known is malformed");
		document = document_new();
		raw_set(&document->payload, head, sizeof(head));
		refuse(document, "");
	}
}

/* --- The payload --------------------------------------------------------- */

static void a_payload_that_is_no_map_is_refused(void **state)
{
	struct document *document = document_new();

	(void)state;
	RAW(&document->payload, "\x80");
	refuse(document, "its payload is no CBOR map");
	document = document_new();
	RAW(&document->payload, "\xf6");
	refuse(document, "its payload is no CBOR map");
}

static void a_mandatory_field_must_be_there(void **state)
{
	static const char *const names[] = { "module_id",   "digest",
					     "timestamp",   "pcrs",
					     "certificate", "cabundle" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct document *document = document_new();

		document_drop(document, names[i]);
		refuse(document, "is missing");
		document = document_new();
		SET(document, names[i], "\xf6");
		refuse(document, names[i]);
	}
}

static void a_field_that_comes_twice_is_refused(void **state)
{
	static const char *const names[] = { "module_id", "digest", "pcrs",
					     "cabundle", "nonce" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct document *document = document_new();

		/* Null the second time does not hide it. */
		document_add(document, names[i], "\xf6", 1);
		refuse(document, "it has the field");
	}
	{
		struct document *document = document_new();

		document_add(document, "other", "\x00", 1);
		document_add(document, "other", "\x00", 1);
		refuse(document, "it has the field other twice");
	}
}

static void documents_of_nitrotpms_are_refused(void **state)
{
	static const char *const values[] = { "\xf6", "\xa0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct document *document = document_new();

		/* Whether it claims to be of an enclave, too, or not */
		document_add(document, "nitrotpm_pcrs", values[i], 1);
		refuse(document, "it is of a NitroTPM, thus of an instance");
		document = document_new();
		document_drop(document, "pcrs");
		document_add(document, "nitrotpm_pcrs", values[i], 1);
		refuse(document, "it is of a NitroTPM, thus of an instance");
	}
}

static void more_fields_than_32_are_refused(void **state)
{
	static char names[24][4];
	struct document *document = document_new();

	(void)state;
	for (unsigned int i = 0; i < 24; i++) {
		names[i][0] = (char)('a' + i);
		document_add(document, names[i], "\x00", 1);
	}
	refuse(document, "it has more than 32 fields");
	document = document_new();
	for (unsigned int i = 0; i < 23; i++)
		document_add(document, names[i], "\x00", 1);
	accept_and_free(document);
}

static void names_of_fields_are_text(void **state)
{
	struct document *document = document_new();

	(void)state;
	RAW(&document->payload, "\xa1\x01\x02");
	refuse(document, "the name of a field is no text");
	document = document_new();
	RAW(&document->payload, "\xa1\x41x\x02");
	refuse(document, "the name of a field is no text");
	document = document_new();
	RAW(&document->payload, "\xa1\x7f\x61x\xff\x02");
	refuse(document, "the name of a field is no text");
	document = document_new();
	RAW(&document->payload, "\xa1\x61\xff\x02");
	refuse(document, "the name of a field is no text");
}

static void module_id_is_text_that_is_not_empty(void **state)
{
	(void)state;
	ACCEPT_FIELD("module_id", "\x61x");
	REFUSE_FIELD("module_id", "\x60", "its module_id is empty");
	REFUSE_FIELD("module_id", "\x41x", "its module_id is no text");
	REFUSE_FIELD("module_id", "\x01", "its module_id is no text");
	REFUSE_FIELD("module_id", "\x7f\x61x\xff", "its module_id is no text");
	REFUSE_FIELD("module_id", "\x62\xc3\x28", "its module_id is no text");
	REFUSE_FIELD("module_id", "\x63x\0y", "zero byte in its module_id");
}

static void digest_is_sha384(void **state)
{
	(void)state;
	REFUSE_FIELD("digest", "\x66SHA256", "its digest is not");
	REFUSE_FIELD("digest", "\x66sha384", "its digest is not");
	REFUSE_FIELD("digest", "\x65SHA38", "its digest is not");
	REFUSE_FIELD("digest", "\x67SHA3840", "its digest is not");
	REFUSE_FIELD("digest", "\x46SHA384", "its digest is not");
	REFUSE_FIELD("digest", "\x60", "its digest is not");
}

static void timestamp_is_a_positive_integer(void **state)
{
	static const char no_integer[] = "its timestamp is no positive integer";

	(void)state;
	ACCEPT_FIELD("timestamp", "\x01");
	ACCEPT_FIELD("timestamp", "\x1b\x7f\xff\xff\xff\xff\xff\xff\xff");
	REFUSE_FIELD("timestamp", "\x00", no_integer);
	REFUSE_FIELD("timestamp", "\x20", no_integer);
	REFUSE_FIELD("timestamp", "\x21", no_integer);
	REFUSE_FIELD("timestamp", "\x3b\0\0\0\0\0\0\0\1", no_integer);
	REFUSE_FIELD("timestamp", "\x61x", no_integer);
	REFUSE_FIELD("timestamp", "\xf9\x3c\x00", no_integer); /* 1.0 */
	REFUSE_FIELD("timestamp", "\xc1\x01", no_integer);
	REFUSE_FIELD("timestamp", "\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
		     no_integer);
}

/* A map of registers that are `size` bytes of zero, 0 to count - 1. */
static size_t put_pcrs(uint8_t *bytes, unsigned int count, uint8_t size)
{
	size_t at = 0;

	bytes[at++] = 0xb8;
	bytes[at++] = (uint8_t)count;
	for (unsigned int i = 0; i < count; i++) {
		bytes[at++] = 0x18;
		bytes[at++] = (uint8_t)i;
		bytes[at++] = 0x58;
		bytes[at++] = size;
		memset(bytes + at, 0, size);
		at += size;
	}
	return at;
}

static void registers_are_1_to_32(void **state)
{
	static uint8_t bytes[8192];
	struct document *document = document_new();

	(void)state;
	document_set(document, "pcrs", bytes, put_pcrs(bytes, 1, 48));
	accept_and_free(document);
	document = document_new();
	document_set(document, "pcrs", bytes, put_pcrs(bytes, 32, 48));
	accept_and_free(document);
	document = document_new();
	document_set(document, "pcrs", bytes, put_pcrs(bytes, 33, 48));
	refuse(document, "a register's index is no integer from 0 to 31");
	REFUSE_FIELD("pcrs", "\xa0", "it has no registers");
	REFUSE_FIELD("pcrs", "\xbf\xff", "it has no registers");
	REFUSE_FIELD("pcrs", "\x80", "its pcrs are no map");
}

static void registers_have_32_48_or_64_bytes(void **state)
{
	static uint8_t bytes[8192];

	(void)state;
	for (unsigned int size = 0; size < 100; size++) {
		struct document *document = document_new();

		document_set(document, "pcrs", bytes,
			     put_pcrs(bytes, 2, (uint8_t)size));
		if (size == 32 || size == 48 || size == 64)
			accept_and_free(document);
		else
			refuse(document, "register");
	}
}

static void a_register_has_an_integer_for_its_index(void **state)
{
#define PCR                \
	"\x58\x20"         \
	"0123456789abcdef" \
	"0123456789abcdef"
	static const char no_index[] = "a register's index is no integer";

	(void)state;
	ACCEPT_FIELD("pcrs", "\xa1\x00" PCR);
	ACCEPT_FIELD("pcrs", "\xbf\x18\x1f" PCR "\xff");
	REFUSE_FIELD("pcrs", "\xa1\x18\x20" PCR, no_index);
	REFUSE_FIELD("pcrs", "\xa1\x20" PCR, no_index);
	REFUSE_FIELD("pcrs", "\xa1\x61\x30" PCR, no_index);
	REFUSE_FIELD("pcrs", "\xa1\x1b\xff\xff\xff\xff\xff\xff\xff\xff" PCR,
		     no_index);
	REFUSE_FIELD("pcrs", "\xa2\x01" PCR "\x01" PCR,
		     "it has a register twice");
	REFUSE_FIELD("pcrs", "\xa2\x01" PCR "\x18\x01" PCR,
		     "it has a register twice");
	REFUSE_FIELD("pcrs", "\xa1\x01\xf6", "its register is no byte string");
	REFUSE_FIELD("pcrs",
		     "\xa1\x01\x78\x20"
		     "0123456789abcdef"
		     "0123456789abcdef",
		     "its register is no byte string");
#undef PCR
}

/* With one byte string of just these sizes; 0 and max + 1 are not for all. */
static void check_sizes(const char *name, size_t min, size_t max)
{
	static const size_t sizes[] = { 0,   1,	   2,	 511,  512,
					513, 1023, 1024, 1025, 2000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct document *document = document_new();

		document_set_bytes(document, name, sizes[i]);
		if (sizes[i] >= min && sizes[i] <= max)
			accept_and_free(document);
		else
			refuse(document, name);
	}
}

static void certificate_has_1_to_1024_bytes(void **state)
{
	(void)state;
	check_sizes("certificate", 1, 1024);
	REFUSE_FIELD("certificate", "\x61x", "certificate is no byte string");
	REFUSE_FIELD("certificate", "\x81\x01",
		     "certificate is no byte string");
	REFUSE_FIELD("certificate", "\x5f\x41x\xff",
		     "certificate is no byte string");
}

static void public_key_has_1_to_1024_bytes(void **state)
{
	(void)state;
	check_sizes("public_key", 1, 1024);
	REFUSE_FIELD("public_key", "\x61x", "public_key is no byte string");
	REFUSE_FIELD("public_key", "\xf7", "public_key is no byte string");
}

static void data_has_up_to_1024_bytes_for_the_reader(void **state)
{
	(void)state;
	check_sizes("user_data", 0, 1024);
	check_sizes("nonce", 0, 1024);
	REFUSE_FIELD("user_data", "\x61x", "user_data is no byte string");
	REFUSE_FIELD("nonce", "\x01", "nonce is no byte string");
}

static void cabundle_is_an_array_of_certificates(void **state)
{
	static const char too_many[] = "\x91"
				       "\x41x\x41x\x41x\x41x"
				       "\x41x\x41x\x41x\x41x"
				       "\x41x\x41x\x41x\x41x"
				       "\x41x\x41x\x41x\x41x\x41x";
	static struct raw raw;

	(void)state;
	ACCEPT_FIELD("cabundle", "\x81\x41x");
	REFUSE_FIELD("cabundle", "\x80", "its cabundle is empty");
	REFUSE_FIELD("cabundle", "\x9f\xff", "its cabundle is empty");
	REFUSE_FIELD("cabundle", "\xa0", "its cabundle is no array");
	REFUSE_FIELD("cabundle", "\x41x", "its cabundle is no array");
	REFUSE_FIELD("cabundle", "\x81\x61x", "is no byte string");
	REFUSE_FIELD("cabundle", "\x81\xf6", "is no byte string");
	REFUSE_FIELD("cabundle", "\x81\x40", "has 0 bytes, not 1 to 1024");
	for (size_t size = 1024; size <= 1025; size++) {
		struct document *document = document_new();

		raw.bytes[0] = 0x81;
		raw.bytes[1] = 0x59;
		raw.bytes[2] = (uint8_t)(size >> 8);
		raw.bytes[3] = (uint8_t)size;
		document_set(document, "cabundle", raw.bytes, 4 + size);
		if (size == 1024)
			accept_and_free(document);
		else
			refuse(document, "has 1025 bytes, not 1 to 1024");
	}
	REFUSE_FIELD("cabundle", too_many, "more than 16 certificates");
}

static void what_others_write_cannot_play_with_a_terminal(void **state)
{
	struct document *document = document_new();

	(void)state;
	document_add(document, "\x1b[2J", "\x00", 1);
	document_add(document, "\x1b[2J", "\x00", 1);
	refuse(document, "it has the field ?[2J twice");
}

static void forgetting_nothing_is_fine(void **state)
{
	(void)state;
	ne_attestation_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_can_be_read),
		cmocka_unit_test(a_map_of_indefinite_length_reads_the_same),
		cmocka_unit_test(null_is_absent_for_optional_fields),
		cmocka_unit_test(empty_data_is_not_absent),
		cmocka_unit_test(a_tag_of_18_may_be_there),
		cmocka_unit_test(everything_of_indefinite_length_is_fine),
		cmocka_unit_test(three_zero_registers_are_debug_mode),
		cmocka_unit_test(unknown_fields_are_ignored),
		cmocka_unit_test(real_documents_are_read),
		cmocka_unit_test(nothing_is_no_document),
		cmocka_unit_test(other_tags_are_refused),
		cmocka_unit_test(an_array_of_another_length_is_refused),
		cmocka_unit_test(a_fifth_element_is_refused),
		cmocka_unit_test(another_algorithm_is_refused),
		cmocka_unit_test(an_unprotected_header_is_refused),
		cmocka_unit_test(a_signature_of_another_length_is_refused),
		cmocka_unit_test(what_follows_is_refused),
		cmocka_unit_test(a_document_cut_anywhere_is_refused),
		cmocka_unit_test(a_payload_cut_anywhere_is_refused),
		cmocka_unit_test(large_ones_are_refused),
		cmocka_unit_test(a_payload_has_up_to_16384_bytes),
		cmocka_unit_test(enormous_lengths_are_refused),
		cmocka_unit_test(a_payload_that_is_no_map_is_refused),
		cmocka_unit_test(a_mandatory_field_must_be_there),
		cmocka_unit_test(a_field_that_comes_twice_is_refused),
		cmocka_unit_test(documents_of_nitrotpms_are_refused),
		cmocka_unit_test(more_fields_than_32_are_refused),
		cmocka_unit_test(names_of_fields_are_text),
		cmocka_unit_test(module_id_is_text_that_is_not_empty),
		cmocka_unit_test(digest_is_sha384),
		cmocka_unit_test(timestamp_is_a_positive_integer),
		cmocka_unit_test(registers_are_1_to_32),
		cmocka_unit_test(registers_have_32_48_or_64_bytes),
		cmocka_unit_test(a_register_has_an_integer_for_its_index),
		cmocka_unit_test(certificate_has_1_to_1024_bytes),
		cmocka_unit_test(public_key_has_1_to_1024_bytes),
		cmocka_unit_test(data_has_up_to_1024_bytes_for_the_reader),
		cmocka_unit_test(cabundle_is_an_array_of_certificates),
		cmocka_unit_test(what_others_write_cannot_play_with_a_terminal),
		cmocka_unit_test(forgetting_nothing_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
