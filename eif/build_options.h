/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "eif build" was asked for.
 */
#ifndef EIF_BUILD_OPTIONS_H
#define EIF_BUILD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <ne/eif.h>

#include "eif/ramdisk.h"

struct strings {
	const char **items; /* ours; the strings are argv's */
	size_t count;
};

struct build_options {
	const char *output;
	const char *kernel;
	const char *cmdline;
	const char *init;	 /* NULL: the default one, if one is needed */
	const char *rootfs;	 /* a directory, or NULL */
	struct strings ramdisks; /* files, as they are */
	struct strings modules;	 /* files, in the order of loading */
	struct strings command;	 /* the application and its arguments */
	struct strings environment; /* NAME=VALUE */
	enum ne_eif_arch arch;
	enum compression compression;
	bool all_root;
	bool keep_times;
	const char *name;
	const char *version;
	const char *metadata; /* a JSON file, or NULL */
};

/*
 * Returns -1 when there is something to build, else the exit status: --help
 * has been answered, or what is wrong has been said.
 */
int parse_build_options(struct build_options *options, int argc, char **argv);

void free_build_options(struct build_options *options);

#endif
