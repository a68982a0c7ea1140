/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new process does to become PID 1 of an enclave: the sequence from
 * fresh namespaces to the exec of the image's own init. See sandbox.c.
 */
#ifndef NE_EMU_SANDBOX_H
#define NE_EMU_SANDBOX_H

#include <stdint.h>

struct ne_eif;
struct trap;

/*
 * What it needs to know; everything is inherited from the parent process.
 *
 * supervisor: an end of a SOCK_SEQPACKET pair, close-on-exec, to which it
 *	sends struct sandbox_message.
 */
struct sandbox_spec {
	const struct ne_eif *image;
	uint64_t memory; /* bytes: the size of the root file system */
	unsigned int cpus;
	uint32_t cid;		   /* spreads enclaves over the host's CPUs */
	const char *terminal_path; /* of the console */
	const char *nsm_path;	   /* what stands for /dev/nsm */
	const char *vsock_path;	   /* what stands for /dev/vsock */
	int terminal;
	const struct trap *trap;
	int supervisor;
};

/*
 * SANDBOX_RUNNING: on its way into exec; comes with three descriptors: the
 * trap's listener, the folder (O_PATH) that stands for devtmpfs, and its own
 * pidfd.
 * SANDBOX_NOTE: text is something the user should know.
 * SANDBOX_FAILED: text says why there will be no enclave; it exits.
 */
enum sandbox_message_type {
	SANDBOX_RUNNING,
	SANDBOX_NOTE,
	SANDBOX_FAILED,
};

#define SANDBOX_RUNNING_FDS 3

struct sandbox_message {
	enum sandbox_message_type type;
	char text[512];
};

_Noreturn void sandbox_run(const struct sandbox_spec *spec);

#endif
