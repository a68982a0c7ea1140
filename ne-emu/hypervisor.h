/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model of the Nitro hypervisor: slots, and what they are given.
 *
 * Theory of operation
 *
 * A slot is the hypervisor's side of an enclave. It is allocated, is given
 * memory and vCPUs, is started and stopped, and is freed; these are the
 * commands of the Nitro Enclaves PCI device. Who may give what is for those
 * above to check (the driver, or driver.h in its place); the hypervisor only
 * hands out what is its own: slot ids and CIDs, shared by all who use one
 * runtime folder ("slot/<n>", "cid/<n>" are claimed).
 *
 *	SLOT_INIT     slot_start()     prepared     slot_go()     SLOT_RUNNING
 *	   ^-------------------------------'                           |
 *	            slot_cancel_start()                    the machine has ended
 *	                                                               v
 *	                                                         SLOT_STOPPED
 *
 * Start is in two steps: what was prepared can be cancelled while nobody has
 * been told. To those above, a prepared slot counts as running.
 *
 * An image that cannot be run does not make the start fail: as on Nitro, the
 * enclave starts and has ended in the same moment. [nitro-cli's answers to
 * such images, aws/aws-nitro-enclaves-cli issue 243: "Started enclave with
 * enclave-cid: 17", then its boot fails.] The reason says what was wrong.
 *
 * Not known about Nitro, and chosen: a requested CID that is taken is
 * EADDRINUSE (as it is for Linux's own vhost-vsock), CIDs are given lowest
 * free first from 16 on, and there are 256 slots, after which ENOSPC.
 *
 * Everything happens in one event loop.
 */
#ifndef NE_EMU_HYPERVISOR_H
#define NE_EMU_HYPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ne-emu/image.h"

struct loop;
struct machine_ops;
struct ne_error;
struct nsm_host;
struct slot;

/* As the NE PCI device's SLOT_INFO has them. */
enum slot_state {
	SLOT_INIT = 0,
	SLOT_RUNNING = 2,
	SLOT_STOPPED = 0xffff,
};

/* Lowest CID that is chosen for an enclave. */
#define HYPERVISOR_FIRST_CID 16
#define HYPERVISOR_SLOTS 256

/*
 * What all slots of a hypervisor have in common.
 * nsm: gives enclaves their security modules; NULL: they have none
 */
struct hypervisor {
	struct loop *loop;
	int runtime;
	const struct machine_ops *machine;
	struct nsm_host *nsm;
};

/*
 * A free slot. ended() is called once, from the loop, when the enclave of
 * the slot has ended by itself; it may free the slot.
 * 0; -ENOSPC if all slots are taken, or another negative errno.
 */
int slot_alloc(struct slot **slot, const struct hypervisor *hypervisor,
	       void (*ended)(struct slot *slot, void *data), void *data);

/* Ends its enclave, waits until nothing is left of it. NULL is fine. */
void slot_free(struct slot *slot);

/* Unique among the slots of a runtime folder, and never 0. */
uint64_t slot_id(const struct slot *slot);
enum slot_state slot_state(const struct slot *slot);

/* Memory is in the order of its adding. -ENOMEM. */
int slot_add_memory(struct slot *slot, uint64_t address, uint64_t size);
void slot_remove_last_memory(struct slot *slot);
size_t slot_memory_pieces(const struct slot *slot);
uint64_t slot_memory_size(const struct slot *slot);

void slot_add_vcpu(struct slot *slot);
void slot_remove_vcpu(struct slot *slot);
unsigned int slot_vcpus(const struct slot *slot);

/*
 * Starts a slot in SLOT_INIT; only after slot_go() does it run.
 * cid: in: which one, 0: any; out: the enclave's
 * donor: whose addresses the slot's memory has; is not needed afterwards
 *
 * 0, or a negative errno: then slot_reason() has a sentence and the slot is
 * as it was.
 */
int slot_start(struct slot *slot, uint64_t *cid, bool debug,
	       const struct donor *donor);
void slot_go(struct slot *slot);
void slot_cancel_start(struct slot *slot);

/*
 * Why the enclave has ended, or why it could not be started the last time:
 * one line for a human. NULL if neither has happened.
 */
const char *slot_reason(const struct slot *slot);
/* That was no end by the enclave's own will. */
bool slot_failed(const struct slot *slot);

#endif
