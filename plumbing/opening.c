// SPDX-License-Identifier: Apache-2.0
#include "plumbing/opening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "plumbing/trap.h"

/* Enough to recognise a name; who writes it longer is not understood. */
#define PATH_SIZE 512

/* What an open of any kind asks for. */
struct opening {
	int directory;
	uint64_t path;
	uint64_t flags;
};

static bool read_opening(const struct trap_call *call, struct opening *opening)
{
	struct open_how how;

	*opening = (struct opening){ .directory = AT_FDCWD,
				     .path = call->args[0] };
	switch (call->nr) {
#ifdef SYS_open
	case SYS_open:
		opening->flags = call->args[1];
		return true;
	case SYS_creat:
		opening->flags = O_CREAT | O_WRONLY | O_TRUNC;
		return true;
#endif
	case SYS_openat:
		opening->directory = (int)call->args[0];
		opening->path = call->args[1];
		opening->flags = call->args[2];
		return true;
	case SYS_openat2:
		if (call->args[3] < sizeof(how) ||
		    trap_read(call, call->args[2], &how, sizeof(how)))
			return false;
		opening->directory = (int)call->args[0];
		opening->path = call->args[1];
		opening->flags = how.flags;
		return true;
	default:
		return false;
	}
}

static bool ends_with(const char *string, const char *end)
{
	size_t n = strlen(string), m = strlen(end);

	return n >= m && !strcmp(string + n - m, end);
}

bool opening_is_likely(const char *path, const char *const *names,
		       size_t n_names)
{
	for (size_t i = 0; i < n_names; i++)
		if (ends_with(path, strrchr(names[i], '/') + 1))
			return true;
	return false;
}

/* Puts the name of the directory and a slash in front of a relative path. */
static bool make_absolute(const struct trap_call *call, int directory,
			  char *path)
{
	char link[64], full[2 * PATH_SIZE];
	ssize_t n;

	if (path[0] == '/')
		return true;
	if (directory == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", call->tid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", call->tid,
			 directory);
	n = readlink(link, full, PATH_SIZE);
	if (n <= 0 || n == PATH_SIZE)
		return false;
	n += snprintf(full + n, sizeof(full) - (size_t)n, "/%s", path);
	if (n >= PATH_SIZE)
		return false;
	memcpy(path, full, (size_t)n + 1);
	return true;
}

void opening_simplify(char *path)
{
	char *to = path, *save = NULL;
	const char *part = strtok_r(path, "/", &save);

	for (; part; part = strtok_r(NULL, "/", &save)) {
		size_t n = strlen(part);

		if (!strcmp(part, "."))
			continue;
		if (!strcmp(part, "..")) {
			while (to > path && *--to != '/')
				;
			continue;
		}
		*to++ = '/';
		memmove(to, part, n);
		to += n;
	}
	*to = '\0';
}

int opening_find(const struct trap_call *call, const char *const *names,
		 size_t n_names, uint64_t *flags)
{
	struct opening opening;
	char path[PATH_SIZE];

	if (!read_opening(call, &opening) ||
	    trap_read_string(call, opening.path, path, sizeof(path)) < 0)
		return -1;
	/* Nearly all opens end here. */
	if (!opening_is_likely(path, names, n_names))
		return -1;
	if (!make_absolute(call, opening.directory, path))
		return -1;
	opening_simplify(path);
	*flags = opening.flags;
	for (size_t i = 0; i < n_names; i++)
		if (!strcmp(path, names[i]))
			return (int)i;
	return -1;
}

int opening_open_again(int fd, int flags)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

int opening_open_device(int fd, uint64_t flags)
{
	/* A trap cannot give O_PATH descriptors: who wants one gets more. */
	const uint64_t kept = O_ACCMODE | O_NONBLOCK | O_APPEND;

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	return opening_open_again(fd, (int)(flags & kept));
}
