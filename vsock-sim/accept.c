// SPDX-License-Identifier: Apache-2.0
#include "vsock-sim/syscalls_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "libne/cleanup.h"
#include "plumbing/loop.h"
#include "vsock-sim/fabric.h"

static void do_nothing(int signal)
{
	(void)signal;
}

/*
 * The listener's O_NONBLOCK is the program's. Should another of its threads
 * take the connection between poll and accept, a timer's signal gets us out.
 */
static int accept_without_waiting(int listener)
{
	const struct itimerval soon = { .it_value.tv_usec = 20000,
					.it_interval.tv_usec = 20000 };
	const struct itimerval never = { 0 };
	struct pollfd pfd = { .fd = listener, .events = POLLIN };
	struct sigaction action = { .sa_handler = do_nothing };
	int fd;

	if (poll(&pfd, 1, 0) <= 0)
		return -EAGAIN;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		fd = errno == EINTR ? -EAGAIN : -errno;
	setitimer(ITIMER_REAL, &never, NULL);
	return fd;
}

static int next_connection(struct vsock_syscalls *vsock, int listener,
			   ino_t socket)
{
	for (size_t i = 0; i < UNDELIVERED_MAX; i++) {
		struct undelivered *slot = &vsock->undelivered[i];
		int fd;

		if (slot->socket != socket || slot->accepted < 0)
			continue;
		fd = take_fd(&slot->accepted);
		vsock_forget_undelivered(slot);
		return fd;
	}
	return accept_without_waiting(listener);
}

/* 0, or a negative errno with which the connection is lost. */
static int tell_peer(const struct vsock_syscalls *vsock,
		     const struct trap_call *call, int fd)
{
	struct vsock_address peer = { VMADDR_CID_ANY, VMADDR_PORT_ANY };
	int r;

	if (!call->args[1])
		return 0;
	fabric_peer_address(vsock->fabric, fd, &peer);
	r = vsock_write_address(call, call->args[1], call->args[2], peer);
	return r == -EFAULT || r == -EINVAL ? r : 0;
}

/*
 * Gives the caller a connection, or the negative errno that it is. In one
 * step: a signal between giving it and telling its number would leave the
 * caller with a connection that it does not know of. The price is that for a
 * moment the connection is also ours.
 */
static void give_connection(struct vsock_syscalls *vsock,
			    struct trap_call *call, ino_t listener,
			    int connection)
{
	int flags = call->nr == SYS_accept4 ? (int)call->args[3] : 0;
	cleanup_close int fd = connection;
	int r = fd < 0 ? fd : tell_peer(vsock, call, fd);

	if (r) {
		vsock_finish(call, &fd, r); /* as in the kernel, it is lost */
		return;
	}
	fchmod(fd, MARK_SOCKET);
	fcntl(fd, F_SETFL, O_RDWR | (flags & SOCK_NONBLOCK));
	if (trap_return_fd(call, fd, flags & SOCK_CLOEXEC) == 0)
		return;
	/* The caller was interrupted, or has no room: it may come again. */
	vsock_keep_undelivered(vsock, listener, SYS_accept4)->accepted =
		take_fd(&fd);
	vsock_check_later(vsock);
}

static void accept_ready(uint32_t events, void *data)
{
	struct waiting *waiting = data;
	struct vsock_syscalls *vsock = waiting->vsock;
	ino_t socket = waiting->socket;
	int fd;

	(void)events;
	if (!trap_is_waiting(waiting->call)) {
		trap_fail(vsock_stop_waiting(waiting), EINTR);
		return;
	}
	fd = next_connection(vsock, waiting->fd, socket);
	if (fd != -EAGAIN)
		give_connection(vsock, vsock_stop_waiting(waiting), socket, fd);
}

static void accept_too_late(uint32_t events, void *data)
{
	struct waiting *waiting = data;

	(void)events;
	waiting->deadline = NULL;
	trap_fail(vsock_stop_waiting(waiting), EAGAIN);
}

/* SO_RCVTIMEO is how long accept(2) waits, too. False: out of memory. */
static bool set_deadline(struct waiting *waiting)
{
	struct timeval limit = { 0 };
	socklen_t size = sizeof(limit);
	unsigned int milliseconds = UINT_MAX;

	getsockopt(waiting->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &size);
	if (!limit.tv_sec && !limit.tv_usec)
		return true;
	if (limit.tv_sec < UINT_MAX / 1000)
		milliseconds = (unsigned int)limit.tv_sec * 1000 +
			       (unsigned int)limit.tv_usec / 1000;
	waiting->deadline = loop_timer(waiting->vsock->loop, milliseconds,
				       accept_too_late, waiting);
	return waiting->deadline;
}

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t size = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) ==
		       0 &&
	       listening;
}

bool vsock_on_accept(struct vsock_syscalls *vsock, struct trap_call *call)
{
	int flags = call->nr == SYS_accept4 ? (int)call->args[3] : 0;
	struct waiting *waiting;
	struct stat st;
	cleanup_close int fd = vsock_get_socket(vsock, call, &st);
	int connection;

	if (fd < 0)
		return vsock_without_socket(call, fd);
	/* Without an address there is nothing to translate. */
	if (!call->args[1] &&
	    !vsock_find_undelivered(vsock, st.st_ino, SYS_accept4))
		return false;
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) || !is_listening(fd))
		return vsock_finish(call, &fd, -EINVAL);
	connection = next_connection(vsock, fd, st.st_ino);
	if (connection != -EAGAIN || fcntl(fd, F_GETFL) & O_NONBLOCK) {
		vsock_let_go(&fd);
		give_connection(vsock, call, st.st_ino, connection);
		return true;
	}

	waiting = vsock_start_waiting(vsock, call, &fd, st.st_ino);
	if (!waiting)
		return trap_fail(call, ENOMEM), true;
	waiting->source = loop_add(vsock->loop, waiting->fd, EPOLLIN,
				   accept_ready, waiting);
	if (!waiting->source || !set_deadline(waiting))
		trap_fail(vsock_stop_waiting(waiting), ENOMEM);
	return true;
}
