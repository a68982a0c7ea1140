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
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <ne/error.h>

#include "tests/unit/fabric_fixture.h"
#include "tests/unit/traced.h"
#include "vsock-sim/door.h"
#include "vsock-sim/fabric.h"

static const struct vsock_address served = { 16, 5000 };

/* --- The request ----------------------------------------------------------- */

struct parsed {
	int result;
	uint32_t port;
	size_t used;
};

static struct parsed parse(const char *text, size_t size)
{
	struct parsed parsed = { .port = 77, .used = 77 };
	char *exact = malloc(size ?: 1); /* so that sanitizers see overruns */

	assert_non_null(exact);
	memcpy(exact, text, size);
	parsed.result = door_parse(exact, size, &parsed.port, &parsed.used);
	free(exact);
	return parsed;
}

#define PARSE(text) parse(text, sizeof(text) - 1)

static void a_request_names_a_port(void **state)
{
	struct parsed parsed = PARSE("CONNECT 5000\n");

	(void)state;
	assert_int_equal(parsed.result, 1);
	assert_int_equal(parsed.port, 5000);
	assert_int_equal(parsed.used, 13);
	parsed = PARSE("CONNECT 0\n");
	assert_int_equal(parsed.result, 1);
	assert_int_equal(parsed.port, 0);
	parsed = PARSE("CONNECT 4294967295\n");
	assert_int_equal(parsed.result, 1);
	assert_int_equal(parsed.port, UINT32_MAX);
	assert_int_equal(parsed.used, DOOR_LINE_MAX);
}

static void what_follows_the_line_is_not_used(void **state)
{
	struct parsed parsed = PARSE("CONNECT 5000\nGET / HTTP/1.0\n");

	(void)state;
	assert_int_equal(parsed.result, 1);
	assert_int_equal(parsed.used, 13);
}

static void every_beginning_of_a_request_needs_more(void **state)
{
	const char text[] = "CONNECT 4294967295\n";

	(void)state;
	for (size_t size = 0; size < sizeof(text) - 1; size++)
		assert_int_equal(parse(text, size).result, 0);
}

static void anything_else_is_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(PARSE("G").result, -1);
	assert_int_equal(PARSE("connect 5000\n").result, -1);
	assert_int_equal(PARSE("CONNECT\n").result, -1);
	assert_int_equal(PARSE("CONNECT \n").result, -1);
	assert_int_equal(PARSE("CONNECT  1").result, -1);
	assert_int_equal(PARSE("CONNECT -1").result, -1);
	assert_int_equal(PARSE("CONNECT +1").result, -1);
	assert_int_equal(PARSE("CONNECT 0x1").result, -1);
	assert_int_equal(PARSE("CONNECT 1 \n").result, -1);
	assert_int_equal(PARSE("CONNECT 1\r\n").result, -1);
	assert_int_equal(PARSE("CONNECT 1\0\n").result, -1);
	assert_int_equal(PARSE("\0").result, -1);
	assert_int_equal(PARSE("\n").result, -1);
}

static void a_number_that_does_not_fit_is_refused(void **state)
{
	(void)state;
	assert_int_equal(PARSE("CONNECT 4294967296\n").result, -1);
	assert_int_equal(PARSE("CONNECT 9999999999\n").result, -1);
	assert_int_equal(PARSE("CONNECT 10000000000").result, -1);
	assert_int_equal(PARSE("CONNECT 18446744073709551617\n").result, -1);
	assert_int_equal(PARSE("CONNECT 99999999999999999999999999").result,
			 -1);
}

/* --- Visits ---------------------------------------------------------------- */

static int visit(const struct fabric_fixture *fixture)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s/16.sock",
		 fixture->fabric.folder);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)),
			 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

/* What has come: the text, "" at the end, NULL if nothing. */
static const char *heard(int fd)
{
	static char text[256];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n < 0)
		return errno == ECONNRESET ? "" : NULL;
	text[n] = '\0';
	return text;
}

struct house {
	struct fabric_fixture *fixture;
	struct door *door;
	int listener;
};

static struct house open_house(void **state, int backlog)
{
	struct house house = { .fixture = *state };

	assert_int_equal(door_new(&house.door, house.fixture->loop,
				  &house.fixture->fabric, 16, NULL),
			 0);
	house.listener = fabric_listen(&house.fixture->fabric, served, backlog);
	assert_true(house.listener >= 0);
	return house;
}

