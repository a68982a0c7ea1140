// SPDX-License-Identifier: Apache-2.0
#include "ne-run/parse.h"

#include <stddef.h>
#include <string.h>

#include "libne/cleanup.h"

/* Digits at *text; *text is moved behind them. False if none, or above most. */
static bool take_digits(const char **text, uint64_t most, uint64_t *number)
{
	uint64_t value = 0;
	const char *c = *text;

	if (*c < '0' || *c > '9')
		return false;
	for (; *c >= '0' && *c <= '9'; c++) {
		uint64_t digit = (uint64_t)(*c - '0');

		if (value > (most - digit) / 10 || digit > most)
			return false;
		value = value * 10 + digit;
	}
	*text = c;
	*number = value;
	return true;
}

bool parse_number(const char *text, uint64_t least, uint64_t most,
		  uint64_t *number)
{
	uint64_t value;

	if (!take_digits(&text, most, &value) || *text || value < least)
		return false;
	*number = value;
	return true;
}

bool parse_memory(const char *text, uint64_t *bytes)
{
	static const struct {
		const char *name;
		unsigned int shift;
	} units[] = {
		{ "", 20 },    { "M", 20 },   { "G", 30 }, { "T", 40 },
		{ "m", 20 },   { "g", 30 },   { "t", 40 }, { "MiB", 20 },
		{ "GiB", 30 }, { "TiB", 40 },
	};
	uint64_t value;

	if (!take_digits(&text, INT64_MAX, &value) || value == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(text, units[i].name) != 0)
			continue;
		if (value > (uint64_t)INT64_MAX >> units[i].shift)
			return false;
		*bytes = value << units[i].shift;
		return true;
	}
	return false;
}
