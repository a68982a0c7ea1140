// SPDX-License-Identifier: Apache-2.0
/*
 * The device itself, and NE_CREATE_VM.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "suite.h"

/* A number of the driver's type that it does not have, and sizes it has not. */
#define NO_SUCH_COMMAND _IO(0xAE, 0x30)
#define CREATE_OF_ANOTHER_SIZE _IOR(0xAE, 0x20, uint32_t)
#define ADD_VCPU_OF_ANOTHER_SIZE _IOWR(0xAE, 0x21, uint64_t)
#define ADD_VCPU_OF_ANOTHER_DIRECTION _IOR(0xAE, 0x21, uint32_t)

static int lowest_free_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

static void expect_device(int fd)
{
	uint64_t slot = 0;

	if (fd < 0)
		fail("cannot open it: %s", strerror(errno));
	name_descriptor(fd, "device");
	expect_true(create_vm(fd, &slot) >= 0);
}

static void opens_every_way(void)
{
	struct open_how how = { .flags = O_RDWR | O_CLOEXEC };
	int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);

	expect_device(open("/dev/nitro_enclaves", O_RDWR));
	expect_device(open("/dev/../dev/./nitro_enclaves", O_RDWR));
	expect_device(openat(dev, "nitro_enclaves", O_RDWR | O_CLOEXEC));
	expect_device((int)syscall(SYS_openat2, AT_FDCWD, "/dev/nitro_enclaves",
				   &how, sizeof(how)));
	expect_true(chdir("/dev") == 0);
	expect_device(open("nitro_enclaves", O_RDWR | O_NONBLOCK));
}

static void access_mode_does_not_matter(void)
{
	expect_device(open("/dev/nitro_enclaves", O_RDONLY | O_CLOEXEC));
	expect_device(open("/dev/nitro_enclaves", O_WRONLY | O_CLOEXEC));
}

static void device_is_always_ready(void)
{
	expect(call_poll(device_open(), 0), POLLIN | POLLOUT | POLLRDNORM);
}

static void device_refuses_other_commands(void)
{
	int device = device_open();
	uint64_t argument[8] = { 0 };

	expect(call(device, NE_ADD_VCPU, argument), -ENOTTY);
	expect(call(device, NE_GET_IMAGE_LOAD_INFO, argument), -ENOTTY);
	expect(call(device, NE_SET_USER_MEMORY_REGION, argument), -ENOTTY);
	expect(call(device, NE_START_ENCLAVE, argument), -ENOTTY);
	expect(call(device, NE_START_ENCLAVE, BAD_POINTER), -ENOTTY);
	expect(call(device, NO_SUCH_COMMAND, argument), -ENOTTY);
	expect(call(device, CREATE_OF_ANOTHER_SIZE, argument), -ENOTTY);
	expect(call(device, TIOCGWINSZ, argument), -ENOTTY);
	expect(call(device, 0, argument), -ENOTTY);
}

static void enclave_refuses_other_commands(void)
{
	int enclave = new_enclave();
	uint64_t argument[8] = { 0 };

	expect(call(enclave, NE_CREATE_VM, argument), -ENOTTY);
	expect(call(enclave, NE_CREATE_VM, BAD_POINTER), -ENOTTY);
	expect(call(enclave, NO_SUCH_COMMAND, argument), -ENOTTY);
	expect(call(enclave, ADD_VCPU_OF_ANOTHER_SIZE, argument), -ENOTTY);
	expect(call(enclave, ADD_VCPU_OF_ANOTHER_DIRECTION, argument), -ENOTTY);
	expect(call(enclave, TIOCGWINSZ, argument), -ENOTTY);
	expect(call(enclave, 0, argument), -ENOTTY);
}

static void other_descriptors_know_nothing(void)
{
	int ends[2];
	uint32_t id = 0;
	uint64_t slot = 0;

	expect_true(pipe(ends) == 0);
	expect(call(ends[0], NE_CREATE_VM, &slot), -ENOTTY);
	expect(call(ends[0], NE_ADD_VCPU, &id), -ENOTTY);
	expect(call(-1, NE_CREATE_VM, &slot), -EBADF);
	expect(call(1000, NE_ADD_VCPU, &id), -EBADF);
}

/* --- NE_CREATE_VM ------------------------------------------------------------ */

static void slot_id_is_not_zero(void)
{
	uint64_t slot = 0;

	expect_true(create_vm(device_open(), &slot) >= 0);
	expect_true(slot != 0);
}

static void slot_ids_differ(void)
{
	int device = device_open();
	uint64_t first = 0;
	uint64_t second = 0;

	expect_true(create_vm(device, &first) >= 0);
	expect_true(create_vm(device, &second) >= 0);
	expect_true(first != second);
}

static void enclave_is_the_lowest_descriptor(void)
{
	int device = device_open();
	int expected = lowest_free_descriptor();
	uint64_t slot = 0;

	expect_true(create_vm(device, &slot) == expected);
}

static void enclave_closes_on_exec(void)
{
	expect_true(fcntl(new_enclave(), F_GETFD) == FD_CLOEXEC);
}

