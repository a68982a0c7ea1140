/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holding an enclave to its memory, by a cgroup v2 of its own where the one
 * that we are in, or its parent, lets us make one (systemd: delegation).
 */
#ifndef NE_EMU_CGROUP_H
#define NE_EMU_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup;

/*
 * Puts pid into a new group limited to so many bytes, "ne-<our pid>-<name>".
 * NULL if that is not possible here; *why then says so in a few words.
 * Removes groups that dead processes have left in the same place: a group
 * is a folder, and nothing frees it when its maker is killed.
 */
struct cgroup *cgroup_new(const char *name, uint64_t memory, pid_t pid,
			  const char **why);
/* Has the kernel killed something in it for want of memory? */
bool cgroup_ran_out(const struct cgroup *cgroup);
/* Removes it; its processes must be gone. NULL is fine. */
void cgroup_free(struct cgroup *cgroup);

#endif
