/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that answer vsock's syscalls share. */
#ifndef VSOCK_SIM_SYSCALLS_INTERNAL_H
#define VSOCK_SIM_SYSCALLS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "plumbing/trap.h"
#include "vsock-sim/address.h"
#include "vsock-sim/syscalls.h"

struct fabric;
struct loop;
struct loop_source;

/*
 * Marks: no socket has such modes by itself (the kernel gives 0777). bind()
 * makes its file with the same mode, so the owner's bits must be there.
 */
#define MARK_SOCKET 0742
#define MARK_BOUND_ANY 0743 /* bound with VMADDR_CID_ANY */

/* A call whose answer has to wait. */
struct waiting {
	struct vsock_syscalls *vsock;
	struct waiting *next;
	struct trap_call *call;
	int fd; /* duplicate of the caller's socket */
	ino_t socket;
	struct loop_source *source;
	struct loop_source *deadline; /* of an accept */
	struct vsock_address remote;  /* of a connect */
	unsigned int elapsed;	      /* milliseconds, of a connect */
};

/*
 * What was done for a caller that a signal took away before the answer. It
 * makes the same call again, or does not; these are few and rare.
 */
struct undelivered {
	ino_t socket;
	int nr;
	int accepted; /* the connection that accept was to return, or -1 */
};

#define UNDELIVERED_MAX 16

struct vsock_syscalls {
	struct loop *loop;
	const struct fabric *fabric;
	uint32_t local_cid;
	bool trap_open;
	int (*make_socket)(int type, void *data);
	void *make_data;
	unsigned int binds;
	struct stat device; /* the file that stands for /dev/vsock */
	char device_path[VSOCK_FOLDER_MAX + 16];
	struct waiting *waiting;
	struct loop_source *check;
	struct undelivered undelivered[UNDELIVERED_MAX];
	unsigned int next_undelivered;
};

/* --- waiting.c ----------------------------------------------------------- */

void vsock_forget_undelivered(struct undelivered *slot);
/* A slot, emptied, for what was done for a call of this socket. */
struct undelivered *vsock_keep_undelivered(struct vsock_syscalls *vsock,
					   ino_t socket, int nr);
/* NULL: there is none. */
struct undelivered *vsock_find_undelivered(struct vsock_syscalls *vsock,
					   ino_t socket, int nr);
/* Was this call done already, for the same caller, without it knowing? */
bool vsock_was_done(struct vsock_syscalls *vsock, ino_t socket, int nr);

/* Takes the call and fd. NULL when out of memory: then it took neither. */
struct waiting *vsock_start_waiting(struct vsock_syscalls *vsock,
				    struct trap_call *call, int *fd,
				    ino_t socket);
/* Frees it. Returns the call, which is still to be answered. */
struct trap_call *vsock_stop_waiting(struct waiting *waiting);
/* Fails the calls whose callers do not wait any more. */
void vsock_drop_interrupted(struct vsock_syscalls *vsock);
/* Looks in a while whether what waits here is waited for still. */
void vsock_check_later(struct vsock_syscalls *vsock);

/* --- caller.c ------------------------------------------------------------ */

/*
 * The kernel lets the caller go on before it lets us. So our duplicate of the
 * caller's socket is closed before the answer: what the caller closes next
 * has to be closed then, and to leave its epoll sets.
 */
void vsock_let_go(int *fd);
/* Lets go of fd and answers: r is 0 or a negative errno. Always true. */
bool vsock_finish(struct trap_call *call, int *fd, int r);
/* The same for calls that must not be done again if they come again. */
bool vsock_finish_once(struct vsock_syscalls *vsock, struct trap_call *call,
		       int *fd, ino_t socket, int r);

bool vsock_is_marked(const struct stat *st);
/*
 * A duplicate of the caller's socket if it is one of the fabric's, -ENOTSOCK
 * if it is not: then the call is the kernel's. Another errno: it may be one
 * and cannot be had, and then the kernel must not do the call, which knows
 * nothing of vsock addresses.
 */
int vsock_get_socket(struct vsock_syscalls *vsock, const struct trap_call *call,
		     struct stat *st);
/* What is to be done without vsock_get_socket()'s socket: true if done. */
bool vsock_without_socket(struct trap_call *call, int error);

/* Argument 1 and 2, as struct sockaddr_vm in the caller's memory. */
int vsock_read_address(const struct trap_call *call,
		       struct vsock_address *address);
/* As the kernel gives names: cut to the room there is, with the full size. */
int vsock_write_address(const struct trap_call *call, uint64_t where,
			uint64_t where_size, struct vsock_address address);

/* --- connect.c ----------------------------------------------------------- */

/*
 * How long a connect waits, in milliseconds, is kept in an option of the
 * socket that AF_UNIX has no use for, so that every copy of it shares it.
 */
unsigned int vsock_connect_timeout(int fd);
/* 0 is as long as it is by itself. */
int vsock_set_connect_timeout(int fd, unsigned int milliseconds);

/* --- Calls, for the table: as trap_handler's call() ---------------------- */

bool vsock_on_connect(struct vsock_syscalls *vsock, struct trap_call *call);
bool vsock_on_accept(struct vsock_syscalls *vsock, struct trap_call *call);
bool vsock_on_getsockname(struct vsock_syscalls *vsock, struct trap_call *call);
bool vsock_on_getpeername(struct vsock_syscalls *vsock, struct trap_call *call);
bool vsock_on_getsockopt(struct vsock_syscalls *vsock, struct trap_call *call);
bool vsock_on_setsockopt(struct vsock_syscalls *vsock, struct trap_call *call);
bool vsock_on_ioctl(struct vsock_syscalls *vsock, struct trap_call *call);

#endif
