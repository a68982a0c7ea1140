// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/nsm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <ne/eif.h>
#include <ne/error.h>

#include "ne-emu/image.h"
#include "nsm-emu/factory.h"
#include "nsm-emu/module.h"
#include "nsm-emu/server.h"
#include "plumbing/log.h"
#include "plumbing/workers.h"

struct nsm_host {
	struct nsm_factory *factory;
	struct nsm_server *server;
	struct workers *measurers;
	enum { CLOSED, OPENING, SETTLED } authority;
	struct work opening;
	int opening_result;
	struct ne_error opening_err;
	LIST_HEAD(enclave_nsms, enclave_nsm) wanting; /* the authority */
};

/* May outlive the enclave. */
struct measuring {
	struct work work;
	struct enclave_nsm *nsm; /* NULL: it has ended */
	struct image *image;
	struct ne_eif_measurements measurements;
	int result;
	struct ne_error err;
};

struct enclave_nsm {
	struct nsm_host *host;
	uint64_t slot;
	bool debug;
	const struct enclave_nsm_events *events;
	void *data;
	struct measuring *measuring; /* NULL: measured */
	struct ne_eif_measurements measurements;
	bool wanted;
	bool listed; /* with those that want the authority */
	LIST_ENTRY(enclave_nsm) link;
	struct nsm_module *module;
};

/* --- Making the module --------------------------------------------------- */

static int make_module(struct enclave_nsm *nsm, struct ne_error *err)
{
	struct ne_pcr pcrs[NE_PCR_COUNT];
	int r = nsm_factory_registers(nsm->host->factory, &nsm->measurements,
				      nsm->debug, pcrs, err);

	return r
		       ?: nsm_factory_make(nsm->host->factory, nsm->slot, pcrs,
					   &nsm->module, err);
}

static void finish(struct enclave_nsm *nsm)
{
	struct ne_error err = { 0 };

	if (make_module(nsm, &err))
		nsm->events->failed(err.text, nsm->data);
	else
		nsm->events->ready(nsm->module, nsm->data);
}

/* --- The authority ------------------------------------------------------- */

static void open_authority(struct work *work)
{
	struct nsm_host *host =
		(struct nsm_host *)((char *)work -
				    offsetof(struct nsm_host, opening));

	host->opening_result =
		nsm_factory_open(host->factory, &host->opening_err);
}

static void authority_opened(struct work *work)
{
	struct nsm_host *host =
		(struct nsm_host *)((char *)work -
				    offsetof(struct nsm_host, opening));
	struct enclave_nsm *nsm;

	host->authority = SETTLED;
	if (host->opening_result)
		log_warn("enclaves get no attestation documents: %s",
			 host->opening_err.text);
	while ((nsm = LIST_FIRST(&host->wanting))) {
		LIST_REMOVE(nsm, link);
		nsm->listed = false;
		finish(nsm);
	}
}

static void start_opening(struct nsm_host *host)
{
	int r;

	host->authority = OPENING;
	host->opening = (struct work){ .run = open_authority,
				       .done = authority_opened };
	r = workers_add(nsm_server_workers(host->server), &host->opening);
	if (!r)
		return;
	host->opening_result = ne_error_set(&host->opening_err, -r,
					    "cannot start a thread: %s",
					    ne_strerror(r));
	authority_opened(&host->opening);
}

/* When all is there that the module needs. */
static void go_on(struct enclave_nsm *nsm)
{
	struct nsm_host *host = nsm->host;

	if (nsm->measuring || !nsm->wanted)
		return;
	if (host->authority == SETTLED) {
		finish(nsm);
		return;
	}
	LIST_INSERT_HEAD(&host->wanting, nsm, link);
	nsm->listed = true;
	if (host->authority == CLOSED)
		start_opening(host);
}

void enclave_nsm_want(struct enclave_nsm *nsm)
{
	/* Its slot may have failed to get it. */
	if (!nsm)
		return;
	nsm->wanted = true;
	go_on(nsm);
}

/* --- Measuring ----------------------------------------------------------- */

