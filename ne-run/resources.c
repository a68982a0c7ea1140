// SPDX-License-Identifier: Apache-2.0
#include "ne-run/resources.h"

#include <errno.h>
#include <inttypes.h>

#include <ne/enclave.h>
#include <ne/error.h>

#include "ne-run/options.h"

#define MIB (UINT64_C(1) << 20)
#define DEFAULT_MEMORY (512 * MIB)
#define DEFAULT_CPUS 2

/* NE_EIF_LOAD_OFFSET: the driver puts the image so far into the memory. */
#define IMAGE_OFFSET (8 * MIB)

/* nitro-cli, src/enclave_proc: ENCLAVE_MEMORY_EIF_SIZE_RATIO. */
#define IMAGE_RATIO 4

static uint64_t round_up(uint64_t size)
{
	return (size + NE_MEMORY_UNIT - 1) / NE_MEMORY_UNIT * NE_MEMORY_UNIT;
}

static uint64_t in_mib(uint64_t size)
{
	return size / MIB + (size % MIB != 0);
}

/* The image's own default, unless that cannot do. */
static uint64_t suitable_memory(const struct resources_wish *wish)
{
	uint64_t size = wish->memory ? wish->memory : DEFAULT_MEMORY;
	uint64_t least = round_up(wish->image_size * IMAGE_RATIO);

	if (least < NE_MEMORY_MIN)
		least = NE_MEMORY_MIN;
	return size > least ? size : least;
}

static int choose_memory(struct resources *resources, uint64_t memory,
			 const struct resources_wish *wish,
			 struct ne_error *err)
{
	if (!memory)
		memory = suitable_memory(wish);
	if (memory > INT64_MAX - NE_MEMORY_UNIT)
		return ne_error_set(err, EINVAL,
				    "%" PRIu64 " MiB of memory are more than "
				    "any machine has; give another --mem",
				    memory / MIB);
	memory = round_up(memory);
	if (memory < NE_MEMORY_MIN)
		return ne_error_set(err, EINVAL,
				    "%" PRIu64 " MiB: an enclave has at least "
				    "%" PRIu64 " MiB of memory; give another "
				    "--mem",
				    memory / MIB, NE_MEMORY_MIN / MIB);
	if (memory - IMAGE_OFFSET < wish->image_size)
		return ne_error_set(
			err, EINVAL,
			"%" PRIu64 " MiB of memory are too little for an image "
			"of %" PRIu64 " MiB; give --mem %" PRIu64,
			memory / MIB, in_mib(wish->image_size),
			suitable_memory(wish) / MIB);
	resources->memory = memory;
	resources->is_tight = memory / IMAGE_RATIO < wish->image_size;
	return 0;
}

int resources_choose(struct resources *resources, uint64_t memory,
		     unsigned int cpus, const struct resources_wish *wish,
		     struct ne_error *err)
{
	/* Not only is it more than there is: it could not be multiplied. */
	if (wish->image_size > INT64_MAX / IMAGE_RATIO / 2)
		return ne_error_set(err, EINVAL, "the image is too large");
	if (!cpus && wish->cpus > OPTIONS_MAX_CPUS)
		return ne_error_set(err, EINVAL,
				    "the image asks for %" PRIu64
				    " CPUs; give --cpus",
				    wish->cpus);
	resources->cpus = cpus ? cpus : (unsigned int)wish->cpus;
	if (!resources->cpus)
		resources->cpus = DEFAULT_CPUS;
	return choose_memory(resources, memory, wish, err);
}