static void close_house(struct house *house)
{
	door_free(house->door);
	close(house->listener);
}

static void a_visitor_is_connected_and_told_his_port(void **state)
{
	struct house house = open_house(state, 5);
	int visitor = visit(house.fixture), server;
	struct vsock_address peer;
	char expected[32];

	say(visitor, "CONNECT 5000\n");
	run_for(house.fixture->loop, 20);
	server = accept(house.listener, NULL, NULL);
	assert_true(server >= 0);
	assert_true(fabric_peer_address(&house.fixture->fabric, server, &peer));
	assert_int_equal(peer.cid, VSOCK_CID_PARENT);
	snprintf(expected, sizeof(expected), "OK %u\n", peer.port);
	assert_string_equal(heard(visitor), expected);
	say(visitor, "question");
	run_for(house.fixture->loop, 20);
	assert_string_equal(heard(server), "question");
	say(server, "answer");
	close(server);
	run_for(house.fixture->loop, 20);
	assert_string_equal(heard(visitor), "answer");
	assert_string_equal(heard(visitor), "");
	close(visitor);
	close_house(&house);
}

static void a_request_may_come_byte_by_byte(void **state)
{
	struct house house = open_house(state, 5);
	int visitor = visit(house.fixture);
	const char text[] = "CONNECT 5000\n";

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		assert_null(heard(visitor));
		assert_int_equal(write(visitor, text + i, 1), 1);
		run_for(house.fixture->loop, 5);
	}
	assert_memory_equal(heard(visitor), "OK ", 3);
	close(visitor);
	close_house(&house);
}

static void what_is_sent_along_with_the_request_is_passed_on(void **state)
{
	struct house house = open_house(state, 5);
	int visitor = visit(house.fixture), server;

	say(visitor, "CONNECT 5000\nGET / HTTP/1.0\r\n");
	shutdown(visitor, SHUT_WR);
	run_for(house.fixture->loop, 20);
	server = accept(house.listener, NULL, NULL);
	assert_string_equal(heard(server), "GET / HTTP/1.0\r\n");
	assert_string_equal(heard(server), "");
	close(server);
	close(visitor);
	run_for(house.fixture->loop, 20);
	close_house(&house);
}

static void where_nobody_listens_the_visitor_is_sent_away(void **state)
{
	struct house house = open_house(state, 5);
	int visitor = visit(house.fixture);

	say(visitor, "CONNECT 5001\n");
	run_for(house.fixture->loop, 20);
	assert_string_equal(heard(visitor), "");
	close(visitor);
	close_house(&house);
}

static void so_is_one_who_asks_for_something_else(void **state)
{
	static const char *const requests[] = {
		"GET / HTTP/1.0\r\n\r\n", "CONNECT 99999999999999999999",
		"CONNECT 5000\r\n",	  "\n",
		"CONNECT 4294967296\n",
	};
	struct house house = open_house(state, 5);

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		int visitor = visit(house.fixture);

		say(visitor, requests[i]);
		run_for(house.fixture->loop, 20);
		assert_string_equal(heard(visitor), "");
		close(visitor);
	}
	assert_int_equal(accept(house.listener, NULL, NULL), -1);
	close_house(&house);
}

static void who_leaves_without_a_word_is_forgotten(void **state)
{
	struct house house = open_house(state, 5);
	size_t before = open_descriptors();

	for (int i = 0; i < 5; i++) {
		int visitor = visit(house.fixture);

		if (i % 2)
			say(visitor, "CONN");
		run_for(house.fixture->loop, 5);
		close(visitor);
		run_for(house.fixture->loop, 5);
	}
	assert_int_equal(open_descriptors(), before);
	close_house(&house);
}

static void who_finds_the_queue_full_waits(void **state)
{
	struct house house = open_house(state, 0);
	int first = visit(house.fixture), second = visit(house.fixture);
	int server;

	say(first, "CONNECT 5000\n");
	run_for(house.fixture->loop, 20);
	assert_memory_equal(heard(first), "OK ", 3);
	say(second, "CONNECT 5000\n");
	run_for(house.fixture->loop, 50);
	assert_null(heard(second));
	server = accept(house.listener, NULL, NULL);
	run_for(house.fixture->loop, 50);
	assert_memory_equal(heard(second), "OK ", 3);
	close(first);
	close(second);
	close(server);
	run_for(house.fixture->loop, 20);
	close_house(&house);
}

