// SPDX-License-Identifier: Apache-2.0
/*
 * The NSM's client: the exact bytes of every request and response, and what
 * a driver or a module can answer instead. --wrap puts a driver of our own
 * under it.
 */
#include <ne/nsm.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libne/cleanup.h"
#include "libne/nsm_codec.h"
#include "tests/unit/bytes.h"

/* --- The driver -------------------------------------------------------------- */

#define NSM 1000 /* no descriptor of this process */

struct bytes {
	uint8_t at[1024];
	size_t size;
};

/* As linux/nsm.h has it. */
struct raw {
	uint64_t request;
	uint64_t request_size;
	uint64_t response;
	uint64_t response_size;
};

static struct {
	unsigned int asked;
	uint8_t request[NE_NSM_REQUEST_MAX];
	size_t request_size;
	size_t room; /* that the client gave for the response */
	struct bytes response;
	int error;		  /* instead of a response */
	unsigned int interrupted; /* so often, first */
	uint64_t claimed; /* size of a response that lies about it; or 0 */
} driver;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);

static int refuse(int error)
{
	errno = error;
	return -1;
}

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	struct raw *raw = argument;

	if (fd != NSM)
		return __real_ioctl(fd, request, argument);
	assert_int_equal(request, 0xc0200a00);
	driver.asked++;
	driver.room = raw->response_size;
	assert_true(raw->request_size <= sizeof(driver.request));
	memcpy(driver.request, (void *)(uintptr_t)raw->request,
	       raw->request_size);
	driver.request_size = raw->request_size;
	if (driver.interrupted) {
		driver.interrupted--;
		raw->response_size = 0;
		return refuse(EINTR);
	}
	if (driver.error)
		return refuse(driver.error);
	if (raw->response_size > driver.response.size)
		raw->response_size = driver.response.size;
	memcpy((void *)(uintptr_t)raw->response, driver.response.at,
	       raw->response_size);
	if (driver.claimed)
		raw->response_size = driver.claimed;
	return 0;
}

static void answer(const struct bytes *response)
{
	memset(&driver, 0, sizeof(driver));
	driver.response = *response;
}

static void fail_with(int error)
{
	memset(&driver, 0, sizeof(driver));
	driver.error = error;
}

/* What the notation of bytes.h says. */
static struct bytes cbor(const char *notation)
{
	struct bytes bytes;

	bytes.size = bytes_read(notation, bytes.at, sizeof(bytes.at));
	return bytes;
}

/* --- The seven requests ------------------------------------------------------- */

/* What a request has brought; 0x55 where it has brought nothing. */
struct result {
	struct ne_nsm_description description;
	struct ne_pcr pcr;
	uint8_t locked;
	uint8_t random[600];
	uint8_t *document;
	size_t document_size;
};

static struct result result;

static int describe(struct ne_error *err)
{
	return ne_nsm_describe(NSM, &result.description, err);
}

static int describe_pcr(struct ne_error *err)
{
	bool locked;
	int ret = ne_nsm_describe_pcr(NSM, 5, &result.pcr, &locked, err);

	if (!ret)
		result.locked = locked;
	return ret;
}

static int extend_pcr(struct ne_error *err)
{
	return ne_nsm_extend_pcr(NSM, 16, "measured", 8, &result.pcr, err);
}

static int lock_pcr(struct ne_error *err)
{
	return ne_nsm_lock_pcr(NSM, 24, err);
}

static int lock_pcrs(struct ne_error *err)
{
	return ne_nsm_lock_pcrs(NSM, 256, err);
}

static int get_random(struct ne_error *err)
{
	return ne_nsm_random(NSM, result.random, 4, err);
}

static int attest(struct ne_error *err)
{
	return ne_nsm_attest(NSM,
			     &(struct ne_nsm_attest_input){
				     .user_data = "user",
				     .user_data_size = 4,
				     .nonce = "nonce",
				     .nonce_size = 5,
				     .public_key = "key",
				     .public_key_size = 3,
			     },
			     &result.document, &result.document_size, err);
}

#define PCR_VALUE "0123456789abcdef0123456789abcdef0123456789abcdef"
#define PCR "58 30 '" PCR_VALUE "' "

