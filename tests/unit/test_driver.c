// SPDX-License-Identifier: Apache-2.0
/*
 * The driver's ioctls against a client made of two stretches of memory: a
 * page for the arguments, and what it donates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/nitro_enclaves.h>

#include <ne/end_reason.h>
#include <ne/error.h>

#include "fakes.h"
#include "libne/cleanup.h"
#include "ne-emu/driver.h"
#include "ne-emu/hypervisor.h"
#include "ne-emu/pool.h"
#include "plumbing/claim.h"
#include "plumbing/loop.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define PAGE (2 * MIB)
#define MEMORY_SIZE (128 * MIB)

/* The client's addresses. */
#define ARGUMENT 0x10000ULL
#define ARGUMENT_SIZE 4096
#define MEMORY 0x40000000ULL
#define NOWHERE 0x10ULL
#define KERNEL 0xffff800000000000ULL

static struct topology topology;
static struct pool pool;
static struct hypervisor hypervisor;
static struct driver driver;
static struct enclave *enclave;

static uint8_t argument[ARGUMENT_SIZE];
static uint8_t *memory;
static bool argument_is_read_only;
static bool is_creator;
static bool is_unmapped;
static struct pages pages;
static int node;
static unsigned int ends;

/* --- The client ---------------------------------------------------------- */

static uint8_t *locate(uint64_t address, size_t size)
{
	if (address >= ARGUMENT && address + size <= ARGUMENT + ARGUMENT_SIZE)
		return argument + (address - ARGUMENT);
	if (address >= MEMORY && address + size <= MEMORY + MEMORY_SIZE)
		return memory + (address - MEMORY);
	return NULL;
}

