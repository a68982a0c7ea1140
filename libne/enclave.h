/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the lifecycle share; see <ne/enclave.h>.
 */
#ifndef LIBNE_ENCLAVE_H
#define LIBNE_ENCLAVE_H

#include <stddef.h>
#include <stdint.h>

#include <ne/enclave.h>

#include "libne/memory.h"

/*
 * fd is the enclave itself: closing it ends it. The memory stays mapped until
 * then, because the driver may read it at any time before.
 */
struct ne_enclave {
	int fd;
	uint64_t slot;
	uint64_t cid;
	struct memory memory;
	uint32_t *cpu_ids;
	size_t n_cpu_ids;
	char id[64];
};

/*
 * Waits until fd (-1: none) has one of events, an error or its end. It wins
 * over all else that happens at the same time. enclave is an enclave's
 * descriptor whose end ends the wait, or -1.
 * Returns 0, -ETIMEDOUT, -ECANCELED, -ESHUTDOWN (the enclave has ended), or
 * a negative errno of poll(2).
 */
int wait_for(int fd, short events, int enclave, const struct ne_wait *wait);

/* The same, for a failure that the caller should see: "what: why". */
int wait_failed(int rc, const char *what, struct ne_error *err);

/*
 * A pause between two tries, doubled from 1 to 20 milliseconds: *pause starts
 * at 0. Returns as wait_for(), and 0 for: try again.
 */
int wait_pause(int *pause, int enclave, const struct ne_wait *wait);

#endif