static const struct request {
	const char *name;
	int (*run)(struct ne_error *err);
	const char *request;
	const char *response;
	const char *failure;
} requests[] = {
	{
		"DescribeNSM",
		describe,
		"6b'DescribeNSM'",
		"a1 6b'DescribeNSM' a7 6d'version_major' 01 6d'version_minor' 18 ff "
		"6d'version_patch' 19 ff ff "
		"69'module_id' 78 27 'i-0123456789abcdef0-enc0123456789abcdef' "
		"68'max_pcrs' 18 20 6b'locked_pcrs' 84 00 01 02 18 1f "
		"66'digest' 66'SHA384'",
		"cannot describe the NSM",
	},
	{
		"DescribePCR",
		describe_pcr,
		"a1 6b'DescribePCR' a1 65'index' 05",
		"a1 6b'DescribePCR' a2 64'lock' f5 64'data' " PCR,
		"cannot read PCR 5",
	},
	{
		"ExtendPCR",
		extend_pcr,
		"a1 69'ExtendPCR' a2 65'index' 10 64'data' 48 'measured'",
		"a1 69'ExtendPCR' a1 64'data' " PCR,
		"cannot extend PCR 16",
	},
	{
		"LockPCR",
		lock_pcr,
		"a1 67'LockPCR' a1 65'index' 18 18",
		"67'LockPCR'",
		"cannot lock PCR 24",
	},
	{
		"LockPCRs",
		lock_pcrs,
		"a1 68'LockPCRs' a1 65'range' 19 01 00",
		"68'LockPCRs'",
		"cannot lock the first 256 PCRs",
	},
	{
		"GetRandom",
		get_random,
		"69'GetRandom'",
		"a1 69'GetRandom' a1 66'random' 44 01 02 03 04",
		"cannot get random numbers",
	},
	{
		"Attestation",
		attest,
		"a1 6b'Attestation' a3 69'user_data' 44 'user' 65'nonce' 45 'nonce' "
		"6a'public_key' 43 'key'",
		"a1 6b'Attestation' a1 68'document' 4b 'COSE, maybe'",
		"cannot get an attestation document",
	},
};

#define END (requests + ARRAY_SIZE(requests))

static const struct request *request_named(const char *name)
{
	const struct request *request = requests;

	while (strcmp(request->name, name) != 0)
		request++;
	return request;
}

static void answer_as(const char *name)
{
	const struct bytes response = cbor(request_named(name)->response);

	answer(&response);
}

/* Sends the request to an NSM that answers this. */
static int run_bytes(const struct request *request,
		     const struct bytes *response, struct ne_error *err)
{
	answer(response);
	memset(&result, 0x55, sizeof(result));
	result.document = NULL;
	*err = (struct ne_error){ 0 };
	return request->run(err);
}

static int run(const struct request *request, const char *response,
	       struct ne_error *err)
{
	const struct bytes bytes = cbor(response);

	return run_bytes(request, &bytes, err);
}

static void accept(const struct request *request, const char *response)
{
	struct ne_error err;

	if (run(request, response, &err))
		fail_msg("%s refused: %s", request->name, err.text);
}

static void check_asked(const char *expected)
{
	const struct bytes bytes = cbor(expected);

	assert_int_equal(driver.request_size, bytes.size);
	assert_memory_equal(driver.request, bytes.at, bytes.size);
}

static void check_untouched(void)
{
	const uint8_t *bytes = (const uint8_t *)&result;
	size_t i;

	assert_null(result.document);
	for (i = 0; i < offsetof(struct result, random); i++)
		assert_int_equal(bytes[i], 0x55);
}

static void check_failed(const struct request *request, int ret,
			 const struct ne_error *err, int code,
			 const char *fragment)
{
	free(result.document);
	if (ret != -code)
		fail_msg("%s returns %d, not %d", request->name, ret, -code);
	assert_int_equal(err->code, code);
	if (strncmp(err->text, request->failure, strlen(request->failure)) ||
	    !strstr(err->text, fragment))
		fail_msg("%s: no \"%s\" in \"%s\"", request->name, fragment,
			 err->text);
	check_untouched();
}

static void check_refused(const struct request *request, const char *response,
			  int code, const char *fragment)
{
	struct ne_error err;
	int ret = run(request, response, &err);

	check_failed(request, ret, &err, code, fragment);
}

static void check_malformed_bytes(const struct request *request,
				  const struct bytes *response)
{
	struct ne_error err;
	int ret = run_bytes(request, response, &err);

	check_failed(request, ret, &err, EPROTO, "the NSM");
}

static void check_malformed(const struct request *request, const char *response)
{
	check_refused(request, response, EPROTO, "the NSM");
}

