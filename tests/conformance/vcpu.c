// SPDX-License-Identifier: Apache-2.0
/*
 * NE_ADD_VCPU: which CPU, from where, and whose.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "suite.h"

#define HIGHEST_ID 0xffffffffU

/* A CPU that stays with the parent and is not 0: CPU 0's sibling, mostly. */
static uint32_t cpu_outside_the_pool(void)
{
	for (uint32_t cpu = 1; cpu < suite.threads_per_core + suite.pool[0];
	     cpu++) {
		bool in_pool = false;

		for (unsigned int i = 0; i < suite.pool_size; i++)
			in_pool = in_pool || suite.pool[i] == cpu;
		if (!in_pool)
			return cpu;
	}
	skip("all CPUs but 0 are in the pool");
}

static void bad_pointer(void)
{
	expect(add_vcpu(new_enclave(), BAD_POINTER), -EFAULT);
}

static void id_out_of_range(void)
{
	int enclave = new_enclave();
	uint32_t id = HIGHEST_ID;

	expect(add_vcpu(enclave, &id), -NE_ERR_INVALID_VCPU);
	expect_true(id == HIGHEST_ID);
	id = HIGHEST_ID / 2;
	expect(add_vcpu(enclave, &id), -NE_ERR_INVALID_VCPU);
}

static void ids_end_with_the_cpus(void)
{
	int enclave = new_enclave();
	uint32_t id = suite.cpus;

	expect(add_vcpu(enclave, &id), -NE_ERR_INVALID_VCPU);
	id = suite.cpus - 1;
	expect_true(add_vcpu(enclave, &id) != -NE_ERR_INVALID_VCPU);
}

