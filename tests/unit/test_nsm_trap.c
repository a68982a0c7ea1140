// SPDX-License-Identifier: Apache-2.0
/*
 * What is particular to this face of the NSM; how it looks from the other side
 * is told by tests/system/nsm_bare.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libne/cleanup.h"
#include "nsm-emu/server.h"
#include "nsm-emu/trap.h"
#include "tests/unit/nsm_fixture.h"
#include "tests/unit/traced.h"

struct raw {
	uint64_t request, request_size;
	uint64_t response, response_size;
};
#define NSM_COMMAND _IOWR(0x0a, 0, struct raw)

struct fixture {
	struct nsm_fixture nsm;
	struct loop *loop;
	struct nsm_server *server;
	struct nsm_trap *face;
	unsigned int wanted;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	nsm_fixture_set_up(&f->nsm);
	f->loop = loop_new();
	assert_non_null(f->loop);
	f->server = nsm_server_new(f->loop);
	assert_non_null(f->server);
	assert_int_equal(nsm_trap_new(&f->face, f->server, true, NULL), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	nsm_trap_free(f->face);
	nsm_server_free(f->server);
	loop_free(f->loop);
	nsm_fixture_tear_down(&f->nsm);
	free(f);
	return 0;
}

static void run_with(struct fixture *f, void (*body)(void *data), void *data)
{
	const struct trap_handler handler = nsm_trap_handler(f->face);

	traced_run(f->loop, &handler, 1, body, data);
}

/* --- In the child -------------------------------------------------------- */

static uint8_t response[NSM_RESPONSE_MAX];

static ssize_t ask(int fd, const char *request, size_t size)
{
	struct raw raw = { (uintptr_t)request, size, (uintptr_t)response,
			   sizeof(response) };

	return ioctl(fd, NSM_COMMAND, &raw) ? -1 : (ssize_t)raw.response_size;
}

#define ASK(fd, request) ask(fd, request, sizeof(request) - 1)

static bool begins(const char *start)
{
	return !memcmp(response, start, strlen(start));
}

