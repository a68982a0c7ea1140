// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * Each source is one epoll registration that points at a struct loop_source.
 * A callback may remove any source, also one whose event is waiting in the
 * same batch; so removal only marks a source dead and takes it out of epoll,
 * and the loop frees the dead ones between batches. A timer is a source with
 * a timerfd of its own.
 */
#include "plumbing/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "libne/cleanup.h"

#define BATCH 64

struct loop_source {
	struct loop *loop;
	struct loop_source *next;  /* all live ones, or all dead ones */
	struct loop_source **link; /* what points at this one */
	void (*ready)(uint32_t events, void *data);
	void *data;
	int fd;
	bool timer; /* fd is ours, and the source fires once */
	bool dead;
};

struct loop {
	int epoll;
	bool stopping;
	struct loop_source *live;
	struct loop_source *dead;
};

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		free(loop);
		return NULL;
	}
	return loop;
}

static void free_dead(struct loop *loop)
{
	while (loop->dead) {
		struct loop_source *source = loop->dead;

		loop->dead = source->next;
		free(source);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->live)
		loop_remove(loop->live);
	free_dead(loop);
	close(loop->epoll);
	free(loop);
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

static void dispatch(const struct epoll_event *event)
{
	struct loop_source *source = event->data.ptr;
	void (*ready)(uint32_t, void *) = source->ready;
	void *data = source->data;

	if (source->dead)
		return;
	if (source->timer)
		loop_remove(source);
	ready(event->events, data);
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[BATCH];

	loop->stopping = false;
	while (!loop->stopping) {
		int n = epoll_wait(loop->epoll, events, BATCH, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !loop->stopping; i++)
			dispatch(&events[i]);
		free_dead(loop);
	}
	return 0;
}

struct loop_source *loop_add(struct loop *loop, int fd, uint32_t events,
			     void (*ready)(uint32_t events, void *data),
			     void *data)
{
	struct loop_source *source = calloc(1, sizeof(*source));
	struct epoll_event event = { .events = events };

	if (!source)
		return NULL;
	event.data.ptr = source;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event)) {
		free(source);
		return NULL;
	}
	*source = (struct loop_source){ .loop = loop,
					.next = loop->live,
					.link = &loop->live,
					.ready = ready,
					.data = data,
					.fd = fd };
	if (loop->live)
		loop->live->link = &source->next;
	loop->live = source;
	return source;
}

int loop_modify(struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->fd, &event))
		return -errno;
	return 0;
}

void loop_remove(struct loop_source *source)
{
	struct loop *loop;

	if (!source || source->dead)
		return;
	loop = source->loop;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	if (source->timer)
		close(source->fd);
	source->dead = true;

	*source->link = source->next;
	if (source->next)
		source->next->link = source->link;
	source->next = loop->dead;
	loop->dead = source;
}

struct loop_source *loop_timer(struct loop *loop, unsigned int milliseconds,
			       void (*ready)(uint32_t events, void *data),
			       void *data)
{
	/* A timerfd of zero would be disarmed. */
	struct itimerspec when = {
		.it_value.tv_sec = milliseconds / 1000,
		.it_value.tv_nsec = (milliseconds % 1000) * 1000000L + 1,
	};
	cleanup_close int fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct loop_source *source;

	if (fd < 0 || timerfd_settime(fd, 0, &when, NULL))
		return NULL;
	source = loop_add(loop, fd, EPOLLIN, ready, data);
	if (!source)
		return NULL;
	source->timer = true;
	take_fd(&fd);
	return source;
}
