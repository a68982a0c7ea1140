// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * A ramdisk is walked from its start: zero bytes are skipped, a cpio archive
 * goes straight from the mapping to the reader (and its file contents from
 * the mapping to write(2)), anything else must be a compressed stream, whose
 * decompressed bytes go to a reader of their own. The readers' sink makes
 * the entries.
 *
 * Where an entry goes. Names are untrusted. The parent directory is opened
 * with openat2(2), which takes root_fd for "/" and crosses no mount; the last
 * component is made with calls that follow no symbolic link. So a name with
 * "..", an absolute one, or one through a symbolic link ends inside root_fd,
 * as it would in the kernel, where root_fd's directory is all there is. The
 * parent of the last entry is kept open, until something is removed, since
 * only a removal can change what its name means.
 *
 * What is already there. As in the kernel, an entry of another type is
 * removed first; a directory stays; a file is overwritten in place (its hard
 * links see that, too); hard links and symbolic links are always made anew.
 *
 * Hard links. All links of a file have the same device, inode and type, and
 * the first one is made as a file of its own. Any of them may bring the
 * content; archivers give it to the last one. A trailer ends the table.
 *
 * Owners and modes. The umask is 0, so most files get their mode when they
 * are made. An owner is set only where it differs. Writing and changing the
 * owner both clear the set-user-id bits: they are set last.
 */
#include "ne-emu/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <ne/error.h>
#include "libne/cleanup.h"
#include "ne-emu/cpio.h"
#include "ne-emu/decompress.h"

/* A write(2) does at most 2 GiB less a page; be a round number below. */
#define WRITE_MAX ((size_t)1 << 30)

struct unpacker {
	int root;
	const struct initramfs_options *options;
	struct initramfs_counts counts;
	uid_t uid; /* that new files get by themselves */
	gid_t gid;

	/* The parent directory of the last entry. */
	int parent;
	bool parent_valid;
	bool parent_setgid; /* gives its group to what is made in it */
	char parent_path[PATH_MAX];

	/* The regular file that content is written to, or -1. */
	int file;
	bool file_is_new;
	struct cpio_entry entry; /* of the file; its strings are gone */
	char name[PATH_MAX];	 /* of the current entry */

	void *links; /* tsearch(3) tree of struct link */
};

struct link {
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t ino;
	uint32_t type;
	char *name;
};

/* --- Names ----------------------------------------------------------------- */

/* Like openat(2) with root as "/"; crosses no mount, O_CLOEXEC is added. */
static int open_in_root(const struct unpacker *unpacker, const char *path,
			int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_XDEV,
	};
	long fd;

	/* EAGAIN: somebody renames directories at this very moment. */
	do
		fd = syscall(SYS_openat2, unpacker->root, path, &how,
			     sizeof(how));
	while (fd < 0 && errno == EAGAIN);
	return (int)fd;
}

/* Opens what is there itself: no link, no mount. */
static int open_last(const struct unpacker *unpacker, const char *last,
		     int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV |
			   RESOLVE_BENEATH,
	};

	return (int)syscall(SYS_openat2, unpacker->parent, last, &how,
			    sizeof(how));
}

