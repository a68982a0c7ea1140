// SPDX-License-Identifier: Apache-2.0
/*
 * NE_GET_IMAGE_LOAD_INFO.
 */
#include <errno.h>

#include "suite.h"

static void bad_pointer(void)
{
	expect(get_load_info(new_enclave(), BAD_POINTER), -EFAULT);
}

static void eif_is_at_8_mib(void)
{
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE,
					   .memory_offset = ~0ULL };

	expect(get_load_info(new_enclave(), &info), 0);
	expect_true(info.memory_offset == LOAD_OFFSET);
	expect_true(info.flags == NE_EIF_IMAGE);
}

static void no_flag(void)
{
	struct ne_image_load_info info = { .memory_offset = 7 };

	expect(get_load_info(new_enclave(), &info), -NE_ERR_INVALID_FLAG_VALUE);
	expect_true(info.memory_offset == 7);
}

static void unknown_flags(void)
{
	static const uint64_t flags[] = { 2, 3, 1ULL << 32, 1ULL << 63, ~0ULL };
	int enclave = new_enclave();

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct ne_image_load_info info = { .flags = flags[i] };

		expect(get_load_info(enclave, &info),
		       -NE_ERR_INVALID_FLAG_VALUE);
	}
}

static void read_only_argument(void)
{
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };

	expect(get_load_info(new_enclave(),
			     read_only_copy(&info, sizeof(info))),
	       -EFAULT);
}

static void needs_nothing_else(void)
{
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };
	int enclave = new_enclave();

	expect(get_load_info(enclave, &info), 0);
	give_vcpu(enclave, 0);
	expect(get_load_info(enclave, &info), 0);
}

static long ask(void *data)
{
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };

	return get_load_info(*(int *)data, &info);
}

static void another_process(void)
{
	int enclave = new_enclave();

	expect(in_child(ask, &enclave), 0);
}

static void not_in_init_state(void)
{
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };
	uint64_t cid;
	int enclave = running_enclave(0, &cid);

	expect(get_load_info(enclave, BAD_POINTER), -EFAULT);
	expect(get_load_info(enclave, &info), -NE_ERR_NOT_IN_INIT_STATE);
	info.flags = 0;
	expect(get_load_info(enclave, &info), -NE_ERR_NOT_IN_INIT_STATE);
}

static const struct test_case cases[] = {
	CASE("NE_GET_IMAGE_LOAD_INFO with a bad pointer is EFAULT",
	     bad_pointer),
	CASE("NE_GET_IMAGE_LOAD_INFO puts an EIF at 8 MiB", eif_is_at_8_mib),
	CASE("NE_GET_IMAGE_LOAD_INFO without a flag is NE_ERR_INVALID_FLAG_VALUE",
	     no_flag),
	CASE("NE_GET_IMAGE_LOAD_INFO with unknown flags is NE_ERR_INVALID_FLAG_VALUE",
	     unknown_flags),
	CASE("NE_GET_IMAGE_LOAD_INFO to memory that cannot be written is EFAULT",
	     read_only_argument),
	CASE("NE_GET_IMAGE_LOAD_INFO can be asked any time before the start",
	     needs_nothing_else),
	CASE("NE_GET_IMAGE_LOAD_INFO can be asked by a forked child",
	     another_process),
	CASE("NE_GET_IMAGE_LOAD_INFO after the start is NE_ERR_NOT_IN_INIT_STATE, before the flags",
	     not_in_init_state, .needs = NEEDS_IMAGE),
};

const struct test_group load_info_cases = { cases, ARRAY_SIZE(cases) };
