// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/bytes.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sink {
	uint8_t *to;
	size_t size;
	size_t capacity;
};

static _Noreturn void refuse(const char *at)
{
	fprintf(stderr, "no bytes: %s\n", at);
	abort();
}

static void put(struct sink *sink, uint8_t byte)
{
	if (sink->size == sink->capacity)
		refuse("too many");
	sink->to[sink->size++] = byte;
}

static const char *read_text(const char *at, struct sink *sink)
{
	for (at++; *at != '\''; at++) {
		if (!*at)
			refuse("a text without an end");
		put(sink, (uint8_t)*at);
	}
	return at + 1;
}

static const char *read_pair(const char *at, struct sink *sink)
{
	unsigned int byte;

	if (!isxdigit((unsigned char)at[0]) ||
	    !isxdigit((unsigned char)at[1]) || sscanf(at, "%2x", &byte) != 1)
		refuse(at);
	put(sink, (uint8_t)byte);
	return at + 2;
}

static const char *read_times(const char *at, struct sink *sink)
{
	char *end;
	unsigned long times = strtoul(at + 1, &end, 10);

	if (!sink->size || !times || *end != ')')
		refuse(at);
	while (--times)
		put(sink, sink->to[sink->size - 1]);
	return end + 1;
}

size_t bytes_read(const char *notation, uint8_t *to, size_t capacity)
{
	struct sink sink = { .to = to, .capacity = capacity };

	while (*notation) {
		if (*notation == ' ')
			notation++;
		else if (*notation == '\'')
			notation = read_text(notation, &sink);
		else if (*notation == '(')
			notation = read_times(notation, &sink);
		else
			notation = read_pair(notation, &sink);
	}
	return sink.size;
}

static void show(const char *what, const uint8_t *bytes, size_t size)
{
	fprintf(stderr, "%s, %zu bytes: ", what, size);
	for (size_t i = 0; i < size; i++)
		fprintf(stderr, "%02x", bytes[i]);
	fputc('\n', stderr);
}

void bytes_expect(const char *name, const char *expected, const uint8_t *bytes,
		  size_t size)
{
	static uint8_t wanted[65536];
	size_t wanted_size = bytes_read(expected, wanted, sizeof(wanted));

	if (size == wanted_size && !memcmp(bytes, wanted, size))
		return;
	show("expected", wanted, wanted_size);
	show("got", bytes, size);
	fail_msg("%s", name);
}
