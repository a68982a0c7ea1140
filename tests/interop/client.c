// SPDX-License-Identifier: Apache-2.0
/*
 * A client of /dev/nitro_enclaves and AF_VSOCK that needs nothing but a C
 * library: to be compiled with another one (musl), statically.
 *
 *	client IMAGE	boots it, prints "booted: cid N" and ends it
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/types.h>

#include <linux/nitro_enclaves.h>
#include <linux/vm_sockets.h>

#define MEMORY (128UL << 20)
#define VCPUS 2
#define HEARTBEAT_PORT 9000
#define HEARTBEAT 0xb7
#define BOOT_MS 30000

static int create_enclave(void)
{
	uint64_t slot = 0;
	int device = open("/dev/nitro_enclaves", O_RDWR | O_CLOEXEC);
	int enclave;

	if (device < 0)
		err(1, "/dev/nitro_enclaves");
	enclave = ioctl(device, NE_CREATE_VM, &slot);
	if (enclave < 0)
		err(1, "NE_CREATE_VM");
	close(device);
	return enclave;
}

static void read_image(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		err(1, "%s", path);
	while (size > 0 && (got = read(fd, to, size)) > 0) {
		to += got;
		size -= (size_t)got;
	}
	close(fd);
}

static void give_memory(int enclave, const char *image)
{
	struct ne_image_load_info load = { .flags = NE_EIF_IMAGE };
	struct ne_user_memory_region region = { .memory_size = MEMORY };
	char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "huge pages");
	if (ioctl(enclave, NE_GET_IMAGE_LOAD_INFO, &load) < 0)
		err(1, "NE_GET_IMAGE_LOAD_INFO");
	read_image(image, memory + load.memory_offset,
		   MEMORY - load.memory_offset);
	region.userspace_addr = (uintptr_t)memory;
	if (ioctl(enclave, NE_SET_USER_MEMORY_REGION, &region) < 0)
		err(1, "NE_SET_USER_MEMORY_REGION");
}

static void give_vcpus(int enclave)
{
	for (int i = 0; i < VCPUS; i++) {
		uint32_t id = 0;

		if (ioctl(enclave, NE_ADD_VCPU, &id) < 0)
			err(1, "NE_ADD_VCPU");
	}
}

static int hear_heartbeat(void)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = HEARTBEAT_PORT,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0)
		err(1, "vsock port %d", HEARTBEAT_PORT);
	return fd;
}

static void answer_heartbeat(int listener)
{
	struct pollfd pollfd = { .fd = listener, .events = POLLIN };
	unsigned char beat = 0;
	int fd;

	if (poll(&pollfd, 1, BOOT_MS) != 1)
		errx(1, "no heartbeat");
	fd = accept(listener, NULL, NULL);
	if (fd < 0 || read(fd, &beat, 1) != 1 || beat != HEARTBEAT ||
	    write(fd, &beat, 1) != 1)
		err(1, "heartbeat %#x", beat);
	close(fd);
}

int main(int argc, char **argv)
{
	struct ne_enclave_start_info start = { 0 };
	int enclave;
	int listener;

	if (argc != 2)
		errx(2, "usage: client IMAGE");
	enclave = create_enclave();
	give_memory(enclave, argv[1]);
	give_vcpus(enclave);
	listener = hear_heartbeat();
	if (ioctl(enclave, NE_START_ENCLAVE, &start) < 0)
		err(1, "NE_START_ENCLAVE");
	answer_heartbeat(listener);
	printf("booted: cid %llu\n", (unsigned long long)start.enclave_cid);
	return 0;
}
