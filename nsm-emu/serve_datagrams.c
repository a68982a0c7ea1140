// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * All clients send to one socket. Each datagram is a request, its answer goes
 * to the sender's address. A struct sender is an address of which something
 * is in hand: one request with the server, others that came meanwhile, or an
 * answer for which the sender's socket had no room.
 *
 * Nobody tells when such a socket has room again, so a timer tries, until
 * patience ends: an answer that nobody reads for so long is thrown away, and
 * what else its sender has asked for. A sender may have a few requests in
 * hand; what he sends beyond that is lost, since to leave it in the socket
 * would stop all others. That happens only when there are very many requests
 * in hand of all senders together: then all wait, in the kernel.
 *
 * Answers that are not read yet take room in our socket's send buffer, which
 * all senders share. So who asks several things at once gets the next answer
 * only while little of it is taken. One answer at a time everybody gets, as
 * long as there is room for all that are not read: with the kernel's usual
 * net.core.wmem_max, for those of some fifty clients. More of them wait, until
 * the room is free or the unread answers are dropped; connections do not share
 * anything.
 */
#include "nsm-emu/serve.h"

#include <errno.h>
#include <linux/sockios.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "libne/cleanup.h"
#include "nsm-emu/module.h"
#include "nsm-emu/server.h"
#include "plumbing/log.h"
#include "plumbing/loop.h"

/* Requests in hand: of a sender, and of all. */
#define SENDER_MOST 64
#define MOST 4096
/* What answers for the impatient may take of the send buffer. */
#define BUFFER_SHARE 4
/* How often an answer is tried again, and for how long. */
#define RETRY_MS 10
#define PATIENCE_MS 10000
/* Datagrams that are read before others in the loop have their turn. */
#define BATCH 64

struct request {
	STAILQ_ENTRY(request) link;
	size_t size;
	uint8_t bytes[];
};

struct sender {
	struct nsm_job job;
	struct datagrams *all;
	LIST_ENTRY(sender) link;
	struct sockaddr_un address;
	socklen_t address_size;
	bool busy;   /* with the server */
	bool asking; /* right now, inside nsm_server_request() */
	bool gone;
	bool answered; /* once at least */
	unsigned int n_requests;
	STAILQ_HEAD(requests, request) requests;
	/* What could not be sent, since when. */
	uint8_t *unsent;
	size_t unsent_size;
	uint64_t unsent_since;
};

struct datagrams {
	struct loop *loop;
	struct nsm_server *server;
	struct nsm_module *module;
	int fd;
	int buffer; /* bytes that it may have unread */
	struct loop_source *source;
	struct loop_source *retry;
	bool full; /* nothing is read now */
	unsigned int n_requests;
	bool warned_of_nameless;
	bool warned_of_lost;
	LIST_HEAD(sender_list, sender) list;
	void *tree; /* the same by address */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- Senders ------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct sender *left = a, *right = b;

	if (left->address_size != right->address_size)
		return left->address_size < right->address_size ? -1 : 1;
	return memcmp(&left->address, &right->address, left->address_size);
}

static void free_sender(struct sender *sender)
{
	struct request *request;

	while ((request = STAILQ_FIRST(&sender->requests))) {
		STAILQ_REMOVE_HEAD(&sender->requests, link);
		free(request);
	}
	sender->all->n_requests -= sender->n_requests;
	tdelete(sender, &sender->all->tree, compare);
	LIST_REMOVE(sender, link);
	free(sender->unsent);
	free(sender);
}

static bool answer(struct nsm_job *job, const uint8_t *response, size_t size);

static bool is_waiting(struct nsm_job *job)
{
	(void)job;
	return true;
}

