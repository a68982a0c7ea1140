// SPDX-License-Identifier: Apache-2.0

#include "ne-init/parent.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
/* Needs struct sockaddr, which it does not declare. */
#include <linux/vm_sockets.h>

#include <ne/vsock.h>
#include "libne/cleanup.h"
#include "ne-init/say.h"

/* Milliseconds. */
#define CONNECT_RETRY 50   /* between two attempts */
#define CONNECT_LIMIT 3000 /* for all attempts */
#define ANSWER_LIMIT 20000 /* for the parent's heartbeat */
#define GOODBYE_LIMIT 250  /* for the parent to take the last line */

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Waits for something to read, or for the end. */
static bool wait_readable(int fd, int milliseconds)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int64_t end = now() + milliseconds;
	int r;

	do {
		int64_t left = end - now();

		r = poll(&poll_fd, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	return r > 0;
}

/* A vsock device that is just being probed, a parent that is not ready. */
static bool may_change(int error)
{
	return error == ENODEV || error == ECONNREFUSED ||
	       error == ECONNRESET || error == ENETUNREACH ||
	       error == EHOSTUNREACH || error == EADDRNOTAVAIL ||
	       error == EINTR;
}

/* The connected socket, or a negative errno. */
static int connect_once(void)
{
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = NE_VSOCK_CID_PARENT,
		.svm_port = NE_VSOCK_PORT_HEARTBEAT,
	};
	cleanup_close int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}

static int connect_to_parent(void)
{
	const struct timespec pause = { .tv_nsec = CONNECT_RETRY * 1000000 };
	int64_t end = now() + CONNECT_LIMIT;
	int fd = connect_once();

	while (fd < 0 && may_change(-fd) && now() < end) {
		nanosleep(&pause, NULL);
		fd = connect_once();
	}
	return fd;
}

/* 0, or a negative errno: ETIMEDOUT, EPROTO or the connection's. */
static int exchange_heartbeats(int fd)
{
	unsigned char byte = NE_HEARTBEAT_BYTE;
	ssize_t n;

	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
		return -errno;
	if (!wait_readable(fd, ANSWER_LIMIT))
		return -ETIMEDOUT;
	n = recv(fd, &byte, 1, 0);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ECONNRESET;
	return byte == NE_HEARTBEAT_BYTE ? 0 : -EPROTO;
}

static void send_line(struct parent *parent, enum ne_control_word word,
		      unsigned int number)
{
	const struct ne_control_line line = { .word = word, .number = number };
	char text[NE_CONTROL_LINE_MAX + 1];
	size_t size = ne_control_format(text, &line);

	/* So few bytes fit at once, or the parent is gone. */
	if (send(parent->fd, text, size, MSG_NOSIGNAL) != (ssize_t)size) {
		close(parent->fd);
		parent->fd = -1;
		parent->listens = false;
	}
}

void parent_greet(struct parent *parent)
{
	int r;

	*parent = (struct parent){ .fd = connect_to_parent() };
	if (parent->fd < 0) {
		say("cannot connect to the parent for the heartbeat (vsock "
		    "CID %d port %d): %s; going on without it",
		    NE_VSOCK_CID_PARENT, NE_VSOCK_PORT_HEARTBEAT,
		    strerror(-parent->fd));
		parent->fd = -1;
		return;
	}
	r = exchange_heartbeats(parent->fd);
	if (r < 0) {
		say("the parent does not answer the heartbeat: %s; going on "
		    "without it",
		    strerror(-r));
		close(parent->fd);
		parent->fd = -1;
		return;
	}
	parent->listens = true;
	send_line(parent, NE_CONTROL_INIT, NE_CONTROL_VERSION);
}

void parent_read(struct parent *parent, void (*got_signal)(int number))
{
	struct ne_control_line line;
	char buffer[256];
	const char *bytes = buffer;
	ssize_t n = recv(parent->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	size_t size;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		/* Our own lines may still arrive. */
		parent->listens = false;
		return;
	}
	size = (size_t)n;
	while (ne_control_read(&parent->reader, &bytes, &size, &line))
		if (line.word == NE_CONTROL_SIGNAL)
			got_signal((int)line.number);
}

/*
 * The machine is about to stop, and what is on its way with it: waits for the
 * parent to close its end, but not for long.
 */
static void say_goodbye(const struct parent *parent)
{
	char ignored[256];

	shutdown(parent->fd, SHUT_WR);
	while (wait_readable(parent->fd, GOODBYE_LIMIT))
		if (recv(parent->fd, ignored, sizeof(ignored), 0) <= 0)
			break;
}

void parent_report_exit(struct parent *parent, unsigned int status)
{
	if (parent->fd < 0)
		return;
	send_line(parent, NE_CONTROL_EXIT, status);
	if (parent->fd >= 0 && parent->listens)
		say_goodbye(parent);
}
