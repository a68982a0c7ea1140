// SPDX-License-Identifier: Apache-2.0
/*
 * Every bit of a real document, flipped one at a time: not one such document
 * is accepted, and each is called broken, not foreign and not old.
 *
 * That is one signature to verify for each of some 36,000 documents, so all
 * processors share the work. Under the sanitizers it is a sample, in which
 * every byte has its turn.
 */
#include <ne/attestation.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/attestation_document.h"

#define MAX_THREADS 16

/* gcc says it in one way, clang in the other. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define BITS_PER_BYTE 1
#else
#define BITS_PER_BYTE 8
#endif

static struct raw document;

/* Shared by the threads. */
static atomic_size_t next_byte;
static atomic_uint accepted;
static atomic_uint misnamed;
static atomic_uint refused[NE_ATTESTATION_CHECKS];

/* What became of a document; 0: it was accepted. */
static int judge(const uint8_t *bytes, enum ne_attestation_check *failed)
{
	const struct ne_attestation_policy policy = {
		.when = NE_ATTESTATION_AT_ITS_TIME
	};
	struct ne_attestation *attestation = NULL;
	int ret =
		ne_attestation_parse(&attestation, bytes, document.size, NULL);

	*failed = NE_ATTESTATION_SYNTAX;
	if (!ret)
		ret = ne_attestation_verify(attestation, &policy, failed, NULL);
	ne_attestation_free(attestation);
	return ret;
}

static void flip(uint8_t *bytes, size_t at, unsigned int bit)
{
	enum ne_attestation_check failed;

	bytes[at] ^= (uint8_t)(1U << bit);
	if (!judge(bytes, &failed))
		atomic_fetch_add(&accepted, 1);
	else if (failed != NE_ATTESTATION_SYNTAX &&
		 failed != NE_ATTESTATION_SIGNATURE)
		atomic_fetch_add(&misnamed, 1);
	else
		atomic_fetch_add(&refused[failed], 1);
	bytes[at] ^= (uint8_t)(1U << bit);
}

static void *flip_some(void *argument)
{
	/* Just as large, so that a sanitizer sees reads beyond the end. */
	uint8_t *bytes = malloc(document.size);
	size_t at;

	if (!bytes)
		return NULL;
	memcpy(bytes, document.bytes, document.size);
	while ((at = atomic_fetch_add(&next_byte, 1)) < document.size)
		for (unsigned int i = 0; i < BITS_PER_BYTE; i++)
			flip(bytes, at, (at + i) % 8);
	free(bytes);
	return argument;
}

static void no_document_with_a_flipped_bit_is_accepted(void **state)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[MAX_THREADS];
	enum ne_attestation_check failed;
	long count = processors < 1 ? 1 : processors;

	(void)state;
	vector_read(&document, "veracruz-valid.cbor");
	assert_int_equal(judge(document.bytes, &failed), 0);
	if (count > MAX_THREADS)
		count = MAX_THREADS;
	for (long i = 0; i < count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flip_some,
						&document),
				 0);
	for (long i = 0; i < count; i++) {
		void *done;

		pthread_join(threads[i], &done);
		assert_non_null(done);
	}
	assert_int_equal(accepted, 0);
	assert_int_equal(misnamed, 0);
	assert_int_equal(refused[NE_ATTESTATION_SYNTAX] +
				 refused[NE_ATTESTATION_SIGNATURE],
			 document.size * BITS_PER_BYTE);
	/* Most of it is content, not form. */
	assert_true(refused[NE_ATTESTATION_SIGNATURE] >
		    refused[NE_ATTESTATION_SYNTAX]);
	/* The document itself is still fine. */
	assert_int_equal(judge(document.bytes, &failed), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_document_with_a_flipped_bit_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
