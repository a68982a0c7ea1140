// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * The opened device is an ordinary file of the runtime folder; an enclave's
 * descriptor is the read end of a pipe that never has a byte in it. Both are
 * told by their device and inode numbers, so it does not matter how often and
 * where a descriptor was duplicated, passed on or inherited; only ioctls on
 * these are taken, as others use the same numbers (0xAE is KVM's, too).
 *
 * An enclave's descriptor, seen from here:
 *
 *	alive	we hold the pipe's write end. Its EPOLLERR: all read ends are
 *		gone, the client's last copy has been closed.
 *	ended	we have closed the write end; that is the client's POLLHUP. Now
 *		we hold a read end of our own, and nothing but the lock that was
 *		put on the client's open file description tells whether that is
 *		still there. Its closing wakes up who polls the pipe (EPOLLET);
 *		then we try the lock.
 *	closed	freed.
 *
 * The kernel tells of a closed descriptor when we come round to listening.
 * A client may have its next ioctl made by then, and rightly relies on what
 * was closed being free; so we look ourselves before each.
 *
 * What is different from the real device: read(2) on an enclave's descriptor
 * gives no EINVAL but EAGAIN, or 0 after the end; fstat(2) and /proc show a
 * file and a pipe. stat(2) and access(2) on the device's name are not trapped
 * and find nothing.
 */
#include "ne-emu/device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/kcmp.h>
#include <linux/nitro_enclaves.h>

#include <ne/end_reason.h>
#include <ne/error.h>

#include "libne/cleanup.h"
#include "libne/instance.h"
#include "ne-emu/driver.h"
#include "ne-emu/hugetlb.h"
#include "ne-emu/hypervisor.h"
#include "ne-emu/mappings.h"
#include "ne-emu/pool.h"
#include "ne-emu/topology.h"
#include "plumbing/log.h"
#include "plumbing/loop.h"
#include "plumbing/opening.h"
#include "plumbing/trap.h"

#define COMMAND_RULE(command_)                                  \
	{                                                       \
		.nr = __NR_ioctl, .arg = 1, .mask = 0xffffffff, \
		.value = (command_)                             \
	}

static const struct trap_rule rules[] = {
	OPENING_RULES,
	COMMAND_RULE(NE_CREATE_VM),
	COMMAND_RULE(NE_ADD_VCPU),
	COMMAND_RULE(NE_GET_IMAGE_LOAD_INFO),
	COMMAND_RULE(NE_SET_USER_MEMORY_REGION),
	COMMAND_RULE(NE_START_ENCLAVE),
	COMMAND_RULE(NE_GET_END_REASON),
};

/*
 * The creator's address space. Its /proc/<pid>/mem stays with the memory that
 * the process had when it was opened: nothing can be read once that is gone,
 * by exec or exit, whoever has the number then.
 */
struct space {
	pid_t process;
	int memory; /* -1: may not be opened */
};

struct descriptor {
	struct device *device;
	struct descriptor *next;
	struct enclave *enclave;
	struct space space;
	dev_t dev;
	ino_t ino;
	int write_end; /* alive; else -1 */
	int read_end;  /* ended; else -1 */
	struct loop_source *source;
};

struct device {
	struct loop *loop;
	int file; /* what opens of the device are opens of */
	dev_t dev;
	ino_t ino;
	struct pool pool;
	struct hypervisor hypervisor;
	struct driver driver;
	struct descriptor *descriptors;
	const char *instance_id;
	struct trap_rule rules[ARRAY_SIZE(rules) + 1];
	struct trap_handler handler;
};

/* A client for the driver: the caller of a trapped call. */
struct caller {
	const struct trap_call *call;
	bool details;
	enum { NOT_CHECKED, IN_SPACE, ELSEWHERE } where;
	/* Where it is in reading what is mapped. */
	struct mappings *mappings;
	struct mapping mapping;
};

/* --- The caller's memory ------------------------------------------------- */

static int caller_read(void *data, uint64_t address, void *to, size_t size)
{
	const struct caller *caller = data;

	return trap_read(caller->call, address, to, size);
}

static int caller_write(void *data, uint64_t address, const void *from,
			size_t size)
{
	const struct caller *caller = data;

	return trap_write(caller->call, address, from, size);
}

static bool mapping_covers(const struct mapping *mapping, uint64_t address)
{
	return mapping->start <= address && address < mapping->end;
}

/* The driver asks for rising addresses: one pass over the list will do. */
static int caller_pages(void *data, uint64_t address, struct pages *pages)
{
	struct caller *caller = data;
	struct mapping *mapping = &caller->mapping;

	if (!caller->mappings)
		caller->mappings =
			mappings_open(caller->call->tid, caller->details);
	if (!caller->mappings)
		return -errno;
	while (mapping->end <= address)
		if (!mappings_next(caller->mappings, mapping))
			return -EFAULT;
	if (!mapping_covers(mapping, address) || !mapping->readable)
		return -EFAULT;
	*pages = (struct pages){ .end = mapping->end,
				 .page_size = mapping->page_size,
				 .hugetlb = mapping->hugetlb };
	return 0;
}

static int caller_node(void *data, uint64_t address)
{
	const struct caller *caller = data;
	void *page = (void *)(uintptr_t)address;
	int node = -EFAULT;
	uint8_t byte;
	int r;

	/* There is no node where there is no page yet. */
	r = trap_read(caller->call, address, &byte, sizeof(byte));
	if (r)
		return r;
	if (syscall(SYS_move_pages, caller->call->tid, 1UL, &page, NULL, &node,
		    0) < 0)
		return errno == ENOSYS ? 0 : -errno;
	return node;
}

/* --- Its address space --------------------------------------------------- */

static int open_space(struct space *space, const struct trap_call *call)
{
	char path[64];

	space->memory = -1;
	space->process = trap_process(call);
	if (space->process < 0)
		return space->process;
	snprintf(path, sizeof(path), "/proc/%d/mem", call->tid);
	space->memory = open(path, O_RDONLY | O_CLOEXEC);
	return 0;
}

static bool space_is_gone(const struct space *space)
{
	uint8_t byte;

	/* Of a space that is there, nothing at 0 can be read: EIO. */
	return space->memory >= 0 && pread(space->memory, &byte, 1, 0) == 0;
}

static bool is_in_space(const struct trap_call *call, const struct space *space)
{
	return trap_process(call) == space->process ||
	       syscall(SYS_kcmp, space->process, call->tid, KCMP_VM, 0, 0) == 0;
}

/* He stays where he is while he waits: looked up once. */
static bool caller_in_space(void *data, void *space)
{
	struct caller *caller = data;

	if (caller->where == NOT_CHECKED)
		caller->where = !space_is_gone(space) &&
						is_in_space(caller->call, space)
					? IN_SPACE
					: ELSEWHERE;
	return caller->where == IN_SPACE;
}

static int read_file(int fd, uint64_t offset, void *to, size_t size)
{
	uint8_t *at = to;

	while (size > 0) {
		ssize_t n = pread(fd, at, size, (off_t)offset);

		if (n <= 0)
			return -EFAULT;
		at += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static int caller_read_space(void *data, void *which, uint64_t address,
			     void *to, size_t size)
{
	const struct space *space = which;

	/* The caller's own memory is read faster. */
	if (caller_in_space(data, which))
		return caller_read(data, address, to, size);
	return read_file(space->memory, address, to, size);
}

static struct client client_of(struct caller *caller)
{
	return (struct client){ .data = caller,
				.read = caller_read,
				.write = caller_write,
				.pages = caller_pages,
				.node = caller_node,
				.in_space = caller_in_space,
				.read_space = caller_read_space };
}

/* --- Enclave descriptors ------------------------------------------------- */

static void unlink_descriptor(struct descriptor *descriptor)
{
	struct descriptor **link = &descriptor->device->descriptors;

	while (*link && *link != descriptor)
		link = &(*link)->next;
	if (*link)
		*link = descriptor->next;
}

static void descriptor_free(struct descriptor *descriptor)
{
	if (!descriptor)
		return;
	unlink_descriptor(descriptor);
	loop_remove(descriptor->source);
	enclave_free(descriptor->enclave);
	close_keeping_errno(descriptor->space.memory);
	close_keeping_errno(descriptor->write_end);
	close_keeping_errno(descriptor->read_end);
	free(descriptor);
}

static void free_descriptor(struct descriptor **descriptor)
{
	descriptor_free(*descriptor);
}

#define cleanup_descriptor __attribute__((cleanup(free_descriptor)))

static bool is_closed(const struct descriptor *descriptor)
{
	struct pollfd poll_end = { .fd = descriptor->write_end };

	if (descriptor->write_end >= 0)
		return poll(&poll_end, 1, 0) == 1 &&
		       (poll_end.revents & POLLERR);
	return descriptor->read_end >= 0 &&
	       !flock(descriptor->read_end, LOCK_EX | LOCK_NB);
}

static void free_closed(struct device *device)
{
	struct descriptor *descriptor = device->descriptors;

	while (descriptor) {
		struct descriptor *next = descriptor->next;

		if (is_closed(descriptor))
			descriptor_free(descriptor);
		descriptor = next;
	}
}

static void descriptor_ready(uint32_t events, void *data)
{
	struct descriptor *descriptor = data;

	(void)events;
	if (is_closed(descriptor))
		descriptor_free(descriptor);
}

/* Closing the write end is the client's POLLHUP. */
static void enclave_ended(void *data)
{
	struct descriptor *descriptor = data;

	loop_remove(descriptor->source);
	descriptor->source = NULL;
	descriptor->read_end = opening_open_again(descriptor->write_end,
						  O_RDONLY | O_NONBLOCK);
	if (descriptor->read_end >= 0)
		descriptor->source = loop_add(descriptor->device->loop,
					      descriptor->read_end, EPOLLET,
					      descriptor_ready, descriptor);
	if (!descriptor->source)
		log_warn("what enclave %" PRIx64
			 " had may not be free before the end: %s",
			 enclave_slot(descriptor->enclave), ne_strerror(errno));
	close(take_fd(&descriptor->write_end));
}

/* --- ioctl --------------------------------------------------------------- */

static struct descriptor *find_descriptor(const struct device *device,
					  const struct stat *st)
{
	struct descriptor *descriptor = device->descriptors;

	while (descriptor &&
	       (descriptor->dev != st->st_dev || descriptor->ino != st->st_ino))
		descriptor = descriptor->next;
	return descriptor;
}

/* The client's end, locked for is_closed(). */
static int make_pipe(struct descriptor *descriptor)
{
	cleanup_close int client_end = -1;
	struct stat st;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	client_end = ends[0];
	descriptor->write_end = ends[1];
	if (flock(client_end, LOCK_EX | LOCK_NB) || fstat(client_end, &st))
		return -errno;
	descriptor->dev = st.st_dev;
	descriptor->ino = st.st_ino;
	return take_fd(&client_end);
}

/* Returns the client's end, or a negative errno or -NE_ERR_*. */
static int create(struct descriptor *descriptor, const struct trap_call *call)
{
	struct device *device = descriptor->device;
	struct caller caller = { .call = call };
	struct client client = client_of(&caller);
	cleanup_close int client_end = -1;
	int r = open_space(&descriptor->space, call);

	if (r)
		return r;
	r = enclave_create(&descriptor->enclave, &device->driver, &client,
			   call->args[2], &descriptor->space, enclave_ended,
			   descriptor);
	if (r)
		return r;
	client_end = make_pipe(descriptor);
	if (client_end < 0)
		return take_fd(&client_end);
	descriptor->source = loop_add(device->loop, descriptor->write_end, 0,
				      descriptor_ready, descriptor);
	if (!descriptor->source)
		return -errno;
	return take_fd(&client_end);
}

static void create_vm(struct device *device, struct trap_call *call)
{
	cleanup_descriptor struct descriptor *descriptor =
		calloc(1, sizeof(*descriptor));
	cleanup_close int client_end = -1;

	if (!descriptor) {
		trap_fail(call, ENOMEM);
		return;
	}
	*descriptor = (struct descriptor){ .device = device,
					   .space.memory = -1,
					   .write_end = -1,
					   .read_end = -1 };
	client_end = create(descriptor, call);
	if (client_end < 0) {
		trap_fail(call, -take_fd(&client_end));
		return;
	}
	if (trap_return_fd(call, client_end, true))
		return;
	descriptor->next = device->descriptors;
	device->descriptors = take_ptr(&descriptor);
}

static void enclave_command(struct descriptor *descriptor,
			    struct trap_call *call)
{
	struct caller caller = {
		.call = call,
		.details = descriptor->device->driver.strict,
	};
	struct client client = client_of(&caller);
	int r = enclave_ioctl(descriptor->enclave, &client,
			      (uint32_t)call->args[1], call->args[2]);

	mappings_close(caller.mappings);
	log_debug("enclave %" PRIx64 ": ioctl 0x%x: %s",
		  enclave_slot(descriptor->enclave), (uint32_t)call->args[1],
		  r ? ne_strerror(r) : "done");
	r = r ? trap_fail(call, -r) : trap_return(call, 0);
	enclave_settle(descriptor->enclave, r == 0);
}

static bool is_our_command(uint64_t command)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].nr == __NR_ioctl &&
		    rules[i].value == (uint32_t)command)
			return true;
	return false;
}

