/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An emulator's main: a table of commands, one of which the first argument
 * names.
 */
#ifndef PLUMBING_PROGRAM_H
#define PLUMBING_PROGRAM_H

#include <stddef.h>

/* The emulator's own failures, as with docker-run(1). */
#define EXIT_EMULATOR 125

/* run: as main(), with the program's name in argv[0]; an exit status. */
struct program_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *description;
};

/* about: what it is, some lines, for --help. */
struct program {
	const char *name;
	const char *about;
	const struct program_command *commands;
	size_t n_commands;
};

/* An exit status; takes --help and --version itself. */
int program_main(const struct program *program, int argc, char **argv);

#endif
