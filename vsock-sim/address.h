/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vsock addresses and the names that AF_UNIX sockets have for them. Pure.
 *
 * Theory of operation
 *
 * A socket of the fabric is an AF_UNIX socket, and its name is its vsock
 * address. So the kernel keeps the books: whoever holds a connected socket,
 * in whatever process, can ask it for its own and its peer's name and read
 * the addresses from them. There are two kinds of names:
 *
 *	<fabric>/<cid>/<port>		bound by bind(2): others can connect
 *	@ne-vsock/<id>/<cid>/<port>	(abstract) the local address that a
 *					connecting socket got by itself
 *
 * where <fabric> is the fabric's folder and <id> a number made from its
 * device and inode, so that fabrics do not mix.
 */
#ifndef VSOCK_SIM_ADDRESS_H
#define VSOCK_SIM_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The numbers of <linux/vm_sockets.h>, and those that Nitro adds. */
enum {
	VSOCK_CID_HYPERVISOR = 0,
	VSOCK_CID_LOCAL = 1,
	VSOCK_CID_HOST = 2,
	VSOCK_CID_PARENT = 3, /* of every enclave */
};

/* Ports up to here need CAP_NET_BIND_SERVICE. */
#define VSOCK_LAST_RESERVED_PORT 1023

struct vsock_address {
	uint32_t cid;
	uint32_t port;
};

struct vsock_names {
	const char *folder; /* absolute, without a slash at its end */
	uint64_t id;
};

/*
 * The longest folder that leaves room for "/<cid>/<port>" in a sun_path of
 * 108 bytes (unix(7)).
 */
#define VSOCK_FOLDER_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 23)

/* Names into *name; return their length for bind(2) and connect(2). */
socklen_t vsock_bound_name(const struct vsock_names *names,
			   struct vsock_address address,
			   struct sockaddr_un *name);
socklen_t vsock_connecting_name(const struct vsock_names *names,
				struct vsock_address address,
				struct sockaddr_un *name);

/*
 * Reads an address from a name as getsockname(2) and getpeername(2) give it,
 * length bytes long. False if it is not one of this fabric's.
 */
bool vsock_parse_name(const struct vsock_names *names,
		      const struct sockaddr_un *name, socklen_t length,
		      struct vsock_address *address);

/* sizeof(struct sockaddr_vm), of which <linux/vm_sockets.h> says that it is
 * that of struct sockaddr. */
#define VSOCK_SOCKADDR_SIZE 16

/* struct sockaddr_vm as bytes, in host byte order. */
void vsock_put_sockaddr(struct vsock_address address,
			uint8_t bytes[VSOCK_SOCKADDR_SIZE]);
/* False if size is too small, the family another or a flag unknown. */
bool vsock_get_sockaddr(const uint8_t *bytes, size_t size,
			struct vsock_address *address);

#endif
