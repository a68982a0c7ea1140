// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * A connection does one thing at a time: it reads a request,
 * has it answered, sends the answer, and only then reads the next. What its
 * client sends meanwhile waits in the socket, and the client himself once
 * that is full.
 *
 *	READING --request--> ASKING --answer--> (sent) READING
 *	                        |                  |
 *	                     (closed)          SENDING --writable--> READING
 *
 * A stream (SOCK_STREAM) has no packets, but CBOR says itself where it ends:
 * requests are items, one behind the other, and so are the answers. What has
 * come is kept until a whole item is there, at most as long as a request may
 * be. After what is longer, or malformed, nobody knows where the next request
 * would begin: it is answered, and the connection ends.
 */
#include "nsm-emu/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libne/cbor.h"
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
	uint8_t *input; /* of a stream, NSM_REQUEST_MAX + 1; or NULL */
	size_t input_size;
	bool is_last; /* the request that is answered */
};

struct connections {
	struct loop *loop;
	struct nsm_server *server;
	struct nsm_module *module;
	struct listener *listener;
	bool is_stream;
	LIST_HEAD(connection_list, connection) list;
};

static void free_connection(struct connection *connection)
{
	LIST_REMOVE(connection, link);
	loop_remove(connection->source);
	close_keeping_errno(connection->fd);
	free(connection->unsent);
	free(connection->input);
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

/* True if it is sent, or (a stream's: the rest of it) kept for later. */
static bool send_answer(struct connection *connection, const uint8_t *response,
			size_t size)
{
	ssize_t n = send(connection->fd, response, size,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != ENOBUFS)
		return false;
	if (n > 0) {
		response += n;
		size -= (size_t)n;
	}
	if (!size)
		return true;
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

static void go_on(struct connection *connection);

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
		go_on(connection);
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

/* True: it is answered, and the connection still there for the next one. */
static bool ask(struct connection *connection, const uint8_t *request,
		size_t size)
{
	connection->state = ASKING;
	connection->asking = true;
	nsm_server_request(connection->all->server, connection->all->module,
			   request, size, &connection->job);
	connection->asking = false;
	if (connection->closed) {
		free_connection(connection);
		return false;
	}
	if (connection->state == READING)
		return true;
	watch(connection);
	return false;
}

/* Bytes of the stream's first request; 0: it is not all there yet. */
static size_t first_request(struct connection *connection)
{
	struct cbor_in in = { .at = connection->input,
			      .left = connection->input_size };

	if (cbor_in_skip(&in))
		return connection->input_size - in.left;
	if (in.is_cut && connection->input_size <= NSM_REQUEST_MAX)
		return 0;
	connection->is_last = true;
	return connection->input_size;
}

static bool ask_first(struct connection *connection, size_t size)
{
	uint8_t request[NSM_REQUEST_MAX + 1];

	memcpy(request, connection->input, size);
	connection->input_size -= size;
	memmove(connection->input, connection->input + size,
		connection->input_size);
	return ask(connection, request, size);
}

/* With what has come already, then with what comes. */
static void go_on(struct connection *connection)
{
	size_t size;

	while (connection->input && connection->state == READING) {
		if (connection->is_last) {
			close_connection(connection);
			return;
		}
		size = first_request(connection);
		if (!size)
			break;
		if (!ask_first(connection, size))
			return;
	}
	watch(connection);
}

static void read_stream(struct connection *connection)
{
	ssize_t n = recv(connection->fd,
			 connection->input + connection->input_size,
			 NSM_REQUEST_MAX + 1 - connection->input_size,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_connection(connection);
		return;
	}
	connection->input_size += (size_t)n;
	go_on(connection);
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
	go_on(connection);
}

static void ready(uint32_t events, void *data)
{
	struct connection *connection = data;

	if (connection->state == READING && connection->input)
		read_stream(connection);
	else if (connection->state == READING)
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

	if (connection && all->is_stream)
		connection->input = malloc(NSM_REQUEST_MAX + 1);
	if (connection && (connection->input || !all->is_stream)) {
		connection->job.answer = answer;
		connection->job.is_waiting = is_waiting;
		connection->all = all;
		connection->fd = fd;
		connection->source = loop_add(
			all->loop, fd, EPOLLIN | EPOLLRDHUP, ready, connection);
	}
	if (!connection || !connection->source) {
		if (connection)
			free(connection->input);
		free(connection);
		close(fd);
		return;
	}
	LIST_INSERT_HEAD(&all->list, connection, link);
}

struct connections *connections_new(struct loop *loop,
				    struct nsm_server *server,
				    struct nsm_module *module, int fd,
				    bool is_stream)
{
	struct connections *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->loop = loop;
	all->server = server;
	all->module = module;
	all->is_stream = is_stream;
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
