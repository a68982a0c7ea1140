// SPDX-License-Identifier: Apache-2.0
/*
 * Known answers come from coreutils, for content X:
 *
 *	printf X | sha384sum | cut -c1-96 | xxd -r -p >digest
 *	(head -c 48 /dev/zero; cat digest) | sha384sum
 */
#include <ne/eif.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_eif_image.h"

#define PCR_OF_NOTHING                                     \
	"21b9efbc184807662e966d34f390821309eeac6802309798" \
	"826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"
#define PCR_OF_KERNEL_CMDLINE_BOOT                         \
	"d295b41385d9acdc6643918252d331d44d9e4f47b94a5f3e" \
	"84e7499f4248281b2d6669c4d8773a2141a90e3f6cffaf28"

static void measure(const struct image *image,
		    struct ne_eif_measurements *measurements)
{
	struct ne_error err = { 0 };
	struct ne_eif *eif;

	if (ne_eif_parse(&eif, image->bytes, image->size, &err) ||
	    ne_eif_measure(eif, measurements, &err))
		fail_msg("refused: %s", err.text);
	ne_eif_close(eif);
}

static void assert_pcr(const struct ne_pcr *pcr, const char *expected)
{
	char hex[NE_PCR_HEX_SIZE];

	ne_pcr_to_hex(pcr, hex);
	assert_string_equal(hex, expected);
}

static void an_unsigned_image_has_pcr_0_1_and_2(void **state)
{
	struct image *image = image_new_typical();
	struct ne_eif_measurements measured;
	const struct ne_pcr zero = { 0 };

	(void)state;
	image_add_text(image, RAMDISK, "more");
	measure(image, &measured);
	/* X = kernelconsole=ttyS0boot ramdiskapplicationmore */
	assert_pcr(&measured.pcr0,
		   "6d326e2f0803242705d46c93c8f856e2f5a0c3eccbe21026"
		   "3daafd5f740d20495a34ac01f0be060e8b44877475d01b88");
	/* X = kernelconsole=ttyS0boot ramdisk */
	assert_pcr(&measured.pcr1, PCR_OF_KERNEL_CMDLINE_BOOT);
	/* X = applicationmore */
	assert_pcr(&measured.pcr2,
		   "30649eea49e95ea1b4861deee6bba85f80150ed4e5885e38"
		   "4c54d2a8c17c253c2be27ae43a5f5868f87bd9eaed337477");
	assert_false(measured.is_signed);
	assert_memory_equal(&measured.pcr8, &zero, sizeof(zero));
	image_free(image);
}

static void with_one_ramdisk_pcr0_is_pcr1_and_pcr2_that_of_nothing(void **state)
{
	struct image *image = image_new(3);
	struct ne_eif_measurements measured;

	(void)state;
	image_add_text(image, KERNEL, "kernel");
	image_add_text(image, CMDLINE, "console=ttyS0");
	image_add_text(image, RAMDISK, "boot ramdisk");
	measure(image, &measured);
	assert_pcr(&measured.pcr0, PCR_OF_KERNEL_CMDLINE_BOOT);
	assert_pcr(&measured.pcr1, PCR_OF_KERNEL_CMDLINE_BOOT);
	assert_pcr(&measured.pcr2, PCR_OF_NOTHING);
	image_free(image);
}

static void sections_are_measured_in_the_order_of_the_file(void **state)
{
	struct image *image = image_new(3);
	struct ne_eif_measurements measured;

	(void)state;
	image_add_text(image, KERNEL, "kernel");
	image_add_text(image, RAMDISK, "boot ramdisk");
	image_add_text(image, RAMDISK, "application");
	image_add_text(image, CMDLINE, "console=ttyS0");
	measure(image, &measured);
	/* X = kernelboot ramdiskapplicationconsole=ttyS0 */
	assert_pcr(&measured.pcr0,
		   "75ef3d033ed204c08689b012fbf9d03b52f9878f4ca0ec30"
		   "a106ad6450f10263b615b6ebdfae2cb66cb71a046e9fd9f3");
	/* X = kernelboot ramdiskconsole=ttyS0 */
	assert_pcr(&measured.pcr1,
		   "a99fd0de351b83df615d5b9570b4306cc0322c3884a2d54d"
		   "a0ab6b59a2ee194c957eeaa067a37d353c0bd40f541b2b55");
	/* X = application */
	assert_pcr(&measured.pcr2,
		   "8a45599e5e77b24c4b6472869c24e10490c4d5df715fbd08"
		   "11fc4b33d370276cf00bb24871d3a1987587d6b9283d4f42");
	image_free(image);
}