/* --- Bytes ---------------------------------------------------------------------- */

static void requests_are_written_as_serde_writes_them(void **state)
{
	const struct request *request;

	(void)state;
	for (request = requests; request < END; request++) {
		accept(request, request->response);
		free(result.document);
		assert_int_equal(driver.asked, 1);
		assert_int_equal(driver.room, NE_NSM_RESPONSE_MAX);
		check_asked(request->request);
	}
}

static void what_a_document_need_not_carry_is_null(void **state)
{
	uint8_t *document;
	size_t size;

	(void)state;
	answer_as("Attestation");
	assert_int_equal(ne_nsm_attest(NSM, NULL, &document, &size, NULL), 0);
	free(document);
	check_asked("a1 6b'Attestation' a3 69'user_data' f6 65'nonce' f6 "
		    "6a'public_key' f6");
}

static void empty_is_not_none(void **state)
{
	const struct ne_nsm_attest_input input = { .nonce = "" };
	uint8_t *document;
	size_t size;

	(void)state;
	answer_as("Attestation");
	assert_int_equal(ne_nsm_attest(NSM, &input, &document, &size, NULL), 0);
	free(document);
	check_asked("a1 6b'Attestation' a3 69'user_data' f6 65'nonce' 40 "
		    "6a'public_key' f6");
}

static void a_description_is_read(void **state)
{
	const struct ne_nsm_description *read = &result.description;
	const struct request *request = request_named("DescribeNSM");

	(void)state;
	accept(request, request->response);
	assert_int_equal(read->version_major, 1);
	assert_int_equal(read->version_minor, 255);
	assert_int_equal(read->version_patch, 65535);
	assert_string_equal(read->module_id,
			    "i-0123456789abcdef0-enc0123456789abcdef");
	assert_int_equal(read->max_pcrs, 32);
	assert_int_equal(read->locked_pcrs, 0x80000007);
	assert_int_equal(read->digest, NE_NSM_SHA384);
}

static void a_pcr_is_read(void **state)
{
	const struct request *request = request_named("DescribePCR");

	(void)state;
	accept(request, request->response);
	assert_int_equal(result.locked, true);
	assert_memory_equal(result.pcr.bytes, PCR_VALUE, NE_PCR_SIZE);
	accept(request, "a1 6b'DescribePCR' a2 64'lock' f4 64'data' " PCR);
	assert_int_equal(result.locked, false);
	request = request_named("ExtendPCR");
	accept(request, request->response);
	assert_memory_equal(result.pcr.bytes, PCR_VALUE, NE_PCR_SIZE);
}

static void a_document_is_passed_on_as_it_is(void **state)
{
	const struct request *request = request_named("Attestation");

	(void)state;
	accept(request, request->response);
	assert_int_equal(result.document_size, 11);
	assert_memory_equal(result.document, "COSE, maybe", 11);
	free(result.document);
}

static void what_the_caller_does_not_want_is_left_out(void **state)
{
	(void)state;
	answer_as("DescribePCR");
	assert_int_equal(ne_nsm_describe_pcr(NSM, 0, NULL, NULL, NULL), 0);
	answer_as("ExtendPCR");
	assert_int_equal(ne_nsm_extend_pcr(NSM, 16, NULL, 0, NULL, NULL), 0);
	check_asked("a1 69'ExtendPCR' a2 65'index' 10 64'data' 40");
}

/* --- Errors of the module ------------------------------------------------------- */

static const struct {
	const char *name;
	int code;
} errors[] = {
	{ "InvalidArgument", EINVAL },	    { "InvalidIndex", ERANGE },
	{ "InvalidResponse", EPROTO },	    { "ReadOnlyIndex", EROFS },
	{ "InvalidOperation", EOPNOTSUPP }, { "BufferTooSmall", ENOBUFS },
	{ "InputTooLarge", E2BIG },	    { "InternalError", EIO },
};

static void each_error_is_an_errno_of_its_own(void **state)
{
	const struct request *request;
	char response[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		snprintf(response, sizeof(response), "a1 65'Error' %02zx'%s'",
			 0x60 + strlen(errors[i].name), errors[i].name);
		for (request = requests; request < END; request++)
			check_refused(request, response, errors[i].code,
				      errors[i].name);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(errors[i].code, errors[j].code);
	}
}

