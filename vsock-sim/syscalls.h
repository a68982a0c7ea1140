/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_VSOCK for traced programs: the syscalls that the fabric answers.
 *
 * Theory of operation
 *
 * socket(AF_VSOCK, ...) gives the program an AF_UNIX socket instead. It is
 * marked in the one place of a socket that nobody uses and that every copy
 * of it shares, whoever gets it by fork, exec or SCM_RIGHTS: the permission
 * bits of its inode. From then on the kernel moves the data and answers
 * poll, read, write, shutdown, dup and close by itself. Only calls that carry
 * a struct sockaddr_vm come here, and we make them on a duplicate of the
 * program's own descriptor, with the AF_UNIX name that stands for the
 * address (address.h).
 *
 * A blocking connect to a full queue waits, as long as the program says with
 * SO_VM_SOCKETS_CONNECT_TIMEOUT; a non-blocking one is refused with
 * ECONNRESET, as the kernel's vsock refuses both.
 *
 * A socket that the kernel accepted by itself (accept without an address) is
 * not marked, but it has a name of this fabric and is known by that.
 *
 * While a program is under this trap it never gets a real AF_VSOCK socket:
 * the machine may itself be a virtual machine, and CID 2 or 3 would be
 * somebody. io_uring, which could open sockets without the trap, is refused
 * with EPERM as container runtimes do.
 */
#ifndef VSOCK_SIM_SYSCALLS_H
#define VSOCK_SIM_SYSCALLS_H

#include <stdint.h>

#include "plumbing/trap.h"

struct fabric;
struct loop;
struct ne_error;
struct vsock_syscalls;

/*
 * For programs whose CID is local_cid. The fabric and the loop must outlive
 * it. With trap_open the handler answers opens of /dev/vsock with a regular
 * file of the fabric's that stands for it. Without, such a file has a name
 * of its own where the programs see it: say which by
 * vsock_syscalls_set_device().
 */
int vsock_syscalls_new(struct vsock_syscalls **vsock, struct loop *loop,
		       const struct fabric *fabric, uint32_t local_cid,
		       bool trap_open, struct ne_error *err);
void vsock_syscalls_set_device(struct vsock_syscalls *vsock,
			       const struct stat *device);
/*
 * Where AF_UNIX sockets come from that programs get instead of vsock ones: a
 * socket of that type (close-on-exec), or a negative errno. By default they
 * are of our own network namespace, and so are the abstract names in reach
 * of who gets hold of one.
 */
void vsock_syscalls_set_maker(struct vsock_syscalls *vsock,
			      int (*make)(int type, void *data), void *data);
void vsock_syscalls_free(struct vsock_syscalls *vsock);

/* Valid as long as vsock. */
struct trap_handler vsock_syscalls_handler(struct vsock_syscalls *vsock);

#endif
