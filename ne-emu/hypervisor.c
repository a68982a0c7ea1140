// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/hypervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-emu/machine.h"
#include "ne-emu/nsm.h"
#include "plumbing/claim.h"
#include "plumbing/log.h"
#include "plumbing/loop.h"

/* CIDs that are tried before giving up: more than there are slots. */
#define CIDS_TRIED 4096

struct slot {
	const struct hypervisor *hypervisor;
	void (*ended)(struct slot *slot, void *data);
	void *data;
	uint64_t id;
	int id_claim;
	enum slot_state state;

	struct memory_piece *pieces;
	size_t n_pieces;
	uint64_t memory_size;
	unsigned int vcpus;

	int cid_claim;
	struct image *image;	 /* what the machine runs */
	struct machine *machine; /* NULL for an image that cannot run */
	struct enclave_nsm *nsm; /* while it runs */
	bool debug;
	struct loop_source *stillborn; /* ends it in its place */

	bool has_reason;
	bool failed;
	char reason[NE_ERROR_TEXT_SIZE];
	char nsm_failure[NE_ERROR_TEXT_SIZE]; /* why it was stopped */
};

/*
 * Ids look like Nitro's: milliseconds since 1970 in the upper 48 bits. The
 * lower have the number of the claim, which makes them unique.
 */
static uint64_t make_id(unsigned int number)
{
	struct timespec now;
	uint8_t noise = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	/* Without noise the id is as unique. */
	if (getrandom(&noise, sizeof(noise), GRND_NONBLOCK) < 0)
		noise = 0;
	return ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000)
		       << 16 |
	       (uint64_t)noise << 8 | number;
}

static int claim_slot(int runtime, unsigned int *number)
{
	for (*number = 0; *number < HYPERVISOR_SLOTS; ++*number) {
		int fd = claim_take(runtime, "slot", *number);

		if (fd != -EBUSY)
			return fd;
	}
	return -ENOSPC;
}

int slot_alloc(struct slot **slot, const struct hypervisor *hypervisor,
	       void (*ended)(struct slot *slot, void *data), void *data)
{
	cleanup_close int claim = -1;
	unsigned int number;
	struct slot *new;

	claim = claim_slot(hypervisor->runtime, &number);
	if (claim < 0)
		return claim;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct slot){ .hypervisor = hypervisor,
			      .ended = ended,
			      .data = data,
			      .id = make_id(number),
			      .id_claim = take_fd(&claim),
			      .state = SLOT_INIT,
			      .cid_claim = -1 };
	*slot = new;
	return 0;
}

static void release_machine(struct slot *slot)
{
	if (slot->machine)
		slot->hypervisor->machine->free(slot->machine);
	slot->machine = NULL;
	enclave_nsm_free(slot->nsm);
	slot->nsm = NULL;
	image_unref(slot->image);
	slot->image = NULL;
	loop_remove(slot->stillborn);
	slot->stillborn = NULL;
	close_keeping_errno(take_fd(&slot->cid_claim));
}

void slot_free(struct slot *slot)
{
	if (!slot)
		return;
	release_machine(slot);
	close_keeping_errno(slot->id_claim);
	free(slot->pieces);
	free(slot);
}

uint64_t slot_id(const struct slot *slot)
{
	return slot->id;
}

enum slot_state slot_state(const struct slot *slot)
{
	return slot->state;
}

int slot_add_memory(struct slot *slot, uint64_t address, uint64_t size)
{
	struct memory_piece *pieces =
		reallocarray(slot->pieces, slot->n_pieces + 1, sizeof(*pieces));

	if (!pieces)
		return -ENOMEM;
	slot->pieces = pieces;
	pieces[slot->n_pieces++] = (struct memory_piece){ address, size };
	slot->memory_size += size;
	return 0;
}

void slot_remove_last_memory(struct slot *slot)
{
	slot->memory_size -= slot->pieces[--slot->n_pieces].size;
}

size_t slot_memory_pieces(const struct slot *slot)
{
	return slot->n_pieces;
}

uint64_t slot_memory_size(const struct slot *slot)
{
	return slot->memory_size;
}

void slot_add_vcpu(struct slot *slot)
{
	slot->vcpus++;
}

void slot_remove_vcpu(struct slot *slot)
{
	slot->vcpus--;
}

unsigned int slot_vcpus(const struct slot *slot)
{
	return slot->vcpus;
}

static void set_reason(struct slot *slot, bool failed, const char *text)
{
	snprintf(slot->reason, sizeof(slot->reason), "%s", text);
	slot->has_reason = true;
	slot->failed = failed;
}

static void end(struct slot *slot)
{
	slot->state = SLOT_STOPPED;
	log_info("enclave %" PRIx64 " has ended: %s", slot->id, slot->reason);
	slot->ended(slot, slot->data);
}

static void machine_ended(const struct machine_end *how, void *data)
{
	struct slot *slot = data;

	if (slot->nsm_failure[0])
		set_reason(slot, true, slot->nsm_failure);
	else
		set_reason(slot, how->failed, how->reason);
	end(slot);
}

static void stillborn_ended(uint32_t events, void *data)
{
	struct slot *slot = data;

	(void)events;
	slot->stillborn = NULL;
	end(slot);
}

