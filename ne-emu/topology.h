/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPUs of the emulated parent instance, and which of them are for
 * enclaves. They have nothing to do with the host's.
 *
 * Core k has the CPUs k * threads to k * threads + threads - 1; all are on
 * one NUMA node. The pool is what ne_cpus of the nitro_enclaves driver is,
 * and is held to the same rules.
 */
#ifndef NE_EMU_TOPOLOGY_H
#define NE_EMU_TOPOLOGY_H

#include <stdbool.h>

struct ne_error;

#define TOPOLOGY_MAX_CPUS 1024
#define TOPOLOGY_MAX_THREADS 8
/* Bytes of ne_cpus in the driver, the terminating zero included. */
#define TOPOLOGY_LIST_SIZE 512

/*
 * cpus: number of CPUs, a multiple of threads
 * threads: per core
 * pool: is this CPU for enclaves?
 * pool_list: the pool as it was given, which is how the driver shows it
 */
struct topology {
	unsigned int cpus;
	unsigned int threads;
	bool pool[TOPOLOGY_MAX_CPUS];
	char pool_list[TOPOLOGY_LIST_SIZE];
};

/*
 * Checks everything as the driver does: no CPU 0 nor a sibling of it in the
 * pool, and whole cores. An empty pool_list is a driver whose pool has not
 * been set: no enclave can be created. 0 or -EINVAL.
 */
int topology_init(struct topology *topology, unsigned int cpus,
		  unsigned int threads, const char *pool_list,
		  struct ne_error *err);

/*
 * A cpu-list as the kernel reads them: "2-7,12", "2-15:2/4", "8-N", "all".
 * Sets set[i] for each CPU i in it, below cpus; clears the others.
 * An empty list is fine. 0 or -EINVAL.
 */
int cpu_list_parse(const char *list, unsigned int cpus, bool *set,
		   struct ne_error *err);

static inline unsigned int topology_cores(const struct topology *topology)
{
	return topology->cpus / topology->threads;
}

#endif
