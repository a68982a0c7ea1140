/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eif tool: one file per subcommand, named after it.
 */
#ifndef EIF_EIF_H
#define EIF_EIF_H

#include <ne/error.h>

/* Exit statuses beside EXIT_SUCCESS. */
#define EXIT_FAILED 1
#define EXIT_USAGE 2

/*
 * Subcommands: argv[0] is the subcommand's name; the result is the exit
 * status. They have said on stderr what failed.
 */
int build_command(int argc, char **argv);
int describe_command(int argc, char **argv);

/* "eif: <what failed>" on stderr. Returns EXIT_FAILED. */
int report_failure(const struct ne_error *err);

/* "eif <command>: <what is wrong>" and where to read on. Returns EXIT_USAGE. */
int report_usage(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
