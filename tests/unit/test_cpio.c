// SPDX-License-Identifier: Apache-2.0

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ne/error.h>
#include "ne-emu/cpio.h"
#include "tests/unit/cpio_writer.h"

/* The sink writes down what it is told. */
struct log {
	char text[4096];
	size_t size;
};

__attribute__((format(printf, 2, 3))) static void note(struct log *log,
						       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log->size += (size_t)vsnprintf(log->text + log->size,
				       sizeof(log->text) - log->size, format,
				       args);
	va_end(args);
	assert_true(log->size < sizeof(log->text));
}

static int on_entry(const struct cpio_entry *entry, void *data,
		    struct ne_error *err)
{
	(void)err;
	note(data, "%s %o %u", entry->name, entry->mode, entry->size);
	if (entry->target)
		note(data, " -> %s", entry->target);
	note(data, "[");
	return 0;
}

static int on_content(const void *bytes, size_t size, void *data,
		      struct ne_error *err)
{
	(void)err;
	note(data, "%.*s", (int)size, (const char *)bytes);
	return 0;
}

static int on_entry_end(void *data, struct ne_error *err)
{
	(void)err;
	note(data, "]");
	return 0;
}

static void on_trailer(void *data)
{
	note(data, "T");
}

static const struct cpio_sink sink = {
	.entry = on_entry,
	.content = on_content,
	.entry_end = on_entry_end,
	.trailer = on_trailer,
};

/* Feeds pieces of the given size; the first failure or the end's verdict. */
static int read_in_pieces(struct log *log, const void *bytes, size_t size,
			  size_t piece, struct ne_error *err)
{
	struct cpio_reader reader;

	memset(log, 0, sizeof(*log));
	cpio_reader_init(&reader, &sink, log, 0);
	for (size_t at = 0; at < size;) {
		size_t part = size - at < piece ? size - at : piece;
		/* A copy of just that, so that a sanitizer sees more. */
		uint8_t *copy = malloc(part);
		ssize_t n;

		memcpy(copy, (const uint8_t *)bytes + at, part);
		n = cpio_reader_feed(&reader, copy, part, err);
		free(copy);
		if (n < 0)
			return (int)n;
		if ((size_t)n < part)
			return (int)(at + (size_t)n);
		at += part;
	}
	return cpio_reader_end(&reader, err);
}

static void make_archive(struct cpio_writer *writer)
{
	cpio_directory(writer, "d");
	cpio_file(writer, "d/file", "hello");
	cpio_symlink(writer, "d/link", "file");
	cpio_file(writer, "d/empty", "");
	cpio_symlink(writer, "d/nowhere", "");
	cpio_trailer(writer);
	cpio_put(writer, "\0\0\0\0\0\0\0\0", 8);
	cpio_file(writer, "second", "archive");
}

static const char expected[] =
	"d 40755 0[]d/file 100644 5[hello]d/link 120777 0 -> file[]"
	"d/empty 100644 0[]d/nowhere 120777 0 -> []T"
	"second 100644 7[archive]";

static void entries_come_out_the_same_whatever_the_pieces(void **state)
{
	struct cpio_writer writer = { 0 };
	struct log log;

	(void)state;
	make_archive(&writer);
	for (size_t piece = 1; piece <= writer.size; piece++) {
		assert_int_equal(read_in_pieces(&log, writer.bytes, writer.size,
						piece, NULL),
				 0);
		assert_string_equal(log.text, expected);
	}
	free(writer.bytes);
}

static void an_archive_cut_short_is_refused_except_between_entries(void **state)
{
	struct cpio_writer writer = { 0 };
	struct ne_error err = { 0 };
	struct log log;
	size_t refused = 0;

	(void)state;
	make_archive(&writer);
	for (size_t size = 0; size < writer.size; size++) {
		int r = read_in_pieces(&log, writer.bytes, size, size + 1,
				       &err);

		assert_true(r == 0 || r == -EINVAL);
		assert_memory_equal(log.text, expected,
				    log.size ? log.size - 1 : 0);
		refused += r == -EINVAL;
	}
	assert_true(refused > writer.size * 9 / 10);
	assert_non_null(strstr(err.text, "cut short"));
	free(writer.bytes);
}

static void the_last_padding_may_be_missing(void **state)
{
	struct cpio_writer writer = { 0 };
	struct log log;

	(void)state;
	cpio_file(&writer, "f", "hello");
	assert_int_equal(read_in_pieces(&log, writer.bytes, writer.size - 3, 7,
					NULL),
			 0);
	assert_string_equal(log.text, "f 100644 5[hello]");
	free(writer.bytes);
}

static void it_stops_at_what_is_no_entry(void **state)
{
	struct cpio_writer writer = { 0 };
	struct log log;
	size_t size;

	(void)state;
	cpio_file(&writer, "f", "");
	cpio_put(&writer, "\0\0\0", 3);
	size = writer.size;
	cpio_put(&writer, "\x1f\x8b...", 5);
	assert_int_equal(read_in_pieces(&log, writer.bytes, writer.size,
					writer.size, NULL),
			 size);
	free(writer.bytes);
}

