// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "plumbing/loop.h"
#include "tests/unit/traced.h"

#define MANY 200

static struct loop *loop;
static size_t descriptors_before;

static int make_loop(void **state)
{
	(void)state;
	descriptors_before = open_descriptors();
	loop = loop_new();
	return loop ? 0 : -1;
}

static int free_loop(void **state)
{
	(void)state;
	loop_free(loop);
	return open_descriptors() == descriptors_before ? 0 : -1;
}

struct probe {
	struct loop_source *source;
	struct loop_source *remove[MANY];
	size_t n_remove;
	uint32_t events;
	unsigned int calls;
	bool stop;
	int drain; /* a descriptor to read one byte from, or -1 */
};

static void note(uint32_t events, void *data)
{
	struct probe *probe = data;
	char byte;

	probe->calls++;
	probe->events = events;
	if (probe->drain >= 0)
		(void)!read(probe->drain, &byte, 1);
	for (size_t i = 0; i < probe->n_remove; i++)
		loop_remove(probe->remove[i]);
	if (probe->stop)
		loop_stop(loop);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void calls_back_with_the_events_of_a_descriptor(void **state)
{
	struct probe probe = { .stop = true, .drain = -1 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	probe.source = loop_add(loop, ends[0], EPOLLIN, note, &probe);
	assert_non_null(probe.source);
	run_for(loop, 20);
	assert_int_equal(probe.calls, 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(probe.calls, 1);
	assert_int_equal(probe.events, EPOLLIN);
	close(ends[1]);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(probe.events, EPOLLIN | EPOLLHUP);
	loop_remove(probe.source);
	close(ends[0]);
}

static void calls_again_as_long_as_the_event_lasts(void **state)
{
	struct probe probe = { .drain = -1 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "xyz", 3), 3);
	probe.drain = ends[0];
	probe.source = loop_add(loop, ends[0], EPOLLIN, note, &probe);
	run_for(loop, 20);
	assert_int_equal(probe.calls, 3);
	loop_remove(probe.source);
	close(ends[0]);
	close(ends[1]);
}

static void the_events_that_are_asked_for_can_be_changed(void **state)
{
	struct probe probe = { .stop = true, .drain = -1 };
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	probe.source = loop_add(loop, ends[0], EPOLLIN, note, &probe);
	run_for(loop, 10);
	assert_int_equal(probe.calls, 0);
	assert_int_equal(loop_modify(probe.source, EPOLLOUT), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(probe.events, EPOLLOUT);
	assert_int_equal(loop_modify(probe.source, 0), 0);
	probe.calls = 0;
	run_for(loop, 10);
	assert_int_equal(probe.calls, 0);
	loop_remove(probe.source);
	close(ends[0]);
	close(ends[1]);
}

static void a_source_can_remove_itself(void **state)
{
	struct probe probe = { .n_remove = 1, .drain = -1 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	probe.source = loop_add(loop, ends[0], EPOLLIN, note, &probe);
	probe.remove[0] = probe.source;
	run_for(loop, 20);
	assert_int_equal(probe.calls, 1);
	close(ends[0]);
	close(ends[1]);
}

/* All are ready at once; whoever is called first removes all others. */
static void
a_removed_source_is_not_called_for_an_event_that_was_waiting(void **state)
{
	static struct probe probes[MANY];
	unsigned int calls = 0;
	int ends[2], copies[MANY];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	for (size_t i = 0; i < MANY; i++) {
		copies[i] = dup(ends[0]);
		assert_true(copies[i] >= 0);
		probes[i] = (struct probe){ .drain = -1 };
		probes[i].source =
			loop_add(loop, copies[i], EPOLLIN, note, &probes[i]);
		assert_non_null(probes[i].source);
	}
	for (size_t i = 0; i < MANY; i++) {
		probes[i].n_remove = MANY;
		for (size_t j = 0; j < MANY; j++)
			probes[i].remove[j] = probes[j].source;
	}
	run_for(loop, 20);
	for (size_t i = 0; i < MANY; i++) {
		calls += probes[i].calls;
		close(copies[i]);
	}
	assert_int_equal(calls, 1);
	close(ends[0]);
	close(ends[1]);
}

struct adder {
	struct probe *probe;
	int fd;
	struct loop_source *self;
};

static void add_another(uint32_t events, void *data)
{
	struct adder *adder = data;

	(void)events;
	loop_remove(adder->self);
	adder->probe->source =
		loop_add(loop, adder->fd, EPOLLIN, note, adder->probe);
}

static void
a_source_can_be_replaced_by_another_of_the_same_descriptor(void **state)
{
	struct probe probe = { .stop = true, .drain = -1 };
	struct adder adder = { .probe = &probe };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	adder.fd = ends[0];
	adder.self = loop_add(loop, ends[0], EPOLLIN, add_another, &adder);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(probe.calls, 1);
	loop_remove(probe.source);
	close(ends[0]);
	close(ends[1]);
}

static void a_descriptor_that_cannot_be_watched_is_refused(void **state)
{
	int fd = open("/dev/null", O_RDONLY);
	int file = open("/proc/self/exe", O_RDONLY);

	(void)state;
	close(fd);
	assert_null(loop_add(loop, fd, EPOLLIN, note, NULL));
	assert_int_equal(errno, EBADF);
	assert_null(loop_add(loop, file, EPOLLIN, note, NULL));
	assert_int_equal(errno, EPERM);
	close(file);
}

static void a_timer_comes_once_and_not_early(void **state)
{
	struct probe probe = { .stop = true, .drain = -1 };
	double begin = now();

	(void)state;
	assert_non_null(loop_timer(loop, 30, note, &probe));
	assert_int_equal(loop_run(loop), 0);
	assert_true(now() - begin >= 30);
	assert_int_equal(probe.calls, 1);
	run_for(loop, 60);
	assert_int_equal(probe.calls, 1);
}

static void a_timer_of_nothing_comes_at_once(void **state)
{
	struct probe probe = { .stop = true, .drain = -1 };

	(void)state;
	assert_non_null(loop_timer(loop, 0, note, &probe));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(probe.calls, 1);
}

static void the_longest_timer_can_be_cancelled(void **state)
{
	struct probe probe = { .drain = -1 };
	struct loop_source *timer = loop_timer(loop, UINT_MAX, note, &probe);

	(void)state;
	assert_non_null(timer);
	run_for(loop, 10);
	loop_remove(timer);
	assert_int_equal(probe.calls, 0);
}

static void a_cancelled_timer_does_not_come(void **state)
{
	struct probe late = { .drain = -1 };
	struct probe early = { .n_remove = 1, .drain = -1 };

	(void)state;
	early.remove[0] = loop_timer(loop, 10, note, &late);
	assert_non_null(loop_timer(loop, 5, note, &early));
	run_for(loop, 40);
	assert_int_equal(early.calls, 1);
	assert_int_equal(late.calls, 0);
}

static void of_two_timers_due_at_once_one_can_cancel_the_other(void **state)
{
	struct probe a = { .n_remove = 1, .drain = -1 };
	struct probe b = { .n_remove = 1, .drain = -1 };

	(void)state;
	b.remove[0] = loop_timer(loop, 1, note, &a);
	a.remove[0] = loop_timer(loop, 1, note, &b);
	usleep(10000);
	run_for(loop, 20);
	assert_int_equal(a.calls + b.calls, 1);
}

static void a_timer_may_remove_itself_although_it_is_gone_by_then(void **state)
{
	struct probe probe = { .n_remove = 1, .drain = -1 };

	(void)state;
	probe.remove[0] = loop_timer(loop, 1, note, &probe);
	run_for(loop, 20);
	assert_int_equal(probe.calls, 1);
}

static void start_next(uint32_t events, void *data)
{
	unsigned int *left = data;

	(void)events;
	if (--*left)
		assert_non_null(loop_timer(loop, 0, start_next, left));
	else
		loop_stop(loop);
}

static void a_timer_can_start_the_next_one(void **state)
{
	unsigned int left = 1000;

	(void)state;
	assert_non_null(loop_timer(loop, 0, start_next, &left));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(left, 0);
}

static void stopping_leaves_what_was_waiting_for_the_next_run(void **state)
{
	struct probe a = { .stop = true, .drain = -1 };
	struct probe b = { .stop = true, .drain = -1 };

	(void)state;
	assert_non_null(loop_timer(loop, 1, note, &a));
	assert_non_null(loop_timer(loop, 1, note, &b));
	usleep(10000);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(a.calls + b.calls, 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(a.calls + b.calls, 2);
}

static void a_signal_does_not_end_it(void **state)
{
	struct itimerval soon = { .it_value.tv_usec = 5000 };
	struct probe probe = { .stop = true, .drain = -1 };

	(void)state;
	catch_signal(SIGALRM, 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_non_null(loop_timer(loop, 50, note, &probe));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(probe.calls, 1);
}

static void
freeing_it_frees_sources_and_timers_and_closes_no_descriptor(void **state)
{
	struct loop *other = loop_new();
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_non_null(loop_add(other, ends[0], EPOLLIN, note, NULL));
	for (int i = 0; i < 10; i++)
		assert_non_null(loop_timer(other, 1000, note, NULL));
	loop_free(other);
	assert_int_equal(fcntl(ends[0], F_GETFD), 0);
	close(ends[0]);
	close(ends[1]);
	loop_free(NULL);
	loop_remove(NULL);
}

static void without_descriptors_there_is_no_loop_and_no_timer(void **state)
{
	struct rlimit before, none;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	assert_null(loop_new());
	assert_int_equal(errno, EMFILE);
	assert_null(loop_timer(loop, 1, note, NULL));
	assert_int_equal(errno, EMFILE);
	setrlimit(RLIMIT_NOFILE, &before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_loop, free_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_back_with_the_events_of_a_descriptor),
		TEST(calls_again_as_long_as_the_event_lasts),
		TEST(the_events_that_are_asked_for_can_be_changed),
		TEST(a_source_can_remove_itself),
		TEST(a_removed_source_is_not_called_for_an_event_that_was_waiting),
		TEST(a_source_can_be_replaced_by_another_of_the_same_descriptor),
		TEST(a_descriptor_that_cannot_be_watched_is_refused),
		TEST(a_timer_comes_once_and_not_early),
		TEST(a_timer_of_nothing_comes_at_once),
		TEST(the_longest_timer_can_be_cancelled),
		TEST(a_cancelled_timer_does_not_come),
		TEST(of_two_timers_due_at_once_one_can_cancel_the_other),
		TEST(a_timer_may_remove_itself_although_it_is_gone_by_then),
		TEST(a_timer_can_start_the_next_one),
		TEST(stopping_leaves_what_was_waiting_for_the_next_run),
		TEST(a_signal_does_not_end_it),
		TEST(freeing_it_frees_sources_and_timers_and_closes_no_descriptor),
		TEST(without_descriptors_there_is_no_loop_and_no_timer),
	};

	return cmocka_run_group_tests_name("event loop", tests, NULL, NULL);
}
