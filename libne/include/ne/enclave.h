/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of an enclave: create, load, give CPUs, start, wait, terminate.
 *
 *	int device = ne_device_open(&err);
 *	ne_enclave_create(&enclave, device, &err);
 *	ne_enclave_load(enclave, 512 << 20, image, &err);
 *	ne_enclave_add_cpus(enclave, 2, &err);
 *	ne_enclave_start(enclave, NE_CID_ANY, 0, &err);
 *	ne_enclave_wait(enclave, NULL, &err);
 *	ne_enclave_free(enclave);
 *
 * Whoever wants to know that it has booted puts the heartbeat around
 * ne_enclave_start(); see <ne/heartbeat.h>.
 *
 * An enclave lives as long as the struct ne_enclave: the driver ends it when
 * its descriptor is closed, so it never outlives the process that made it,
 * however that process dies.
 *
 * Errors: negative errno or -NE_ERR_* of <linux/nitro_enclaves.h>, and a
 * sentence in the last parameter; see <ne/error.h>.
 *
 * Thread safety: an enclave belongs to one thread at a time. Different
 * enclaves are independent of each other. The driver refuses (EIO) CPUs and
 * memory from another process than the one that created the enclave, a fork
 * of it included.
 */
#ifndef NE_ENCLAVE_H
#define NE_ENCLAVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ne_eif;
struct ne_enclave;
struct ne_error;

/** The driver's device node. */
#define NE_DEVICE_PATH "/dev/nitro_enclaves"

/** Memory comes in multiples of this (nitro_enclaves.h), bytes. */
#define NE_MEMORY_UNIT (UINT64_C(2) << 20)

/** An enclave has at least this (NE_ERR_ENCLAVE_MEM_MIN_SIZE), bytes. */
#define NE_MEMORY_MIN (UINT64_C(64) << 20)

/** ne_enclave_start() picks a free CID. */
#define NE_CID_ANY 0

/* --- Waiting ------------------------------------------------------------- */

/**
 * struct ne_wait - how long a function that waits may wait
 * @deadline: milliseconds of CLOCK_MONOTONIC, see ne_now(); negative: no limit
 * @cancel: a descriptor (signalfd, eventfd, pipe…) that makes the wait end
 *          with -ECANCELED as soon as it is readable or hung up; nothing is
 *          read from it. -1: none.
 *
 * A function that takes one takes NULL too, for: no limit, no cancel. With a
 * deadline in the past it looks once and does not wait.
 */
struct ne_wait {
	int64_t deadline;
	int cancel;
};

/**
 * ne_now() - the clock of struct ne_wait
 *
 * Return: milliseconds of CLOCK_MONOTONIC, never negative.
 */
int64_t ne_now(void);

/* --- Making one ---------------------------------------------------------- */

/**
 * ne_device_open() - open /dev/nitro_enclaves
 * @err: what went wrong, or NULL
 *
 * Return: a close-on-exec descriptor that is the caller's, or -ENOENT (no such
 * device here), -EACCES (not in its group), or another negative errno of
 * open(2).
 */
int ne_device_open(struct ne_error *err);

/**
 * ne_enclave_create() - a new enclave, without memory, CPUs or image
 * @enclave: where to put it; untouched on failure
 * @device: from ne_device_open(); stays the caller's and may be closed
 * @err: what went wrong, or NULL
 *
 * Return: 0, or -NE_ERR_NO_CPUS_AVAIL_IN_POOL, -ENOMEM, -EMFILE, or what else
 * the driver answers to NE_CREATE_VM.
 */
int ne_enclave_create(struct ne_enclave **enclave, int device,
		      struct ne_error *err);

/**
 * ne_enclave_free() - terminate an enclave and forget it
 * @enclave: may be NULL
 *
 * Returns when the driver has let go of the enclave's memory and CPUs.
 */
void ne_enclave_free(struct ne_enclave *enclave);

/**
 * ne_enclave_load() - give memory with the image in it
 * @enclave: an enclave that has no memory yet
 * @memory: bytes; rounded up to a multiple of NE_MEMORY_UNIT, and not 0
 * @image: to be put where the driver wants it, or NULL for none; neither its
 *         checksum nor its architecture is checked here, see <ne/eif.h>. It
 *         must stay open until the enclave is freed, and its file as it is.
 * @err: what went wrong, or NULL
 *
 * One step, because the image has to be in place when the driver is given the
 * memory: from then on it may be the enclave's alone.
 *
 * Takes 1 GiB huge pages where they fit, then 2 MiB ones, then, if those do
 * not suffice, 1 GiB ones for the rest: the enclave may get more than @memory.
 * Where the host has too few of both, ordinary memory is offered, untouched
 * and unreserved, with the image's file mapped into it; the driver decides
 * whether it will do. Contents are zero but
 * for the image.
 *
 * Return: 0, or -NE_ERR_MEM_NOT_HUGE_PAGE (too few huge pages; the sentence
 * says how many there are, how many are needed and how to get them), -ENOMEM
 * (more than the machine has), -ENOSPC (the image, at the driver's offset,
 * does not fit into @memory), -NE_ERR_MEM_DIFFERENT_NUMA_NODE,
 * -NE_ERR_MEM_MAX_REGIONS, -NE_ERR_NOT_IN_INIT_STATE, -EALREADY (it has
 * memory), -EINVAL (@memory is 0), or what else the driver answers. After a
 * failure the enclave may have a part of the memory and can only be freed.
 */
int ne_enclave_load(struct ne_enclave *enclave, uint64_t memory,
		    const struct ne_eif *image, struct ne_error *err);