/* A single entry with something wrong: the sentence has this in it. */
static void assert_refused(struct cpio_writer *writer, const char *what)
{
	struct ne_error err = { 0 };
	struct log log;

	assert_int_equal(read_in_pieces(&log, writer->bytes, writer->size,
					writer->size, &err),
			 -EINVAL);
	if (!strstr(err.text, what))
		fail_msg("'%s' has no '%s'", err.text, what);
	free(writer->bytes);
	*writer = (struct cpio_writer){ 0 };
}

static void malformed_entries_are_refused_with_a_sentence(void **state)
{
	struct cpio_writer writer = { 0 };
	char long_name[PATH_MAX + 2];

	(void)state;
	cpio_file(&writer, "f", "");
	memcpy(writer.bytes, "070707", 6);
	assert_refused(&writer, "cpio -H newc");

	cpio_file(&writer, "f", "");
	memcpy(writer.bytes, "070703", 6);
	assert_refused(&writer, "offset 0: no cpio header");

	cpio_file(&writer, "f", "");
	writer.bytes[50] = 'x';
	assert_refused(&writer, "hexadecimal");

	cpio_file(&writer, "f", "");
	memcpy(writer.bytes + 50, "  -1", 4);
	assert_refused(&writer, "hexadecimal");

	cpio_add_raw(&writer, "f", 1, S_IFREG, "", 0, NO_EXTRA);
	assert_refused(&writer, "no end");

	cpio_add_raw(&writer, "", 0, S_IFREG, "", 0, NO_EXTRA);
	assert_refused(&writer, "its name must have");

	cpio_add_raw(&writer, "", 1, S_IFREG, "", 0, NO_EXTRA);
	assert_refused(&writer, "empty");

	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	cpio_add_raw(&writer, long_name, sizeof(long_name), S_IFREG, "", 0,
		     NO_EXTRA);
	assert_refused(&writer, "its name must have");

	cpio_symlink(&writer, "l", long_name);
	assert_refused(&writer, "target");

	cpio_file(&writer, "f", "");
	cpio_put(&writer,
		 "\0\0"
		 "070701",
		 8);
	assert_refused(&writer, "multiple of 4");
}

static void the_longest_name_and_target_are_taken(void **state)
{
	struct cpio_writer writer = { 0 };
	char name[PATH_MAX];
	struct cpio_reader *reader = malloc(sizeof(*reader));
	struct log log = { 0 };

	(void)state;
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	cpio_symlink(&writer, name, name);
	cpio_reader_init(reader, &sink, &log, 0);
	/* Byte by byte, so that everything goes through the buffers. */
	for (size_t i = 0; i + 1 < writer.size - 4; i++)
		assert_int_equal(
			cpio_reader_feed(reader, writer.bytes + i, 1, NULL), 1);
	assert_int_equal(log.size, 0);
	free(reader);
	free(writer.bytes);
}

static void a_wrong_checksum_is_refused(void **state)
{
	struct cpio_writer writer = { 0 };
	struct log log;

	(void)state;
	cpio_add(&writer, "f", S_IFREG | 0644, "abc",
		 (struct cpio_extra){ .checksum = 'a' + 'b' + 'c' });
	assert_int_equal(
		read_in_pieces(&log, writer.bytes, writer.size, 2, NULL), 0);
	writer.bytes[writer.size - 2]++;
	assert_refused(&writer, "checksum");
}

static int refuse(const struct cpio_entry *entry, void *data,
		  struct ne_error *err)
{
	(void)data;
	return ne_error_set(err, ENOSPC, "no room for %s", entry->name);
}

static void what_the_sink_refuses_ends_the_reading(void **state)
{
	const struct cpio_sink refusing = { .entry = refuse };
	struct cpio_writer writer = { 0 };
	struct cpio_reader reader;
	struct ne_error err = { 0 };

	(void)state;
	cpio_file(&writer, "f", "abc");
	cpio_reader_init(&reader, &refusing, NULL, 0);
	assert_int_equal(cpio_reader_feed(&reader, writer.bytes, writer.size,
					  &err),
			 -ENOSPC);
	assert_string_equal(err.text, "no room for f");
	free(writer.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_out_the_same_whatever_the_pieces),
		cmocka_unit_test(
			an_archive_cut_short_is_refused_except_between_entries),
		cmocka_unit_test(the_last_padding_may_be_missing),
		cmocka_unit_test(it_stops_at_what_is_no_entry),
		cmocka_unit_test(malformed_entries_are_refused_with_a_sentence),
		cmocka_unit_test(the_longest_name_and_target_are_taken),
		cmocka_unit_test(a_wrong_checksum_is_refused),
		cmocka_unit_test(what_the_sink_refuses_ends_the_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
