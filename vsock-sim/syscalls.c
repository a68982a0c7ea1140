// SPDX-License-Identifier: Apache-2.0
#include "vsock-sim/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "plumbing/loop.h"
#include "plumbing/opening.h"
#include "vsock-sim/fabric.h"
#include "vsock-sim/syscalls_internal.h"

#define SOCK_TYPE_MASK 0xf /* what socket(2) takes as a type */
#define SOCK_TYPE_MAX 11   /* types there are */

#define CAP_NET_BIND_SERVICE_BIT 10

/* So many files of closed sockets may lie about. */
#define BINDS_PER_SWEEP 1024

/* --- socket --------------------------------------------------------------- */

static bool on_socket(struct vsock_syscalls *vsock, struct trap_call *call)
{
	int type = (int)call->args[1] & SOCK_TYPE_MASK;
	int flags = (int)call->args[1] & ~SOCK_TYPE_MASK;
	int protocol = (int)call->args[2];
	cleanup_close int fd = -1;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return trap_fail(call, EINVAL), true;
	if (type >= SOCK_TYPE_MAX)
		return trap_fail(call, EINVAL), true;
	if (protocol && protocol != AF_VSOCK)
		return trap_fail(call, EPROTONOSUPPORT), true;
	if (type == SOCK_DGRAM) /* no transport of Nitro's has them */
		return trap_fail(call, ENODEV), true;
	if (type != SOCK_STREAM && type != SOCK_SEQPACKET)
		return trap_fail(call, ESOCKTNOSUPPORT), true;

	fd = vsock->make_socket(type | (flags & SOCK_NONBLOCK),
				vsock->make_data);
	if (fd < 0)
		return trap_fail(call, -take_fd(&fd)), true;
	if (fchmod(fd, MARK_SOCKET))
		return trap_fail(call, errno), true;
	trap_return_fd(call, fd, flags & SOCK_CLOEXEC);
	return true;
}

/* --- bind ----------------------------------------------------------------- */

static bool may_bind_reserved(const struct trap_call *call)
{
	cleanup_fclose FILE *file = NULL;
	uint64_t capabilities = 0;
	char line[128];

	snprintf(line, sizeof(line), "/proc/%d/status", call->tid);
	file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &capabilities) == 1)
			break;
	return capabilities >> CAP_NET_BIND_SERVICE_BIT & 1;
}

static int check_bind(const struct vsock_syscalls *vsock,
		      const struct trap_call *call, int fd,
		      struct vsock_address *address, bool *any)
{
	struct vsock_address bound;
	int r = vsock_read_address(call, address);

	if (r)
		return r;
	if (fabric_local_address(vsock->fabric, fd, &bound))
		return -EINVAL;
	*any = address->cid == VMADDR_CID_ANY;
	if (*any || address->cid == VSOCK_CID_LOCAL)
		address->cid = vsock->local_cid;
	if (address->cid != vsock->local_cid)
		return -EADDRNOTAVAIL;
	if (address->port <= VSOCK_LAST_RESERVED_PORT &&
	    !may_bind_reserved(call))
		return -EACCES;
	return 0;
}

static bool on_bind(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct vsock_address address;
	struct stat st;
	cleanup_close int fd = vsock_get_socket(vsock, call, &st);
	bool any;
	int r;

	if (fd < 0)
		return vsock_without_socket(call, fd);
	if (vsock_was_done(vsock, st.st_ino, call->nr))
		return vsock_finish_once(vsock, call, &fd, st.st_ino, 0);
	vsock_drop_interrupted(vsock);
	r = check_bind(vsock, call, fd, &address, &any);
	if (!r)
		r = fabric_bind(vsock->fabric, fd, &address);
	/* Each leaves a file that nobody removes when its socket is closed. */
	if (!r && ++vsock->binds % BINDS_PER_SWEEP == 0)
		fabric_sweep(vsock->fabric, vsock->local_cid);
	if (!r && any)
		fchmod(fd, MARK_BOUND_ANY);
	return vsock_finish_once(vsock, call, &fd, st.st_ino, r);
}

/* --- open ----------------------------------------------------------------- */