static struct measuring *measuring_of(struct work *work)
{
	return (struct measuring *)((char *)work -
				    offsetof(struct measuring, work));
}

/* In a thread. */
static void measure(struct work *work)
{
	struct measuring *measuring = measuring_of(work);

	measuring->result = ne_eif_measure(measuring->image->eif,
					   &measuring->measurements,
					   &measuring->err);
	image_unref(measuring->image);
	measuring->image = NULL;
}

static void free_measuring(struct measuring *measuring)
{
	image_unref(measuring->image);
	free(measuring);
}

static void measured(struct work *work)
{
	struct measuring *measuring = measuring_of(work);
	struct enclave_nsm *nsm = measuring->nsm;

	if (nsm) {
		nsm->measuring = NULL;
		nsm->measurements = measuring->measurements;
		if (measuring->result) {
			ne_error_prefix(&measuring->err,
					"its image cannot be measured");
			nsm->events->failed(measuring->err.text, nsm->data);
		} else
			go_on(nsm);
	}
	free_measuring(measuring);
}

static int start_measuring(struct enclave_nsm *nsm, struct image *image)
{
	struct measuring *measuring = calloc(1, sizeof(*measuring));
	int r;

	if (!measuring)
		return -ENOMEM;
	measuring->work = (struct work){ .run = measure, .done = measured };
	measuring->nsm = nsm;
	measuring->image = image_ref(image);
	r = workers_add(nsm->host->measurers, &measuring->work);
	if (r)
		free_measuring(measuring);
	else
		nsm->measuring = measuring;
	return r;
}

/* --- An enclave's -------------------------------------------------------- */

int enclave_nsm_new(struct enclave_nsm **nsm, struct nsm_host *host,
		    uint64_t slot, bool debug, struct image *image,
		    const struct enclave_nsm_events *events, void *data,
		    struct ne_error *err)
{
	struct enclave_nsm *new = calloc(1, sizeof(*new));
	int r = -ENOMEM;

	if (new) {
		*new = (struct enclave_nsm){ .host = host,
					     .slot = slot,
					     .debug = debug,
					     .events = events,
					     .data = data };
		r = start_measuring(new, image);
	}
	if (r) {
		free(new);
		return ne_error_set(err, -r, "its image cannot be measured: %s",
				    ne_strerror(r));
	}
	*nsm = new;
	return 0;
}

void enclave_nsm_free(struct enclave_nsm *nsm)
{
	if (!nsm)
		return;
	if (nsm->listed)
		LIST_REMOVE(nsm, link);
	if (nsm->measuring) {
		nsm->measuring->nsm = NULL;
		if (workers_cancel(nsm->host->measurers, &nsm->measuring->work))
			free_measuring(nsm->measuring);
	}
	nsm_module_free(nsm->module);
	free(nsm);
}

/* --- All of them --------------------------------------------------------- */

int nsm_host_new(struct nsm_host **host, struct loop *loop,
		 const struct nsm_options *options, struct ne_error *err)
{
	struct nsm_host *new = calloc(1, sizeof(*new));
	int r;

	if (!new)
		return ne_error_set(err, ENOMEM, "out of memory");
	LIST_INIT(&new->wanting);
	r = nsm_factory_new(&new->factory, options, err);
	if (!r) {
		new->server = nsm_server_new(loop);
		new->measurers = workers_new(loop, true);
		if (!new->server || !new->measurers)
			r = ne_error_set(err, errno, "cannot make a server: %s",
					 ne_strerror(errno));
	}
	if (r)
		nsm_host_end(new);
	else
		*host = new;
	return r;
}

bool nsm_host_end(struct nsm_host *host)
{
	bool measured;

	if (!host)
		return true;
	measured = workers_end(host->measurers);
	/* That work is the host's own, and uses its factory. */
	if (host->authority == OPENING)
		return false;
	nsm_server_free(host->server);
	nsm_factory_free(host->factory);
	free(host);
	return measured;
}

struct nsm_server *nsm_host_server(struct nsm_host *host)
{
	return host->server;
}
