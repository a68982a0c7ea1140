// SPDX-License-Identifier: Apache-2.0
#include <ne/eif.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/test_eif_image.h"

static int empty_file(void)
{
	int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	return fd;
}

static struct ne_eif_writer *start(int fd,
				   const struct ne_eif_settings *settings)
{
	struct ne_eif_writer *writer;
	struct ne_error err = { 0 };

	if (ne_eif_writer_new(&writer, fd, settings, &err))
		fail_msg("refused: %s", err.text);
	return writer;
}

static void add(struct ne_eif_writer *writer, enum ne_eif_section_type type,
		const char *text)
{
	assert_int_equal(ne_eif_writer_begin(writer, type, NULL), 0);
	assert_int_equal(ne_eif_writer_append(writer, text, strlen(text), NULL),
			 0);
}

static void add_typical(struct ne_eif_writer *writer)
{
	add(writer, NE_EIF_SECTION_KERNEL, "kernel");
	add(writer, NE_EIF_SECTION_CMDLINE, "console=ttyS0");
	add(writer, NE_EIF_SECTION_METADATA, "{}");
	add(writer, NE_EIF_SECTION_RAMDISK, "boot ramdisk");
	add(writer, NE_EIF_SECTION_RAMDISK, "application");
}

static void assert_file_is(int fd, const struct image *image)
{
	uint8_t *bytes = malloc(image->size + 1);

	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, image->size + 1, 0), image->size);
	assert_memory_equal(bytes, image->bytes, image->size);
	free(bytes);
}

static void what_is_written_is_the_format(void **state)
{
	const struct ne_eif_settings settings = {
		.arch = NE_EIF_AARCH64,
		.default_memory = 0x123456789,
		.default_cpus = 3,
	};
	struct image *image = image_new_typical();
	int fd = empty_file();
	struct ne_eif_writer *writer = start(fd, &settings);

	(void)state;
	image_put16(image, AT_FLAGS, 1);
	image_put64(image, AT_DEFAULT_MEMORY, settings.default_memory);
	image_put64(image, AT_DEFAULT_CPUS, settings.default_cpus);
	image_seal(image);
	add_typical(writer);
	assert_int_equal(ne_eif_writer_finish(writer, NULL), 0);
	ne_eif_writer_free(writer);
	assert_file_is(fd, image);
	close(fd);
	image_free(image);
}

static void content_may_come_in_pieces_and_from_files(void **state)
{
	const struct ne_eif_settings settings = { .arch = NE_EIF_X86_64 };
	struct image *image = image_new_typical();
	int fd = empty_file(), file = empty_file();
	struct ne_eif_writer *writer = start(fd, &settings);

	(void)state;
	assert_int_equal(write(file, "not this: boot ramdisk", 22), 22);
	assert_int_equal(lseek(file, 10, SEEK_SET), 10);
	add(writer, NE_EIF_SECTION_KERNEL, "ker");
	assert_int_equal(ne_eif_writer_append(writer, "nel", 3, NULL), 0);
	add(writer, NE_EIF_SECTION_CMDLINE, "console=ttyS0");
	add(writer, NE_EIF_SECTION_METADATA, "{}");
	assert_int_equal(
		ne_eif_writer_begin(writer, NE_EIF_SECTION_RAMDISK, NULL), 0);
	assert_int_equal(ne_eif_writer_append_fd(writer, file, NULL), 0);
	assert_int_equal(ne_eif_writer_append_fd(writer, file, NULL), 0);
	add(writer, NE_EIF_SECTION_RAMDISK, "application");
	assert_int_equal(ne_eif_writer_finish(writer, NULL), 0);
	ne_eif_writer_free(writer);
	image_seal(image);
	assert_file_is(fd, image);
	close(file);
	close(fd);
	image_free(image);
}

static void an_empty_last_section_is_written(void **state)
{
	const struct ne_eif_settings settings = { .arch = NE_EIF_X86_64 };
	int fd = empty_file();
	struct ne_eif_writer *writer = start(fd, &settings);
	struct ne_eif *eif;

	(void)state;
	add(writer, NE_EIF_SECTION_KERNEL, "k");
	add(writer, NE_EIF_SECTION_CMDLINE, "");
	add(writer, NE_EIF_SECTION_METADATA, "{}");
	add(writer, NE_EIF_SECTION_RAMDISK, "");
	assert_int_equal(ne_eif_writer_finish(writer, NULL), 0);
	ne_eif_writer_free(writer);
	assert_int_equal(ne_eif_open_fd(&eif, fd, NULL), 0);
	assert_int_equal(ne_eif_check_crc(eif, NULL), 0);
	ne_eif_close(eif);
	close(fd);
}

static void an_image_that_breaks_a_rule_is_not_finished(void **state)
{
	const struct ne_eif_settings settings = { .arch = NE_EIF_X86_64 };
	struct ne_error err = { 0 };
	int fd = empty_file();
	struct ne_eif_writer *writer = start(fd, &settings);

	(void)state;
	add(writer, NE_EIF_SECTION_KERNEL, "k");
	add(writer, NE_EIF_SECTION_CMDLINE, "c");
	add(writer, NE_EIF_SECTION_METADATA, "{}");
	check_failure(ne_eif_writer_finish(writer, &err), &err, EBADMSG,
		      "the image has no ramdisk");
	ne_eif_writer_free(writer);
	close(fd);
}