static void id_of_the_parent(void)
{
	int enclave = new_enclave();
	uint32_t id = cpu_outside_the_pool();
	uint32_t wanted = id;

	expect(add_vcpu(enclave, &id), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
	expect_true(id == wanted);
}

static void picks_the_first_core(void)
{
	expect_true(give_vcpu(new_enclave(), 0) == pool_cpu(0, 0));
}

static void picks_the_sibling_first(void)
{
	int enclave = new_enclave();

	for (unsigned int i = 0; i < suite.threads_per_core; i++)
		expect_true(give_vcpu(enclave, 0) == pool_cpu(0, i));
}

static void picks_core_after_core(void)
{
	int enclave = new_enclave();

	for (unsigned int i = 0; i < suite.pool_size; i++)
		expect_true(give_vcpu(enclave, 0) == suite.pool[i]);
}

static void completes_a_chosen_core(void)
{
	int enclave = new_enclave();

	give_vcpu(enclave, pool_cpu(1, 1));
	expect_true(give_vcpu(enclave, 0) == pool_cpu(1, 0));
	if (suite.threads_per_core == 2)
		expect_true(give_vcpu(enclave, 0) == pool_cpu(0, 0));
}

static void completes_the_lowest_core_first(void)
{
	int enclave = new_enclave();

	give_vcpu(enclave, pool_cpu(1, 0));
	give_vcpu(enclave, pool_cpu(0, 0));
	expect_true(give_vcpu(enclave, 0) == pool_cpu(0, 1));
}

static void takes_the_chosen_one(void)
{
	uint32_t last = suite.pool[suite.pool_size - 1];

	expect_true(give_vcpu(new_enclave(), last) == last);
}

static void already_used(void)
{
	int enclave = new_enclave();
	uint32_t id = give_vcpu(enclave, 0);

	expect(add_vcpu(enclave, &id), -NE_ERR_VCPU_ALREADY_USED);
}

static void of_another_enclave(void)
{
	uint32_t id = give_vcpu(new_enclave(), 0);

	expect(add_vcpu(new_enclave(), &id), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
}

static void sibling_of_another_enclave(void)
{
	uint32_t id = pool_cpu(0, 1);

	give_vcpu(new_enclave(), pool_cpu(0, 0));
	expect(add_vcpu(new_enclave(), &id), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
}

static void skips_cores_of_other_enclaves(void)
{
	give_vcpu(new_enclave(), 0);
	expect_true(give_vcpu(new_enclave(), 0) == pool_cpu(1, 0));
}

static void empty_pool(void)
{
	int late = new_enclave();
	uint32_t id = 0;

	give_all_cores(new_enclave());
	expect(add_vcpu(late, &id), -NE_ERR_NO_CPUS_AVAIL_IN_POOL);
	expect_true(id == 0);
	id = pool_cpu(0, 0);
	expect(add_vcpu(late, &id), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
}

static void writes_four_bytes(void)
{
	uint32_t ids[2] = { 0, 0x5a5a5a5a };

	expect(add_vcpu(new_enclave(), ids), 0);
	expect_true(ids[0] == pool_cpu(0, 0) && ids[1] == 0x5a5a5a5a);
}

static void read_only_argument(void)
{
	int enclave = new_enclave();
	uint32_t id = pool_cpu(0, 0);

	expect(add_vcpu(enclave, read_only_copy(&id, sizeof(id))), -EFAULT);
	expect(add_vcpu(enclave, &id), -NE_ERR_VCPU_ALREADY_USED);
}

static void argument_across_pages(void)
{
	char *page = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t id;

	expect_true(page != MAP_FAILED);
	expect(add_vcpu(new_enclave(), (uint32_t *)(page + 4094)), 0);
	memcpy(&id, page + 4094, sizeof(id));
	expect_true(id == pool_cpu(0, 0));
	munmap(page + 4096, 4096);
	/* Nobody can look at that argument for the transcript. */
	expect_true(ioctl(new_enclave(), NE_ADD_VCPU, page + 4094) < 0 &&
		    errno == EFAULT);
}

/* --- After the start --------------------------------------------------------- */

static void not_in_init_state(void)
{
	uint64_t cid;
	int enclave = running_enclave(0, &cid);
	uint32_t id = 0;

	expect(add_vcpu(enclave, BAD_POINTER), -EFAULT);
	expect(add_vcpu(enclave, &id), -NE_ERR_NOT_IN_INIT_STATE);
	id = HIGHEST_ID;
	expect(add_vcpu(enclave, &id), -NE_ERR_NOT_IN_INIT_STATE);
	id = pool_cpu(0, 0);
	expect(add_vcpu(enclave, &id), -NE_ERR_NOT_IN_INIT_STATE);
}

/* --- Who may ask --------------------------------------------------------------- */

struct request {
	int enclave;
	uint32_t id;
	long result;
};

static long add_in_child(void *data)
{
	struct request *request = data;
	uint32_t asked = request->id;
	long result = add_vcpu(request->enclave, &request->id);

	/* What failed writes nothing back. */
	return result < 0 && request->id != asked ? -EBADF : result;
}

static long from_child(int enclave, uint32_t id)
{
	struct request request = { .enclave = enclave, .id = id };

	return in_child(add_in_child, &request);
}

static void another_process(void)
{
	expect(from_child(new_enclave(), 0), -EIO);
	expect(from_child(new_enclave(), pool_cpu(1, 0)), -EIO);
}

static void another_process_is_told_of_other_errors_first(void)
{
	int enclave = new_enclave();
	uint32_t used = give_vcpu(enclave, 0);

	expect(from_child(enclave, HIGHEST_ID), -NE_ERR_INVALID_VCPU);
	expect(from_child(enclave, used), -NE_ERR_VCPU_ALREADY_USED);
	expect(from_child(enclave, cpu_outside_the_pool()),
	       -NE_ERR_VCPU_NOT_IN_CPU_POOL);
	give_all_cores(enclave);
	expect(from_child(enclave, 0), -NE_ERR_NO_CPUS_AVAIL_IN_POOL);
}

/* The core has been moved to the enclave by the time of EIO. */
static void another_process_takes_the_core_all_the_same(void)
{
	int enclave = new_enclave();
	uint32_t id = pool_cpu(0, 0);

	expect(from_child(enclave, id), -EIO);
	expect(add_vcpu(new_enclave(), &id), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
	expect(add_vcpu(enclave, &id), 0);
}

static void *add_in_thread(void *data)
{
	struct request *request = data;

	request->result = add_vcpu(request->enclave, &request->id);
	return NULL;
}

static void another_thread(void)
{
	struct request request = { .enclave = new_enclave() };
	pthread_t thread;

	expect_true(!pthread_create(&thread, NULL, add_in_thread, &request));
	pthread_join(thread, NULL);
	expect(request.result, 0);
	expect_true(request.id == pool_cpu(0, 0));
}

static int add_in_clone(void *data)
{
	add_in_thread(data);
	return 0;
}

static void another_process_with_the_same_memory(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct request request = { .enclave = new_enclave() };
	pid_t pid = clone(add_in_clone, stack + sizeof(stack),
			  CLONE_VM | CLONE_VFORK | SIGCHLD, &request);

	expect_true(pid > 0 && waitpid(pid, NULL, 0) == pid);
	expect(request.result, 0);
}

/* --- What cannot be had --------------------------------------------------------- */

static void invalid_core(void)
{
	skip("cores beyond the enclave's count would need the pool to grow "
	     "while an enclave exists, which the driver refuses");
}

static const struct test_case cases[] = {
	CASE("NE_ADD_VCPU with a bad pointer is EFAULT", bad_pointer),
	CASE("NE_ADD_VCPU of an id no machine has is NE_ERR_INVALID_VCPU",
	     id_out_of_range),
	CASE("NE_ADD_VCPU of the first id beyond the CPUs is NE_ERR_INVALID_VCPU",
	     ids_end_with_the_cpus, .needs = NEEDS_CPUS_KNOWN),
	CASE("NE_ADD_VCPU of the parent's CPU is NE_ERR_VCPU_NOT_IN_CPU_POOL",
	     id_of_the_parent),
	CASE("NE_ADD_VCPU of 0 picks the pool's first CPU and writes its id back",
	     picks_the_first_core),
	CASE("NE_ADD_VCPU of 0 picks all threads of a core before another core",
	     picks_the_sibling_first),
	CASE("NE_ADD_VCPU of 0 goes through the pool in order",
	     picks_core_after_core),
	CASE("NE_ADD_VCPU of 0 completes a core that was begun by id",
	     completes_a_chosen_core, .needs = NEEDS_SIBLINGS, .cores = 2),
	CASE("NE_ADD_VCPU of 0 completes the lowest of two begun cores",
	     completes_the_lowest_core_first, .needs = NEEDS_SIBLINGS,
	     .cores = 2),
	CASE("NE_ADD_VCPU takes any CPU of the pool by id",
	     takes_the_chosen_one),
	CASE("NE_ADD_VCPU of a CPU that it has is NE_ERR_VCPU_ALREADY_USED",
	     already_used),
	CASE("NE_ADD_VCPU of another enclave's CPU is NE_ERR_VCPU_NOT_IN_CPU_POOL",
	     of_another_enclave, .cores = 2),
	CASE("NE_ADD_VCPU of an unused sibling in another enclave's core is NE_ERR_VCPU_NOT_IN_CPU_POOL",
	     sibling_of_another_enclave, .needs = NEEDS_SIBLINGS, .cores = 2),
	CASE("NE_ADD_VCPU of 0 leaves out cores that others have begun",
	     skips_cores_of_other_enclaves, .cores = 2),
	CASE("NE_ADD_VCPU from an empty pool is NE_ERR_NO_CPUS_AVAIL_IN_POOL, by id NE_ERR_VCPU_NOT_IN_CPU_POOL",
	     empty_pool),
	CASE("NE_ADD_VCPU writes four bytes", writes_four_bytes),
	CASE("NE_ADD_VCPU to memory that cannot be written is EFAULT, and the CPU is added",
	     read_only_argument),
	CASE("NE_ADD_VCPU takes an argument across two pages, both or none",
	     argument_across_pages, .cores = 2),
	CASE("NE_ADD_VCPU after the start is NE_ERR_NOT_IN_INIT_STATE, after EFAULT and before NE_ERR_INVALID_VCPU",
	     not_in_init_state, .needs = NEEDS_IMAGE),
	CASE("NE_ADD_VCPU by a forked child is EIO", another_process,
	     .cores = 2),
	CASE("NE_ADD_VCPU by a forked child is EIO after everything else",
	     another_process_is_told_of_other_errors_first),
	CASE("NE_ADD_VCPU by a forked child keeps the core for the enclave",
	     another_process_takes_the_core_all_the_same, .cores = 2),
	CASE("NE_ADD_VCPU by another thread is as good", another_thread),
	CASE("NE_ADD_VCPU by a process that shares the memory is as good",
	     another_process_with_the_same_memory),
	CASE("NE_ADD_VCPU of a core out of range is NE_ERR_VCPU_INVALID_CPU_CORE",
	     invalid_core),
};

const struct test_group vcpu_cases = { cases, ARRAY_SIZE(cases) };
