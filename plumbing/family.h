/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command under an emulator and everything it starts: nobody is left when
 * one of us dies.
 *
 * Theory of operation
 *
 *	supervisor	serves the trap
 *	   keeper	reaps, passes signals on
 *	      command	and its children, traced
 *
 * The keeper is the subreaper of the command's family: orphans become its
 * children and so stay below the supervisor (which Yama's ptrace_scope=1
 * demands of those whose descriptors it takes). When the command ends, the
 * keeper kills who is left and ends with the command's status. When the
 * supervisor dies, the kernel sends the keeper a signal and it does the same.
 * When the keeper dies, the command is killed by the kernel, orphans go to
 * the supervisor, and that kills them.
 */
#ifndef PLUMBING_FAMILY_H
#define PLUMBING_FAMILY_H

#include <sys/types.h>

struct ne_error;
struct trap;

struct family {
	pid_t keeper;
	int pidfd;    /* of the keeper: readable when it has ended */
	int listener; /* the trap's; the caller's to attach, set to -1 then */
};

/*
 * Starts argv under the trap. The calling process becomes a subreaper.
 * Signals that are blocked now are not for the command.
 * program: whose family this is, for the keeper's name: "ne-emu".
 */
int family_start(struct family *family, const struct trap *trap,
		 const char *program, char *const argv[], struct ne_error *err);

/*
 * After pidfd became readable: the exit status for a shell: the command's
 * own, 128 + n if signal n killed it, 126 or 127 if it could not be executed
 * or found.
 */
int family_status(struct family *family);

/*
 * Ends all that is left below this process, and reaps it: not the children
 * that it had when family_start() was called, nor theirs. A shell may have
 * started some before it became us by exec.
 */
void family_kill_descendants(void);

#endif