static void an_internal_error_is_not_blamed_on_the_caller(void **state)
{
	(void)state;
	check_refused(requests, "a1 65'Error' 6d'InternalError'", EIO,
		      "nothing is wrong with the request");
}

static void check_malformed_for_all(const char *const *responses, size_t n)
{
	const struct request *request;

	for (size_t i = 0; i < n; i++)
		for (request = requests; request < END; request++)
			check_malformed(request, responses[i]);
}

static void an_error_that_is_none_is_malformed(void **state)
{
	static const char *const responses[] = {
		"a1 65'Error' 67'Success'",
		"a1 65'Error' 67'NoError'",
		"a1 65'Error' 62 1b 5b",
		"a1 65'Error' 62 ff fe",
		"a1 65'Error' 02",
		"a1 65'Error' a1 6d'InternalError' f6",
		"a1 65'Error' 6d'InternalError' 00",
		"65'Error'",
		"6d'InternalError'",
	};

	(void)state;
	check_malformed_for_all(responses, ARRAY_SIZE(responses));
}

static void an_error_of_unknown_length_is_read(void **state)
{
	const struct request *request;

	(void)state;
	for (request = requests; request < END; request++)
		check_refused(request,
			      "bf 7f 62'Er' 63'ror' ff "
			      "7f 6c'InvalidIndex' 60 ff ff",
			      ERANGE, "InvalidIndex");
}

/* --- Hostile responses ------------------------------------------------------------ */

static int read_response(const struct request *request, struct cbor_in in)
{
	size_t size;

	if (request->run == describe)
		return nsm_client_read_describe(in, &result.description, NULL);
	if (request->run == describe_pcr)
		return nsm_client_read_describe_pcr(in, &result.pcr, NULL,
						    NULL);
	if (request->run == extend_pcr)
		return nsm_client_read_extend_pcr(in, &result.pcr, NULL);
	if (request->run == lock_pcr)
		return nsm_client_read_lock_pcr(in, NULL);
	if (request->run == lock_pcrs)
		return nsm_client_read_lock_pcrs(in, NULL);
	if (request->run == get_random)
		return nsm_client_read_random(
			in, result.random, sizeof(result.random), &size, NULL);
	return nsm_client_read_attestation(in, &result.document,
					   &result.document_size, NULL);
}

static void check_cut(const struct request *request,
		      const struct bytes *response)
{
	/* Memory that ends there, for the sanitizer. */
	uint8_t *cut = malloc(response->size ? response->size : 1);

	assert_non_null(cut);
	memcpy(cut, response->at, response->size);
	memset(&result, 0x55, sizeof(result));
	result.document = NULL;
	assert_int_equal(
		read_response(request,
			      (struct cbor_in){ .at = cut,
						.left = response->size }),
		-EPROTO);
	check_untouched();
	free(cut);
}

static void a_response_cut_anywhere_is_refused(void **state)
{
	const struct request *request;

	(void)state;
	for (request = requests; request < END; request++) {
		struct bytes response = cbor(request->response);

		while (response.size) {
			response.size--;
			check_malformed_bytes(request, &response);
			check_cut(request, &response);
		}
	}
}

static void the_response_to_another_request_is_refused(void **state)
{
	const struct request *request, *other;

	(void)state;
	for (request = requests; request < END; request++)
		for (other = requests; other < END; other++)
			if (other != request)
				check_malformed(request, other->response);
}

static void bytes_behind_the_response_are_refused(void **state)
{
	const struct request *request;

	(void)state;
	for (request = requests; request < END; request++) {
		struct bytes response = cbor(request->response);

		response.at[response.size++] = 0;
		check_malformed_bytes(request, &response);
	}
}

static void two_responses_in_one_are_refused(void **state)
{
	const struct request *request;

	(void)state;
	for (request = requests; request < END; request++) {
		struct bytes two = cbor(request->response);

		if (two.at[0] != 0xa1)
			continue;
		two.at[0] = 0xa2;
		memcpy(two.at + two.size, two.at + 1, two.size - 1);
		two.size += two.size - 1;
		check_malformed_bytes(request, &two);
	}
}

static void what_is_no_response_is_refused(void **state)
{
	static const char *const responses[] = {
		"",
		"f6",
		"a0",
		"00",
		"80",
		"ff",
		"60",
		"bf",
		"bf ff",
		"1c",
		/* Texts of 2^63 and of 2^64 - 1 bytes, maps of so many pairs */
		"7b 80 00 00 00 00 00 00 00",
		"7b ff ff ff ff ff ff ff ff",
		"bb 80 00 00 00 00 00 00 00",
		"bb ff ff ff ff ff ff ff ff",
	};

	(void)state;
	check_malformed_for_all(responses, ARRAY_SIZE(responses));
}

