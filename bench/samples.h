/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements of one thing, and what they say. All in the same unit. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAX 1000

struct samples {
	double values[SAMPLES_MAX];
	size_t count;
};

/* The monotonic clock in nanoseconds. */
int64_t now_ns(void);

/* Those beyond SAMPLES_MAX are left out. */
void samples_add(struct samples *samples, double value);

/*
 * The value that a share of the samples (0 to 1) is not above: 0 is the
 * least, 0.5 the median. There has to be a sample. Sorts them.
 */
double samples_quantile(struct samples *samples, double share);

/* Ends the program if text is no number of at least 1. */
unsigned int parse_count(const char *text, unsigned int most);

#endif
