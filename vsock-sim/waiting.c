// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * A call that cannot be answered at once is a struct waiting: the call, and
 * our duplicate of the caller's socket. Something of the loop's (the listener
 * is readable, a timer) ends it, with vsock_stop_waiting() and an answer.
 *
 * Nobody tells us that a waiting caller was interrupted or killed. So a timer
 * looks, as long as any wait, and so do calls that would find the duplicate
 * in their way: it keeps the socket, and its address, from being closed.
 *
 * A caller may also be taken away between what was done for it and the
 * answer. If a signal did it the same call comes again, and must find it
 * done: a second bind would be refused, and a connection would be lost. What
 * was done is kept as a struct undelivered until the call comes again, or
 * the ring of them comes round.
 */
#include "vsock-sim/syscalls_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "libne/cleanup.h"
#include "plumbing/loop.h"
#include "vsock-sim/fabric.h"

/* How often waiting calls are looked at: has the caller been interrupted? */
#define CHECK_MS 200

/* --- Undelivered answers ------------------------------------------------- */

void vsock_forget_undelivered(struct undelivered *slot)
{
	if (slot->nr && slot->accepted >= 0)
		close(slot->accepted);
	*slot = (struct undelivered){ .accepted = -1 };
}

struct undelivered *vsock_keep_undelivered(struct vsock_syscalls *vsock,
					   ino_t socket, int nr)
{
	struct undelivered *slot =
		&vsock->undelivered[vsock->next_undelivered++ % UNDELIVERED_MAX];

	vsock_forget_undelivered(slot);
	slot->socket = socket;
	slot->nr = nr;
	return slot;
}

struct undelivered *vsock_find_undelivered(struct vsock_syscalls *vsock,
					   ino_t socket, int nr)
{
	for (size_t i = 0; i < UNDELIVERED_MAX; i++)
		if (vsock->undelivered[i].nr == nr &&
		    vsock->undelivered[i].socket == socket)
			return &vsock->undelivered[i];
	return NULL;
}

bool vsock_was_done(struct vsock_syscalls *vsock, ino_t socket, int nr)
{
	struct undelivered *slot = vsock_find_undelivered(vsock, socket, nr);

	if (!slot)
		return false;
	vsock_forget_undelivered(slot);
	return true;
}

/* --- Calls that wait ----------------------------------------------------- */

struct trap_call *vsock_stop_waiting(struct waiting *waiting)
{
	struct trap_call *call = waiting->call;
	struct waiting **link = &waiting->vsock->waiting;

	while (*link != waiting)
		link = &(*link)->next;
	*link = waiting->next;
	loop_remove(waiting->source);
	loop_remove(waiting->deadline);
	close(waiting->fd);
	free(waiting);
	return call;
}

void vsock_drop_interrupted(struct vsock_syscalls *vsock)
{
	struct waiting *next;

	for (struct waiting *w = vsock->waiting; w; w = next) {
		next = w->next;
		if (!trap_is_waiting(w->call))
			trap_fail(vsock_stop_waiting(w), EINTR);
	}
}

/* True while connections wait for their listener to accept again. */
static bool drop_orphaned(struct vsock_syscalls *vsock)
{
	struct vsock_address listener;
	bool left = false;

	for (size_t i = 0; i < UNDELIVERED_MAX; i++) {
		struct undelivered *slot = &vsock->undelivered[i];

		if (slot->accepted < 0)
			continue;
		if (fabric_local_address(vsock->fabric, slot->accepted,
					 &listener) &&
		    fabric_is_bound(vsock->fabric, listener))
			left = true;
		else
			vsock_forget_undelivered(slot);
	}
	return left;
}

static void check_waiting(uint32_t events, void *data);

void vsock_check_later(struct vsock_syscalls *vsock)
{
	if (!vsock->check)
		vsock->check =
			loop_timer(vsock->loop, CHECK_MS, check_waiting, vsock);
}

static void check_waiting(uint32_t events, void *data)
{
	struct vsock_syscalls *vsock = data;

	(void)events;
	vsock->check = NULL;
	vsock_drop_interrupted(vsock);
	if (drop_orphaned(vsock) || vsock->waiting)
		vsock_check_later(vsock);
}

/* A thread that makes a call was interrupted in the one it waited in. */
static void drop_former(struct vsock_syscalls *vsock, pid_t tid)
{
	for (struct waiting *w = vsock->waiting; w; w = w->next)
		if (w->call->tid == tid) {
			trap_fail(vsock_stop_waiting(w), EINTR);
			return;
		}
}

struct waiting *vsock_start_waiting(struct vsock_syscalls *vsock,
				    struct trap_call *call, int *fd,
				    ino_t socket)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (!waiting)
		return NULL;
	drop_former(vsock, call->tid);
	waiting->vsock = vsock;
	waiting->call = call;
	waiting->fd = take_fd(fd);
	waiting->socket = socket;
	waiting->next = vsock->waiting;
	vsock->waiting = waiting;
	vsock_check_later(vsock);
	return waiting;
}
