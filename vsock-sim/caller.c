// SPDX-License-Identifier: Apache-2.0
#include "vsock-sim/syscalls_internal.h"

#include <errno.h>
#include <unistd.h>

#include "libne/cleanup.h"
#include "vsock-sim/fabric.h"

/* --- Answers ------------------------------------------------------------- */

void vsock_let_go(int *fd)
{
	if (*fd >= 0)
		close(take_fd(fd));
}

bool vsock_finish(struct trap_call *call, int *fd, int r)
{
	vsock_let_go(fd);
	if (r)
		trap_fail(call, -r);
	else
		trap_return(call, 0);
	return true;
}

bool vsock_finish_once(struct vsock_syscalls *vsock, struct trap_call *call,
		       int *fd, ino_t socket, int r)
{
	int nr = call->nr;

	vsock_let_go(fd);
	if (r)
		trap_fail(call, -r);
	else if (trap_return(call, 0) == -ENOENT)
		vsock_keep_undelivered(vsock, socket, nr);
	return true;
}

/* --- Whose socket is it? ------------------------------------------------- */

bool vsock_is_marked(const struct stat *st)
{
	mode_t mode = st->st_mode & 07777;

	return S_ISSOCK(st->st_mode) &&
	       (mode == MARK_SOCKET || mode == MARK_BOUND_ANY);
}

int vsock_get_socket(struct vsock_syscalls *vsock, const struct trap_call *call,
		     struct stat *st)
{
	cleanup_close int fd = -1;
	struct vsock_address address;

	if (trap_fstat(call, (int)call->args[0], st) || !S_ISSOCK(st->st_mode))
		return -ENOTSOCK;
	fd = trap_get_fd(call, (int)call->args[0]);
	if (fd == -EPERM && !vsock_is_marked(st)) /* a process that hides */
		return -ENOTSOCK;
	if (fd < 0 || vsock_is_marked(st) ||
	    fabric_local_address(vsock->fabric, fd, &address))
		return take_fd(&fd);
	return -ENOTSOCK;
}

bool vsock_without_socket(struct trap_call *call, int error)
{
	if (error == -ENOTSOCK)
		return false;
	trap_fail(call, -error);
	return true;
}

/* --- Addresses in its memory --------------------------------------------- */

int vsock_read_address(const struct trap_call *call,
		       struct vsock_address *address)
{
	uint8_t bytes[VSOCK_SOCKADDR_SIZE];
	uint32_t size = (uint32_t)call->args[2];
	int r;

	if (size < sizeof(bytes) || size > sizeof(struct sockaddr_storage))
		return -EINVAL;
	r = trap_read(call, call->args[1], bytes, sizeof(bytes));
	if (r)
		return r;
	return vsock_get_sockaddr(bytes, sizeof(bytes), address) ? 0 : -EINVAL;
}

int vsock_write_address(const struct trap_call *call, uint64_t where,
			uint64_t where_size, struct vsock_address address)
{
	uint8_t bytes[VSOCK_SOCKADDR_SIZE];
	uint32_t full = sizeof(bytes);
	int32_t room;
	int r = trap_read(call, where_size, &room, sizeof(room));

	if (r)
		return r;
	if (room < 0)
		return -EINVAL;
	vsock_put_sockaddr(address, bytes);
	r = trap_write(call, where, bytes,
		       (uint32_t)room < full ? (uint32_t)room : full);
	return r ? r : trap_write(call, where_size, &full, sizeof(full));
}
