// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "libne/memory.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static void assert_plan(uint64_t size, uint64_t free_1g, uint64_t free_2m,
			uint64_t pages_1g, uint64_t pages_2m, uint64_t ordinary)
{
	struct memory_pages pages = { .free_1g = free_1g, .free_2m = free_2m };
	struct memory_plan plan = memory_plan(size, &pages);

	assert_int_equal(plan.pages_1g, pages_1g);
	assert_int_equal(plan.pages_2m, pages_2m);
	assert_int_equal(plan.ordinary, ordinary);
}

static void the_largest_pages_are_taken_first(void **state)
{
	(void)state;
	assert_plan(2560 * MIB, 4, 4096, 2, 256, 0);
	assert_plan(2560 * MIB, 1, 4096, 1, 768, 0);
	assert_plan(512 * MIB, 4, 4096, 0, 256, 0);
	assert_plan(2 * GIB, 2, 0, 2, 0, 0);
}

static void a_1g_page_serves_for_a_rest_that_2m_pages_cannot(void **state)
{
	(void)state;
	assert_plan(512 * MIB, 1, 0, 1, 0, 0);
	assert_plan(1536 * MIB, 2, 255, 2, 0, 0);
	assert_plan(1536 * MIB, 2, 256, 1, 256, 0);
}

static void too_few_huge_pages_mean_none(void **state)
{
	(void)state;
	assert_plan(512 * MIB, 0, 255, 0, 0, 512 * MIB);
	assert_plan(1536 * MIB, 1, 255, 0, 0, 1536 * MIB);
	assert_plan(512 * MIB, 0, 0, 0, 0, 512 * MIB);
}

static void absurd_sizes_do_not_wrap(void **state)
{
	uint64_t huge = UINT64_MAX / MEMORY_2M * MEMORY_2M;

	(void)state;
	assert_plan(huge, 0, 100, 0, 0, huge);
	assert_plan(huge, 100, 0, 0, 0, huge);
}

static void what_is_missing_is_said_with_the_command_that_helps(void **state)
{
	struct memory_pages pages = { .free_2m = 12, .total_2m = 12 };
	struct ne_error err = { 0 };

	(void)state;
	assert_int_equal(memory_say_missing(4096 * MIB, &pages, ENOMEM, &err),
			 -ENOMEM);
	assert_string_equal(err.text, "cannot reserve 4096 MiB for the "
				      "enclave: 12 free 2 MiB huge pages, "
				      "2048 needed; run: sudo sysctl "
				      "vm.nr_hugepages=2048");
}

static void pages_that_others_use_are_asked_for_on_top(void **state)
{
	struct memory_pages pages = { .free_2m = 56, .total_2m = 100 };
	struct ne_error err = { 0 };

	(void)state;
	memory_say_missing(512 * MIB, &pages, ENOMEM, &err);
	assert_non_null(strstr(err.text, "vm.nr_hugepages=300"));
}

static void free_1g_pages_lower_what_is_needed(void **state)
{
	struct memory_pages pages = { .free_1g = 1 };
	struct ne_error err = { 0 };

	(void)state;
	memory_say_missing(1536 * MIB, &pages, ENOMEM, &err);
	assert_non_null(strstr(err.text, "0 free 2 MiB huge pages, 256 "
					 "needed"));
}

/* Two regions of 8 and 4 bytes, with a byte behind each that must stay. */
struct two_regions {
	uint8_t first[9];
	uint8_t second[5];
	struct memory memory;
};

static void make_two_regions(struct two_regions *two)
{
	memset(two->first, '.', sizeof(two->first));
	memset(two->second, '.', sizeof(two->second));
	two->memory = (struct memory){
		.regions = { { two->first, 8 }, { two->second, 4 } },
		.count = 2,
	};
}

static void a_copy_goes_on_in_the_next_region(void **state)
{
	struct two_regions two;

	(void)state;
	make_two_regions(&two);
	assert_int_equal(memory_copy(&two.memory, 5, "abcdef", 6), 0);
	assert_memory_equal(two.first, ".....abc.", 9);
	assert_memory_equal(two.second, "def..", 5);
}

