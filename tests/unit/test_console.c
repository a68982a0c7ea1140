// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ne/error.h>

#include "ne-emu/console.h"
#include "tests/unit/fabric_fixture.h"
#include "tests/unit/traced.h"

#define KEPT 65536

static const struct vsock_address served = { VSOCK_CID_HYPERVISOR, 10016 };

struct screen {
	struct fabric_fixture *fixture;
	struct console *console;
	char *text; /* the latest that a client has read */
	size_t size;
};

static struct screen screen;

static int open_console(void **state)
{
	struct ne_error err = { 0 };

	if (fabric_fixture_new(state))
		return -1;
	screen = (struct screen){ .fixture = *state };
	screen.text = malloc(16 * KEPT);
	return screen.text && console_new(&screen.console, screen.fixture->loop,
					  &screen.fixture->fabric, 16,
					  &err) == 0
		       ? 0
		       : -1;
}

static int close_console(void **state)
{
	console_free(screen.console);
	free(screen.text);
	return fabric_fixture_free(state);
}

static int read_console(void)
{
	return fabric_fixture_connect(screen.fixture, VSOCK_CID_PARENT, served);
}

/* The loop takes what the terminal cannot, as it would for an enclave. */
static void write_out(const char *text, size_t size)
{
	int terminal = console_terminal(screen.console);

	fcntl(terminal, F_SETFL, O_RDWR | O_NONBLOCK);
	while (size) {
		ssize_t n = write(terminal, text, size);

		assert_true(n > 0 || errno == EAGAIN);
		if (n > 0) {
			text += n;
			size -= (size_t)n;
		} else {
			run_for(screen.fixture->loop, 1);
		}
	}
}

static void print(const char *text)
{
	write_out(text, strlen(text));
	run_for(screen.fixture->loop, 10);
}

/* Much output: lines of eight bytes, numbered. */
static void print_lines(unsigned int from, unsigned int to)
{
	char lines[801], last[8];

	for (unsigned int i = from; i < to; i += 100) {
		for (unsigned int j = 0; j < 100; j++)
			snprintf(lines + 8 * j, 9, "%07u\n", i + j);
		write_out(lines, 800);
	}
	/* The kernel passes it on when it finds the time. */
	for (int i = 0; i < 1000; i++) {
		console_last_line(screen.console, last, sizeof(last));
		if (memcmp(last, lines + 792, 7) == 0)
			break;
		run_for(screen.fixture->loop, 5);
	}
	run_for(screen.fixture->loop, 5);
}

/* Everything that comes now. False at the end of the stream. */
static bool take(int client)
{
	ssize_t n;

	screen.size = 0;
	for (int silence = 0; silence < 6; silence++) {
		run_for(screen.fixture->loop, 5);
		n = recv(client, screen.text + screen.size,
			 16 * KEPT - screen.size - 1, MSG_DONTWAIT);
		if (n > 0) {
			screen.size += (size_t)n;
			silence = 0;
		} else if (n == 0 || errno != EAGAIN) {
			break;
		}
	}
	screen.text[screen.size] = '\0';
	return n < 0 && errno == EAGAIN;
}

static void output_is_sent_as_it_is_written(void **state)
{
	int client = read_console();

	(void)state;
	print("one\ntwo\r\n\tthree \x1b[1m\x07");
	assert_true(take(client));
	assert_string_equal(screen.text, "one\ntwo\r\n\tthree \x1b[1m\x07");
	close(client);
}

static void who_comes_later_gets_what_was_kept_first(void **state)
{
	int client;

	(void)state;
	print("before\n");
	client = read_console();
	assert_true(take(client));
	assert_string_equal(screen.text, "before\n");
	print("after\n");
	assert_true(take(client));
	assert_string_equal(screen.text, "after\n");
	close(client);
}

static void every_reader_gets_everything(void **state)
{
	int clients[20];

	(void)state;
	print("a");
	for (int i = 0; i < 20; i++) {
		clients[i] = read_console();
		print("b");
	}
	print("c");
	for (int i = 0; i < 20; i++) {
		assert_true(take(clients[i]));
		assert_string_equal(screen.text, "abbbbbbbbbbbbbbbbbbbbc");
		close(clients[i]);
	}
	run_for(screen.fixture->loop, 10);
}

