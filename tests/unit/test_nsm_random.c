// SPDX-License-Identifier: Apache-2.0
/*
 * Randomness, and what a seed makes of it.
 */
#include "nsm-emu/random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libne/cleanup.h"

static void cleanup_randomp(struct nsm_random **random)
{
	nsm_random_free(*random);
}

#define cleanup_random __attribute__((cleanup(cleanup_randomp)))

static void draw(struct nsm_random *random, uint8_t *to, size_t size)
{
	assert_int_equal(nsm_random_bytes(random, to, size), 0);
}

static void without_a_seed_every_draw_is_another(void **state)
{
	cleanup_random struct nsm_random *a = nsm_random_new(NULL);
	cleanup_random struct nsm_random *b = nsm_random_derive(a, "label");
	uint8_t one[32], two[32], three[32];

	(void)state;
	assert_false(nsm_random_is_seeded(a));
	assert_false(nsm_random_is_seeded(b));
	draw(a, one, sizeof(one));
	draw(a, two, sizeof(two));
	draw(b, three, sizeof(three));
	assert_memory_not_equal(one, two, sizeof(one));
	assert_memory_not_equal(one, three, sizeof(one));
}

static void a_seed_gives_the_same_bytes_in_the_same_order(void **state)
{
	static const size_t sizes[] = { 1, 64, 0, 65, 256, 7 };
	cleanup_random struct nsm_random *a = nsm_random_new("seed");
	cleanup_random struct nsm_random *b = nsm_random_new("seed");
	uint8_t one[256], two[256];

	(void)state;
	assert_true(nsm_random_is_seeded(a));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(one, 0x55, sizeof(one));
		memset(two, 0x55, sizeof(two));
		draw(a, one, sizes[i]);
		draw(b, two, sizes[i]);
		assert_memory_equal(one, two, sizeof(one));
	}
	draw(a, two, sizeof(two));
	assert_memory_not_equal(one, two, 7);
}

/*
 * Of HMAC-SHA-512 by another implementation (Python's hmac); documents that
 * somebody keeps as expected results depend on it.
 */
static void a_seed_gives_the_same_bytes_for_ever(void **state)
{
	static const uint8_t root[] = {
		0xdc, 0x56, 0x36, 0xcd, 0x2d, 0x87, 0x74, 0xff, 0xa1, 0x9d,
		0x4c, 0xe7, 0x6b, 0x47, 0xa8, 0x0c, 0x0c, 0x32, 0xe5, 0x6d,
		0x4d, 0x7e, 0xbe, 0xb6, 0xf1, 0xe8, 0xe0, 0x62, 0x4a, 0x6a,
		0x75, 0xe0, 0x7e, 0x3c, 0x34, 0xe5, 0x9e, 0x36, 0xd7, 0xef,
		0x2f, 0x2a, 0x64, 0xd2, 0x2b, 0x24, 0x2c, 0x0b, 0x08, 0xd6,
		0x4f, 0xe8, 0xa8, 0xeb, 0xf6, 0x96, 0x91, 0x54, 0x50, 0xdd,
		0xa0, 0x02, 0x0c, 0x40, 0x68, 0x49, 0xa2, 0xd8, 0x2e, 0xfd,
		0x68, 0x5f, 0x7a, 0x21, 0x37, 0x2e, 0xe3, 0xfd, 0x67, 0xe7
	};
	static const uint8_t derived[] = {
		0x71, 0xe3, 0xca, 0x32, 0xd8, 0x13, 0xf4, 0x0f, 0xb7, 0x2c,
		0x8b, 0xb7, 0xc7, 0xfb, 0x08, 0xcd, 0x76, 0x2e, 0xfc, 0x71,
		0x2e, 0x8a, 0xa2, 0x94, 0x34, 0x1a, 0xb0, 0x2d, 0x20, 0x2d,
		0xb9, 0x8b, 0x1f, 0xd9, 0x88, 0xc7, 0xd3, 0x61, 0x3f, 0x0a,
		0x99, 0x52, 0xac, 0xee, 0x83, 0xf8, 0x1e, 0x9a, 0xf9, 0xab,
		0x8d, 0x72, 0x22, 0x56, 0x41, 0x9e, 0xec, 0x72, 0xe2, 0x00,
		0x0f, 0x39, 0xa3, 0x56, 0x2c, 0x40, 0xc0, 0xfb, 0x68, 0x83,
		0xce, 0x5f, 0x5f, 0xda, 0x54, 0x21, 0x16, 0x09, 0xad, 0x24
	};
	cleanup_random struct nsm_random *a = nsm_random_new("seed");
	cleanup_random struct nsm_random *b = nsm_random_derive(a, "label");
	uint8_t bytes[80];

	(void)state;
	draw(a, bytes, sizeof(bytes));
	assert_memory_equal(bytes, root, sizeof(root));
	draw(b, bytes, sizeof(bytes));
	assert_memory_equal(bytes, derived, sizeof(derived));
}