/* Where the last component of a name starts; "" if it ends with a slash. */
static const char *last_component(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* "", "." and "..": no names that anything could be made by. */
static bool names_a_directory(const char *last)
{
	return !*last || !strcmp(last, ".") || !strcmp(last, "..");
}

/* Opens the directory that the first length bytes of name say. */
static int open_parent(struct unpacker *unpacker, const char *name,
		       size_t length)
{
	struct stat st;
	int fd;

	if (unpacker->parent_valid &&
	    !strncmp(unpacker->parent_path, name, length) &&
	    !unpacker->parent_path[length])
		return 0;
	unpacker->parent_valid = false;
	if (unpacker->parent >= 0)
		close(unpacker->parent);
	memcpy(unpacker->parent_path, name, length);
	unpacker->parent_path[length] = '\0';
	fd = open_in_root(unpacker, length ? unpacker->parent_path : ".",
			  O_PATH | O_DIRECTORY);
	unpacker->parent = fd;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	unpacker->parent_setgid = st.st_mode & S_ISGID;
	unpacker->parent_valid = true;
	return 0;
}

/* --- Failing --------------------------------------------------------------- */

/* The kernel drops entries that it cannot place, without a word. */
static bool is_misplaced(int error)
{
	switch (error) {
	case ENOENT: /* no parent directory */
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
	case EXDEV:	/* on another file system */
	case EBUSY:	/* something is mounted there */
	case ENOTEMPTY: /* a directory is in the way */
	case EEXIST:
	case EISDIR:
	case ENXIO: /* a FIFO that was made meanwhile */
		return true;
	default:
		return false;
	}
}

static int drop(struct unpacker *unpacker)
{
	struct initramfs_counts *counts = &unpacker->counts;

	if (!counts->dropped++) {
		size_t size = strnlen(unpacker->name,
				      sizeof(counts->first_dropped) - 1);

		memcpy(counts->first_dropped, unpacker->name, size);
		counts->first_dropped[size] = '\0';
	}
	return 0;
}

/* The current entry could not be made: -error, or 0 if it is dropped. */
static int cannot_make(struct unpacker *unpacker, int error,
		       struct ne_error *err)
{
	if (is_misplaced(error))
		return drop(unpacker);
	if (error == ENOSPC || error == EDQUOT)
		return ne_error_set(
			err, ENOSPC,
			"cannot make %s: the enclave's file system is full",
			unpacker->name);
	return ne_error_set(err, error, "cannot make %s: %s", unpacker->name,
			    ne_strerror(error));
}

/* --- Owners and modes ------------------------------------------------------ */

/* Owners that are not mapped are the user namespace's business. */
static int note_owner(struct unpacker *unpacker, int result)
{
	if (!result)
		return 0;
	if (errno != EINVAL && errno != EPERM)
		return -errno;
	unpacker->counts.unmapped_owners++;
	return 0;
}

/* Does an entry that was just made have another owner than it should? */
static bool has_other_owner(const struct unpacker *unpacker,
			    const struct cpio_entry *entry)
{
	return unpacker->options->chown &&
	       (entry->uid != unpacker->uid || entry->gid != unpacker->gid ||
		unpacker->parent_setgid);
}

static int set_owner_and_mode(struct unpacker *unpacker, int fd,
			      const struct cpio_entry *entry)
{
	int r = 0;

	if (unpacker->options->chown)
		r = note_owner(unpacker, fchown(fd, entry->uid, entry->gid));
	if (r < 0)
		return r;
	return fchmod(fd, entry->mode & ALLPERMS) < 0 ? -errno : 0;
}

/* The owner of what is not opened: links and special files. */
static int set_owner(struct unpacker *unpacker, const char *last,
		     const struct cpio_entry *entry)
{
	if (!has_other_owner(unpacker, entry))
		return 0;
	return note_owner(unpacker, fchownat(unpacker->parent, last, entry->uid,
					     entry->gid, AT_SYMLINK_NOFOLLOW));
}

/* --- What is already there ------------------------------------------------- */

/*
 * Removes what is there by this name unless it is of type keep (0: nothing
 * is kept). 1 if it was kept, 0 if nothing is there (now).
 */
static int clear_place(struct unpacker *unpacker, const char *last, mode_t keep)
{
	struct stat st;

	if (fstatat(unpacker->parent, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (keep && (st.st_mode & S_IFMT) == keep)
		return 1;
	/* Names may mean something else from now on. */
	unpacker->parent_valid = false;
	if (unlinkat(unpacker->parent, last,
		     S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		return -errno;
	return 0;
}

/* --- Hard links ------------------------------------------------------------ */

static int compare_numbers(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_links(const void *a, const void *b)
{
	const struct link *x = a, *y = b;
	int order = compare_numbers(x->ino, y->ino);

	if (!order)
		order = compare_numbers(x->dev_minor, y->dev_minor);
	if (!order)
		order = compare_numbers(x->dev_major, y->dev_major);
	if (!order)
		order = compare_numbers(x->type, y->type);
	return order;
}

static void free_link(void *link)
{
	free(((struct link *)link)->name);
	free(link);
}

/*
 * The name of this file's first link: *first, or NULL if this is the first
 * one, which is remembered.
 */
static int find_link(struct unpacker *unpacker, const struct cpio_entry *entry,
		     const char **first)
{
	struct link key = {
		.dev_major = entry->dev_major,
		.dev_minor = entry->dev_minor,
		.ino = entry->ino,
		.type = entry->mode & S_IFMT,
	};
	struct link *link, **found;

	*first = NULL;
	found = tfind(&key, &unpacker->links, compare_links);
	if (found) {
		*first = (*found)->name;
		return 0;
	}
	link = malloc(sizeof(*link));
	if (!link)
		return -ENOMEM;
	*link = key;
	link->name = strdup(entry->name);
	if (!link->name || !tsearch(link, &unpacker->links, compare_links)) {
		free_link(link);
		return -ENOMEM;
	}
	return 0;
}

static void forget_links(struct unpacker *unpacker)
{
	tdestroy(unpacker->links, free_link);
	unpacker->links = NULL;
}

/* Makes last a hard link to what is called first. */
static int make_link(struct unpacker *unpacker, const char *first,
		     const char *last)
{
	const char *first_last = last_component(first);
	cleanup_close int parent = -1;
	cleanup_free char *path = NULL;

	path = strndup(first, (size_t)(first_last - first));
	if (!path)
		return -ENOMEM;
	parent = open_in_root(unpacker, *path ? path : ".",
			      O_PATH | O_DIRECTORY);
	if (parent < 0 ||
	    linkat(parent, first_last, unpacker->parent, last, 0) < 0)
		return -errno;
	return 0;
}

/*
 * Makes the entry a hard link to an earlier one. 1 if that is done, 0 if it
 * has to be made as a file of its own.
 */
static int try_link(struct unpacker *unpacker, const struct cpio_entry *entry,
		    const char *last)
{
	const char *first;
	int r;

	if (entry->nlink < 2)
		return 0;
	r = find_link(unpacker, entry, &first);
	if (r < 0 || !first || !strcmp(first, entry->name))
		return r;
	r = make_link(unpacker, first, last);
	if (r == -EEXIST) {
		r = clear_place(unpacker, last, 0);
		if (!r)
			r = make_link(unpacker, first, last);
	}
	return r < 0 ? r : 1;
}

/* --- The kinds of entries -------------------------------------------------- */

/* A new file, or the file that is there, emptied. */
static int open_file(struct unpacker *unpacker, const char *last, mode_t mode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(unpacker->parent, last, flags, mode);
	int kept;

	unpacker->file_is_new = fd >= 0;
	if (fd >= 0)
		return fd;
	if (errno != EEXIST)
		return -errno;
	kept = clear_place(unpacker, last, S_IFREG);
	if (kept < 0)
		return kept;
	if (kept) {
		fd = open_last(unpacker, last, O_WRONLY | O_TRUNC);
	} else {
		fd = openat(unpacker->parent, last, flags, mode);
		unpacker->file_is_new = true;
	}
	return fd < 0 ? -errno : fd;
}

static int make_file(struct unpacker *unpacker, const struct cpio_entry *entry,
		     const char *last)
{
	int linked = try_link(unpacker, entry, last);
	int fd;

	if (linked < 0 || (linked && !entry->size))
		return linked;
	fd = open_file(unpacker, last, entry->mode & ALLPERMS);
	if (fd < 0)
		return fd;
	unpacker->file = fd;
	unpacker->entry = *entry;
	return 0;
}

/* An existing directory keeps its content, not its owner and mode. */
static int adopt_directory(struct unpacker *unpacker, int fd,
			   const struct cpio_entry *entry)
{
	if (fd < 0 && errno == EXDEV)
		return 0; /* a mount's root is not ours to change */
	return fd < 0 ? -errno : set_owner_and_mode(unpacker, fd, entry);
}

static int make_directory(struct unpacker *unpacker,
			  const struct cpio_entry *entry, const char *last)
{
	cleanup_close int fd = -1;
	int r = 0;

	if (mkdirat(unpacker->parent, last, entry->mode & ALLPERMS) < 0) {
		if (errno != EEXIST)
			return -errno;
		r = clear_place(unpacker, last, S_IFDIR);
		if (!r &&
		    mkdirat(unpacker->parent, last, entry->mode & ALLPERMS) < 0)
			return -errno;
		if (r < 0)
			return r;
	}
	/* mkdir(2) drops the set-id bits, or inherits one. */
	if (!r && !has_other_owner(unpacker, entry) &&
	    !(entry->mode & (S_ISUID | S_ISGID)) && !unpacker->parent_setgid)
		return 0;
	fd = open_last(unpacker, last, O_RDONLY | O_DIRECTORY);
	return adopt_directory(unpacker, fd, entry);
}

static int make_symlink(struct unpacker *unpacker,
			const struct cpio_entry *entry, const char *last)
{
	int r;

	if (symlinkat(entry->target, unpacker->parent, last) < 0) {
		if (errno != EEXIST)
			return -errno;
		r = clear_place(unpacker, last, 0);
		if (r < 0)
			return r;
		if (symlinkat(entry->target, unpacker->parent, last) < 0)
			return -errno;
	}
	return set_owner(unpacker, last, entry);
}

static int make_placeholder(struct unpacker *unpacker,
			    const struct cpio_entry *entry, const char *last)
{
	cleanup_close int fd = -1;

	fd = openat(unpacker->parent, last,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    entry->mode & ACCESSPERMS);
	if (fd < 0)
		return -errno;
	unpacker->counts.placeholders++;
	return 0;
}

/*
 * A device's owner and mode are left alone: what stands there may be the
 * host's own node.
 */
static int make_device(struct unpacker *unpacker,
		       const struct cpio_entry *entry, const char *last)
{
	const struct initramfs_options *options = unpacker->options;
	int r = clear_place(unpacker, last, entry->mode & S_IFMT);

	if (r)
		return r;
	r = -ENOTSUP;
	if (options->device)
		r = options->device(unpacker->parent, last, entry->name,
				    entry->mode, entry->rdev_major,
				    entry->rdev_minor, options->data);
	if (r == -ENOTSUP)
		r = make_placeholder(unpacker, entry, last);
	return r;
}

/* FIFOs and sockets. */
static int make_node(struct unpacker *unpacker, const struct cpio_entry *entry,
		     const char *last)
{
	int r = clear_place(unpacker, last, entry->mode & S_IFMT);

	if (r < 0)
		return r;
	if (!r && mknodat(unpacker->parent, last,
			  entry->mode & (S_IFMT | ALLPERMS), 0) < 0)
		return -errno;
	return set_owner(unpacker, last, entry);
}

/* Names like "." and "a/..": what they say is there, or it is not. */
static int make_dots(struct unpacker *unpacker, const struct cpio_entry *entry)
{
	cleanup_close int fd = -1;

	if (!S_ISDIR(entry->mode))
		return -EISDIR;
	fd = open_in_root(unpacker, entry->name, O_RDONLY | O_DIRECTORY);
	return adopt_directory(unpacker, fd, entry);
}

static int make_entry(struct unpacker *unpacker, const struct cpio_entry *entry,
		      const char *name)
{
	const char *last = last_component(name);
	int r;

	if (names_a_directory(last))
		return make_dots(unpacker, entry);
	r = open_parent(unpacker, name, (size_t)(last - name));
	if (r < 0)
		return r;
	switch (entry->mode & S_IFMT) {
	case S_IFREG:
		return make_file(unpacker, entry, last);
	case S_IFDIR:
		return make_directory(unpacker, entry, last);
	case S_IFLNK:
		return make_symlink(unpacker, entry, last);
	case S_IFCHR:
	case S_IFBLK:
		return make_device(unpacker, entry, last);
	case S_IFIFO:
	case S_IFSOCK:
		return make_node(unpacker, entry, last);
	default:
		return -EEXIST; /* of no type: nothing can be made */
	}
}

/* --- The sink of the cpio reader ------------------------------------------- */

static int on_entry(const struct cpio_entry *entry, void *data,
		    struct ne_error *err)
{
	struct unpacker *unpacker = data;
	size_t length = strlen(entry->name);
	int r;

	memcpy(unpacker->name, entry->name, length + 1);
	/* "directory/" is "directory". */
	if (S_ISDIR(entry->mode))
		while (length > 1 && unpacker->name[length - 1] == '/')
			unpacker->name[--length] = '\0';
	/* What has content and is no file is dropped, as by the kernel. */
	if (entry->size && !S_ISREG(entry->mode))
		return drop(unpacker);
	r = make_entry(unpacker, entry, unpacker->name);
	if (r < 0)
		return cannot_make(unpacker, -r, err);
	unpacker->counts.entries++;
	return 0;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n =
			write(fd, bytes, size < WRITE_MAX ? size : WRITE_MAX);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static int on_content(const void *bytes, size_t size, void *data,
		      struct ne_error *err)
{
	struct unpacker *unpacker = data;
	uint64_t max = unpacker->options->max_bytes;
	int r;

	if (unpacker->file < 0)
		return 0;
	if (max && (unpacker->counts.bytes > max ||
		    size > max - unpacker->counts.bytes))
		return ne_error_set(
			err, E2BIG,
			"cannot write %s: the ramdisks' files have more than %" PRIu64
			" MiB; give the enclave more memory",
			unpacker->name, max >> 20);
	r = write_all(unpacker->file, bytes, size);
	if (r < 0)
		return cannot_make(unpacker, -r, err);
	unpacker->counts.bytes += size;
	return 0;
}

static int on_entry_end(void *data, struct ne_error *err)
{
	struct unpacker *unpacker = data;
	cleanup_close int fd = take_fd(&unpacker->file);
	const struct cpio_entry *entry = &unpacker->entry;
	int r;

	if (fd < 0)
		return 0;
	if (unpacker->file_is_new && !has_other_owner(unpacker, entry) &&
	    !(entry->mode & (S_ISUID | S_ISGID)))
		return 0;
	r = set_owner_and_mode(unpacker, fd, entry);
	return r < 0 ? cannot_make(unpacker, -r, err) : 0;
}

static void on_trailer(void *data)
{
	forget_links(data);
}

static const struct cpio_sink sink = {
	.entry = on_entry,
	.content = on_content,
	.entry_end = on_entry_end,
	.trailer = on_trailer,
};

/* --- Ramdisks -------------------------------------------------------------- */

static int feed_decompressed(const void *bytes, size_t size, void *data,
			     struct ne_error *err)
{
	struct cpio_reader *reader = data;
	ssize_t eaten = cpio_reader_feed(reader, bytes, size, err);

	if (eaten < 0)
		return (int)eaten;
	if ((size_t)eaten < size)
		return ne_error_set(err, EINVAL,
				    "no cpio archive at offset %" PRIu64,
				    reader->offset);
	return 0;
}

/* What may be taken for decompression: not more than the files may have. */
static size_t room_of(const struct unpacker *unpacker)
{
	const size_t most = (size_t)1 << 30;
	uint64_t max = unpacker->options->max_bytes;

	return max && max < most ? (size_t)max : most;
}

/* A compressed stream at the start of data; how many bytes it has. */
static ssize_t unpack_compressed(struct unpacker *unpacker,
				 struct cpio_reader *reader,
				 const uint8_t *data, size_t size,
				 uint64_t offset, struct ne_error *err)
{
	const struct compression *compression = compression_of(data, size);
	ssize_t used;

	if (!compression)
		return ne_error_set(
			err, EINVAL,
			"no cpio archive and no compression that is known at offset %" PRIu64,
			offset);
	cpio_reader_init(reader, &sink, unpacker, 0);
	used = decompress(compression, data, size, room_of(unpacker),
			  feed_decompressed, reader, err);
	if (used >= 0) {
		int r = cpio_reader_end(reader, err);

		if (r < 0)
			used = r;
	}
	if (used < 0)
		ne_error_prefix(err, "in the %s data at offset %" PRIu64,
				compression_name(compression), offset);
	return used;
}

static int unpack_all(struct unpacker *unpacker, const uint8_t *data,
		      size_t size, struct ne_error *err)
{
	cleanup_free struct cpio_reader *reader = malloc(sizeof(*reader));
	size_t offset = 0;
	int r;

	if (!reader)
		return ne_error_set(err, ENOMEM, "out of memory");
	while (offset < size) {
		ssize_t n;

		cpio_reader_init(reader, &sink, unpacker, offset);
		n = cpio_reader_feed(reader, data + offset, size - offset, err);
		if (n < 0)
			return (int)n;
		offset += (size_t)n;
		r = cpio_reader_end(reader, err);
		if (r < 0)
			return r;
		if (offset == size)
			break;
		n = unpack_compressed(unpacker, reader, data + offset,
				      size - offset, offset, err);
		if (n < 0)
			return (int)n;
		offset += (size_t)n;
	}
	return 0;
}

int initramfs_unpack(int root_fd, const void *data, size_t size,
		     const struct initramfs_options *options,
		     struct ne_error *err)
{
	static const struct initramfs_options defaults;
	cleanup_free struct unpacker *unpacker = calloc(1, sizeof(*unpacker));
	mode_t umask_before;
	int r;

	if (!unpacker)
		return ne_error_set(err, ENOMEM, "out of memory");
	unpacker->root = root_fd;
	unpacker->options = options ? options : &defaults;
	if (unpacker->options->counts)
		unpacker->counts = *unpacker->options->counts;
	unpacker->uid = geteuid();
	unpacker->gid = getegid();
	unpacker->parent = -1;
	unpacker->file = -1;

	umask_before = umask(0);
	r = unpack_all(unpacker, data, size, err);
	umask(umask_before);

	close_keeping_errno(unpacker->parent);
	close_keeping_errno(unpacker->file);
	forget_links(unpacker);
	if (unpacker->options->counts)
		*unpacker->options->counts = unpacker->counts;
	return r;
}
