// SPDX-License-Identifier: Apache-2.0
/*
 * NE_START_ENCLAVE, and what an enclave starts from.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

#define CHOSEN_CID 4242

static void bad_pointer(void)
{
	expect(call(new_enclave(), NE_START_ENCLAVE, BAD_POINTER), -EFAULT);
}

static void unknown_flags(void)
{
	static const uint64_t flags[] = { 2, 3, 1ULL << 32, 1ULL << 63, ~0ULL };
	int enclave = new_enclave();

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		uint64_t cid = CID_AUTO;

		expect(start(enclave, flags[i], &cid),
		       -NE_ERR_INVALID_FLAG_VALUE);
		expect_true(cid == CID_AUTO);
	}
}

static void bad_cids(void)
{
	static const uint64_t cids[] = { 1,
					 2,
					 CID_PARENT,
					 0xffffffffULL,
					 0x100000000ULL,
					 0x100000010ULL,
					 1ULL << 63,
					 ~0ULL };
	int enclave = new_enclave();

	for (size_t i = 0; i < ARRAY_SIZE(cids); i++) {
		uint64_t cid = cids[i];

		expect(start(enclave, 0, &cid), -NE_ERR_INVALID_ENCLAVE_CID);
		expect_true(cid == cids[i]);
	}
}

static void flags_are_before_cid(void)
{
	uint64_t cid = CID_PARENT;

	expect(start(new_enclave(), 2, &cid), -NE_ERR_INVALID_FLAG_VALUE);
}

static void flags_and_cid_are_before_state(void)
{
	uint64_t cid;
	int enclave = running_enclave(0, &cid);

	expect(call(enclave, NE_START_ENCLAVE, BAD_POINTER), -EFAULT);
	cid = CID_AUTO;
	expect(start(enclave, 2, &cid), -NE_ERR_INVALID_FLAG_VALUE);
	cid = CID_PARENT;
	expect(start(enclave, 0, &cid), -NE_ERR_INVALID_ENCLAVE_CID);
	cid = CID_AUTO;
	expect(start(enclave, 0, &cid), -NE_ERR_NOT_IN_INIT_STATE);
	expect_true(cid == CID_AUTO);
}

/* --- What is still missing, in the order in which the driver asks for it ---- */

static void no_memory(void)
{
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	expect(start(enclave, 0, &cid), -NE_ERR_NO_MEM_REGIONS_ADDED);
	give_vcpu(enclave, 0);
	expect(start(enclave, 0, &cid), -NE_ERR_NO_MEM_REGIONS_ADDED);
	expect_true(cid == CID_AUTO);
}

static void little_memory(void)
{
	char *memory = enclave_memory(ENCLAVE_MIN);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	expect(set_region(enclave, memory, ENCLAVE_MIN - HUGE_PAGE), 0);
	expect(start(enclave, 0, &cid), -NE_ERR_ENCLAVE_MEM_MIN_SIZE);
	give_core(enclave, 0);
	expect(start(enclave, 0, &cid), -NE_ERR_ENCLAVE_MEM_MIN_SIZE);
}

static void just_enough_memory(void)
{
	char *memory = enclave_memory(ENCLAVE_MIN);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	expect(set_region(enclave, memory, ENCLAVE_MIN - HUGE_PAGE), 0);
	expect(set_region(enclave, memory + ENCLAVE_MIN - HUGE_PAGE, HUGE_PAGE),
	       0);
	expect(start(enclave, 0, &cid), -NE_ERR_NO_VCPUS_ADDED);
}

static void half_a_core(void)
{
	char *memory = enclave_memory(ENCLAVE_MIN);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	expect(set_region(enclave, memory, ENCLAVE_MIN), 0);
	give_vcpu(enclave, pool_cpu(0, 1));
	expect(start(enclave, 0, &cid), -NE_ERR_FULL_CORES_NOT_USED);
	give_core(enclave, 1);
	expect(start(enclave, 0, &cid), -NE_ERR_FULL_CORES_NOT_USED);
}

static long add_any(void *enclave)
{
	uint32_t id = 0;

	return add_vcpu(*(int *)enclave, &id);
}

/* A child's attempt leaves a core with the enclave that it does not use. */
static void core_that_a_child_left(void)
{
	char *memory = enclave_memory(ENCLAVE_MIN);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	expect(set_region(enclave, memory, ENCLAVE_MIN), 0);
	expect(in_child(add_any, &enclave), -EIO);
	expect(start(enclave, 0, &cid), -NE_ERR_NO_VCPUS_ADDED);
	give_core(enclave, 1);
	expect(start(enclave, 0, &cid), -NE_ERR_FULL_CORES_NOT_USED);
}

/* --- It runs -------------------------------------------------------------------- */

