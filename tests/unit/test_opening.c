// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "plumbing/opening.h"

static const char *const names[] = { "/dev/first", "/sys/a/second" };

static bool is_likely(const char *path)
{
	return opening_is_likely(path, names, 2);
}

static void expect_simple(const char *path, const char *expected)
{
	char copy[128];

	snprintf(copy, sizeof(copy), "%s", path);
	opening_simplify(copy);
	assert_string_equal(copy, expected);
}

static void a_simple_path_stays_as_it_is(void **state)
{
	(void)state;
	expect_simple("/dev/first", "/dev/first");
	expect_simple("/a", "/a");
	expect_simple("/.a/..b/c./d..", "/.a/..b/c./d..");
	expect_simple("/.../a", "/.../a");
}

static void slashes_and_dots_are_taken_out(void **state)
{
	(void)state;
	expect_simple("//dev///first", "/dev/first");
	expect_simple("/./dev/././first", "/dev/first");
	expect_simple("/dev/first/", "/dev/first");
	expect_simple("/dev/first/.", "/dev/first");
}

static void two_dots_go_up_and_not_above_the_root(void **state)
{
	(void)state;
	expect_simple("/dev/pts/../first", "/dev/first");
	expect_simple("/a/b/../../dev/first", "/dev/first");
	expect_simple("/../../dev/first", "/dev/first");
	expect_simple("/a/..//../dev/./first", "/dev/first");
	expect_simple("/dev/first/..", "/dev");
}

static void of_the_root_nothing_is_left(void **state)
{
	(void)state;
	expect_simple("/", "");
	expect_simple("/a/..", "");
	expect_simple("/..", "");
	expect_simple("", "");
}

static void what_ends_like_a_name_is_looked_at(void **state)
{
	(void)state;
	assert_true(is_likely("/dev/first"));
	assert_true(is_likely("first"));
	assert_true(is_likely("../a/./second"));
	assert_true(is_likely("/somewhere/else/first"));
}

static void what_ends_otherwise_is_not(void **state)
{
	(void)state;
	assert_false(is_likely(""));
	assert_false(is_likely("irst"));
	assert_false(is_likely("/dev/first-not"));
	assert_false(is_likely("/dev/first/other"));
	assert_false(is_likely("/usr/lib/libc.so.6"));
	assert_false(opening_is_likely("/dev/first", names, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_simple_path_stays_as_it_is),
		cmocka_unit_test(slashes_and_dots_are_taken_out),
		cmocka_unit_test(two_dots_go_up_and_not_above_the_root),
		cmocka_unit_test(of_the_root_nothing_is_left),
		cmocka_unit_test(what_ends_like_a_name_is_looked_at),
		cmocka_unit_test(what_ends_otherwise_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