static bool on_open(struct vsock_syscalls *vsock, struct trap_call *call)
{
	static const char *const name = "/dev/vsock";
	cleanup_close int fd = -1;
	uint64_t flags;

	if (!vsock->trap_open || opening_find(call, &name, 1, &flags) < 0)
		return false;
	fd = open(vsock->device_path,
		  ((int)flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC);
	if (fd < 0)
		return trap_fail(call, errno), true;
	trap_return_fd(call, fd, flags & O_CLOEXEC);
	return true;
}

/* --- Wiring --------------------------------------------------------------- */

static const struct trap_rule rules[] = {
	{ .nr = SYS_socket, .arg = 0, .mask = UINT32_MAX, .value = AF_VSOCK },
	{ .nr = SYS_bind },
	{ .nr = SYS_connect },
	{ .nr = SYS_accept },
	{ .nr = SYS_accept4 },
	{ .nr = SYS_getsockname },
	{ .nr = SYS_getpeername },
	{ .nr = SYS_getsockopt,
	  .arg = 2,
	  .mask = UINT32_MAX,
	  .value = SO_DOMAIN },
	{ .nr = SYS_getsockopt,
	  .arg = 1,
	  .mask = UINT32_MAX,
	  .value = AF_VSOCK },
	{ .nr = SYS_setsockopt,
	  .arg = 1,
	  .mask = UINT32_MAX,
	  .value = AF_VSOCK },
	{ .nr = SYS_ioctl,
	  .arg = 1,
	  .mask = UINT32_MAX,
	  .value = IOCTL_VM_SOCKETS_GET_LOCAL_CID },
	{ .nr = SYS_io_uring_setup, .error = EPERM },
	/* Opens last: without trap_open the table ends before them. */
	OPENING_RULES,
};

static bool on_call(struct trap_call *call, void *data)
{
	struct vsock_syscalls *vsock = data;

	switch (call->nr) {
	case SYS_socket:
		return (int)call->args[0] == AF_VSOCK && on_socket(vsock, call);
	case SYS_bind:
		return on_bind(vsock, call);
	case SYS_connect:
		return vsock_on_connect(vsock, call);
	case SYS_accept:
	case SYS_accept4:
		return vsock_on_accept(vsock, call);
	case SYS_getsockname:
		return vsock_on_getsockname(vsock, call);
	case SYS_getpeername:
		return vsock_on_getpeername(vsock, call);
	case SYS_getsockopt:
		return vsock_on_getsockopt(vsock, call);
	case SYS_setsockopt:
		return vsock_on_setsockopt(vsock, call);
	case SYS_ioctl:
		return vsock_on_ioctl(vsock, call);
	default:
		return on_open(vsock, call);
	}
}

static int make_device(struct vsock_syscalls *vsock)
{
	cleanup_close int fd = -1;

	snprintf(vsock->device_path, sizeof(vsock->device_path), "%s/device",
		 vsock->fabric->folder);
	fd = open(vsock->device_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? fd : fstat(fd, &vsock->device);
}

static int make_own_socket(int type, void *data)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)data;
	return fd < 0 ? -errno : fd;
}

void vsock_syscalls_set_maker(struct vsock_syscalls *vsock,
			      int (*make)(int type, void *data), void *data)
{
	vsock->make_socket = make;
	vsock->make_data = data;
}

void vsock_syscalls_set_device(struct vsock_syscalls *vsock,
			       const struct stat *device)
{
	vsock->device = *device;
}

int vsock_syscalls_new(struct vsock_syscalls **vsock, struct loop *loop,
		       const struct fabric *fabric, uint32_t local_cid,
		       bool trap_open, struct ne_error *err)
{
	struct vsock_syscalls *new = calloc(1, sizeof(*new));

	if (!new)
		return ne_error_set(err, ENOMEM, "out of memory");
	new->loop = loop;
	new->fabric = fabric;
	new->local_cid = local_cid;
	new->trap_open = trap_open;
	new->make_socket = make_own_socket;
	for (size_t i = 0; i < UNDELIVERED_MAX; i++)
		vsock_forget_undelivered(&new->undelivered[i]);
	if (trap_open && make_device(new)) {
		int r = ne_error_set(err, errno, "cannot make %s: %s",
				     new->device_path, ne_strerror(errno));

		free(new);
		return r;
	}
	*vsock = new;
	return 0;
}

void vsock_syscalls_free(struct vsock_syscalls *vsock)
{
	if (!vsock)
		return;
	while (vsock->waiting)
		trap_fail(vsock_stop_waiting(vsock->waiting), EINTR);
	loop_remove(vsock->check);
	for (size_t i = 0; i < UNDELIVERED_MAX; i++)
		vsock_forget_undelivered(&vsock->undelivered[i]);
	free(vsock);
}

struct trap_handler vsock_syscalls_handler(struct vsock_syscalls *vsock)
{
	return (struct trap_handler){
		.rules = rules,
		.n_rules = ARRAY_SIZE(rules) -
			   (vsock->trap_open ? 0 : OPENING_N_RULES),
		.call = on_call,
		.data = vsock,
	};
}
