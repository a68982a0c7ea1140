/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What init says: lines on the console, "ne-init: text".
 */
#ifndef NE_INIT_SAY_H
#define NE_INIT_SAY_H

/* One line, in one write. errno is left as it is. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
