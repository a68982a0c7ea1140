// SPDX-License-Identifier: Apache-2.0
/*
 * The calls, and how they are written down.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "suite.h"

#define MAX_NAMED 1024

static const char *descriptor_names[MAX_NAMED];

void name_descriptor(int fd, const char *name)
{
	if (fd >= 0 && fd < MAX_NAMED)
		descriptor_names[fd] = name;
}

static const char *descriptor_name(int fd)
{
	if (fd >= 0 && fd < MAX_NAMED && descriptor_names[fd])
		return descriptor_names[fd];
	return "descriptor";
}

void transcript(const char *format, ...)
{
	va_list arguments;

	if (!suite.transcript)
		return;
	printf("#     ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

struct error {
	int number;
	const char *name;
};

#define ERROR(name)         \
	{                   \
		name, #name \
	}
static const struct error errors[] = {
	ERROR(EPERM),
	ERROR(EINTR),
	ERROR(EIO),
	ERROR(EBADF),
	ERROR(EAGAIN),
	ERROR(ENOMEM),
	ERROR(EACCES),
	ERROR(EFAULT),
	ERROR(EBUSY),
	ERROR(EEXIST),
	ERROR(EINVAL),
	ERROR(EMFILE),
	ERROR(ENOTTY),
	ERROR(ESPIPE),
	ERROR(ENOSYS),
	ERROR(EADDRINUSE),
	ERROR(ECONNRESET),
	ERROR(ETIMEDOUT),
	ERROR(NE_ERR_VCPU_ALREADY_USED),
	ERROR(NE_ERR_VCPU_NOT_IN_CPU_POOL),
	ERROR(NE_ERR_VCPU_INVALID_CPU_CORE),
	ERROR(NE_ERR_INVALID_MEM_REGION_SIZE),
	ERROR(NE_ERR_INVALID_MEM_REGION_ADDR),
	ERROR(NE_ERR_UNALIGNED_MEM_REGION_ADDR),
	ERROR(NE_ERR_MEM_REGION_ALREADY_USED),
	ERROR(NE_ERR_MEM_NOT_HUGE_PAGE),
	ERROR(NE_ERR_MEM_DIFFERENT_NUMA_NODE),
	ERROR(NE_ERR_MEM_MAX_REGIONS),
	ERROR(NE_ERR_NO_MEM_REGIONS_ADDED),
	ERROR(NE_ERR_NO_VCPUS_ADDED),
	ERROR(NE_ERR_ENCLAVE_MEM_MIN_SIZE),
	ERROR(NE_ERR_FULL_CORES_NOT_USED),
	ERROR(NE_ERR_NOT_IN_INIT_STATE),
	ERROR(NE_ERR_INVALID_VCPU),
	ERROR(NE_ERR_NO_CPUS_AVAIL_IN_POOL),
	ERROR(NE_ERR_INVALID_PAGE_SIZE),
	ERROR(NE_ERR_INVALID_FLAG_VALUE),
	ERROR(NE_ERR_INVALID_ENCLAVE_CID),
};

const char *error_name(long error)
{
	static char unknown[32];

	if (error < 0)
		error = -error;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].number == error)
			return errors[i].name;
	snprintf(unknown, sizeof(unknown), "errno %ld", error);
	return unknown;
}

static const char *outcome(long result)
{
	static char text[64];

	if (result < 0)
		snprintf(text, sizeof(text), "-1 %s", error_name(result));
	else
		snprintf(text, sizeof(text), "%s", result ? "descriptor" : "0");
	return text;
}

int device_open(void)
{
	int fd = open("/dev/nitro_enclaves", O_RDWR | O_CLOEXEC);

	transcript("open(\"/dev/nitro_enclaves\") = %s",
		   fd < 0 ? error_name(errno) : "device");
	if (fd < 0)
		fail("cannot open /dev/nitro_enclaves: %s", strerror(errno));
	name_descriptor(fd, "device");
	return fd;
}

/* Memory of a case, of which the transcript only knows the order. */
static struct {
	uint64_t first, last;
} memories[8];
static size_t named_memories;

void name_memory(const void *address, size_t size)
{
	if (named_memories == ARRAY_SIZE(memories))
		return;
	memories[named_memories].first = (uintptr_t)address;
	memories[named_memories].last = (uintptr_t)address + size;
	named_memories++;
}

static const char *address_name(uint64_t address)
{
	static char text[64];

	for (size_t i = 0; i < named_memories; i++) {
		if (address < memories[i].first || address > memories[i].last)
			continue;
		snprintf(text, sizeof(text), "memory %zu + %#llx", i + 1,
			 (unsigned long long)(address - memories[i].first));
		return text;
	}
	snprintf(text, sizeof(text), "%#llx", (unsigned long long)address);
	return text;
}

/* Sizes that are the distance to an end depend on where the memory is. */
static const char *size_name(uint64_t size)
{
	static char text[32];

	if (size >> 40 && (size & (size - 1)))
		return "beyond all";
	snprintf(text, sizeof(text), "%#llx", (unsigned long long)size);
	return text;
}

