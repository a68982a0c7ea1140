// SPDX-License-Identifier: Apache-2.0
/*
 * All seven requests of libne's NSM client to whatever /dev/nsm is.
 *
 *	nsm_client PCR0 DOCUMENT
 *
 * PCR0: 96 hexadecimal digits, what that register should be
 * DOCUMENT: a file to put an attestation document into, for nonce "nonce",
 *	user data "user data" and public key "key"
 *
 * Prints "ok SENTENCE" or "not ok SENTENCE" for each thing that should hold.
 */
#include <ne/nsm.h>

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool failed;

static void check(bool holds, const char *sentence)
{
	printf("%s %s\n", holds ? "ok" : "not ok", sentence);
	failed = failed || !holds;
}

/* A function of libne returned this, and should have returned that. */
static void check_return(int ret, int expected, const struct ne_error *err,
			 const char *sentence)
{
	check(ret == expected, sentence);
	if (ret != expected)
		printf("# returned %d, not %d: %s\n", ret, expected, err->text);
}

static void describe(int nsm)
{
	struct ne_nsm_description description = { 0 };
	struct ne_error err = { 0 };

	check_return(ne_nsm_describe(nsm, &description, &err), 0, &err,
		     "the module describes itself");
	check(description.max_pcrs == NE_PCR_COUNT, "it has 32 PCRs");
	check(description.locked_pcrs == 0xffff, "0 to 15 are locked");
	check(description.digest == NE_NSM_SHA384, "its digest is SHA-384");
	check(strstr(description.module_id, "-enc"),
	      "its id names instance and enclave");
}

static bool pcr_is(int nsm, uint16_t index, const char *hex, bool locked)
{
	char is[NE_PCR_HEX_SIZE];
	struct ne_pcr value;
	bool is_locked;

	if (ne_nsm_describe_pcr(nsm, index, &value, &is_locked, NULL))
		return false;
	ne_pcr_to_hex(&value, is);
	return !strcmp(is, hex) && is_locked == locked;
}

static void extend_and_lock(int nsm)
{
	struct ne_pcr expected = { 0 }, value = { 0 };
	struct ne_error err = { 0 };
	char hex[NE_PCR_HEX_SIZE];

	ne_pcr_extend(&expected, "first", 5, NULL);
	ne_pcr_extend(&expected, "second", 6, NULL);
	ne_pcr_to_hex(&expected, hex);
	check_return(ne_nsm_extend_pcr(nsm, 16, "first", 5, NULL, &err), 0,
		     &err, "PCR 16 can be extended");
	check_return(ne_nsm_extend_pcr(nsm, 16, "second", 6, &value, &err), 0,
		     &err, "and again");
	check(!memcmp(&value, &expected, sizeof(value)),
	      "to SHA-384 of the old value and the data");
	check(pcr_is(nsm, 16, hex, false), "which is then read, and open");
	check_return(ne_nsm_lock_pcr(nsm, 16, &err), 0, &err,
		     "it can be locked");
	check(pcr_is(nsm, 16, hex, true), "and is so then");
	check_return(ne_nsm_extend_pcr(nsm, 16, "", 0, NULL, &err), -EROFS,
		     &err, "and not extended any more");
	check_return(ne_nsm_lock_pcr(nsm, 16, &err), -EROFS, &err,
		     "nor locked");
}

static void lock_many(int nsm)
{
	struct ne_nsm_description description = { 0 };
	struct ne_error err = { 0 };

	check_return(ne_nsm_lock_pcrs(nsm, 20, &err), 0, &err,
		     "PCRs can be locked up to one");
	ne_nsm_describe(nsm, &description, &err);
	check(description.locked_pcrs == 0xfffff, "and just these are");
}

static void refuse(int nsm)
{
	struct ne_error err = { 0 };

	check_return(ne_nsm_extend_pcr(nsm, 0, "x", 1, NULL, &err), -EROFS,
		     &err, "PCR 0 cannot be extended");
	check_return(ne_nsm_describe_pcr(nsm, 32, NULL, NULL, &err), -ERANGE,
		     &err, "there is no PCR 32 to read");
	check_return(ne_nsm_extend_pcr(nsm, 32, "x", 1, NULL, &err), -ERANGE,
		     &err, "nor to extend");
	check_return(ne_nsm_lock_pcr(nsm, 32, &err), -ERANGE, &err,
		     "nor to lock");
	check_return(ne_nsm_lock_pcrs(nsm, 33, &err), -ERANGE, &err,
		     "and there are no 33 to lock");
}

