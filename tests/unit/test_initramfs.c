// SPDX-License-Identifier: Apache-2.0
/*
 * Each test unpacks into $TMPDIR/.../root; beside it lies "outside", which
 * must never be touched.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include <ne/error.h>
#include "libne/cleanup.h"
#include "ne-emu/initramfs.h"
#include "tests/unit/cpio_writer.h"

struct fixture {
	char folder[PATH_MAX / 2];
	char outside[PATH_MAX]; /* the folder beside root */
	int root;
	struct cpio_writer cpio;
	struct initramfs_options options;
	struct initramfs_counts counts;
	struct ne_error err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];

	*state = f;
	snprintf(f->folder, sizeof(f->folder), "%s/initramfs.XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->outside, sizeof(f->outside), "%s/outside", f->folder);
	snprintf(path, sizeof(path), "%s/root", f->folder);
	if (mkdir(path, 0755) < 0 || mkdir(f->outside, 0755) < 0)
		return -1;
	f->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->options.counts = &f->counts;
	return f->root < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	close(f->root);
	free(f->cpio.bytes);
	free(f);
	return 0;
}

static int unpack_bytes(struct fixture *f, const void *bytes, size_t size)
{
	return initramfs_unpack(f->root, bytes, size, &f->options, &f->err);
}

static int unpack(struct fixture *f)
{
	return unpack_bytes(f, f->cpio.bytes, f->cpio.size);
}

static void assert_unpacks(struct fixture *f)
{
	if (unpack(f) < 0)
		fail_msg("%s", f->err.text);
}

