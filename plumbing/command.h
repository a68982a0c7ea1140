/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a command in an emulated world: under a trap whose handlers the
 * emulator makes, until it ends.
 *
 * What is made beside it, in the runtime folder above all, is for its owner
 * alone: the umask is 077 but for the command, which has the user's. Signals
 * that this process gets are passed on to the command. Nobody of its family
 * is left at the end (family.h).
 */
#ifndef PLUMBING_COMMAND_H
#define PLUMBING_COMMAND_H

#include <stddef.h>

struct loop;
struct ne_error;
struct trap_handler;

/* Handlers that a world may have. */
#define COMMAND_HANDLERS 4

/*
 * What stands around a command.
 * program: the emulator's name
 * notice: said on stderr once the world stands; NULL: nothing
 * build: makes it, and says who answers the trap (at most COMMAND_HANDLERS);
 *	0 or a negative errno
 * end: answers every call that it holds, and leaves the loop. Called once,
 *	after build, even a failed one.
 */
struct command_world {
	const char *program;
	const char *notice;
	int (*build)(void *data, struct loop *loop,
		     struct trap_handler *handlers, size_t *n_handlers,
		     struct ne_error *err);
	void (*end)(void *data);
	void *data;
};

/*
 * The command's exit status as a shell has it; EXIT_EMULATOR (program.h) if
 * it could not be emulated, which has been said then.
 */
int command_run_in(const struct command_world *world, char *const argv[]);

#endif
