// SPDX-License-Identifier: Apache-2.0
/*
 * What most cases start from: enclaves, their memory, their CPUs, and an init
 * inside that answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/mman.h>
#include <linux/vm_sockets.h>

#include "suite.h"

#define HEARTBEAT_PORT 9000
#define HEARTBEAT 0xb7
/* An emulated CPU boots a kernel in seconds, not milliseconds. */
#define BOOT_MS 30000
#define END_MS 20000
/* How long nothing must happen for us to say that nothing happens. */
#define QUIET_MS 100

/* --- Enclaves ---------------------------------------------------------------- */

int new_enclave(void)
{
	int device = device_open();
	uint64_t slot = 0;
	long enclave = create_vm(device, &slot);

	if (enclave < 0)
		fail("cannot create an enclave: %s", error_name(enclave));
	call_close(device);
	return (int)enclave;
}

uint32_t give_vcpu(int enclave, uint32_t id)
{
	uint32_t wanted = id;
	long result = add_vcpu(enclave, &id);

	if (result < 0)
		fail("cannot add vCPU %u: %s", wanted, error_name(result));
	return id;
}

unsigned int pool_cores(void)
{
	return suite.pool_size / suite.threads_per_core;
}

uint32_t pool_cpu(unsigned int core, unsigned int thread)
{
	return suite.pool[core * suite.threads_per_core + thread];
}

void give_core(int enclave, unsigned int index)
{
	for (unsigned int i = 0; i < suite.threads_per_core; i++)
		give_vcpu(enclave, pool_cpu(index, i));
}

void give_all_cores(int enclave)
{
	uint32_t id = 0;
	long result;

	while ((result = add_vcpu(enclave, &id)) == 0)
		id = 0;
	expect(result, -NE_ERR_NO_CPUS_AVAIL_IN_POOL);
}

/* --- Memory ------------------------------------------------------------------ */

char *ordinary_memory(size_t size)
{
	char *at = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *aligned;

	if (at == MAP_FAILED)
		fail("cannot map %zu bytes: %s", size, strerror(errno));
	aligned = (char *)(((uintptr_t)at + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	if (aligned > at)
		munmap(at, (size_t)(aligned - at));
	munmap(aligned + size, (size_t)(at + HUGE_PAGE - aligned));
	name_memory(aligned, size);
	return aligned;
}

char *enclave_memory(size_t size)
{
	char *at =
		mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB,
		     -1, 0);

	if (at != MAP_FAILED) {
		expect_true((uintptr_t)at % HUGE_PAGE == 0);
		name_memory(at, size);
		return at;
	}
	if (suite.strict)
		skip("needs %llu free huge pages of 2 MiB (vm.nr_hugepages)",
		     size / HUGE_PAGE);
	return ordinary_memory(size);
}

void *read_only_copy(const void *bytes, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		fail("cannot map a page: %s", strerror(errno));
	memcpy(at, bytes, size);
	mprotect(at, size, PROT_READ);
	return at;
}

void load_image(char *memory, size_t size)
{
	int fd = open(suite.image, O_RDONLY | O_CLOEXEC);
	size_t at = LOAD_OFFSET;
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail("cannot read the image %s: %s", suite.image,
		     strerror(errno));
	if ((uint64_t)st.st_size > size - LOAD_OFFSET)
		fail("the image %s does not fit into %zu MiB (--mem)",
		     suite.image, (size_t)(size / MIB));
	while ((got = read(fd, memory + at, size - at)) > 0)
		at += (size_t)got;
	expect_true(at == LOAD_OFFSET + (size_t)st.st_size);
	close(fd);
}

/* --- Enclaves that run ------------------------------------------------------- */

int ready_enclave(unsigned int core)
{
	size_t size = suite.enclave_mem_mib * MIB;
	char *memory = enclave_memory(size);
	int enclave = new_enclave();

	load_image(memory, size);
	expect(set_region(enclave, memory, size), 0);
	give_core(enclave, core);
	return enclave;
}

int running_enclave(unsigned int core, uint64_t *cid)
{
	int enclave = ready_enclave(core);

	*cid = CID_AUTO;
	expect(start(enclave, NE_ENCLAVE_DEBUG_MODE, cid), 0);
	return enclave;
}

int hear_heartbeats(void)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = HEARTBEAT_PORT,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("cannot make a vsock socket: %s", strerror(errno));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("cannot bind to vsock port %d: %s", HEARTBEAT_PORT,
		     strerror(errno));
	if (listen(fd, 16) < 0)
		fail("cannot listen on vsock port %d: %s", HEARTBEAT_PORT,
		     strerror(errno));
	return fd;
}