static mode_t mode_of(struct fixture *f, const char *name)
{
	struct stat st;

	if (fstatat(f->root, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return st.st_mode;
}

static void assert_content(struct fixture *f, const char *name,
			   const char *expected)
{
	char content[256] = "";
	int fd = openat(f->root, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = read(fd, content, sizeof(content) - 1);

	if (n < 0)
		fail_msg("%s: %s", name, strerror(errno));
	assert_string_equal(content, expected);
	close(fd);
}

static void assert_nothing_outside(struct fixture *f)
{
	struct stat st;

	/* No entries: rmdir works. And nothing beside the two folders. */
	assert_int_equal(rmdir(f->outside), 0);
	assert_int_equal(stat(f->folder, &st), 0);
	assert_int_equal(st.st_nlink == 1 || st.st_nlink == 3, 1);
	assert_int_equal(mkdir(f->outside, 0755), 0);
}

/* --- What an archive says ---------------------------------------------------- */

static void files_directories_and_links_are_made(void **state)
{
	struct fixture *f = *state;
	char target[16] = "";

	cpio_directory(&f->cpio, ".");
	cpio_directory(&f->cpio, "a");
	cpio_directory(&f->cpio, "a/b/");
	cpio_file(&f->cpio, "a/b/file", "hello");
	cpio_file(&f->cpio, "/a/absolute", "too");
	cpio_file(&f->cpio, "./a/./b/../dots", "as well");
	cpio_symlink(&f->cpio, "a/link", "b/file");
	cpio_trailer(&f->cpio);
	assert_unpacks(f);
	assert_content(f, "a/b/file", "hello");
	assert_content(f, "a/absolute", "too");
	assert_content(f, "a/dots", "as well");
	assert_int_equal(readlinkat(f->root, "a/link", target, 15), 6);
	assert_string_equal(target, "b/file");
	assert_int_equal(f->counts.entries, 7);
	assert_int_equal(f->counts.bytes, 15);
	assert_int_equal(f->counts.dropped, 0);
}

static void modes_are_set_whatever_the_umask(void **state)
{
	struct fixture *f = *state;
	mode_t before = umask(077);

	cpio_add(&f->cpio, "su", S_IFREG | 04755, "x", NO_EXTRA);
	cpio_add(&f->cpio, "all", S_IFREG | 0666, "x", NO_EXTRA);
	cpio_add(&f->cpio, "readonly", S_IFREG | 0400, "x", NO_EXTRA);
	cpio_add(&f->cpio, "sticky", S_IFDIR | 01777, "", NO_EXTRA);
	cpio_add(&f->cpio, "group", S_IFDIR | 02775, "", NO_EXTRA);
	cpio_add(&f->cpio, "group/directory", S_IFDIR | 0755, "", NO_EXTRA);
	cpio_add(&f->cpio, "fifo", S_IFIFO | 0622, "", NO_EXTRA);
	cpio_add(&f->cpio, ".", S_IFDIR | 0711, "", NO_EXTRA);
	assert_unpacks(f);
	assert_int_equal(umask(before), 077);
	assert_int_equal(mode_of(f, "su"), S_IFREG | 04755);
	assert_int_equal(mode_of(f, "all"), S_IFREG | 0666);
	assert_int_equal(mode_of(f, "readonly"), S_IFREG | 0400);
	assert_int_equal(mode_of(f, "sticky"), S_IFDIR | 01777);
	assert_int_equal(mode_of(f, "group"), S_IFDIR | 02775);
	assert_int_equal(mode_of(f, "group/directory"), S_IFDIR | 0755);
	assert_int_equal(mode_of(f, "fifo"), S_IFIFO | 0622);
	assert_int_equal(mode_of(f, "."), S_IFDIR | 0711);
}

static void owners_are_set_when_asked_for(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	if (geteuid() != 0) {
		print_error("only root may change owners\n");
		skip();
	}
	cpio_add(&f->cpio, "d", S_IFDIR | 0755, "",
		 (struct cpio_extra){ .uid = 3, .gid = 4 });
	cpio_add(&f->cpio, "d/f", S_IFREG | 04755, "x",
		 (struct cpio_extra){ .uid = 1, .gid = 2 });
	cpio_add(&f->cpio, "d/l", S_IFLNK | 0777, "x",
		 (struct cpio_extra){ .uid = 5, .gid = 6 });
	assert_unpacks(f);
	assert_int_equal(fstatat(f->root, "d/f", &st, 0), 0);
	assert_int_equal(st.st_uid, 0);
	f->options.chown = true;
	assert_unpacks(f);
	assert_int_equal(fstatat(f->root, "d/f", &st, 0), 0);
	assert_int_equal(st.st_uid, 1);
	assert_int_equal(st.st_gid, 2);
	assert_int_equal(st.st_mode, S_IFREG | 04755);
	assert_int_equal(fstatat(f->root, "d", &st, 0), 0);
	assert_int_equal(st.st_uid, 3);
	assert_int_equal(fstatat(f->root, "d/l", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_gid, 6);
	assert_int_equal(f->counts.unmapped_owners, 0);
}

static void hard_links_share_the_content_that_any_of_them_brings(void **state)
{
	const struct cpio_extra two = { .ino = 7, .nlink = 3 };
	struct fixture *f = *state;
	struct stat st;

	cpio_add(&f->cpio, "first", S_IFREG | 0644, "", two);
	cpio_add(&f->cpio, "second", S_IFREG | 0644, "", two);
	cpio_add(&f->cpio, "third", S_IFREG | 0644, "content", two);
	assert_unpacks(f);
	assert_content(f, "first", "content");
	assert_content(f, "second", "content");
	assert_int_equal(fstatat(f->root, "third", &st, 0), 0);
	assert_int_equal(st.st_nlink, 3);
}

static void a_trailer_ends_the_hard_links_of_an_archive(void **state)
{
	const struct cpio_extra two = { .ino = 7, .nlink = 2 };
	struct fixture *f = *state;
	struct stat st;

	cpio_add(&f->cpio, "first", S_IFREG | 0644, "one", two);
	cpio_trailer(&f->cpio);
	cpio_add(&f->cpio, "other", S_IFREG | 0644, "two", two);
	assert_unpacks(f);
	assert_content(f, "first", "one");
	assert_content(f, "other", "two");
	assert_int_equal(fstatat(f->root, "first", &st, 0), 0);
	assert_int_equal(st.st_nlink, 1);
}

static void later_entries_take_the_place_of_earlier_ones(void **state)
{
	struct fixture *f = *state;

	cpio_file(&f->cpio, "a", "old and longer");
	cpio_symlink(&f->cpio, "b", "a");
	cpio_directory(&f->cpio, "c");
	cpio_add(&f->cpio, "d", S_IFIFO | 0644, "", NO_EXTRA);
	cpio_directory(&f->cpio, "e");
	cpio_trailer(&f->cpio);
	cpio_add(&f->cpio, "a", S_IFREG | 0755, "new", NO_EXTRA);
	cpio_file(&f->cpio, "b", "no longer a link");
	cpio_symlink(&f->cpio, "c", "a");
	cpio_file(&f->cpio, "d", "does not block");
	cpio_add(&f->cpio, "e", S_IFDIR | 0700, "", NO_EXTRA);
	assert_unpacks(f);
	assert_content(f, "a", "new");
	assert_int_equal(mode_of(f, "a"), S_IFREG | 0755);
	assert_content(f, "b", "no longer a link");
	assert_true(S_ISLNK(mode_of(f, "c")));
	assert_content(f, "d", "does not block");
	assert_int_equal(mode_of(f, "e"), S_IFDIR | 0700);
}

static void what_cannot_be_placed_is_dropped_and_counted(void **state)
{
	struct fixture *f = *state;
	char name[300];

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	cpio_file(&f->cpio, "no/parent", "x");
	cpio_file(&f->cpio, "file", "x");
	cpio_file(&f->cpio, "file/parent", "x");
	cpio_directory(&f->cpio, "full");
	cpio_file(&f->cpio, "full/file", "x");
	cpio_file(&f->cpio, "full", "in the way");
	cpio_file(&f->cpio, "full/", "no name");
	cpio_file(&f->cpio, "full/..", "no name");
	cpio_file(&f->cpio, name, "too long");
	cpio_symlink(&f->cpio, "loop", "loop");
	cpio_file(&f->cpio, "loop/file", "x");
	cpio_add(&f->cpio, "directory", S_IFDIR | 0755, "content", NO_EXTRA);
	cpio_add(&f->cpio, "typeless", 0644, "", NO_EXTRA);
	cpio_file(&f->cpio, "last", "x");
	assert_unpacks(f);
	assert_int_equal(f->counts.dropped, 9);
	assert_string_equal(f->counts.first_dropped, "no/parent");
	assert_content(f, "full/file", "x");
	assert_content(f, "last", "x");
	assert_nothing_outside(f);
}

/* --- Devices ----------------------------------------------------------------- */

struct asked {
	char text[256];
	int answer;
};

static int make_device(int dir_fd, const char *name, const char *path,
		       mode_t mode, unsigned int major, unsigned int minor,
		       void *data)
{
	struct asked *asked = data;
	size_t length = strlen(asked->text);

	snprintf(asked->text + length, sizeof(asked->text) - length,
		 "%s=%s %o %u:%u;", path, name, mode, major, minor);
	if (asked->answer == 0)
		assert_int_equal(symlinkat("device", dir_fd, name), 0);
	return asked->answer;
}

static void add_devices(struct fixture *f)
{
	cpio_directory(&f->cpio, "dev");
	cpio_add(&f->cpio, "dev/null", S_IFCHR | 0666, "",
		 (struct cpio_extra){ .rdev_major = 1, .rdev_minor = 3 });
	cpio_add(&f->cpio, "dev/sda", S_IFBLK | 0660, "",
		 (struct cpio_extra){ .rdev_major = 8 });
}

static void devices_are_made_by_the_caller(void **state)
{
	struct fixture *f = *state;
	struct asked asked = { 0 };

	f->options.device = make_device;
	f->options.data = &asked;
	add_devices(f);
	assert_unpacks(f);
	assert_string_equal(asked.text, "dev/null=null 20666 1:3;"
					"dev/sda=sda 60660 8:0;");
	assert_true(S_ISLNK(mode_of(f, "dev/null")));
	assert_int_equal(f->counts.placeholders, 0);
}

static void devices_that_nobody_makes_become_empty_files(void **state)
{
	struct fixture *f = *state;
	struct asked asked = { .answer = -ENOTSUP };

	add_devices(f);
	assert_unpacks(f);
	assert_int_equal(mode_of(f, "dev/null"), S_IFREG | 0666);
	assert_int_equal(f->counts.placeholders, 2);
	f->options.device = make_device;
	f->options.data = &asked;
	assert_unpacks(f);
	assert_int_equal(f->counts.placeholders, 4);
}

static void a_device_that_fails_ends_it(void **state)
{
	struct fixture *f = *state;
	struct asked asked = { .answer = -EPERM };

	f->options.device = make_device;
	f->options.data = &asked;
	add_devices(f);
	assert_int_equal(unpack(f), -EPERM);
	assert_non_null(strstr(f->err.text, "dev/null"));
}

/* --- Nothing outside ---------------------------------------------------------- */

static void dots_do_not_lead_outside(void **state)
{
	struct fixture *f = *state;

	cpio_file(&f->cpio, "../outside/file", "x");
	cpio_file(&f->cpio, "/../../outside/file", "x");
	cpio_directory(&f->cpio, "a");
	cpio_file(&f->cpio, "a/../../outside/file", "x");
	cpio_file(&f->cpio, "../inside", "x");
	cpio_add(&f->cpio, "..", S_IFDIR | 0700, "", NO_EXTRA);
	cpio_add(&f->cpio, "../..", S_IFDIR | 0700, "", NO_EXTRA);
	assert_unpacks(f);
	assert_content(f, "inside", "x");
	assert_int_equal(mode_of(f, "."), S_IFDIR | 0700);
	assert_int_equal(mode_of(f, ".."), S_IFDIR | 0700); /* by mkdtemp */
	assert_nothing_outside(f);
}

static void symbolic_links_do_not_lead_outside(void **state)
{
	struct fixture *f = *state;
	char name[PATH_MAX + 8];

	cpio_symlink(&f->cpio, "absolute", f->outside);
	cpio_file(&f->cpio, "absolute/file", "x");
	cpio_symlink(&f->cpio, "relative", "../outside");
	cpio_file(&f->cpio, "relative/file", "x");
	cpio_directory(&f->cpio, "relative/directory");
	cpio_symlink(&f->cpio, "relative/link", "x");
	cpio_add(&f->cpio, "relative/.", S_IFDIR | 0700, "", NO_EXTRA);
	cpio_symlink(&f->cpio, "cwd", "/proc/self/cwd");
	cpio_file(&f->cpio, "cwd/file", "x");
	/* The last component is not followed either. */
	snprintf(name, sizeof(name), "%s/file", f->outside);
	cpio_symlink(&f->cpio, "last", name);
	cpio_file(&f->cpio, "last", "x");
	cpio_symlink(&f->cpio, "directory", "../outside");
	cpio_add(&f->cpio, "directory", S_IFDIR | 0711, "", NO_EXTRA);
	assert_unpacks(f);
	assert_content(f, "last", "x");
	assert_int_equal(mode_of(f, "directory"), S_IFDIR | 0711);
	assert_nothing_outside(f);
}

static void links_lead_where_they_would_from_the_root(void **state)
{
	struct fixture *f = *state;

	cpio_directory(&f->cpio, "usr");
	cpio_directory(&f->cpio, "usr/lib");
	cpio_symlink(&f->cpio, "lib", "/usr/lib");
	cpio_symlink(&f->cpio, "lib64", "../../usr/lib");
	cpio_file(&f->cpio, "lib/one", "1");
	cpio_file(&f->cpio, "lib64/two", "2");
	assert_unpacks(f);
	assert_content(f, "usr/lib/one", "1");
	assert_content(f, "usr/lib/two", "2");
}

static void a_directory_that_becomes_a_link_is_looked_up_again(void **state)
{
	struct fixture *f = *state;

	cpio_directory(&f->cpio, "a");
	cpio_directory(&f->cpio, "b");
	/* The parent of these is kept open ... */
	cpio_file(&f->cpio, "a/one", "1");
	cpio_symlink(&f->cpio, "a/one", "x");
	cpio_add(&f->cpio, "a/two", S_IFREG | 0644, "",
		 (struct cpio_extra){ .ino = 1, .nlink = 2 });
	cpio_directory(&f->cpio, "c");
	cpio_directory(&f->cpio, "c/d");
	/* ... and is something else now. */
	cpio_symlink(&f->cpio, "c/d", "../../outside");
	cpio_file(&f->cpio, "c/d/file", "x");
	cpio_symlink(&f->cpio, "c/d", "/b");
	cpio_file(&f->cpio, "c/d/file", "inside");
	assert_unpacks(f);
	assert_content(f, "b/file", "inside");
	assert_nothing_outside(f);
}

static void hard_links_do_not_lead_outside(void **state)
{
	const struct cpio_extra link = { .ino = 1, .nlink = 2 };
	const struct cpio_extra other = { .ino = 2, .nlink = 2 };
	struct fixture *f = *state;
	char victim[PATH_MAX + 8];
	struct stat st;

	snprintf(victim, sizeof(victim), "%s/victim", f->outside);
	close(open(victim, O_CREAT | O_WRONLY, 0600));

	/* The first link is remembered by its name, which then changes. */
	cpio_add(&f->cpio, "first", S_IFREG | 0644, "", link);
	cpio_symlink(&f->cpio, "first", victim);
	cpio_add(&f->cpio, "second", S_IFREG | 0777, "written", link);
	/* The same with a directory on the way. */
	cpio_directory(&f->cpio, "d");
	cpio_add(&f->cpio, "d/victim", S_IFREG | 0644, "", other);
	cpio_symlink(&f->cpio, "d/victim", "x");
	cpio_symlink(&f->cpio, "e", f->outside);
	cpio_add(&f->cpio, "../outside/victim", S_IFREG | 0777, "written",
		 other);
	assert_unpacks(f);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	unlink(victim);
	assert_nothing_outside(f);
}

/* --- Compression -------------------------------------------------------------- */

static void compress(struct cpio_writer *to, int filter, const void *bytes,
		     size_t size)
{
	const size_t room = size * 2 + 65536;
	uint8_t *buffer = malloc(room);
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	size_t used = 0;

	assert_int_equal(archive_write_add_filter(archive, filter), 0);
	assert_int_equal(archive_write_set_format_raw(archive), 0);
	assert_int_equal(archive_write_set_bytes_per_block(archive, 0), 0);
	assert_int_equal(
		archive_write_open_memory(archive, buffer, room, &used), 0);
	archive_entry_set_filetype(entry, AE_IFREG);
	assert_int_equal(archive_write_header(archive, entry), 0);
	assert_int_equal(archive_write_data(archive, bytes, size), size);
	assert_int_equal(archive_write_close(archive), 0);
	archive_write_free(archive);
	archive_entry_free(entry);
	cpio_put(to, buffer, used);
	free(buffer);
}

static const struct {
	int filter;
	const char *name;
	bool checked; /* is damage always found? */
} filters[] = {
	{ ARCHIVE_FILTER_GZIP, "gzip", true },
	{ ARCHIVE_FILTER_XZ, "xz", true },
	{ ARCHIVE_FILTER_ZSTD, "zstd", false },
	{ ARCHIVE_FILTER_LZ4, "lz4", true },
	{ ARCHIVE_FILTER_BZIP2, "bzip2", true },
	{ ARCHIVE_FILTER_LZMA, "lzma", false },
};

/* Something that takes more than one of any compression's blocks. */
static void add_noise(struct cpio_writer *writer, const char *name)
{
	const size_t size = 600000;
	uint8_t *noise = malloc(size);
	uint32_t x = 1;

	for (size_t i = 0; i < size; i++) {
		x = x * 1664525 + 1013904223;
		noise[i] = i % 3 ? (uint8_t)(x >> 24) : 0;
	}
	cpio_add_raw(writer, name, strlen(name) + 1, S_IFREG | 0644, noise,
		     size, NO_EXTRA);
	free(noise);
}

/* All compressions, plain archives and zeros between, in one ramdisk. */
static void streams_may_follow_each_other_in_any_order(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	cpio_file(&f->cpio, "plain", "first");
	for (size_t i = 0; i < 2 * ARRAY_SIZE(filters); i++) {
		struct cpio_writer inner = { 0 };
		size_t which = i % ARRAY_SIZE(filters);

		add_noise(&inner, filters[which].name);
		cpio_trailer(&inner);
		compress(&f->cpio, filters[which].filter, inner.bytes,
			 inner.size);
		free(inner.bytes);
		/* The second time they touch each other. */
		if (i < ARRAY_SIZE(filters)) {
			cpio_align(&f->cpio);
			cpio_put(&f->cpio, "\0\0\0\0\0\0\0\0", 8);
			cpio_file(&f->cpio, "plain", "again");
		}
	}
	assert_unpacks(f);
	assert_content(f, "plain", "again");
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		assert_int_equal(fstatat(f->root, filters[i].name, &st, 0), 0);
		assert_int_equal(st.st_size, 600000);
	}
	assert_int_equal(f->counts.bytes,
			 2 * ARRAY_SIZE(filters) * 600000 + 5 * 7);
}

/* name: of the compression that is said to be damaged */
static void assert_damaged(struct fixture *f, const struct cpio_writer *ramdisk,
			   size_t size, const char *name)
{
	char expected[64];

	if (unpack_bytes(f, ramdisk->bytes, size) != -EINVAL)
		fail_msg("%s: %zu of %zu bytes were taken", name, size,
			 ramdisk->size);
	snprintf(expected, sizeof(expected),
		 "in the %s data at offset 4: ", name);
	if (strncmp(f->err.text, expected, strlen(expected)))
		fail_msg("'%s' does not start with '%s'", f->err.text,
			 expected);
}

static void a_stream_cut_short_is_refused_with_a_sentence(void **state)
{
	struct fixture *f = *state;
	struct cpio_writer inner = { 0 };

	for (int i = 0; i < 3; i++)
		add_noise(&inner, "noise");
	cpio_trailer(&inner);
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		struct cpio_writer outer = { 0 };

		cpio_put(&outer, "\0\0\0\0", 4);
		compress(&outer, filters[i].filter, inner.bytes, inner.size);
		/* Less may be only the end mark or a checksum. */
		for (size_t cut = 24; cut < outer.size - 16; cut = cut * 3 + 5)
			assert_damaged(f, &outer, outer.size - cut,
				       filters[i].name);
		free(outer.bytes);
	}
	free(inner.bytes);
}

static void a_damaged_stream_is_refused_with_a_sentence(void **state)
{
	struct fixture *f = *state;
	struct cpio_writer inner = { 0 };

	for (int i = 0; i < 3; i++)
		add_noise(&inner, "noise");
	cpio_trailer(&inner);
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		struct cpio_writer outer = { 0 };

		cpio_put(&outer, "\0\0\0\0", 4);
		compress(&outer, filters[i].filter, inner.bytes, inner.size);
		for (size_t at = 20000; at < 20064; at++)
			outer.bytes[at] ^= 0x55;
		if (filters[i].checked)
			assert_damaged(f, &outer, outer.size, filters[i].name);
		else
			unpack_bytes(f, outer.bytes, outer.size);
		free(outer.bytes);
	}
	free(inner.bytes);
}

static void a_stream_in_a_stream_is_no_archive(void **state)
{
	struct fixture *f = *state;
	struct cpio_writer inner = { 0 }, middle = { 0 };

	cpio_file(&inner, "file", "x");
	compress(&middle, ARCHIVE_FILTER_GZIP, inner.bytes, inner.size);
	compress(&f->cpio, ARCHIVE_FILTER_GZIP, middle.bytes, middle.size);
	assert_int_equal(unpack(f), -EINVAL);
	assert_non_null(strstr(f->err.text, "no cpio archive"));
	free(inner.bytes);
	free(middle.bytes);
}

static void what_is_no_ramdisk_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unpack_bytes(f, "\0\0\0\0hello", 9), -EINVAL);
	assert_non_null(strstr(f->err.text, "offset 4"));
	assert_int_equal(unpack_bytes(f, "\x89LZO\0\r\n\x1a\n", 9), -ENOTSUP);
	assert_int_equal(unpack_bytes(f, "070701", 6), -EINVAL);
	assert_int_equal(unpack_bytes(f, NULL, 0), 0);
	assert_int_equal(unpack_bytes(f, "\0\0\0", 3), 0);
}

