/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is mapped in another process, from its /proc/<pid>/maps.
 */
#ifndef NE_EMU_MAPPINGS_H
#define NE_EMU_MAPPINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mappings;

/* hugetlb and page_size are only known to those who asked for details. */
struct mapping {
	uint64_t start;
	uint64_t end;
	bool readable;
	bool stack; /* the main thread's, which grows downwards */
	bool hugetlb;
	uint64_t page_size;
};

/*
 * Opens the list for thread tid; details cost the kernel a walk through all
 * page tables. NULL on failure (errno says).
 */
struct mappings *mappings_open(pid_t tid, bool details);
/* NULL is fine. */
void mappings_close(struct mappings *mappings);

/* The next one, in the order of addresses; false at the end. */
bool mappings_next(struct mappings *mappings, struct mapping *mapping);

/*
 * A hole of size bytes whose start is a multiple of alignment (a power of
 * two), as high as it can be without being in the way of the stack.
 * 0 if there is none, or it cannot be found out.
 */
uint64_t mappings_find_hole(pid_t tid, uint64_t size, uint64_t alignment);

#endif