static void another_seed_or_label_gives_other_bytes(void **state)
{
	static const struct {
		const char *seed;
		const char *label;
	} sources[] = {
		{ "a", NULL }, { "b", NULL }, { "", NULL },
		{ "a", "x" },  { "a", "y" },  { "a", "" },
	};
	uint8_t bytes[ARRAY_SIZE(sources)][32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		cleanup_random struct nsm_random *seeded =
			nsm_random_new(sources[i].seed);
		cleanup_random struct nsm_random *derived =
			sources[i].label
				? nsm_random_derive(seeded, sources[i].label)
				: NULL;

		draw(derived ? derived : seeded, bytes[i], sizeof(bytes[i]));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(bytes[i], bytes[j],
						sizeof(bytes[i]));
	}
}

static void what_is_derived_does_not_depend_on_what_was_taken(void **state)
{
	cleanup_random struct nsm_random *a = nsm_random_new("seed");
	cleanup_random struct nsm_random *early = nsm_random_derive(a, "label");
	cleanup_random struct nsm_random *late = NULL;
	uint8_t one[100], two[100];

	(void)state;
	draw(a, one, sizeof(one));
	late = nsm_random_derive(a, "label");
	draw(early, one, sizeof(one));
	draw(late, two, sizeof(two));
	assert_memory_equal(one, two, sizeof(one));
}

#define THREADS 8
#define DRAWS 200
#define SIZE 16

struct drawer {
	pthread_t thread;
	struct nsm_random *random;
	uint8_t bytes[DRAWS][SIZE];
};

static void *draw_many(void *data)
{
	struct drawer *drawer = data;

	for (size_t i = 0; i < DRAWS; i++)
		if (nsm_random_bytes(drawer->random, drawer->bytes[i], SIZE))
			abort();
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, SIZE);
}

static void no_two_threads_get_the_same_bytes_of_a_seed(void **state)
{
	cleanup_random struct nsm_random *random = nsm_random_new("seed");
	static struct drawer drawers[THREADS];
	static uint8_t all[THREADS * DRAWS][SIZE];

	(void)state;
	for (size_t i = 0; i < THREADS; i++) {
		drawers[i].random = random;
		assert_int_equal(pthread_create(&drawers[i].thread, NULL,
						draw_many, &drawers[i]),
				 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(drawers[i].thread, NULL);
		memcpy(all[i * DRAWS], drawers[i].bytes,
		       sizeof(drawers[i].bytes));
	}
	qsort(all, ARRAY_SIZE(all), SIZE, compare);
	for (size_t i = 1; i < ARRAY_SIZE(all); i++)
		assert_memory_not_equal(all[i - 1], all[i], SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_seed_every_draw_is_another),
		cmocka_unit_test(a_seed_gives_the_same_bytes_in_the_same_order),
		cmocka_unit_test(a_seed_gives_the_same_bytes_for_ever),
		cmocka_unit_test(another_seed_or_label_gives_other_bytes),
		cmocka_unit_test(
			what_is_derived_does_not_depend_on_what_was_taken),
		cmocka_unit_test(no_two_threads_get_the_same_bytes_of_a_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