static struct sender *find_sender(struct datagrams *all,
				  const struct sockaddr_un *address,
				  socklen_t size)
{
	struct sender key = { .address_size = size }, *new;
	struct sender **found;

	memcpy(&key.address, address, size);
	found = tfind(&key, &all->tree, compare);
	if (found)
		return *found;
	new = calloc(1, sizeof(*new));
	if (!new)
		return NULL;
	new->address = key.address;
	new->address_size = size;
	new->all = all;
	new->job.answer = answer;
	new->job.is_waiting = is_waiting;
	STAILQ_INIT(&new->requests);
	if (!tsearch(new, &all->tree, compare)) {
		free(new);
		return NULL;
	}
	LIST_INSERT_HEAD(&all->list, new, link);
	return new;
}

/* --- Answers ------------------------------------------------------------- */

/* False: nobody is there. */
static bool send_answer(struct sender *sender, const uint8_t *response,
			size_t size, bool *sent)
{
	*sent = sendto(sender->all->fd, response, size,
		       MSG_DONTWAIT | MSG_NOSIGNAL,
		       (struct sockaddr *)&sender->address,
		       sender->address_size) >= 0;
	return *sent || errno == EAGAIN || errno == ENOBUFS;
}

static void try_again(uint32_t events, void *data);

static void retry_later(struct datagrams *all)
{
	if (!all->retry)
		all->retry = loop_timer(all->loop, RETRY_MS, try_again, all);
}

static bool keep_answer(struct sender *sender, const uint8_t *response,
			size_t size)
{
	sender->unsent = malloc(size);
	if (!sender->unsent)
		return false;
	memcpy(sender->unsent, response, size);
	sender->unsent_size = size;
	sender->unsent_since = now_ms();
	retry_later(sender->all);
	return true;
}

static void go_on(struct sender *sender);

static bool answer(struct nsm_job *job, const uint8_t *response, size_t size)
{
	struct sender *sender = (struct sender *)job;
	bool sent = false;
	bool delivered = size > 0 &&
			 send_answer(sender, response, size, &sent) &&
			 (sent || keep_answer(sender, response, size));

	sender->busy = false;
	sender->n_requests--;
	sender->all->n_requests--;
	sender->gone = !delivered && size > 0;
	sender->answered = true;
	if (!sender->asking)
		go_on(sender);
	return delivered;
}

/* --- Requests ------------------------------------------------------------ */

static void watch(struct datagrams *all)
{
	bool full = all->n_requests >= MOST;

	if (full != all->full &&
	    loop_modify(all->source, full ? 0 : EPOLLIN) == 0)
		all->full = full;
}

static void ask(struct sender *sender, const uint8_t *request, size_t size)
{
	sender->busy = true;
	sender->asking = true;
	nsm_server_request(sender->all->server, sender->all->module, request,
			   size, &sender->job);
	sender->asking = false;
}

static void ask_next(struct sender *sender)
{
	cleanup_free struct request *request = STAILQ_FIRST(&sender->requests);

	STAILQ_REMOVE_HEAD(&sender->requests, link);
	ask(sender, request->bytes, request->size);
}

static bool has_room(const struct datagrams *all)
{
	int unread;

	return ioctl(all->fd, SIOCOUTQ, &unread) ||
	       unread < all->buffer / BUFFER_SHARE;
}

/* With the next request, if it is time; or not at all, if there is none. */
static void go_on(struct sender *sender)
{
	struct datagrams *all = sender->all;

	while (!sender->busy && !sender->gone && !sender->unsent &&
	       !STAILQ_EMPTY(&sender->requests)) {
		if (sender->answered && !has_room(all)) {
			retry_later(all);
			return;
		}
		ask_next(sender);
	}
	if (!sender->busy && !sender->unsent)
		free_sender(sender);
	watch(all);
}

/* False: still not. */
static bool send_unsent(struct sender *sender, uint64_t now)
{
	bool sent;

	sender->gone = !send_answer(sender, sender->unsent, sender->unsent_size,
				    &sent) ||
		       (!sent && now - sender->unsent_since > PATIENCE_MS);
	if (!sent && !sender->gone)
		return false;
	free(take_ptr(&sender->unsent));
	return true;
}