static void boots(void)
{
	uint64_t cid;
	int connection;
	int enclave = booted_enclave(0, &cid, &connection);

	expect_true(cid > CID_PARENT && cid < 0xffffffff);
	expect_true(init_answers(connection));
	expect_quiet(enclave);
}

static void boots_in_production_mode(void)
{
	int listener = hear_heartbeats();
	int enclave = ready_enclave(0);
	uint64_t cid = CID_AUTO;

	expect(start(enclave, NE_ENCLAVE_PRODUCTION_MODE, &cid), 0);
	expect_true(init_answers(booted(listener, cid)));
}

static void boots_with_a_chosen_cid(void)
{
	int listener = hear_heartbeats();
	int enclave = ready_enclave(0);
	uint64_t cid = CHOSEN_CID;

	expect(start(enclave, 0, &cid), 0);
	expect_true(cid == CHOSEN_CID);
	booted(listener, cid);
}

static void cids_differ(void)
{
	uint64_t first;
	uint64_t second;

	running_enclave(0, &first);
	running_enclave(1, &second);
	expect_true(first != second);
}

static void cid_is_taken(void)
{
	int listener = hear_heartbeats();
	uint64_t cid;
	uint64_t same;
	int enclave;

	running_enclave(0, &cid);
	close(booted(listener, cid));
	same = cid;
	enclave = ready_enclave(1);
	expect_true(start(enclave, 0, &same) < 0);
	same = CID_AUTO;
	expect(start(enclave, 0, &same), 0);
	booted(listener, same);
}

static void second_start(void)
{
	uint64_t cid;
	int connection;
	int enclave = booted_enclave(0, &cid, &connection);

	expect(start(enclave, 0, &cid), -NE_ERR_NOT_IN_INIT_STATE);
	expect_true(init_answers(connection));
}

static void starts_after_a_refusal(void)
{
	int listener = hear_heartbeats();
	size_t size = suite.enclave_mem_mib * MIB;
	char *memory = enclave_memory(size);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	load_image(memory, size);
	expect(start(enclave, 0, &cid), -NE_ERR_NO_MEM_REGIONS_ADDED);
	expect(set_region(enclave, memory, size), 0);
	expect(start(enclave, 0, &cid), -NE_ERR_NO_VCPUS_ADDED);
	give_core(enclave, 0);
	expect(start(enclave, 0, &cid), 0);
	booted(listener, cid);
}

static void read_only_argument(void)
{
	struct ne_enclave_start_info info = { .enclave_cid = CHOSEN_CID };
	int listener = hear_heartbeats();
	int enclave = ready_enclave(0);
	uint64_t cid = CID_AUTO;

	expect(call(enclave, NE_START_ENCLAVE,
		    read_only_copy(&info, sizeof(info))),
	       -EFAULT);
	expect(start(enclave, 0, &cid), -NE_ERR_NOT_IN_INIT_STATE);
	booted(listener, CHOSEN_CID);
}

static long start_it(void *enclave)
{
	uint64_t cid = CHOSEN_CID;

	return start(*(int *)enclave, 0, &cid);
}

static void another_process(void)
{
	int listener = hear_heartbeats();
	int enclave = ready_enclave(0);

	expect(in_child(start_it, &enclave), 0);
	expect_true(init_answers(booted(listener, CHOSEN_CID)));
}

static void several_cores(void)
{
	int listener = hear_heartbeats();
	int enclave = ready_enclave(0);
	uint64_t cid = CID_AUTO;

	give_core(enclave, 1);
	expect(start(enclave, 0, &cid), 0);
	booted(listener, cid);
}

/* --- Where the image lies --------------------------------------------------------- */

/* The image begins 8 MiB into the regions as they were added, end to end. */
static void memory_is_in_the_order_of_adding(void)
{
	int listener = hear_heartbeats();
	size_t pages = suite.enclave_mem_mib * MIB / HUGE_PAGE;
	char *image = ordinary_memory(pages * HUGE_PAGE);
	char *memory = enclave_memory(pages * HUGE_PAGE);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	load_image(image, pages * HUGE_PAGE);
	for (size_t i = 0; i < pages; i++) {
		char *at = memory + (pages - 1 - i) * HUGE_PAGE;

		memcpy(at, image + i * HUGE_PAGE, HUGE_PAGE);
		expect(set_region(enclave, at, HUGE_PAGE), 0);
	}
	give_core(enclave, 0);
	expect(start(enclave, 0, &cid), 0);
	expect_true(init_answers(booted(listener, cid)));
}

