// SPDX-License-Identifier: Apache-2.0
/*
 * NE_SET_USER_MEMORY_REGION: what memory is good enough, and in which order
 * it is found wanting.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/memfd.h>
#include <linux/mman.h>

#include "suite.h"

#define KERNEL_ADDRESS 0xffff888000000000ULL
#define LAST_HUGE_PAGE 0xffffffffffe00000ULL

static long region_at(int enclave, uint64_t address, uint64_t size)
{
	return set_region_flags(enclave, NE_DEFAULT_MEMORY_REGION, address,
				size);
}

/* An enclave that has the middle two of six huge pages. */
static int enclave_with_the_middle(char **memory)
{
	int enclave = new_enclave();

	*memory = enclave_memory(6 * HUGE_PAGE);
	expect(set_region(enclave, *memory + 2 * HUGE_PAGE, 2 * HUGE_PAGE), 0);
	return enclave;
}

/* Huge pages of our own, then nothing. */
static char *memory_before_a_hole(size_t memory, size_t hole)
{
	char *at = enclave_memory(memory + hole);

	expect_true(munmap(at + memory, hole) == 0);
	return at;
}

/* --- The argument --------------------------------------------------------------- */

static void bad_pointer(void)
{
	expect(call(new_enclave(), NE_SET_USER_MEMORY_REGION, BAD_POINTER),
	       -EFAULT);
}

static void read_only_argument(void)
{
	struct ne_user_memory_region region = {
		.memory_size = HUGE_PAGE,
		.userspace_addr = (uintptr_t)enclave_memory(HUGE_PAGE),
	};

	expect(call(new_enclave(), NE_SET_USER_MEMORY_REGION,
		    read_only_copy(&region, sizeof(region))),
	       0);
}

static void unknown_flags(void)
{
	static const uint64_t flags[] = { 1, 2, 1ULL << 32, 1ULL << 63, ~0ULL };
	uint64_t memory = (uintptr_t)enclave_memory(HUGE_PAGE);
	int enclave = new_enclave();

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		expect(set_region_flags(enclave, flags[i], memory, HUGE_PAGE),
		       -NE_ERR_INVALID_FLAG_VALUE);
}

static void flags_are_first(void)
{
	uint64_t cid;
	int enclave = running_enclave(0, &cid);

	expect(call(enclave, NE_SET_USER_MEMORY_REGION, BAD_POINTER), -EFAULT);
	expect(set_region_flags(enclave, 1, 1, 1), -NE_ERR_INVALID_FLAG_VALUE);
	expect(region_at(enclave, 1, 1), -NE_ERR_NOT_IN_INIT_STATE);
	expect(set_region(enclave, enclave_memory(HUGE_PAGE), HUGE_PAGE),
	       -NE_ERR_NOT_IN_INIT_STATE);
}

/* --- Size and address ------------------------------------------------------------ */

static void odd_sizes(void)
{
	static const uint64_t sizes[] = {
		1, 4096, MIB, HUGE_PAGE - 1, 3 * MIB, HUGE_PAGE + 4096, ~0ULL
	};
	uint64_t memory = (uintptr_t)enclave_memory(2 * HUGE_PAGE);
	int enclave = new_enclave();

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		expect(region_at(enclave, memory, sizes[i]),
		       -NE_ERR_INVALID_MEM_REGION_SIZE);
}

static void size_is_before_address(void)
{
	int enclave = new_enclave();

	expect(region_at(enclave, 1, 1), -NE_ERR_INVALID_MEM_REGION_SIZE);
	expect(region_at(enclave, LAST_HUGE_PAGE, 1),
	       -NE_ERR_INVALID_MEM_REGION_SIZE);
}

static void odd_addresses(void)
{
	static const uint64_t offsets[] = { 1, 4096, MIB, HUGE_PAGE - 1 };
	uint64_t memory = (uintptr_t)enclave_memory(2 * HUGE_PAGE);
	int enclave = new_enclave();

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		expect(region_at(enclave, memory + offsets[i], HUGE_PAGE),
		       -NE_ERR_UNALIGNED_MEM_REGION_ADDR);
}

