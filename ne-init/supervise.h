/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the application, reaps everybody's children, passes signals on.
 *
 * Theory of operation
 *
 * Signals are blocked from the start and read from a signalfd, together with
 * the parent's lines, by one ppoll: init sleeps unless something happens.
 * The application leads a session and a process group of its own; signals go
 * to the whole group. When the application has ended, the enclave has no
 * purpose: what else still runs is asked to end (SIGTERM), has GRACE
 * milliseconds for it, and is killed.
 */
#ifndef NE_INIT_SUPERVISE_H
#define NE_INIT_SUPERVISE_H

struct parent;

/* Once, early: from here on signals wait for supervise(). */
void supervise_block_signals(void);

/*
 * Runs argv and returns its exit status as a shell would tell it: 0 to 255,
 * 128 and the signal's number, 127 not found, 126 not executable. When this
 * returns there is no process but init.
 */
unsigned int supervise(char *const argv[], char *const envp[],
		       struct parent *parent);

#endif
