/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vsock addresses that an enclave and its parent agree on.
 *
 * Numbers only, so that a program inside an enclave can include this without
 * linking anything. AF_VSOCK itself is vsock(7) and <linux/vm_sockets.h>.
 *
 * Sources: the Nitro Enclaves user guide (the parent's CID), and what AWS's
 * init (aws-nitro-enclaves-sdk-bootstrap, init/init.c) and nitro-cli
 * (aws-nitro-enclaves-cli, src/common and src/enclave_proc) do.
 */
#ifndef NE_VSOCK_H
#define NE_VSOCK_H

/** The hypervisor, as the parent addresses it: the consoles are there. */
#define NE_VSOCK_CID_HYPERVISOR 0

/** The parent instance, as its enclaves address it. */
#define NE_VSOCK_CID_PARENT 3

/** Where the parent listens for the heartbeat of a booted enclave. */
#define NE_VSOCK_PORT_HEARTBEAT 9000

/** An enclave's console: port NE_VSOCK_PORT_CONSOLE + its CID, on CID 0. */
#define NE_VSOCK_PORT_CONSOLE 10000

#endif