static int client_read(void *data, uint64_t address, void *to, size_t size)
{
	const uint8_t *from = locate(address, size);

	(void)data;
	if (!from)
		return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

static int client_write(void *data, uint64_t address, const void *from,
			size_t size)
{
	uint8_t *to = locate(address, size);

	(void)data;
	if (!to || argument_is_read_only)
		return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

static int client_pages(void *data, uint64_t address, struct pages *found)
{
	(void)data;
	if (is_unmapped || address < MEMORY)
		return -EFAULT;
	*found = pages;
	return 0;
}

static int client_node(void *data, uint64_t address)
{
	(void)data;
	(void)address;
	return node;
}

static bool client_in_space(void *data, void *space)
{
	(void)data;
	assert_ptr_equal(space, &is_creator);
	return is_creator;
}

static int client_read_space(void *data, void *space, uint64_t address,
			     void *to, size_t size)
{
	assert_ptr_equal(space, &is_creator);
	return client_read(data, address, to, size);
}

static const struct client client = {
	.read = client_read,
	.write = client_write,
	.pages = client_pages,
	.node = client_node,
	.in_space = client_in_space,
	.read_space = client_read_space,
};

static void count_end(void *data)
{
	(void)data;
	ends++;
}

/* --- Its calls ----------------------------------------------------------- */

static int create_at(uint64_t address, struct enclave **new)
{
	return enclave_create(new, &driver, &client, address, &is_creator,
			      count_end, NULL);
}

static struct enclave *create(void)
{
	struct enclave *new;

	assert_int_equal(create_at(ARGUMENT, &new), 0);
	return new;
}

/* An ioctl whose answer arrives, or not. */
static int call_settled(struct enclave *which, uint32_t command, void *in,
			size_t size, bool delivered)
{
	int r;

	memcpy(argument, in, size);
	r = enclave_ioctl(which, &client, command, ARGUMENT);
	enclave_settle(which, delivered);
	memcpy(in, argument, size);
	return r;
}

static int call(uint32_t command, void *in, size_t size)
{
	return call_settled(enclave, command, in, size, true);
}

static int add_vcpu(uint32_t id)
{
	return call(NE_ADD_VCPU, &id, sizeof(id));
}

static uint32_t add_any_vcpu(struct enclave *to)
{
	uint32_t id = 0;

	assert_int_equal(call_settled(to, NE_ADD_VCPU, &id, sizeof(id), true),
			 0);
	return id;
}

static int set_memory(uint64_t address, uint64_t size)
{
	struct ne_user_memory_region region = { .userspace_addr = address,
						.memory_size = size };

	return call(NE_SET_USER_MEMORY_REGION, &region, sizeof(region));
}

static int start_with(uint64_t flags, uint64_t *cid)
{
	struct ne_enclave_start_info info = { flags, *cid };
	int r = call(NE_START_ENCLAVE, &info, sizeof(info));

	*cid = info.enclave_cid;
	return r;
}

static int start(void)
{
	uint64_t cid = 0;

	return start_with(0, &cid);
}

static void make_ready(void)
{
	assert_int_equal(set_memory(MEMORY, 64 * MIB), 0);
	assert_int_equal(add_vcpu(2), 0);
	assert_int_equal(add_vcpu(3), 0);
}

/* An argument that is not there, for any command. */
static int call_at(uint32_t command, uint64_t address)
{
	int r = enclave_ioctl(enclave, &client, command, address);

	enclave_settle(enclave, true);
	return r;
}

/* --- Before and after each ----------------------------------------------- */

static int set_up(void **state)
{
	size_t image_size;
	uint8_t *image = fakes_image(&image_size);
	int runtime = fakes_open_runtime();

	(void)state;
	assert_int_equal(topology_init(&topology, 8, 2, "2-5", NULL), 0);
	pool = (struct pool){ .runtime = runtime, .topology = &topology };
	hypervisor = (struct hypervisor){ .loop = loop_new(),
					  .runtime = runtime,
					  .machine = &fake_machine_ops };
	driver = (struct driver){ .hypervisor = &hypervisor,
				  .pool = &pool,
				  .numa_node = -1,
				  .max_mem_regions = 32 };
	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	memcpy(memory + IMAGE_LOAD_OFFSET, image, image_size);
	free(image);
	argument_is_read_only = false;
	is_creator = true;
	is_unmapped = false;
	pages = (struct pages){ MEMORY + MEMORY_SIZE, PAGE, true };
	node = 0;
	ends = 0;
	fake_machine = (struct fake_machine){ 0 };
	enclave = create();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	enclave_free(enclave);
	for (unsigned int cpu = 0; cpu < topology.cpus; cpu++)
		assert_true(claim_is_free(pool.runtime, "cpu", cpu));
	loop_free(hypervisor.loop);
	fakes_close_runtime(pool.runtime);
	munmap(memory, MEMORY_SIZE);
	return 0;
}

/* --- Any command --------------------------------------------------------- */

static void an_argument_that_is_not_there_is_efault(void **state)
{
	static const uint32_t commands[] = {
		NE_ADD_VCPU, NE_GET_IMAGE_LOAD_INFO, NE_SET_USER_MEMORY_REGION,
		NE_START_ENCLAVE, NE_GET_END_REASON
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		assert_int_equal(call_at(commands[i], NOWHERE), -EFAULT);
	/* Before everything else, the state included. */
	make_ready();
	assert_int_equal(start(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		assert_int_equal(call_at(commands[i], NOWHERE), -EFAULT);
}

static void an_unknown_command_is_enotty(void **state)
{
	(void)state;
	assert_int_equal(call_at(NE_CREATE_VM, ARGUMENT), -ENOTTY);
	assert_int_equal(call_at(0xae25, NOWHERE), -ENOTTY);
	assert_int_equal(call_at(0, NOWHERE), -ENOTTY);
}

static void after_the_start_nothing_can_be_added(void **state)
{
	struct ne_image_load_info info = { 0 };

	(void)state;
	make_ready();
	assert_int_equal(start(), 0);
	/* Before what else would be wrong with them. */
	assert_int_equal(add_vcpu(1000), -NE_ERR_NOT_IN_INIT_STATE);
	assert_int_equal(call(NE_GET_IMAGE_LOAD_INFO, &info, sizeof(info)),
			 -NE_ERR_NOT_IN_INIT_STATE);
	is_creator = false;
	assert_int_equal(set_memory(1, 1), -NE_ERR_NOT_IN_INIT_STATE);
	assert_int_equal(start(), -NE_ERR_NOT_IN_INIT_STATE);
	fake_machine_end("it was enough", false);
	fakes_run(hypervisor.loop);
	assert_int_equal(ends, 1);
	assert_int_equal(add_vcpu(0), -NE_ERR_NOT_IN_INIT_STATE);
	assert_int_equal(start(), -NE_ERR_NOT_IN_INIT_STATE);
}

/* --- NE_CREATE_VM -------------------------------------------------------- */

static void create_writes_the_slot_id(void **state)
{
	struct enclave *another = create();
	uint64_t id;

	(void)state;
	memcpy(&id, argument, sizeof(id));
	assert_true(id == enclave_slot(another));
	assert_true(id != enclave_slot(enclave));
	enclave_free(another);
}

static void create_with_nowhere_to_write_leaves_no_slot(void **state)
{
	struct enclave *another = NULL;

	(void)state;
	assert_int_equal(create_at(NOWHERE, &another), -EFAULT);
	assert_null(another);
	assert_true(claim_is_free(pool.runtime, "slot", 1));
}

static void create_needs_a_free_core(void **state)
{
	struct enclave *another;

	(void)state;
	assert_int_equal(add_vcpu(2), 0);
	enclave_free(create());
	assert_int_equal(add_vcpu(5), 0);
	assert_int_equal(create_at(ARGUMENT, &another),
			 -NE_ERR_NO_CPUS_AVAIL_IN_POOL);
	/* Before the argument is looked at. */
	assert_int_equal(create_at(NOWHERE, &another),
			 -NE_ERR_NO_CPUS_AVAIL_IN_POOL);
}

static void create_without_a_pool_finds_no_cpus(void **state)
{
	struct enclave *another;

	(void)state;
	assert_int_equal(topology_init(&topology, 8, 2, "", NULL), 0);
	assert_int_equal(create_at(ARGUMENT, &another),
			 -NE_ERR_NO_CPUS_AVAIL_IN_POOL);
}

/* --- NE_ADD_VCPU --------------------------------------------------------- */

static void cpus_are_chosen_core_by_core(void **state)
{
	struct enclave *another = create();

	(void)state;
	assert_int_equal(add_any_vcpu(enclave), 2);
	assert_int_equal(add_any_vcpu(another), 4);
	assert_int_equal(add_any_vcpu(enclave), 3);
	assert_int_equal(add_any_vcpu(another), 5);
	assert_int_equal(add_vcpu(0), -NE_ERR_NO_CPUS_AVAIL_IN_POOL);
	enclave_free(another);
	assert_int_equal(add_any_vcpu(enclave), 4);
}

static void cpus_that_are_asked_for_are_checked(void **state)
{
	struct enclave *another = create();

	(void)state;
	assert_int_equal(add_any_vcpu(another), 2);
	assert_int_equal(add_vcpu(8), -NE_ERR_INVALID_VCPU);
	assert_int_equal(add_vcpu(UINT32_MAX), -NE_ERR_INVALID_VCPU);
	/* Not in the pool; in another enclave, or on a core of it. */
	assert_int_equal(add_vcpu(1), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
	assert_int_equal(add_vcpu(7), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
	assert_int_equal(add_vcpu(2), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
	assert_int_equal(add_vcpu(3), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
	assert_int_equal(add_vcpu(5), 0);
	assert_int_equal(add_vcpu(5), -NE_ERR_VCPU_ALREADY_USED);
	assert_int_equal(add_vcpu(4), 0);
	assert_int_equal(add_vcpu(4), -NE_ERR_VCPU_ALREADY_USED);
	enclave_free(another);
}

static void cpus_of_another_process_are_taken(void **state)
{
	int claim = claim_take(pool.runtime, "cpu", 3);

	(void)state;
	assert_true(claim >= 0);
	assert_int_equal(add_vcpu(2), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
	assert_int_equal(add_any_vcpu(enclave), 4);
	assert_int_equal(add_any_vcpu(enclave), 5);
	assert_int_equal(add_vcpu(0), -NE_ERR_NO_CPUS_AVAIL_IN_POOL);
	close(claim);
	assert_int_equal(add_any_vcpu(enclave), 2);
}

static void another_address_space_may_not_add_but_takes_the_core(void **state)
{
	(void)state;
	is_creator = false;
	assert_int_equal(add_vcpu(1), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
	assert_int_equal(add_vcpu(4), -EIO);
	assert_false(claim_is_free(pool.runtime, "cpu", 4));
	is_creator = true;
	/* The core that it holds comes first. */
	assert_int_equal(add_any_vcpu(enclave), 4);
}

static void a_cpu_whose_number_cannot_be_written_is_added(void **state)
{
	uint32_t id = 2;

	(void)state;
	argument_is_read_only = true;
	assert_int_equal(call(NE_ADD_VCPU, &id, sizeof(id)), -EFAULT);
	assert_int_equal(add_vcpu(2), -NE_ERR_VCPU_ALREADY_USED);
}

static void a_cpu_that_nobody_heard_of_is_given_back(void **state)
{
	uint32_t id = 0;

	(void)state;
	assert_int_equal(
		call_settled(enclave, NE_ADD_VCPU, &id, sizeof(id), false), 0);
	assert_int_equal(id, 2);
	assert_true(claim_is_free(pool.runtime, "cpu", 2));
	assert_true(claim_is_free(pool.runtime, "cpu", 3));
	/* A core that was held before stays. */
	assert_int_equal(add_vcpu(3), 0);
	id = 0;
	assert_int_equal(
		call_settled(enclave, NE_ADD_VCPU, &id, sizeof(id), false), 0);
	assert_int_equal(id, 2);
	assert_false(claim_is_free(pool.runtime, "cpu", 2));
	assert_int_equal(add_any_vcpu(enclave), 2);
	/* So does the count: it could not be started with none. */
	assert_int_equal(set_memory(MEMORY, 64 * MIB), 0);
	assert_int_equal(start(), 0);
	assert_int_equal(fake_machine.spec.cpus, 2);
}

static void an_error_that_nobody_heard_of_changes_nothing(void **state)
{
	uint32_t id = 2;

	(void)state;
	is_creator = false;
	assert_int_equal(call_settled(enclave, NE_ADD_VCPU, &id, sizeof(id),
				      false),
			 -EIO);
	assert_true(claim_is_free(pool.runtime, "cpu", 2));
}

/* --- NE_GET_IMAGE_LOAD_INFO ---------------------------------------------- */

static void an_image_is_loaded_at_8_mib(void **state)
{
	static const uint64_t bad[] = { 0, 2, 3, 1ULL << 32, UINT64_MAX };
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };

	(void)state;
	assert_int_equal(call(NE_GET_IMAGE_LOAD_INFO, &info, sizeof(info)), 0);
	assert_int_equal(info.flags, NE_EIF_IMAGE);
	assert_int_equal(info.memory_offset, 8 * MIB);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		info.flags = bad[i];
		assert_int_equal(call(NE_GET_IMAGE_LOAD_INFO, &info,
				      sizeof(info)),
				 -NE_ERR_INVALID_FLAG_VALUE);
	}
	info.flags = NE_EIF_IMAGE;
	argument_is_read_only = true;
	assert_int_equal(call(NE_GET_IMAGE_LOAD_INFO, &info, sizeof(info)),
			 -EFAULT);
}

/* --- NE_SET_USER_MEMORY_REGION ------------------------------------------- */

static void memory_is_checked_in_the_order_of_the_driver(void **state)
{
	static const struct {
		uint64_t address, size;
		int result;
	} cases[] = {
		/* Everything is wrong, then always less. */
		{ KERNEL + 1, 1, -NE_ERR_INVALID_MEM_REGION_SIZE },
		{ KERNEL + 1, PAGE, -NE_ERR_UNALIGNED_MEM_REGION_ADDR },
		{ KERNEL, PAGE, -NE_ERR_INVALID_MEM_REGION_ADDR },
		{ MEMORY, PAGE, -NE_ERR_MEM_REGION_ALREADY_USED },
		{ MEMORY + PAGE, PAGE, 0 },

		{ MEMORY + 8 * PAGE, 4096, -NE_ERR_INVALID_MEM_REGION_SIZE },
		{ MEMORY + 8 * PAGE, PAGE + 1,
		  -NE_ERR_INVALID_MEM_REGION_SIZE },
		{ MEMORY + 4096, PAGE, -NE_ERR_UNALIGNED_MEM_REGION_ADDR },
		/* No sum may wrap. */
		{ 0 - PAGE, PAGE, -NE_ERR_INVALID_MEM_REGION_ADDR },
		{ 0 - PAGE, 2 * PAGE, -NE_ERR_INVALID_MEM_REGION_ADDR },
		{ MEMORY, 0 - PAGE, -NE_ERR_INVALID_MEM_REGION_ADDR },
		{ MEMORY, 0 - MEMORY, -NE_ERR_INVALID_MEM_REGION_ADDR },
		/* The driver's list of pages is empty, or too large. */
		{ MEMORY + 8 * PAGE, 0, -ENOMEM },
		{ MEMORY + 8 * PAGE, 512 * GIB + PAGE, -ENOMEM },
		{ KERNEL, 0, -NE_ERR_INVALID_MEM_REGION_ADDR },
		/* Inside, around, at both ends of one that is set. */
		{ MEMORY, 0, -NE_ERR_MEM_REGION_ALREADY_USED },
		{ MEMORY - PAGE, 4 * PAGE, -NE_ERR_MEM_REGION_ALREADY_USED },
		{ MEMORY - PAGE, 2 * PAGE, -NE_ERR_MEM_REGION_ALREADY_USED },
		{ MEMORY + PAGE, 2 * PAGE, -NE_ERR_MEM_REGION_ALREADY_USED },
		{ MEMORY + 2 * PAGE, PAGE, 0 },
		/* Nothing is mapped there. */
		{ MEMORY - PAGE, PAGE, -EFAULT },
		{ MEMORY + MEMORY_SIZE - PAGE, 2 * PAGE, -EFAULT },
	};

	(void)state;
	assert_int_equal(set_memory(MEMORY, PAGE), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (set_memory(cases[i].address, cases[i].size) !=
		    cases[i].result)
			fail_msg("case %zu", i);
}

static void the_flags_of_memory_come_before_the_state(void **state)
{
	struct ne_user_memory_region region = { .flags = 1 };

	(void)state;
	make_ready();
	assert_int_equal(start(), 0);
	assert_int_equal(call(NE_SET_USER_MEMORY_REGION, &region,
			      sizeof(region)),
			 -NE_ERR_INVALID_FLAG_VALUE);
	region.flags = UINT64_MAX;
	assert_int_equal(call(NE_SET_USER_MEMORY_REGION, &region,
			      sizeof(region)),
			 -NE_ERR_INVALID_FLAG_VALUE);
}

static void another_address_space_may_not_set_memory(void **state)
{
	(void)state;
	is_creator = false;
	assert_int_equal(set_memory(MEMORY, 1), -EIO);
}

static void ordinary_memory_will_do(void **state)
{
	(void)state;
	pages = (struct pages){ MEMORY + MEMORY_SIZE, 4096, false };
	node = 7;
	driver.numa_node = -1;
	assert_int_equal(set_memory(MEMORY, 64 * MIB), 0);
}

static void a_strict_driver_wants_huge_pages_on_its_node(void **state)
{
	(void)state;
	driver.strict = true;
	driver.numa_node = 1;
	/* Everything is wrong, then always less. */
	is_unmapped = true;
	pages = (struct pages){ MEMORY + MEMORY_SIZE, 64 << 10, false };
	assert_int_equal(set_memory(MEMORY, PAGE), -EFAULT);
	is_unmapped = false;
	assert_int_equal(set_memory(MEMORY, PAGE), -NE_ERR_MEM_NOT_HUGE_PAGE);
	pages.hugetlb = true;
	assert_int_equal(set_memory(MEMORY, PAGE), -NE_ERR_INVALID_PAGE_SIZE);
	pages.page_size = PAGE;
	assert_int_equal(set_memory(MEMORY, PAGE),
			 -NE_ERR_MEM_DIFFERENT_NUMA_NODE);
	node = -EFAULT;
	assert_int_equal(set_memory(MEMORY, PAGE), -EFAULT);
	node = 1;
	driver.max_mem_regions = 0;
	assert_int_equal(set_memory(MEMORY, PAGE), -NE_ERR_MEM_MAX_REGIONS);
	driver.max_mem_regions = 1;
	assert_int_equal(set_memory(MEMORY, PAGE), 0);
}

static void a_huge_page_is_donated_whole_and_from_its_start(void **state)
{
	(void)state;
	driver.strict = true;
	pages.page_size = 64 * MIB;
	assert_int_equal(set_memory(MEMORY + PAGE, PAGE),
			 -NE_ERR_INVALID_PAGE_SIZE);
	/* A region that ends inside a page brings all of it. */
	assert_int_equal(set_memory(MEMORY, PAGE), 0);
	assert_int_equal(add_vcpu(2), 0);
	assert_int_equal(add_vcpu(3), 0);
	assert_int_equal(start(), 0);
	assert_int_equal(fake_machine.spec.memory, 64 * MIB);
}

static void memory_has_a_number_of_regions(void **state)
{
	uint64_t at = MEMORY;

	(void)state;
	for (unsigned int i = 0; i < driver.max_mem_regions; i++, at += PAGE)
		assert_int_equal(set_memory(at, PAGE), 0);
	assert_int_equal(set_memory(at, PAGE), -NE_ERR_MEM_MAX_REGIONS);
	assert_int_equal(set_memory(at - PAGE, PAGE),
			 -NE_ERR_MEM_REGION_ALREADY_USED);
}

static void memory_that_nobody_heard_of_is_given_back(void **state)
{
	struct ne_user_memory_region region = { .userspace_addr = MEMORY,
						.memory_size = 64 * MIB };

	(void)state;
	assert_int_equal(call_settled(enclave, NE_SET_USER_MEMORY_REGION,
				      &region, sizeof(region), false),
			 0);
	assert_int_equal(start(), -NE_ERR_NO_MEM_REGIONS_ADDED);
	assert_int_equal(set_memory(MEMORY, PAGE), 0);
	assert_int_equal(start(), -NE_ERR_ENCLAVE_MEM_MIN_SIZE);
}

/* --- NE_START_ENCLAVE ---------------------------------------------------- */

static void a_start_is_checked_in_the_order_of_the_driver(void **state)
{
	uint64_t cid = 3;

	(void)state;
	/* Everything is wrong, then always less. */
	assert_int_equal(start_with(2, &cid), -NE_ERR_INVALID_FLAG_VALUE);
	assert_int_equal(start_with(UINT64_MAX, &cid),
			 -NE_ERR_INVALID_FLAG_VALUE);
	assert_int_equal(start_with(0, &cid), -NE_ERR_INVALID_ENCLAVE_CID);
	assert_int_equal(start(), -NE_ERR_NO_MEM_REGIONS_ADDED);
	assert_int_equal(set_memory(MEMORY, 62 * MIB), 0);
	assert_int_equal(start(), -NE_ERR_ENCLAVE_MEM_MIN_SIZE);
	assert_int_equal(set_memory(MEMORY + 62 * MIB, PAGE), 0);
	assert_int_equal(start(), -NE_ERR_NO_VCPUS_ADDED);
	assert_int_equal(add_vcpu(2), 0);
	assert_int_equal(start(), -NE_ERR_FULL_CORES_NOT_USED);
	assert_int_equal(add_vcpu(3), 0);
	assert_int_equal(add_vcpu(5), 0);
	assert_int_equal(start(), -NE_ERR_FULL_CORES_NOT_USED);
	assert_int_equal(add_vcpu(4), 0);
	assert_int_equal(start(), 0);
	assert_int_equal(start(), -NE_ERR_NOT_IN_INIT_STATE);
	assert_int_equal(start_with(0, &cid), -NE_ERR_INVALID_ENCLAVE_CID);
	assert_int_equal(start_with(2, &cid), -NE_ERR_INVALID_FLAG_VALUE);
}

static void cids_of_others_are_refused(void **state)
{
	static const uint64_t bad[] = { 1,
					2,
					3,
					UINT32_MAX,
					UINT32_MAX + 1ULL,
					(1ULL << 32) + 16,
					UINT64_MAX };

	(void)state;
	make_ready();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t cid = bad[i];

		assert_int_equal(start_with(0, &cid),
				 -NE_ERR_INVALID_ENCLAVE_CID);
		assert_true(cid == bad[i]);
	}
}

static void the_cid_is_written_back(void **state)
{
	uint64_t cid = 0;

	(void)state;
	make_ready();
	assert_int_equal(start_with(NE_ENCLAVE_DEBUG_MODE, &cid), 0);
	assert_int_equal(cid, HYPERVISOR_FIRST_CID);
	assert_true(fake_machine.spec.debug);
	assert_int_equal(fake_machine.gone, 1);
}

static void the_lowest_and_the_highest_cid_can_be_had(void **state)
{
	uint64_t cid = 4;

	(void)state;
	make_ready();
	assert_int_equal(start_with(0, &cid), 0);
	assert_int_equal(cid, 4);
	enclave_free(enclave);
	enclave = create();
	make_ready();
	cid = UINT32_MAX - 1;
	assert_int_equal(start_with(0, &cid), 0);
	assert_int_equal(cid, UINT32_MAX - 1);
}

static void another_address_space_may_start(void **state)
{
	(void)state;
	make_ready();
	is_creator = false;
	assert_int_equal(start(), 0);
}

static void a_start_whose_cid_cannot_be_written_has_happened(void **state)
{
	struct ne_enclave_start_info info = { 0 };

	(void)state;
	make_ready();
	argument_is_read_only = true;
	assert_int_equal(call(NE_START_ENCLAVE, &info, sizeof(info)), -EFAULT);
	assert_int_equal(fake_machine.gone, 1);
	assert_int_equal(start(), -NE_ERR_NOT_IN_INIT_STATE);
}

static void a_start_that_nobody_heard_of_is_undone(void **state)
{
	struct ne_enclave_start_info info = { .enclave_cid = 77 };
	uint64_t cid = 77;

	(void)state;
	make_ready();
	assert_int_equal(call_settled(enclave, NE_START_ENCLAVE, &info,
				      sizeof(info), false),
			 0);
	assert_int_equal(fake_machine.gone, 0);
	assert_int_equal(fake_machine.freed, 1);
	assert_true(claim_is_free(pool.runtime, "cid", 77));
	assert_int_equal(start_with(0, &cid), 0);
	assert_int_equal(fake_machine.gone, 1);
	assert_false(claim_is_free(pool.runtime, "cid", 77));
}

static void what_the_hypervisor_fails_with_is_passed_on(void **state)
{
	(void)state;
	make_ready();
	fake_machine.fail_prepare = -EPERM;
	assert_int_equal(start(), -EPERM);
	fake_machine.fail_prepare = 0;
	assert_int_equal(start(), 0);
}

/* --- NE_GET_END_REASON --------------------------------------------------- */

#define TEXT_AT 100

static int ask(uint64_t size, uint64_t *needed)
{
	struct ne_end_reason query = { ARGUMENT + TEXT_AT, size };
	int r = call(NE_GET_END_REASON, &query, sizeof(query));

	*needed = query.size;
	return r;
}

static void the_reason_is_there_after_the_end(void **state)
{
	const char *text = (const char *)argument + TEXT_AT;
	uint64_t needed;

	(void)state;
	assert_int_equal(ask(64, &needed), -EAGAIN);
	make_ready();
	assert_int_equal(start(), 0);
	assert_int_equal(ask(64, &needed), -EAGAIN);
	fake_machine_end("it was enough", false);
	fakes_run(hypervisor.loop);
	assert_int_equal(ask(64, &needed), 0);
	assert_string_equal(text, "it was enough");
	assert_int_equal(needed, 14);
	/* A small buffer has as much as fits, and nothing beyond. */
	memset(argument, 'x', sizeof(argument));
	assert_int_equal(ask(7, &needed), 0);
	assert_string_equal(text, "it was");
	assert_int_equal(text[7], 'x');
	assert_int_equal(needed, 14);
	memset(argument, 'x', sizeof(argument));
	assert_int_equal(ask(0, &needed), 0);
	assert_int_equal(text[0], 'x');
	assert_int_equal(needed, 14);
	assert_int_equal(ask(UINT64_MAX, &needed), 0);
	assert_string_equal(text, "it was enough");
}

static void the_reason_of_a_refused_start_can_be_asked_for(void **state)
{
	const char *text = (const char *)argument + TEXT_AT;
	uint64_t needed;

	(void)state;
	make_ready();
	fake_machine.fail_prepare = -EPERM;
	assert_int_equal(start(), -EPERM);
	assert_int_equal(ask(64, &needed), 0);
	assert_string_equal(text, "the fake machine will not");
}

/* What log_error() writes while the enclave is freed. */
static size_t noise_of_freeing(void)
{
	char line[256];
	int ends_of_pipe[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(ends_of_pipe), 0);
	dup2(ends_of_pipe[1], STDERR_FILENO);
	enclave_free(enclave);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends_of_pipe[1]);
	n = read(ends_of_pipe[0], line, sizeof(line));
	close(ends_of_pipe[0]);
	enclave = create();
	return n < 0 ? 0 : (size_t)n;
}

static void end_with_failure(void)
{
	make_ready();
	assert_int_equal(start(), 0);
	fake_machine_end("/init was not found", true);
	fakes_run(hypervisor.loop);
}

static void a_failure_that_nobody_asked_about_is_said(void **state)
{
	(void)state;
	assert_int_equal(noise_of_freeing(), 0);
	end_with_failure();
	assert_true(noise_of_freeing() > 0);
}

static void a_failure_that_was_asked_about_is_not_said_again(void **state)
{
	struct ne_end_reason query = { ARGUMENT + TEXT_AT, 64 };
	uint64_t needed;

	(void)state;
	end_with_failure();
	assert_int_equal(ask(64, &needed), 0);
	assert_int_equal(noise_of_freeing(), 0);
	/* But if the answer did not arrive, it is. */
	end_with_failure();
	assert_int_equal(call_settled(enclave, NE_GET_END_REASON, &query,
				      sizeof(query), false),
			 0);
	assert_true(noise_of_freeing() > 0);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_argument_that_is_not_there_is_efault),
		TEST(an_unknown_command_is_enotty),
		TEST(after_the_start_nothing_can_be_added),
		TEST(create_writes_the_slot_id),
		TEST(create_with_nowhere_to_write_leaves_no_slot),
		TEST(create_needs_a_free_core),
		TEST(create_without_a_pool_finds_no_cpus),
		TEST(cpus_are_chosen_core_by_core),
		TEST(cpus_that_are_asked_for_are_checked),
		TEST(cpus_of_another_process_are_taken),
		TEST(another_address_space_may_not_add_but_takes_the_core),
		TEST(a_cpu_whose_number_cannot_be_written_is_added),
		TEST(a_cpu_that_nobody_heard_of_is_given_back),
		TEST(an_error_that_nobody_heard_of_changes_nothing),
		TEST(an_image_is_loaded_at_8_mib),
		TEST(memory_is_checked_in_the_order_of_the_driver),
		TEST(the_flags_of_memory_come_before_the_state),
		TEST(another_address_space_may_not_set_memory),
		TEST(ordinary_memory_will_do),
		TEST(a_strict_driver_wants_huge_pages_on_its_node),
		TEST(a_huge_page_is_donated_whole_and_from_its_start),
		TEST(memory_has_a_number_of_regions),
		TEST(memory_that_nobody_heard_of_is_given_back),
		TEST(a_start_is_checked_in_the_order_of_the_driver),
		TEST(cids_of_others_are_refused),
		TEST(the_cid_is_written_back),
		TEST(the_lowest_and_the_highest_cid_can_be_had),
		TEST(another_address_space_may_start),
		TEST(a_start_whose_cid_cannot_be_written_has_happened),
		TEST(a_start_that_nobody_heard_of_is_undone),
		TEST(what_the_hypervisor_fails_with_is_passed_on),
		TEST(the_reason_is_there_after_the_end),
		TEST(the_reason_of_a_refused_start_can_be_asked_for),
		TEST(a_failure_that_nobody_asked_about_is_said),
		TEST(a_failure_that_was_asked_about_is_not_said_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
