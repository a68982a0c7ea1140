// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/pool.h"

#include <errno.h>
#include <unistd.h>

#include "plumbing/claim.h"

static unsigned int first_cpu(const struct pool *pool, unsigned int core)
{
	return core * pool->topology->threads;
}

static bool is_free(const struct pool *pool, unsigned int core)
{
	unsigned int first = first_cpu(pool, core);

	if (!pool->topology->pool[first])
		return false;
	for (unsigned int i = 0; i < pool->topology->threads; i++)
		if (!claim_is_free(pool->runtime, "cpu", first + i))
			return false;
	return true;
}

bool pool_has_core(const struct pool *pool)
{
	for (unsigned int i = 0; i < topology_cores(pool->topology); i++)
		if (is_free(pool, i))
			return true;
	return false;
}

int pool_take(const struct pool *pool, unsigned int core,
	      struct core_claim *claim)
{
	unsigned int first = first_cpu(pool, core);

	claim->n = 0;
	if (!pool->topology->pool[first])
		return -EBUSY;
	for (unsigned int i = 0; i < pool->topology->threads; i++) {
		int fd = claim_take(pool->runtime, "cpu", first + i);

		if (fd < 0) {
			pool_give_back(claim);
			return fd;
		}
		claim->cpus[claim->n++] = fd;
	}
	return 0;
}

int pool_take_any(const struct pool *pool, struct core_claim *claim)
{
	int r = -EBUSY;

	for (unsigned int i = 0; i < topology_cores(pool->topology); i++) {
		r = pool_take(pool, i, claim);
		if (!r)
			return (int)i;
		if (r != -EBUSY)
			return r;
	}
	return r;
}

void pool_give_back(struct core_claim *claim)
{
	while (claim->n)
		close(claim->cpus[--claim->n]);
}
