/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 [RFC 3629], one character at a time. Internal to this house. */
#ifndef LIBNE_UTF8_H
#define LIBNE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The character that starts at text, of which size bytes are left (at least
 * one): how many bytes it takes, and its code. 0: none starts here, it is cut
 * short, a surrogate, too large, or longer than it must be.
 */
size_t utf8_read(const void *text, size_t size, uint32_t *code);

/*
 * Does a terminal just show it? Not a control character, also not one of C1,
 * and none that changes the direction of what is around it.
 */
bool utf8_is_harmless(uint32_t code);

#endif
