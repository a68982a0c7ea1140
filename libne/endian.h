/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers from and to bytes, one field at a time: no struct is ever laid over
 * input. The caller has checked that the bytes are there.
 */
#ifndef LIBNE_ENDIAN_H
#define LIBNE_ENDIAN_H

#include <stdint.h>

static inline uint16_t get_big_endian16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_big_endian32(const uint8_t *p)
{
	return (uint32_t)get_big_endian16(p) << 16 | get_big_endian16(p + 2);
}

static inline uint64_t get_big_endian64(const uint8_t *p)
{
	return (uint64_t)get_big_endian32(p) << 32 | get_big_endian32(p + 4);
}

static inline void put_big_endian16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline void put_big_endian32(uint8_t *p, uint32_t value)
{
	put_big_endian16(p, (uint16_t)(value >> 16));
	put_big_endian16(p + 2, (uint16_t)value);
}

static inline void put_big_endian64(uint8_t *p, uint64_t value)
{
	put_big_endian32(p, (uint32_t)(value >> 32));
	put_big_endian32(p + 4, (uint32_t)value);
}

#endif
