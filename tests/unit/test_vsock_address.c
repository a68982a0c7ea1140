// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <linux/vm_sockets.h>

#include "vsock-sim/address.h"

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

static const struct vsock_names names = { .folder = "/run/ne/vsock",
					  .id = 0x1234 };

static const struct vsock_address addresses[] = {
	{ 0, 0 },
	{ 3, 9000 },
	{ 16, 1 },
	{ 0, 10016 },
	{ 4294967294U, 65536 },
	{ VMADDR_CID_ANY, VMADDR_PORT_ANY },
};

static void expect_round_trip(const struct vsock_names *where,
			      struct vsock_address address)
{
	struct vsock_address read = { 77, 77 };
	struct sockaddr_un name;
	socklen_t length = vsock_bound_name(where, address, &name);

	assert_true(length <= sizeof(name));
	assert_true(vsock_parse_name(where, &name, length, &read));
	assert_memory_equal(&read, &address, sizeof(read));
	length = vsock_connecting_name(where, address, &name);
	assert_true(length <= sizeof(name));
	assert_true(vsock_parse_name(where, &name, length, &read));
	assert_memory_equal(&read, &address, sizeof(read));
}

static void an_address_can_be_read_from_either_of_its_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		expect_round_trip(&names, addresses[i]);
}

static void names_are_as_documented(void **state)
{
	struct sockaddr_un name;
	socklen_t length;

	(void)state;
	length = vsock_bound_name(&names, addresses[1], &name);
	assert_string_equal(name.sun_path, "/run/ne/vsock/3/9000");
	assert_int_equal(length, PATH_OFFSET + strlen(name.sun_path) + 1);
	length = vsock_connecting_name(&names, addresses[1], &name);
	assert_int_equal(name.sun_path[0], 0);
	assert_string_equal(name.sun_path + 1,
			    "ne-vsock/0000000000001234/3/9000");
	assert_int_equal(length, PATH_OFFSET + 1 + strlen(name.sun_path + 1));
}

static void the_longest_folder_leaves_room_for_every_address(void **state)
{
	char folder[VSOCK_FOLDER_MAX + 1];
	struct vsock_names longest = { .folder = folder, .id = UINT64_MAX };

	(void)state;
	memset(folder, 'f', sizeof(folder) - 1);
	folder[0] = '/';
	folder[sizeof(folder) - 1] = '\0';
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		expect_round_trip(&longest, addresses[i]);
}

static bool parses(const char *path, size_t size)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct vsock_address address;

	memcpy(name.sun_path, path, size);
	return vsock_parse_name(&names, &name, (socklen_t)(PATH_OFFSET + size),
				&address);
}

#define PARSES(text) parses(text, sizeof(text) - 1)

static void a_name_may_lack_its_terminator_or_have_it(void **state)
{
	(void)state;
	assert_true(PARSES("/run/ne/vsock/3/9000"));
	assert_true(PARSES("/run/ne/vsock/3/9000\0"));
	assert_true(PARSES("\0ne-vsock/0000000000001234/3/9000"));
}

static void other_names_are_none(void **state)
{
	(void)state;
	assert_false(PARSES(""));
	assert_false(PARSES("/"));
	assert_false(PARSES("/run/ne/vsock"));
	assert_false(PARSES("/run/ne/vsock/"));
	assert_false(PARSES("/run/ne/vsock/3"));
	assert_false(PARSES("/run/ne/vsock/3/"));
	assert_false(PARSES("/run/ne/vsock//9000"));
	assert_false(PARSES("/run/ne/vsock3/9000"));
	assert_false(PARSES("/run/ne/vsock/3/9000/"));
	assert_false(PARSES("/run/ne/vsock/3/9000 "));
	assert_false(PARSES("/run/ne/vsock/3 /9000"));
	assert_false(PARSES("/run/ne/vsock/3.sock"));
	assert_false(PARSES("/run/ne/vsock/-1/9000"));
	assert_false(PARSES("/run/ne/vsock/+3/9000"));
	assert_false(PARSES("/run/ne/vsock/0x3/9000"));
	assert_false(PARSES("/run/ne/other/3/9000"));
	assert_false(PARSES("run/ne/vsock/3/9000"));
	assert_false(PARSES("\0ne-vsock/0000000000001235/3/9000"));
	assert_false(PARSES("\0ne-vsock/1234/3/9000"));
	assert_false(PARSES("\0ne-vsoc/0000000000001234/3/9000"));
	assert_false(PARSES("\0/run/ne/vsock/3/9000"));
	assert_false(PARSES("\0"));
	assert_false(PARSES("\0\0"));
}

