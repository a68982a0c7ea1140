/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trap face of the Nitro Enclaves driver: /dev/nitro_enclaves and the
 * enclave descriptors, as a traced program sees them.
 *
 * What the ioctls mean is in driver.h; what enclaves are, in hypervisor.h.
 * This part turns trapped syscalls into calls of those, and what they say
 * into answers.
 */
#ifndef NE_EMU_DEVICE_H
#define NE_EMU_DEVICE_H

#include <stdbool.h>

struct device;
struct loop;
struct machine_ops;
struct ne_error;
struct nsm_host;
struct topology;
struct trap_handler;

/*
 * How much the device demands of its callers.
 * strict: donated memory must be huge pages, as the driver has it; without
 *	it any memory will do, and a mapping of huge pages that the host does
 *	not have is replaced by an ordinary one.
 * numa_node: where donated memory must be (strict only); -1: anywhere.
 * max_mem_regions: physical pieces of memory a slot takes; 0: the default.
 *	Here each region that the caller sets is one piece.
 * machine: what runs the enclaves.
 * nsm: gives them their security modules.
 * instance_id: of the parent, as its programs shall see it; NULL: the host's.
 */
struct device_options {
	bool strict;
	int numa_node;
	unsigned int max_mem_regions;
	const struct machine_ops *machine;
	struct nsm_host *nsm;
	const char *instance_id;
};

/*
 * A device of its own for one trap. CPUs, CIDs and slots are shared with
 * everybody else who uses the runtime folder (its descriptor and its
 * absolute name), by claims. All arguments but the options must outlive it.
 * 0, or a negative errno.
 */
int device_new(struct device **device, struct loop *loop, int runtime,
	       const char *runtime_path, const struct topology *topology,
	       const struct device_options *options, struct ne_error *err);

/* Valid as long as the device; give it to trap_new(). */
const struct trap_handler *device_handler(struct device *device);

/* Ends every enclave, waits until nothing is left of them. NULL is fine. */
void device_free(struct device *device);

#endif
