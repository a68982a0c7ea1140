// SPDX-License-Identifier: Apache-2.0
/*
 * Each test runs supervise() as PID 1 of fresh user and PID namespaces, with
 * a socket pair for the connection to the parent.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "libne/cleanup.h"
#include "ne-init/parent.h"
#include "ne-init/supervise.h"

/* What PID 1 ends with when it is not what it should be. */
#define NOT_FIT 99

struct run {
	pid_t outer;
	int control; /* the parent's end */
};

static char *environment[] = { (char[]){ "PATH=/usr/bin:/bin" }, NULL };

__attribute__((noreturn)) static void be_init(char **argv, int fd)
{
	struct parent parent = { .fd = fd, .listens = true };
	unsigned int status;

	/* It kills every process that it can see: be very sure. */
	if (getpid() != 1)
		_exit(NOT_FIT);
	/* A /proc of its own, where that is allowed. */
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	/* As whoever starts init might have it. */
	signal(SIGPIPE, SIG_IGN);
	supervise_block_signals();
	status = supervise(argv, environment, &parent);
	parent_report_exit(&parent, status);
	/* Nobody but init must be left. */
	_exit(kill(-1, 0) < 0 && errno == ESRCH ? 0 : NOT_FIT);
}

/* Tells pid 1's status on. */
static int outer(char **argv, int fd)
{
	pid_t pid;
	int status;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) < 0)
		return NOT_FIT;
	pid = fork();
	if (pid == 0)
		be_init(argv, fd);
	close(fd);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return NOT_FIT;
	return WEXITSTATUS(status);
}

static void start(struct run *run, char **argv)
{
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	run->control = pair[0];
	run->outer = fork();
	assert_true(run->outer >= 0);
	if (run->outer == 0) {
		close(pair[0]);
		_exit(outer(argv, pair[1]));
	}
	close(pair[1]);
}

static void start_script(struct run *run, const char *script)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)script,
			 NULL };

	start(run, argv);
}

/* The next line from init, without waiting for ever. */
static void read_line(struct run *run, char *line, size_t size)
{
	struct pollfd fd = { .fd = run->control, .events = POLLIN };
	size_t length = 0;

	while (length + 1 < size) {
		if (poll(&fd, 1, 10000) != 1 ||
		    recv(run->control, line + length, 1, 0) != 1)
			break;
		if (line[length++] == '\n')
			break;
	}
	line[length] = '\0';
}

