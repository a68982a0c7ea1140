/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vsock fabric: who listens where, and who may connect to whom.
 *
 * Theory of operation
 *
 * The fabric is a folder, <runtime>/vsock. The listener of (cid, port) is an
 * AF_UNIX socket bound to <folder>/<cid>/<port>; connecting to that address
 * is connecting to that socket, and from then on the kernel moves the data.
 * No process of ours is between the two ends.
 *
 * A file in the folder outlives its socket, so a file says nothing. Whether
 * a socket is bound to it is asked of the kernel: connecting a datagram
 * socket to a name gives EPROTOTYPE as long as a stream socket owns that
 * name, and ECONNREFUSED when nobody does. So an address is free the moment
 * its last descriptor is closed, whoever held it and however he died.
 * Binding, and removing such leftovers, happens under one lock.
 *
 * Rules of Nitro: an enclave reaches its parent (CID 3) and itself, the
 * parent reaches itself, every enclave and the hypervisor (CID 0, where the
 * consoles are). Enclaves do not reach each other.
 */
#ifndef VSOCK_SIM_FABRIC_H
#define VSOCK_SIM_FABRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "vsock-sim/address.h"

struct ne_error;

struct fabric {
	int runtime; /* borrowed */
	char folder[VSOCK_FOLDER_MAX + 1];
	struct vsock_names names;
};

/* runtime and its path as runtime_open() gives them. */
int fabric_open(struct fabric *fabric, int runtime, const char *runtime_path,
		struct ne_error *err);

/* Is a socket bound to this address, listening or not? */
bool fabric_is_bound(const struct fabric *fabric, struct vsock_address address);

/*
 * Binds an AF_UNIX socket to an address. With port VMADDR_PORT_ANY it picks
 * a free one above the reserved ones and stores it. -EADDRINUSE.
 */
int fabric_bind(const struct fabric *fabric, int fd,
		struct vsock_address *address);

/*
 * Connects an AF_UNIX socket, giving it a local address of local_cid first
 * if it has none, without waiting:
 * -ECONNRESET if nobody listens there, local_cid may not reach it (what the
 * reset packet of virtio-vsock gives) or the socket has an address that is
 * not of local_cid, -EAGAIN if the listener's queue is
 * full, -EISCONN, -EINVAL (it is listening itself).
 */
int fabric_connect(const struct fabric *fabric, int fd, uint32_t local_cid,
		   struct vsock_address remote);

/* A listening socket (close-on-exec, non-blocking) of our own. */
int fabric_listen(const struct fabric *fabric, struct vsock_address address,
		  int backlog);

/* Addresses of a socket. False: it has none, or is not of this fabric. */
bool fabric_local_address(const struct fabric *fabric, int fd,
			  struct vsock_address *address);
bool fabric_peer_address(const struct fabric *fabric, int fd,
			 struct vsock_address *address);

/* Removes what dead sockets of a CID have left in the folder. */
void fabric_sweep(const struct fabric *fabric, uint32_t cid);

/* The same for a CID that is no more, its folder included. */
void fabric_forget(const struct fabric *fabric, uint32_t cid);

/*
 * The plain way in: binds and listens at <folder>/<cid>.sock for programs
 * that know no vsock (see door.h). -EADDRINUSE if somebody does already.
 */
int fabric_listen_door(const struct fabric *fabric, uint32_t cid);
void fabric_remove_door(const struct fabric *fabric, uint32_t cid);

#endif
