// SPDX-License-Identifier: Apache-2.0
#include "vsock-sim/fabric.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "plumbing/claim.h"

/* How many random ports are tried before all are said to be in use. */
#define PORT_ATTEMPTS 256

int fabric_open(struct fabric *fabric, int runtime, const char *runtime_path,
		struct ne_error *err)
{
	struct stat st;
	int n;

	n = snprintf(fabric->folder, sizeof(fabric->folder), "%s/vsock",
		     runtime_path);
	if (n < 0 || (size_t)n > VSOCK_FOLDER_MAX)
		return ne_error_set(
			err, ENAMETOOLONG,
			"the runtime folder's name %s is too long for sockets in it; set NE_RUNTIME_DIR to one of at most %zu bytes",
			runtime_path, VSOCK_FOLDER_MAX - strlen("/vsock"));
	if (mkdir(fabric->folder, 0700) && errno != EEXIST)
		return ne_error_set(
			err, errno,
			"cannot make %s: %s; set NE_RUNTIME_DIR to a folder of yours",
			fabric->folder, ne_strerror(errno));
	if (stat(fabric->folder, &st))
		return ne_error_set(err, errno, "cannot look at %s: %s",
				    fabric->folder, ne_strerror(errno));
	fabric->runtime = runtime;
	fabric->names.folder = fabric->folder;
	fabric->names.id = (uint64_t)makedev(major(st.st_dev), minor(st.st_dev))
				   << 40 ^
			   (uint64_t)st.st_ino;
	return 0;
}

/* Does a socket own this name? See "Theory of operation". */
static bool name_is_owned(const struct sockaddr_un *name, socklen_t length)
{
	cleanup_close int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (probe < 0)
		return true;
	return connect(probe, (const struct sockaddr *)name, length) == 0 ||
	       (errno != ECONNREFUSED && errno != ENOENT);
}

bool fabric_is_bound(const struct fabric *fabric, struct vsock_address address)
{
	struct sockaddr_un name;
	socklen_t length = vsock_bound_name(&fabric->names, address, &name);

	return name_is_owned(&name, length);
}

static int bind_name(int fd, const struct sockaddr_un *name, socklen_t length)
{
	return bind(fd, (const struct sockaddr *)name, length) ? -errno : 0;
}

/*
 * Abstract names of different socket types are different names, so only a
 * socket of the same type can find out, by trying to get it.
 */
static bool is_connecting_name(const struct fabric *fabric,
			       struct vsock_address address)
{
	cleanup_close int probe =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name;
	socklen_t length =
		vsock_connecting_name(&fabric->names, address, &name);

	return probe < 0 || bind_name(probe, &name, length) == -EADDRINUSE;
}

static int lock_folder(const struct fabric *fabric)
{
	return claim_wait(fabric->runtime, "vsock");
}

/*
 * Binds, removing what a dead socket may have left at the name. Under the
 * lock: bind(2) makes the file first and owns the name a moment later, when
 * somebody else might take it for such a leftover.
 */
static int bind_path(int fd, const struct sockaddr_un *name, socklen_t length)
{
	int r = bind_name(fd, name, length);

	if (r != -EADDRINUSE)
		return r;
	if (name_is_owned(name, length))
		return -EADDRINUSE;
	if (unlink(name->sun_path) && errno != ENOENT)
		return -errno;
	return bind_name(fd, name, length);
}

static int bind_port(const struct fabric *fabric, int fd,
		     struct vsock_address address)
{
	cleanup_close int lock = lock_folder(fabric);
	struct sockaddr_un name;
	socklen_t length = vsock_bound_name(&fabric->names, address, &name);
	char folder[sizeof(name.sun_path)];
	int r;

	if (lock < 0)
		return lock;
	if (is_connecting_name(fabric, address))
		return -EADDRINUSE;
	r = bind_path(fd, &name, length);
	if (r != -ENOENT)
		return r;
	/* The first socket of this CID. */
	strcpy(folder, name.sun_path);
	*strrchr(folder, '/') = '\0';
	if (mkdir(folder, 0700) && errno != EEXIST)
		return -errno;
	return bind_path(fd, &name, length);
}

static int random_port(uint32_t *port)
{
	do {
		if (getrandom(port, sizeof(*port), 0) != sizeof(*port))
			return -EIO;
	} while (*port <= VSOCK_LAST_RESERVED_PORT || *port == VMADDR_PORT_ANY);
	return 0;
}

int fabric_bind(const struct fabric *fabric, int fd,
		struct vsock_address *address)
{
	if (address->port != VMADDR_PORT_ANY)
		return bind_port(fabric, fd, *address);
	for (int i = 0; i < PORT_ATTEMPTS; i++) {
		int r = random_port(&address->port);

		if (!r)
			r = bind_port(fabric, fd, *address);
		if (r != -EADDRINUSE)
			return r;
	}
	return -EADDRNOTAVAIL;
}

static int bind_connecting(const struct fabric *fabric, int fd, uint32_t cid)
{
	for (int i = 0; i < PORT_ATTEMPTS; i++) {
		struct vsock_address address = { .cid = cid };
		struct sockaddr_un name;
		socklen_t length;
		int r = random_port(&address.port);

		if (r)
			return r;
		if (fabric_is_bound(fabric, address))
			continue;
		length = vsock_connecting_name(&fabric->names, address, &name);
		r = bind_name(fd, &name, length);
		/* EINVAL: it has a name already. */
		if (r != -EADDRINUSE)
			return r == -EINVAL ? 0 : r;
	}
	return -EADDRNOTAVAIL;
}

