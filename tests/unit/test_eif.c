// SPDX-License-Identifier: Apache-2.0
#include <ne/eif.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/test_eif_image.h"

/* --- Helpers ------------------------------------------------------------- */

static struct ne_eif *parse(const struct image *image)
{
	struct ne_error err = { 0 };
	struct ne_eif *eif = NULL;

	if (ne_eif_parse(&eif, image->bytes, image->size, &err))
		fail_msg("refused: %s", err.text);
	return eif;
}

/* @image is refused, and freed. */
static void refuse(struct image *image, int code, const char *fragment)
{
	struct ne_eif *const untouched = (struct ne_eif *)&code;
	struct ne_eif *eif = untouched;
	struct ne_error err = { 0 };
	int ret = ne_eif_parse(&eif, image->bytes, image->size, &err);

	check_failure(ret, &err, code, fragment);
	assert_ptr_equal(eif, untouched);
	/* Nobody has to want the sentence. */
	assert_int_equal(ne_eif_parse(&eif, image->bytes, image->size, NULL),
			 ret);
	image_free(image);
}

static void assert_content(const struct ne_eif_section *section,
			   const char *text)
{
	assert_non_null(section);
	assert_int_equal(section->size, strlen(text));
	assert_memory_equal(section->data, text, section->size);
}

static int memfd_of(const struct image *image)
{
	int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image->bytes, image->size), image->size);
	return fd;
}

/* --- What is in an image ------------------------------------------------- */

static void a_typical_image_is_read(void **state)
{
	struct image *image = image_new_typical();
	struct ne_eif *eif;

	(void)state;
	image_put64(image, AT_DEFAULT_MEMORY, 0x40000000);
	image_put64(image, AT_DEFAULT_CPUS, 2);
	image_put32(image, AT_CRC, 0x12345678);
	eif = parse(image);
	assert_int_equal(ne_eif_version(eif), 4);
	assert_int_equal(ne_eif_arch(eif), NE_EIF_X86_64);
	assert_int_equal(ne_eif_default_memory(eif), 0x40000000);
	assert_int_equal(ne_eif_default_cpus(eif), 2);
	assert_int_equal(ne_eif_crc(eif), 0x12345678);
	assert_ptr_equal(ne_eif_data(eif), image->bytes);
	assert_int_equal(ne_eif_size(eif), image->size);
	assert_int_equal(ne_eif_fd(eif), -1);
	assert_content(ne_eif_kernel(eif), "kernel");
	assert_content(ne_eif_cmdline(eif), "console=ttyS0");
	assert_int_equal(ne_eif_ramdisk_count(eif), 2);
	assert_content(ne_eif_ramdisk(eif, 0), "boot ramdisk");
	assert_content(ne_eif_ramdisk(eif, 1), "application");
	assert_null(ne_eif_ramdisk(eif, 2));
	assert_null(ne_eif_signature(eif));
	ne_eif_close(eif);
	image_free(image);
}

static void sections_are_listed_in_the_order_of_the_file(void **state)
{
	struct image *image = image_new_typical();
	struct ne_eif *eif;
	unsigned int i;

	(void)state;
	image_put16(image, image->starts[1] + 2, 7);
	eif = parse(image);
	assert_int_equal(ne_eif_section_count(eif), 5);
	for (i = 0; i < 5; i++)
		assert_int_equal(ne_eif_section(eif, i)->offset,
				 image->starts[i] + SECTION_HEADER_SIZE);
	assert_null(ne_eif_section(eif, 5));
	assert_ptr_equal(ne_eif_section(eif, 0), ne_eif_kernel(eif));
	assert_int_equal(ne_eif_section(eif, 1)->flags, 7);
	assert_int_equal(ne_eif_section(eif, 2)->type, NE_EIF_SECTION_METADATA);
	assert_ptr_equal(ne_eif_section(eif, 4), ne_eif_ramdisk(eif, 1));
	ne_eif_close(eif);
	image_free(image);
}

