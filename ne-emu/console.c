// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "plumbing/listener.h"
#include "plumbing/loop.h"
#include "vsock-sim/fabric.h"

#define KEPT 65536

struct console_client {
	struct console *console;
	struct console_client *next;
	int fd;
	struct loop_source *source;
	bool silent;   /* it will send nothing more; it may still read */
	uint64_t sent; /* position in the stream of all output */
};

struct console {
	struct loop *loop;
	int master;
	int terminal;
	char path[32];
	struct loop_source *source;
	struct listener *listener;
	struct console_client *clients;
	bool ended;
	uint64_t written; /* bytes of output so far; a ring keeps the last */
	char kept[KEPT];
};

static void free_client(struct console_client *client)
{
	struct console_client **link = &client->console->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	loop_remove(client->source);
	close(client->fd);
	free(client);
}

/* False when the client is gone. */
static bool send_to(struct console_client *client)
{
	const struct console *console = client->console;

	if (console->written - client->sent > KEPT)
		client->sent = console->written - KEPT;
	while (client->sent < console->written) {
		size_t begin = client->sent % KEPT;
		size_t size = (size_t)(console->written - client->sent);
		ssize_t n;

		if (size > KEPT - begin)
			size = KEPT - begin;
		n = send(client->fd, console->kept + begin, size,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		client->sent += (uint64_t)n;
	}
	return true;
}

static void serve(struct console_client *client)
{
	const struct console *console = client->console;

	if (!send_to(client) ||
	    (console->ended && client->sent == console->written))
		free_client(client);
	else
		loop_modify(client->source,
			    (client->silent ? 0 : EPOLLIN) |
				    (client->sent < console->written ? EPOLLOUT
								     : 0));
}

static void client_ready(uint32_t events, void *data)
{
	struct console_client *client = data;
	char ignored[512];
	ssize_t n;

	if (events & (EPOLLHUP | EPOLLERR)) {
		free_client(client);
		return;
	}
	if (events & EPOLLIN) {
		n = recv(client->fd, ignored, sizeof(ignored), MSG_DONTWAIT);
		client->silent = n == 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			free_client(client);
			return;
		}
	}
	serve(client);
}

static void client_connects(int fd, void *data)
{
	struct console *console = data;
	struct console_client *client;

	client = calloc(1, sizeof(*client));
	if (!client) {
		close(fd);
		return;
	}
	client->console = console;
	client->fd = fd;
	client->next = console->clients;
	console->clients = client;
	client->source =
		loop_add(console->loop, fd, EPOLLIN, client_ready, client);
	if (!client->source)
		free_client(client);
	else
		serve(client);
}

/* Takes what the terminal has into the ring. False if there was nothing. */
static bool take_output(struct console *console)
{
	size_t begin = console->written % KEPT;
	ssize_t n = read(console->master, console->kept + begin, KEPT - begin);

	if (n <= 0)
		return false;
	console->written += (uint64_t)n;
	return true;
}

static void serve_all(struct console *console)
{
	struct console_client *next;

	for (struct console_client *c = console->clients; c; c = next) {
		next = c->next;
		serve(c);
	}
}

static void output_ready(uint32_t events, void *data)
{
	struct console *console = data;

	(void)events;
	if (take_output(console))
		serve_all(console);
}

/* As a serial line: no echo, no line discipline, bytes as they come. */
static int open_terminal(struct console *console)
{
	struct termios settings;

	console->master =
		posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (console->master < 0 || grantpt(console->master) ||
	    unlockpt(console->master) ||
	    ptsname_r(console->master, console->path, sizeof(console->path)))
		return -errno;
	console->terminal = open(console->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (console->terminal < 0 || tcgetattr(console->terminal, &settings))
		return -errno;
	settings.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	settings.c_oflag &= ~(tcflag_t)OPOST;
	if (tcsetattr(console->terminal, TCSANOW, &settings))
		return -errno;
	return 0;
}

static int start_serving(struct console *console, const struct fabric *fabric,
			 uint32_t cid)
{
	struct vsock_address address = { VSOCK_CID_HYPERVISOR,
					 CONSOLE_PORT_BASE + cid };

	cleanup_close int fd = fabric_listen(fabric, address, SOMAXCONN);

	if (fd < 0)
		return take_fd(&fd);
	console->source = loop_add(console->loop, console->master, EPOLLIN,
				   output_ready, console);
	if (console->source)
		console->listener = listener_new(console->loop, fd,
						 client_connects, console);
	if (!console->listener)
		return -errno;
	take_fd(&fd);
	return 0;
}

int console_new(struct console **console, struct loop *loop,
		const struct fabric *fabric, uint32_t cid, struct ne_error *err)
{
	struct console *new = calloc(1, sizeof(*new));
	int r;

	if (!new)
		return ne_error_set(err, ENOMEM, "out of memory");
	new->loop = loop;
	new->master = new->terminal = -1;
	r = open_terminal(new);
	if (!r)
		r = start_serving(new, fabric, cid);
	if (r) {
		console_free(new);
		return ne_error_set(err, -r,
				    "cannot make the enclave's console: %s",
				    ne_strerror(r));
	}
	*console = new;
	return 0;
}

int console_terminal(const struct console *console)
{
	return console->terminal;
}

const char *console_terminal_path(const struct console *console)
{
	return console->path;
}

void console_drain(struct console *console)
{
	/* A bound: a process of the enclave may be writing still. */
	for (int i = 0; i < 64 && take_output(console); i++)
		;
}

void console_last_line(const struct console *console, char *line, size_t size)
{
	uint64_t oldest = console->written > KEPT ? console->written - KEPT : 0;
	uint64_t end = console->written, begin;
	size_t used = 0;

	while (end > oldest && strchr("\r\n ", console->kept[(end - 1) % KEPT]))
		end--;
	for (begin = end; begin > oldest; begin--)
		if (console->kept[(begin - 1) % KEPT] == '\n')
			break;
	while (begin < end && used + 1 < size)
		line[used++] = console->kept[begin++ % KEPT];
	line[used] = '\0';
}

void console_end(struct console *console)
{
	console_drain(console);
	console->ended = true;
	loop_remove(console->source);
	console->source = NULL;
	serve_all(console);
}

void console_free(struct console *console)
{
	if (!console)
		return;
	if (console->master >= 0)
		console_drain(console);
	while (console->clients) {
		send_to(console->clients);
		free_client(console->clients);
	}
	loop_remove(console->source);
	listener_free(console->listener);
	close_keeping_errno(console->terminal);
	close_keeping_errno(console->master);
	free(console);
}