static void a_field_missing_doubled_or_wrong_is_refused(void **state)
{
	static const struct {
		const char *name;
		const char *value;
	} values[] = {
		/* missing */
		{ "DescribePCR", "a0" },
		{ "DescribePCR", "bf ff" },
		{ "DescribePCR", "a1 64'lock' f5" },
		{ "DescribePCR", "a1 64'data' " PCR },
		/* doubled */
		{ "DescribePCR", "a3 64'lock' f5 64'data' " PCR "64'lock' f5" },
		/* 1 for true, null for a value, a text for bytes */
		{ "DescribePCR", "a2 64'lock' 01 64'data' " PCR },
		{ "ExtendPCR", "a1 64'data' f6" },
		{ "ExtendPCR", "a1 64'data' 78 30 '" PCR_VALUE "'" },
		/* 49 and 47 bytes */
		{ "ExtendPCR", "a1 64'data' 58 31 '" PCR_VALUE "' 30" },
		{ "ExtendPCR", "a1 64'data' 98 2f 00(47)" },
		/* a field with a number for a name, no map, an open map */
		{ "ExtendPCR", "a1 00 " PCR },
		{ "ExtendPCR", PCR },
		{ "ExtendPCR", "bf 64'data' " PCR },
		/* nothing random, no document, 256 for a byte, 2^64 - 1 bytes */
		{ "GetRandom", "a1 66'random' 40" },
		{ "GetRandom", "a1 66'random' 80" },
		{ "GetRandom", "a1 66'random' 81 19 01 00" },
		{ "GetRandom", "a1 66'random' 5b ff ff ff ff ff ff ff ff" },
		{ "Attestation", "a1 68'document' 40" },
		{ "Attestation", "a1 68'document' f6" },
		/* an unknown field that is malformed, or too deep */
		{ "GetRandom", "a2 66'random' 41 00 63'new' 1c" },
		{ "GetRandom", "a2 66'random' 41 00 63'new' 81(24) 00" },
	};
	char response[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		snprintf(response, sizeof(response), "a1 %02zx'%s' %s",
			 0x60 + strlen(values[i].name), values[i].name,
			 values[i].value);
		check_malformed(request_named(values[i].name), response);
	}
}

/* --- DescribeNSM, field by field -------------------------------------------------- */

/* A response with this in place of one field. */
static int describe_with(const char *field, const char *value)
{
	static const struct {
		const char *name;
		const char *value;
	} good[] = {
		{ "version_major", "01" },  { "version_minor", "00" },
		{ "version_patch", "00" },  { "module_id", "61'm'" },
		{ "max_pcrs", "18 20" },    { "locked_pcrs", "80" },
		{ "digest", "66'SHA384'" },
	};
	char response[1024] = "a1 6b'DescribeNSM' a7";
	struct ne_error err;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		size_t used = strlen(response);

		snprintf(response + used, sizeof(response) - used,
			 " %02zx'%s' %s", 0x60 + strlen(good[i].name),
			 good[i].name,
			 strcmp(field, good[i].name) ? good[i].value : value);
	}
	return run(request_named("DescribeNSM"), response, &err);
}

static void numbers_are_16_bits_wide(void **state)
{
	static const char *const fields[] = {
		"version_major",
		"version_minor",
		"version_patch",
		"max_pcrs",
	};
	static const char *const wrong[] = {
		"1a 00 01 00 00",
		"20",
		"f5",
		"61'1'",
		"fb 3f f0 00 00 00 00 00 00",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(wrong); j++)
			assert_int_equal(describe_with(fields[i], wrong[j]),
					 -EPROTO);
		/* Also in more bytes than it needs. */
		assert_int_equal(describe_with(fields[i], "1a 00 00 ff ff"), 0);
	}
}

