// SPDX-License-Identifier: Apache-2.0
#include "plumbing/descriptors.h"

#include <unistd.h>

static void close_between(int first, int last)
{
	if (first < 3)
		first = 3;
	if (first <= last)
		close_range((unsigned int)first, (unsigned int)last, 0);
}

void close_all_but(int a, int b)
{
	int low = a < b ? a : b;
	int high = a < b ? b : a;

	close_between(3, low - 1);
	close_between(low + 1, high - 1);
	close_range(high < 2 ? 3U : (unsigned int)high + 1, ~0U, 0);
}