static void describe(int fd, unsigned long request, const void *argument,
		     long result)
{
	const char *on = descriptor_name(fd);
	const struct ne_user_memory_region *region = argument;

	if (argument == BAD_POINTER)
		transcript("ioctl(%s, %#lx, bad pointer) = %s", on, request,
			   outcome(result));
	else if (request == NE_SET_USER_MEMORY_REGION)
		transcript("NE_SET_USER_MEMORY_REGION(%s, flags %#llx, size "
			   "%s, %s) = %s",
			   on, region->flags, size_name(region->memory_size),
			   address_name(region->userspace_addr),
			   outcome(result));
	else if (request == NE_CREATE_VM)
		transcript("NE_CREATE_VM(%s) = %s", on, outcome(result));
	else if (request != NE_ADD_VCPU && request != NE_START_ENCLAVE &&
		 request != NE_GET_IMAGE_LOAD_INFO)
		transcript("ioctl(%s, %#lx) = %s", on, request,
			   outcome(result));
}

/* Those that answer through their argument: what went in, what came out. */
static void describe_vcpu(int fd, uint32_t in, const uint32_t *out, long result)
{
	transcript("NE_ADD_VCPU(%s, %u) = %s, vcpu %u", descriptor_name(fd), in,
		   outcome(result), *out);
}

static void describe_load_info(int fd, uint64_t flags,
			       const struct ne_image_load_info *out,
			       long result)
{
	transcript("NE_GET_IMAGE_LOAD_INFO(%s, flags %#llx) = %s, offset %#llx",
		   descriptor_name(fd), (unsigned long long)flags,
		   outcome(result), out->memory_offset);
}

static void describe_start(int fd, const struct ne_enclave_start_info *in,
			   const struct ne_enclave_start_info *out, long result)
{
	const char *on = descriptor_name(fd);

	if (in->enclave_cid == CID_AUTO && out->enclave_cid != CID_AUTO)
		transcript("NE_START_ENCLAVE(%s, flags %#llx, cid 0) = %s, a "
			   "cid of its own",
			   on, in->flags, outcome(result));
	else
		transcript("NE_START_ENCLAVE(%s, flags %#llx, cid %#llx) = %s, "
			   "cid %#llx",
			   on, in->flags, in->enclave_cid, outcome(result),
			   out->enclave_cid);
}

long call(int fd, unsigned long request, void *argument)
{
	bool readable = argument != BAD_POINTER;
	struct ne_enclave_start_info start_info = { 0 };
	struct ne_image_load_info load_info = { 0 };
	uint32_t vcpu = 0;
	long result;

	if (readable && request == NE_START_ENCLAVE)
		memcpy(&start_info, argument, sizeof(start_info));
	if (readable && request == NE_GET_IMAGE_LOAD_INFO)
		memcpy(&load_info, argument, sizeof(load_info));
	if (readable && request == NE_ADD_VCPU)
		memcpy(&vcpu, argument, sizeof(vcpu));

	result = ioctl(fd, request, argument);
	if (result < 0)
		result = -errno;
	describe(fd, request, argument, result);
	if (readable && request == NE_START_ENCLAVE)
		describe_start(fd, &start_info, argument, result);
	if (readable && request == NE_GET_IMAGE_LOAD_INFO)
		describe_load_info(fd, load_info.flags, argument, result);
	if (readable && request == NE_ADD_VCPU)
		describe_vcpu(fd, vcpu, argument, result);
	return result;
}

long call_poll(int fd, int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd,
				 .events = POLLIN | POLLPRI | POLLOUT |
					   POLLERR | POLLHUP | POLLRDNORM |
					   POLLRDHUP };
	int ready = poll(&pollfd, 1, timeout_ms);
	long result = ready < 0 ? -errno : pollfd.revents;

	transcript("poll(%s) = %d, revents %#x", descriptor_name(fd), ready,
		   (unsigned int)pollfd.revents);
	return result;
}

long call_close(int fd)
{
	long result = close(fd) < 0 ? -errno : 0;

	transcript("close(%s) = %s", descriptor_name(fd), outcome(result));
	name_descriptor(fd, NULL);
	return result;
}

long create_vm(int device, uint64_t *slot)
{
	static const char *const names[] = { "enclave", "second enclave",
					     "third enclave" };
	static size_t created;
	long fd = call(device, NE_CREATE_VM, slot);

	if (fd >= 0 && created < ARRAY_SIZE(names))
		name_descriptor((int)fd, names[created++]);
	return fd;
}

long add_vcpu(int enclave, uint32_t *id)
{
	return call(enclave, NE_ADD_VCPU, id);
}

long set_region_flags(int enclave, uint64_t flags, uint64_t address,
		      uint64_t size)
{
	struct ne_user_memory_region region = {
		.flags = flags,
		.memory_size = size,
		.userspace_addr = address,
	};

	return call(enclave, NE_SET_USER_MEMORY_REGION, &region);
}

long set_region(int enclave, const void *address, uint64_t size)
{
	return set_region_flags(enclave, NE_DEFAULT_MEMORY_REGION,
				(uintptr_t)address, size);
}

long get_load_info(int enclave, struct ne_image_load_info *info)
{
	return call(enclave, NE_GET_IMAGE_LOAD_INFO, info);
}

long start(int enclave, uint64_t flags, uint64_t *cid)
{
	struct ne_enclave_start_info info = { .flags = flags,
					      .enclave_cid = *cid };
	long result = call(enclave, NE_START_ENCLAVE, &info);

	*cid = info.enclave_cid;
	return result;
}
