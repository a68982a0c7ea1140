/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one enclave from its creation to its end.
 */
#ifndef NE_RUN_RUN_H
#define NE_RUN_RUN_H

#include <stdint.h>

struct ne_eif;
struct options;
struct resources;

/* An error of ne-run itself; docker and timeout use the same. */
#define EXIT_OWN 125

/* All of it is the caller's. */
struct run_spec {
	const struct options *options;
	const struct resources *resources;
	const char *name;
	const struct ne_eif *image;
	int device;	 /* an open /dev/nitro_enclaves */
	int64_t started; /* ne_now(): what the boot time is counted from */
};

/*
 * Says on stderr and stdout what there is to say. Returns the exit status for
 * main(): see EXIT STATUS in ne-run(1).
 */
int run_enclave(const struct run_spec *spec);

#endif
