// SPDX-License-Identifier: Apache-2.0

#include "ne-init/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void say(const char *format, ...)
{
	static const char name[] = "ne-init: ";
	char line[512];
	const size_t start = sizeof(name) - 1;
	int saved = errno;
	va_list args;
	size_t end;

	memcpy(line, name, start);
	va_start(args, format);
	vsnprintf(line + start, sizeof(line) - start - 1, format, args);
	va_end(args);
	end = strlen(line);
	line[end] = '\n';
	if (write(STDERR_FILENO, line, end + 1) < 0) {
		/* Nobody listens: nobody to tell. */
	}
	errno = saved;
}
