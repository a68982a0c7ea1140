// SPDX-License-Identifier: Apache-2.0

#include "ne-emu/initramfs_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "libne/cleanup.h"
#include "ne-emu/initramfs.h"

struct link {
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t ino;
	uint32_t type;
	char *name;
};

/* --- Names ----------------------------------------------------------------- */

/* Like openat(2) with root as "/"; crosses no mount, O_CLOEXEC is added. */
static int open_in_root(const struct tree *tree, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_XDEV,
	};
	long fd;

	/* EAGAIN: somebody renames directories at this very moment. */
	do
		fd = syscall(SYS_openat2, tree->root, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN);
	return (int)fd;
}

/* Opens what is there itself: no link, no mount. */
static int open_last(const struct tree *tree, const char *last, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV |
			   RESOLVE_BENEATH,
	};

	return (int)syscall(SYS_openat2, tree->parent, last, &how, sizeof(how));
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
static int open_parent(struct tree *tree, const char *name, size_t length)
{
	struct stat st;
	int fd;

	if (tree->parent_valid && !strncmp(tree->parent_path, name, length) &&
	    !tree->parent_path[length])
		return 0;
	tree->parent_valid = false;
	if (tree->parent >= 0)
		close(tree->parent);
	memcpy(tree->parent_path, name, length);
	tree->parent_path[length] = '\0';
	fd = open_in_root(tree, length ? tree->parent_path : ".",
			  O_PATH | O_DIRECTORY);
	tree->parent = fd;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	tree->parent_setgid = st.st_mode & S_ISGID;
	tree->parent_valid = true;
	return 0;
}

/* --- Owners and modes ------------------------------------------------------ */

/* Owners that are not mapped are the user namespace's business. */
static int note_owner(struct tree *tree, int result)
{
	if (!result)
		return 0;
	if (errno != EINVAL && errno != EPERM)
		return -errno;
	tree->counts->unmapped_owners++;
	return 0;
}

/* Does an entry that was just made have another owner than it should? */
static bool has_other_owner(const struct tree *tree,
			    const struct cpio_entry *entry)
{
	return tree->options->chown &&
	       (entry->uid != tree->uid || entry->gid != tree->gid ||
		tree->parent_setgid);
}

static int set_owner_and_mode(struct tree *tree, int fd,
			      const struct cpio_entry *entry)
{
	int r = 0;

	if (tree->options->chown)
		r = note_owner(tree, fchown(fd, entry->uid, entry->gid));
	if (r < 0)
		return r;
	return fchmod(fd, entry->mode & ALLPERMS) < 0 ? -errno : 0;
}

/* The owner of what is not opened: links and special files. */
static int set_owner(struct tree *tree, const char *last,
		     const struct cpio_entry *entry)
{
	if (!has_other_owner(tree, entry))
		return 0;
	return note_owner(tree, fchownat(tree->parent, last, entry->uid,
					 entry->gid, AT_SYMLINK_NOFOLLOW));
}

/* --- What is already there ------------------------------------------------- */

/*
 * Removes what is there by this name unless it is of type keep (0: nothing
 * is kept). 1 if it was kept, 0 if nothing is there (now).
 */
