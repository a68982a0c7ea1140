// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <ne/error.h>

#include "nsm-emu/options.h"

/* --- Times --------------------------------------------------------------- */

static void expect_time(const char *text, uint64_t expected)
{
	uint64_t milliseconds = 0;

	if (!nsm_parse_time(text, &milliseconds))
		fail_msg("'%s' is no time", text);
	assert_int_equal(milliseconds, expected);
}

static void expect_no_time(const char *text)
{
	uint64_t milliseconds;

	if (nsm_parse_time(text, &milliseconds))
		fail_msg("'%s' is a time", text);
}

static void a_time_is_seconds_since_1970(void **state)
{
	(void)state;
	expect_time("0", 0);
	expect_time("1", 1000);
	expect_time("1752827465", UINT64_C(1752827465000));
	expect_time("253402300799", UINT64_C(253402300799000));
	expect_no_time("253402300800");
	expect_no_time("99999999999999999999999");
	expect_no_time("-1");
	expect_no_time("+1");
	expect_no_time(" 1");
	expect_no_time("1 ");
	expect_no_time("1.5");
	expect_no_time("");
}

static void a_time_is_as_rfc_3339_has_it(void **state)
{
	(void)state;
	expect_time("1970-01-01T00:00:00Z", 0);
	expect_time("2026-01-31T12:00:00Z", UINT64_C(1769860800000));
	expect_time("2026-01-31t12:00:00z", UINT64_C(1769860800000));
	expect_time("2026-01-31T12:00:00.5Z", UINT64_C(1769860800500));
	expect_time("2026-01-31T12:00:00.1239999Z", UINT64_C(1769860800123));
	expect_time("2026-01-31T13:30:00+01:30", UINT64_C(1769860800000));
	expect_time("2026-01-31T07:00:00-05:00", UINT64_C(1769860800000));
	expect_time("2024-02-29T00:00:00Z", UINT64_C(1709164800000));
	expect_time("2016-12-31T23:59:60Z", UINT64_C(1483228800000));
	expect_time("9999-12-31T23:59:59Z", UINT64_C(253402300799000));
}