static void versions_2_and_3_need_no_metadata(void **state)
{
	unsigned int version;

	(void)state;
	for (version = 2; version <= 3; version++) {
		struct image *image = image_new(version);
		struct ne_eif *eif;

		image_add_text(image, KERNEL, "k");
		image_add_text(image, CMDLINE, "c");
		image_add_text(image, RAMDISK, "r");
		eif = parse(image);
		assert_int_equal(ne_eif_version(eif), version);
		ne_eif_close(eif);
		image_free(image);
	}
}

static void bit_0_of_the_flags_is_aarch64_and_others_are_ignored(void **state)
{
	struct image *image = image_new_typical();
	struct ne_eif *eif;

	(void)state;
	image_put16(image, AT_FLAGS, 0xffff);
	eif = parse(image);
	assert_int_equal(ne_eif_arch(eif), NE_EIF_AARCH64);
	ne_eif_close(eif);
	image_put16(image, AT_FLAGS, 0xfffe);
	eif = parse(image);
	assert_int_equal(ne_eif_arch(eif), NE_EIF_X86_64);
	ne_eif_close(eif);
	image_free(image);
}

static void reserved_fields_are_ignored(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	image_put16(image, 0x18, 0xffff);
	image_put32(image, 0x21c, 0xffffffff);
	/* Beyond the sections that there are. */
	image_put64(image, AT_OFFSETS + 8 * 5, UINT64_MAX);
	image_put64(image, AT_SIZES + 8 * 31, UINT64_MAX);
	ne_eif_close(parse(image));
	image_free(image);
}

static void the_command_line_may_be_anywhere(void **state)
{
	struct image *image = image_new(3);
	struct ne_eif *eif;

	(void)state;
	image_add_text(image, KERNEL, "k");
	image_add_text(image, RAMDISK, "r");
	image_add_text(image, SIGNATURE, "s");
	image_add_text(image, CMDLINE, "c");
	eif = parse(image);
	assert_content(ne_eif_cmdline(eif), "c");
	assert_content(ne_eif_signature(eif), "s");
	ne_eif_close(eif);
	image_free(image);
}

static void sections_may_be_empty(void **state)
{
	struct image *image = image_new(2);
	struct ne_eif *eif;

	(void)state;
	image_add_text(image, KERNEL, "");
	image_add_text(image, CMDLINE, "");
	image_add_text(image, RAMDISK, "");
	eif = parse(image);
	assert_int_equal(ne_eif_ramdisk(eif, 0)->size, 0);
	assert_int_equal(ne_eif_check_crc(eif, NULL), -EBADMSG);
	ne_eif_close(eif);
	image_free(image);
}

static void an_image_may_have_32_sections(void **state)
{
	struct image *image = image_new(2);
	struct ne_eif *eif;
	unsigned int i;

	(void)state;
	image_add_text(image, KERNEL, "k");
	image_add_text(image, CMDLINE, "c");
	for (i = 0; i < 30; i++)
		image_add_text(image, RAMDISK, "r");
	eif = parse(image);
	assert_int_equal(ne_eif_ramdisk_count(eif), 30);
	assert_non_null(ne_eif_ramdisk(eif, 29));
	ne_eif_close(eif);
	image_free(image);
}

/* --- Bad headers --------------------------------------------------------- */

static void nothing_is_no_image(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	image_cut(image, 0);
	refuse(image, EBADMSG, "it is empty");
}

static void something_else_is_no_image(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	memcpy(image->bytes, "\177ELF", 4);
	refuse(image, EBADMSG, "does not start with \".eif\"");
}

static void a_short_file_of_something_else_is_no_image(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	memcpy(image->bytes, "\177E", 2);
	image_cut(image, 2);
	refuse(image, EBADMSG, "does not start with \".eif\"");
}