static void the_latest_64_kib_are_kept(void **state)
{
	int client;

	(void)state;
	print_lines(0, 20000);
	client = read_console();
	assert_true(take(client));
	assert_int_equal(screen.size, KEPT);
	assert_memory_equal(screen.text, "0011808\n", 8);
	assert_memory_equal(screen.text + KEPT - 8, "0019999\n", 8);
	close(client);
}

static void a_fast_reader_loses_nothing(void **state)
{
	static char all[16 * KEPT];
	int client = read_console();
	size_t size = 0;
	char line[16];

	(void)state;
	for (unsigned int i = 0; i < 30000; i += 1000) {
		print_lines(i, i + 1000);
		assert_true(take(client));
		memcpy(all + size, screen.text, screen.size);
		size += screen.size;
	}
	assert_int_equal(size, 30000 * 8);
	for (unsigned int i = 0; i < 30000; i++) {
		snprintf(line, sizeof(line), "%07u\n", i);
		assert_memory_equal(all + 8 * i, line, 8);
	}
	close(client);
}

/* And neither the enclave nor the other readers wait for him. */
static void a_slow_reader_loses_the_oldest_only(void **state)
{
	int slow = read_console(), fast = read_console();
	char *tail;

	(void)state;
	for (unsigned int i = 0; i < 100000; i += 5000) {
		print_lines(i, i + 5000);
		assert_true(take(fast));
		assert_int_equal(screen.size, 40000);
	}
	assert_true(take(slow));
	assert_true(screen.size < 800000 && screen.size > KEPT);
	assert_memory_equal(screen.text, "0000000\n", 8);
	tail = screen.text + screen.size - KEPT / 2;
	assert_memory_equal(tail, "0095904\n", 8);
	assert_memory_equal(screen.text + screen.size - 8, "0099999\n", 8);
	close(slow);
	close(fast);
}

static void what_a_reader_sends_is_ignored(void **state)
{
	int client = read_console();
	char typed[8];

	(void)state;
	assert_int_equal(write(client, "rm -rf /\n", 9), 9);
	run_for(screen.fixture->loop, 10);
	fcntl(console_terminal(screen.console), F_SETFL, O_RDWR | O_NONBLOCK);
	assert_int_equal(read(console_terminal(screen.console), typed, 8), -1);
	assert_int_equal(errno, EAGAIN);
	print("still here");
	assert_true(take(client));
	assert_string_equal(screen.text, "still here");
	close(client);
}

static void
a_reader_who_says_that_he_sends_nothing_goes_on_reading(void **state)
{
	int client = read_console();

	(void)state;
	shutdown(client, SHUT_WR);
	print("still here");
	assert_true(take(client));
	assert_string_equal(screen.text, "still here");
	close(client);
}

static void a_reader_who_leaves_is_forgotten(void **state)
{
	size_t before = open_descriptors();

	(void)state;
	for (int i = 0; i < 10; i++) {
		int client = read_console();

		print("x");
		close(client);
		if (i % 2)
			print("y");
	}
	run_for(screen.fixture->loop, 10);
	assert_int_equal(open_descriptors(), before);
}

static void an_unread_console_holds_nobody_up(void **state)
{
	(void)state;
	print_lines(0, 50000);
}

static void the_last_line_that_says_something_is_known(void **state)
{
	char line[32];

	(void)state;
	console_last_line(screen.console, line, sizeof(line));
	assert_string_equal(line, "");
	print("\n\r\n  \n");
	console_last_line(screen.console, line, sizeof(line));
	assert_string_equal(line, "");
	print("first\nKernel panic: no init\r\n\n  \r\n");
	console_last_line(screen.console, line, sizeof(line));
	assert_string_equal(line, "Kernel panic: no init");
	print("a line that is longer than there is room for it\n");
	console_last_line(screen.console, line, sizeof(line));
	assert_string_equal(line, "a line that is longer than ther");
	console_last_line(screen.console, line, 1);
	assert_string_equal(line, "");
}

