// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "plumbing/descriptors.h"
#include "plumbing/listener.h"
#include "plumbing/loop.h"
#include "plumbing/message.h"

static int pair[2];

static int open_pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	return 0;
}

static void bytes_and_descriptors_arrive_together(void **state)
{
	int ends[2], got[2];
	char text[8] = { 0 };

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(message_send(pair[0], "hello", 5, ends, 2), 0);
	assert_int_equal(
		message_receive(pair[1], text, sizeof(text), got, 2, 0), 5);
	assert_string_equal(text, "hello");
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(got[1], "x", 1), 1);
	assert_int_equal(read(ends[0], text, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(got[i]);
	}
}

static void no_descriptors_are_minus_one(void **state)
{
	int got[2] = { 7, 7 };
	char byte;

	(void)state;
	assert_int_equal(message_send(pair[0], "x", 1, NULL, 0), 0);
	assert_int_equal(message_receive(pair[1], &byte, 1, got, 2, 0), 1);
	assert_int_equal(got[0], -1);
	assert_int_equal(got[1], -1);
}

static void another_number_of_descriptors_is_closed(void **state)
{
	int ends[2], got[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(message_send(pair[0], "x", 1, &ends[1], 1), 0);
	assert_int_equal(message_receive(pair[1], &byte, 1, got, 2, 0), 1);
	assert_int_equal(got[0], -1);
	/* The last writer is gone: its copy was not kept. */
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}

static void the_end_and_nobody_are_told_apart(void **state)
{
	char byte;
	int none;

	(void)state;
	assert_int_equal(message_receive(pair[1], &byte, 1, &none, 1,
					 MSG_DONTWAIT),
			 -EAGAIN);
	close(pair[0]);
	pair[0] = -1;
	assert_int_equal(message_receive(pair[1], &byte, 1, &none, 1, 0), 0);
	assert_int_equal(message_send(pair[1], "x", 1, NULL, 0), -EPIPE);
}

static int closed_but(int a, int b)
{
	pid_t child = fork();
	int status, bad = 0;

	if (child == 0) {
		close_all_but(a, b);
		for (int fd = 0; fd < 64; fd++) {
			int open = fcntl(fd, F_GETFD) >= 0;

			if (fd > 2 && open != (fd == a || fd == b))
				bad = fd;
		}
		_exit(bad);
	}
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WEXITSTATUS(status);
}

static void all_descriptors_but_two_are_closed(void **state)
{
	(void)state;
	for (int fd = 3; fd < 32; fd++)
		dup2(0, fd);
	assert_int_equal(closed_but(3, 4), 0);
	assert_int_equal(closed_but(31, 3), 0);
	assert_int_equal(closed_but(10, 20), 0);
	assert_int_equal(closed_but(12, 12), 0);
	assert_int_equal(closed_but(1, 12), 0);
	assert_int_equal(closed_but(0, 1), 0);
	for (int fd = 3; fd < 32; fd++)
		if (fd != pair[0] && fd != pair[1])
			close(fd);
}

struct heard {
	struct loop *loop;
	int connections;
};

static void connected(int fd, void *data)
{
	struct heard *heard = data;

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	if (++heard->connections == 3)
		loop_stop(heard->loop);
}

static void a_listener_gives_every_connection(void **state)
{
	struct heard heard = { .loop = loop_new() };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), clients[3];
	struct sockaddr address;
	socklen_t size = sizeof(address.sa_family);
	struct listener *listener;

	(void)state;
	/* A name of the kernel's choice. */
	address.sa_family = AF_UNIX;
	assert_int_equal(bind(fd, &address, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	size = sizeof(address);
	assert_int_equal(getsockname(fd, &address, &size), 0);
	listener = listener_new(heard.loop, fd, connected, &heard);
	assert_non_null(listener);
	for (int i = 0; i < 3; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(connect(clients[i], &address, size), 0);
	}
	assert_int_equal(loop_run(heard.loop), 0);
	assert_int_equal(heard.connections, 3);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	listener_free(listener);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	loop_free(heard.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			bytes_and_descriptors_arrive_together, open_pair,
			close_pair),
		cmocka_unit_test_setup_teardown(no_descriptors_are_minus_one,
						open_pair, close_pair),
		cmocka_unit_test_setup_teardown(
			another_number_of_descriptors_is_closed, open_pair,
			close_pair),
		cmocka_unit_test_setup_teardown(
			the_end_and_nobody_are_told_apart, open_pair,
			close_pair),
		cmocka_unit_test(all_descriptors_but_two_are_closed),
		cmocka_unit_test(a_listener_gives_every_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
