/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ne-attest tool: one file per subcommand, named after it.
 */
#ifndef NE_ATTEST_COMMANDS_H
#define NE_ATTEST_COMMANDS_H

#include <ne/error.h>

/* Exit statuses beside EXIT_SUCCESS: a script's `if` must know a refusal. */
#define EXIT_REFUSED 1
#define EXIT_TROUBLE 2 /* usage, files, memory: nothing was decided */

/*
 * Subcommands: argv[0] is "ne-attest" and the subcommand's name; the result is
 * the exit status. They have said on stderr what failed.
 */
int command_verify(int argc, char **argv);
int command_show(int argc, char **argv);
int command_expect(int argc, char **argv);
int command_request(int argc, char **argv);
int command_describe(int argc, char **argv);

/* "ne-attest: <what failed>" on stderr. Returns EXIT_TROUBLE. */
int report_failure(const struct ne_error *err);

/*
 * "ne-attest <command>: <what is wrong>" and where to read on. Returns
 * EXIT_TROUBLE.
 */
int report_usage(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Text of strangers, such as a file's name, as a terminal may have it. */
struct printable {
	char text[NE_ERROR_TEXT_SIZE];
};

struct printable printable(const char *text);

#endif
