/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages with descriptors, over an AF_UNIX SOCK_SEQPACKET socket between
 * two processes of ours.
 */
#ifndef PLUMBING_MESSAGE_H
#define PLUMBING_MESSAGE_H

#include <stddef.h>
#include <sys/types.h>

#define MESSAGE_FDS_MAX 3

/*
 * The receiver gets duplicates; fds stay the sender's. 0, or a negative errno
 * (-EPIPE: nobody is there). Async-signal-safe.
 */
int message_send(int socket, const void *data, size_t size, const int *fds,
		 size_t n_fds);

/*
 * Receives one: its bytes, and in fds[0] to fds[n_fds - 1] its descriptors
 * (close-on-exec, the caller's), or -1 for each if it did not bring exactly
 * that many. flags as for recvmsg(2). Returns the bytes, 0 at the end, or a
 * negative errno.
 */
ssize_t message_receive(int socket, void *data, size_t size, int *fds,
			size_t n_fds, int flags);

#endif