static void alignment_is_before_range(void)
{
	expect(region_at(new_enclave(), KERNEL_ADDRESS + 4096, HUGE_PAGE),
	       -NE_ERR_UNALIGNED_MEM_REGION_ADDR);
}

static void addresses_of_the_kernel(void)
{
	int enclave = new_enclave();

	expect(region_at(enclave, KERNEL_ADDRESS, HUGE_PAGE),
	       -NE_ERR_INVALID_MEM_REGION_ADDR);
	expect(region_at(enclave, KERNEL_ADDRESS, 0),
	       -NE_ERR_INVALID_MEM_REGION_ADDR);
}

static void range_that_wraps(void)
{
	uint64_t memory = (uintptr_t)enclave_memory(HUGE_PAGE);
	int enclave = new_enclave();

	expect(region_at(enclave, LAST_HUGE_PAGE, HUGE_PAGE),
	       -NE_ERR_INVALID_MEM_REGION_ADDR);
	expect(region_at(enclave, LAST_HUGE_PAGE, 2 * HUGE_PAGE),
	       -NE_ERR_INVALID_MEM_REGION_ADDR);
	expect(region_at(enclave, memory, -memory),
	       -NE_ERR_INVALID_MEM_REGION_ADDR);
	expect(region_at(enclave, memory, -HUGE_PAGE),
	       -NE_ERR_INVALID_MEM_REGION_ADDR);
	expect(region_at(enclave, memory, 1ULL << 63),
	       -NE_ERR_INVALID_MEM_REGION_ADDR);
}

/* --- Size 0 ---------------------------------------------------------------------- */

static void size_zero(void)
{
	char *memory = enclave_memory(HUGE_PAGE);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	expect(set_region(enclave, memory, 0), -ENOMEM);
	expect(region_at(enclave, 0, 0), -ENOMEM);
	expect(region_at(enclave, (uintptr_t)memory + 4096, 0),
	       -NE_ERR_UNALIGNED_MEM_REGION_ADDR);
	expect(start(enclave, 0, &cid), -NE_ERR_NO_MEM_REGIONS_ADDED);
}

static void size_zero_in_a_region(void)
{
	char *memory;
	int enclave = enclave_with_the_middle(&memory);

	expect(set_region(enclave, memory + 2 * HUGE_PAGE, 0),
	       -NE_ERR_MEM_REGION_ALREADY_USED);
	expect(set_region(enclave, memory + 3 * HUGE_PAGE, 0),
	       -NE_ERR_MEM_REGION_ALREADY_USED);
	expect(set_region(enclave, memory + 4 * HUGE_PAGE, 0), -ENOMEM);
	expect(set_region(enclave, memory + HUGE_PAGE, 0), -ENOMEM);
}

/* --- Overlaps ---------------------------------------------------------------------- */

static void overlaps(void)
{
	static const struct {
		unsigned int first, count;
	} pages[] = {
		{ 2, 2 }, /* the same */
		{ 2, 1 }, /* its head */
		{ 3, 1 }, /* its tail */
		{ 1, 2 }, /* reaching in */
		{ 3, 2 }, /* reaching out */
		{ 1, 4 }, /* around it */
		{ 2, 3 }, /* from its start to beyond */
		{ 1, 3 }, /* from before to its end */
	};
	char *memory;
	int enclave = enclave_with_the_middle(&memory);

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		expect(set_region(enclave, memory + pages[i].first * HUGE_PAGE,
				  pages[i].count * HUGE_PAGE),
		       -NE_ERR_MEM_REGION_ALREADY_USED);
}

