// SPDX-License-Identifier: Apache-2.0
#include "plumbing/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plumbing/loop.h"

#define PAUSE_MILLISECONDS 100

struct listener {
	struct loop *loop;
	int fd;
	struct loop_source *source; /* of fd, or a timer while it pauses */
	void (*connected)(int fd, void *data);
	void *data;
};

static void knock(uint32_t events, void *data);

static void resume(uint32_t events, void *data)
{
	struct listener *listener = data;

	(void)events;
	listener->source = loop_add(listener->loop, listener->fd, EPOLLIN,
				    knock, listener);
	if (!listener->source)
		listener->source = loop_timer(
			listener->loop, PAUSE_MILLISECONDS, resume, listener);
}

static void look_away(struct listener *listener)
{
	struct loop_source *timer = loop_timer(
		listener->loop, PAUSE_MILLISECONDS, resume, listener);

	/* A timer takes a descriptor: without one, busy is better than deaf. */
	if (!timer)
		return;
	loop_remove(listener->source);
	listener->source = timer;
}

static void knock(uint32_t events, void *data)
{
	struct listener *listener = data;
	int fd =
		accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0)
		listener->connected(fd, listener->data);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		 errno == ENOBUFS)
		look_away(listener);
}

struct listener *listener_new(struct loop *loop, int fd,
			      void (*connected)(int fd, void *data), void *data)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return NULL;
	*listener = (struct listener){
		.loop = loop, .fd = fd, .connected = connected, .data = data
	};
	listener->source = loop_add(loop, fd, EPOLLIN, knock, listener);
	if (!listener->source) {
		free(listener);
		return NULL;
	}
	return listener;
}

void listener_free(struct listener *listener)
{
	if (!listener)
		return;
	loop_remove(listener->source);
	close(listener->fd);
	free(listener);
}
