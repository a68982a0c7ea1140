// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <ne/error.h>

#include "ne-run/resources.h"

#define MIB (UINT64_C(1) << 20)

static struct resources chosen;
static struct ne_error err;

static int choose(uint64_t memory, unsigned int cpus, uint64_t image_size,
		  uint64_t default_memory, uint64_t default_cpus)
{
	struct resources_wish wish = {
		.image_size = image_size,
		.memory = default_memory,
		.cpus = default_cpus,
	};

	err = (struct ne_error){ 0 };
	return resources_choose(&chosen, memory, cpus, &wish, &err);
}

static void the_user_is_obeyed(void **state)
{
	(void)state;
	assert_int_equal(choose(256 * MIB, 4, 30 * MIB, 1024 * MIB, 2), 0);
	assert_int_equal(chosen.memory, 256 * MIB);
	assert_int_equal(chosen.cpus, 4);
	assert_false(chosen.is_tight);
}

static void the_image_is_asked_for_what_the_user_has_not_said(void **state)
{
	(void)state;
	assert_int_equal(choose(0, 0, 30 * MIB, 1024 * MIB, 3), 0);
	assert_int_equal(chosen.memory, 1024 * MIB);
	assert_int_equal(chosen.cpus, 3);
}

static void an_image_that_says_nothing_gets_what_suits_it(void **state)
{
	(void)state;
	assert_int_equal(choose(0, 0, 30 * MIB, 0, 0), 0);
	assert_int_equal(chosen.memory, 512 * MIB);
	assert_int_equal(chosen.cpus, 2);
	assert_int_equal(choose(0, 0, 200 * MIB + 1, 0, 0), 0);
	assert_int_equal(chosen.memory, 802 * MIB);
}

static void a_default_that_cannot_do_is_raised(void **state)
{
	(void)state;
	assert_int_equal(choose(0, 0, 300 * MIB, 256 * MIB, 0), 0);
	assert_int_equal(chosen.memory, 1200 * MIB);
	assert_int_equal(choose(0, 0, 1 * MIB, 1, 0), 0);
	assert_int_equal(chosen.memory, 64 * MIB);
}

static void memory_is_rounded_up_to_whole_huge_pages(void **state)
{
	(void)state;
	assert_int_equal(choose(101 * MIB, 0, MIB, 0, 0), 0);
	assert_int_equal(chosen.memory, 102 * MIB);
}

static void too_little_memory_is_refused_with_advice(void **state)
{
	(void)state;
	assert_int_equal(choose(62 * MIB, 0, MIB, 0, 0), -EINVAL);
	assert_string_equal(err.text, "62 MiB: an enclave has at least 64 MiB "
				      "of memory; give another --mem");
	assert_int_equal(choose(256 * MIB, 0, 300 * MIB, 0, 0), -EINVAL);
	assert_string_equal(err.text, "256 MiB of memory are too little for "
				      "an image of 300 MiB; give --mem 1200");
	assert_int_equal(choose(72 * MIB, 0, 64 * MIB, 0, 0), 0);
	assert_int_equal(choose(72 * MIB, 0, 64 * MIB + 1, 0, 0), -EINVAL);
}

static void memory_that_nitro_cli_refuses_is_called_tight(void **state)
{
	(void)state;
	assert_int_equal(choose(400 * MIB, 0, 100 * MIB, 0, 0), 0);
	assert_false(chosen.is_tight);
	assert_int_equal(choose(398 * MIB, 0, 100 * MIB, 0, 0), 0);
	assert_true(chosen.is_tight);
}

static void absurd_wishes_are_refused(void **state)
{
	(void)state;
	assert_int_equal(choose(0, 0, MIB, UINT64_MAX, 0), -EINVAL);
	assert_int_equal(choose(0, 0, MIB, INT64_MAX, 0), -EINVAL);
	assert_int_equal(choose(INT64_MAX, 0, MIB, 0, 0), -EINVAL);
	assert_int_equal(choose(0, 0, UINT64_MAX, 0, 0), -EINVAL);
	assert_int_equal(choose(0, 0, INT64_MAX / 2, 0, 0), -EINVAL);
	assert_int_equal(choose(0, 0, MIB, 0, UINT64_MAX), -EINVAL);
	assert_int_equal(choose(0, 0, MIB, 0, UINT64_C(1) << 32), -EINVAL);
	assert_non_null(strstr(err.text, "give --cpus"));
	assert_int_equal(choose(0, 2, MIB, 0, UINT64_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_user_is_obeyed),
		cmocka_unit_test(
			the_image_is_asked_for_what_the_user_has_not_said),
		cmocka_unit_test(an_image_that_says_nothing_gets_what_suits_it),
		cmocka_unit_test(a_default_that_cannot_do_is_raised),
		cmocka_unit_test(memory_is_rounded_up_to_whole_huge_pages),
		cmocka_unit_test(too_little_memory_is_refused_with_advice),
		cmocka_unit_test(memory_that_nitro_cli_refuses_is_called_tight),
		cmocka_unit_test(absurd_wishes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
