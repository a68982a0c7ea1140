/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few syscalls of an enclave that only a kernel of its own would allow,
 * answered so that images made for a real enclave boot unchanged:
 *
 * - mount of devtmpfs: the folder that plays it is mounted there;
 * - mount of cgroup (version 1): succeeds and does nothing;
 * - init_module, finit_module, delete_module: succeed and do nothing, since
 *   what the modules would bring (NSM, vsock) is there;
 * - fsopen: ENOSYS, so that programs fall back to mount, which is one call.
 *
 * reboot needs no help: in a PID namespace of its own it ends PID 1.
 */
#ifndef NE_EMU_KERNEL_SYSCALLS_H
#define NE_EMU_KERNEL_SYSCALLS_H

#include "plumbing/trap.h"

/*
 * What the handler needs, kept by its owner. pidfd: the enclave's PID 1;
 * dev: the folder that plays devtmpfs (O_PATH), in the enclave's mount
 * namespace. Both may be set after the trap was made, before it is attached.
 */
struct kernel_syscalls {
	int pidfd;
	int dev;
};

struct trap_handler kernel_syscalls_handler(struct kernel_syscalls *kernel);

#endif
