// SPDX-License-Identifier: Apache-2.0
/*
 * The ramdisk unpacker: unpacks below <folder>/root, while a file in
 * <folder>/outside must stay as it is. The folder is made in $TMPDIR (best on
 * a tmpfs) and is emptied after each input.
 *
 * The first byte of the input chooses what the rest is, so that no seeds are
 * needed to get past headers and checksums:
 *
 *	0: a ramdisk
 *	1: entries, in a few bytes each (see add_entry()), for an archive
 *	2: the same; the archive is then compressed, the next byte says how,
 *	   and damaged where the two bytes behind it say
 *	3: the next byte chooses a compression's magic, the rest follows it
 */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ne/error.h>
#include "libne/cleanup.h"
#include "ne-emu/initramfs.h"
#include "tests/unit/cpio_writer.h"

enum { WHOLE, ENTRIES, COMPRESSED, MAGIC, MODES };

static char folder[PATH_MAX / 2];
static char root_path[PATH_MAX], witness[PATH_MAX];

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void clean(const char *path)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0)
		abort();
}

static void clean_up(void)
{
	clean(folder);
}

static void make_folder(void)
{
	const char *tmp = getenv("TMPDIR");
	char outside[PATH_MAX - 16];
	int fd;

	snprintf(folder, sizeof(folder), "%s/fuzz-initramfs.XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(folder))
		abort();
	snprintf(outside, sizeof(outside), "%s/outside", folder);
	snprintf(root_path, sizeof(root_path), "%s/root", folder);
	snprintf(witness, sizeof(witness), "%s/witness", outside);
	if (mkdir(outside, 0755) < 0)
		abort();
	fd = open(witness, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	close(fd);
	atexit(clean_up);
}

/* Nothing but what make_folder() made, and that untouched. */
static void check_outside(void)
{
	struct stat st;

	if (stat(witness, &st) < 0 || st.st_size || st.st_nlink != 1 ||
	    st.st_mode != (S_IFREG | 0600) || st.st_uid != geteuid())
		abort();
}

/* Sentences never have control characters, counts never go astray. */
static void check_result(int r, const struct initramfs_counts *counts,
			 const struct ne_error *err, uint64_t max_bytes)
{
	if (r > 0 || (r < 0) != !!err->text[0] || counts->bytes > max_bytes)
		abort();
}

/* --- Input -------------------------------------------------------------------- */

struct input {
	const uint8_t *data;
	size_t size;
};

/* The next byte, or zero. */
static uint8_t take(struct input *input)
{
	if (!input->size)
		return 0;
	input->size--;
	return *input->data++;
}

/* Few names, so that entries meet each other, some of them dangerous. */
static const char *const components[] = {
	"a",  "b", "c", "outside", "witness", ".",   "..",
	"..", "",  "d", "a",	   "root",    "dev", "proc",
};

/* Each byte is a component and whether more follow. */
static void take_path(struct input *input, char *path, size_t size)
{
	size_t length = 0;
	uint8_t byte;

	path[0] = '\0';
	do {
		const char *component;

		byte = take(input);
		component = components[byte % ARRAY_SIZE(components)];
		length += (size_t)snprintf(path + length, size - length, "%s%s",
					   component, byte & 0x80 ? "/" : "");
	} while (byte & 0x80 && length < size - 16);
}

/* type and permissions, inode, path, and a target or some content. */
static void add_entry(struct cpio_writer *cpio, struct input *input)
{
	static const mode_t types[] = {
		S_IFREG, S_IFDIR, S_IFLNK, S_IFREG,
		S_IFDIR, S_IFCHR, S_IFIFO, S_IFSOCK,
	};
	static const mode_t permissions[] = { 0755, 0644, 06777, 01777 };
	uint8_t what = take(input), inode = take(input);
	mode_t type = types[what & 7];
	struct cpio_extra extra = {
		.ino = inode & 3,
		.nlink = 1 + (inode >> 6),
		.uid = inode >> 4 & 1,
	};
	char path[128], content[128] = "";

	take_path(input, path, sizeof(path));
	if (type == S_IFLNK)
		take_path(input, content, sizeof(content));
	else if (type == S_IFREG && what & 0x20)
		strcpy(content, "content");
	if (what & 0x40)
		cpio_trailer(cpio);
	cpio_add(cpio, path, type | permissions[what >> 3 & 3], content, extra);
}

static const struct {
	int filter;
	size_t size;
	const char *magic;
} compressions[] = {
	{ ARCHIVE_FILTER_GZIP, 2, "\x1f\x8b" },
	{ ARCHIVE_FILTER_ZSTD, 4, "\x28\xb5\x2f\xfd" },
	{ ARCHIVE_FILTER_LZ4, 4, "\x04\x22\x4d\x18" },
	{ ARCHIVE_FILTER_GZIP, 4, "\x02\x21\x4c\x18" },
	{ ARCHIVE_FILTER_BZIP2, 4, "BZh9" },
	{ ARCHIVE_FILTER_XZ, 6, "\xfd\x37zXZ\0" },
	{ ARCHIVE_FILTER_LZMA, 5, "\x5d\0\0\x80\0" },
};

static void compress(struct cpio_writer *cpio, int filter)
{
	const size_t room = cpio->size * 2 + 65536;
	uint8_t *buffer = malloc(room);
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	size_t used = 0;

	archive_write_add_filter(archive, filter);
	/* The lowest: fast, and takes little memory. */
	archive_write_set_filter_option(archive, NULL, "compression-level",
					"1");
	archive_write_set_format_raw(archive);
	archive_write_set_bytes_per_block(archive, 0);
	archive_write_open_memory(archive, buffer, room, &used);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_write_header(archive, entry);
	archive_write_data(archive, cpio->bytes, cpio->size);
	archive_write_close(archive);
	archive_write_free(archive);
	archive_entry_free(entry);
	free(cpio->bytes);
	cpio->bytes = buffer;
	cpio->size = used;
}

static void make_ramdisk(struct cpio_writer *cpio, struct input *input)
{
	uint8_t mode = take(input) % MODES;
	uint8_t how = mode >= COMPRESSED ? take(input) : 0;
	uint8_t where = mode == COMPRESSED ? take(input) : 0;
	uint8_t damage = mode == COMPRESSED ? take(input) : 0;

	how %= ARRAY_SIZE(compressions);
	if (mode == MAGIC)
		cpio_put(cpio, compressions[how].magic, compressions[how].size);
	if (mode == WHOLE || mode == MAGIC) {
		cpio_put(cpio, input->data, input->size);
		return;
	}
	while (input->size)
		add_entry(cpio, input);
	if (mode != COMPRESSED || !cpio->size)
		return;
	compress(cpio, compressions[how].filter);
	if (cpio->size)
		cpio->bytes[where % cpio->size] ^= damage;
}

/* --- Running it ----------------------------------------------------------------- */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	if (file) {
		fputs(text, file);
		fclose(file);
	}
}

/* A folder without permissions can be emptied by root, if of a namespace. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char map[32];

	(void)argc;
	(void)argv;
	snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (geteuid() != 0 && unshare(CLONE_NEWUSER) == 0)
		write_file("/proc/self/uid_map", map);
	make_folder();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct cpio_writer cpio = { 0 };
	struct initramfs_counts counts = { 0 };
	const struct initramfs_options options = {
		.max_bytes = 1 << 20,
		.chown = true,
		.counts = &counts,
	};
	struct ne_error err = { 0 };
	int root, r;

	make_ramdisk(&cpio, &input);
	if (mkdir(root_path, 0755) < 0)
		abort();
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		abort();
	r = initramfs_unpack(root, cpio.bytes, cpio.size, &options, &err);
	close(root);
	check_result(r, &counts, &err, options.max_bytes);
	check_outside();
	clean(root_path);
	free(cpio.bytes);
	return 0;
}
