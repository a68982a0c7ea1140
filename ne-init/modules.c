// SPDX-License-Identifier: Apache-2.0

#include "ne-init/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/module.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "libne/cleanup.h"
#include "ne-init/say.h"

#define MODULES "/modules"

bool modules_name_is_good(const char *name)
{
	return *name && *name != '#' && *name != '.' && !strchr(name, '/');
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && !strcmp(text + length - end_length, end);
}

static void load(const char *path, bool must_exist)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	/* The kernel decompresses by itself, if it was built to. */
	int flags = ends_with(path, ".ko") ? 0 : MODULE_INIT_COMPRESSED_FILE;

	if (fd < 0) {
		if (must_exist || errno != ENOENT)
			say("cannot open kernel module %s: %s", path,
			    strerror(errno));
		return;
	}
	if (syscall(SYS_finit_module, fd, "", flags) < 0 && errno != EEXIST)
		say("cannot load kernel module %s: %s; going on without it",
		    path, strerror(errno));
}

static void load_in_order(FILE *order)
{
	char line[256], path[sizeof(MODULES) + sizeof(line)];

	while (fgets(line, sizeof(line), order)) {
		line[strcspn(line, "\n")] = '\0';
		if (!modules_name_is_good(line))
			continue;
		snprintf(path, sizeof(path), MODULES "/%s", line);
		load(path, true);
	}
}

void modules_load(void)
{
	cleanup_fclose FILE *order = fopen(MODULES "/order", "re");

	if (order)
		load_in_order(order);
	load("/nsm.ko", false);
}
