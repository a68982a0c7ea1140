// SPDX-License-Identifier: Apache-2.0
#include "vsock-sim/syscalls_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>

#include "libne/cleanup.h"
#include "plumbing/loop.h"
#include "vsock-sim/fabric.h"

/* So long a connect(2) waits for a full queue, if the program did not say. */
#define CONNECT_TIMEOUT_MS 2000
#define CONNECT_RETRY_MS 5

unsigned int vsock_connect_timeout(int fd)
{
	uint64_t rate = UINT64_MAX;
	socklen_t size = sizeof(rate);

	if (getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &size) ||
	    size != sizeof(rate) || rate > INT_MAX || !rate)
		return CONNECT_TIMEOUT_MS;
	return (unsigned int)rate;
}

int vsock_set_connect_timeout(int fd, unsigned int milliseconds)
{
	uint64_t rate = milliseconds ?: CONNECT_TIMEOUT_MS;

	return setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate,
			  sizeof(rate))
		       ? -errno
		       : 0;
}

static void retry_connect(uint32_t events, void *data)
{
	struct waiting *waiting = data;
	struct vsock_syscalls *vsock = waiting->vsock;
	ino_t socket = waiting->socket;
	int none = -1, r;

	(void)events;
	waiting->source = NULL;
	waiting->elapsed += CONNECT_RETRY_MS;
	r = fabric_connect(vsock->fabric, waiting->fd, vsock->local_cid,
			   waiting->remote);
	if (r == -EAGAIN &&
	    waiting->elapsed < vsock_connect_timeout(waiting->fd) &&
	    trap_is_waiting(waiting->call)) {
		waiting->source = loop_timer(vsock->loop, CONNECT_RETRY_MS,
					     retry_connect, waiting);
		if (waiting->source)
			return;
	}
	vsock_finish_once(vsock, vsock_stop_waiting(waiting), &none, socket,
			  r == -EAGAIN ? -ETIMEDOUT : r);
}

/* -EAGAIN if it has to be tried again. */
static int start_connect(struct vsock_syscalls *vsock,
			 const struct trap_call *call, int fd,
			 struct vsock_address *remote)
{
	struct vsock_address address;
	int r = vsock_read_address(call, remote);

	if (r == -EINVAL && fabric_peer_address(vsock->fabric, fd, &address))
		return -EISCONN;
	if (r)
		return r;
	/* What connect(2) binds by itself it binds to VMADDR_CID_ANY. */
	if (!fabric_local_address(vsock->fabric, fd, &address))
		fchmod(fd, MARK_BOUND_ANY);
	r = fabric_connect(vsock->fabric, fd, vsock->local_cid, *remote);
	/*
	 * A non-blocking caller must not wait, and an AF_UNIX socket cannot
	 * connect in the background. A full vsock listener answers so.
	 */
	if (r == -EAGAIN && fcntl(fd, F_GETFL) & O_NONBLOCK)
		return -ECONNRESET;
	return r;
}

bool vsock_on_connect(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct vsock_address remote;
	struct waiting *waiting;
	struct stat st;
	cleanup_close int fd = vsock_get_socket(vsock, call, &st);
	int r;

	if (fd < 0)
		return vsock_without_socket(call, fd);
	if (vsock_was_done(vsock, st.st_ino, call->nr))
		return vsock_finish_once(vsock, call, &fd, st.st_ino, 0);
	vsock_drop_interrupted(vsock);
	r = start_connect(vsock, call, fd, &remote);
	if (r != -EAGAIN)
		return vsock_finish_once(vsock, call, &fd, st.st_ino, r);

	/* The queue is full. */
	waiting = vsock_start_waiting(vsock, call, &fd, st.st_ino);
	if (!waiting)
		return trap_fail(call, ENOMEM), true;
	waiting->remote = remote;
	waiting->source = loop_timer(vsock->loop, CONNECT_RETRY_MS,
				     retry_connect, waiting);
	if (!waiting->source)
		trap_fail(vsock_stop_waiting(waiting), ENOMEM);
	return true;
}
