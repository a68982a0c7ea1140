/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The warden of an enclave: a process of ours that stands between the
 * supervisor and the enclave's PID 1.
 *
 * Theory of operation
 *
 *	supervisor		on the host
 *	   warden		PID 1 of a PID namespace of its own
 *	      enclave's PID 1	PID 1 of a PID namespace inside that one
 *
 * An enclave must not outlive the supervisor, however that dies. The signal
 * that a process can ask for in case its parent dies (PR_SET_PDEATHSIG) does
 * not do for the enclave's PID 1: the kernel forgets it when the process
 * changes its identity, as programs that drop privileges do, and anybody can
 * take it back. The warden runs no code but ours and keeps its identity. It
 * dies with the supervisor, and being PID 1 of its namespace it takes all
 * that is below with it.
 *
 * The warden also is where the enclave's sockets come from. The AF_UNIX
 * sockets that stand for vsock must not be of the host's network namespace:
 * with one of these, and some skill, an enclave could connect to the host's
 * abstract sockets. The warden lives in the enclave's network namespace.
 */
#ifndef NE_EMU_WARDEN_H
#define NE_EMU_WARDEN_H

#include <stdbool.h>
#include <sys/types.h>

struct ne_error;

struct warden {
	pid_t pid; /* 0 when it has ended and was reaped */
	int pidfd; /* readable when it has ended */
	int socket;
	/* How the enclave's PID 1 ended: as in siginfo_t. */
	bool enclave_ended;
	int code;
	int status;
};

/*
 * What the enclave's PID 1 is to do, in the warden's user, network, IPC and
 * UTS namespaces and in fresh mount and PID namespaces. keep: the descriptors
 * that it needs; all others from 3 on are closed. forget() is called in the
 * warden once that has been started.
 */
struct warden_enclave {
	void (*run)(const void *data); /* does not return */
	void (*forget)(const void *data);
	const void *data;
	int keep[2];
};

/*
 * Starts the warden, which waits for warden_go(); its ids have yet to be
 * mapped. On failure there is none, and the sentence says what forbids it.
 */
int warden_start(struct warden *warden, const struct warden_enclave *enclave,
		 struct ne_error *err);
void warden_go(struct warden *warden);

/*
 * An AF_UNIX socket (close-on-exec) of the enclave's network namespace; type
 * as for socket(2). Or a negative errno.
 */
int warden_make_socket(struct warden *warden, int type);

/* Ends it and the enclave; it is still to be reaped. */
void warden_kill(struct warden *warden);
/* True if it has ended; waits for that if so wanted. It is then reaped. */
bool warden_reap(struct warden *warden, bool wait);
/* Reaps it, killing it first if need be, and closes what is open. */
void warden_free(struct warden *warden);

#endif
