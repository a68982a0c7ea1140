/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file systems that a program expects to find, and the console.
 *
 * Whatever is mounted already, or may not be mounted here, is no reason to
 * give up: it is said (unless it is common) and init goes on.
 */
#ifndef NE_INIT_MOUNTS_H
#define NE_INIT_MOUNTS_H

#include <stdbool.h>

/* /dev, and standard input, output and error on the console if there is one. */
void mounts_early(void);

/*
 * In an image that nitro-cli's way of building made, what the application
 * sees is in /rootfs: makes that the root, with a /dev of its own.
 */
void mounts_enter_rootfs(void);

/* Everything else: /proc, /sys, /run, /tmp, and what belongs in /dev. */
void mounts_rest(void);

#endif
