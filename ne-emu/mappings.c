// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/mappings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libne/cleanup.h"

/* Nothing is put below this address: NULL pointers shall go on to fault. */
#define LOWEST_HOLE (1ULL << 32)

struct mappings {
	FILE *file;
	bool details;
	char *line;
	size_t line_size;
	bool have_header; /* line is the header of the mapping to come */
};

struct mappings *mappings_open(pid_t tid, bool details)
{
	struct mappings *mappings = calloc(1, sizeof(*mappings));
	char path[64];

	if (!mappings)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/%s", tid,
		 details ? "smaps" : "maps");
	mappings->details = details;
	mappings->file = fopen(path, "re");
	if (!mappings->file) {
		free(mappings);
		return NULL;
	}
	return mappings;
}

void mappings_close(struct mappings *mappings)
{
	if (!mappings)
		return;
	fclose(mappings->file);
	free(mappings->line);
	free(mappings);
}

static bool read_line(struct mappings *mappings)
{
	return getline(&mappings->line, &mappings->line_size, mappings->file) >
	       0;
}

/* "7f5c8a000000-7f5c8a021000 rw-p 00000000 00:00 0      [stack]" */
static bool parse_header(const char *line, struct mapping *mapping)
{
	uint64_t start, end;
	char readable;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %c", &start, &end,
		   &readable) != 3)
		return false;
	*mapping = (struct mapping){ .start = start,
				     .end = end,
				     .readable = readable == 'r',
				     .stack = strstr(line, " [stack]") };
	return true;
}

/* "KernelPageSize:     2048 kB", "VmFlags: rd wr mr mw me ht sd" */
static void parse_detail(const char *line, struct mapping *mapping)
{
	uint64_t kib;

	if (sscanf(line, "KernelPageSize: %" SCNu64 " kB", &kib) == 1)
		mapping->page_size = kib * 1024;
	else if (!strncmp(line, "VmFlags:", 8))
		mapping->hugetlb = strstr(line, " ht");
}

bool mappings_next(struct mappings *mappings, struct mapping *mapping)
{
	struct mapping ignored;

	if (!mappings->have_header && !read_line(mappings))
		return false;
	mappings->have_header = false;
	if (!parse_header(mappings->line, mapping))
		return false;
	while (mappings->details && read_line(mappings)) {
		if (parse_header(mappings->line, &ignored)) {
			mappings->have_header = true;
			break;
		}
		parse_detail(mappings->line, mapping);
	}
	return true;
}

static void close_mappings(struct mappings **mappings)
{
	mappings_close(*mappings);
}

uint64_t mappings_find_hole(pid_t tid, uint64_t size, uint64_t alignment)
{
	__attribute__((cleanup(close_mappings))) struct mappings *mappings =
		mappings_open(tid, false);
	uint64_t hole = LOWEST_HOLE;
	uint64_t best = 0;
	struct mapping next;

	if (!mappings)
		return 0;
	while (mappings_next(mappings, &next)) {
		uint64_t at = 0;

		if (next.start > hole && next.start - hole >= size)
			at = (next.start - size) & ~(alignment - 1);
		if (at >= hole && !next.stack)
			best = at;
		if (next.end > hole)
			hole = next.end;
		if (next.stack)
			break;
	}
	return best;
}