static bool may_reach(uint32_t local_cid, uint32_t remote_cid)
{
	if (remote_cid == local_cid)
		return true;
	if (local_cid == VSOCK_CID_PARENT)
		return remote_cid != VSOCK_CID_HOST;
	return remote_cid == VSOCK_CID_PARENT;
}

/*
 * The flag belongs to the program's own socket; it is put back at once, and
 * nobody waits on a socket that is not connected yet.
 */
static int connect_without_waiting(int fd, const struct sockaddr_un *name,
				   socklen_t length)
{
	int flags = fcntl(fd, F_GETFL);
	int r = 0;

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (connect(fd, (const struct sockaddr *)name, length))
		r = -errno;
	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags);
	return r;
}

int fabric_connect(const struct fabric *fabric, int fd, uint32_t local_cid,
		   struct vsock_address remote)
{
	struct vsock_address connected, local;
	struct sockaddr_un name;
	socklen_t length;
	int r;

	if (fabric_peer_address(fabric, fd, &connected))
		return -EISCONN;
	if (remote.cid == VSOCK_CID_LOCAL)
		remote.cid = local_cid;
	if (!may_reach(local_cid, remote.cid))
		return -ECONNRESET;
	r = bind_connecting(fabric, fd, local_cid);
	if (r)
		return r;
	/* A program may have named an AF_UNIX socket as it liked. */
	if (!fabric_local_address(fabric, fd, &local) || local.cid != local_cid)
		return -ECONNRESET;
	length = vsock_bound_name(&fabric->names, remote, &name);
	r = connect_without_waiting(fd, &name, length);
	switch (r) {
	case -ENOENT:
	case -ECONNREFUSED:
	case -EPROTOTYPE: /* a listener of the other socket type */
		return -ECONNRESET;
	default:
		return r;
	}
}

int fabric_listen(const struct fabric *fabric, struct vsock_address address,
		  int backlog)
{
	cleanup_close int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = fabric_bind(fabric, fd, &address);
	if (r)
		return r;
	if (listen(fd, backlog))
		return -errno;
	return take_fd(&fd);
}

static bool address_of(const struct fabric *fabric, int fd,
		       struct vsock_address *address,
		       int (*get_name)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_un name;
	socklen_t length = sizeof(name);

	return get_name(fd, (struct sockaddr *)&name, &length) == 0 &&
	       vsock_parse_name(&fabric->names, &name, length, address);
}

bool fabric_local_address(const struct fabric *fabric, int fd,
			  struct vsock_address *address)
{
	return address_of(fabric, fd, address, getsockname);
}

bool fabric_peer_address(const struct fabric *fabric, int fd,
			 struct vsock_address *address)
{
	return address_of(fabric, fd, address, getpeername);
}

static int open_cid_folder(const struct fabric *fabric, uint32_t cid)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%" PRIu32, fabric->folder, cid);
	return open(path, O_DIRECTORY | O_CLOEXEC);
}

static void sweep(const struct fabric *fabric, uint32_t cid)
{
	cleanup_close int fd = open_cid_folder(fabric, cid);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!folder)
		return;
	take_fd(&fd);
	while ((entry = readdir(folder))) {
		struct sockaddr_un name = { .sun_family = AF_UNIX };
		int n = snprintf(name.sun_path, sizeof(name.sun_path),
				 "%s/%" PRIu32 "/%s", fabric->folder, cid,
				 entry->d_name);

		if (entry->d_name[0] == '.' || n < 0 ||
		    (size_t)n >= sizeof(name.sun_path))
			continue;
		if (!name_is_owned(&name, sizeof(name)))
			unlink(name.sun_path);
	}
	closedir(folder);
}

void fabric_sweep(const struct fabric *fabric, uint32_t cid)
{
	cleanup_close int lock = lock_folder(fabric);

	if (lock >= 0)
		sweep(fabric, cid);
}

void fabric_forget(const struct fabric *fabric, uint32_t cid)
{
	cleanup_close int lock = lock_folder(fabric);
	char path[PATH_MAX + 16];

	if (lock < 0)
		return;
	sweep(fabric, cid);
	snprintf(path, sizeof(path), "%s/%" PRIu32, fabric->folder, cid);
	rmdir(path);
}

static int door_name(const struct fabric *fabric, uint32_t cid,
		     struct sockaddr_un *name)
{
	*name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(name->sun_path, sizeof(name->sun_path),
			"%s/%" PRIu32 ".sock", fabric->folder, cid);
}

int fabric_listen_door(const struct fabric *fabric, uint32_t cid)
{
	cleanup_close int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cleanup_close int lock = -1;
	struct sockaddr_un name;
	int r;

	if (fd < 0)
		return -errno;
	lock = lock_folder(fabric);
	if (lock < 0)
		return lock;
	door_name(fabric, cid, &name);
	r = bind_path(fd, &name, sizeof(name));
	if (r)
		return r;
	if (listen(fd, SOMAXCONN))
		return -errno;
	return take_fd(&fd);
}

void fabric_remove_door(const struct fabric *fabric, uint32_t cid)
{
	struct sockaddr_un name;

	door_name(fabric, cid, &name);
	unlink(name.sun_path);
}
