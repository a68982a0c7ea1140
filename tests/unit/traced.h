/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of what answers a trap: a child process under it, and the loop
 * that serves it. Include after <cmocka.h>.
 */
#ifndef TESTS_UNIT_TRACED_H
#define TESTS_UNIT_TRACED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "plumbing/loop.h"
#include "plumbing/trap.h"

/* How many descriptors this process has. */
size_t open_descriptors(void);

/* Lets the loop work for so long. */
void run_for(struct loop *loop, unsigned int milliseconds);

/* Lets the loop work until *condition; fails the test after 20 seconds. */
void run_until(struct loop *loop, const bool *condition);

struct traced {
	struct loop *loop;
	struct trap *trap;
	pid_t pid;
	int pidfd;
	bool ended;
	struct loop_source *patience;
};

/*
 * Forks a child that runs body(data) under a trap with these handlers and
 * exits with 0 if it returns.
 */
void traced_start(struct traced *traced, struct loop *loop,
		  const struct trap_handler *handlers, size_t n_handlers,
		  void (*body)(void *data), void *data);
/* Serves the child until it has ended; its status as of wait(2). */
int traced_finish(struct traced *traced);
/* Frees the trap if that has not been done (then set it to NULL). */
void traced_free(struct traced *traced);

/* All of that; the test fails if a CHECK() of the child does. */
void traced_run(struct loop *loop, const struct trap_handler *handlers,
		size_t n_handlers, void (*body)(void *data), void *data);

/* An assertion in the child. */
#define CHECK(condition)                                                    \
	do {                                                                \
		if (!(condition)) {                                         \
			dprintf(2, "%s:%d: in the traced child: %s (%m)\n", \
				__FILE__, __LINE__, #condition);            \
			_exit(99);                                          \
		}                                                           \
	} while (0)
#define CHECK_ERRNO(error, call) CHECK((call) == -1 && errno == (error))

/* In the child: what sigaction(2) takes for a handler that does nothing. */
void catch_signal(int signal, int flags);

#endif
