// SPDX-License-Identifier: Apache-2.0

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ne-init/config.h"
#include "ne-init/modules.h"

/* The lines of text, joined by '|'; free it. */
static char *lines_of(const char *bytes, size_t size, bool keep_empty)
{
	char *text = malloc(size + 1), *joined = calloc(1, size + 16);
	char **lines;

	memcpy(text, bytes, size);
	lines = config_lines(text, size, keep_empty);
	for (size_t i = 0; lines && lines[i]; i++) {
		strcat(joined, lines[i]);
		strcat(joined, "|");
	}
	free(lines);
	free(text);
	return joined;
}

static void assert_lines(const char *text, bool keep_empty,
			 const char *expected)
{
	char *joined = lines_of(text, strlen(text), keep_empty);

	assert_string_equal(joined, expected);
	free(joined);
}

static void a_line_is_an_argument(void **state)
{
	(void)state;
	assert_lines("a\nb c\n", true, "a|b c|");
	assert_lines("a", true, "a|");
	assert_lines("", true, "");
	assert_lines("\n", true, "|");
	assert_lines("sh\n-c\n\n", true, "sh|-c||");
	assert_lines("a\n\nb", true, "a||b|");
	assert_lines("\n\na=b\n\n", false, "a=b|");
}

static void a_zero_byte_is_refused(void **state)
{
	char text[] = "a\0b\n";

	(void)state;
	errno = 0;
	assert_null(config_lines(text, sizeof(text) - 1, true));
	assert_int_equal(errno, EINVAL);
}

/* The value of a name, and that there is only one. */
static const char *value_of(char **environment, const char *name)
{
	const char *value = NULL;
	size_t length = strlen(name);

	for (; *environment; environment++) {
		if (strncmp(*environment, name, length) ||
		    (*environment)[length] != '=')
			continue;
		assert_null(value);
		value = *environment + length + 1;
	}
	return value;
}

static void what_the_environment_lacks_is_added(void **state)
{
	char *nothing = NULL;
	size_t ignored = 1;
	char **environment = config_environment(&nothing, &ignored);

	(void)state;
	assert_int_equal(ignored, 0);
	assert_non_null(strstr(value_of(environment, "PATH"), "/usr/bin"));
	assert_string_equal(value_of(environment, "HOME"), "/root");
	assert_string_equal(value_of(environment, "TERM"), "linux");
	free(environment);
}

static void what_the_image_says_wins(void **state)
{
	char path[] = "PATH=/opt", a[] = "A=1", b[] = "A=2", ab[] = "AB=3";
	char empty[] = "EMPTY=", equals[] = "E=a=b";
	char *lines[] = { path, a, ab, b, empty, equals, NULL };
	size_t ignored;
	char **environment = config_environment(lines, &ignored);

	(void)state;
	assert_int_equal(ignored, 0);
	assert_string_equal(value_of(environment, "PATH"), "/opt");
	assert_string_equal(value_of(environment, "A"), "2");
	assert_string_equal(value_of(environment, "AB"), "3");
	assert_string_equal(value_of(environment, "EMPTY"), "");
	assert_string_equal(value_of(environment, "E"), "a=b");
	assert_string_equal(value_of(environment, "HOME"), "/root");
	free(environment);
}

static void lines_that_assign_nothing_are_left_out(void **state)
{
	char a[] = "A", b[] = "=b", c[] = "C=c";
	char *lines[] = { a, b, c, NULL };
	size_t ignored;
	char **environment = config_environment(lines, &ignored);

	(void)state;
	assert_int_equal(ignored, 2);
	assert_string_equal(value_of(environment, "C"), "c");
	assert_null(value_of(environment, "A"));
	free(environment);
}

static void a_module_is_named_without_a_path(void **state)
{
	(void)state;
	assert_true(modules_name_is_good("vsock.ko"));
	assert_true(modules_name_is_good("nsm.ko.xz"));
	assert_false(modules_name_is_good(""));
	assert_false(modules_name_is_good("# comment"));
	assert_false(modules_name_is_good("../etc/passwd"));
	assert_false(modules_name_is_good("a/b.ko"));
	assert_false(modules_name_is_good(".."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_an_argument),
		cmocka_unit_test(a_zero_byte_is_refused),
		cmocka_unit_test(what_the_environment_lacks_is_added),
		cmocka_unit_test(what_the_image_says_wins),
		cmocka_unit_test(lines_that_assign_nothing_are_left_out),
		cmocka_unit_test(a_module_is_named_without_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
