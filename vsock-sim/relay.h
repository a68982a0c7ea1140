/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves bytes between two connected stream sockets, both ways, until both
 * directions have ended. An end of file on one side becomes a shutdown of
 * the other, so that half-closed connections stay what they are.
 */
#ifndef VSOCK_SIM_RELAY_H
#define VSOCK_SIM_RELAY_H

struct loop;
struct relay;

/*
 * Owns both descriptors from now on and makes them non-blocking. Calls
 * ended() once, from the loop, after it has closed both; the relay is gone
 * then. NULL on failure: the descriptors are still the caller's.
 */
struct relay *relay_new(struct loop *loop, int a, int b,
			void (*ended)(void *data), void *data);
/* Ends it early, without calling ended(). */
void relay_free(struct relay *relay);

#endif
