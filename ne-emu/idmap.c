// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"

/* Beyond what distributions, systemd and container engines hand out. */
#define RANGE_FIRST 0x7ff00000u
#define RANGE_COUNT 65536u

struct range {
	uint32_t first;
	uint32_t count;
};

extern char **environ;

static int write_file(pid_t pid, const char *name, const char *text)
{
	cleanup_close int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -errno;
	return 0;
}

static int write_map(pid_t pid, const char *name, struct range range)
{
	char line[64];

	snprintf(line, sizeof(line), "0 %" PRIu32 " %" PRIu32 "\n", range.first,
		 range.count);
	return write_file(pid, name, line);
}

/* Does our own user namespace have these ids at all? */
static bool namespace_has(const struct range *wanted)
{
	cleanup_fclose FILE *file = fopen("/proc/self/uid_map", "re");
	uint32_t first, outside, count;

	while (file && fscanf(file, "%" SCNu32 " %" SCNu32 " %" SCNu32, &first,
			      &outside, &count) == 3)
		if (wanted->first >= first &&
		    (uint64_t)wanted->first + wanted->count <=
			    (uint64_t)first + count)
			return true;
	return false;
}

static int map_as_root(pid_t pid, struct idmap_root *root)
{
	struct range range = { RANGE_FIRST, RANGE_COUNT };
	int r;

	/* In a container: its own ids; its root is nobody's on the host. */
	if (!namespace_has(&range))
		range.first = 0;
	while (range.count > 1 && !namespace_has(&range))
		range.count /= 2;
	*root = (struct idmap_root){ range.first, range.first };
	r = write_map(pid, "uid_map", range);
	return r ? r : write_map(pid, "gid_map", range);
}

/* This user's first line in /etc/subuid or /etc/subgid (subuid(5)). */
static bool find_subordinate(const char *file_name, struct range *range)
{
	cleanup_fclose FILE *file = fopen(file_name, "re");
	const struct passwd *user = getpwuid(geteuid());
	char line[256], number[16], *rest;

	snprintf(number, sizeof(number), "%u", geteuid());
	while (file && fgets(line, sizeof(line), file)) {
		rest = strchr(line, ':');
		if (!rest)
			continue;
		*rest++ = '\0';
		if (strcmp(line, number) != 0 &&
		    (!user || strcmp(line, user->pw_name) != 0))
			continue;
		return sscanf(rest, "%" SCNu32 ":%" SCNu32, &range->first,
			      &range->count) == 2 &&
		       range->count > 0;
	}
	return false;
}

static bool run_helper(const char *helper, pid_t pid, unsigned int own_id,
		       struct range range)
{
	char process[16], own[16], first[16], count[16];
	char zero[] = "0", one[] = "1";
	char *argv[] = { (char *)helper, process, zero, own, one, one,
			 first,		 count,	  NULL };
	posix_spawn_file_actions_t quiet;
	int status = -1;
	pid_t child;

	snprintf(process, sizeof(process), "%d", pid);
	snprintf(own, sizeof(own), "%u", own_id);
	snprintf(first, sizeof(first), "%" PRIu32, range.first);
	snprintf(count, sizeof(count), "%" PRIu32, range.count);
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null",
					 O_WRONLY, 0);
	if (posix_spawnp(&child, helper, &quiet, NULL, argv, environ) == 0)
		waitpid(child, &status, 0);
	posix_spawn_file_actions_destroy(&quiet);
	return status == 0;
}

static int map_as_user(pid_t pid, struct idmap_root *root)
{
	struct range uids, gids;
	int r;

	*root = (struct idmap_root){ geteuid(), getegid() };
	if (find_subordinate("/etc/subuid", &uids) &&
	    find_subordinate("/etc/subgid", &gids) &&
	    run_helper("newuidmap", pid, geteuid(), uids)) {
		if (run_helper("newgidmap", pid, getegid(), gids))
			return 0;
	} else {
		r = write_map(pid, "uid_map", (struct range){ geteuid(), 1 });
		if (r)
			return r;
	}
	/* Without privilege one may map a group only after giving these up. */
	r = write_file(pid, "setgroups", "deny");
	return r ? r
		 : write_map(pid, "gid_map", (struct range){ getegid(), 1 });
}

int idmap_write(pid_t pid, struct idmap_root *root, struct ne_error *err)
{
	int r = geteuid() == 0 ? map_as_root(pid, root)
			       : map_as_user(pid, root);

	if (r)
		return ne_error_set(
			err, -r,
			"cannot map user ids into the enclave's namespace: %s",
			ne_strerror(r));
	return 0;
}