static void neighbours(void)
{
	char *memory;
	int enclave = enclave_with_the_middle(&memory);

	expect(set_region(enclave, memory + HUGE_PAGE, HUGE_PAGE), 0);
	expect(set_region(enclave, memory + 4 * HUGE_PAGE, 2 * HUGE_PAGE), 0);
	expect(set_region(enclave, memory, 2 * HUGE_PAGE),
	       -NE_ERR_MEM_REGION_ALREADY_USED);
	expect(set_region(enclave, memory, HUGE_PAGE), 0);
}

static void range_is_before_overlap(void)
{
	char *memory;
	int enclave = enclave_with_the_middle(&memory);

	expect(set_region(enclave, memory + 2 * HUGE_PAGE, 1ULL << 63),
	       -NE_ERR_INVALID_MEM_REGION_ADDR);
}

static void overlap_is_before_pages(void)
{
	char *memory = memory_before_a_hole(2 * HUGE_PAGE, HUGE_PAGE);
	int enclave = new_enclave();

	expect(set_region(enclave, memory + HUGE_PAGE, HUGE_PAGE), 0);
	expect(set_region(enclave, memory + HUGE_PAGE, 2 * HUGE_PAGE),
	       -NE_ERR_MEM_REGION_ALREADY_USED);
	expect(set_region(enclave, memory, 3 * HUGE_PAGE),
	       -NE_ERR_MEM_REGION_ALREADY_USED);
}

/* --- Pages -------------------------------------------------------------------------- */

static void not_mapped(void)
{
	char *memory = memory_before_a_hole(HUGE_PAGE, 2 * HUGE_PAGE);
	int enclave = new_enclave();

	expect(region_at(enclave, 0, HUGE_PAGE), -EFAULT);
	expect(set_region(enclave, memory + HUGE_PAGE, HUGE_PAGE), -EFAULT);
	expect(set_region(enclave, memory, 2 * HUGE_PAGE), -EFAULT);
	expect(set_region(enclave, memory, HUGE_PAGE), 0);
}

static void not_accessible(void)
{
	char *memory = enclave_memory(HUGE_PAGE);

	expect_true(mprotect(memory, HUGE_PAGE, PROT_NONE) == 0);
	expect(set_region(new_enclave(), memory, HUGE_PAGE), -EFAULT);
}

static void read_only_memory(void)
{
	char *memory = enclave_memory(HUGE_PAGE);

	expect_true(mprotect(memory, HUGE_PAGE, PROT_READ) == 0);
	expect(set_region(new_enclave(), memory, HUGE_PAGE), 0);
}

static void refused_memory_does_not_count(void)
{
	char *memory = memory_before_a_hole(HUGE_PAGE, HUGE_PAGE);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	expect(set_region(enclave, memory, 2 * HUGE_PAGE), -EFAULT);
	expect(start(enclave, 0, &cid), -NE_ERR_NO_MEM_REGIONS_ADDED);
}

static void ordinary_memory_is_refused(void)
{
	char *memory = ordinary_memory(2 * HUGE_PAGE);
	int enclave = new_enclave();

	expect(set_region(enclave, memory, HUGE_PAGE),
	       -NE_ERR_MEM_NOT_HUGE_PAGE);
	memset(memory, 1, 2 * HUGE_PAGE);
	expect(set_region(enclave, memory, 2 * HUGE_PAGE),
	       -NE_ERR_MEM_NOT_HUGE_PAGE);
	expect_true(mprotect(memory, HUGE_PAGE, PROT_READ) == 0);
	expect(set_region(enclave, memory, HUGE_PAGE),
	       -NE_ERR_MEM_NOT_HUGE_PAGE);
}

static void transparent_huge_pages_are_refused(void)
{
	char *memory = ordinary_memory(HUGE_PAGE);

	if (madvise(memory, HUGE_PAGE, MADV_HUGEPAGE) < 0)
		skip("this kernel has no transparent huge pages");
	memset(memory, 1, HUGE_PAGE);
	expect(set_region(new_enclave(), memory, HUGE_PAGE),
	       -NE_ERR_MEM_NOT_HUGE_PAGE);
}

