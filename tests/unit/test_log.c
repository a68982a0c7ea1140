// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plumbing/log.h"

/* One write, one message: a packet socket in place of stderr shows them. */
static int messages[2], real_stderr;

static int take_stderr(void **state)
{
	(void)state;
	log_init("ne-test", LOG_WARN);
	real_stderr = dup(STDERR_FILENO);
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
			  messages) ||
	       dup2(messages[1], STDERR_FILENO) < 0;
}

static int give_stderr_back(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(messages[0]);
	close(messages[1]);
	return 0;
}

static const char *said(void)
{
	static char text[4096];
	ssize_t n = recv(messages[0], text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void a_line_begins_with_the_program_and_is_one_write(void **state)
{
	(void)state;
	log_error("cannot open %s: %d", "/x", 7);
	assert_string_equal(said(), "ne-test: cannot open /x: 7\n");
	assert_string_equal(said(), "");
}

static void what_is_above_the_level_is_not_said(void **state)
{
	(void)state;
	log_info("no");
	log_debug("no");
	assert_string_equal(said(), "");
	log_warn("yes");
	assert_string_equal(said(), "ne-test: yes\n");
	log_init("ne-test", LOG_DEBUG);
	log_debug("yes");
	assert_string_equal(said(), "ne-test: yes\n");
	log_init("ne-test", LOG_ERROR);
	log_warn("no");
	assert_string_equal(said(), "");
}

static void control_characters_become_question_marks(void **state)
{
	(void)state;
	log_error("a\nb\x1b[31mc\td\x7f"
		  "e\x01");
	assert_string_equal(said(), "ne-test: a?b?[31mc?d?e?\n");
}

static void utf_8_stays_what_it_is(void **state)
{
	(void)state;
	log_error("%s", "Grüße");
	assert_string_equal(said(), "ne-test: Grüße\n");
}

static void a_line_that_is_too_long_is_cut_and_ended(void **state)
{
	char text[3000];
	const char *line;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_error("%s", text);
	line = said();
	assert_in_range(strlen(line), 1000, 1024);
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_int_equal(line[strlen(line) - 2], 'x');
}

static void so_is_a_program_s_name(void **state)
{
	static char name[3000];
	const char *line;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	log_init(name, LOG_WARN);
	log_error("text");
	line = said();
	assert_in_range(strlen(line), 1000, 1024);
	assert_int_equal(line[strlen(line) - 1], '\n');
}

static void an_empty_line_is_a_line(void **state)
{
	(void)state;
	log_error("%s", "");
	assert_string_equal(said(), "ne-test: \n");
}

static void errno_is_kept_also_when_stderr_is_closed(void **state)
{
	(void)state;
	errno = ENOTTY;
	log_error("x");
	assert_int_equal(errno, ENOTTY);
	close(STDERR_FILENO);
	log_error("x");
	assert_int_equal(errno, ENOTTY);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, take_stderr, give_stderr_back)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_begins_with_the_program_and_is_one_write),
		TEST(what_is_above_the_level_is_not_said),
		TEST(control_characters_become_question_marks),
		TEST(utf_8_stays_what_it_is),
		TEST(a_line_that_is_too_long_is_cut_and_ended),
		TEST(so_is_a_program_s_name),
		TEST(an_empty_line_is_a_line),
		TEST(errno_is_kept_also_when_stderr_is_closed),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