/* Returns a claim, and which CID it is; or -EBUSY. */
static int claim_cid(struct slot *slot, uint64_t *cid)
{
	int runtime = slot->hypervisor->runtime;
	int fd = -EBUSY;

	if (*cid)
		return claim_take(runtime, "cid", *cid);
	for (uint64_t i = 0; i < CIDS_TRIED && fd == -EBUSY; i++) {
		*cid = HYPERVISOR_FIRST_CID + i;
		fd = claim_take(runtime, "cid", *cid);
	}
	return fd;
}

static int assign_cid(struct slot *slot, uint64_t *cid, struct ne_error *err)
{
	uint64_t requested = *cid;
	int fd = claim_cid(slot, cid);

	if (fd == -EBUSY && requested)
		return ne_error_set(
			err, EADDRINUSE,
			"CID %" PRIu64
			" is taken by another enclave; choose another, or none to be given one",
			requested);
	if (fd == -EBUSY)
		return ne_error_set(err, EADDRINUSE, "no CID is free");
	if (fd < 0)
		return ne_error_set(
			err, -fd,
			"cannot claim a CID in the runtime folder: %s",
			ne_strerror(fd));
	slot->cid_claim = fd;
	return 0;
}

/* It may be large, and the enclave may live long. */
static void machine_loaded(void *data)
{
	struct slot *slot = data;

	image_unref(slot->image);
	slot->image = NULL;
}

/* --- Its security module ------------------------------------------------- */

static void nsm_wanted(void *data)
{
	const struct slot *slot = data;

	enclave_nsm_want(slot->nsm);
}

static void nsm_ready(struct nsm_module *module, void *data)
{
	const struct slot *slot = data;

	slot->hypervisor->machine->set_module(slot->machine, module);
}

/* Nitro does not run what it cannot measure. */
static void nsm_failed(const char *why, void *data)
{
	struct slot *slot = data;

	snprintf(slot->nsm_failure, sizeof(slot->nsm_failure), "%s", why);
	slot->hypervisor->machine->stop(slot->machine);
}

/* Beside the boot, which does not wait for it. */
static void start_nsm(struct slot *slot)
{
	static const struct enclave_nsm_events events = {
		.ready = nsm_ready,
		.failed = nsm_failed,
	};
	struct ne_error err = { 0 };

	if (slot->hypervisor->nsm &&
	    enclave_nsm_new(&slot->nsm, slot->hypervisor->nsm, slot->id,
			    slot->debug, slot->image, &events, slot, &err))
		nsm_failed(err.text, slot);
}

/* --- Starting it --------------------------------------------------------- */

static int prepare_machine(struct slot *slot, uint64_t cid, bool debug,
			   struct ne_error *err)
{
	char name[32];
	struct machine_spec spec = {
		.name = name,
		.cid = cid,
		.cpus = slot->vcpus,
		.memory = slot->memory_size,
		.debug = debug,
		.image = slot->image->eif,
		.loaded = machine_loaded,
		.loaded_data = slot,
		.nsm_wanted = nsm_wanted,
		.nsm_data = slot,
	};

	if (slot->hypervisor->nsm)
		spec.nsm_server = nsm_host_server(slot->hypervisor->nsm);
	snprintf(name, sizeof(name), "enclave %" PRIx64, slot->id);
	return slot->hypervisor->machine->prepare(&slot->machine,
						  slot->hypervisor->loop, &spec,
						  machine_ended, slot, err);
}

static int start(struct slot *slot, uint64_t *cid, bool debug,
		 const struct donor *donor, struct ne_error *err)
{
	int r = assign_cid(slot, cid, err);

	if (r)
		return r;
	r = image_fetch(&slot->image, donor, slot->pieces, slot->n_pieces, err);
	if (r == -ENOEXEC) {
		set_reason(slot, true, err->text);
		return 0;
	}
	if (r)
		return r;
	return prepare_machine(slot, *cid, debug, err);
}

int slot_start(struct slot *slot, uint64_t *cid, bool debug,
	       const struct donor *donor)
{
	struct ne_error err = { 0 };
	int r;

	slot->has_reason = false;
	slot->failed = false;
	slot->debug = debug;
	slot->nsm_failure[0] = '\0';
	r = start(slot, cid, debug, donor, &err);
	if (r) {
		release_machine(slot);
		set_reason(slot, true, err.text[0] ? err.text : ne_strerror(r));
		return r;
	}
	slot->state = SLOT_RUNNING;
	return 0;
}

void slot_go(struct slot *slot)
{
	struct loop *loop = slot->hypervisor->loop;

	if (slot->machine) {
		slot->hypervisor->machine->go(slot->machine);
		start_nsm(slot);
		return;
	}
	/* Those above hear of an end from the loop only. */
	slot->stillborn = loop_timer(loop, 0, stillborn_ended, slot);
	if (!slot->stillborn)
		log_error(
			"enclave %" PRIx64
			" cannot run, and its end cannot be announced: out of memory or descriptors",
			slot->id);
}

void slot_cancel_start(struct slot *slot)
{
	release_machine(slot);
	slot->state = SLOT_INIT;
	slot->has_reason = false;
	slot->failed = false;
}

const char *slot_reason(const struct slot *slot)
{
	return slot->has_reason && slot->state != SLOT_RUNNING ? slot->reason
							       : NULL;
}

bool slot_failed(const struct slot *slot)
{
	return slot->has_reason && slot->failed;
}
