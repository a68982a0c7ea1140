/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ioctls of the nitro_enclaves driver do.
 *
 * Theory of operation
 *
 * This is the driver's behaviour without its device: who calls, and how his
 * memory is reached, is behind struct client. Each ioctl makes the checks of
 * the kernel's driver (drivers/virt/nitro_enclaves/ne_misc_dev.c) in the
 * kernel's order and fails with the same errno, its quirks included:
 *
 *  - a caller from another address space than the creator's gets EIO only
 *    where the driver looks, and NE_ADD_VCPU looks after it has taken the
 *    core, which then remains with the enclave;
 *  - a vCPU or a start whose result cannot be written back is EFAULT, and
 *    has happened all the same;
 *  - a memory region of no bytes is ENOMEM, as is one of more than 512 GiB,
 *    for which the kernel cannot have its list of pages.
 *
 * One thing is different. The kernel's ioctls cannot be interrupted, ours
 * can: when the caller is gone before it has its answer, it will make the
 * same call again, so whatever has changed is undone. Hence every ioctl,
 * whatever it returned, is followed by enclave_settle().
 *
 * Without `strict`, any memory that the caller can read will do: it need not
 * be of huge pages, nor on the CPUs' NUMA node, and is not touched. Physical
 * memory is not looked at: each region that is set counts as one piece.
 */
#ifndef NE_EMU_DRIVER_H
#define NE_EMU_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct enclave;
struct hypervisor;
struct pool;

/* Enough for 32 GiB in regions of 2 MiB. */
#define DRIVER_MAX_MEM_REGIONS 16384

/* What all enclaves of a device have in common. */
struct driver {
	const struct hypervisor *hypervisor;
	const struct pool *pool;
	bool strict;
	int numa_node; /* -1: any */
	unsigned int max_mem_regions;
};

/* A stretch of memory of one kind, up to (not including) end. */
struct pages {
	uint64_t end;
	uint64_t page_size;
	bool hugetlb;
};

/*
 * Who makes an ioctl. All of it, or a negative errno.
 * read, write: his memory; -EFAULT
 * pages: what his memory is, from address on; -EFAULT if nothing that can be
 *	read is mapped there
 * node: the NUMA node of the page at address, which is brought in if need be
 * in_space: is he in this address space? (that of enclave_create()'s caller)
 * read_space: that address space's memory, whoever he is
 */
struct client {
	void *data;
	int (*read)(void *data, uint64_t address, void *to, size_t size);
	int (*write)(void *data, uint64_t address, const void *from,
		     size_t size);
	int (*pages)(void *data, uint64_t address, struct pages *pages);
	int (*node)(void *data, uint64_t address);
	bool (*in_space)(void *data, void *space);
	int (*read_space)(void *data, void *space, uint64_t address, void *to,
			  size_t size);
};

/*
 * NE_CREATE_VM.
 * argument: of the ioctl
 * space: the caller's address space, given to struct client's functions
 * ended: called once, from the loop, when the enclave has ended by itself;
 *	it may free the enclave
 */
int enclave_create(struct enclave **enclave, const struct driver *driver,
		   const struct client *client, uint64_t argument, void *space,
		   void (*ended)(void *data), void *data);

/* An ioctl on an enclave's descriptor: 0 or a negative errno or -NE_ERR_*. */
int enclave_ioctl(struct enclave *enclave, const struct client *client,
		  uint32_t command, uint64_t argument);

/*
 * Has the answer to the ioctl before been delivered? If so what it did is
 * for good, and an enclave that was started runs; else nothing has happened.
 */
void enclave_settle(struct enclave *enclave, bool delivered);

/*
 * The last descriptor was closed: ends it, gives everything back. Says why
 * it failed, if it did and nobody has asked. NULL is fine.
 */
void enclave_free(struct enclave *enclave);

uint64_t enclave_slot(const struct enclave *enclave);

#endif