static void there_is_room_for_32_sections(void **state)
{
	const struct ne_eif_settings settings = { .arch = NE_EIF_X86_64 };
	struct ne_error err = { 0 };
	int fd = empty_file();
	struct ne_eif_writer *writer = start(fd, &settings);
	unsigned int i;

	(void)state;
	add(writer, NE_EIF_SECTION_KERNEL, "k");
	add(writer, NE_EIF_SECTION_CMDLINE, "c");
	add(writer, NE_EIF_SECTION_METADATA, "{}");
	for (i = 3; i < NE_EIF_MAX_SECTIONS; i++)
		add(writer, NE_EIF_SECTION_RAMDISK, "r");
	check_failure(ne_eif_writer_begin(writer, NE_EIF_SECTION_RAMDISK, &err),
		      &err, E2BIG, "an image has room for 32 sections");
	ne_eif_writer_free(writer);
	close(fd);
}

static void the_first_failure_is_final(void **state)
{
	const struct ne_eif_settings settings = { .arch = NE_EIF_X86_64 };
	struct ne_error err = { 0 };
	int fd = empty_file();
	struct ne_eif_writer *writer = start(fd, &settings);

	(void)state;
	check_failure(ne_eif_writer_append(writer, "x", 1, &err), &err, EINVAL,
		      "content without a section");
	check_failure(ne_eif_writer_begin(writer, NE_EIF_SECTION_KERNEL, &err),
		      &err, EINVAL, "content without a section");
	check_failure(ne_eif_writer_append_fd(writer, fd, &err), &err, EINVAL,
		      "content without a section");
	check_failure(ne_eif_writer_finish(writer, &err), &err, EINVAL,
		      "content without a section");
	assert_int_equal(ne_eif_writer_finish(writer, NULL), -EINVAL);
	ne_eif_writer_free(writer);
	close(fd);
}

static void a_failing_file_is_reported(void **state)
{
	const struct ne_eif_settings settings = { .arch = NE_EIF_X86_64 };
	struct ne_error err = { 0 };
	int fd = empty_file();
	struct ne_eif_writer *writer = start(fd, &settings);

	(void)state;
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	assert_int_equal(
		ne_eif_writer_begin(writer, NE_EIF_SECTION_KERNEL, NULL), 0);
	check_failure(ne_eif_writer_append(writer, "x", 1, &err), &err, EPERM,
		      "cannot write 1 bytes of the image");
	ne_eif_writer_free(writer);
	close(fd);
}

static void content_that_cannot_be_read_is_reported(void **state)
{
	const struct ne_eif_settings settings = { .arch = NE_EIF_X86_64 };
	struct ne_error err = { 0 };
	int fd = empty_file();
	struct ne_eif_writer *writer = start(fd, &settings);
	int directory = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(
		ne_eif_writer_begin(writer, NE_EIF_SECTION_KERNEL, NULL), 0);
	check_failure(ne_eif_writer_append_fd(writer, directory, &err), &err,
		      EISDIR, "cannot read it: Is a directory");
	ne_eif_writer_free(writer);
	close(directory);
	close(fd);
}

static void only_an_empty_regular_file_is_written_to(void **state)
{
	const struct ne_eif_settings settings = { .arch = NE_EIF_X86_64 };
	struct ne_eif_writer *writer = NULL;
	struct ne_error err = { 0 };
	int null = open("/dev/null", O_RDWR);
	int fd = empty_file();

	(void)state;
	assert_int_equal(write(fd, "x", 1), 1);
	check_failure(ne_eif_writer_new(&writer, null, &settings, &err), &err,
		      EINVAL, "an empty regular file");
	check_failure(ne_eif_writer_new(&writer, fd, &settings, &err), &err,
		      EINVAL, "an empty regular file");
	check_failure(ne_eif_writer_new(&writer, -1, &settings, &err), &err,
		      EBADF, "cannot look at the file");
	assert_null(writer);
	close(null);
	close(fd);
}

static void unknown_types_and_architectures_are_refused(void **state)
{
	const struct ne_eif_settings settings = { .arch = NE_EIF_X86_64 };
	const struct ne_eif_settings unknown = {
		.arch = (enum ne_eif_arch)2,
	};
	struct ne_eif_writer *writer;
	struct ne_error err = { 0 };
	int fd = empty_file();

	(void)state;
	check_failure(ne_eif_writer_new(&writer, fd, &unknown, &err), &err,
		      EINVAL, "2 is no architecture");
	writer = start(fd, &settings);
	check_failure(ne_eif_writer_begin(writer, (enum ne_eif_section_type)6,
					  &err),
		      &err, EINVAL, "6 is no type of section");
	ne_eif_writer_free(writer);
	ne_eif_writer_free(NULL);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_the_format),
		cmocka_unit_test(content_may_come_in_pieces_and_from_files),
		cmocka_unit_test(an_empty_last_section_is_written),
		cmocka_unit_test(an_image_that_breaks_a_rule_is_not_finished),
		cmocka_unit_test(there_is_room_for_32_sections),
		cmocka_unit_test(the_first_failure_is_final),
		cmocka_unit_test(a_failing_file_is_reported),
		cmocka_unit_test(content_that_cannot_be_read_is_reported),
		cmocka_unit_test(only_an_empty_regular_file_is_written_to),
		cmocka_unit_test(unknown_types_and_architectures_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
