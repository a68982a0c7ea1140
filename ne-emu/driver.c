// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/nitro_enclaves.h>
#include <linux/vm_sockets.h>

#include <ne/end_reason.h>
#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-emu/hypervisor.h"
#include "ne-emu/pool.h"
#include "plumbing/log.h"

#define MIN_REGION_SIZE (2ULL << 20)
#define MIN_ENCLAVE_SIZE (64ULL << 20)
/* Beyond it the kernel's list of a region's pages is too large for kmalloc. */
#define MAX_REGION_SIZE (512ULL << 30)
#define PARENT_CID 3

/* Where user memory ends, for kernels with the usual page table depth. */
#ifdef __x86_64__
#define USER_SPACE_END ((1ULL << 47) - 4096)
#else
#define USER_SPACE_END (1ULL << 48)
#endif

/* A region as its owner set it. */
struct region {
	uint64_t address;
	uint64_t size;
};

/* What the last ioctl did, so that it can be undone. */
struct change {
	bool core_taken;
	unsigned int core;
	bool vcpu_added;
	unsigned int vcpu;
	bool memory_added;
	bool started;
	bool reason_asked;
};

struct enclave {
	const struct driver *driver;
	struct slot *slot;
	void *space;
	void (*ended)(void *data);
	void *data;

	struct core_claim *cores; /* by core; n == 0: not held */
	bool vcpus[TOPOLOGY_MAX_CPUS];
	struct region *regions;
	size_t n_regions;

	bool reason_asked;
	struct change change;
};

static const struct topology *topology_of(const struct enclave *enclave)
{
	return enclave->driver->pool->topology;
}

static void slot_ended(struct slot *slot, void *data)
{
	struct enclave *enclave = data;

	(void)slot;
	enclave->ended(enclave->data);
}

static void give_back_cores(struct enclave *enclave)
{
	for (unsigned int i = 0; i < topology_cores(topology_of(enclave)); i++)
		pool_give_back(&enclave->cores[i]);
}

static void tell_unheard_reason(const struct enclave *enclave)
{
	const char *reason = slot_reason(enclave->slot);

	if (reason && slot_failed(enclave->slot) && !enclave->reason_asked)
		log_error("enclave %" PRIx64 ": %s", slot_id(enclave->slot),
			  reason);
}

void enclave_free(struct enclave *enclave)
{
	if (!enclave)
		return;
	if (enclave->slot)
		tell_unheard_reason(enclave);
	slot_free(enclave->slot);
	if (enclave->cores)
		give_back_cores(enclave);
	free(enclave->cores);
	free(enclave->regions);
	free(enclave);
}

static void free_enclave(struct enclave **enclave)
{
	enclave_free(*enclave);
}

#define cleanup_enclave __attribute__((cleanup(free_enclave)))

uint64_t enclave_slot(const struct enclave *enclave)
{
	return slot_id(enclave->slot);
}

/* --- NE_CREATE_VM -------------------------------------------------------- */

int enclave_create(struct enclave **enclave, const struct driver *driver,
		   const struct client *client, uint64_t argument, void *space,
		   void (*ended)(void *data), void *data)
{
	cleanup_enclave struct enclave *new = NULL;
	uint64_t id;
	int r;

	if (!pool_has_core(driver->pool))
		return -NE_ERR_NO_CPUS_AVAIL_IN_POOL;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->driver = driver;
	new->space = space;
	new->ended = ended;
	new->data = data;
	new->cores =
		calloc(topology_cores(topology_of(new)), sizeof(*new->cores));
	if (!new->cores)
		return -ENOMEM;
	r = slot_alloc(&new->slot, driver->hypervisor, slot_ended, new);
	if (r)
		return r;
	id = slot_id(new->slot);
	if (client->write(client->data, argument, &id, sizeof(id)))
		return -EFAULT;
	*enclave = take_ptr(&new);
	return 0;
}

/* --- NE_ADD_VCPU --------------------------------------------------------- */

static bool is_init(const struct enclave *enclave)
{
	return slot_state(enclave->slot) == SLOT_INIT;
}

static bool holds(const struct enclave *enclave, unsigned int core)
{
	return enclave->cores[core].n > 0;
}