/**
 * ne_enclave_add_cpus() - give CPUs of the pool's choice
 * @enclave: the enclave
 * @count: how many vCPUs; whole cores only, so a multiple of the threads a
 *         core has, or ne_enclave_start() refuses
 * @err: what went wrong, or NULL
 *
 * Return: 0, or -NE_ERR_NO_CPUS_AVAIL_IN_POOL, -NE_ERR_NOT_IN_INIT_STATE,
 * -EINVAL (@count is 0), -ENOMEM, or what else the driver answers to
 * NE_ADD_VCPU. After a failure the enclave may have some of the CPUs.
 */
int ne_enclave_add_cpus(struct ne_enclave *enclave, unsigned int count,
			struct ne_error *err);

/**
 * ne_enclave_add_cpu_ids() - give these very CPUs
 * @enclave: the enclave
 * @ids: their numbers on the parent; not 0, which is the parent's own
 * @count: how many there are at @ids
 * @err: what went wrong, or NULL
 *
 * Return: as ne_enclave_add_cpus(), and -NE_ERR_VCPU_ALREADY_USED,
 * -NE_ERR_VCPU_NOT_IN_CPU_POOL, -NE_ERR_VCPU_INVALID_CPU_CORE,
 * -NE_ERR_INVALID_VCPU, -EINVAL (0 is among them).
 */
int ne_enclave_add_cpu_ids(struct ne_enclave *enclave, const uint32_t *ids,
			   size_t count, struct ne_error *err);

/** ne_enclave_start(): the console can be read, attestation says zero PCRs. */
#define NE_START_DEBUG 1

/**
 * ne_enclave_start() - start it
 * @enclave: an enclave with image, CPUs and memory
 * @cid: 4 to 0xfffffffe, or NE_CID_ANY
 * @flags: 0 or NE_START_DEBUG
 * @err: what went wrong, or NULL
 *
 * Returns when the hypervisor runs it, which is long before it has booted.
 *
 * Return: 0, or -NE_ERR_INVALID_ENCLAVE_CID, -NE_ERR_NOT_IN_INIT_STATE,
 * -NE_ERR_NO_MEM_REGIONS_ADDED, -NE_ERR_ENCLAVE_MEM_MIN_SIZE,
 * -NE_ERR_NO_VCPUS_ADDED, -NE_ERR_FULL_CORES_NOT_USED, or the hypervisor's
 * own error, among them that @cid is taken or that it does not like the image.
 */
int ne_enclave_start(struct ne_enclave *enclave, uint64_t cid,
		     unsigned int flags, struct ne_error *err);

/* --- Knowing one --------------------------------------------------------- */

/**
 * ne_enclave_fd() - the driver's descriptor
 * @enclave: the enclave
 *
 * For poll(2): POLLHUP once a started enclave has ended. It stays the
 * enclave's: do not close it.
 */
int ne_enclave_fd(const struct ne_enclave *enclave);

/** ne_enclave_cid() - its CID; 0 before ne_enclave_start(). */
uint64_t ne_enclave_cid(const struct ne_enclave *enclave);

/** ne_enclave_memory() - what it has, in bytes. */
uint64_t ne_enclave_memory(const struct ne_enclave *enclave);

/**
 * ne_enclave_cpu_ids() - which CPUs it has, in the order they were added
 * @enclave: the enclave
 * @count: where to put how many
 *
 * Return: @count numbers that belong to the enclave and change when CPUs are
 * added; NULL if there are none.
 */
const uint32_t *ne_enclave_cpu_ids(const struct ne_enclave *enclave,
				   size_t *count);

/**
 * ne_enclave_id() - its name as nitro-cli writes it
 * @enclave: the enclave
 *
 * "<instance id>-enc<slot number in hexadecimal>"; the instance id is
 * i-0000000000000000 on a machine that is no EC2 instance.
 *
 * Return: a string that belongs to the enclave.
 */
const char *ne_enclave_id(struct ne_enclave *enclave);

/* --- Its end ------------------------------------------------------------- */

/**
 * ne_enclave_wait() - wait for its end
 * @enclave: a started enclave
 * @wait: how long, or NULL
 * @err: what went wrong, or NULL
 *
 * Return: 0 when it has ended, -ETIMEDOUT, -ECANCELED, or a negative errno of
 * poll(2).
 */
int ne_enclave_wait(const struct ne_enclave *enclave,
		    const struct ne_wait *wait, struct ne_error *err);

/**
 * ne_enclave_end_reason() - why it ended
 * @enclave: an enclave that has ended
 * @text: where to put one line of text, without a newline and without control
 *        characters
 * @size: bytes at @text, at least 1; a longer text is cut
 *
 * See <ne/end_reason.h>.
 *
 * Return: 0, or -ENOTTY (the driver does not know, as AWS's), -EAGAIN (it has
 * not ended). On failure @text is empty.
 */
int ne_enclave_end_reason(const struct ne_enclave *enclave, char *text,
			  size_t size);

/* --- Numbers people write ------------------------------------------------ */

/**
 * ne_cpu_list_parse() - "2-3,6" to 2, 3, 6
 * @list: numbers and ranges with commas between them, as in the kernel's
 *        documentation of cpu-lists; ascending inside a range
 * @ids: where to put them, in the order they are written
 * @max: how many fit at @ids
 *
 * Return: how many there are (at least 1), or -EINVAL (not such a list, or a
 * CPU twice), -ERANGE (a number beyond 65535), -E2BIG (more than @max).
 */
int ne_cpu_list_parse(const char *list, uint32_t *ids, size_t max);

#ifdef __cplusplus
}
#endif
#endif
