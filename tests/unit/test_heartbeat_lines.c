// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <ne/heartbeat.h>

#include "libne/cleanup.h"

static void assert_line(const char *text, enum ne_control_word word,
			unsigned int number)
{
	struct ne_control_line line = { 0 };

	assert_true(ne_control_parse(&line, text, strlen(text)));
	assert_int_equal(line.word, word);
	assert_int_equal(line.number, number);
}

static void the_lines_of_the_channel_are_understood(void **state)
{
	(void)state;
	assert_line("ne-init 1", NE_CONTROL_INIT, 1);
	assert_line("exit 0", NE_CONTROL_EXIT, 0);
	assert_line("exit 255", NE_CONTROL_EXIT, 255);
	assert_line("signal 15", NE_CONTROL_SIGNAL, 15);
	assert_line("signal 64", NE_CONTROL_SIGNAL, 64);
}

static void other_lines_are_skipped(void **state)
{
	static const char *const bad[] = {
		"",	     "exit",	     "exit ",
		"exit 256",  "exit -1",	     "exit 00",
		"exit 01",   "exit 1 ",	     "exit  1",
		"exit 1x",   "exit +1",	     "exit 1000",
		"Exit 1",    " exit 1",	     "signal 0",
		"signal",    "signal 65",    "signal TERM",
		"quit 1",    "ne-init",	     "exit 99999999999999999999",
		"ne-init 0", "ne-init 1000",
	};
	struct ne_control_line line = { .word = NE_CONTROL_EXIT, .number = 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(ne_control_parse(&line, bad[i], strlen(bad[i])));
	assert_int_equal(line.number, 7);
}

static void a_line_that_is_written_is_understood(void **state)
{
	char text[NE_CONTROL_LINE_MAX + 1];
	size_t understood = 0;

	(void)state;
	for (unsigned int word = 0; word <= NE_CONTROL_SIGNAL + 1; word++) {
		for (unsigned int number = 0; number < 1100; number++) {
			struct ne_control_line in = { word, number }, out;
			size_t size = ne_control_format(text, &in);

			assert_int_equal(size, strlen(text));
			if (size == 0)
				continue;
			assert_int_equal(text[size - 1], '\n');
			assert_true(ne_control_parse(&out, text, size - 1));
			assert_int_equal(out.word, in.word);
			assert_int_equal(out.number, in.number);
			understood++;
		}
	}
	assert_int_equal(understood, 999 + 256 + 64);
}

/* Feeds bytes in pieces of the given size; counts lines, keeps the last. */
static unsigned int feed(struct ne_control_reader *reader, const char *bytes,
			 size_t size, size_t piece,
			 struct ne_control_line *last)
{
	unsigned int lines = 0;

	while (size > 0) {
		size_t part = piece < size ? piece : size, left = part;
		const char *next = bytes;

		while (ne_control_read(reader, &next, &left, last))
			lines++;
		assert_int_equal(left, 0);
		assert_ptr_equal(next, bytes + part);
		bytes += part;
		size -= part;
	}
	return lines;
}

static void lines_come_out_however_the_bytes_are_cut(void **state)
{
	static const char bytes[] = "ne-init 1\nwhat?\n\nexit 3\nexit";

	(void)state;
	for (size_t piece = 1; piece < sizeof(bytes); piece++) {
		struct ne_control_reader reader = { 0 };
		struct ne_control_line last = { 0 };

		assert_int_equal(feed(&reader, bytes, sizeof(bytes) - 1, piece,
				      &last),
				 2);
		assert_int_equal(last.word, NE_CONTROL_EXIT);
		assert_int_equal(last.number, 3);
		assert_int_equal(feed(&reader, " 4\n", 3, piece, &last), 1);
		assert_int_equal(last.number, 4);
	}
}

static void a_line_that_is_too_long_is_skipped_as_a_whole(void **state)
{
	struct ne_control_reader reader = { 0 };
	struct ne_control_line last = { 0 };
	char bytes[300];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes + 200, "\nexit 5\nsignal 1", 16);
	/* The end of a long line must not be taken for a line. */
	memcpy(bytes + 193, "exit 9", 6);
	assert_int_equal(feed(&reader, bytes, sizeof(bytes), 7, &last), 1);
	assert_int_equal(last.number, 5);
}

static void zero_bytes_are_bytes_like_others(void **state)
{
	struct ne_control_reader reader = { 0 };
	struct ne_control_line last = { 0 };

	(void)state;
	assert_int_equal(feed(&reader, "exit 1\0\nexit\0 2\n\0exit 3\n", 25, 25,
			      &last),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lines_of_the_channel_are_understood),
		cmocka_unit_test(other_lines_are_skipped),
		cmocka_unit_test(a_line_that_is_written_is_understood),
		cmocka_unit_test(lines_come_out_however_the_bytes_are_cut),
		cmocka_unit_test(a_line_that_is_too_long_is_skipped_as_a_whole),
		cmocka_unit_test(zero_bytes_are_bytes_like_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
