// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-run/options.h"

static struct options options;
static struct ne_error err;

/* The words of a command line, with one space between each two. */
static int parse(const char *line)
{
	static char words[256];
	char *argv[16] = { (char *)"ne-run" };
	int argc = 1;

	strcpy(words, line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	optind = 0;
	err = (struct ne_error){ 0 };
	return options_parse(&options, argc, argv, &err);
}

static void an_image_is_all_that_is_needed(void **state)
{
	(void)state;
	assert_int_equal(parse("a.eif"), 0);
	assert_string_equal(options.image, "a.eif");
	assert_int_equal(options.cpus, 0);
	assert_int_equal(options.n_cpu_ids, 0);
	assert_int_equal(options.memory, 0);
	assert_int_equal(options.cid, 0);
	assert_int_equal(options.emulate, EMULATE_AUTO);
	assert_null(options.name);
	assert_false(options.debug || options.console || options.json ||
		     options.verbose);
}

static void options_may_stand_before_and_behind_the_image(void **state)
{
	(void)state;
	assert_int_equal(parse("--cpus 4 a.eif --mem=4G --cid 20 --name n"), 0);
	assert_string_equal(options.image, "a.eif");
	assert_int_equal(options.cpus, 4);
	assert_int_equal(options.memory, UINT64_C(4) << 30);
	assert_int_equal(options.cid, 20);
	assert_string_equal(options.name, "n");
	assert_int_equal(parse("a.eif -c2 -m 512 -v --debug --console --json "
			       "--boot-timeout 5 --emulate=qemu"),
			 0);
	assert_int_equal(options.cpus, 2);
	assert_int_equal(options.boot_timeout, 5);
	assert_int_equal(options.emulate, EMULATE_QEMU);
	assert_true(options.debug && options.console && options.json &&
		    options.verbose);
	assert_int_equal(parse("--cpu-ids 2-3,6 -- --a"), 0);
	assert_int_equal(options.n_cpu_ids, 3);
	assert_int_equal(options.cpu_ids[2], 6);
	assert_string_equal(options.image, "--a");
}

static void help_and_version_need_no_image(void **state)
{
	(void)state;
	assert_int_equal(parse("--help"), 0);
	assert_true(options.help);
	assert_int_equal(parse("--version"), 0);
	assert_true(options.version);
}

static void what_makes_no_sense_is_refused_in_one_line(void **state)
{
	static const char *const bad[] = {
		"",
		"a b",
		"a --bogus",
		"a -x",
		"a --mem",
		"a --json=yes",
		"a --cpus 0",
		"a --cpus -1",
		"a --cpus 1025",
		"a --cpus two",
		"a --cpu-ids 3-2",
		"a --cpu-ids 0-65535",
		"a --cpus 2 --cpu-ids 2-3",
		"a --mem 0",
		"a --mem 4X",
		"a --cid 3",
		"a --cid 4294967295",
		"a --cid 4294967300",
		"a --boot-timeout 0",
		"a --emulate maybe",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(bad[i]), -EINVAL);
		assert_true(strlen(err.text) > 0);
		assert_null(strchr(err.text, '\n'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_is_all_that_is_needed),
		cmocka_unit_test(options_may_stand_before_and_behind_the_image),
		cmocka_unit_test(help_and_version_need_no_image),
		cmocka_unit_test(what_makes_no_sense_is_refused_in_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
