// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "ne-emu/cmdline.h"

static struct cmdline cmdline;

static void parse(const char *text)
{
	memset(&cmdline, 0xaa, sizeof(cmdline));
	assert_int_equal(cmdline_parse(&cmdline, text, strlen(text)), 0);
}

static void expect_arguments(size_t n, ...)
{
	va_list expected;

	va_start(expected, n);
	for (size_t i = 1; i <= n; i++)
		assert_string_equal(cmdline.argv[i],
				    va_arg(expected, const char *));
	va_end(expected);
	assert_null(cmdline.argv[n + 1]);
}

static void an_empty_one_means_init_and_the_usual_environment(void **state)
{
	(void)state;
	parse("");
	assert_string_equal(cmdline.init, "/init");
	assert_string_equal(cmdline.argv[0], "/init");
	expect_arguments(0);
	assert_string_equal(cmdline.envp[0], "HOME=/");
	assert_string_equal(cmdline.envp[1], "TERM=linux");
	assert_null(cmdline.envp[2]);
}

static void the_kernel_s_parameters_are_not_passed_on(void **state)
{
	(void)state;
	parse("reboot=k panic=30 pci=off nomodules console=ttyS0 i8042.noaux random.trust_cpu=on");
	assert_string_equal(cmdline.init, "/init");
	expect_arguments(0);
}

static void rdinit_names_the_program(void **state)
{
	(void)state;
	parse("quiet rdinit=/sbin/start panic=1");
	assert_string_equal(cmdline.init, "/sbin/start");
	assert_string_equal(cmdline.argv[0], "/sbin/start");
	parse("rdinit=/a rdinit=/b");
	assert_string_equal(cmdline.init, "/b");
}

static void an_empty_rdinit_and_the_like_of_it_are_ignored(void **state)
{
	(void)state;
	parse("rdinit= xrdinit=/x init=/y rdinit");
	assert_string_equal(cmdline.init, "/init");
}

static void what_stands_behind_two_dashes_are_arguments(void **state)
{
	(void)state;
	parse("quiet -- one rdinit=/x --  three=3");
	assert_string_equal(cmdline.init, "/init");
	expect_arguments(4, "one", "rdinit=/x", "--", "three=3");
	parse("--");
	expect_arguments(0);
	parse("a--b ---");
	expect_arguments(0);
}

static void quotes_keep_blanks_and_vanish(void **state)
{
	(void)state;
	parse("a=\"b -- c\" -- \"one two\" th\"re e\" \"\" end");
	expect_arguments(4, "one two", "thre e", "", "end");
	parse("rdinit=\"/with blank\"");
	assert_string_equal(cmdline.init, "/with blank");
}

static void an_open_quote_lasts_to_the_end(void **state)
{
	(void)state;
	parse("-- \"one two  ");
	expect_arguments(1, "one two  ");
	parse("-- a \"");
	expect_arguments(2, "a", "");
}

static void all_kinds_of_blanks_part_words(void **state)
{
	(void)state;
	parse(" \t-- \n one\ttwo\r\nthree\n");
	expect_arguments(3, "one", "two", "three");
}

static void the_text_ends_at_a_zero_byte(void **state)
{
	(void)state;
	assert_int_equal(cmdline_parse(&cmdline, "-- one\0two", 10), 0);
	expect_arguments(1, "one");
}

static void the_text_needs_no_terminator(void **state)
{
	(void)state;
	assert_int_equal(cmdline_parse(&cmdline, "-- one", 5), 0);
	expect_arguments(1, "on");
}

static void the_longest_text_is_taken_and_a_longer_one_refused(void **state)
{
	char text[CMDLINE_MAX + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "-- ", 3);
	assert_int_equal(cmdline_parse(&cmdline, text, CMDLINE_MAX), 0);
	assert_int_equal(strlen(cmdline.argv[1]), CMDLINE_MAX - 3);
	assert_int_equal(cmdline_parse(&cmdline, text, CMDLINE_MAX + 1),
			 -E2BIG);
	assert_int_equal(cmdline_parse(&cmdline, text, SIZE_MAX), -E2BIG);
}

static void arguments_beyond_the_kernel_s_limit_are_dropped(void **state)
{
	char text[CMDLINE_MAX + 1] = "--";

	(void)state;
	for (int i = 0; i < 1000; i++)
		strcat(text, " x");
	parse(text);
	assert_string_equal(cmdline.argv[CMDLINE_ARGS_MAX], "x");
	assert_null(cmdline.argv[CMDLINE_ARGS_MAX + 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_empty_one_means_init_and_the_usual_environment),
		cmocka_unit_test(the_kernel_s_parameters_are_not_passed_on),
		cmocka_unit_test(rdinit_names_the_program),
		cmocka_unit_test(
			an_empty_rdinit_and_the_like_of_it_are_ignored),
		cmocka_unit_test(what_stands_behind_two_dashes_are_arguments),
		cmocka_unit_test(quotes_keep_blanks_and_vanish),
		cmocka_unit_test(an_open_quote_lasts_to_the_end),
		cmocka_unit_test(all_kinds_of_blanks_part_words),
		cmocka_unit_test(the_text_ends_at_a_zero_byte),
		cmocka_unit_test(the_text_needs_no_terminator),
		cmocka_unit_test(
			the_longest_text_is_taken_and_a_longer_one_refused),
		cmocka_unit_test(
			arguments_beyond_the_kernel_s_limit_are_dropped),
	};

	return cmocka_run_group_tests_name("kernel command line", tests, NULL,
					   NULL);
}