/* The first page that is not good decides. */
static void pages_are_looked_at_in_order(void)
{
	char *memory = enclave_memory(3 * HUGE_PAGE);
	int enclave = new_enclave();

	expect_true(munmap(memory + HUGE_PAGE, 2 * HUGE_PAGE) == 0);
	expect_true(mmap(memory + HUGE_PAGE, HUGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == memory + HUGE_PAGE);
	expect(set_region(enclave, memory, 3 * HUGE_PAGE),
	       -NE_ERR_MEM_NOT_HUGE_PAGE);
	expect(set_region(enclave, memory + 2 * HUGE_PAGE, HUGE_PAGE), -EFAULT);
	expect(set_region(enclave, memory, HUGE_PAGE), 0);
}

static void ordinary_memory_will_do(void)
{
	char *memory = ordinary_memory(4 * HUGE_PAGE);
	int enclave = new_enclave();

	expect(set_region(enclave, memory, 2 * HUGE_PAGE), 0);
	memset(memory + 2 * HUGE_PAGE, 1, 2 * HUGE_PAGE);
	expect(set_region(enclave, memory + 2 * HUGE_PAGE, 2 * HUGE_PAGE), 0);
}

static void shared_memory(void)
{
	int fd = memfd_create("region",
			      MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	char *memory = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, HUGE_PAGE) == 0)
		memory = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		skip("needs a free huge page of 2 MiB (vm.nr_hugepages)");
	name_memory(memory, HUGE_PAGE);
	expect(set_region(new_enclave(), memory, HUGE_PAGE), 0);
}

static void shared_ordinary_memory(void)
{
	int fd = memfd_create("region", MFD_CLOEXEC);
	char *memory = ordinary_memory(2 * HUGE_PAGE);

	expect_true(fd >= 0 && ftruncate(fd, 2 * HUGE_PAGE) == 0);
	expect_true(mmap(memory, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) == memory);
	expect(set_region(new_enclave(), memory, 2 * HUGE_PAGE), 0);
}

static void other_numa_node(void)
{
	char *memory = enclave_memory(HUGE_PAGE);

	expect(set_region(new_enclave(), memory, HUGE_PAGE),
	       -NE_ERR_MEM_DIFFERENT_NUMA_NODE);
}

static void kind_of_page_is_before_node(void)
{
	expect(set_region(new_enclave(), ordinary_memory(HUGE_PAGE), HUGE_PAGE),
	       -NE_ERR_MEM_NOT_HUGE_PAGE);
}

/* --- Pages of other sizes -------------------------------------------------------------- */

static char *gigantic_page(void)
{
	char *at =
		mmap(NULL, GIB, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB,
		     -1, 0);

	if (at == MAP_FAILED)
		skip("needs a free huge page of 1 GiB");
	name_memory(at, GIB);
	return at;
}

/*
 * The driver asks for the size of the page that it is given. For a page from
 * the middle of a huge page that is 4 KiB.
 */
static void middle_of_a_gigantic_page(void)
{
	expect(set_region(new_enclave(), gigantic_page() + HUGE_PAGE,
			  HUGE_PAGE),
	       -NE_ERR_INVALID_PAGE_SIZE);
}

static void head_of_a_gigantic_page(void)
{
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	expect(set_region(enclave, gigantic_page(), HUGE_PAGE), 0);
	expect(start(enclave, 0, &cid), -NE_ERR_NO_VCPUS_ADDED);
}

static void pages_that_are_not_aligned(void)
{
	skip("huge pages lie at multiples of their size");
}

static void small_huge_pages(void)
{
#ifdef __aarch64__
	char *memory =
		mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_64KB,
		     -1, 0);

	if (memory == MAP_FAILED)
		skip("needs %llu free huge pages of 64 KiB",
		     2 * HUGE_PAGE / 65536);
	memory += -(uintptr_t)memory % HUGE_PAGE;
	expect(set_region(new_enclave(), memory, HUGE_PAGE),
	       -NE_ERR_INVALID_PAGE_SIZE);
