/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU pool: the cores of a topology that enclaves may have, shared by
 * all who use one runtime folder.
 *
 * A core is taken by claiming each of its CPUs ("cpu/<number>"), so that
 * topologies with different numbers of threads get along, too. There is no
 * other state: the pool is what nobody claims.
 */
#ifndef NE_EMU_POOL_H
#define NE_EMU_POOL_H

#include <stdbool.h>

#include "ne-emu/topology.h"

struct pool {
	int runtime;
	const struct topology *topology;
};

/* A core that is held. Nobody but these functions looks inside. */
struct core_claim {
	int cpus[TOPOLOGY_MAX_THREADS];
	unsigned int n;
};

/* Is any core free at this moment? */
bool pool_has_core(const struct pool *pool);

/*
 * Takes this core; -EBUSY if it is taken, or not in the pool at all.
 * pool_take_any() takes the first free one and returns its number, or -EBUSY.
 */
int pool_take(const struct pool *pool, unsigned int core,
	      struct core_claim *claim);
int pool_take_any(const struct pool *pool, struct core_claim *claim);

/* Gives it back. A claim that is all zeros is fine. */
void pool_give_back(struct core_claim *claim);

#endif
