// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/traced.h"

#define PATIENCE_MS 20000

size_t open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

static void stop(uint32_t events, void *data)
{
	(void)events;
	loop_stop(data);
}

void run_for(struct loop *loop, unsigned int milliseconds)
{
	assert_non_null(loop_timer(loop, milliseconds, stop, loop));
	assert_int_equal(loop_run(loop), 0);
}

void run_until(struct loop *loop, const bool *condition)
{
	for (int i = 0; i < PATIENCE_MS / 5 && !*condition; i++)
		run_for(loop, 5);
	assert_true(*condition);
}

static _Noreturn void run_child(const struct trap *trap, const int pipes[4],
				void (*body)(void *data), void *data)
{
	int listener;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	listener = trap_install(trap);
	CHECK(write(pipes[1], &listener, sizeof(listener)) == sizeof(listener));
	CHECK(read(pipes[2], &byte, 1) == 1);
	close(listener);
	for (int i = 0; i < 4; i++)
		close(pipes[i]);
	body(data);
	_exit(0);
}

void traced_start(struct traced *traced, struct loop *loop,
		  const struct trap_handler *handlers, size_t n_handlers,
		  void (*body)(void *data), void *data)
{
	int pipes[4], listener;

	*traced = (struct traced){ .loop = loop };
	assert_int_equal(trap_new(&traced->trap, handlers, n_handlers, NULL),
			 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(pipes + 2), 0);
	traced->pid = fork();
	assert_true(traced->pid >= 0);
	if (traced->pid == 0)
		run_child(traced->trap, pipes, body, data);
	traced->pidfd = pidfd_open(traced->pid, 0);
	assert_true(traced->pidfd >= 0);
	close(pipes[1]);
	close(pipes[2]);
	assert_int_equal(read(pipes[0], &listener, sizeof(listener)),
			 sizeof(listener));
	assert_true(listener >= 0);
	listener = pidfd_getfd(traced->pidfd, listener, 0);
	assert_true(listener >= 0);
	assert_int_equal(write(pipes[3], "", 1), 1);
	close(pipes[0]);
	close(pipes[3]);
	assert_int_equal(trap_attach(traced->trap, loop, listener), 0);
}

static void child_ended(uint32_t events, void *data)
{
	struct traced *traced = data;

	(void)events;
	traced->ended = true;
	loop_stop(traced->loop);
}

static void lose_patience(uint32_t events, void *data)
{
	struct traced *traced = data;

	(void)events;
	traced->patience = NULL;
	kill(traced->pid, SIGKILL);
}

int traced_finish(struct traced *traced)
{
	struct loop_source *source = loop_add(traced->loop, traced->pidfd,
					      EPOLLIN, child_ended, traced);
	int status;

	traced->patience =
		loop_timer(traced->loop, PATIENCE_MS, lose_patience, traced);
	assert_non_null(source);
	while (!traced->ended)
		assert_int_equal(loop_run(traced->loop), 0);
	loop_remove(source);
	loop_remove(traced->patience);
	assert_int_equal(waitpid(traced->pid, &status, 0), traced->pid);
	close(traced->pidfd);
	return status;
}

void traced_free(struct traced *traced)
{
	trap_free(traced->trap);
	traced->trap = NULL;
}

void traced_run(struct loop *loop, const struct trap_handler *handlers,
		size_t n_handlers, void (*body)(void *data), void *data)
{
	struct traced traced;
	int status;

	traced_start(&traced, loop, handlers, n_handlers, body, data);
	status = traced_finish(&traced);
	traced_free(&traced);
	assert_int_equal(status, 0);
}

static void do_nothing(int signal)
{
	(void)signal;
}

void catch_signal(int signal, int flags)
{
	struct sigaction action = { .sa_handler = do_nothing,
				    .sa_flags = flags };

	sigaction(signal, &action, NULL);
}