#else
	skip("no huge page of this architecture is smaller than 2 MiB");
#endif
}

/* --- How many ----------------------------------------------------------------------------- */

static void too_many_regions(void)
{
	unsigned int limit = suite.max_mem_regions;
	char *memory = enclave_memory((limit + 1) * HUGE_PAGE);
	int enclave = new_enclave();

	for (unsigned int i = 0; i < limit; i++)
		expect(set_region(enclave, memory + i * HUGE_PAGE, HUGE_PAGE),
		       0);
	expect(set_region(enclave, memory + limit * HUGE_PAGE, HUGE_PAGE),
	       -NE_ERR_MEM_MAX_REGIONS);
	expect(set_region(enclave, memory + limit * HUGE_PAGE, HUGE_PAGE),
	       -NE_ERR_MEM_MAX_REGIONS);
}

static void pages_are_before_the_limit(void)
{
	unsigned int limit = suite.max_mem_regions;
	char *memory = memory_before_a_hole(limit * HUGE_PAGE, HUGE_PAGE);
	int enclave = new_enclave();

	for (unsigned int i = 0; i < limit; i++)
		expect(set_region(enclave, memory + i * HUGE_PAGE, HUGE_PAGE),
		       0);
	expect(set_region(enclave, memory + limit * HUGE_PAGE, HUGE_PAGE),
	       -EFAULT);
	expect(set_region(enclave, memory, HUGE_PAGE),
	       -NE_ERR_MEM_REGION_ALREADY_USED);
}

/* --- Who may ask ------------------------------------------------------------------------------ */

struct request {
	int enclave;
	uint64_t flags, address, size;
};

static long set_in_child(void *data)
{
	struct request *request = data;

	return set_region_flags(request->enclave, request->flags,
				request->address, request->size);
}

static long from_child(int enclave, uint64_t flags, uint64_t address,
		       uint64_t size)
{
	struct request request = { enclave, flags, address, size };

	return in_child(set_in_child, &request);
}

static void another_process(void)
{
	uint64_t memory = (uintptr_t)enclave_memory(HUGE_PAGE);
	int enclave = new_enclave();

	expect(from_child(enclave, 0, memory, HUGE_PAGE), -EIO);
	expect(from_child(enclave, 0, 1, 1), -EIO);
	expect(from_child(enclave, 0, KERNEL_ADDRESS, HUGE_PAGE), -EIO);
	expect(from_child(enclave, 1, memory, HUGE_PAGE),
	       -NE_ERR_INVALID_FLAG_VALUE);
	expect(set_region(enclave, (void *)(uintptr_t)memory, HUGE_PAGE), 0);
}

static void another_process_after_the_start(void)
{
	uint64_t cid;
	int enclave = running_enclave(0, &cid);

	expect(from_child(enclave, 0, 1, 1), -NE_ERR_NOT_IN_INIT_STATE);
}

