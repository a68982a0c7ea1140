/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as a test's table can show them:
 *
 *	a1 6b'DescribePCR' a1 65'index' 10 00(48)
 *
 * Hexadecimal digits in pairs, text between quotes, and in parentheses how many
 * times the byte before it is meant; spaces mean nothing.
 */
#ifndef TESTS_UNIT_BYTES_H
#define TESTS_UNIT_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* How many there are; ends the program if they are more, or no bytes at all. */
size_t bytes_read(const char *notation, uint8_t *to, size_t capacity);

/* Fails the test, and shows both, unless they are the same. */
void bytes_expect(const char *name, const char *expected, const uint8_t *bytes,
		  size_t size);

#endif
