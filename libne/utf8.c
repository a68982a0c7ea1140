// SPDX-License-Identifier: Apache-2.0
#include "libne/utf8.h"

/* Bytes of the character that starts with this one; 0: none does. */
static size_t length_of(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* The least code that takes so many bytes */
static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
/* and what the first of them has of it. */
static const uint8_t first_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };

size_t utf8_read(const void *text, size_t size, uint32_t *code)
{
	const uint8_t *bytes = text;
	size_t length = length_of(bytes[0]);
	uint32_t value;

	if (!length || length > size)
		return 0;
	value = bytes[0] & first_mask[length];
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code = value;
	return length;
}

bool utf8_is_harmless(uint32_t code)
{
	return code >= 0x20 && (code < 0x7f || code > 0x9f) &&
	       !(code >= 0x200e && code <= 0x200f) &&
	       !(code >= 0x2028 && code <= 0x202e) &&
	       !(code >= 0x2066 && code <= 0x2069) && code != 0x061c;
}