/* The first CPU of the cores it holds that it has not got. */
static bool find_idle_thread(const struct enclave *enclave, uint32_t *vcpu)
{
	const struct topology *topology = topology_of(enclave);

	for (uint32_t cpu = 0; cpu < topology->cpus; cpu++)
		if (holds(enclave, cpu / topology->threads) &&
		    !enclave->vcpus[cpu]) {
			*vcpu = cpu;
			return true;
		}
	return false;
}

static void took_core(struct enclave *enclave, unsigned int core)
{
	enclave->change.core_taken = true;
	enclave->change.core = core;
}

static int choose_vcpu(struct enclave *enclave, uint32_t *vcpu)
{
	struct core_claim claim = { 0 };
	int core;

	if (find_idle_thread(enclave, vcpu))
		return 0;
	core = pool_take_any(enclave->driver->pool, &claim);
	if (core < 0)
		return core == -EBUSY ? -NE_ERR_NO_CPUS_AVAIL_IN_POOL : core;
	enclave->cores[core] = claim;
	took_core(enclave, (unsigned int)core);
	*vcpu = (uint32_t)core * topology_of(enclave)->threads;
	return 0;
}

static int check_vcpu(struct enclave *enclave, uint32_t vcpu)
{
	unsigned int core = vcpu / topology_of(enclave)->threads;
	int r;

	if (enclave->vcpus[vcpu])
		return -NE_ERR_VCPU_ALREADY_USED;
	if (holds(enclave, core))
		return 0;
	r = pool_take(enclave->driver->pool, core, &enclave->cores[core]);
	if (r)
		return r == -EBUSY ? -NE_ERR_VCPU_NOT_IN_CPU_POOL : r;
	took_core(enclave, core);
	return 0;
}

static int add_vcpu(struct enclave *enclave, const struct client *client,
		    uint64_t argument)
{
	uint32_t vcpu;
	int r;

	if (client->read(client->data, argument, &vcpu, sizeof(vcpu)))
		return -EFAULT;
	if (!is_init(enclave))
		return -NE_ERR_NOT_IN_INIT_STATE;
	if (vcpu >= topology_of(enclave)->cpus)
		return -NE_ERR_INVALID_VCPU;
	r = vcpu ? check_vcpu(enclave, vcpu) : choose_vcpu(enclave, &vcpu);
	if (r)
		return r;
	if (!client->in_space(client->data, enclave->space))
		return -EIO;
	slot_add_vcpu(enclave->slot);
	enclave->vcpus[vcpu] = true;
	enclave->change.vcpu_added = true;
	enclave->change.vcpu = vcpu;
	if (client->write(client->data, argument, &vcpu, sizeof(vcpu)))
		return -EFAULT;
	return 0;
}

/* --- NE_GET_IMAGE_LOAD_INFO ---------------------------------------------- */

static int get_image_load_info(struct enclave *enclave,
			       const struct client *client, uint64_t argument)
{
	struct ne_image_load_info info;

	if (client->read(client->data, argument, &info, sizeof(info)))
		return -EFAULT;
	if (!is_init(enclave))
		return -NE_ERR_NOT_IN_INIT_STATE;
	if (!info.flags || info.flags >= NE_IMAGE_LOAD_MAX_FLAG_VAL)
		return -NE_ERR_INVALID_FLAG_VALUE;
	info.memory_offset = IMAGE_LOAD_OFFSET;
	if (client->write(client->data, argument, &info, sizeof(info)))
		return -EFAULT;
	return 0;
}

/* --- NE_SET_USER_MEMORY_REGION ------------------------------------------- */

static bool is_user_range(uint64_t address, uint64_t size)
{
	return size <= USER_SPACE_END && address <= USER_SPACE_END - size;
}

/* Both are user ranges: no sum wraps. */
static bool overlap(const struct region *set, uint64_t address, uint64_t size)
{
	return (set->address <= address &&
		address < set->address + set->size) ||
	       (address <= set->address && address + size > set->address);
}

static int check_region(const struct enclave *enclave,
			const struct client *client, uint64_t address,
			uint64_t size)
{
	if (!client->in_space(client->data, enclave->space))
		return -EIO;
	if (size % MIN_REGION_SIZE)
		return -NE_ERR_INVALID_MEM_REGION_SIZE;
	if (address % MIN_REGION_SIZE)
		return -NE_ERR_UNALIGNED_MEM_REGION_ADDR;
	if (!is_user_range(address, size))
		return -NE_ERR_INVALID_MEM_REGION_ADDR;
	for (size_t i = 0; i < enclave->n_regions; i++)
		if (overlap(&enclave->regions[i], address, size))
			return -NE_ERR_MEM_REGION_ALREADY_USED;
	if (size == 0 || size > MAX_REGION_SIZE)
		return -ENOMEM;
	return 0;
}