/* --- Limits -------------------------------------------------------------------- */

static void more_bytes_than_allowed_end_it(void **state)
{
	struct fixture *f = *state;

	f->options.max_bytes = 10;
	cpio_file(&f->cpio, "a", "12345");
	assert_unpacks(f);
	assert_unpacks(f);
	assert_int_equal(f->counts.bytes, 10);
	assert_int_equal(unpack(f), -E2BIG);
	assert_non_null(strstr(f->err.text, "memory"));
}

static void a_gzip_bomb_ends_at_the_limit(void **state)
{
	const size_t size = 64 << 20;
	struct fixture *f = *state;
	struct cpio_writer inner = { 0 };
	uint8_t *zeros = calloc(1, size);
	struct stat st;

	f->options.max_bytes = 1 << 20;
	cpio_add_raw(&inner, "bomb", 5, S_IFREG | 0644, zeros, size, NO_EXTRA);
	compress(&f->cpio, ARCHIVE_FILTER_GZIP, inner.bytes, inner.size);
	assert_true(f->cpio.size < 100000);
	assert_int_equal(unpack(f), -E2BIG);
	assert_int_equal(fstatat(f->root, "bomb", &st, 0), 0);
	assert_true(st.st_size <= 1 << 20);
	free(inner.bytes);
	free(zeros);
}