static void image_across_regions(void)
{
	int listener = hear_heartbeats();
	size_t size = suite.enclave_mem_mib * MIB;
	size_t first = LOAD_OFFSET - HUGE_PAGE;
	char *memory = enclave_memory(size + HUGE_PAGE);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	/* A gap of one huge page before the region where the image begins. */
	load_image(memory + HUGE_PAGE, size);
	expect(set_region(enclave, memory, first), 0);
	expect(set_region(enclave, memory + first + HUGE_PAGE, size - first),
	       0);
	give_core(enclave, 0);
	expect(start(enclave, 0, &cid), 0);
	booted(listener, cid);
}

/* The driver holds the pages, whatever becomes of the mapping. */
static void memory_stays_when_it_is_unmapped(void)
{
	int listener = hear_heartbeats();
	size_t size = suite.enclave_mem_mib * MIB;
	char *memory = enclave_memory(size);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	load_image(memory, size);
	expect(set_region(enclave, memory, size), 0);
	munmap(memory, size);
	give_core(enclave, 0);
	expect(start(enclave, 0, &cid), 0);
	booted(listener, cid);
}

static void no_image(void)
{
	char *memory = enclave_memory(ENCLAVE_MIN);
	int enclave = new_enclave();
	uint64_t cid = CID_AUTO;

	memset(memory, 0, 16 * MIB);
	expect(set_region(enclave, memory, ENCLAVE_MIN), 0);
	give_core(enclave, 0);
	if (start(enclave, 0, &cid) == 0)
		expect_hangup(enclave);
}

static const struct test_case cases[] = {
	CASE("NE_START_ENCLAVE with a bad pointer is EFAULT", bad_pointer),
	CASE("NE_START_ENCLAVE with unknown flags is NE_ERR_INVALID_FLAG_VALUE",
	     unknown_flags),
	CASE("NE_START_ENCLAVE with a CID that is not to be had is NE_ERR_INVALID_ENCLAVE_CID",
	     bad_cids),
	CASE("NE_START_ENCLAVE looks at the flags before the CID",
	     flags_are_before_cid),
	CASE("NE_START_ENCLAVE looks at the flags and the CID before the state",
	     flags_and_cid_are_before_state, .needs = NEEDS_IMAGE),
	CASE("NE_START_ENCLAVE without memory is NE_ERR_NO_MEM_REGIONS_ADDED",
	     no_memory),
	CASE("NE_START_ENCLAVE with less than 64 MiB is NE_ERR_ENCLAVE_MEM_MIN_SIZE",
	     little_memory),
	CASE("NE_START_ENCLAVE with 64 MiB but no vCPU is NE_ERR_NO_VCPUS_ADDED",
	     just_enough_memory),
	CASE("NE_START_ENCLAVE with half a core is NE_ERR_FULL_CORES_NOT_USED",
	     half_a_core, .needs = NEEDS_SIBLINGS, .cores = 2),
	CASE("NE_START_ENCLAVE counts a core that a forked child left unused",
	     core_that_a_child_left, .cores = 2),
	CASE("an enclave boots and nothing is to be polled while it runs",
	     boots, .needs = NEEDS_IMAGE),
	CASE("an enclave boots in production mode", boots_in_production_mode,
	     .needs = NEEDS_IMAGE),
	CASE("an enclave gets the CID that was chosen", boots_with_a_chosen_cid,
	     .needs = NEEDS_IMAGE),
	CASE("enclaves that do not choose get CIDs that differ", cids_differ,
	     .needs = NEEDS_IMAGE, .cores = 2),
	CASE("a CID that is taken is refused, and another one is taken then",
	     cid_is_taken, .needs = NEEDS_IMAGE, .cores = 2),
	CASE("a second start is NE_ERR_NOT_IN_INIT_STATE and harms nobody",
	     second_start, .needs = NEEDS_IMAGE),
	CASE("a start that was refused can be repeated", starts_after_a_refusal,
	     .needs = NEEDS_IMAGE),
	CASE("NE_START_ENCLAVE to memory that cannot be written is EFAULT, and the enclave runs",
	     read_only_argument, .needs = NEEDS_IMAGE),
	CASE("an enclave can be started by a forked child", another_process,
	     .needs = NEEDS_IMAGE),
	CASE("an enclave starts with several cores", several_cores,
	     .needs = NEEDS_IMAGE, .cores = 2),
	CASE("an enclave's memory is its regions in the order of adding",
	     memory_is_in_the_order_of_adding, .needs = NEEDS_IMAGE),
	CASE("an image may lie across regions", image_across_regions,
	     .needs = NEEDS_IMAGE),
	CASE("an enclave keeps memory that its owner has unmapped",
	     memory_stays_when_it_is_unmapped, .needs = NEEDS_IMAGE,
	     .known_difference = "emulated, the image is read at the start"),
	CASE("an enclave without an image never runs for long", no_image),
};

const struct test_group start_cases = { cases, ARRAY_SIZE(cases) };
