/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to modules, from all faces of a process (trap, sockets).
 *
 * Theory of operation
 *
 * A face makes a struct nsm_job for each request. What the module answers at
 * once is answered before nsm_server_request() returns. An attestation is
 * signed by one of the server's threads, as many as this process has CPUs, in
 * the order of asking, whichever module it is of; its answer comes from the
 * loop. So callers never wait for one another but for a free thread.
 *
 * The server does not bound how many jobs wait; each face sees to it that a
 * caller of its has one at a time, so that nobody gets more than his turn. It
 * costs the memory of a job and of an unsigned attestation.
 *
 * Thread safety: all functions are for the loop's thread.
 */
#ifndef NSM_EMU_SERVER_H
#define NSM_EMU_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plumbing/workers.h"

struct loop;
struct nsm_attestation;
struct nsm_module;
struct nsm_server;

/*
 * A request: part of something of its face's, which fills in the functions.
 * answer: has the response, for the time of the call; size 0: there is none,
 *	for want of memory. The job is the face's again, who may free it.
 *	False: it did not reach its caller, so what it changed is taken back.
 * is_waiting: is its caller still there? Asked by a thread of the server's
 *	before the response is made.
 */
struct nsm_job {
	bool (*answer)(struct nsm_job *job, const uint8_t *response,
		       size_t size);
	bool (*is_waiting)(struct nsm_job *job);
	/* The server's */
	struct work work;
	struct nsm_attestation *attestation;
	uint8_t *response;
	size_t size;
};

/* Makes no thread before there is something to sign. NULL: errno says. */
struct nsm_server *nsm_server_new(struct loop *loop);
/* All jobs must have been answered or cancelled. NULL is fine. */
void nsm_server_free(struct nsm_server *server);
/* The threads, for other work that they may do. */
struct workers *nsm_server_workers(struct nsm_server *server);

/*
 * True: the job has been answered. False: it will be; the module may be freed
 * before that.
 */
bool nsm_server_request(struct nsm_server *server, struct nsm_module *module,
			const void *request, size_t size, struct nsm_job *job);
/*
 * Takes back a job that is to be answered. False: it is just being signed, and
 * will be answered. The other one waits in that case.
 */
bool nsm_server_cancel(struct nsm_server *server, struct nsm_job *job);
void nsm_server_cancel_wait(struct nsm_server *server, struct nsm_job *job);

#endif
