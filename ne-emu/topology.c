// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/topology.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ne/error.h>

/* One region of a cpu-list: every group's first `used` CPUs in [first, last] */
struct region {
	unsigned long first;
	unsigned long last;
	unsigned long used;
	unsigned long group;
};

static const char *skip_blanks(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

/* A number, or N for the last CPU. NULL if there is none. */
static const char *parse_number(const char *p, unsigned int cpus,
				unsigned long *number)
{
	char *end;

	if (*p == 'N') {
		*number = cpus - 1;
		return p + 1;
	}
	if (!isdigit((unsigned char)*p))
		return NULL;
	/* What is too large for a long is out of range all the more. */
	*number = strtoul(p, &end, 10);
	return end;
}

/* "3", "2-7", "2-15:2/4". What follows it, or NULL. */
static const char *parse_region(const char *p, unsigned int cpus,
				struct region *region)
{
	p = parse_number(p, cpus, &region->first);
	if (!p)
		return NULL;
	region->last = region->first;
	region->used = region->group = 1;
	if (*p != '-')
		return p;
	p = parse_number(p + 1, cpus, &region->last);
	if (!p || *p != ':')
		return p;
	p = parse_number(p + 1, cpus, &region->used);
	if (!p || *p != '/')
		return NULL;
	return parse_number(p + 1, cpus, &region->group);
}

static bool region_is_sane(const struct region *region)
{
	return region->first <= region->last && region->group > 0 &&
	       region->used <= region->group;
}

static void set_region(const struct region *region, bool *set)
{
	for (unsigned long cpu = region->first; cpu <= region->last; cpu++)
		if ((cpu - region->first) % region->group < region->used)
			set[cpu] = true;
}

int cpu_list_parse(const char *list, unsigned int cpus, bool *set,
		   struct ne_error *err)
{
	const struct region all = { .last = cpus - 1, .used = 1, .group = 1 };
	const char *p = skip_blanks(list);
	struct region region;

	memset(set, 0, cpus * sizeof(*set));
	while (*p) {
		if (!strncmp(p, "all", 3)) {
			region = all;
			p += 3;
		} else {
			p = parse_region(p, cpus, &region);
		}
		if (!p || !region_is_sane(&region))
			return ne_error_set(
				err, EINVAL,
				"\"%s\" is not a list of CPUs; write them like 2-7,12",
				list);
		if (region.last >= cpus)
			return ne_error_set(
				err, EINVAL,
				"the list of CPUs \"%s\" names CPU %lu; there are CPUs 0 to %u",
				list, region.last, cpus - 1);
		set_region(&region, set);
		p = skip_blanks(p);
		if (*p && *p != ',')
			return ne_error_set(
				err, EINVAL,
				"\"%s\" is not a list of CPUs; write them like 2-7,12",
				list);
		while (*p == ',')
			p = skip_blanks(p + 1);
	}
	return 0;
}

static int check_numbers(unsigned int cpus, unsigned int threads,
			 const char *pool_list, struct ne_error *err)
{
	if (cpus < 1 || cpus > TOPOLOGY_MAX_CPUS)
		return ne_error_set(
			err, EINVAL,
			"%u emulated CPUs are not possible; 1 to %u are", cpus,
			TOPOLOGY_MAX_CPUS);
	if (threads < 1 || threads > TOPOLOGY_MAX_THREADS)
		return ne_error_set(
			err, EINVAL,
			"%u threads per emulated core are not possible; 1 to %u are",
			threads, TOPOLOGY_MAX_THREADS);
	if (cpus % threads)
		return ne_error_set(
			err, EINVAL,
			"%u emulated CPUs are not whole cores of %u threads; make it a multiple",
			cpus, threads);
	if (strlen(pool_list) >= TOPOLOGY_LIST_SIZE)
		return ne_error_set(
			err, EINVAL,
			"the list of the CPU pool is too long; the driver takes up to %u bytes",
			TOPOLOGY_LIST_SIZE - 1);
	return 0;
}

static bool is_empty(const bool *set, unsigned int cpus)
{
	return !memchr(set, true, cpus * sizeof(*set));
}

static int check_pool(const struct topology *topology, struct ne_error *err)
{
	unsigned int threads = topology->threads;

	if (topology->pool[0])
		return ne_error_set(
			err, EINVAL,
			"CPU 0 is in the CPU pool \"%s\"; it has to remain with the parent",
			topology->pool_list);
	for (unsigned int cpu = 1; cpu < threads; cpu++)
		if (topology->pool[cpu])
			return ne_error_set(
				err, EINVAL,
				"CPU %u is in the CPU pool \"%s\"; it shares a core with CPU 0, which has to remain with the parent",
				cpu, topology->pool_list);
	for (unsigned int cpu = 0; cpu < topology->cpus; cpu++) {
		unsigned int first = cpu - cpu % threads;

		for (unsigned int i = first; i < first + threads; i++)
			if (topology->pool[cpu] && !topology->pool[i])
				return ne_error_set(
					err, EINVAL,
					"CPU %u is not in the CPU pool \"%s\", but CPU %u of the same core is; whole cores are needed",
					i, topology->pool_list, cpu);
	}
	return 0;
}

int topology_init(struct topology *topology, unsigned int cpus,
		  unsigned int threads, const char *pool_list,
		  struct ne_error *err)
{
	int r = check_numbers(cpus, threads, pool_list, err);

	if (r)
		return r;
	*topology = (struct topology){ .cpus = cpus, .threads = threads };
	memcpy(topology->pool_list, pool_list, strlen(pool_list) + 1);
	r = cpu_list_parse(pool_list, cpus, topology->pool, err);
	if (r)
		return ne_error_prefix(err, "CPU pool");
	if (pool_list[0] && is_empty(topology->pool, cpus))
		return ne_error_set(
			err, EINVAL,
			"the CPU pool \"%s\" is empty; name whole cores, as in 2-%u",
			pool_list, cpus - 1);
	return check_pool(topology, err);
}