#define unpack_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unpack_test(files_directories_and_links_are_made),
		unpack_test(modes_are_set_whatever_the_umask),
		unpack_test(owners_are_set_when_asked_for),
		unpack_test(
			hard_links_share_the_content_that_any_of_them_brings),
		unpack_test(a_trailer_ends_the_hard_links_of_an_archive),
		unpack_test(later_entries_take_the_place_of_earlier_ones),
		unpack_test(what_cannot_be_placed_is_dropped_and_counted),
		unpack_test(devices_are_made_by_the_caller),
		unpack_test(devices_that_nobody_makes_become_empty_files),
		unpack_test(a_device_that_fails_ends_it),
		unpack_test(dots_do_not_lead_outside),
		unpack_test(symbolic_links_do_not_lead_outside),
		unpack_test(links_lead_where_they_would_from_the_root),
		unpack_test(a_directory_that_becomes_a_link_is_looked_up_again),
		unpack_test(hard_links_do_not_lead_outside),
		unpack_test(streams_may_follow_each_other_in_any_order),
		unpack_test(a_stream_cut_short_is_refused_with_a_sentence),
		unpack_test(a_damaged_stream_is_refused_with_a_sentence),
		unpack_test(a_stream_in_a_stream_is_no_archive),
		unpack_test(what_is_no_ramdisk_is_refused),
		unpack_test(more_bytes_than_allowed_end_it),
		unpack_test(a_gzip_bomb_ends_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