static bool readable_within(int fd, int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, timeout_ms) == 1;
}

int booted(int listener, uint64_t cid)
{
	struct sockaddr_vm peer = { 0 };
	socklen_t length = sizeof(peer);
	unsigned char beat = 0;
	int fd;

	if (!readable_within(listener, BOOT_MS))
		fail("no heartbeat within %d seconds", BOOT_MS / 1000);
	fd = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
	if (fd < 0)
		fail("cannot accept the heartbeat: %s", strerror(errno));
	if (peer.svm_cid != cid)
		fail("the heartbeat is from CID %u, not from %llu",
		     peer.svm_cid, (unsigned long long)cid);
	if (!readable_within(fd, BOOT_MS) || read(fd, &beat, 1) != 1 ||
	    beat != HEARTBEAT)
		fail("the heartbeat is %#x, not %#x", beat, HEARTBEAT);
	if (write(fd, &beat, 1) != 1)
		fail("cannot answer the heartbeat: %s", strerror(errno));
	transcript("heartbeat");
	return fd;
}

int booted_enclave(unsigned int core, uint64_t *cid, int *connection)
{
	int listener = hear_heartbeats();
	int enclave = running_enclave(core, cid);

	*connection = booted(listener, *cid);
	close(listener);
	return enclave;
}

void tell_init(int connection, char what)
{
	if (write(connection, &what, 1) != 1)
		fail("cannot tell init '%c': %s", what, strerror(errno));
}

bool init_answers(int connection)
{
	char what = 0;

	if (send(connection, "p", 1, MSG_NOSIGNAL) != 1)
		return false;
	return readable_within(connection, END_MS) &&
	       read(connection, &what, 1) == 1 && what == 'p';
}

void expect_gone(int connection)
{
	char byte;

	if (!readable_within(connection, END_MS))
		fail("the enclave is still there after %d seconds",
		     END_MS / 1000);
	expect_true(read(connection, &byte, 1) <= 0);
	transcript("the enclave is gone");
}

void expect_hangup(int enclave)
{
	struct pollfd pollfd = { .fd = enclave, .events = 0 };

	if (poll(&pollfd, 1, END_MS) != 1)
		fail("no POLLHUP within %d seconds", END_MS / 1000);
	expect(call_poll(enclave, 0), POLLHUP);
}

void expect_quiet(int enclave)
{
	expect(call_poll(enclave, QUIET_MS), 0);
}

/* --- Processes --------------------------------------------------------------- */

long in_child(long (*function)(void *data), void *data)
{
	long result = -EIO;
	int answer[2];
	pid_t pid;

	fflush(stdout);
	if (pipe(answer) < 0 || (pid = fork()) < 0)
		fail("cannot fork: %s", strerror(errno));
	if (pid == 0) {
		result = function(data);
		fflush(stdout);
		if (write(answer[1], &result, sizeof(result)) < 0)
			_exit(1);
		_exit(0);
	}
	close(answer[1]);
	if (read(answer[0], &result, sizeof(result)) != sizeof(result))
		fail("the child died");
	close(answer[0]);
	waitpid(pid, NULL, 0);
	return result;
}
