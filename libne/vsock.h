/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream sockets of AF_VSOCK, with waits that can be ended. Descriptors are
 * close-on-exec and the caller's. Negative errnos; the caller knows what to
 * say of them.
 */
#ifndef LIBNE_VSOCK_H
#define LIBNE_VSOCK_H

#include <stdint.h>

struct ne_wait;

/* A non-blocking listener on this host. */
int vsock_listen(uint32_t port);

/*
 * The next connection, non-blocking, and the CID it is from. -EAGAIN when
 * there is none.
 */
int vsock_accept(int listener, uint32_t *cid);

/*
 * A non-blocking connection. Ends early with -ESHUTDOWN when the enclave with
 * the given descriptor (-1: none) ends.
 */
int vsock_connect(uint32_t cid, uint32_t port, int enclave,
		  const struct ne_wait *wait);

/* From here on read(2) and write(2) wait. */
int vsock_make_blocking(int fd);

#endif
