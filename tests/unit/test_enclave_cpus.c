// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include <ne/enclave.h>

#include "libne/cleanup.h"

static uint32_t ids[8];

static int parse(const char *list)
{
	return ne_cpu_list_parse(list, ids, ARRAY_SIZE(ids));
}

static void numbers_and_ranges_are_taken_as_they_are_written(void **state)
{
	static const uint32_t wanted[] = { 6, 2, 3, 0 };

	(void)state;
	assert_int_equal(parse("6,2-3,0"), 4);
	assert_memory_equal(ids, wanted, sizeof(wanted));
	assert_int_equal(parse("65535"), 1);
	assert_int_equal(ids[0], 65535);
	assert_int_equal(parse("4-4"), 1);
}

static void what_is_no_list_is_refused(void **state)
{
	static const char *const bad[] = {
		"",	 ",",	 "1,",	",1",	"-1",  "1-", "3-2",
		"1-2-3", "a",	 "1 ",	" 1",	"1;2", "+1", "0x2",
		"1,,2",	 "1-,2", "2.0", "1\n2", "all",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i]), -EINVAL);
}

static void a_cpu_cannot_be_given_twice(void **state)
{
	(void)state;
	assert_int_equal(parse("2,3,2"), -EINVAL);
	assert_int_equal(parse("2-4,3"), -EINVAL);
}

static void numbers_do_not_wrap(void **state)
{
	(void)state;
	assert_int_equal(parse("65536"), -ERANGE);
	assert_int_equal(parse("4294967298"), -ERANGE);
	assert_int_equal(parse("99999999999999999999999"), -ERANGE);
}

static void a_list_is_not_longer_than_its_room(void **state)
{
	(void)state;
	assert_int_equal(parse("1-8"), 8);
	assert_int_equal(parse("1-9"), -E2BIG);
	assert_int_equal(parse("0-65535"), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			numbers_and_ranges_are_taken_as_they_are_written),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(a_cpu_cannot_be_given_twice),
		cmocka_unit_test(numbers_do_not_wrap),
		cmocka_unit_test(a_list_is_not_longer_than_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