static void numbers_have_one_spelling_and_fit(void **state)
{
	(void)state;
	assert_false(PARSES("/run/ne/vsock/03/9000"));
	assert_false(PARSES("/run/ne/vsock/3/09000"));
	assert_false(PARSES("/run/ne/vsock/00/0"));
	assert_true(PARSES("/run/ne/vsock/4294967295/4294967295"));
	assert_false(PARSES("/run/ne/vsock/4294967296/1"));
	assert_false(PARSES("/run/ne/vsock/3/4294967296"));
	assert_false(PARSES("/run/ne/vsock/3/18446744073709551617"));
	assert_false(PARSES("/run/ne/vsock/3/99999999999999999999999999999"));
}

static void a_full_name_without_terminator_is_not_read_beyond(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct vsock_address address;

	(void)state;
	memset(name.sun_path, '1', sizeof(name.sun_path));
	memcpy(name.sun_path, "/run/ne/vsock/1/", 16);
	assert_false(vsock_parse_name(&names, &name, sizeof(name), &address));
	/* The kernel says 111 when a name has 108 bytes and a terminator. */
	assert_false(
		vsock_parse_name(&names, &name, sizeof(name) + 1, &address));
	assert_false(vsock_parse_name(&names, &name, UINT32_MAX, &address));
}

static void lengths_that_hold_no_path_are_none(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct vsock_address address;

	(void)state;
	for (socklen_t length = 0; length <= PATH_OFFSET; length++)
		assert_false(vsock_parse_name(&names, &name, length, &address));
}

static void another_family_is_none(void **state)
{
	struct vsock_address address;
	struct sockaddr_un name;
	socklen_t length = vsock_bound_name(&names, addresses[1], &name);

	(void)state;
	name.sun_family = AF_INET;
	assert_false(vsock_parse_name(&names, &name, length, &address));
}

static void bytes_are_those_of_struct_sockaddr_vm(void **state)
{
	struct sockaddr_vm theirs = { .svm_family = AF_VSOCK,
				      .svm_cid = 0x12345678,
				      .svm_port = 0x9abcdef0 };
	struct vsock_address address = { theirs.svm_cid, theirs.svm_port };
	struct vsock_address read;
	uint8_t bytes[VSOCK_SOCKADDR_SIZE];

	(void)state;
	assert_int_equal(sizeof(theirs), VSOCK_SOCKADDR_SIZE);
	memset(bytes, 0xff, sizeof(bytes));
	vsock_put_sockaddr(address, bytes);
	assert_memory_equal(bytes, &theirs, sizeof(bytes));
	assert_true(vsock_get_sockaddr(bytes, sizeof(bytes), &read));
	assert_memory_equal(&read, &address, sizeof(read));
}

static void
bytes_that_are_too_few_or_of_another_family_are_refused(void **state)
{
	struct vsock_address address = { 3, 5000 };
	uint8_t bytes[VSOCK_SOCKADDR_SIZE];

	(void)state;
	vsock_put_sockaddr(address, bytes);
	for (size_t size = 0; size < sizeof(bytes); size++)
		assert_false(vsock_get_sockaddr(bytes, size, &address));
	bytes[0] ^= 1;
	assert_false(vsock_get_sockaddr(bytes, sizeof(bytes), &address));
}

static void only_flags_that_the_kernel_knows_are_taken(void **state)
{
	struct vsock_address address = { 3, 5000 };
	uint8_t bytes[VSOCK_SOCKADDR_SIZE];

	(void)state;
	vsock_put_sockaddr(address, bytes);
	bytes[offsetof(struct sockaddr_vm, svm_flags)] = VMADDR_FLAG_TO_HOST;
	assert_true(vsock_get_sockaddr(bytes, sizeof(bytes), &address));
	bytes[offsetof(struct sockaddr_vm, svm_flags)] = 0x80;
	assert_false(vsock_get_sockaddr(bytes, sizeof(bytes), &address));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_address_can_be_read_from_either_of_its_names),
		cmocka_unit_test(names_are_as_documented),
		cmocka_unit_test(
			the_longest_folder_leaves_room_for_every_address),
		cmocka_unit_test(a_name_may_lack_its_terminator_or_have_it),
		cmocka_unit_test(other_names_are_none),
		cmocka_unit_test(numbers_have_one_spelling_and_fit),
		cmocka_unit_test(
			a_full_name_without_terminator_is_not_read_beyond),
		cmocka_unit_test(lengths_that_hold_no_path_are_none),
		cmocka_unit_test(another_family_is_none),
		cmocka_unit_test(bytes_are_those_of_struct_sockaddr_vm),
		cmocka_unit_test(
			bytes_that_are_too_few_or_of_another_family_are_refused),
		cmocka_unit_test(only_flags_that_the_kernel_knows_are_taken),
	};

	return cmocka_run_group_tests_name("vsock addresses", tests, NULL,
					   NULL);
}
