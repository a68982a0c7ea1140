/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the host's user and group ids the enclave's ids are.
 *
 * Root gives the enclave a range of 65536 ids that nobody on the host has:
 * with the host's own ids, the enclave's root would own what the host's root
 * owns, /proc/sys among it. A user can give only what is his: his own id as
 * the enclave's root, and, if newuidmap(1) and /etc/subuid let him, his
 * subordinate ids for the others.
 */
#ifndef NE_EMU_IDMAP_H
#define NE_EMU_IDMAP_H

#include <sys/types.h>

struct ne_error;

/* Who the enclave's root is, in our namespace. */
struct idmap_root {
	uid_t uid;
	gid_t gid;
};

/* Writes the maps of a process in a fresh user namespace. */
int idmap_write(pid_t pid, struct idmap_root *root, struct ne_error *err);

#endif
