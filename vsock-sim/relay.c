// SPDX-License-Identifier: Apache-2.0
#include "vsock-sim/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plumbing/loop.h"

#define BUFFER_SIZE 65536

/* One direction. */
struct pipe_half {
	uint8_t buffer[BUFFER_SIZE];
	size_t begin, end; /* what is read and not yet written */
	bool ended;	   /* nothing more will be read */
	bool shut;	   /* the writing side has been told */
};

struct relay_side {
	struct relay *relay;
	int fd;
	struct loop_source *source;
	uint32_t wanted;
	bool watched; /* for EPOLLHUP, if for nothing else */
};

struct relay {
	struct relay_side side[2];
	struct pipe_half half[2]; /* from side 0 to 1, from side 1 to 0 */
	struct loop *loop;
	void (*ended)(void *data);
	void *data;
};

/* Where this direction leads nobody takes anything any more. */
static void give_up(struct pipe_half *half, int from)
{
	half->begin = half->end = 0;
	half->ended = true;
	shutdown(from, SHUT_RD);
}

/* True while it makes sense to go on with this direction. */
static bool transfer(struct pipe_half *half, int from, int to)
{
	ssize_t n;

	if (half->begin == half->end && !half->ended) {
		n = recv(from, half->buffer, sizeof(half->buffer), 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		half->begin = 0;
		half->end = n > 0 ? (size_t)n : 0;
		half->ended = n <= 0;
	}
	while (half->begin < half->end) {
		n = send(to, half->buffer + half->begin,
			 half->end - half->begin, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n < 0) {
			give_up(half, from);
			break;
		}
		half->begin += (size_t)n;
	}
	if (half->ended && !half->shut) {
		shutdown(to, SHUT_WR);
		half->shut = true;
	}
	return !half->shut;
}

static void ask_for(struct relay_side *side, const struct pipe_half *in,
		    const struct pipe_half *out)
{
	uint32_t wanted = 0;

	if (in->begin == in->end && !in->ended)
		wanted |= EPOLLIN;
	if (out->begin < out->end)
		wanted |= EPOLLOUT;
	/*
	 * EPOLLHUP is told always. A side of which nothing more is wanted must
	 * therefore leave epoll altogether, or it would keep the loop busy;
	 * one that something may still be sent to stays, so that we hear when
	 * its peer is gone.
	 */
	if (!wanted && out->shut) {
		loop_remove(side->source);
		side->source = NULL;
	} else if (side->source && wanted != side->wanted) {
		loop_modify(side->source, wanted);
	}
	side->wanted = wanted;
	side->watched = wanted || !out->shut;
}

static int listen_again(struct relay *relay);

static void end(struct relay *relay)
{
	void (*ended)(void *data) = relay->ended;
	void *data = relay->data;

	relay_free(relay);
	if (ended)
		ended(data);
}

static void ready(uint32_t events, void *data)
{
	struct relay_side *side = data;
	struct relay *relay = side->relay;
	int i = side == &relay->side[1];
	bool forth, back;

	/* Its peer has closed, not just ended what it sends. */
	if (events & EPOLLHUP)
		give_up(&relay->half[1 - i], relay->side[1 - i].fd);
	forth = transfer(&relay->half[0], relay->side[0].fd, relay->side[1].fd);
	back = transfer(&relay->half[1], relay->side[1].fd, relay->side[0].fd);
	if ((forth || back) && listen_again(relay) == 0)
		return;
	end(relay);
}

static int listen_again(struct relay *relay)
{
	for (int i = 0; i < 2; i++) {
		struct relay_side *side = &relay->side[i];

		ask_for(side, &relay->half[i], &relay->half[1 - i]);
		if (!side->watched || side->source)
			continue;
		side->source = loop_add(relay->loop, side->fd, side->wanted,
					ready, side);
		if (!side->source)
			return -errno;
	}
	return 0;
}

struct relay *relay_new(struct loop *loop, int a, int b,
			void (*ended)(void *data), void *data)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	int fds[2] = { a, b };

	if (!relay)
		return NULL;
	relay->loop = loop;
	relay->ended = ended;
	relay->data = data;
	for (int i = 0; i < 2; i++) {
		relay->side[i].relay = relay;
		relay->side[i].fd = fds[i];
		fcntl(fds[i], F_SETFL, O_RDWR | O_NONBLOCK);
	}
	if (listen_again(relay)) {
		for (int i = 0; i < 2; i++)
			loop_remove(relay->side[i].source);
		free(relay);
		return NULL;
	}
	return relay;
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	for (int i = 0; i < 2; i++) {
		loop_remove(relay->side[i].source);
		close(relay->side[i].fd);
	}
	free(relay);
}
