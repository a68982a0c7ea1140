/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as people write them on a command line. Pure.
 */
#ifndef NE_RUN_PARSE_H
#define NE_RUN_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits and nothing else, least to most. */
bool parse_number(const char *text, uint64_t least, uint64_t most,
		  uint64_t *number);

/*
 * MiB, or with a unit: 512, 512M, 4G, 1T, and MiB, GiB, TiB. Sets bytes; not
 * 0, and less than 2^63.
 */
bool parse_memory(const char *text, uint64_t *bytes);

#endif
