/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as people write them.
 */
#ifndef NE_ATTEST_TIMES_H
#define NE_ATTEST_TIMES_H

#include <stdbool.h>
#include <stdint.h>

struct time_text {
	char text[40];
};

/* "2022-11-09T22:52:00Z" */
struct time_text time_to_text(int64_t seconds);
/* "2022-11-09T22:52:00.696Z" */
struct time_text time_to_text_ms(uint64_t milliseconds);

/*
 * RFC 3339 ("2022-11-09T22:52:00Z", also "+01:00" and fractions, which are
 * dropped), or seconds since 1970.
 */
bool time_parse(int64_t *seconds, const char *text);

/* Seconds, or a number with s, m, h or d behind it; not 0. */
bool duration_parse(uint64_t *seconds, const char *text);

#endif
