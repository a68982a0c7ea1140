// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/enclave.h"

/* Read ends that a test makes readable, or hangs up. */
static int stream[2], cancel[2], enclave[2];

static int open_pipes(void **state)
{
	(void)state;
	return pipe2(stream, O_CLOEXEC) < 0 || pipe2(cancel, O_CLOEXEC) < 0 ||
	       pipe2(enclave, O_CLOEXEC) < 0;
}

static void close_pipe(int ends[2])
{
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

static int close_pipes(void **state)
{
	(void)state;
	close_pipe(stream);
	close_pipe(cancel);
	close_pipe(enclave);
	return 0;
}

static void hang_up(int ends[2])
{
	close(ends[1]);
	ends[1] = -1;
}

static void make_readable(int ends[2])
{
	assert_int_equal(write(ends[1], "x", 1), 1);
}

static int wait_some(void)
{
	struct ne_wait wait = { ne_now() + 10, cancel[0] };

	return wait_for(stream[0], POLLIN, enclave[0], &wait);
}

static void a_wait_ends_at_its_deadline(void **state)
{
	int64_t before = ne_now();

	(void)state;
	assert_int_equal(wait_some(), -ETIMEDOUT);
	assert_true(ne_now() - before >= 10);
}

static void a_deadline_in_the_past_means_one_look(void **state)
{
	struct ne_wait wait = { 0, -1 };

	(void)state;
	assert_int_equal(wait_for(stream[0], POLLIN, -1, &wait), -ETIMEDOUT);
	make_readable(stream);
	assert_int_equal(wait_for(stream[0], POLLIN, -1, &wait), 0);
}

static void a_wait_ends_when_it_is_cancelled(void **state)
{
	(void)state;
	make_readable(cancel);
	assert_int_equal(wait_some(), -ECANCELED);
	assert_int_equal(wait_some(), -ECANCELED);
}

static void a_wait_ends_with_the_enclave(void **state)
{
	(void)state;
	hang_up(enclave);
	assert_int_equal(wait_some(), -ESHUTDOWN);
}

static void what_is_waited_for_wins(void **state)
{
	(void)state;
	make_readable(cancel);
	hang_up(enclave);
	make_readable(stream);
	assert_int_equal(wait_some(), 0);
}

static void the_end_of_a_stream_is_seen(void **state)
{
	(void)state;
	hang_up(stream);
	assert_int_equal(wait_some(), 0);
}

static void pauses_grow_and_stay_short(void **state)
{
	int pause = 0;

	(void)state;
	assert_int_equal(wait_pause(&pause, -1, NULL), 0);
	assert_int_equal(pause, 1);
	assert_int_equal(wait_pause(&pause, -1, NULL), 0);
	assert_int_equal(pause, 2);
	pause = 16;
	assert_int_equal(wait_pause(&pause, -1, NULL), 0);
	assert_int_equal(pause, 20);
}

static void a_pause_ends_with_the_wait(void **state)
{
	struct ne_wait past = { 0, -1 }, cancelled = { -1, cancel[0] };
	int pause = 0;

	(void)state;
	assert_int_equal(wait_pause(&pause, -1, &past), -ETIMEDOUT);
	make_readable(cancel);
	assert_int_equal(wait_pause(&pause, -1, &cancelled), -ECANCELED);
	hang_up(enclave);
	assert_int_equal(wait_pause(&pause, enclave[0], NULL), -ESHUTDOWN);
}

static void an_enclave_is_waited_for(void **state)
{
	struct ne_enclave some = { .fd = enclave[0] };
	struct ne_wait past = { 0, -1 };
	struct ne_error err = { 0 };

	(void)state;
	assert_int_equal(ne_enclave_wait(&some, &past, &err), -ETIMEDOUT);
	assert_string_equal(err.text,
			    "waiting for the enclave's end: out of time");
	hang_up(enclave);
	assert_int_equal(ne_enclave_wait(&some, NULL, &err), 0);
}

static void a_driver_without_reasons_gives_none(void **state)
{
	struct ne_enclave some = { .fd = enclave[0] };
	char text[8] = "before";

	(void)state;
	assert_int_equal(ne_enclave_end_reason(&some, text, sizeof(text)),
			 -ENOTTY);
	assert_string_equal(text, "");
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, open_pipes, close_pipes)
	const struct CMUnitTest tests[] = {
		TEST(a_wait_ends_at_its_deadline),
		TEST(a_deadline_in_the_past_means_one_look),
		TEST(a_wait_ends_when_it_is_cancelled),
		TEST(a_wait_ends_with_the_enclave),
		TEST(what_is_waited_for_wins),
		TEST(the_end_of_a_stream_is_seen),
		TEST(pauses_grow_and_stay_short),
		TEST(a_pause_ends_with_the_wait),
		TEST(an_enclave_is_waited_for),
		TEST(a_driver_without_reasons_gives_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