static void the_command_line_may_be_measured_before_the_kernel(void **state)
{
	struct image *image = image_new(3);
	struct ne_eif_measurements measured;

	(void)state;
	image_add_text(image, CMDLINE, "console=ttyS0");
	image_add_text(image, KERNEL, "kernel");
	image_add_text(image, RAMDISK, "boot ramdisk");
	measure(image, &measured);
	/* X = console=ttyS0kernelboot ramdisk */
	assert_pcr(&measured.pcr0,
		   "c5b1f2c8487bc7aae4337680b08563790ee1703b4bf6dd4d"
		   "22bbba2480dde30f70961cc3282b404a546c3275eb7a74bf");
	image_free(image);
}

static void a_large_application_is_measured_alike(void **state)
{
	const size_t size = 1024 * 1024;
	uint8_t *zeros = calloc(1, size);
	struct image *image = image_new(3);
	struct ne_eif_measurements measured;

	(void)state;
	assert_non_null(zeros);
	image_add_text(image, KERNEL, "kernel");
	image_add_text(image, CMDLINE, "console=ttyS0");
	image_add_text(image, RAMDISK, "boot ramdisk");
	image_add(image, RAMDISK, zeros, size);
	free(zeros);
	measure(image, &measured);
	/* X as above and 1048576 zero bytes */
	assert_pcr(&measured.pcr0,
		   "498ed137c8e8f1a8d15350b7bb2308fbaa39a5a17fb7f9a0"
		   "1a5b55a0ec44d8e9e7b3091441c98cd83832f899c204ef93");
	assert_pcr(&measured.pcr1, PCR_OF_KERNEL_CMDLINE_BOOT);
	/* X = 1048576 zero bytes */
	assert_pcr(&measured.pcr2,
		   "e977b904549a4819a89579f672ad2a02bf20429ad08eafb6"
		   "0a00fe29e46bf8367dd1dd85b199d3761f8248a9a501bd69");
	image_free(image);
}

static void headers_and_metadata_are_not_measured(void **state)
{
	struct image *image = image_new_typical();
	struct ne_eif_measurements before, after;

	(void)state;
	measure(image, &before);
	image_put64(image, AT_DEFAULT_MEMORY, 1);
	image_put16(image, image->starts[0] + 2, 1);
	image->bytes[image->starts[2] + SECTION_HEADER_SIZE] = '[';
	measure(image, &after);
	assert_memory_equal(&before.pcr0, &after.pcr0, sizeof(before.pcr0));
	assert_memory_equal(&before.pcr1, &after.pcr1, sizeof(before.pcr1));
	assert_memory_equal(&before.pcr2, &after.pcr2, sizeof(before.pcr2));
	image_free(image);
}

static void a_register_is_extended_as_the_nsm_does_it(void **state)
{
	struct ne_pcr pcr = { 0 };
	struct ne_error err = { 0 };

	(void)state;
	/* (head -c 48 /dev/zero; printf i-1234567890abcdef0) | sha384sum */
	assert_int_equal(ne_pcr_extend(&pcr, "i-1234567890abcdef0", 19, &err),
			 0);
	assert_pcr(&pcr, "08f996b5d43e047a9eb51e7f548bfee7e164fd7dc8f65541"
			 "f2ac09d6545ac812719327281c401a67a10fcba87ae79ce0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unsigned_image_has_pcr_0_1_and_2),
		cmocka_unit_test(
			with_one_ramdisk_pcr0_is_pcr1_and_pcr2_that_of_nothing),
		cmocka_unit_test(
			sections_are_measured_in_the_order_of_the_file),
		cmocka_unit_test(
			the_command_line_may_be_measured_before_the_kernel),
		cmocka_unit_test(a_large_application_is_measured_alike),
		cmocka_unit_test(headers_and_metadata_are_not_measured),
		cmocka_unit_test(a_register_is_extended_as_the_nsm_does_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