static void a_header_must_be_whole(void **state)
{
	static const size_t sizes[] = { 1, 3, 4, 27, 547 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct image *image = image_new_typical();

		image_cut(image, sizes[i]);
		refuse(image, EBADMSG, "its header alone has 548");
	}
}

static void other_versions_are_not_supported(void **state)
{
	static const unsigned int versions[] = { 0, 1, 5, 0xffff };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct image *image = image_new_typical();
		char sentence[80];

		image_put16(image, AT_VERSION, versions[i]);
		snprintf(sentence, sizeof(sentence),
			 "format version %u, supported are 2 to 4",
			 versions[i]);
		refuse(image, ENOTSUP, sentence);
	}
}

static void an_image_has_2_to_32_sections(void **state)
{
	static const unsigned int counts[] = { 0, 1, 33, 0xffff };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct image *image = image_new_typical();
		char sentence[80];

		image_put16(image, AT_SECTION_COUNT, counts[i]);
		snprintf(sentence, sizeof(sentence),
			 "claims %u sections, an image has 2 to 32", counts[i]);
		refuse(image, EBADMSG, sentence);
	}
}

/* --- Bad sections -------------------------------------------------------- */

static void an_image_cut_anywhere_is_refused(void **state)
{
	struct image *whole = image_new_typical();
	size_t size;

	(void)state;
	for (size = 0; size < whole->size; size++) {
		struct image *image = image_new_typical();

		image_cut(image, size);
		refuse(image, EBADMSG,
		       size == 0	    ? "it is empty"
		       : size < HEADER_SIZE ? "cut off"
					    : "but the image ends at byte");
	}
	image_free(whole);
}

static void a_cut_names_the_section_and_all_numbers(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	/* The kernel: 548 + 12 + 6 bytes; the command line has 13. */
	image_cut(image, 570);
	refuse(image, EBADMSG,
	       "section 1 at byte 566 should have a header of 12 and 13 bytes "
	       "of content, but the image ends at byte 570");
}

static void a_size_that_would_wrap_is_refused(void **state)
{
	static const uint64_t sizes[] = { UINT64_MAX, UINT64_MAX - 11,
					  UINT64_MAX - 566, INT64_MAX,
					  (uint64_t)1 << 32 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct image *image = image_new_typical();

		image_put64(image, AT_SIZES + 8, sizes[i]);
		image_put64(image, image->starts[1] + 4, sizes[i]);
		refuse(image, EBADMSG, "section 1 at byte 566 should have");
	}
}

static void an_offset_beyond_the_end_is_refused(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	image_put64(image, AT_OFFSETS + 8, UINT64_MAX);
	refuse(image, EBADMSG,
	       "section 1 at byte 18446744073709551615 leaves a gap");
}

static void sections_must_not_overlap(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	image_put64(image, AT_OFFSETS + 8, image->starts[1] - 1);
	refuse(image, EBADMSG,
	       "section 1 at byte 565 overlaps section 0, which ends at byte "
	       "566");
}

static void a_section_must_not_overlap_the_header(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	image_put64(image, AT_OFFSETS, 0);
	refuse(image, EBADMSG,
	       "section 0 at byte 0 overlaps the header, which ends at byte "
	       "548");
}

static void sections_must_be_in_the_order_of_the_table(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	image_put64(image, AT_OFFSETS + 8, image->starts[2]);
	image_put64(image, AT_OFFSETS + 16, image->starts[1]);
	refuse(image, EBADMSG,
	       "section 1 at byte 591 leaves a gap of 25 bytes");
}

static void there_must_be_no_gap_between_sections(void **state)
{
	struct image *image = image_new(2);

	(void)state;
	image_append(image, "gap", 3);
	image_add_text(image, KERNEL, "k");
	image_add_text(image, CMDLINE, "c");
	image_add_text(image, RAMDISK, "r");
	refuse(image, EBADMSG,
	       "section 0 at byte 551 leaves a gap of 3 bytes behind the "
	       "header");
}