static void try_again(uint32_t events, void *data)
{
	struct datagrams *all = data;
	struct sender *sender, *next;
	uint64_t now = now_ms();

	(void)events;
	all->retry = NULL;
	for (sender = LIST_FIRST(&all->list); sender; sender = next) {
		next = LIST_NEXT(sender, link);
		if (sender->unsent && !send_unsent(sender, now))
			retry_later(all);
		else if (!sender->busy)
			go_on(sender);
	}
}

static void warn_once(bool *warned, const char *text)
{
	if (!*warned)
		log_warn("%s", text);
	*warned = true;
}

static void keep_request(struct sender *sender, const uint8_t *bytes,
			 size_t size)
{
	struct request *request = NULL;

	if (sender->n_requests < SENDER_MOST)
		request = malloc(sizeof(*request) + size);
	if (!request) {
		warn_once(
			&sender->all->warned_of_lost,
			"a client sends requests faster than it reads answers; some are lost (this is said once)");
		return;
	}
	memcpy(request->bytes, bytes, size);
	request->size = size;
	STAILQ_INSERT_TAIL(&sender->requests, request, link);
	sender->n_requests++;
	sender->all->n_requests++;
}

static void take_request(struct datagrams *all,
			 const struct sockaddr_un *address,
			 socklen_t address_size, const uint8_t *request,
			 size_t size)
{
	struct sender *sender;

	if (address_size <= offsetof(struct sockaddr_un, sun_path)) {
		warn_once(
			&all->warned_of_nameless,
			"a client's socket has no address to send answers to; it has to be bound (this is said once)");
		return;
	}
	sender = find_sender(all, address, address_size);
	if (!sender)
		return;
	if (sender->busy || sender->unsent ||
	    !STAILQ_EMPTY(&sender->requests)) {
		keep_request(sender, request, size);
		return;
	}
	sender->n_requests++;
	all->n_requests++;
	ask(sender, request, size);
	go_on(sender);
}

static void ready(uint32_t events, void *data)
{
	struct datagrams *all = data;
	/* One more byte, so that what is too large stays so. */
	uint8_t request[NSM_REQUEST_MAX + 1];

	(void)events;
	for (int i = 0; i < BATCH && !all->full; i++) {
		struct sockaddr_un address;
		socklen_t address_size = sizeof(address);
		ssize_t n = recvfrom(all->fd, request, sizeof(request),
				     MSG_DONTWAIT, (struct sockaddr *)&address,
				     &address_size);

		if (n < 0)
			return;
		if (address_size <= sizeof(address))
			take_request(all, &address, address_size, request,
				     (size_t)n);
		watch(all);
	}
}

/* --- The socket ---------------------------------------------------------- */

struct datagrams *datagrams_new(struct loop *loop, struct nsm_server *server,
				struct nsm_module *module, int fd)
{
	struct datagrams *all = calloc(1, sizeof(*all));
	const int most = 16 << 20;
	socklen_t size = sizeof(all->buffer);

	if (!all)
		return NULL;
	all->loop = loop;
	all->server = server;
	all->module = module;
	all->fd = fd;
	/* As much as is allowed; the kernel then says how much that is. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &all->buffer, &size);
	all->source = loop_add(loop, fd, EPOLLIN, ready, all);
	if (!all->source) {
		free(all);
		return NULL;
	}
	return all;
}

void datagrams_free(struct datagrams *all)
{
	struct sender *sender;

	if (!all)
		return;
	loop_remove(all->source);
	loop_remove(all->retry);
	while ((sender = LIST_FIRST(&all->list))) {
		if (sender->busy)
			nsm_server_cancel_wait(all->server, &sender->job);
		free_sender(sender);
	}
	close_keeping_errno(all->fd);
	free(all);
}
