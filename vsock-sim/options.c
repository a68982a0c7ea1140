// SPDX-License-Identifier: Apache-2.0
#include "vsock-sim/syscalls_internal.h"

#include <errno.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <linux/vm_sockets.h>

#include "libne/cleanup.h"
#include "vsock-sim/fabric.h"

bool vsock_on_getsockname(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct vsock_address address = { VMADDR_CID_ANY, VMADDR_PORT_ANY };
	struct stat st;
	cleanup_close int fd = vsock_get_socket(vsock, call, &st);

	if (fd < 0)
		return vsock_without_socket(call, fd);
	if (fabric_local_address(vsock->fabric, fd, &address) &&
	    (st.st_mode & 07777) == MARK_BOUND_ANY)
		address.cid = VMADDR_CID_ANY;
	return vsock_finish(call, &fd,
			    vsock_write_address(call, call->args[1],
						call->args[2], address));
}

bool vsock_on_getpeername(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct vsock_address address;
	struct stat st;
	cleanup_close int fd = vsock_get_socket(vsock, call, &st);

	if (fd < 0)
		return vsock_without_socket(call, fd);
	if (!fabric_peer_address(vsock->fabric, fd, &address))
		return vsock_finish(call, &fd, -ENOTCONN);
	return vsock_finish(call, &fd,
			    vsock_write_address(call, call->args[1],
						call->args[2], address));
}

/* Gives an option's value, cut to the room there is. */
static int write_option(const struct trap_call *call, const void *value,
			size_t full)
{
	int32_t size;
	int r = trap_read(call, call->args[4], &size, sizeof(size));

	if (!r && size < 0)
		r = -EINVAL;
	if (!r && (size_t)size > full)
		size = (int32_t)full;
	if (!r)
		r = trap_write(call, call->args[3], value, (size_t)size);
	return r ? r : trap_write(call, call->args[4], &size, sizeof(size));
}

/* Options of vsock(7). Both numbers mean 64 bits on our machines. */
static bool is_connect_timeout(int option)
{
	return option == SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD ||
	       option == SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW;
}

static int get_vsock_option(const struct trap_call *call, int fd)
{
	unsigned int timeout = vsock_connect_timeout(fd);
	struct timeval value = { .tv_sec = timeout / 1000,
				 .tv_usec = timeout % 1000 * 1000 };
	int32_t size;
	int r;

	if (!is_connect_timeout((int)call->args[2]))
		return -ENOPROTOOPT;
	r = trap_read(call, call->args[4], &size, sizeof(size));
	if (r)
		return r;
	if (size < (int32_t)sizeof(value))
		return -EINVAL;
	return write_option(call, &value, sizeof(value));
}

bool vsock_on_getsockopt(struct vsock_syscalls *vsock, struct trap_call *call)
{
	const int32_t domain = AF_VSOCK;
	int level = (int)call->args[1];
	struct stat st;
	cleanup_close int fd = -1;

	if (level != AF_VSOCK &&
	    (level != SOL_SOCKET || (int)call->args[2] != SO_DOMAIN))
		return false;
	fd = vsock_get_socket(vsock, call, &st);
	if (fd < 0)
		return vsock_without_socket(call, fd);
	return vsock_finish(call, &fd,
			    level == AF_VSOCK ? get_vsock_option(call, fd)
					      : write_option(call, &domain,
							     sizeof(domain)));
}

static int set_vsock_option(const struct trap_call *call, int fd)
{
	struct timeval value;
	int r;

	if (!is_connect_timeout((int)call->args[2]))
		return -ENOPROTOOPT;
	if ((uint32_t)call->args[4] < sizeof(value))
		return -EINVAL;
	r = trap_read(call, call->args[3], &value, sizeof(value));
	if (r)
		return r;
	if (value.tv_sec < 0 || value.tv_sec > INT_MAX / 1000 - 1 ||
	    value.tv_usec < 0 || value.tv_usec >= 1000000)
		return -ERANGE;
	return vsock_set_connect_timeout(
		fd, (unsigned int)value.tv_sec * 1000 +
			    (unsigned int)value.tv_usec / 1000);
}

bool vsock_on_setsockopt(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct stat st;
	cleanup_close int fd = -1;

	if ((int)call->args[1] != AF_VSOCK)
		return false;
	fd = vsock_get_socket(vsock, call, &st);
	if (fd < 0)
		return vsock_without_socket(call, fd);
	return vsock_finish(call, &fd, set_vsock_option(call, fd));
}

bool vsock_on_ioctl(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct stat st;
	int r;

	if ((uint32_t)call->args[1] != IOCTL_VM_SOCKETS_GET_LOCAL_CID ||
	    trap_fstat(call, (int)call->args[0], &st))
		return false;
	if (!vsock_is_marked(&st) && (st.st_dev != vsock->device.st_dev ||
				      st.st_ino != vsock->device.st_ino))
		return false;
	r = trap_write(call, call->args[2], &vsock->local_cid,
		       sizeof(vsock->local_cid));
	if (r)
		trap_fail(call, -r);
	else
		trap_return(call, 0);
	return true;
}