static void there_must_be_nothing_behind_the_last_section(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	image_append(image, "trailer", 7);
	refuse(image, EBADMSG,
	       "7 bytes follow the last section, which ends at");
}

static void a_section_behind_those_that_are_counted_is_refused(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	image_put16(image, AT_SECTION_COUNT, 4);
	refuse(image, EBADMSG, "23 bytes follow the last section");
}

static void both_sizes_of_a_section_must_agree(void **state)
{
	struct image *image = image_new_typical();

	(void)state;
	image_put64(image, image->starts[3] + 4, 11);
	refuse(image, EBADMSG,
	       "section 3 at byte 605 has 11 bytes by its own header, 12 by "
	       "the header of the image");
}

static void unknown_types_are_refused(void **state)
{
	static const unsigned int types[] = { 0, 6, 0xffff };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct image *image = image_new_typical();
		char sentence[80];

		image_put16(image, image->starts[4], types[i]);
		snprintf(sentence, sizeof(sentence),
			 "section 4 at byte 629 has type %u, known are 1 to 5",
			 types[i]);
		refuse(image, EBADMSG, sentence);
	}
}

static void there_must_be_a_kernel(void **state)
{
	struct image *image = image_new(4);

	(void)state;
	image_add_text(image, CMDLINE, "c");
	image_add_text(image, METADATA, "{}");
	refuse(image, EBADMSG, "the image has no kernel");
}

static void there_must_be_a_command_line(void **state)
{
	struct image *image = image_new(4);

	(void)state;
	image_add_text(image, KERNEL, "k");
	image_add_text(image, METADATA, "{}");
	image_add_text(image, RAMDISK, "r");
	refuse(image, EBADMSG, "the image has no command line");
}

static void there_must_be_a_ramdisk(void **state)
{
	struct image *image = image_new(4);

	(void)state;
	image_add_text(image, KERNEL, "k");
	image_add_text(image, CMDLINE, "c");
	image_add_text(image, METADATA, "{}");
	refuse(image, EBADMSG, "the image has no ramdisk");
}

static void version_4_must_have_metadata(void **state)
{
	struct image *image = image_new(4);

	(void)state;
	image_add_text(image, KERNEL, "k");
	image_add_text(image, CMDLINE, "c");
	image_add_text(image, RAMDISK, "r");
	refuse(image, EBADMSG,
	       "no metadata section, which format version 4 demands");
}

static void a_ramdisk_must_not_come_before_the_kernel(void **state)
{
	struct image *image = image_new(2);

	(void)state;
	image_add_text(image, CMDLINE, "c");
	image_add_text(image, RAMDISK, "r");
	image_add_text(image, KERNEL, "k");
	refuse(image, EBADMSG,
	       "section 1 at byte 561 is a ramdisk, but no kernel comes before "
	       "it");
}

