// SPDX-License-Identifier: Apache-2.0
#include "ne-attest/times.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libne/cleanup.h"

static bool to_calendar(char *text, size_t size, int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm tm;

	return gmtime_r(&time, &tm) &&
	       strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
}

struct time_text time_to_text(int64_t seconds)
{
	struct time_text time;
	char calendar[32];

	if (to_calendar(calendar, sizeof(calendar), seconds))
		snprintf(time.text, sizeof(time.text), "%sZ", calendar);
	else
		snprintf(time.text, sizeof(time.text), "%" PRId64 " s",
			 seconds);
	return time;
}

struct time_text time_to_text_ms(uint64_t milliseconds)
{
	struct time_text time;
	char calendar[32];

	if (to_calendar(calendar, sizeof(calendar),
			(int64_t)(milliseconds / 1000)))
		snprintf(time.text, sizeof(time.text), "%s.%03uZ", calendar,
			 (unsigned int)(milliseconds % 1000));
	else
		snprintf(time.text, sizeof(time.text), "%" PRIu64 " ms",
			 milliseconds);
	return time;
}

static bool all_digits(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

static bool parse_number(uint64_t *number, const char *text)
{
	errno = 0;
	*number = strtoull(text, NULL, 10);
	return !errno;
}

/* "Z", "+01:00" */
static bool parse_zone(int64_t *offset, const char *zone)
{
	int hours, minutes, end = 0;

	*offset = 0;
	if (!strcasecmp(zone, "Z"))
		return true;
	if ((*zone != '+' && *zone != '-') || !isdigit((unsigned char)zone[1]))
		return false;
	if (sscanf(zone + 1, "%2d:%2d%n", &hours, &minutes, &end) != 2 ||
	    end != 5 || zone[6] || hours > 23 || minutes > 59 || minutes < 0)
		return false;
	*offset = (hours * 60 + minutes) * 60;
	if (*zone == '-')
		*offset = -*offset;
	return true;
}

static bool parse_calendar(int64_t *seconds, const char *text)
{
	struct tm tm = { 0 }, normal;
	const char *rest = strptime(text, "%Y-%m-%d", &tm);
	int64_t offset;

	if (!rest || !strchr("Tt ", *rest) || !*rest)
		return false;
	rest = strptime(rest + 1, "%H:%M:%S", &tm);
	if (!rest)
		return false;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (!parse_zone(&offset, rest))
		return false;
	/* Turns the 31st of February into a day in March. */
	normal = tm;
	*seconds = timegm(&normal) - offset;
	return normal.tm_mday == tm.tm_mday && normal.tm_sec == tm.tm_sec;
}

bool time_parse(int64_t *seconds, const char *text)
{
	uint64_t number;

	if (!all_digits(text))
		return parse_calendar(seconds, text);
	if (!parse_number(&number, text) || number > INT64_MAX)
		return false;
	*seconds = (int64_t)number;
	return true;
}

bool duration_parse(uint64_t *seconds, const char *text)
{
	static const struct {
		char letter;
		unsigned int seconds;
	} units[] = { { '\0', 1 },
		      { 's', 1 },
		      { 'm', 60 },
		      { 'h', 3600 },
		      { 'd', 86400 } };
	size_t digits = strspn(text, "0123456789");

	if (!digits || !parse_number(seconds, text) || !*seconds ||
	    (text[digits] && text[digits + 1]))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (text[digits] == units[i].letter)
			return !__builtin_mul_overflow(
				*seconds, units[i].seconds, seconds);
	return false;
}
