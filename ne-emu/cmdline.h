/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel command line says to the first process: which program it is,
 * its arguments and its environment. Pure.
 *
 * As the kernel does [linux: Documentation/admin-guide/kernel-parameters.rst]:
 * rdinit= names the program, default /init. Words behind a lone "--" are its
 * arguments. Before that, a word without a dot that is no parameter of the
 * kernel would become an argument, and "name=value" an environment variable;
 * since no list of the kernel's parameters is kept here, only words behind
 * "--" are passed on. HOME=/ and TERM=linux are always set.
 */
#ifndef NE_EMU_CMDLINE_H
#define NE_EMU_CMDLINE_H

#include <stddef.h>

#define CMDLINE_MAX 2048    /* bytes, the limit of x86 and arm64 */
#define CMDLINE_ARGS_MAX 32 /* as many as the kernel passes */

struct cmdline {
	char text[CMDLINE_MAX + 1]; /* cut into words; the others point here */
	const char *init;
	char *argv[CMDLINE_ARGS_MAX + 2];
	char *envp[3];
};

/* text is size bytes and not terminated. 0, or -E2BIG. */
int cmdline_parse(struct cmdline *cmdline, const char *text, size_t size);

#endif
