/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUMBING_DESCRIPTORS_H
#define PLUMBING_DESCRIPTORS_H

/*
 * In a process that was just forked: closes all descriptors from 3 on but
 * these two (which may be the same). What else the parent has open is
 * nothing to hold on to: a lock, or an end of a pipe whose closing somebody
 * waits for. Async-signal-safe.
 */
void close_all_but(int a, int b);

#endif
