/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What processes of one host share: the runtime folder, and claims in it.
 *
 * Theory of operation
 *
 * A claim is a lock on a file in the runtime folder. The file's existence
 * means nothing and nobody ever removes it; the lock is the ownership. When
 * the holder dies, however it dies, the kernel drops the lock and the thing
 * is free again: there is nothing to clean up.
 *
 * The locks are open-file-description locks (fcntl(2), F_OFD_SETLK), which
 * live and die as those of flock(2) do, but can be asked about without being
 * taken: with flock(2) somebody who only looks could make another one's
 * claim fail.
 */
#ifndef PLUMBING_CLAIM_H
#define PLUMBING_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ne_error;

/*
 * Opens the runtime folder, making it (mode 0700) if need be:
 * $NE_RUNTIME_DIR, else $XDG_RUNTIME_DIR/ne, else /run/ne for root, else
 * /tmp/ne-<uid> (refused if it belongs to somebody else).
 * On success path holds its absolute name.
 * Returns a close-on-exec directory descriptor, or a negative errno.
 */
int runtime_open(char *path, size_t path_size, struct ne_error *err);

/*
 * Claims "<kind>/<number>" below the runtime folder for whoever holds the
 * returned close-on-exec descriptor (or a dup of it). Returns it, -EBUSY if
 * somebody else has the claim, or another negative errno.
 */
int claim_take(int runtime, const char *kind, uint64_t number);

/* Is it free at this moment? Others may take it right after. */
bool claim_is_free(int runtime, const char *kind, uint64_t number);

/* The same for a claim that is waited for; "<kind>/lock". */
int claim_wait(int runtime, const char *kind);

#endif
