// SPDX-License-Identifier: Apache-2.0
#include "vsock-sim/door.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "plumbing/log.h"
#include "plumbing/listener.h"
#include "plumbing/loop.h"
#include "vsock-sim/fabric.h"
#include "vsock-sim/relay.h"

#define REQUEST "CONNECT "

/* So long a full queue is waited for, as connect(2) of vsock does. */
#define CONNECT_TIMEOUT_MS 2000
#define CONNECT_RETRY_MS 5

/* A program that has connected: first its request, then the relay. */
struct visitor {
	struct door *door;
	struct visitor *next;
	int fd;
	struct loop_source *source;
	char line[DOOR_LINE_MAX];
	size_t used;
	uint32_t port;
	unsigned int waited; /* milliseconds */
	struct relay *relay;
};

struct door {
	struct loop *loop;
	const struct fabric *fabric;
	uint32_t cid;
	struct listener *listener;
	struct visitor *visitors;
};

int door_parse(const char *bytes, size_t size, uint32_t *port, size_t *used)
{
	const size_t prefix = strlen(REQUEST);
	uint64_t number = 0;
	size_t i;

	if (memcmp(bytes, REQUEST, size < prefix ? size : prefix) != 0)
		return -1;
	for (i = prefix; i < size && bytes[i] != '\n'; i++) {
		if (bytes[i] < '0' || bytes[i] > '9' || i >= DOOR_LINE_MAX - 1)
			return -1;
		number = number * 10 + (uint64_t)(bytes[i] - '0');
	}
	if (i >= size)
		return size < DOOR_LINE_MAX ? 0 : -1;
	if (i == prefix || number > UINT32_MAX)
		return -1;
	*port = (uint32_t)number;
	*used = i + 1;
	return 1;
}

static void free_visitor(struct visitor *visitor)
{
	struct visitor **link = &visitor->door->visitors;

	while (*link != visitor)
		link = &(*link)->next;
	*link = visitor->next;
	loop_remove(visitor->source);
	relay_free(visitor->relay);
	close_keeping_errno(visitor->fd);
	free(visitor);
}

static void relay_ended(void *data)
{
	struct visitor *visitor = data;

	visitor->relay = NULL; /* it frees itself */
	free_visitor(visitor);
}

/* The listener's side of the visitor's connection, or a negative errno. */
static int connect_visitor(struct visitor *visitor)
{
	const struct fabric *fabric = visitor->door->fabric;
	struct vsock_address there = { visitor->door->cid, visitor->port };
	struct vsock_address here;
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[32];
	int n, r;

	if (fd < 0)
		return -errno;
	r = fabric_connect(fabric, fd, VSOCK_CID_PARENT, there);
	if (r)
		return r;
	if (!fabric_local_address(fabric, fd, &here))
		return -EIO;
	n = snprintf(answer, sizeof(answer), "OK %" PRIu32 "\n", here.port);
	if (send(visitor->fd, answer, (size_t)n, MSG_NOSIGNAL) != n)
		return -EPIPE;
	return take_fd(&fd);
}

static void admit(uint32_t events, void *data)
{
	struct visitor *visitor = data;
	struct door *door = visitor->door;
	cleanup_close int fd = connect_visitor(visitor);

	(void)events;
	visitor->source = NULL;
	if (fd == -EAGAIN && visitor->waited < CONNECT_TIMEOUT_MS) {
		visitor->waited += CONNECT_RETRY_MS;
		visitor->source = loop_timer(door->loop, CONNECT_RETRY_MS,
					     admit, visitor);
		if (visitor->source)
			return;
	}
	if (fd < 0)
		log_debug("plain connection to cid %u port %u: %s", door->cid,
			  visitor->port, ne_strerror(fd));
	else
		visitor->relay = relay_new(door->loop, visitor->fd, fd,
					   relay_ended, visitor);
	if (!visitor->relay) {
		free_visitor(visitor);
		return;
	}
	take_fd(&fd);
	take_fd(&visitor->fd);
}

static void visitor_ready(uint32_t events, void *data)
{
	struct visitor *visitor = data;
	size_t used;
	ssize_t n;
	int r;

	(void)events;
	/* What follows the request's line is not ours: byte by byte. */
	n = recv(visitor->fd, visitor->line + visitor->used, 1, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		visitor->used++;
	r = n <= 0 ? -1
		   : door_parse(visitor->line, visitor->used, &visitor->port,
				&used);
	if (r == 0)
		return;
	if (r < 0) {
		free_visitor(visitor);
		return;
	}
	loop_remove(visitor->source);
	admit(0, visitor);
}

static void knock(int fd, void *data)
{
	struct door *door = data;
	struct visitor *visitor;

	visitor = calloc(1, sizeof(*visitor));
	if (!visitor) {
		close(fd);
		return;
	}
	visitor->door = door;
	visitor->fd = fd;
	visitor->next = door->visitors;
	door->visitors = visitor;
	visitor->source =
		loop_add(door->loop, fd, EPOLLIN, visitor_ready, visitor);
	if (!visitor->source)
		free_visitor(visitor);
}

int door_new(struct door **door, struct loop *loop, const struct fabric *fabric,
	     uint32_t cid, struct ne_error *err)
{
	struct door *new = calloc(1, sizeof(*new));
	cleanup_close int fd = -1;
	int r;

	if (!new)
		return ne_error_set(err, ENOMEM, "out of memory");
	*new = (struct door){ .loop = loop, .fabric = fabric, .cid = cid };
	fd = fabric_listen_door(fabric, cid);
	if (fd >= 0)
		new->listener = listener_new(loop, fd, knock, new);
	if (!new->listener) {
		r = ne_error_set(err, fd < 0 ? -fd : errno,
				 "cannot listen at %s/%u.sock: %s",
				 fabric->folder, cid,
				 ne_strerror(fd < 0 ? fd : errno));
		free(new);
		return r;
	}
	take_fd(&fd);
	*door = new;
	return 0;
}

void door_free(struct door *door)
{
	if (!door)
		return;
	while (door->visitors)
		free_visitor(door->visitors);
	fabric_remove_door(door->fabric, door->cid);
	listener_free(door->listener);
	free(door);
}
