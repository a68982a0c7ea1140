/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory that a ramdisk's entries are made in.
 *
 * Theory of operation
 *
 * Where an entry goes. Names are untrusted. The parent directory is opened
 * with openat2(2), which takes the root for "/" and crosses no mount; the last
 * component is made with calls that follow no symbolic link. So a name with
 * "..", an absolute one, or one through a symbolic link ends inside the
 * root, as it would in the kernel, where there is nothing else. The
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
#ifndef NE_EMU_INITRAMFS_TREE_H
#define NE_EMU_INITRAMFS_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "ne-emu/cpio.h"

struct initramfs_counts;
struct initramfs_options;

struct tree {
	int root;
	const struct initramfs_options *options;
	struct initramfs_counts *counts;
	uid_t uid; /* that new files get by themselves */
	gid_t gid;

	/* The parent directory of the last entry. */
	int parent;
	bool parent_valid;
	bool parent_setgid; /* gives its group to what is made in it */
	char parent_path[PATH_MAX];

	/* The regular file that is being written, or -1. */
	int file;
	bool file_is_new;
	struct cpio_entry file_entry; /* its strings are gone */

	void *links; /* tsearch(3) tree of struct link */
};

/* root stays the caller's. The umask must be 0. */
void tree_init(struct tree *tree, int root,
	       const struct initramfs_options *options,
	       struct initramfs_counts *counts);
void tree_release(struct tree *tree);

/*
 * Makes an entry. name is entry's, but a directory's ends with no slash.
 * When it is a regular file that may have content, tree->file is open for
 * writing until tree_end_file(). 0 or more, or a negative errno.
 */
int tree_make(struct tree *tree, const struct cpio_entry *entry,
	      const char *name);

/* Gives the file its owner and mode and closes it, if there is one. */
int tree_end_file(struct tree *tree);

/* Hard links to earlier entries are not made any more. */
void tree_forget_links(struct tree *tree);

#endif