static void get_random(int nsm)
{
	uint8_t first[1000] = { 0 }, second[1000] = { 0 };
	struct ne_error err = { 0 };

	check_return(ne_nsm_random(nsm, first, sizeof(first), &err), 0, &err,
		     "a thousand random bytes are given");
	ne_nsm_random(nsm, second, sizeof(second), &err);
	check(memcmp(first, second, sizeof(first)) != 0, "which differ");
	check(memcmp(first, first + 256, 256) != 0, "and do not repeat");
	check(memcmp(first + 990, (uint8_t[10]){ 0 }, 10) != 0,
	      "up to the last");
}

static void attest(int nsm, const char *path)
{
	const struct ne_nsm_attest_input input = {
		.user_data = "user data",
		.user_data_size = 9,
		.nonce = "nonce",
		.nonce_size = 5,
		.public_key = "key",
		.public_key_size = 3,
	};
	uint8_t *document = NULL;
	struct ne_error err = { 0 };
	size_t size = 0;
	FILE *file = fopen(path, "we");

	check_return(ne_nsm_attest(nsm, &input, &document, &size, &err), 0,
		     &err, "a document is given");
	check(file && fwrite(document, 1, size, file) == size && !fclose(file),
	      "and saved");
	free(document);
}

static void attest_too_much(int nsm)
{
	static const uint8_t data[1025];
	const struct ne_nsm_attest_input nonce = {
		.nonce = data,
		.nonce_size = 513,
	};
	const struct ne_nsm_attest_input largest = {
		.user_data = data,
		.user_data_size = NE_NSM_USER_DATA_MAX,
		.nonce = data,
		.nonce_size = NE_NSM_NONCE_MAX,
		.public_key = data,
		.public_key_size = NE_NSM_PUBLIC_KEY_MAX,
	};
	uint8_t *document = NULL;
	struct ne_error err = { 0 };
	size_t size;

	check_return(ne_nsm_attest(nsm, &nonce, &document, &size, &err), -E2BIG,
		     &err, "a nonce of 513 bytes is too large");
	check_return(ne_nsm_attest(nsm, &largest, &document, &size, &err), 0,
		     &err, "what verifiers take is not");
	free(document);
}

static void ask_something_else(int nsm)
{
	static const char expected[] = "\xa1\x65"
				       "Error"
				       "\x70"
				       "InvalidOperation";
	char response[NE_NSM_RESPONSE_MAX];
	struct ne_error err = { 0 };
	ssize_t size = ne_nsm_request(nsm, "\x69Yesterday", 10, response,
				      sizeof(response), &err);

	check(size == sizeof(expected) - 1 &&
		      !memcmp(response, expected, sizeof(expected) - 1),
	      "a request that nobody knows is an InvalidOperation");
}

/* --- Many at a time --------------------------------------------------------- */

static void *ask_often(void *data)
{
	const int *nsm = data;
	intptr_t wrong = 0;
	uint8_t random[300];

	for (int i = 0; i < 50; i++) {
		wrong += ne_nsm_random(*nsm, random, sizeof(random), NULL) != 0;
		wrong += ne_nsm_describe_pcr(*nsm, 3, NULL, NULL, NULL) != 0;
	}
	return (void *)wrong;
}

static void ask_in_threads(int nsm)
{
	pthread_t threads[8];
	intptr_t wrong = 0;
	void *result;

	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, ask_often, &nsm))
			abort();
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &result);
		wrong += (intptr_t)result;
	}
	check(wrong == 0, "eight threads share a descriptor");
}

int main(int argc, char **argv)
{
	struct ne_error err = { 0 };
	int nsm;

	if (argc != 3) {
		fputs("usage: nsm_client PCR0 DOCUMENT\n", stderr);
		return 2;
	}
	nsm = ne_nsm_open(NULL, &err);
	if (nsm < 0) {
		fprintf(stderr, "nsm_client: %s\n", err.text);
		return 2;
	}
	describe(nsm);
	check(pcr_is(nsm, 0, argv[1], true), "PCR 0 is that of the image");
	refuse(nsm);
	extend_and_lock(nsm);
	lock_many(nsm);
	get_random(nsm);
	attest(nsm, argv[2]);
	attest_too_much(nsm);
	ask_something_else(nsm);
	ask_in_threads(nsm);
	close(nsm);
	return failed;
}