static void what_is_no_time_of_that_kind_is_refused(void **state)
{
	static const char *const texts[] = {
		"2026-01-31",
		"2026-01-31T12:00:00",
		"2026-01-31 12:00:00Z",
		"2026-1-31T12:00:00Z",
		"2026-02-29T12:00:00Z",
		"2026-04-31T12:00:00Z",
		"2026-13-01T12:00:00Z",
		"2026-00-01T12:00:00Z",
		"2026-01-00T12:00:00Z",
		"2026-01-31T24:00:00Z",
		"2026-01-31T12:60:00Z",
		"2026-01-31T12:00:61Z",
		"2026-01-31T12:00:00.Z",
		"2026-01-31T12:00:00ZZ",
		"2026-01-31T12:00:00+1",
		"2026-01-31T12:00:00+24:00",
		"2026-01-31T12:00:00+0100",
		"1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+00:01",
		"noon",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_no_time(texts[i]);
}

/* --- Options ------------------------------------------------------------- */

static struct nsm_options options;

static void set(int option, const char *value)
{
	struct ne_error err = { 0 };

	if (nsm_options_set(&options, option, value, &err))
		fail_msg("'%s': %s", value, err.text);
}

static void expect_refusal(int option, const char *value, const char *why)
{
	struct ne_error err = { 0 };
	struct nsm_options before = options;

	assert_int_equal(nsm_options_set(&options, option, value, &err),
			 -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("'%s' is not in '%s'", why, err.text);
	assert_memory_equal(&options, &before, sizeof(before));
}

static int reset(void **state)
{
	(void)state;
	memset(&options, 0, sizeof(options));
	return 0;
}

static void texts_are_taken_as_they_are(void **state)
{
	char long_id[128];

	(void)state;
	set(NSM_OPTION_ROLE, "arn:aws:iam::123456789012:role/a");
	assert_string_equal(options.role, "arn:aws:iam::123456789012:role/a");
	set(NSM_OPTION_SEED, "1");
	assert_string_equal(options.seed, "1");
	set(NSM_OPTION_MODULE_ID, "i-1-enc2");
	assert_string_equal(options.module_id, "i-1-enc2");
	set(NSM_OPTION_PKI, "folder");
	set(NSM_OPTION_CA_CERT, "cert");
	set(NSM_OPTION_CA_KEY, "pkcs11:token=a");
	assert_string_equal(options.pki, "folder");
	assert_string_equal(options.ca_cert, "cert");
	assert_string_equal(options.ca_key, "pkcs11:token=a");
	expect_refusal(NSM_OPTION_ROLE, "", "no ARN of a role");
	expect_refusal(NSM_OPTION_ROLE, "app", "no ARN of a role");
	expect_refusal(NSM_OPTION_SEED, "", "--seed");
	expect_refusal(NSM_OPTION_MODULE_ID, "", "--module-id");
	snprintf(long_id, sizeof(long_id), "%0101d", 0);
	expect_refusal(NSM_OPTION_MODULE_ID, long_id, "more than 100 bytes");
	expect_refusal(NSM_OPTION_PKI, "", "--pki");
}

static void names_in_certificates_are_short_and_simple(void **state)
{
	(void)state;
	set(NSM_OPTION_INSTANCE_ID, "i-0123456789abcdef0");
	assert_string_equal(options.instance_id, "i-0123456789abcdef0");
	set(NSM_OPTION_REGION, "eu-central-1");
	assert_string_equal(options.region, "eu-central-1");
	expect_refusal(NSM_OPTION_REGION, "", "1 to 32");
	expect_refusal(NSM_OPTION_REGION, "eu.central", "letters");
	expect_refusal(NSM_OPTION_INSTANCE_ID, "", "no instance id");
	expect_refusal(NSM_OPTION_INSTANCE_ID, "i-", "no instance id");
	expect_refusal(NSM_OPTION_INSTANCE_ID, "i-0123x", "no instance id");
	expect_refusal(NSM_OPTION_INSTANCE_ID, "0123", "no instance id");
	expect_refusal(NSM_OPTION_INSTANCE_ID,
		       "i-0123456789abcdef0123456789abcdef", "no instance id");
}

static void a_seed_alone_makes_no_root(void **state)
{
	const struct nsm_options seed = { .seed = "1" },
				 pki = { .seed = "1", .pki = "folder" },
				 company = { .seed = "1", .ca_cert = "ca" },
				 none = { 0 };

	(void)state;
	assert_non_null(strstr(nsm_options_notice(&seed), "--pki FOLDER"));
	assert_null(nsm_options_notice(&pki));
	assert_null(nsm_options_notice(&company));
	assert_null(nsm_options_notice(&none));
}

static void choices_are_named(void **state)
{
	(void)state;
	set(NSM_OPTION_DIALECT, "definite");
	assert_int_equal(options.dialect, NSM_DIALECT_DEFINITE);
	set(NSM_OPTION_DIALECT, "sparse");
	assert_int_equal(options.dialect, NSM_DIALECT_SPARSE);
	set(NSM_OPTION_DIALECT, "indefinite");
	assert_int_equal(options.dialect, NSM_DIALECT_INDEFINITE);
	expect_refusal(NSM_OPTION_DIALECT, "old",
		       "indefinite, definite or sparse");
	set(NSM_OPTION_LIMITS, "hardware");
	assert_int_equal(options.limits, NSM_LIMITS_HARDWARE);
	set(NSM_OPTION_LIMITS, "documented");
	assert_int_equal(options.limits, NSM_LIMITS_DOCUMENTED);
	expect_refusal(NSM_OPTION_LIMITS, "none", "documented or hardware");
}

static void a_clock_stands_still_or_goes_on(void **state)
{
	(void)state;
	assert_int_equal(options.clock, NSM_CLOCK_HOST);
	set(NSM_OPTION_CLOCK, "@1000");
	assert_int_equal(options.clock, NSM_CLOCK_RUNS);
	assert_int_equal(options.clock_start, 1000000);
	set(NSM_OPTION_CLOCK, "2026-01-31T12:00:00Z");
	assert_int_equal(options.clock, NSM_CLOCK_STANDS);
	assert_int_equal(options.clock_start, UINT64_C(1769860800000));
	expect_refusal(NSM_OPTION_CLOCK, "@", "seconds since 1970");
	expect_refusal(NSM_OPTION_CLOCK, "@@1", "seconds since 1970");
	expect_refusal(NSM_OPTION_CLOCK, "today", "'today'");
}

static void a_lifetime_is_at_least_a_second(void **state)
{
	(void)state;
	set(NSM_OPTION_LEAF_LIFETIME, "10");
	assert_int_equal(options.leaf_lifetime, 10);
	set(NSM_OPTION_LEAF_LIFETIME, "2147483647");
	expect_refusal(NSM_OPTION_LEAF_LIFETIME, "0", "--leaf-lifetime");
	expect_refusal(NSM_OPTION_LEAF_LIFETIME, "2147483648", "seconds");
	expect_refusal(NSM_OPTION_LEAF_LIFETIME, "1h", "seconds");
	expect_refusal(NSM_OPTION_LEAF_LIFETIME, "", "seconds");
}

static void an_authority_has_a_certificate_and_a_key(void **state)
{
	struct ne_error err = { 0 };

	(void)state;
	assert_int_equal(nsm_options_check(&options, &err), 0);
	options.ca_cert = "cert";
	assert_int_equal(nsm_options_check(&options, &err), -EINVAL);
	assert_non_null(strstr(err.text, "go together"));
	options.ca_key = "key";
	assert_int_equal(nsm_options_check(&options, &err), 0);
	options.pki = "folder";
	assert_int_equal(nsm_options_check(&options, &err), -EINVAL);
	options.ca_cert = options.ca_key = NULL;
	assert_int_equal(nsm_options_check(&options, &err), 0);
}

static void every_long_option_is_known_and_explained(void **state)
{
	static const struct option table[] = { NSM_LONG_OPTIONS };
	struct ne_error err = { 0 };
	char name[64];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_not_equal(nsm_options_set(&options, table[i].val,
						     "1", &err),
				     -ENOENT);
		snprintf(name, sizeof(name), "  --%s ", table[i].name);
		assert_non_null(strstr(nsm_options_help, name));
	}
	assert_int_equal(nsm_options_set(&options, 'x', "", &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_seconds_since_1970),
		cmocka_unit_test(a_time_is_as_rfc_3339_has_it),
		cmocka_unit_test(what_is_no_time_of_that_kind_is_refused),
		cmocka_unit_test_setup(texts_are_taken_as_they_are, reset),
		cmocka_unit_test_setup(
			names_in_certificates_are_short_and_simple, reset),
		cmocka_unit_test(a_seed_alone_makes_no_root),
		cmocka_unit_test_setup(choices_are_named, reset),
		cmocka_unit_test_setup(a_clock_stands_still_or_goes_on, reset),
		cmocka_unit_test_setup(a_lifetime_is_at_least_a_second, reset),
		cmocka_unit_test_setup(an_authority_has_a_certificate_and_a_key,
				       reset),
		cmocka_unit_test_setup(every_long_option_is_known_and_explained,
				       reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