static bool ioctl_call(struct device *device, struct trap_call *call)
{
	int fd = (int)call->args[0];
	struct descriptor *descriptor;
	struct stat st;

	if (!is_our_command(call->args[1]))
		return false;
	free_closed(device);
	if (trap_fstat(call, fd, &st))
		return false;
	descriptor = find_descriptor(device, &st);
	if (descriptor) {
		enclave_command(descriptor, call);
		return true;
	}
	if (st.st_dev != device->dev || st.st_ino != device->ino ||
	    (uint32_t)call->args[1] != NE_CREATE_VM ||
	    !trap_fd_is_open(call, fd))
		return false;
	create_vm(device, call);
	return true;
}

/* --- open ---------------------------------------------------------------- */

enum { DEVICE, POOL, INSTANCE };

static const char *const names[] = {
	[DEVICE] = "/dev/nitro_enclaves",
	[POOL] = "/sys/module/nitro_enclaves/parameters/ne_cpus",
	[INSTANCE] = INSTANCE_ID_FILE,
};

/* A file that can be read and has this line. */
static int open_text(const char *name, const char *text, uint64_t flags)
{
	cleanup_close int fd = -1;

	if ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC)
		return -EACCES;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0 || dprintf(fd, "%s\n", text) < 0)
		return -errno;
	return opening_open_again(fd, O_RDONLY | (int)(flags & O_NONBLOCK));
}

