/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket in the event loop. When descriptors or memory run out
 * it looks away for a moment: connections wait in the kernel's queue, and
 * the loop is not kept busy by what it cannot take.
 */
#ifndef PLUMBING_LISTENER_H
#define PLUMBING_LISTENER_H

struct listener;
struct loop;

/*
 * Owns fd (non-blocking) from now on. connected() gets each connection, a
 * close-on-exec and non-blocking descriptor, and owns it. NULL on failure
 * (errno says): fd is still the caller's.
 */
struct listener *listener_new(struct loop *loop, int fd,
			      void (*connected)(int fd, void *data),
			      void *data);
/* NULL is fine. */
void listener_free(struct listener *listener);

#endif
