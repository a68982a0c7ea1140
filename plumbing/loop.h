/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: one thread, epoll, callbacks. Sources and timers may be
 * added and removed at any time, from inside callbacks too, their own
 * included. Not thread-safe: a loop belongs to the thread that runs it.
 */
#ifndef PLUMBING_LOOP_H
#define PLUMBING_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

struct loop;
struct loop_source;

/* NULL if out of memory or descriptors (errno says). */
struct loop *loop_new(void);
/* Frees every source and timer that is left; closes none of their fds. */
void loop_free(struct loop *loop);

/* Runs callbacks until loop_stop(). 0, or a negative errno of epoll_wait. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/*
 * Call back with the EPOLL* events that fd has, level-triggered. The loop
 * does not own fd: remove the source first, then close it. NULL on failure
 * (errno says).
 */
struct loop_source *loop_add(struct loop *loop, int fd, uint32_t events,
			     void (*ready)(uint32_t events, void *data),
			     void *data);
int loop_modify(struct loop_source *source, uint32_t events);
/* NULL is fine. */
void loop_remove(struct loop_source *source);

/*
 * Call back once, after milliseconds. The source frees itself after the
 * callback; loop_remove() before that cancels it.
 */
struct loop_source *loop_timer(struct loop *loop, unsigned int milliseconds,
			       void (*ready)(uint32_t events, void *data),
			       void *data);

#endif