static void locked_pcrs_are_a_mask_of_the_first_32(void **state)
{
	static const struct {
		const char *array;
		int ret;
		uint32_t mask;
	} arrays[] = {
		{ "80", 0, 0 },
		{ "9f 18 1f 18 20 00 19 ff ff 00 ff", 0, 0x80000001 },
		{ "81 1a 00 01 00 00", -EPROTO, 0x55555555 },
		{ "81 20", -EPROTO, 0x55555555 },
		{ "41 00", -EPROTO, 0x55555555 },
		{ "f6", -EPROTO, 0x55555555 },
		{ "9b ff ff ff ff ff ff ff ff", -EPROTO, 0x55555555 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
		assert_int_equal(describe_with("locked_pcrs", arrays[i].array),
				 arrays[i].ret);
		assert_int_equal(result.description.locked_pcrs,
				 arrays[i].mask);
	}
}

static void digests_are_those_of_the_api(void **state)
{
	static const char *const names[] = { "SHA256", "SHA384", "SHA512" };
	char text[16];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(text, sizeof(text), "66'%s'", names[i]);
		assert_int_equal(describe_with("digest", text), 0);
		assert_int_equal(result.description.digest, i);
		assert_string_equal(ne_nsm_digest_name(i), names[i]);
	}
	assert_int_equal(describe_with("digest", "63'MD5'"), -EPROTO);
	assert_int_equal(describe_with("digest", "01"), -EPROTO);
	assert_string_equal(ne_nsm_digest_name((enum ne_nsm_digest)99),
			    "unknown");
}

static void a_module_id_is_a_text(void **state)
{
	static const char *const wrong[] = {
		"62 69 00",	 /* a zero */
		"62 69 ff",	 /* no UTF-8 */
		"42 'i-'",	 /* bytes */
		"7f 42 'i-' ff", /* pieces of bytes */
		"f6",
	};

	(void)state;
	assert_int_equal(describe_with("module_id", "7f 62'i-' 60 61'0' ff"),
			 0);
	assert_string_equal(result.description.module_id, "i-0");
	assert_int_equal(describe_with("module_id", "62 c3 a4"), 0);
	assert_string_equal(result.description.module_id, "ä");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(describe_with("module_id", wrong[i]), -EPROTO);
}

static void a_module_id_has_127_bytes_at_most(void **state)
{
	char text[300];

	(void)state;
	for (int letters = 126; letters < 256; letters++) {
		snprintf(text, sizeof(text), "78 %02x '%0*d'", letters, letters,
			 0);
		assert_int_equal(describe_with("module_id", text),
				 letters > 127 ? -EPROTO : 0);
		if (letters <= 127)
			assert_int_equal(strlen(result.description.module_id),
					 letters);
	}
}

/* --- Other ways of writing the same ------------------------------------------------ */

static void maps_and_strings_of_unknown_length_are_read(void **state)
{
	(void)state;
	accept(request_named("DescribePCR"),
	       "bf 7f 68'Describe' 63'PCR' ff bf 64'data' 5f 41 '0' 40 58 2f "
	       "'123456789abcdef0123456789abcdef0123456789abcdef' ff "
	       "7f 64'lock' ff f5 ff ff");
	assert_memory_equal(result.pcr.bytes, PCR_VALUE, NE_PCR_SIZE);
	assert_int_equal(result.locked, true);
}

static void arrays_of_integers_are_bytes(void **state)
{
	(void)state;
	accept(request_named("GetRandom"),
	       "a1 69'GetRandom' a1 66'random' 84 01 18 ff 19 00 03 17");
	assert_memory_equal(result.random, "\x01\xff\x03\x17", 4);
	accept(request_named("Attestation"),
	       "a1 6b'Attestation' a1 68'document' 9f 00 18 18 ff");
	assert_int_equal(result.document_size, 2);
	assert_memory_equal(result.document, "\x00\x18", 2);
	free(result.document);
}

static void unknown_fields_are_ignored(void **state)
{
	char response[512];

	(void)state;
	/* One of them with a name longer than any that is known */
	snprintf(
		response, sizeof(response),
		"a1 69'GetRandom' a4 63'new' a1 00 9f f6 ff 78 c8 '%0*d' c1 01 "
		"66'random' 44 01 02 03 04 7f 65'newer' ff f9 00 00",
		200, 0);
	accept(request_named("GetRandom"), response);
	assert_memory_equal(result.random, "\1\2\3\4", 4);
}

/* serde's decoders take it. */
static void a_name_alone_may_be_a_pair_with_null(void **state)
{
	(void)state;
	accept(request_named("LockPCR"), "a1 67'LockPCR' f6");
	accept(request_named("LockPCRs"), "bf 68'LockPCRs' f6 ff");
	accept(request_named("LockPCR"), "7f 64'Lock' 63'PCR' ff");
}

