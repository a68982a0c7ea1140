// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "plumbing/loop.h"
#include "tests/unit/traced.h"
#include "vsock-sim/relay.h"

#define BIG (8 * 1024 * 1024)

/* Two programs, a and b, each with a connection to the relay. */
static struct loop *loop;
static struct relay *relay;
static int a, b, relay_a, relay_b;
static bool ended;
static bool closed_when_ended;
static size_t descriptors_before;

static void note_end(void *data)
{
	assert_ptr_equal(data, &ended);
	assert_false(ended);
	closed_when_ended = fcntl(relay_a, F_GETFD) < 0 &&
			    fcntl(relay_b, F_GETFD) < 0;
	ended = true;
	relay = NULL;
}

static int start_relay(void **state)
{
	int ends[2];

	(void)state;
	descriptors_before = open_descriptors();
	ended = closed_when_ended = false;
	loop = loop_new();
	if (!loop || socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return -1;
	a = ends[0];
	relay_a = ends[1];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return -1;
	b = ends[0];
	relay_b = ends[1];
	relay = relay_new(loop, relay_a, relay_b, note_end, &ended);
	return relay ? 0 : -1;
}

static int end_relay(void **state)
{
	(void)state;
	relay_free(relay);
	loop_free(loop);
	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return open_descriptors() == descriptors_before ? 0 : -1;
}

static void hang_up(int *fd)
{
	close(*fd);
	*fd = -1;
}

static void expect_text(int fd, const char *text)
{
	char read_text[64];
	ssize_t n = recv(fd, read_text, sizeof(read_text), MSG_DONTWAIT);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(read_text, text, (size_t)n);
}

static void expect_nothing_yet(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

static double cpu_milliseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* The loop has nothing to do: it must not turn in circles. */
static void expect_rest(void)
{
	double begin = cpu_milliseconds();

	run_for(loop, 100);
	assert_true(cpu_milliseconds() - begin < 50);
}

static void bytes_go_both_ways(void **state)
{
	(void)state;
	say(a, "hello");
	say(b, "good day");
	run_for(loop, 20);
	expect_text(b, "hello");
	expect_text(a, "good day");
	expect_rest();
	assert_false(ended);
}

static void a_half_closed_connection_still_goes_the_other_way(void **state)
{
	(void)state;
	say(a, "request");
	shutdown(a, SHUT_WR);
	run_for(loop, 20);
	expect_text(b, "request");
	expect_text(b, "");
	expect_rest();
	say(b, "answer");
	run_for(loop, 20);
	expect_text(a, "answer");
	expect_nothing_yet(a);
	assert_false(ended);
	shutdown(b, SHUT_WR);
	run_for(loop, 20);
	expect_text(a, "");
	assert_true(ended);
}

static void the_same_holds_the_other_way_round(void **state)
{
	(void)state;
	shutdown(b, SHUT_WR);
	run_for(loop, 20);
	expect_text(a, "");
	say(a, "more");
	run_for(loop, 20);
	expect_text(b, "more");
	expect_rest();
	assert_false(ended);
	hang_up(&a);
	run_for(loop, 20);
	assert_true(ended);
}

static void what_was_sent_before_closing_arrives(void **state)
{
	(void)state;
	say(a, "last words");
	hang_up(&a);
	run_for(loop, 20);
	expect_text(b, "last words");
	expect_text(b, "");
}

/* shutdown(2) alone would tell b only that a sends nothing more. */
static void that_a_side_has_closed_is_told_by_pollhup(void **state)
{
	struct pollfd pfd;

	(void)state;
	hang_up(&a);
	run_for(loop, 20);
	pfd = (struct pollfd){ .fd = b };
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_int_equal(pfd.revents, POLLHUP);
	assert_int_equal(send(b, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_true(ended);
}

static void so_it_is_when_the_side_had_half_closed_before(void **state)
{
	struct pollfd pfd;

	(void)state;
	shutdown(a, SHUT_WR);
	run_for(loop, 20);
	pfd = (struct pollfd){ .fd = b };
	assert_int_equal(poll(&pfd, 1, 0), 0);
	expect_rest();
	hang_up(&a);
	run_for(loop, 20);
	pfd.revents = 0;
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_int_equal(pfd.revents, POLLHUP);
	assert_true(ended);
}

static void a_reset_ends_both(void **state)
{
	(void)state;
	say(b, "never read");
	run_for(loop, 20);
	hang_up(&a); /* with unread data: a reset */
	run_for(loop, 20);
	assert_true(ended);
	expect_text(b, "");
}

static void a_peer_that_does_not_read_any_more_stops_the_other(void **state)
{
	(void)state;
	shutdown(b, SHUT_RD);
	say(a, "x");
	run_for(loop, 20);
	assert_int_equal(send(a, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_false(ended);
	say(b, "but this way it goes");
	run_for(loop, 20);
	expect_text(a, "but this way it goes");
}

static void when_it_has_ended_both_were_closed_before(void **state)
{
	(void)state;
	hang_up(&a);
	hang_up(&b);
	run_for(loop, 20);
	assert_true(ended);
	assert_true(closed_when_ended);
}

static void freeing_it_closes_both_and_says_nothing(void **state)
{
	(void)state;
	relay_free(relay);
	relay = NULL;
	assert_false(ended);
	assert_int_equal(fcntl(relay_a, F_GETFD), -1);
	assert_int_equal(fcntl(relay_b, F_GETFD), -1);
	relay_free(NULL);
}

/* --- Much data ------------------------------------------------------------- */

struct stream {
	int fd;
	uint32_t seed;
	size_t size;
	bool slow;
	bool right;
};

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 24;
}

static void *send_stream(void *data)
{
	struct stream *stream = data;
	uint32_t random = stream->seed;
	uint8_t bytes[10000];

	for (size_t sent = 0; sent < stream->size; sent += sizeof(bytes)) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)next(&random);
		for (size_t done = 0; done < sizeof(bytes);)
			done += (size_t)send(stream->fd, bytes + done,
					     sizeof(bytes) - done,
					     MSG_NOSIGNAL);
	}
	shutdown(stream->fd, SHUT_WR);
	return NULL;
}

static void *receive_stream(void *data)
{
	struct stream *stream = data;
	uint32_t random = stream->seed;
	uint8_t bytes[7777];
	size_t received = 0;
	ssize_t n;

	stream->right = true;
	while ((n = recv(stream->fd, bytes, sizeof(bytes), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] != (uint8_t)next(&random))
				stream->right = false;
		received += (size_t)n;
		if (stream->slow && received % 5 == 0)
			usleep(500);
	}
	if (n < 0 || received != stream->size)
		stream->right = false;
	return NULL;
}

static void exchange(bool slow)
{
	struct stream forth = { a, 1, BIG / 10000 * 10000, false, false };
	struct stream back = { b, 2, BIG / 10000 * 10000, false, false };
	struct stream forth_in = forth, back_in = back;
	pthread_t threads[4];

	forth_in.fd = b;
	forth_in.slow = slow;
	back_in.fd = a;
	pthread_create(&threads[0], NULL, send_stream, &forth);
	pthread_create(&threads[1], NULL, send_stream, &back);
	pthread_create(&threads[2], NULL, receive_stream, &forth_in);
	pthread_create(&threads[3], NULL, receive_stream, &back_in);
	run_until(loop, &ended);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_true(forth_in.right);
	assert_true(back_in.right);
}

static void much_data_arrives_unchanged_both_ways(void **state)
{
	(void)state;
	exchange(false);
}

static void a_slow_reader_gets_everything_too(void **state)
{
	(void)state;
	exchange(true);
}

/* The relay holds one buffer, the sockets theirs; then the sender waits. */
static void who_does_not_read_holds_the_sender_back(void **state)
{
	size_t sent = 0;
	char bytes[65536] = { 0 };
	int taken = -1;

	(void)state;
	for (int i = 0; i < 100; i++) {
		ssize_t n = send(a, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		run_for(loop, 1);
	}
	assert_true(sent < 4 * 1024 * 1024);
	expect_rest();
	say(b, "the other way is free");
	run_for(loop, 20);
	expect_text(a, "the other way is free");
	while (sent) {
		ssize_t n = recv(b, bytes, sizeof(bytes), MSG_DONTWAIT);

		assert_true(n > 0 || errno == EAGAIN);
		if (n > 0)
			sent -= (size_t)n;
		run_for(loop, 1);
	}
	assert_int_equal(ioctl(b, FIONREAD, &taken), 0);
	assert_int_equal(taken, 0);
}

static void a_reader_who_leaves_while_much_waits_for_him_ends_it(void **state)
{
	char bytes[65536] = { 0 };

	(void)state;
	while (send(a, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		run_for(loop, 1);
	hang_up(&b);
	run_for(loop, 20);
	assert_true(ended);
	assert_int_equal(send(a, bytes, 1, MSG_NOSIGNAL), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_relay, end_relay)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_both_ways),
		TEST(a_half_closed_connection_still_goes_the_other_way),
		TEST(the_same_holds_the_other_way_round),
		TEST(what_was_sent_before_closing_arrives),
		TEST(that_a_side_has_closed_is_told_by_pollhup),
		TEST(so_it_is_when_the_side_had_half_closed_before),
		TEST(a_reset_ends_both),
		TEST(a_peer_that_does_not_read_any_more_stops_the_other),
		TEST(when_it_has_ended_both_were_closed_before),
		TEST(freeing_it_closes_both_and_says_nothing),
		TEST(much_data_arrives_unchanged_both_ways),
		TEST(a_slow_reader_gets_everything_too),
		TEST(who_does_not_read_holds_the_sender_back),
		TEST(a_reader_who_leaves_while_much_waits_for_him_ends_it),
	};

	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