static const struct test_case cases[] = {
	CASE("NE_SET_USER_MEMORY_REGION with a bad pointer is EFAULT",
	     bad_pointer),
	CASE("NE_SET_USER_MEMORY_REGION writes nothing back",
	     read_only_argument),
	CASE("NE_SET_USER_MEMORY_REGION with unknown flags is NE_ERR_INVALID_FLAG_VALUE",
	     unknown_flags),
	CASE("NE_SET_USER_MEMORY_REGION after the start is NE_ERR_NOT_IN_INIT_STATE, after the flags and before all else",
	     flags_are_first, .needs = NEEDS_IMAGE),
	CASE("a region's size that is no multiple of 2 MiB is NE_ERR_INVALID_MEM_REGION_SIZE",
	     odd_sizes),
	CASE("a region's size is looked at before its address",
	     size_is_before_address),
	CASE("a region's address that is no multiple of 2 MiB is NE_ERR_UNALIGNED_MEM_REGION_ADDR",
	     odd_addresses),
	CASE("a region's alignment is looked at before its range",
	     alignment_is_before_range),
	CASE("a region in the kernel's half is NE_ERR_INVALID_MEM_REGION_ADDR",
	     addresses_of_the_kernel),
	CASE("a region that wraps around is NE_ERR_INVALID_MEM_REGION_ADDR",
	     range_that_wraps),
	CASE("a region of size 0 is ENOMEM and does not count", size_zero),
	CASE("a region of size 0 inside another is NE_ERR_MEM_REGION_ALREADY_USED",
	     size_zero_in_a_region),
	CASE("a region that overlaps another is NE_ERR_MEM_REGION_ALREADY_USED",
	     overlaps),
	CASE("a region may touch another", neighbours),
	CASE("a region's range is looked at before its overlaps",
	     range_is_before_overlap),
	CASE("a region's overlaps are looked at before its pages",
	     overlap_is_before_pages),
	CASE("a region that is not mapped, or not all of it, is EFAULT",
	     not_mapped),
	CASE("a region without access is EFAULT", not_accessible),
	CASE("a region may be read-only", read_only_memory),
	CASE("a region that was refused does not count",
	     refused_memory_does_not_count),
	CASE("a region of ordinary memory is NE_ERR_MEM_NOT_HUGE_PAGE",
	     ordinary_memory_is_refused, .needs = NEEDS_STRICT),
	CASE("a region of transparent huge pages is NE_ERR_MEM_NOT_HUGE_PAGE",
	     transparent_huge_pages_are_refused, .needs = NEEDS_STRICT),
	CASE("a region's pages are looked at in their order",
	     pages_are_looked_at_in_order, .needs = NEEDS_STRICT),
	CASE("a region of ordinary memory is good enough where emulation is lenient",
	     ordinary_memory_will_do, .needs = NEEDS_LENIENT),
	CASE("a region may be shared huge pages", shared_memory),
	CASE("a region may be shared ordinary memory where emulation is lenient",
	     shared_ordinary_memory, .needs = NEEDS_LENIENT),
	CASE("a region on another NUMA node than the pool is NE_ERR_MEM_DIFFERENT_NUMA_NODE",
	     other_numa_node, .needs = NEEDS_STRICT | NEEDS_OTHER_NODE),
	CASE("a region's kind of page is looked at before its NUMA node",
	     kind_of_page_is_before_node,
	     .needs = NEEDS_STRICT | NEEDS_OTHER_NODE),
	CASE("a region from the middle of a 1 GiB page is NE_ERR_INVALID_PAGE_SIZE",
	     middle_of_a_gigantic_page, .needs = NEEDS_STRICT),
	CASE("a region at the head of a 1 GiB page brings all of the page",
	     head_of_a_gigantic_page, .needs = NEEDS_STRICT),
	CASE("a region of huge pages smaller than 2 MiB is NE_ERR_INVALID_PAGE_SIZE",
	     small_huge_pages, .needs = NEEDS_STRICT),
	CASE("a region whose pages are not aligned physically is EINVAL",
	     pages_that_are_not_aligned, .needs = NEEDS_STRICT),
	CASE("a region more than a slot takes is NE_ERR_MEM_MAX_REGIONS",
	     too_many_regions, .needs = NEEDS_MAX_REGIONS),
	CASE("a region's pages and overlaps are looked at before the slot's limit",
	     pages_are_before_the_limit, .needs = NEEDS_MAX_REGIONS),
	CASE("NE_SET_USER_MEMORY_REGION by a forked child is EIO, after the flags and before all else",
	     another_process),
	CASE("NE_SET_USER_MEMORY_REGION by a forked child after the start is NE_ERR_NOT_IN_INIT_STATE",
	     another_process_after_the_start, .needs = NEEDS_IMAGE),
};

const struct test_group memory_cases = { cases, ARRAY_SIZE(cases) };