static bool open_call(const struct device *device, struct trap_call *call)
{
	/* The instance's file is the host's own, unless the user says. */
	size_t n_names = device->instance_id ? ARRAY_SIZE(names) : INSTANCE;
	cleanup_close int fd = -1;
	uint64_t flags;

	switch (opening_find(call, names, n_names, &flags)) {
	case DEVICE:
		fd = opening_open_device(device->file, flags);
		break;
	case POOL:
		/* As the driver shows it; it cannot be changed here. */
		fd = open_text("ne_cpus", device->pool.topology->pool_list,
			       flags);
		break;
	case INSTANCE:
		fd = open_text("board_asset_tag", device->instance_id, flags);
		break;
	default:
		return false;
	}
	if (fd < 0)
		trap_fail(call, -take_fd(&fd));
	else
		trap_return_fd(call, fd, flags & O_CLOEXEC);
	return true;
}

/* --- The device ---------------------------------------------------------- */

static bool device_call(struct trap_call *call, void *data)
{
	struct device *device = data;

	switch (call->nr) {
	case __NR_ioctl:
		return ioctl_call(device, call);
	case __NR_mmap:
		return !device->driver.strict && hugetlb_call(call);
	default:
		return open_call(device, call);
	}
}

static int open_device_file(struct device *device, int runtime,
			    const char *runtime_path, struct ne_error *err)
{
	struct stat st;

	device->file = openat(runtime, "device",
			      O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (device->file < 0 || fstat(device->file, &st))
		return ne_error_set(err, errno, "cannot open %s/device: %s",
				    runtime_path, ne_strerror(errno));
	device->dev = st.st_dev;
	device->ino = st.st_ino;
	return 0;
}

static void set_rules(struct device *device, bool strict)
{
	memcpy(device->rules, rules, sizeof(rules));
	device->rules[ARRAY_SIZE(rules)] = hugetlb_rule;
	device->handler = (struct trap_handler){
		.rules = device->rules,
		.n_rules = ARRAY_SIZE(rules) + (strict ? 0 : 1),
		.call = device_call,
		.data = device,
	};
}

int device_new(struct device **device, struct loop *loop, int runtime,
	       const char *runtime_path, const struct topology *topology,
	       const struct device_options *options, struct ne_error *err)
{
	struct device *new = calloc(1, sizeof(*new));
	int r;

	if (!new)
		return ne_error_set(err, ENOMEM,
				    "no memory for the emulated device");
	new->loop = loop;
	r = open_device_file(new, runtime, runtime_path, err);
	if (r) {
		device_free(new);
		return r;
	}
	new->pool = (struct pool){ .runtime = runtime, .topology = topology };
	new->hypervisor = (struct hypervisor){ .loop = loop,
					       .runtime = runtime,
					       .machine = options->machine,
					       .nsm = options->nsm };
	new->instance_id = options->instance_id;
	new->driver = (struct driver){
		.hypervisor = &new->hypervisor,
		.pool = &new->pool,
		.strict = options->strict,
		.numa_node = options->strict ? options->numa_node : -1,
		.max_mem_regions = options->max_mem_regions
					   ?: DRIVER_MAX_MEM_REGIONS,
	};
	set_rules(new, options->strict);
	*device = new;
	return 0;
}

const struct trap_handler *device_handler(struct device *device)
{
	return &device->handler;
}

void device_free(struct device *device)
{
	if (!device)
		return;
	while (device->descriptors)
		descriptor_free(device->descriptors);
	close_keeping_errno(device->file);
	free(device);
}