static void a_last_line_without_end_or_beginning_is_one_too(void **state)
{
	char *line = malloc(2 * KEPT);

	(void)state;
	assert_non_null(line);
	print("begun");
	console_last_line(screen.console, line, 2 * KEPT);
	assert_string_equal(line, "begun");
	for (int i = 0; i < KEPT / 8 + 100; i++)
		write_out("xxxxxxxx", 8);
	run_for(screen.fixture->loop, 10);
	console_last_line(screen.console, line, 2 * KEPT);
	assert_int_equal(strlen(line), KEPT);
	free(line);
}

static void draining_takes_what_the_loop_has_not_yet(void **state)
{
	char line[32];

	(void)state;
	assert_int_equal(write(console_terminal(screen.console), "last", 4), 4);
	console_drain(screen.console);
	console_last_line(screen.console, line, sizeof(line));
	assert_string_equal(line, "last");
}

static void at_its_end_readers_get_the_rest_and_see_the_end(void **state)
{
	int client = read_console(), late;

	(void)state;
	assert_true(take(client));
	assert_int_equal(write(console_terminal(screen.console), "last", 4), 4);
	console_end(screen.console);
	assert_false(take(client));
	assert_string_equal(screen.text, "last");
	late = read_console();
	assert_false(take(late));
	assert_string_equal(screen.text, "last");
	close(client);
	close(late);
}

static void a_reader_with_much_to_read_gets_all_of_it_at_the_end(void **state)
{
	int client;

	(void)state;
	print_lines(0, 20000);
	client = read_console();
	run_for(screen.fixture->loop, 10);
	console_end(screen.console);
	run_for(screen.fixture->loop, 10);
	assert_false(take(client));
	assert_int_equal(screen.size, KEPT);
	assert_memory_equal(screen.text + KEPT - 8, "0019999\n", 8);
	close(client);
}

static void freeing_it_sends_what_is_left(void **state)
{
	int client = read_console();

	(void)state;
	assert_true(take(client));
	assert_int_equal(write(console_terminal(screen.console), "last", 4), 4);
	console_free(screen.console);
	screen.console = NULL;
	assert_false(take(client));
	assert_string_equal(screen.text, "last");
	close(client);
	assert_false(fabric_is_bound(&screen.fixture->fabric, served));
}

static void the_terminal_is_one_and_has_a_path(void **state)
{
	int terminal = console_terminal(screen.console);
	const char *path = console_terminal_path(screen.console);

	(void)state;
	assert_int_equal(isatty(terminal), 1);
	assert_string_equal(ttyname(terminal), path);
	assert_int_equal(fcntl(terminal, F_GETFD), FD_CLOEXEC);
}

static void a_console_that_is_there_already_is_refused(void **state)
{
	struct ne_error err = { 0 };
	struct console *second = NULL;

	(void)state;
	assert_int_equal(console_new(&second, screen.fixture->loop,
				     &screen.fixture->fabric, 16, &err),
			 -EADDRINUSE);
	assert_null(second);
	assert_true(strlen(err.text) > 0);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, open_console, close_console)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(output_is_sent_as_it_is_written),
		TEST(who_comes_later_gets_what_was_kept_first),
		TEST(every_reader_gets_everything),
		TEST(the_latest_64_kib_are_kept),
		TEST(a_fast_reader_loses_nothing),
		TEST(a_slow_reader_loses_the_oldest_only),
		TEST(what_a_reader_sends_is_ignored),
		TEST(a_reader_who_says_that_he_sends_nothing_goes_on_reading),
		TEST(a_reader_who_leaves_is_forgotten),
		TEST(an_unread_console_holds_nobody_up),
		TEST(the_last_line_that_says_something_is_known),
		TEST(a_last_line_without_end_or_beginning_is_one_too),
		TEST(draining_takes_what_the_loop_has_not_yet),
		TEST(at_its_end_readers_get_the_rest_and_see_the_end),
		TEST(a_reader_with_much_to_read_gets_all_of_it_at_the_end),
		TEST(freeing_it_sends_what_is_left),
		TEST(the_terminal_is_one_and_has_a_path),
		TEST(a_console_that_is_there_already_is_refused),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
