// SPDX-License-Identifier: Apache-2.0
#include "plumbing/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *program_name = "ne";
static enum log_level most_shown = LOG_WARN;

void log_init(const char *program, enum log_level most)
{
	program_name = program;
	most_shown = most;
}

static size_t limit(int written, size_t room)
{
	if (written < 0)
		return 0;
	return (size_t)written < room ? (size_t)written : room - 1;
}

void log_line(enum log_level level, const char *format, ...)
{
	int saved = errno;
	char line[1024];
	size_t length, prefix, i;
	va_list args;

	if (level > most_shown)
		return;
	prefix = limit(snprintf(line, sizeof(line) - 1, "%s: ", program_name),
		       sizeof(line) - 1);
	va_start(args, format);
	length = prefix +
		 limit(vsnprintf(line + prefix, sizeof(line) - 1 - prefix,
				 format, args),
		       sizeof(line) - 1 - prefix);
	va_end(args);
	for (i = prefix; i < length; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[length++] = '\n';
	/* There is nowhere to report that stderr is closed. */
	if (write(STDERR_FILENO, line, length) < 0)
		errno = saved;
	errno = saved;
}
