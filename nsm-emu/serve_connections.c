// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * A connection (SOCK_SEQPACKET) does one thing at a time: it reads a request,
 * has it answered, sends the answer, and only then reads the next. What its
 * client sends meanwhile waits in the socket, and the client himself once
 * that is full.
 *
 *	READING --request--> ASKING --answer--> (sent) READING
 *	                        |                  |
 *	                     (closed)          SENDING --writable--> READING
 */
#include "nsm-emu/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libne/cleanup.h"
#include "nsm-emu/module.h"
#include "nsm-emu/server.h"
#include "plumbing/listener.h"
#include "plumbing/loop.h"

struct connection {
	struct nsm_job job;
	struct connections *all;
	LIST_ENTRY(connection) link;
	int fd;
	struct loop_source *source;
	enum { READING, ASKING, SENDING } state;
	bool asking; /* right now, inside nsm_server_request() */
	bool closed; /* only its job is still to come back */
	uint8_t *unsent;
	size_t unsent_size;
};

struct connections {
	struct loop *loop;
	struct nsm_server *server;
	struct nsm_module *module;
	struct listener *listener;
	LIST_HEAD(connection_list, connection) list;
};

static void free_connection(struct connection *connection)
{
	LIST_REMOVE(connection, link);
	loop_remove(connection->source);
	close_keeping_errno(connection->fd);
	free(connection->unsent);
	free(connection);
}

/* The client is gone. */
static void close_connection(struct connection *connection)
{
	if (connection->state != ASKING ||
	    nsm_server_cancel(connection->all->server, &connection->job)) {
		free_connection(connection);
		return;
	}
	loop_remove(connection->source);
	connection->source = NULL;
	close_keeping_errno(take_fd(&connection->fd));
	connection->closed = true;
}

/* --- Answers ------------------------------------------------------------- */

/* True if it is sent, or kept for later. */
static bool send_answer(struct connection *connection, const uint8_t *response,
			size_t size)
{
	if (send(connection->fd, response, size, MSG_NOSIGNAL | MSG_DONTWAIT) >=
	    0)
		return true;
	if (errno != EAGAIN && errno != ENOBUFS)
		return false;
	connection->unsent = malloc(size);
	if (!connection->unsent)
		return false;
	memcpy(connection->unsent, response, size);
	connection->unsent_size = size;
	return true;
}

/* Waits for what the connection needs next. */
static void watch(struct connection *connection)
{
	static const uint32_t events[] = {
		[READING] = EPOLLIN | EPOLLRDHUP,
		[ASKING] = 0,
		[SENDING] = EPOLLOUT,
	};

	if (loop_modify(connection->source, events[connection->state]))
		close_connection(connection);
}

static bool answer(struct nsm_job *job, const uint8_t *response, size_t size)
{
	struct connection *connection = (struct connection *)job;
	bool sent;

	connection->state = READING;
	if (connection->closed) {
		free_connection(connection);
		return false;
	}
	sent = size > 0 && send_answer(connection, response, size);
	if (connection->unsent)
		connection->state = SENDING;
	/* Else it goes on there. */
	if (connection->asking)
		connection->closed = !sent;
	else if (sent)
		watch(connection);
	else
		free_connection(connection);
	return sent;
}

static bool is_waiting(struct nsm_job *job)
{
	(void)job;
	return true;
}

/* --- Requests ------------------------------------------------------------ */

static void ask(struct connection *connection, const uint8_t *request,
		size_t size)
{
	connection->state = ASKING;
	connection->asking = true;
	nsm_server_request(connection->all->server, connection->all->module,
			   request, size, &connection->job);
	connection->asking = false;
	if (connection->closed)
		free_connection(connection);
	else if (connection->state != READING)
		watch(connection);
}

static void read_request(struct connection *connection, uint32_t events)
{
	/* One more byte, so that what is too large stays so. */
	uint8_t request[NSM_REQUEST_MAX + 1];
	ssize_t n =
		recv(connection->fd, request, sizeof(request), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* An empty request looks like the end, but for the events. */
	if (n < 0 || (n == 0 && events & (EPOLLHUP | EPOLLRDHUP)))
		close_connection(connection);
	else
		ask(connection, request, (size_t)n);
}

static void send_unsent(struct connection *connection)
{
	cleanup_free uint8_t *response = take_ptr(&connection->unsent);

	if (!send_answer(connection, response, connection->unsent_size)) {
		free_connection(connection);
		return;
	}
	if (connection->unsent)
		return;
	connection->state = READING;
	watch(connection);
}

static void ready(uint32_t events, void *data)
{
	struct connection *connection = data;

	if (connection->state == READING)
		read_request(connection, events);
	else if (events & (EPOLLHUP | EPOLLERR))
		close_connection(connection);
	else if (connection->state == SENDING)
		send_unsent(connection);
}

/* --- All of them --------------------------------------------------------- */

static void connected(int fd, void *data)
{
	struct connections *all = data;
	struct connection *connection = calloc(1, sizeof(*connection));

	if (connection) {
		connection->job.answer = answer;
		connection->job.is_waiting = is_waiting;
		connection->all = all;
		connection->fd = fd;
		connection->source = loop_add(
			all->loop, fd, EPOLLIN | EPOLLRDHUP, ready, connection);
	}
	if (!connection || !connection->source) {
		free(connection);
		close(fd);
		return;
	}
	LIST_INSERT_HEAD(&all->list, connection, link);
}

struct connections *connections_new(struct loop *loop,
				    struct nsm_server *server,
				    struct nsm_module *module, int fd)
{
	struct connections *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->loop = loop;
	all->server = server;
	all->module = module;
	all->listener = listener_new(loop, fd, connected, all);
	if (!all->listener) {
		free(all);
		return NULL;
	}
	return all;
}

void connections_free(struct connections *all)
{
	struct connection *connection;

	if (!all)
		return;
	listener_free(all->listener);
	while ((connection = LIST_FIRST(&all->list))) {
		if (connection->state == ASKING)
			nsm_server_cancel_wait(all->server, &connection->job);
		free_connection(connection);
	}
	free(all);
}
