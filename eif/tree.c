// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * Two passes. The first lists the tree, sorted, and finds out which entries
 * are the same file: in the archive the last of these has the content, and
 * each says how many there are in the archive, which need not be how many
 * there are on disk. The second writes the entries as they were listed.
 * So memory grows with the number of files, not with their content.
 */
#include "eif/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <string.h>

#include "libne/cleanup.h"

struct node {
	char *path;	      /* on this machine */
	size_t prefix_length; /* of path, up to the tree */
	struct stat status;
	struct node *first_link; /* of this file; itself if it is alone */
	unsigned int links;	 /* in the tree; counted in the first link */
	bool last_link;
	uint32_t inode; /* in the ramdisk, once the first link is written */
};

struct tree {
	struct node *nodes;
	size_t count;
	size_t capacity;
};

static void cleanup_treep(struct tree *tree)
{
	size_t i;

	for (i = 0; i < tree->count; i++)
		free(tree->nodes[i].path);
	free(tree->nodes);
}

static void cleanup_ftsp(FTS **fts)
{
	if (*fts)
		fts_close(*fts);
}

#define cleanup_tree __attribute__((cleanup(cleanup_treep)))
#define cleanup_fts __attribute__((cleanup(cleanup_ftsp)))

static int add_node(struct tree *tree, const FTSENT *found,
		    size_t prefix_length, struct ne_error *err)
{
	struct node node = {
		.path = strdup(found->fts_path),
		.prefix_length = prefix_length,
		.status = *found->fts_statp,
	};

	if (node.path && tree->count == tree->capacity) {
		size_t capacity = tree->capacity ? 2 * tree->capacity : 1024;
		struct node *nodes =
			reallocarray(tree->nodes, capacity, sizeof(*nodes));

		if (nodes) {
			tree->nodes = nodes;
			tree->capacity = capacity;
		}
	}
	if (!node.path || tree->count == tree->capacity) {
		free(node.path);
		return ne_error_set(err, ENOMEM, "out of memory");
	}
	tree->nodes[tree->count++] = node;
	return 0;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int add_found(struct tree *tree, const FTSENT *found,
		     size_t prefix_length, const struct stat *output,
		     struct ne_error *err)
{
	switch (found->fts_info) {
	case FTS_DP:
		return 0;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return ne_error_set(err, found->fts_errno,
				    "%s: cannot read it: %s", found->fts_path,
				    ne_strerror(found->fts_errno));
	default:
		break;
	}
	if (S_ISSOCK(found->fts_statp->st_mode))
		return 0;
	if (is_same_file(found->fts_statp, output))
		return ne_error_set(err, EINVAL,
				    "the image would contain itself; write it "
				    "outside the root file system");
	return add_node(tree, found, prefix_length, err);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int list_tree(struct tree *tree, const struct tree_options *options,
		     struct ne_error *err)
{
	char *roots[] = { (char *)options->directory, NULL };
	cleanup_fts FTS *fts = fts_open(
		roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	FTSENT *found;
	int ret;

	if (!fts)
		return ne_error_set(err, errno, "%s: %s", options->directory,
				    ne_strerror(errno));
	for (;;) {
		errno = 0;
		found = fts_read(fts);
		if (!found)
			break;
		ret = add_found(tree, found, strlen(options->directory),
				options->output, err);
		if (ret)
			return ret;
	}
	if (errno)
		return ne_error_set(err, errno, "%s: %s", options->directory,
				    ne_strerror(errno));
	if (!S_ISDIR(tree->nodes[0].status.st_mode))
		return ne_error_set(err, ENOTDIR, "%s: it is no directory",
				    options->directory);
	return 0;
}

static int by_file(const void *a, const void *b)
{
	const struct node *const *left = a, *const *right = b;
	const struct stat *x = &(*left)->status, *y = &(*right)->status;

	if (x->st_dev != y->st_dev)
		return x->st_dev < y->st_dev ? -1 : 1;
	if (x->st_ino != y->st_ino)
		return x->st_ino < y->st_ino ? -1 : 1;
	return *left < *right ? -1 : *left > *right;
}

/* @sorted: a pointer to each node, those of one file side by side. */
static void link_nodes(struct node **sorted, size_t count)
{
	struct node *first = NULL;
	size_t i;

	for (i = 0; i < count; i++) {
		struct node *node = sorted[i];

		if (!first || S_ISDIR(node->status.st_mode) ||
		    !is_same_file(&first->status, &node->status))
			first = node;
		else
			sorted[i - 1]->last_link = false;
		node->first_link = first;
		node->last_link = true;
		first->links++;
	}
}

static int find_links(struct tree *tree, struct ne_error *err)
{
	cleanup_free struct node **sorted =
		calloc(tree->count, sizeof(struct node *));
	size_t i;

	if (!sorted)
		return ne_error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < tree->count; i++)
		sorted[i] = &tree->nodes[i];
	qsort(sorted, tree->count, sizeof(*sorted), by_file);
	link_nodes(sorted, tree->count);
	return 0;
}

static uint32_t node_inode(struct ramdisk *ramdisk, struct node *node)
{
	struct node *first = node->first_link;

	if (!first->inode)
		first->inode = ramdisk_new_inode(ramdisk);
	return first->inode;
}

/* The path in the ramdisk, for free(3). */
static char *ramdisk_path(const struct node *node, const char *prefix)
{
	const char *rest = node->path + node->prefix_length;
	char *path;

	while (*rest == '/')
		rest++;
	if (asprintf(&path, *rest ? "%s/%s" : "%s%s", prefix, rest) < 0)
		return NULL;
	return path;
}

/* Times of a ramdisk have 32 bits. */
static time_t ramdisk_time(time_t time)
{
	if (time < 0)
		return 0;
	return time > UINT32_MAX ? UINT32_MAX : time;
}

static int read_target(const struct node *node, char target[PATH_MAX],
		       struct ne_error *err)
{
	ssize_t length = readlink(node->path, target, PATH_MAX);

	if (length < 0)
		return ne_error_set(err, errno, "cannot read the link: %s",
				    ne_strerror(errno));
	if (length == PATH_MAX)
		return ne_error_set(err, ENAMETOOLONG, "the link is too long");
	target[length] = 0;
	return 0;
}

static int write_file(struct ramdisk *ramdisk, const struct node *node,
		      struct ramdisk_entry *entry, struct ne_error *err)
{
	cleanup_close int fd = open(
		node->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return ne_error_set(err, errno, "cannot open it: %s",
				    ne_strerror(errno));
	entry->size = (uint64_t)node->status.st_size;
	return ramdisk_add(ramdisk, entry, fd, err);
}

static int write_link(struct ramdisk *ramdisk, const struct node *node,
		      struct ramdisk_entry *entry, struct ne_error *err)
{
	char target[PATH_MAX];
	int ret = read_target(node, target, err);

	if (ret)
		return ret;
	entry->target = target;
	return ramdisk_add(ramdisk, entry, -1, err);
}

static int write_node(struct ramdisk *ramdisk, struct node *node,
		      const struct tree_options *options, struct ne_error *err)
{
	const struct stat *status = &node->status;
	cleanup_free char *path = ramdisk_path(node, options->prefix);
	struct ramdisk_entry entry = {
		.path = path,
		.mode = status->st_mode,
		.uid = options->all_root ? 0 : status->st_uid,
		.gid = options->all_root ? 0 : status->st_gid,
		.mtime = options->keep_times ? ramdisk_time(status->st_mtime)
					     : 0,
		.inode = node_inode(ramdisk, node),
		.links = node->first_link->links,
	};

	if (!path)
		return ne_error_set(err, ENOMEM, "out of memory");
	if (S_ISREG(status->st_mode) && node->last_link)
		return write_file(ramdisk, node, &entry, err);
	if (S_ISLNK(status->st_mode))
		return write_link(ramdisk, node, &entry, err);
	if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode))
		entry.device = status->st_rdev;
	return ramdisk_add(ramdisk, &entry, -1, err);
}

int add_tree(struct ramdisk *ramdisk, const struct tree_options *options,
	     struct ne_error *err)
{
	cleanup_tree struct tree tree = { 0 };
	size_t i;
	int ret;

	ret = list_tree(&tree, options, err);
	if (!ret)
		ret = find_links(&tree, err);
	for (i = 0; !ret && i < tree.count; i++) {
		ret = write_node(ramdisk, &tree.nodes[i], options, err);
		if (ret)
			ne_error_prefix(err, "%s", tree.nodes[i].path);
	}
	return ret;
}
