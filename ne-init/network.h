/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loopback interface, the only one that an enclave has.
 */
#ifndef NE_INIT_NETWORK_H
#define NE_INIT_NETWORK_H

/* Brings lo up with 127.0.0.1/8 and ::1/128; says what it could not do. */
void network_bring_up(void);

#endif