static void but_not_for_ever(void **state)
{
	struct house house = open_house(state, 0);
	int first = visit(house.fixture), second = visit(house.fixture);

	say(first, "CONNECT 5000\n");
	run_for(house.fixture->loop, 20);
	say(second, "CONNECT 5000\n");
	run_for(house.fixture->loop, 3500);
	assert_string_equal(heard(second), "");
	close(first);
	close(second);
	close_house(&house);
}

static void many_visitors_are_served_at_once(void **state)
{
	struct house house = open_house(state, 100);
	int visitors[50], servers[50];
	char text[16];

	for (int i = 0; i < 50; i++) {
		visitors[i] = visit(house.fixture);
		say(visitors[i], "CONNECT 5000\n");
	}
	run_for(house.fixture->loop, 100);
	for (int i = 0; i < 50; i++) {
		assert_memory_equal(heard(visitors[i]), "OK ", 3);
		snprintf(text, sizeof(text), "%d", i);
		say(visitors[i], text);
		servers[i] = accept(house.listener, NULL, NULL);
		assert_true(servers[i] >= 0);
	}
	run_for(house.fixture->loop, 100);
	for (int i = 0; i < 50; i++)
		say(servers[i], heard(servers[i])); /* an echo */
	run_for(house.fixture->loop, 100);
	for (int i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_string_equal(heard(visitors[i]), text);
		close(visitors[i]);
		close(servers[i]);
	}
	run_for(house.fixture->loop, 50);
	close_house(&house);
}

static void closing_the_door_sends_everybody_away(void **state)
{
	struct house house = open_house(state, 5);
	int talking = visit(house.fixture), silent = visit(house.fixture);
	int server;
	char path[PATH_MAX + 64];
	struct stat st;

	say(talking, "CONNECT 5000\n");
	run_for(house.fixture->loop, 20);
	heard(talking);
	server = accept(house.listener, NULL, NULL);
	close_house(&house);
	assert_string_equal(heard(talking), "");
	assert_string_equal(heard(silent), "");
	assert_string_equal(heard(server), "");
	close(server);
	close(talking);
	close(silent);
	snprintf(path, sizeof(path), "%s/16.sock",
		 house.fixture->fabric.folder);
	assert_int_equal(lstat(path, &st), -1);
}

static void a_second_door_of_a_cid_is_refused_and_does_no_harm(void **state)
{
	struct house house = open_house(state, 5);
	struct ne_error err = { 0 };
	struct door *second = NULL;
	int visitor;

	assert_int_equal(door_new(&second, house.fixture->loop,
				  &house.fixture->fabric, 16, &err),
			 -EADDRINUSE);
	assert_null(second);
	assert_non_null(strstr(err.text, "16.sock"));
	visitor = visit(house.fixture);
	close(visitor);
	close_house(&house);
	door_free(NULL);
}

#define TEST(name)                                                \
	cmocka_unit_test_setup_teardown(name, fabric_fixture_new, \
					fabric_fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_names_a_port),
		cmocka_unit_test(what_follows_the_line_is_not_used),
		cmocka_unit_test(every_beginning_of_a_request_needs_more),
		cmocka_unit_test(anything_else_is_refused_at_once),
		cmocka_unit_test(a_number_that_does_not_fit_is_refused),
		TEST(a_visitor_is_connected_and_told_his_port),
		TEST(a_request_may_come_byte_by_byte),
		TEST(what_is_sent_along_with_the_request_is_passed_on),
		TEST(where_nobody_listens_the_visitor_is_sent_away),
		TEST(so_is_one_who_asks_for_something_else),
		TEST(who_leaves_without_a_word_is_forgotten),
		TEST(who_finds_the_queue_full_waits),
		TEST(but_not_for_ever),
		TEST(many_visitors_are_served_at_once),
		TEST(closing_the_door_sends_everybody_away),
		TEST(a_second_door_of_a_cid_is_refused_and_does_no_harm),
	};

	return cmocka_run_group_tests_name("plain way in", tests, NULL, NULL);
}
