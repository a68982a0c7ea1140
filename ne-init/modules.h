/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel modules that the image brings: those that /modules/order names (one
 * file name in /modules a line, in the order to load them) and /nsm.ko, where
 * AWS's images have it. What cannot be loaded is said, and init goes on.
 */
#ifndef NE_INIT_MODULES_H
#define NE_INIT_MODULES_H

#include <stdbool.h>

void modules_load(void);

/* May this line of /modules/order be loaded? A name, no path, no comment. */
bool modules_name_is_good(const char *name);

#endif