/* --- Random numbers ------------------------------------------------------------------ */

static void as_many_requests_are_done_as_it_takes(void **state)
{
	static const struct {
		size_t size;
		unsigned int requests;
	} sizes[] = {
		{ 0, 0 },   { 1, 1 },	{ 255, 1 }, { 256, 1 },
		{ 257, 2 }, { 512, 2 }, { 513, 3 }, { 599, 3 },
	};
	struct bytes response = cbor("a1 69'GetRandom' a1 66'random' 59 01 00");

	(void)state;
	for (unsigned int i = 0; i < 256; i++)
		response.at[response.size++] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		answer(&response);
		memset(result.random, 0x55, sizeof(result.random));
		assert_int_equal(ne_nsm_random(NSM, result.random,
					       sizes[i].size, NULL),
				 0);
		assert_int_equal(driver.asked, sizes[i].requests);
		for (size_t j = 0; j < sizes[i].size; j++)
			assert_int_equal(result.random[j], (uint8_t)j);
		assert_int_equal(result.random[sizes[i].size], 0x55);
	}
}

/* --- The driver ------------------------------------------------------------------------ */

static void an_interrupted_request_is_repeated(void **state)
{
	const struct request *request;

	(void)state;
	for (request = requests; request < END; request++) {
		answer_as(request->name);
		driver.interrupted = 3;
		assert_int_equal(request->run(NULL), 0);
		if (request->run == attest)
			free(result.document);
		assert_int_equal(driver.asked, 4);
		assert_int_equal(driver.room, NE_NSM_RESPONSE_MAX);
		check_asked(request->request);
	}
}

static void errors_of_the_driver_have_sentences(void **state)
{
	static const struct {
		int error;
		int code;
		const char *fragment;
	} answers[] = {
		{ EMSGSIZE, E2BIG, "4096 bytes at most" },
		{ ENOTTY, ENOTTY, "no NSM; open /dev/nsm" },
		{ EINVAL, ENOTTY, "no NSM; open /dev/nsm" },
		{ ETIMEDOUT, ETIMEDOUT, "not answered in time" },
		{ EIO, EIO, "cannot be asked: Input/output error" },
		{ ENODATA, ENODATA, "cannot be asked: No data" },
		{ EBADF, EBADF, "cannot be asked: Bad file descriptor" },
	};
	const struct request *request;
	struct ne_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		for (request = requests; request < END; request++) {
			memset(&result, 0x55, sizeof(result));
			result.document = NULL;
			fail_with(answers[i].error);
			check_failed(request, request->run(&err), &err,
				     answers[i].code, answers[i].fragment);
		}
	}
}

static void a_driver_that_wrote_too_much_is_refused(void **state)
{
	const struct request *request;

	(void)state;
	for (request = requests; request < END; request++) {
		answer_as(request->name);
		driver.claimed = NE_NSM_RESPONSE_MAX + 1;
		assert_int_equal(request->run(NULL), -EPROTO);
		driver.claimed = UINT64_MAX;
		assert_int_equal(request->run(NULL), -EPROTO);
	}
}

static void a_request_that_cannot_fit_is_not_sent(void **state)
{
	static const uint8_t data[NE_NSM_REQUEST_MAX + 1];
	/* 27 bytes around the data */
	const size_t largest = NE_NSM_REQUEST_MAX - 27;
	struct ne_error err;
	uint8_t *document;
	size_t size;

	(void)state;
	answer_as("ExtendPCR");
	assert_int_equal(ne_nsm_extend_pcr(NSM, 16, data, largest, NULL, &err),
			 0);
	assert_int_equal(driver.request_size, NE_NSM_REQUEST_MAX);
	answer_as("ExtendPCR");
	assert_int_equal(ne_nsm_extend_pcr(NSM, 16, data, largest + 1, NULL,
					   &err),
			 -E2BIG);
	assert_non_null(strstr(err.text, "cannot extend PCR 16: too much"));
	assert_int_equal(ne_nsm_attest(NSM,
				       &(struct ne_nsm_attest_input){
					       .user_data = data,
					       .user_data_size = SIZE_MAX,
				       },
				       &document, &size, &err),
			 -E2BIG);
	assert_int_equal(ne_nsm_request(NSM, data, sizeof(data), NULL, 0, &err),
			 -E2BIG);
	assert_int_equal(driver.asked, 0);
}