static int open_device(void)
{
	int fd = open("/dev/nsm", O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

static void describe_and_attest(void *data)
{
	int fd = open_device();

	(void)data;
	CHECK(ASK(fd, NSM_DESCRIBE) > 0 && begins("\241kDescribeNSM"));
	CHECK(ASK(fd, NSM_ATTEST) > 1000 && begins("\241kAttestation"));
}

/* --- Tests --------------------------------------------------------------- */

static void requests_are_answered(void **state)
{
	struct fixture *f = *state;

	nsm_trap_set_module(f->face, f->nsm.module);
	run_with(f, describe_and_attest, NULL);
}

static void the_file_is_not_written_to(void *data)
{
	int fd = open_device();
	struct stat st;

	(void)data;
	CHECK_ERRNO(EPERM, write(fd, "x", 1));
	CHECK_ERRNO(EPERM, ftruncate(fd, 1));
	CHECK(read(fd, response, 1) == 0);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0666);
	CHECK(open("/dev/nsm", O_RDWR | O_TRUNC) >= 0);
	CHECK(ASK(fd, NSM_DESCRIBE) > 0);
}

static void nothing_is_kept_that_is_written(void **state)
{
	struct fixture *f = *state;

	nsm_trap_set_module(f->face, f->nsm.module);
	run_with(f, the_file_is_not_written_to, NULL);
}

static void other_descriptors(void *data)
{
	int file = memfd_create("other", 0);

	(void)data;
	CHECK_ERRNO(ENOTTY, ASK(file, NSM_DESCRIBE));
	CHECK_ERRNO(ENOTTY, ASK(open("/dev/null", O_RDWR), NSM_DESCRIBE));
	CHECK_ERRNO(EBADF, ASK(-1, NSM_DESCRIBE));
	CHECK_ERRNO(EBADF, ASK(1000, NSM_DESCRIBE));
	CHECK_ERRNO(ENOENT, open("/dev/nsm2", O_RDWR));
	CHECK_ERRNO(ENOENT, open("/nowhere/nsm", O_RDWR));
}

static void others_are_left_to_the_kernel(void **state)
{
	struct fixture *f = *state;

	nsm_trap_set_module(f->face, f->nsm.module);
	run_with(f, other_descriptors, NULL);
}

static void use_file(void *data)
{
	int fd = open(data, O_RDONLY);

	CHECK(fd >= 0);
	CHECK(ASK(fd, NSM_DESCRIBE) > 0 && begins("\241kDescribeNSM"));
	/* By the file alone is it known. */
	CHECK(open("/dev/nsm", O_RDONLY) < 0 ||
	      ASK(open("/dev/nsm", O_RDONLY), NSM_DESCRIBE) < 0);
}

static void any_file_can_be_the_device(void **state)
{
	struct fixture *f = *state;
	cleanup_close int fd = -1;
	char path[sizeof(f->nsm.folder) + 16];
	struct trap_handler handler;
	struct nsm_trap *face;
	struct stat st;

	snprintf(path, sizeof(path), "%s/device", f->nsm.folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(nsm_trap_new(&face, f->server, false, NULL), 0);
	nsm_trap_set_device(face, &st);
	nsm_trap_set_module(face, f->nsm.module);
	handler = nsm_trap_handler(face);
	traced_run(f->loop, &handler, 1, use_file, path);
	nsm_trap_free(face);
}

/* --- Waiting for a module ------------------------------------------------ */

static void give_module(uint32_t events, void *data)
{
	struct fixture *f = data;

	(void)events;
	nsm_trap_set_module(f->face, f->nsm.module);
}

static void wanted(void *data)
{
	struct fixture *f = data;

	f->wanted++;
	assert_non_null(loop_timer(f->loop, 200, give_module, f));
}

static void ask_together(void *data)
{
	pid_t children[8];
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
		children[i] = fork();
		if (children[i] == 0) {
			describe_and_attest(data);
			_exit(0);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		CHECK(waitpid(children[i], &status, 0) > 0 && status == 0);
}

static void requests_wait_for_the_module(void **state)
{
	struct fixture *f = *state;

	nsm_trap_set_wanted(f->face, wanted, f);
	run_with(f, ask_together, NULL);
	assert_int_equal(f->wanted, 1);
}

static void only_open(void *data)
{
	(void)data;
	open_device();
}

static void who_asks_for_nothing_wants_no_module(void **state)
{
	struct fixture *f = *state;

	nsm_trap_set_wanted(f->face, wanted, f);
	run_with(f, only_open, NULL);
	assert_int_equal(f->wanted, 0);
}

static void alarm_every(int microseconds, int flags)
{
	struct itimerval often = { { 0, microseconds }, { 0, microseconds } };

	catch_signal(SIGALRM, flags);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

static void ask_under_fire(void *data)
{
	alarm_every(5000, SA_RESTART);
	describe_and_attest(data);
}

static void who_waits_may_be_interrupted(void **state)
{
	struct fixture *f = *state;

	nsm_trap_set_wanted(f->face, wanted, f);
	run_with(f, ask_under_fire, NULL);
	assert_int_equal(f->wanted, 1);
}

/* --- Interruptions ------------------------------------------------------- */

/* More often than a signature takes, and yet it comes. */
static void attest_under_fire(void *data)
{
	int fd = open_device();
	int interrupted = 0;

	(void)data;
	alarm_every(100, SA_RESTART);
	for (int i = 0; i < 10; i++)
		CHECK(ASK(fd, NSM_ATTEST) > 1000);
	alarm_every(100, 0);
	for (int i = 0; i < 10;) {
		ssize_t n = ASK(fd, NSM_ATTEST);

		CHECK(n > 1000 || errno == EINTR);
		i += n > 0;
		interrupted += n < 0;
	}
	CHECK(interrupted > 0);
}

static void an_interrupted_attestation_is_not_begun_again(void **state)
{
	struct fixture *f = *state;

	nsm_trap_set_module(f->face, f->nsm.module);
	run_with(f, attest_under_fire, NULL);
}

/*
 * What has happened between two calls that look the same must be in the
 * second one's document.
 */
static void attest_lock_attest(void *data)
{
	char extend[] = "\241iExtendPCR\242eindex\020ddata\101x";
	char lock[] = "\241gLockPCR\241eindex\020";
	int fd = open_device();
	const uint8_t *found;
	uint8_t value[48];

	(void)data;
	catch_signal(SIGALRM, 0);
	for (int i = 0; i < 8; i++) {
		struct itimerval once = { .it_value.tv_usec = 200 };

		CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0);
		ASK(fd, NSM_ATTEST);
		CHECK(ASK(fd, extend) > 48 && begins("\241iExtendPCR"));
		found = memmem(response, 128, "\130\060", 2);
		CHECK(found);
		memcpy(value, found + 2, sizeof(value));
		CHECK(ASK(fd, lock) > 0 && begins("gLockPCR"));
		CHECK(ASK(fd, NSM_ATTEST) > 1000);
		CHECK(memmem(response, sizeof(response), value, 48));
		extend[18]++;
		lock[16]++;
	}
}

static void what_was_asked_meanwhile_counts(void **state)
{
	struct fixture *f = *state;

	nsm_trap_set_module(f->face, f->nsm.module);
	run_with(f, attest_lock_attest, NULL);
}

/* Ends when the face does, or it is killed. */
static void attest_for_ever(void *data)
{
	int fd = open_device();

	(void)data;
	for (int i = 0; i < 7 && fork() > 0; i++)
		;
	while (ASK(fd, NSM_ATTEST) > 0)
		;
}

static void the_face_can_end_while_it_is_asked(void **state)
{
	struct fixture *f = *state;

	for (int with_module = 0; with_module < 2; with_module++) {
		struct trap_handler handler;
		struct traced traced;

		if (with_module) {
			assert_int_equal(nsm_trap_new(&f->face, f->server, true,
						      NULL),
					 0);
			nsm_trap_set_module(f->face, f->nsm.module);
		}
		handler = nsm_trap_handler(f->face);
		traced_start(&traced, f->loop, &handler, 1, attest_for_ever,
			     NULL);
		run_for(f->loop, 50);
		nsm_trap_free(f->face);
		f->face = NULL;
		traced_free(&traced);
		assert_int_equal(traced_finish(&traced), 0);
	}
}

static void callers_can_be_killed(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10; i++) {
		struct trap_handler handler = nsm_trap_handler(f->face);
		struct traced traced;

		nsm_trap_set_module(f->face, f->nsm.module);
		traced_start(&traced, f->loop, &handler, 1, attest_for_ever,
			     NULL);
		run_for(f->loop, 5);
		assert_int_equal(kill(traced.pid, SIGKILL), 0);
		assert_int_equal(traced_finish(&traced), SIGKILL);
		nsm_trap_free(f->face);
		traced_free(&traced);
		assert_int_equal(nsm_trap_new(&f->face, f->server, true, NULL),
				 0);
	}
	nsm_trap_set_module(f->face, f->nsm.module);
	run_with(f, describe_and_attest, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_are_answered),
		TEST(nothing_is_kept_that_is_written),
		TEST(others_are_left_to_the_kernel),
		TEST(any_file_can_be_the_device),
		TEST(requests_wait_for_the_module),
		TEST(who_asks_for_nothing_wants_no_module),
		TEST(who_waits_may_be_interrupted),
		TEST(an_interrupted_attestation_is_not_begun_again),
		TEST(what_was_asked_meanwhile_counts),
		TEST(the_face_can_end_while_it_is_asked),
		TEST(callers_can_be_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