static int clear_place(struct tree *tree, const char *last, mode_t keep)
{
	struct stat st;

	if (fstatat(tree->parent, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (keep && (st.st_mode & S_IFMT) == keep)
		return 1;
	/* Names may mean something else from now on. */
	tree->parent_valid = false;
	if (unlinkat(tree->parent, last,
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
static int find_link(struct tree *tree, const struct cpio_entry *entry,
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
	found = tfind(&key, &tree->links, compare_links);
	if (found) {
		*first = (*found)->name;
		return 0;
	}
	link = malloc(sizeof(*link));
	if (!link)
		return -ENOMEM;
	*link = key;
	link->name = strdup(entry->name);
	if (!link->name || !tsearch(link, &tree->links, compare_links)) {
		free_link(link);
		return -ENOMEM;
	}
	return 0;
}

void tree_forget_links(struct tree *tree)
{
	tdestroy(tree->links, free_link);
	tree->links = NULL;
}

/* Makes last a hard link to what is called first. */
static int make_link(struct tree *tree, const char *first, const char *last)
{
	const char *first_last = last_component(first);
	cleanup_close int parent = -1;
	cleanup_free char *path = NULL;

	path = strndup(first, (size_t)(first_last - first));
	if (!path)
		return -ENOMEM;
	parent = open_in_root(tree, *path ? path : ".", O_PATH | O_DIRECTORY);
	if (parent < 0 || linkat(parent, first_last, tree->parent, last, 0) < 0)
		return -errno;
	return 0;
}

/*
 * Makes the entry a hard link to an earlier one. 1 if that is done, 0 if it
 * has to be made as a file of its own.
 */
static int try_link(struct tree *tree, const struct cpio_entry *entry,
		    const char *last)
{
	const char *first;
	int r;

	if (entry->nlink < 2)
		return 0;
	r = find_link(tree, entry, &first);
	if (r < 0 || !first || !strcmp(first, entry->name))
		return r;
	r = make_link(tree, first, last);
	if (r == -EEXIST) {
		r = clear_place(tree, last, 0);
		if (!r)
			r = make_link(tree, first, last);
	}
	return r < 0 ? r : 1;
}

/* --- The kinds of entries -------------------------------------------------- */

/* A new file, or the file that is there, emptied. */
static int open_file(struct tree *tree, const char *last, mode_t mode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(tree->parent, last, flags, mode);
	int kept;

	tree->file_is_new = fd >= 0;
	if (fd >= 0)
		return fd;
	if (errno != EEXIST)
		return -errno;
	kept = clear_place(tree, last, S_IFREG);
	if (kept < 0)
		return kept;
	if (kept) {
		fd = open_last(tree, last, O_WRONLY | O_TRUNC);
	} else {
		fd = openat(tree->parent, last, flags, mode);
		tree->file_is_new = true;
	}
	return fd < 0 ? -errno : fd;
}

static int make_file(struct tree *tree, const struct cpio_entry *entry,
		     const char *last)
{
	int linked = try_link(tree, entry, last);
	int fd;

	if (linked < 0 || (linked && !entry->size))
		return linked;
	fd = open_file(tree, last, entry->mode & ALLPERMS);
	if (fd < 0)
		return fd;
	tree->file = fd;
	tree->file_entry = *entry;
	return 0;
}

/* An existing directory keeps its content, not its owner and mode. */
static int adopt_directory(struct tree *tree, int fd,
			   const struct cpio_entry *entry)
{
	if (fd < 0 && errno == EXDEV)
		return 0; /* a mount's root is not ours to change */
	return fd < 0 ? -errno : set_owner_and_mode(tree, fd, entry);
}

static int make_directory(struct tree *tree, const struct cpio_entry *entry,
			  const char *last)
{
	cleanup_close int fd = -1;
	int r = 0;

	if (mkdirat(tree->parent, last, entry->mode & ALLPERMS) < 0) {
		if (errno != EEXIST)
			return -errno;
		r = clear_place(tree, last, S_IFDIR);
		if (!r &&
		    mkdirat(tree->parent, last, entry->mode & ALLPERMS) < 0)
			return -errno;
		if (r < 0)
			return r;
	}
	/* mkdir(2) drops the set-id bits, or inherits one. */
	if (!r && !has_other_owner(tree, entry) &&
	    !(entry->mode & (S_ISUID | S_ISGID)) && !tree->parent_setgid)
		return 0;
	fd = open_last(tree, last, O_RDONLY | O_DIRECTORY);
	return adopt_directory(tree, fd, entry);
}

static int make_symlink(struct tree *tree, const struct cpio_entry *entry,
			const char *last)
{
	int r;

	if (symlinkat(entry->target, tree->parent, last) < 0) {
		if (errno != EEXIST)
			return -errno;
		r = clear_place(tree, last, 0);
		if (r < 0)
			return r;
		if (symlinkat(entry->target, tree->parent, last) < 0)
			return -errno;
	}
	return set_owner(tree, last, entry);
}

static int make_placeholder(struct tree *tree, const struct cpio_entry *entry,
			    const char *last)
{
	cleanup_close int fd = -1;

	fd = openat(tree->parent, last,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    entry->mode & ACCESSPERMS);
	if (fd < 0)
		return -errno;
	tree->counts->placeholders++;
	return 0;
}

/*
 * A device's owner and mode are left alone: what stands there may be the
 * host's own node.
 */
static int make_device(struct tree *tree, const struct cpio_entry *entry,
		       const char *last)
{
	const struct initramfs_options *options = tree->options;
	int r = clear_place(tree, last, entry->mode & S_IFMT);

	if (r)
		return r;
	r = -ENOTSUP;
	if (options->device)
		r = options->device(tree->parent, last, entry->name,
				    entry->mode, entry->rdev_major,
				    entry->rdev_minor, options->data);
	if (r == -ENOTSUP)
		r = make_placeholder(tree, entry, last);
	return r;
}

/* FIFOs and sockets. */
static int make_node(struct tree *tree, const struct cpio_entry *entry,
		     const char *last)
{
	int r = clear_place(tree, last, entry->mode & S_IFMT);

	if (r < 0)
		return r;
	if (!r && mknodat(tree->parent, last, entry->mode & (S_IFMT | ALLPERMS),
			  0) < 0)
		return -errno;
	return set_owner(tree, last, entry);
}

/* Names like "." and "a/..": what they say is there, or it is not. */
static int make_dots(struct tree *tree, const struct cpio_entry *entry)
{
	cleanup_close int fd = -1;

	if (!S_ISDIR(entry->mode))
		return -EISDIR;
	fd = open_in_root(tree, entry->name, O_RDONLY | O_DIRECTORY);
	return adopt_directory(tree, fd, entry);
}

int tree_make(struct tree *tree, const struct cpio_entry *entry,
	      const char *name)
{
	const char *last = last_component(name);
	int r;

	if (names_a_directory(last))
		return make_dots(tree, entry);
	r = open_parent(tree, name, (size_t)(last - name));
	if (r < 0)
		return r;
	switch (entry->mode & S_IFMT) {
	case S_IFREG:
		return make_file(tree, entry, last);
	case S_IFDIR:
		return make_directory(tree, entry, last);
	case S_IFLNK:
		return make_symlink(tree, entry, last);
	case S_IFCHR:
	case S_IFBLK:
		return make_device(tree, entry, last);
	case S_IFIFO:
	case S_IFSOCK:
		return make_node(tree, entry, last);
	default:
		return -EEXIST; /* of no type: nothing can be made */
	}
}

/* --- From outside ---------------------------------------------------------- */

int tree_end_file(struct tree *tree)
{
	cleanup_close int fd = take_fd(&tree->file);
	const struct cpio_entry *entry = &tree->file_entry;

	if (fd < 0)
		return 0;
	if (tree->file_is_new && !has_other_owner(tree, entry) &&
	    !(entry->mode & (S_ISUID | S_ISGID)))
		return 0;
	return set_owner_and_mode(tree, fd, entry);
}

void tree_init(struct tree *tree, int root,
	       const struct initramfs_options *options,
	       struct initramfs_counts *counts)
{
	*tree = (struct tree){
		.root = root,
		.options = options,
		.counts = counts,
		.uid = geteuid(),
		.gid = getegid(),
		.parent = -1,
		.file = -1,
	};
}

void tree_release(struct tree *tree)
{
	close_keeping_errno(tree->parent);
	close_keeping_errno(tree->file);
	tree_forget_links(tree);
}
