// SPDX-License-Identifier: Apache-2.0
#include "bench/samples.h"

#include <err.h>
#include <stdlib.h>
#include <time.h>

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void samples_add(struct samples *samples, double value)
{
	if (samples->count < SAMPLES_MAX)
		samples->values[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double samples_quantile(struct samples *samples, double share)
{
	double position = share * (double)(samples->count - 1);
	size_t below = (size_t)position;

	qsort(samples->values, samples->count, sizeof(samples->values[0]),
	      compare);
	if (below + 1 == samples->count)
		return samples->values[below];
	return samples->values[below] +
	       (position - (double)below) *
		       (samples->values[below + 1] - samples->values[below]);
}

unsigned int parse_count(const char *text, unsigned int most)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || count < 1 || count > most)
		errx(2, "a number from 1 to %u is needed, not '%s'", most,
		     text);
	return (unsigned int)count;
}