static void create_with_bad_pointer(void)
{
	int device = device_open();
	int expected = lowest_free_descriptor();
	uint64_t slot = 0;

	expect(create_vm(device, BAD_POINTER), -EFAULT);
	expect_true(lowest_free_descriptor() == expected);
	give_all_cores((int)create_vm(device, &slot));
}

static void create_writes_eight_bytes(void)
{
	uint64_t slots[2] = { 0, 0x5a5a5a5a5a5a5a5a };

	expect_true(create_vm(device_open(), slots) >= 0);
	expect_true(slots[1] == 0x5a5a5a5a5a5a5a5a);
}

static void create_with_empty_pool(void)
{
	int device = device_open();
	uint64_t slot = 0;

	give_all_cores(new_enclave());
	expect(create_vm(device, &slot), -NE_ERR_NO_CPUS_AVAIL_IN_POOL);
	expect_true(slot == 0);
}

static void empty_pool_is_before_bad_pointer(void)
{
	int device = device_open();

	give_all_cores(new_enclave());
	expect(create_vm(device, BAD_POINTER), -NE_ERR_NO_CPUS_AVAIL_IN_POOL);
}

static void more_enclaves_than_cores(void)
{
	int device = device_open();
	uint64_t slot = 0;

	for (unsigned int i = 0; i < pool_cores() + 2; i++)
		expect_true(create_vm(device, &slot) >= 0);
}

static void enclave_survives_the_device(void)
{
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };
	uint64_t slot = 0;
	int device = device_open();
	int enclave = (int)create_vm(device, &slot);

	call_close(device);
	expect(get_load_info(enclave, &info), 0);
}

static void create_without_a_free_descriptor(void)
{
	int device = device_open();
	uint64_t slot = 0;

	while (dup(STDIN_FILENO) >= 0)
		;
	expect(create_vm(device, &slot), -EMFILE);
}

static void enclave_is_no_stream(void)
{
	int enclave = new_enclave();
	char byte = 0;

	/* Nothing here must ever wait. */
	expect_true(fcntl(enclave, F_SETFL, O_NONBLOCK) == 0);
	expect_true(read(enclave, &byte, 1) < 0 && errno == EINVAL);
	expect_true(write(enclave, &byte, 1) < 0 && errno == EINVAL);
	expect_true(lseek(enclave, 0, SEEK_END) == 0);
}

static void device_is_a_character_device(void)
{
	struct stat st;

	expect_true(fstat(device_open(), &st) == 0);
	expect_true(S_ISCHR(st.st_mode));
}

static void enclave_is_an_anonymous_inode(void)
{
	char link[64] = "";
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", new_enclave());
	expect_true(readlink(path, link, sizeof(link) - 1) > 0);
	expect_true(strcmp(link, "anon_inode:ne-vm") == 0);
}

static const struct test_case cases[] = {
	CASE("the device opens by every path and every open call",
	     opens_every_way),
	CASE("the device takes ioctls whatever it was opened for",
	     access_mode_does_not_matter),
	CASE("the device is always ready to poll", device_is_always_ready),
	CASE("the device answers commands that are not its own with ENOTTY",
	     device_refuses_other_commands),
	CASE("an enclave answers commands that are not its own with ENOTTY",
	     enclave_refuses_other_commands),
	CASE("descriptors of other kinds answer as ever",
	     other_descriptors_know_nothing),
	CASE("NE_CREATE_VM gives a slot id that is not zero",
	     slot_id_is_not_zero),
	CASE("NE_CREATE_VM gives every enclave a slot id of its own",
	     slot_ids_differ),
	CASE("NE_CREATE_VM writes eight bytes", create_writes_eight_bytes),
	CASE("NE_CREATE_VM returns the lowest free descriptor",
	     enclave_is_the_lowest_descriptor),
	CASE("an enclave's descriptor closes on exec", enclave_closes_on_exec),
	CASE("NE_CREATE_VM with a bad pointer is EFAULT and leaves nothing behind",
	     create_with_bad_pointer),
	CASE("NE_CREATE_VM without a free CPU is NE_ERR_NO_CPUS_AVAIL_IN_POOL",
	     create_with_empty_pool),
	CASE("NE_CREATE_VM looks at the pool before it looks at the pointer",
	     empty_pool_is_before_bad_pointer),
	CASE("NE_CREATE_VM takes no CPU yet", more_enclaves_than_cores),
	CASE("NE_CREATE_VM without a free descriptor is EMFILE",
	     create_without_a_free_descriptor),
	CASE("an enclave outlives the device's descriptor",
	     enclave_survives_the_device),
	CASE("an enclave's descriptor cannot be read or written",
	     enclave_is_no_stream,
	     .known_difference = "emulated, it is the end of a pipe"),
	CASE("the device is a character device", device_is_a_character_device,
	     .known_difference = "emulated, it is a file"),
	CASE("an enclave's descriptor is the anonymous inode ne-vm",
	     enclave_is_an_anonymous_inode,
	     .known_difference = "emulated, it is the end of a pipe"),
};

const struct test_group device_cases = { cases, ARRAY_SIZE(cases) };
