/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of the machine an enclave gets: what the user says, else what the
 * image suggests, else something that suits. Pure.
 */
#ifndef NE_RUN_RESOURCES_H
#define NE_RUN_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

struct ne_error;

/* What the image's header says. */
struct resources_wish {
	uint64_t image_size; /* bytes */
	uint64_t memory;     /* bytes; 0: nothing */
	uint64_t cpus;	     /* 0: nothing */
};

struct resources {
	uint64_t memory; /* bytes, a multiple of 2 MiB */
	unsigned int cpus;
	/* nitro-cli would refuse: less than 4 times the image. */
	bool is_tight;
};

/*
 * memory (bytes) and cpus are the user's, 0 for none. -EINVAL and a sentence
 * if no enclave can be made of that.
 */
int resources_choose(struct resources *resources, uint64_t memory,
		     unsigned int cpus, const struct resources_wish *wish,
		     struct ne_error *err);

#endif
