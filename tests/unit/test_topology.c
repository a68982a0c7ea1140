// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-emu/topology.h"

#define CPUS 16

/* "..##.." for CPUs 2 and 3 of 6 */
static const char *picture(const bool *set, unsigned int cpus)
{
	static char text[TOPOLOGY_MAX_CPUS + 1];

	for (unsigned int i = 0; i < cpus; i++)
		text[i] = set[i] ? '#' : '.';
	text[cpus] = '\0';
	return text;
}

static void lists_are_read_as_the_kernel_reads_them(void **state)
{
	static const struct {
		const char *list;
		const char *picture;
	} cases[] = {
		{ "", "................" },
		{ "0", "#..............." },
		{ "2-5", "..####.........." },
		{ "2-5,12", "..####......#..." },
		{ "12,2-5", "..####......#..." },
		{ "2-5,4-6", "..#####........." },
		{ " 2-5 , 12 \n", "..####......#..." },
		{ "2,,3,", "..##............" },
		{ "15", "...............#" },
		{ "N", "...............#" },
		{ "14-N", "..............##" },
		{ "all", "################" },
		{ "0-15:2/4", "##..##..##..##.." },
		{ "2-8:1/3", "..#..#..#......." },
		{ "2-5:0/2", "................" },
	};
	bool set[CPUS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(cpu_list_parse(cases[i].list, CPUS, set, NULL),
				 0);
		assert_string_equal(picture(set, CPUS), cases[i].picture);
	}
}

static void what_is_no_list_is_refused_and_named(void **state)
{
	static const char *const bad[] = {
		"x",
		"2-",
		"-2",
		"5-2",
		"2-5:",
		"2-5:1",
		"2-5:1/",
		"2-5:1/0",
		"2-5:3/2",
		"2;3",
		"2 3",
		"0x2",
		"2-5-7",
		"16",
		"2-16",
		"1-4294967298",
		"99999999999999999999999999",
	};
	bool set[CPUS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ne_error err = { 0 };

		assert_int_equal(cpu_list_parse(bad[i], CPUS, set, &err),
				 -EINVAL);
		assert_non_null(strstr(err.text, bad[i]));
	}
}

static void a_pool_of_whole_cores_beside_the_first_is_taken(void **state)
{
	static const struct {
		unsigned int cpus, threads;
		const char *pool;
	} cases[] = {
		{ 16, 2, "2-15" },  { 16, 2, "14,15" }, { 16, 1, "1-15" },
		{ 16, 4, "8-11" },  { 16, 2, "" },	{ 1, 1, "" },
		{ 1024, 8, "8-N" },
	};
	struct topology topology;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(topology_init(&topology, cases[i].cpus,
					       cases[i].threads, cases[i].pool,
					       NULL),
				 0);
		assert_string_equal(topology.pool_list, cases[i].pool);
		assert_int_equal(topology_cores(&topology),
				 cases[i].cpus / cases[i].threads);
	}
}

static void other_pools_are_refused_with_the_reason(void **state)
{
	static const struct {
		unsigned int cpus, threads;
		const char *pool, *reason;
	} cases[] = {
		{ 16, 2, "0-3", "CPU 0 is in the CPU pool" },
		{ 16, 2, "1-3", "CPU 1 is in the CPU pool \"1-3\"; it shares" },
		{ 16, 4, "2-7", "CPU 2 is in the CPU pool \"2-7\"; it shares" },
		{ 16, 2, "3-5", "CPU 2 is not in the CPU pool" },
		{ 16, 2, "2-4", "CPU 5 is not in the CPU pool" },
		{ 16, 2, "2-16", "CPU 16; there are CPUs 0 to 15" },
		{ 16, 2, "2-5:0/2", "is empty" },
		{ 16, 2, "two", "\"two\" is not a list of CPUs" },
		{ 15, 2, "", "15 emulated CPUs are not whole cores" },
		{ 0, 1, "", "0 emulated CPUs are not possible" },
		{ 2048, 1, "", "2048 emulated CPUs are not possible" },
		{ 16, 0, "", "0 threads per emulated core" },
		{ 16, 16, "", "16 threads per emulated core" },
	};
	struct topology topology;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ne_error err = { 0 };

		assert_int_equal(topology_init(&topology, cases[i].cpus,
					       cases[i].threads, cases[i].pool,
					       &err),
				 -EINVAL);
		assert_int_equal(err.code, EINVAL);
		assert_non_null(strstr(err.text, cases[i].reason));
	}
}

static void a_pool_is_no_longer_than_the_driver_takes(void **state)
{
	char list[TOPOLOGY_LIST_SIZE + 1] = "2-3";
	struct topology topology;

	(void)state;
	memset(list + 3, ',', TOPOLOGY_LIST_SIZE - 4);
	list[TOPOLOGY_LIST_SIZE - 1] = '\0';
	assert_int_equal(topology_init(&topology, 16, 2, list, NULL), 0);
	assert_string_equal(topology.pool_list, list);
	list[TOPOLOGY_LIST_SIZE - 1] = ',';
	list[TOPOLOGY_LIST_SIZE] = '\0';
	assert_int_equal(topology_init(&topology, 16, 2, list, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read_as_the_kernel_reads_them),
		cmocka_unit_test(what_is_no_list_is_refused_and_named),
		cmocka_unit_test(
			a_pool_of_whole_cores_beside_the_first_is_taken),
		cmocka_unit_test(other_pools_are_refused_with_the_reason),
		cmocka_unit_test(a_pool_is_no_longer_than_the_driver_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
