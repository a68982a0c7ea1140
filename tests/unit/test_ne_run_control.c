// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ne-run/control.h"

static struct control control;
static int init; /* the enclave's end */

static int connect_ends(void **state)
{
	int ends[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	control_init(&control, ends[0]);
	init = ends[1];
	return 0;
}

static int close_ends(void **state)
{
	(void)state;
	control_close(&control);
	if (init >= 0)
		close(init);
	return 0;
}

static void init_says(const char *text)
{
	assert_int_equal(write(init, text, strlen(text)), strlen(text));
}

static void init_hangs_up(void)
{
	close(init);
	init = -1;
}

static void nothing_is_known_before_anything_is_said(void **state)
{
	(void)state;
	control_receive(&control);
	assert_false(control.speaks);
	assert_int_equal(control.status, -1);
	assert_true(control.fd >= 0);
}

static void what_init_says_is_kept(void **state)
{
	(void)state;
	init_says("ne-init 1\n");
	control_receive(&control);
	assert_true(control.speaks);
	init_says("exit ");
	control_receive(&control);
	init_says("7\n");
	assert_true(control_receive_for(&control, 1000));
	assert_int_equal(control.status, 7);
}

static void last_words_are_heard_though_init_has_hung_up(void **state)
{
	(void)state;
	init_says("ne-init 1\nexit 3\n");
	init_hangs_up();
	control_receive(&control);
	assert_int_equal(control.status, 3);
	assert_int_equal(control.fd, -1);
	assert_false(control_receive_for(&control, 0));
}

static void a_signal_is_asked_of_an_init_that_speaks(void **state)
{
	char text[32] = "";

	(void)state;
	init_says("ne-init 1\n");
	assert_true(control_signal(&control, SIGTERM));
	assert_true(read(init, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "signal 15\n");
}

static void an_init_that_does_not_speak_is_not_asked(void **state)
{
	(void)state;
	assert_false(control_signal(&control, SIGTERM));
	init_hangs_up();
	assert_false(control_signal(&control, SIGTERM));
	assert_int_equal(control.fd, -1);
}

static void an_init_that_has_hung_up_cannot_be_asked(void **state)
{
	(void)state;
	init_says("ne-init 1\n");
	control_receive(&control);
	init_hangs_up();
	assert_false(control_signal(&control, SIGTERM));
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, connect_ends, close_ends)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_known_before_anything_is_said),
		TEST(what_init_says_is_kept),
		TEST(last_words_are_heard_though_init_has_hung_up),
		TEST(a_signal_is_asked_of_an_init_that_speaks),
		TEST(an_init_that_does_not_speak_is_not_asked),
		TEST(an_init_that_has_hung_up_cannot_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