static void send_text(struct run *run, const char *text)
{
	assert_int_equal(send(run->control, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

/* It reports this line, takes our good-bye and leaves nothing behind. */
static void assert_ends_with(struct run *run, const char *expected)
{
	char line[64];
	int status;

	read_line(run, line, sizeof(line));
	close(run->control);
	assert_int_equal(waitpid(run->outer, &status, 0), run->outer);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_string_equal(line, expected);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- The tests ---------------------------------------------------------------- */

static void the_exit_status_is_reported(void **state)
{
	struct run run;

	(void)state;
	start_script(&run, "exit 0");
	assert_ends_with(&run, "exit 0\n");
	start_script(&run, "exit 7");
	assert_ends_with(&run, "exit 7\n");
	start_script(&run, "exit 255");
	assert_ends_with(&run, "exit 255\n");
}

static void death_by_a_signal_is_128_and_its_number(void **state)
{
	struct run run;

	(void)state;
	start_script(&run, "kill -KILL $$");
	assert_ends_with(&run, "exit 137\n");
	start_script(&run, "kill -SEGV $$");
	assert_ends_with(&run, "exit 139\n");
}

static void what_cannot_be_run_is_127_or_126(void **state)
{
	char *missing[] = { (char[]){ "no-such-program" }, NULL };
	char *missing_path[] = { (char[]){ "/no/such/program" }, NULL };
	char *directory[] = { (char[]){ "/proc" }, NULL };
	struct run run;

	(void)state;
	start(&run, missing);
	assert_ends_with(&run, "exit 127\n");
	start(&run, missing_path);
	assert_ends_with(&run, "exit 127\n");
	start(&run, directory);
	assert_ends_with(&run, "exit 126\n");
}

static void the_application_leads_a_session_with_no_signal_blocked(void **state)
{
	struct run run;

	(void)state;
	/* Signals 32 and 33 are the C library's own: nobody can reset them. */
	start_script(
		&run,
		"read -r pid comm state ppid group session rest"
		" </proc/self/stat;"
		"[ $pid = $group ] && [ $pid = $session ] || exit 1;"
		"grep -q '^SigBlk:.0*$' /proc/self/status || exit 2;"
		"grep -Eq '^SigIgn:.0{7}[01][08]0{7}$' /proc/self/status || exit 3");
	assert_ends_with(&run, "exit 0\n");
}

static void signals_reach_the_whole_process_group(void **state)
{
	struct run run;

	(void)state;
	/* The shell waits for its child before it looks at its own signal. */
	start_script(&run, "trap 'exit 3' TERM; sleep 1000; exit 4");
	send_text(&run, "nonsense\nsignal 99\nsignal ");
	assert_int_equal(
		poll(&(struct pollfd){ .fd = run.control, .events = POLLIN }, 1,
		     300),
		0);
	/* In two pieces, with other lines around. */
	send_text(&run, "15\nsignal 18\n");
	assert_ends_with(&run, "exit 3\n");
}

static void the_parents_end_of_stream_ends_nothing(void **state)
{
	struct run run;
	char line[64];
	int status;

	(void)state;
	start_script(&run, "sleep 0.5; exit 4");
	assert_int_equal(shutdown(run.control, SHUT_WR), 0);
	read_line(&run, line, sizeof(line));
	assert_string_equal(line, "exit 4\n");
	assert_int_equal(waitpid(run.outer, &status, 0), run.outer);
	assert_int_equal(WEXITSTATUS(status), 0);
	close(run.control);

	/* nitro-cli is gone altogether. */
	start_script(&run, "sleep 0.3; exit 4");
	close(run.control);
	assert_int_equal(waitpid(run.outer, &status, 0), run.outer);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void orphans_are_reaped(void **state)
{
	struct run run;

	(void)state;
	/* Without a /proc of its own it cannot look, and passes. */
	start_script(&run, "[ \"$(readlink /proc/self)\" -lt 100 ] || exit 0;"
			   "(sh -c 'exit 1' & ); (setsid sh -c 'exit 1' & );"
			   "sleep 0.5;"
			   "cat /proc/[0-9]*/stat | grep -q ') Z ' && exit 1;"
			   "exit 0");
	assert_ends_with(&run, "exit 0\n");
}

static void those_left_over_may_end_by_themselves(void **state)
{
	double start_time = now();
	struct run run;

	(void)state;
	start_script(&run, "setsid sleep 1000 & sleep 0.1; exit 6");
	assert_ends_with(&run, "exit 6\n");
	assert_true(now() - start_time < 1.5);
}

static void those_that_ignore_that_are_killed(void **state)
{
	double start_time = now(), took;
	struct run run;

	(void)state;
	start_script(&run, "(trap '' TERM; setsid sh -c 'while :; do sleep 1;"
			   "done' & ); sleep 0.2; exit 8");
	assert_ends_with(&run, "exit 8\n");
	took = now() - start_time;
	assert_true(took > 1.5 && took < 6);
}

static bool can_run(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_exit_status_is_reported),
		cmocka_unit_test(death_by_a_signal_is_128_and_its_number),
		cmocka_unit_test(what_cannot_be_run_is_127_or_126),
		cmocka_unit_test(
			the_application_leads_a_session_with_no_signal_blocked),
		cmocka_unit_test(signals_reach_the_whole_process_group),
		cmocka_unit_test(the_parents_end_of_stream_ends_nothing),
		cmocka_unit_test(orphans_are_reaped),
		cmocka_unit_test(those_left_over_may_end_by_themselves),
		cmocka_unit_test(those_that_ignore_that_are_killed),
	};

	if (!can_run()) {
		printf("1..0 # SKIP user namespaces are not to be had here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
