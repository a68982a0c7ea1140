// SPDX-License-Identifier: Apache-2.0

#include "ne-init/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libne/cleanup.h"
#include "ne-init/say.h"

/* What execve(2) takes at most, by default. */
#define TEXT_MAX ((size_t)2 << 20)

static size_t count_lines(const char *text, size_t size)
{
	size_t lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	return lines;
}

char **config_lines(char *text, size_t size, bool keep_empty)
{
	char **lines, *end = text + size;
	size_t n = 0;

	if (memchr(text, '\0', size)) {
		errno = EINVAL;
		return NULL;
	}
	lines = calloc(count_lines(text, size) + 1, sizeof(*lines));
	if (!lines)
		return NULL;
	*end = '\0';
	while (text < end) {
		char *newline = strchrnul(text, '\n');

		*newline = '\0';
		if (*text || keep_empty)
			lines[n++] = text;
		text = newline + 1;
	}
	return lines;
}

/* Do both start with the same NAME= ? */
static bool same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=") + 1;

	return !strncmp(a, b, length);
}

/* Adds or replaces; the list has room. */
static void assign(char **environment, size_t *n, char *assignment)
{
	for (size_t i = 0; i < *n; i++) {
		if (same_name(environment[i], assignment)) {
			environment[i] = assignment;
			return;
		}
	}
	environment[(*n)++] = assignment;
}

char **config_environment(char **lines, size_t *ignored)
{
	static char path[] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char home[] = "HOME=/root";
	static char term[] = "TERM=linux";
	char *const defaults[] = { path, home, term };
	char **environment;
	size_t n = 0;

	*ignored = 0;
	while (lines[n])
		n++;
	environment =
		calloc(n + ARRAY_SIZE(defaults) + 1, sizeof(*environment));
	if (!environment)
		return NULL;
	n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		assign(environment, &n, defaults[i]);
	for (; *lines; lines++) {
		if (strchr(*lines, '=') && **lines != '=')
			assign(environment, &n, *lines);
		else
			(*ignored)++;
	}
	return environment;
}

/* A whole file with room for one more byte; NULL: errno says. */
static char *read_text(const char *path, size_t *size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = NULL;

	if (fd < 0)
		return NULL;
	text = malloc(TEXT_MAX + 1);
	if (!text)
		return NULL;
	*size = 0;
	while (*size <= TEXT_MAX) {
		ssize_t n = read(fd, text + *size, TEXT_MAX + 1 - *size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return NULL;
		if (n == 0)
			return take_ptr(&text);
		*size += (size_t)n;
	}
	errno = E2BIG;
	return NULL;
}

static char **read_lines(const char *path, bool keep_empty)
{
	size_t size;
	char *text = read_text(path, &size);

	return text ? config_lines(text, size, keep_empty) : NULL;
}

static char **read_environment(void)
{
	char *nothing = NULL, **lines, **environment;
	size_t ignored;

	lines = read_lines("/env", false);
	if (!lines) {
		if (errno != ENOENT)
			say("cannot read /env: %s; going on without it",
			    strerror(errno));
		lines = &nothing;
	}
	environment = config_environment(lines, &ignored);
	if (ignored)
		say("/env: ignored %zu lines that are not NAME=value", ignored);
	return environment;
}

void config_read(struct config *config)
{
	*config = (struct config){ .argv = read_lines("/cmd", true) };
	if (!config->argv && errno == ENOENT)
		config->why = strdup("the image has no /cmd, so there is "
				     "nothing to run");
	else if (!config->argv && asprintf(&config->why, "cannot read /cmd: %s",
					   strerror(errno)) < 0)
		config->why = NULL;
	else if (config->argv && (!config->argv[0] || !config->argv[0][0])) {
		config->argv = NULL;
		config->why =
			strdup("/cmd is empty, so there is nothing to run");
	}
	config->envp = read_environment();
}
