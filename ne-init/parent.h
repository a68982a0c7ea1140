/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the parent: the heartbeat that says "booted", and behind
 * it the control channel (<ne/heartbeat.h>). nitro-cli closes its end after
 * the heartbeat; that is as good.
 */
#ifndef NE_INIT_PARENT_H
#define NE_INIT_PARENT_H

#include <ne/heartbeat.h>

struct parent {
	int fd;	      /* -1: there is none (any more) */
	bool listens; /* lines may still come */
	struct ne_control_reader reader;
};

/*
 * Connects and exchanges heartbeats. When there is nobody to exchange them
 * with, that is said and init goes on without a parent: a parent that waits
 * for the heartbeat will end the enclave by itself, and a person who boots
 * the image in a plain VM wants to see it run.
 */
void parent_greet(struct parent *parent);

/*
 * fd is readable. Calls got_signal() with the number of each signal that the
 * parent wants the application to have.
 */
void parent_read(struct parent *parent, void (*got_signal)(int number));

/* The application's exit status, and good-bye. */
void parent_report_exit(struct parent *parent, unsigned int status);

#endif