static int check_node(const struct driver *driver, const struct client *client,
		      uint64_t address)
{
	int node;

	if (driver->numa_node < 0)
		return 0;
	node = client->node(client->data, address);
	if (node < 0)
		return node;
	return node == driver->numa_node ? 0 : -NE_ERR_MEM_DIFFERENT_NUMA_NODE;
}

/*
 * A page that does not start at address is one whose inside the kernel takes
 * for a small page.
 */
static int check_page(const struct driver *driver, const struct client *client,
		      const struct pages *pages, uint64_t address)
{
	if (!pages->hugetlb)
		return -NE_ERR_MEM_NOT_HUGE_PAGE;
	if (pages->page_size % MIN_REGION_SIZE || address % pages->page_size)
		return -NE_ERR_INVALID_PAGE_SIZE;
	return check_node(driver, client, address);
}

/*
 * Sets donated to the memory that the region brings: more than its size if
 * it ends inside a page.
 */
static int check_pages(const struct driver *driver, const struct client *client,
		       uint64_t address, uint64_t size, uint64_t *donated)
{
	uint64_t end = address + size;
	uint64_t at = address;
	struct pages pages = { 0 };
	int r;

	while (at < end) {
		if (at >= pages.end) {
			r = client->pages(client->data, at, &pages);
			if (r)
				return r;
			if (pages.end <= at)
				return -EFAULT;
		}
		if (!driver->strict) {
			at = pages.end < end ? pages.end : end;
			continue;
		}
		r = check_page(driver, client, &pages, at);
		if (r)
			return r;
		at += pages.page_size;
	}
	*donated = at - address;
	return 0;
}

static int remember_region(struct enclave *enclave, uint64_t address,
			   uint64_t size)
{
	struct region *regions = reallocarray(enclave->regions,
					      enclave->n_regions + 1,
					      sizeof(*enclave->regions));

	if (!regions)
		return -ENOMEM;
	enclave->regions = regions;
	regions[enclave->n_regions++] = (struct region){ address, size };
	return 0;
}

static int set_user_memory_region(struct enclave *enclave,
				  const struct client *client,
				  uint64_t argument)
{
	struct ne_user_memory_region region;
	uint64_t donated;
	int r;

	if (client->read(client->data, argument, &region, sizeof(region)))
		return -EFAULT;
	if (region.flags >= NE_MEMORY_REGION_MAX_FLAG_VAL)
		return -NE_ERR_INVALID_FLAG_VALUE;
	if (!is_init(enclave))
		return -NE_ERR_NOT_IN_INIT_STATE;
	r = check_region(enclave, client, region.userspace_addr,
			 region.memory_size);
	if (r)
		return r;
	r = check_pages(enclave->driver, client, region.userspace_addr,
			region.memory_size, &donated);
	if (r)
		return r;
	if (slot_memory_pieces(enclave->slot) + 1 >
	    enclave->driver->max_mem_regions)
		return -NE_ERR_MEM_MAX_REGIONS;
	r = slot_add_memory(enclave->slot, region.userspace_addr, donated);
	if (r)
		return r;
	r = remember_region(enclave, region.userspace_addr, region.memory_size);
	if (r) {
		slot_remove_last_memory(enclave->slot);
		return r;
	}
	enclave->change.memory_added = true;
	return 0;
}

/* --- NE_START_ENCLAVE ---------------------------------------------------- */

/* Where its creator's memory is, for the hypervisor. */
struct reading {
	const struct client *client;
	void *space;
};

static int read_space(void *data, uint64_t address, void *to, size_t size)
{
	const struct reading *reading = data;
	const struct client *client = reading->client;

	return client->read_space(client->data, reading->space, address, to,
				  size);
}

static bool is_enclave_cid(uint64_t cid)
{
	return cid == 0 || (cid > PARENT_CID && cid < VMADDR_CID_ANY);
}

