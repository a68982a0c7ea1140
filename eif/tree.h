/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of this machine, put into a ramdisk.
 */
#ifndef EIF_TREE_H
#define EIF_TREE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "eif/ramdisk.h"

/*
 * directory: what is put there, itself included.
 * prefix: where to, without slashes at the ends.
 * output: a file that must not be in the directory: the image being made.
 */
struct tree_options {
	const char *directory;
	const char *prefix;
	const struct stat *output;
	bool all_root;
	bool keep_times;
};

/*
 * Adds the directory and all below it, sorted by name, byte for byte the same
 * whatever the order on disk. Sockets are left out: they mean nothing without
 * their process. So are extended attributes, which the format does not know.
 */
int add_tree(struct ramdisk *ramdisk, const struct tree_options *options,
	     struct ne_error *err);

#endif