static void requests_of_ones_own_pass_as_they_are(void **state)
{
	const struct bytes error = cbor("a1 65'Error' 70'InvalidOperation'");
	uint8_t request[NE_NSM_REQUEST_MAX] = "any";
	uint8_t response[64];

	(void)state;
	answer(&error);
	assert_int_equal(ne_nsm_request(NSM, request, sizeof(request), response,
					sizeof(response), NULL),
			 error.size);
	assert_memory_equal(driver.request, request, sizeof(request));
	assert_memory_equal(response, error.at, error.size);
	/* The driver cuts it. */
	assert_int_equal(ne_nsm_request(NSM, request, 3, response, 5, NULL), 5);
	assert_int_equal(driver.request_size, 3);
	assert_int_equal(ne_nsm_request(NSM, "", 0, response, 0, NULL), 0);
}

static void what_is_no_nsm_is_recognised(void **state)
{
	struct ne_error err;
	int fd = ne_nsm_open("/dev/null", &err);

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(ne_nsm_lock_pcr(fd, 16, &err), -ENOTTY);
	assert_non_null(strstr(err.text, "cannot lock PCR 16: this descriptor "
					 "is no NSM"));
	close(fd);
	assert_int_equal(ne_nsm_lock_pcr(-1, 16, &err), -EBADF);
}

static void a_missing_device_says_what_is_missing(void **state)
{
	struct ne_error err;

	(void)state;
	assert_int_equal(ne_nsm_open("/nowhere/nsm", &err), -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_non_null(strstr(err.text, "there is no /nowhere/nsm: this is no "
					 "Nitro enclave, or its kernel has no "
					 "nsm driver"));
	assert_int_equal(ne_nsm_open("/", &err), -EISDIR);
	assert_int_equal(ne_nsm_open("/nowhere/nsm", NULL), -ENOENT);
	if (access(NE_NSM_PATH, F_OK)) {
		assert_int_equal(ne_nsm_open(NULL, &err), -ENOENT);
		assert_non_null(strstr(err.text, "there is no /dev/nsm:"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_written_as_serde_writes_them),
		cmocka_unit_test(what_a_document_need_not_carry_is_null),
		cmocka_unit_test(empty_is_not_none),
		cmocka_unit_test(a_description_is_read),
		cmocka_unit_test(a_pcr_is_read),
		cmocka_unit_test(a_document_is_passed_on_as_it_is),
		cmocka_unit_test(what_the_caller_does_not_want_is_left_out),
		cmocka_unit_test(each_error_is_an_errno_of_its_own),
		cmocka_unit_test(an_internal_error_is_not_blamed_on_the_caller),
		cmocka_unit_test(an_error_that_is_none_is_malformed),
		cmocka_unit_test(an_error_of_unknown_length_is_read),
		cmocka_unit_test(a_response_cut_anywhere_is_refused),
		cmocka_unit_test(the_response_to_another_request_is_refused),
		cmocka_unit_test(bytes_behind_the_response_are_refused),
		cmocka_unit_test(two_responses_in_one_are_refused),
		cmocka_unit_test(what_is_no_response_is_refused),
		cmocka_unit_test(a_field_missing_doubled_or_wrong_is_refused),
		cmocka_unit_test(numbers_are_16_bits_wide),
		cmocka_unit_test(locked_pcrs_are_a_mask_of_the_first_32),
		cmocka_unit_test(digests_are_those_of_the_api),
		cmocka_unit_test(a_module_id_is_a_text),
		cmocka_unit_test(a_module_id_has_127_bytes_at_most),
		cmocka_unit_test(maps_and_strings_of_unknown_length_are_read),
		cmocka_unit_test(arrays_of_integers_are_bytes),
		cmocka_unit_test(unknown_fields_are_ignored),
		cmocka_unit_test(a_name_alone_may_be_a_pair_with_null),
		cmocka_unit_test(as_many_requests_are_done_as_it_takes),
		cmocka_unit_test(an_interrupted_request_is_repeated),
		cmocka_unit_test(errors_of_the_driver_have_sentences),
		cmocka_unit_test(a_driver_that_wrote_too_much_is_refused),
		cmocka_unit_test(a_request_that_cannot_fit_is_not_sent),
		cmocka_unit_test(requests_of_ones_own_pass_as_they_are),
		cmocka_unit_test(what_is_no_nsm_is_recognised),
		cmocka_unit_test(a_missing_device_says_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