static int check_resources(const struct enclave *enclave)
{
	uint32_t idle;

	if (!slot_memory_pieces(enclave->slot))
		return -NE_ERR_NO_MEM_REGIONS_ADDED;
	if (slot_memory_size(enclave->slot) < MIN_ENCLAVE_SIZE)
		return -NE_ERR_ENCLAVE_MEM_MIN_SIZE;
	if (!slot_vcpus(enclave->slot))
		return -NE_ERR_NO_VCPUS_ADDED;
	if (find_idle_thread(enclave, &idle))
		return -NE_ERR_FULL_CORES_NOT_USED;
	return 0;
}

static int start_enclave(struct enclave *enclave, const struct client *client,
			 uint64_t argument)
{
	struct reading reading = { client, enclave->space };
	struct donor donor = { read_space, &reading };
	struct ne_enclave_start_info info;
	uint64_t cid;
	int r;

	if (client->read(client->data, argument, &info, sizeof(info)))
		return -EFAULT;
	if (info.flags >= NE_ENCLAVE_START_MAX_FLAG_VAL)
		return -NE_ERR_INVALID_FLAG_VALUE;
	if (!is_enclave_cid(info.enclave_cid))
		return -NE_ERR_INVALID_ENCLAVE_CID;
	if (!is_init(enclave))
		return -NE_ERR_NOT_IN_INIT_STATE;
	r = check_resources(enclave);
	if (r)
		return r;
	cid = info.enclave_cid;
	enclave->reason_asked = false;
	r = slot_start(enclave->slot, &cid, info.flags & NE_ENCLAVE_DEBUG_MODE,
		       &donor);
	if (r)
		return r;
	enclave->change.started = true;
	info.enclave_cid = cid;
	if (client->write(client->data, argument, &info, sizeof(info)))
		return -EFAULT;
	return 0;
}

/* --- NE_GET_END_REASON --------------------------------------------------- */

static int get_end_reason(struct enclave *enclave, const struct client *client,
			  uint64_t argument)
{
	char text[NE_ERROR_TEXT_SIZE];
	struct ne_end_reason query;
	const char *reason;
	size_t n;

	if (client->read(client->data, argument, &query, sizeof(query)))
		return -EFAULT;
	reason = slot_reason(enclave->slot);
	if (!reason)
		return -EAGAIN;
	n = strlen(reason) + 1;
	memcpy(text, reason, n);
	if (query.size < n) {
		n = query.size;
		if (n)
			text[n - 1] = '\0';
	}
	if (client->write(client->data, query.address, text, n))
		return -EFAULT;
	query.size = strlen(reason) + 1;
	if (client->write(client->data, argument, &query, sizeof(query)))
		return -EFAULT;
	enclave->change.reason_asked = !enclave->reason_asked;
	enclave->reason_asked = true;
	return 0;
}

/* --- All of them --------------------------------------------------------- */

int enclave_ioctl(struct enclave *enclave, const struct client *client,
		  uint32_t command, uint64_t argument)
{
	switch (command) {
	case NE_ADD_VCPU:
		return add_vcpu(enclave, client, argument);
	case NE_GET_IMAGE_LOAD_INFO:
		return get_image_load_info(enclave, client, argument);
	case NE_SET_USER_MEMORY_REGION:
		return set_user_memory_region(enclave, client, argument);
	case NE_START_ENCLAVE:
		return start_enclave(enclave, client, argument);
	case NE_GET_END_REASON:
		return get_end_reason(enclave, client, argument);
	default:
		return -ENOTTY;
	}
}

static void undo(struct enclave *enclave)
{
	const struct change *change = &enclave->change;

	if (change->started)
		slot_cancel_start(enclave->slot);
	if (change->memory_added) {
		slot_remove_last_memory(enclave->slot);
		enclave->n_regions--;
	}
	if (change->vcpu_added) {
		slot_remove_vcpu(enclave->slot);
		enclave->vcpus[change->vcpu] = false;
	}
	if (change->core_taken)
		pool_give_back(&enclave->cores[change->core]);
	if (change->reason_asked)
		enclave->reason_asked = false;
}

void enclave_settle(struct enclave *enclave, bool delivered)
{
	bool started = enclave->change.started;

	if (!delivered)
		undo(enclave);
	enclave->change = (struct change){ 0 };
	if (delivered && started)
		slot_go(enclave->slot);
}