static void a_copy_may_start_in_the_second_region(void **state)
{
	struct two_regions two;

	(void)state;
	make_two_regions(&two);
	assert_int_equal(memory_copy(&two.memory, 8, "abcd", 4), 0);
	assert_memory_equal(two.first, ".........", 9);
	assert_memory_equal(two.second, "abcd.", 5);
}

static void what_does_not_fit_is_not_begun(void **state)
{
	struct two_regions two;

	(void)state;
	make_two_regions(&two);
	assert_int_equal(memory_copy(&two.memory, 7, "abcdef", 6), -ENOSPC);
	assert_int_equal(memory_copy(&two.memory, 13, "", 0), -ENOSPC);
	assert_int_equal(memory_copy(&two.memory, UINT64_MAX, "a", 1), -ENOSPC);
	assert_int_equal(memory_copy(&two.memory, 1, "a", SIZE_MAX), -ENOSPC);
	assert_memory_equal(two.first, ".........", 9);
	assert_memory_equal(two.second, ".....", 5);
}

static void mapped_memory_is_aligned_and_zero(void **state)
{
	struct memory memory;

	(void)state;
	assert_int_equal(memory_map(&memory, 6 * MIB, NULL), 0);
	assert_true(memory_size(&memory) >= 6 * MIB);
	for (size_t i = 0; i < memory.count; i++) {
		uint8_t *last =
			memory.regions[i].address + memory.regions[i].size - 1;

		assert_int_equal(
			(uintptr_t)memory.regions[i].address % MEMORY_2M, 0);
		assert_int_equal(*memory.regions[i].address, 0);
		assert_int_equal(*last, 0);
	}
	memory_unmap(&memory);
	assert_int_equal(memory_size(&memory), 0);
}

static void a_file_is_mapped_into_ordinary_memory(void **state)
{
	struct memory_pages pages = memory_pages_read();
	/* More than there are huge pages. */
	uint64_t size =
		MEMORY_1G * pages.free_1g + MEMORY_2M * (pages.free_2m + 2);
	char text[5000];
	FILE *file = tmpfile();
	struct memory memory;
	uint8_t *start;

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, sizeof(text), file), sizeof(text));
	assert_int_equal(fflush(file), 0);
	assert_int_equal(memory_map(&memory, size, NULL), 0);
	assert_true(memory.ordinary);
	start = memory.regions[0].address + 2 * MIB;
	assert_int_equal(memory_map_file(&memory, 2 * MIB, fileno(file),
					 sizeof(text)),
			 0);
	assert_memory_equal(start, text, sizeof(text));
	assert_int_equal(start[-1], 0);
	assert_int_equal(start[sizeof(text)], 0);
	start[0] = 'b'; /* not into the file */
	assert_int_equal(fseek(file, 0, SEEK_SET), 0);
	assert_int_equal(fgetc(file), 'a');
	assert_int_equal(memory_map_file(&memory, size, fileno(file), 1),
			 -ENOSPC);
	assert_int_equal(memory_map_file(&memory, 1, fileno(file), 1),
			 -EOPNOTSUPP);
	fclose(file);
	memory_unmap(&memory);
}

static void more_memory_than_the_machine_has_is_refused(void **state)
{
	struct memory memory;
	struct ne_error err = { 0 };

	(void)state;
	assert_int_equal(memory_map(&memory, UINT64_C(1) << 50, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "this machine has"));
	assert_int_equal(memory.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_largest_pages_are_taken_first),
		cmocka_unit_test(
			a_1g_page_serves_for_a_rest_that_2m_pages_cannot),
		cmocka_unit_test(too_few_huge_pages_mean_none),
		cmocka_unit_test(absurd_sizes_do_not_wrap),
		cmocka_unit_test(
			what_is_missing_is_said_with_the_command_that_helps),
		cmocka_unit_test(pages_that_others_use_are_asked_for_on_top),
		cmocka_unit_test(free_1g_pages_lower_what_is_needed),
		cmocka_unit_test(a_copy_goes_on_in_the_next_region),
		cmocka_unit_test(a_copy_may_start_in_the_second_region),
		cmocka_unit_test(what_does_not_fit_is_not_begun),
		cmocka_unit_test(mapped_memory_is_aligned_and_zero),
		cmocka_unit_test(a_file_is_mapped_into_ordinary_memory),
		cmocka_unit_test(more_memory_than_the_machine_has_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
