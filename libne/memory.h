/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for an enclave.
 *
 * The driver takes huge pages only. Which ones, memory_plan() decides from
 * numbers alone; memory_map() gets them.
 */
#ifndef LIBNE_MEMORY_H
#define LIBNE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ne_error;

#define MEMORY_2M (UINT64_C(1) << 21)
#define MEMORY_1G (UINT64_C(1) << 30)

/* Pages that nobody has or has reserved, as the host counts them. */
struct memory_pages {
	uint64_t free_1g;
	uint64_t free_2m;
	uint64_t total_2m; /* vm.nr_hugepages */
};

/* How to make up an enclave's memory: pages of either kind, or neither. */
struct memory_plan {
	uint64_t pages_1g;
	uint64_t pages_2m;
	uint64_t ordinary; /* bytes; the host has too few huge pages */
};

/*
 * The largest pages first. Where 2 MiB pages do not suffice for the rest, one
 * more of 1 GiB is taken. Either huge pages for all of it or for nothing: the
 * driver does not take a mixture. size is a multiple of 2 MiB.
 */
struct memory_plan memory_plan(uint64_t size, const struct memory_pages *pages);

/* Reads the host's counts; what cannot be read counts as 0. */
struct memory_pages memory_pages_read(void);

/*
 * Says what is missing: "cannot reserve 4096 MiB for the enclave: 12 free
 * 2 MiB huge pages, 2048 needed; run: …". Returns -code.
 */
int memory_say_missing(uint64_t size, const struct memory_pages *pages,
		       int code, struct ne_error *err);

/* Consecutive memory of the enclave, wherever it lies in our address space. */
struct memory_region {
	uint8_t *address;
	uint64_t size;
};

/* An enclave's memory: its regions one behind the other. */
struct memory {
	struct memory_region regions[2];
	size_t count;
	bool ordinary; /* no huge pages; one region */
};

/*
 * Maps (at least) size bytes, a multiple of 2 MiB, zeroed and aligned to
 * 2 MiB. Pages that are never touched cost nothing when they are ordinary.
 * -ENOMEM if the machine is too small. memory is empty on failure.
 */
int memory_map(struct memory *memory, uint64_t size, struct ne_error *err);
void memory_unmap(struct memory *memory);

uint64_t memory_size(const struct memory *memory);

/*
 * Puts the first size bytes of a file at offset without copying them: until
 * somebody writes there they are the file's own pages. Ordinary memory can do
 * that. 0, or a negative errno: then memory_copy() it is.
 */
int memory_map_file(const struct memory *memory, uint64_t offset, int fd,
		    size_t size);

/*
 * Copies to offset, across regions. -ENOSPC if it does not fit, and -ENOMEM
 * when huge pages that were promised cannot be had after all.
 */
int memory_copy(const struct memory *memory, uint64_t offset, const void *from,
		size_t size);

#endif