static void only_ramdisks_may_be_several(void **state)
{
	static const struct {
		unsigned int type;
		const char *name;
		unsigned int first;
	} cases[] = {
		{ KERNEL, "a second kernel", 0 },
		{ CMDLINE, "a second command line", 1 },
		{ METADATA, "a second metadata", 2 },
		{ SIGNATURE, "a second signature", 5 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct image *image = image_new_typical();
		char sentence[80];

		image_add_text(image, SIGNATURE, "s");
		image_add_text(image, cases[i].type, "again");
		snprintf(sentence, sizeof(sentence),
			 "section 6 at byte 665 is %s, section %u is one "
			 "already",
			 cases[i].name, cases[i].first);
		refuse(image, EBADMSG, sentence);
	}
}

static void a_signature_has_at_most_32768_bytes(void **state)
{
	uint8_t *bytes = calloc(1, 32769);
	struct image *image = image_new_typical();

	(void)state;
	assert_non_null(bytes);
	image_add(image, SIGNATURE, bytes, 32768);
	ne_eif_close(parse(image));
	image_free(image);
	image = image_new_typical();
	image_add(image, SIGNATURE, bytes, 32769);
	free(bytes);
	refuse(image, EBADMSG, "a signature of 32769 bytes, the format allows");
}

static void a_command_line_has_no_zero_byte(void **state)
{
	struct image *image = image_new(2);

	(void)state;
	image_add_text(image, KERNEL, "k");
	image_add(image, CMDLINE, "quiet\0init=/evil", 16);
	image_add_text(image, RAMDISK, "r");
	refuse(image, EBADMSG,
	       "the command line (section 1 at byte 561) has a zero byte at 5 "
	       "of 16");
}

/* --- The size of an image ------------------------------------------------ */

static void the_header_tells_the_size_of_the_image(void **state)
{
	struct image *image = image_new_typical();
	struct ne_error err = { 0 };
	uint64_t size = 0;

	(void)state;
	assert_int_equal(ne_eif_size_from_header(image->bytes, &size, &err), 0);
	assert_int_equal(size, image->size);
	image_free(image);
}

static void a_bad_header_tells_no_size(void **state)
{
	struct image *image = image_new_typical();
	struct ne_error err = { 0 };
	uint64_t size = 1234;

	(void)state;
	image_put64(image, AT_SIZES + 8, UINT64_MAX - 570);
	check_failure(ne_eif_size_from_header(image->bytes, &size, &err), &err,
		      EBADMSG, "section 1 at byte 566 should have");
	image_put16(image, AT_VERSION, 1);
	check_failure(ne_eif_size_from_header(image->bytes, &size, &err), &err,
		      ENOTSUP, "format version 1");
	image_put16(image, 0, 1);
	check_failure(ne_eif_size_from_header(image->bytes, &size, &err), &err,
		      EBADMSG, "not an enclave image");
	assert_int_equal(size, 1234);
	image_free(image);
}

/* --- Files --------------------------------------------------------------- */

static void a_file_is_opened_by_path(void **state)
{
	struct image *image = image_new_typical();
	int fd = memfd_of(image);
	struct ne_error err = { 0 };
	struct ne_eif *eif;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(ne_eif_open(&eif, path, &err), 0);
	close(fd);
	assert_content(ne_eif_kernel(eif), "kernel");
	assert_true(fcntl(ne_eif_fd(eif), F_GETFD) & FD_CLOEXEC);
	ne_eif_close(eif);
	image_free(image);
}

static void a_sealed_memfd_is_opened_and_its_offset_stays(void **state)
{
	struct image *image = image_new_typical();
	int fd = memfd_of(image);
	struct ne_error err = { 0 };
	struct ne_eif *eif;

	(void)state;
	assert_int_equal(fcntl(fd, F_ADD_SEALS,
			       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
			 0);
	assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
	assert_int_equal(ne_eif_open_fd(&eif, fd, &err), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 3);
	close(fd);
	assert_content(ne_eif_kernel(eif), "kernel");
	ne_eif_close(eif);
	image_free(image);
}

static void failures_of_a_file_start_with_its_path(void **state)
{
	struct ne_error err = { 0 };
	struct ne_eif *eif;

	(void)state;
	check_failure(ne_eif_open(&eif, "/nonexistent/x.eif", &err), &err,
		      ENOENT, "/nonexistent/x.eif: cannot open it: No such");
	check_failure(ne_eif_open(&eif, "/proc/self", &err), &err, EISDIR,
		      "/proc/self: not an enclave image: it is a directory");
	check_failure(ne_eif_open(&eif, "/dev/null", &err), &err, EINVAL,
		      "/dev/null: not an enclave image: it is no regular file");
	check_failure(ne_eif_open(&eif, "/proc/self/status", &err), &err,
		      EBADMSG, "/proc/self/status: not an enclave image");
	assert_int_equal(ne_eif_open(&eif, "/dev/null", NULL), -EINVAL);
}

static void a_fifo_is_not_waited_for(void **state)
{
	const char *temporary = getenv("TMPDIR");
	struct ne_error err = { 0 };
	struct ne_eif *eif;
	char directory[256];
	char path[300];

	(void)state;
	snprintf(directory, sizeof(directory), "%s/test_eif.XXXXXX",
		 temporary ? temporary : "/tmp");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/fifo", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	check_failure(ne_eif_open(&eif, path, &err), &err, EINVAL,
		      "no regular file");
	unlink(path);
	rmdir(directory);
}

static void a_bad_descriptor_is_refused(void **state)
{
	struct ne_error err = { 0 };
	struct ne_eif *eif;

	(void)state;
	check_failure(ne_eif_open_fd(&eif, -1, &err), &err, EBADF,
		      "cannot duplicate file descriptor -1");
}

static void failing_leaves_no_descriptor_open(void **state)
{
	struct ne_eif *eif;
	int before = dup(0), after;

	(void)state;
	close(before);
	assert_int_equal(ne_eif_open(&eif, "/proc/self/exe", NULL), -EBADMSG);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void a_file_that_became_shorter_is_noticed(void **state)
{
	struct image *image = image_new_typical();
	struct ne_eif_measurements measurements;
	struct ne_error err = { 0 };
	struct ne_eif *eif;
	char *json;
	int fd;

	(void)state;
	image_seal(image);
	fd = memfd_of(image);
	assert_int_equal(ne_eif_open_fd(&eif, fd, &err), 0);
	assert_int_equal(ne_eif_check_crc(eif, &err), 0);
	assert_int_equal(ftruncate(fd, 600), 0);
	check_failure(ne_eif_check_crc(eif, &err), &err, ESTALE,
		      "the file had 652 bytes when it was opened, now it has "
		      "600");
	check_failure(ne_eif_measure(eif, &measurements, &err), &err, ESTALE,
		      "now it has 600");
	check_failure(ne_eif_metadata(eif, &json, &err), &err, ESTALE,
		      "now it has 600");
	ne_eif_close(eif);
	close(fd);
	image_free(image);
}

static void closing_nothing_is_fine(void **state)
{
	(void)state;
	ne_eif_close(NULL);
}

/* --- Checksum and architecture ------------------------------------------- */

static void a_right_checksum_holds(void **state)
{
	struct image *image = image_new_typical();
	struct ne_error err = { 0 };
	struct ne_eif *eif;

	(void)state;
	image_seal(image);
	eif = parse(image);
	assert_int_equal(ne_eif_check_crc(eif, &err), 0);
	ne_eif_close(eif);
	image_free(image);
}

static void any_changed_byte_breaks_the_checksum(void **state)
{
	static const size_t places[] = { 0x18,	 AT_DEFAULT_CPUS, 0x21c,
					 AT_CRC, 0x223,		  562,
					 651 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct image *image = image_new_typical();
		struct ne_error err = { 0 };
		struct ne_eif *eif;

		image_seal(image);
		image->bytes[places[i]] ^= 1;
		eif = parse(image);
		check_failure(ne_eif_check_crc(eif, &err), &err, EBADMSG,
			      "the image is damaged: its checksum is ");
		ne_eif_close(eif);
		image_free(image);
	}
}

static void an_image_for_another_cpu_is_refused(void **state)
{
	struct image *image = image_new_typical();
	struct ne_error err = { 0 };
	struct ne_eif *eif;
#ifdef __aarch64__
	const unsigned int mine = 1;
	const char *sentence = "for x86_64, this machine is aarch64";
#else
	const unsigned int mine = 0;
	const char *sentence = "for aarch64, this machine is x86_64";
#endif

	(void)state;
	image_put16(image, AT_FLAGS, mine);
	eif = parse(image);
	assert_int_equal(ne_eif_check_arch(eif, &err), 0);
	ne_eif_close(eif);
	image_put16(image, AT_FLAGS, !mine);
	eif = parse(image);
	check_failure(ne_eif_check_arch(eif, &err), &err, ENOEXEC, sentence);
	ne_eif_close(eif);
	image_free(image);
}

static void architectures_have_names(void **state)
{
	(void)state;
	assert_string_equal(ne_eif_arch_name(NE_EIF_X86_64), "x86_64");
	assert_string_equal(ne_eif_arch_name(NE_EIF_AARCH64), "aarch64");
	assert_string_equal(ne_eif_arch_name((enum ne_eif_arch)2), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_typical_image_is_read),
		cmocka_unit_test(sections_are_listed_in_the_order_of_the_file),
		cmocka_unit_test(versions_2_and_3_need_no_metadata),
		cmocka_unit_test(
			bit_0_of_the_flags_is_aarch64_and_others_are_ignored),
		cmocka_unit_test(reserved_fields_are_ignored),
		cmocka_unit_test(the_command_line_may_be_anywhere),
		cmocka_unit_test(sections_may_be_empty),
		cmocka_unit_test(an_image_may_have_32_sections),
		cmocka_unit_test(nothing_is_no_image),
		cmocka_unit_test(something_else_is_no_image),
		cmocka_unit_test(a_short_file_of_something_else_is_no_image),
		cmocka_unit_test(a_header_must_be_whole),
		cmocka_unit_test(other_versions_are_not_supported),
		cmocka_unit_test(an_image_has_2_to_32_sections),
		cmocka_unit_test(an_image_cut_anywhere_is_refused),
		cmocka_unit_test(a_cut_names_the_section_and_all_numbers),
		cmocka_unit_test(a_size_that_would_wrap_is_refused),
		cmocka_unit_test(an_offset_beyond_the_end_is_refused),
		cmocka_unit_test(sections_must_not_overlap),
		cmocka_unit_test(a_section_must_not_overlap_the_header),
		cmocka_unit_test(sections_must_be_in_the_order_of_the_table),
		cmocka_unit_test(there_must_be_no_gap_between_sections),
		cmocka_unit_test(there_must_be_nothing_behind_the_last_section),
		cmocka_unit_test(
			a_section_behind_those_that_are_counted_is_refused),
		cmocka_unit_test(both_sizes_of_a_section_must_agree),
		cmocka_unit_test(unknown_types_are_refused),
		cmocka_unit_test(there_must_be_a_kernel),
		cmocka_unit_test(there_must_be_a_command_line),
		cmocka_unit_test(there_must_be_a_ramdisk),
		cmocka_unit_test(version_4_must_have_metadata),
		cmocka_unit_test(a_ramdisk_must_not_come_before_the_kernel),
		cmocka_unit_test(only_ramdisks_may_be_several),
		cmocka_unit_test(a_signature_has_at_most_32768_bytes),
		cmocka_unit_test(a_command_line_has_no_zero_byte),
		cmocka_unit_test(the_header_tells_the_size_of_the_image),
		cmocka_unit_test(a_bad_header_tells_no_size),
		cmocka_unit_test(a_file_is_opened_by_path),
		cmocka_unit_test(a_sealed_memfd_is_opened_and_its_offset_stays),
		cmocka_unit_test(failures_of_a_file_start_with_its_path),
		cmocka_unit_test(a_fifo_is_not_waited_for),
		cmocka_unit_test(a_bad_descriptor_is_refused),
		cmocka_unit_test(failing_leaves_no_descriptor_open),
		cmocka_unit_test(a_file_that_became_shorter_is_noticed),
		cmocka_unit_test(closing_nothing_is_fine),
		cmocka_unit_test(a_right_checksum_holds),
		cmocka_unit_test(any_changed_byte_breaks_the_checksum),
		cmocka_unit_test(an_image_for_another_cpu_is_refused),
		cmocka_unit_test(architectures_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
