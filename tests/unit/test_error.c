// SPDX-License-Identifier: Apache-2.0
#include <ne/error.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <linux/types.h>
#include <linux/nitro_enclaves.h>

#include <cmocka.h>

static void a_failure_has_a_number_and_a_sentence(void **state)
{
	struct ne_error err = { 0 };

	(void)state;
	assert_int_equal(ne_error_set(&err, ENOENT, "no %s, %d", "file", 3),
			 -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.text, "no file, 3");
}

static void nobody_has_to_want_the_sentence(void **state)
{
	(void)state;
	assert_int_equal(ne_error_set(NULL, ENOENT, "lost"), -ENOENT);
	assert_int_equal(ne_error_prefix(NULL, "lost"), -EIO);
}

static void a_prefix_says_on_what(void **state)
{
	struct ne_error err = { 0 };

	(void)state;
	ne_error_set(&err, NE_ERR_INVALID_VCPU, "no such CPU");
	assert_int_equal(ne_error_prefix(&err, "enclave %d", 5),
			 -NE_ERR_INVALID_VCPU);
	assert_string_equal(err.text, "enclave 5: no such CPU");
}

static void control_characters_are_replaced(void **state)
{
	struct ne_error err = { 0 };

	(void)state;
	ne_error_set(&err, EINVAL, "%s", "a\n\t\033[1mb\x7f\xc3\xa4");
	assert_string_equal(err.text, "a???[1mb?\xc3\xa4");
	ne_error_prefix(&err, "%s", "x\ry");
	assert_string_equal(err.text, "x?y: a???[1mb?\xc3\xa4");
}

static void what_is_no_text_is_replaced(void **state)
{
	struct ne_error err = { 0 };

	(void)state;
	/* CSI of C1, an override of the direction, half a character, Latin-1 */
	ne_error_set(&err, EINVAL, "%s",
		     "a\xc2\x9b\x31m \xe2\x80\xae"
		     "b\xe2\x82 \xe4");
	assert_string_equal(err.text, "a?1m ?b?? ?");
	ne_error_set(&err, EINVAL, "%s", "\xe2\x82\xac \xf0\x9f\x94\x91");
	assert_string_equal(err.text, "\xe2\x82\xac \xf0\x9f\x94\x91");
}

static void no_character_is_cut_in_two(void **state)
{
	struct ne_error err = { 0 };
	char text[NE_ERROR_TEXT_SIZE + 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + NE_ERROR_TEXT_SIZE - 3, "\xe2\x82\xac", 4);
	ne_error_set(&err, EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), NE_ERROR_TEXT_SIZE - 1);
	assert_string_equal(err.text + NE_ERROR_TEXT_SIZE - 4, "x??");
}

static void long_sentences_are_cut(void **state)
{
	struct ne_error err = { 0 };
	char text[2 * NE_ERROR_TEXT_SIZE];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	ne_error_set(&err, EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), NE_ERROR_TEXT_SIZE - 1);
	ne_error_prefix(&err, "%s", "on this");
	assert_int_equal(strlen(err.text), NE_ERROR_TEXT_SIZE - 1);
	assert_memory_equal(err.text, "on this: xxx", 12);
	ne_error_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), NE_ERROR_TEXT_SIZE - 1);
}

static void every_number_of_the_driver_has_a_text(void **state)
{
	int code;

	(void)state;
	for (code = NE_ERR_VCPU_ALREADY_USED;
	     code <= NE_ERR_INVALID_ENCLAVE_CID; code++) {
		assert_string_not_equal(ne_strerror(code), "unknown error");
		assert_ptr_equal(ne_strerror(code), ne_strerror(-code));
	}
	assert_string_equal(ne_strerror(NE_ERR_NO_VCPUS_ADDED),
			    "the enclave has no vCPU");
}

static void other_numbers_are_errnos(void **state)
{
	(void)state;
	assert_string_equal(ne_strerror(ENOENT), "No such file or directory");
	assert_string_equal(ne_strerror(-ENOENT), "No such file or directory");
	assert_string_equal(ne_strerror(NE_ERR_INVALID_ENCLAVE_CID + 1),
			    "unknown error");
	assert_string_equal(ne_strerror(255), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_has_a_number_and_a_sentence),
		cmocka_unit_test(nobody_has_to_want_the_sentence),
		cmocka_unit_test(a_prefix_says_on_what),
		cmocka_unit_test(control_characters_are_replaced),
		cmocka_unit_test(what_is_no_text_is_replaced),
		cmocka_unit_test(no_character_is_cut_in_two),
		cmocka_unit_test(long_sentences_are_cut),
		cmocka_unit_test(every_number_of_the_driver_has_a_text),
		cmocka_unit_test(other_numbers_are_errnos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
