// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libne/cleanup.h"
#include "ne-run/parse.h"

static void a_number_is_digits_between_its_bounds(void **state)
{
	uint64_t number = 0;

	(void)state;
	assert_true(parse_number("4", 4, 9, &number));
	assert_int_equal(number, 4);
	assert_true(parse_number("009", 4, 9, &number));
	assert_int_equal(number, 9);
	assert_true(
		parse_number("18446744073709551615", 0, UINT64_MAX, &number));
	assert_true(number == UINT64_MAX);
}

static void what_is_no_number_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" 5",
		"5 ",
		"-5",
		"+5",
		"0x5",
		"5.",
		"3",
		"10",
		"18446744073709551621",
		"99999999999999999999999",
	};
	uint64_t number = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(parse_number(bad[i], 4, 9, &number));
	assert_false(
		parse_number("18446744073709551616", 0, UINT64_MAX, &number));
	assert_false(parse_number("5", 0, 4, &number));
	assert_int_equal(number, 7);
}

static void memory_is_in_mib_unless_it_has_a_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t mib;
	} sizes[] = {
		{ "512", 512 },	   { "512M", 512 },   { "512m", 512 },
		{ "512MiB", 512 }, { "4G", 4096 },    { "4g", 4096 },
		{ "4GiB", 4096 },  { "1T", 1 << 20 }, { "1TiB", 1 << 20 },
		{ "1", 1 },
	};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_true(parse_memory(sizes[i].text, &bytes));
		assert_int_equal(bytes, sizes[i].mib << 20);
	}
}

static void what_is_no_size_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"0",
		"0G",
		"G",
		"4K",
		"4GB",
		"4 G",
		"-4G",
		"4.5G",
		"4Gi",
		"4GiBx",
		"8388608T",
		"8796093022208M",
		"99999999999999999999",
	};
	uint64_t bytes = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(parse_memory(bad[i], &bytes));
	assert_int_equal(bytes, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_digits_between_its_bounds),
		cmocka_unit_test(what_is_no_number_is_refused),
		cmocka_unit_test(memory_is_in_mib_unless_it_has_a_unit),
		cmocka_unit_test(what_is_no_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
