// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libne/cleanup.h"
#include "nsm-emu/module.h"
#include "plumbing/loop.h"

struct nsm_server {
	struct workers *workers;
	uint8_t response[NSM_RESPONSE_MAX]; /* of what is answered at once */
};

struct nsm_server *nsm_server_new(struct loop *loop)
{
	struct nsm_server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->workers = workers_new(loop, false);
	if (!server->workers) {
		free(server);
		return NULL;
	}
	return server;
}

void nsm_server_free(struct nsm_server *server)
{
	if (!server)
		return;
	workers_free(server->workers);
	free(server);
}

struct workers *nsm_server_workers(struct nsm_server *server)
{
	return server->workers;
}

static struct nsm_job *job_of(struct work *work)
{
	return (struct nsm_job *)((char *)work -
				  offsetof(struct nsm_job, work));
}

/* In a thread of the pool's. */
static void sign(struct work *work)
{
	struct nsm_job *job = job_of(work);
	uint8_t response[NSM_RESPONSE_MAX];
	size_t size;

	if (!job->is_waiting(job))
		return;
	size = nsm_attestation_sign(job->attestation, response);
	/* Many may have to wait for the loop: no larger than need be. */
	job->response = malloc(size);
	if (!job->response)
		return;
	memcpy(job->response, response, size);
	job->size = size;
}

static void forget(struct nsm_job *job)
{
	nsm_attestation_free(job->attestation);
	job->attestation = NULL;
	free(job->response);
	job->response = NULL;
}

/* In the loop. */
static void signing_done(struct work *work)
{
	struct nsm_job *job = job_of(work);
	cleanup_free uint8_t *response = take_ptr(&job->response);

	forget(job);
	job->answer(job, response, job->size);
}

bool nsm_server_request(struct nsm_server *server, struct nsm_module *module,
			const void *request, size_t size, struct nsm_job *job)
{
	job->work = (struct work){ .run = sign, .done = signing_done };
	job->attestation = NULL;
	job->response = NULL;
	job->size = 0;
	size = nsm_module_request(module, request, size, server->response,
				  &job->attestation);
	if (size == 0 && workers_add(server->workers, &job->work) == 0)
		return false;
	/* Without any thread there is no response. */
	forget(job);
	if (!job->answer(job, server->response, size))
		nsm_module_undo(module);
	return true;
}

bool nsm_server_cancel(struct nsm_server *server, struct nsm_job *job)
{
	if (!workers_cancel(server->workers, &job->work))
		return false;
	forget(job);
	return true;
}

void nsm_server_cancel_wait(struct nsm_server *server, struct nsm_job *job)
{
	workers_cancel_wait(server->workers, &job->work);
	forget(job);
}
