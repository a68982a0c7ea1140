// SPDX-License-Identifier: Apache-2.0
#include "libne/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mman.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include <ne/error.h>

#include "libne/cleanup.h"

#define POOL_2M "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define POOL_1G "/sys/kernel/mm/hugepages/hugepages-1048576kB/"

static uint64_t divide_up(uint64_t number, uint64_t unit)
{
	return number / unit + (number % unit != 0);
}

struct memory_plan memory_plan(uint64_t size, const struct memory_pages *pages)
{
	struct memory_plan plan = { 0 };
	uint64_t rest;

	plan.pages_1g = size / MEMORY_1G;
	if (plan.pages_1g > pages->free_1g)
		plan.pages_1g = pages->free_1g;
	rest = size - plan.pages_1g * MEMORY_1G;
	plan.pages_2m = rest / MEMORY_2M;
	if (plan.pages_2m <= pages->free_2m)
		return plan;
	if (divide_up(size, MEMORY_1G) <= pages->free_1g)
		return (struct memory_plan){
			.pages_1g = divide_up(size, MEMORY_1G),
		};
	return (struct memory_plan){ .ordinary = size };
}

static uint64_t read_count(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t size;

	if (fd < 0)
		return 0;
	size = read(fd, text, sizeof(text) - 1);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	return strtoull(text, NULL, 10);
}

static uint64_t subtract(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

struct memory_pages memory_pages_read(void)
{
	struct memory_pages pages = {
		.free_1g = read_count(POOL_1G "free_hugepages"),
		.free_2m = read_count(POOL_2M "free_hugepages"),
		.total_2m = read_count(POOL_2M "nr_hugepages"),
	};

	/* Free ones include those that are promised to others. */
	if (pages.free_1g)
		pages.free_1g = subtract(pages.free_1g,
					 read_count(POOL_1G "resv_hugepages"));
	if (pages.free_2m)
		pages.free_2m = subtract(pages.free_2m,
					 read_count(POOL_2M "resv_hugepages"));
	return pages;
}

int memory_say_missing(uint64_t size, const struct memory_pages *pages,
		       int code, struct ne_error *err)
{
	uint64_t rest = size, needed;

	if (pages->free_1g < rest / MEMORY_1G)
		rest -= pages->free_1g * MEMORY_1G;
	else
		rest %= MEMORY_1G;
	needed = divide_up(rest, MEMORY_2M);
	if (needed <= pages->free_2m)
		return ne_error_set(
			err, code,
			"cannot reserve %" PRIu64 " MiB for the enclave: "
			"its %" PRIu64 " free huge pages are not to be had by "
			"this process; is it in a cgroup or cpuset?",
			size >> 20, pages->free_2m);
	return ne_error_set(
		err, code,
		"cannot reserve %" PRIu64 " MiB for the enclave: "
		"%" PRIu64 " free 2 MiB huge pages, %" PRIu64
		" needed; run: sudo sysctl vm.nr_hugepages=%" PRIu64,
		size >> 20, pages->free_2m, needed,
		subtract(pages->total_2m, pages->free_2m) + needed);
}

static bool add_region(struct memory *memory, uint64_t size, int flags)
{
	void *address;

	if (size == 0)
		return true;
	if (size > SIZE_MAX / 2)
		return false;
	address = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (address == MAP_FAILED)
		return false;
	memory->regions[memory->count++] = (struct memory_region){
		.address = address,
		.size = size,
	};
	return true;
}

static bool map_huge(struct memory *memory, const struct memory_plan *plan)
{
	if (add_region(memory, plan->pages_1g * MEMORY_1G,
		       MAP_HUGETLB | MAP_HUGE_1GB) &&
	    add_region(memory, plan->pages_2m * MEMORY_2M,
		       MAP_HUGETLB | MAP_HUGE_2MB))
		return true;
	memory_unmap(memory);
	return false;
}

/* mmap(2) aligns to small pages: map 2 MiB too many, cut off both ends. */
static bool map_ordinary(struct memory *memory, uint64_t size)
{
	struct memory_region *region = &memory->regions[0];
	uint64_t before, behind;

	if (!add_region(memory, size + MEMORY_2M, MAP_NORESERVE))
		return false;
	before = -(uintptr_t)region->address % MEMORY_2M;
	behind = MEMORY_2M - before;
	if (before)
		munmap(region->address, before);
	region->address += before;
	region->size = size;
	memory->ordinary = true;
	if (behind)
		munmap(region->address + size, behind);
	return true;
}

static uint64_t machine_size(void)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return UINT64_MAX;
	return ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

int memory_map(struct memory *memory, uint64_t size, struct ne_error *err)
{
	struct memory_pages pages = memory_pages_read();
	struct memory_plan plan = memory_plan(size, &pages);

	*memory = (struct memory){ 0 };
	/* Somebody may have been faster than we: then there are too few. */
	if (plan.ordinary == 0 && map_huge(memory, &plan))
		return 0;
	if (size > machine_size())
		return ne_error_set(err, ENOMEM,
				    "cannot reserve %" PRIu64 " MiB for the "
				    "enclave: this machine has %" PRIu64
				    " MiB; ask for less",
				    size >> 20, machine_size() >> 20);
	if (!map_ordinary(memory, size))
		return ne_error_set(err, ENOMEM,
				    "cannot reserve %" PRIu64 " MiB for the "
				    "enclave: %s; ask for less",
				    size >> 20, ne_strerror(errno));
	return 0;
}

void memory_unmap(struct memory *memory)
{
	for (size_t i = 0; i < memory->count; i++)
		munmap(memory->regions[i].address, memory->regions[i].size);
	*memory = (struct memory){ 0 };
}

uint64_t memory_size(const struct memory *memory)
{
	uint64_t size = 0;

	for (size_t i = 0; i < memory->count; i++)
		size += memory->regions[i].size;
	return size;
}

int memory_map_file(const struct memory *memory, uint64_t offset, int fd,
		    size_t size)
{
	const struct memory_region *region = &memory->regions[0];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (fd < 0 || !memory->ordinary || offset % page != 0)
		return -EOPNOTSUPP;
	if (offset > region->size || size > region->size - offset)
		return -ENOSPC;
	if (mmap(region->address + offset, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, 0) == MAP_FAILED)
		return -errno;
	return 0;
}

/*
 * Faults the pages in: at once, which is faster than one after the other, and
 * so that huge pages which a cgroup withholds are an error and not SIGBUS.
 */
static int populate(uint8_t *address, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t skip = (uintptr_t)address % page;

	if (madvise(address - skip, size + skip, MADV_POPULATE_WRITE) == 0)
		return 0;
	return errno == EINVAL ? 0 : -ENOMEM;
}

int memory_copy(const struct memory *memory, uint64_t offset, const void *from,
		size_t size)
{
	const uint8_t *bytes = from;
	uint64_t capacity = memory_size(memory);
	int rc;

	if (offset > capacity || size > capacity - offset)
		return -ENOSPC;
	for (size_t i = 0; i < memory->count && size > 0; i++) {
		const struct memory_region *region = &memory->regions[i];
		size_t part = size;

		if (offset >= region->size) {
			offset -= region->size;
			continue;
		}
		if (part > region->size - offset)
			part = region->size - offset;
		rc = populate(region->address + offset, part);
		if (rc < 0)
			return rc;
		memcpy(region->address + offset, bytes, part);
		bytes += part;
		size -= part;
		offset = 0;
	}
	return 0;
}
