// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libne/cleanup.h"

/* How long a group may stay busy after its last process was reaped. */
#define RMDIR_ATTEMPTS 100

struct cgroup {
	char path[PATH_MAX];
};

/* Where the v2 hierarchy is mounted (field 5 of mountinfo, proc(5)). */
static bool find_mount(char *path, size_t size)
{
	cleanup_fclose FILE *file = fopen("/proc/self/mountinfo", "re");
	cleanup_free char *line = NULL;
	size_t room = 0;

	while (file && getline(&line, &room, file) > 0) {
		char mount_point[PATH_MAX];

		if (!strstr(line, " - cgroup2 "))
			continue;
		if (sscanf(line, "%*s %*s %*s %*s %4095s", mount_point) != 1)
			continue;
		return (size_t)snprintf(path, size, "%s", mount_point) < size;
	}
	return false;
}

/* Our own group, as a folder. */
static bool find_own(char *path, size_t size)
{
	cleanup_fclose FILE *file = fopen("/proc/self/cgroup", "re");
	cleanup_free char *line = NULL;
	char mount_point[PATH_MAX];
	size_t room = 0;

	if (!file || !find_mount(mount_point, sizeof(mount_point)))
		return false;
	while (getline(&line, &room, file) > 0) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		return (size_t)snprintf(path, size, "%s%s", mount_point,
					strcmp(line, "0::/") == 0
						? ""
						: line + 3) < size;
	}
	return false;
}

static int write_value(const struct cgroup *cgroup, const char *name,
		       uint64_t value)
{
	cleanup_close int fd = -1;
	char path[PATH_MAX + 64], text[24];
	int n = snprintf(text, sizeof(text), "%" PRIu64, value);

	snprintf(path, sizeof(path), "%s/%s", cgroup->path, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		return -errno;
	return 0;
}

static void sweep(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	pid_t maker;

	while (dir && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "ne-%d-", &maker) == 1 && maker > 0 &&
		    kill(maker, 0) && errno == ESRCH)
			unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	if (dir)
		closedir(dir);
}

/* One that is there already is of a dead process that had our number. */
static int make_folder(const char *path)
{
	if (mkdir(path, 0755) == 0)
		return 0;
	return errno == EEXIST && rmdir(path) == 0 ? mkdir(path, 0755) : -1;
}

static bool make_below(struct cgroup *cgroup, const char *folder,
		       const char *name, uint64_t memory, pid_t pid)
{
	if ((size_t)snprintf(cgroup->path, sizeof(cgroup->path), "%s/ne-%d-%s",
			     folder, getpid(), name) >= sizeof(cgroup->path) ||
	    make_folder(cgroup->path))
		return false;
	if (write_value(cgroup, "memory.max", memory) == 0 &&
	    write_value(cgroup, "cgroup.procs", (uint64_t)pid) == 0) {
		/* An enclave has no swap. Not there without swap: fine. */
		write_value(cgroup, "memory.swap.max", 0);
		sweep(folder);
		return true;
	}
	rmdir(cgroup->path);
	return false;
}

struct cgroup *cgroup_new(const char *name, uint64_t memory, pid_t pid,
			  const char **why)
{
	cleanup_free struct cgroup *cgroup = calloc(1, sizeof(*cgroup));
	char own[PATH_MAX], *slash;

	*why = "there is no cgroup v2 here";
	if (!cgroup || !find_own(own, sizeof(own)))
		return NULL;
	if (make_below(cgroup, own, name, memory, pid))
		return take_ptr(&cgroup);
	/*
	 * A group with processes in it cannot hand controllers down, so a
	 * neighbour of our own is the usual place.
	 */
	slash = strrchr(own, '/');
	if (slash && slash != own) {
		*slash = '\0';
		if (make_below(cgroup, own, name, memory, pid))
			return take_ptr(&cgroup);
	}
	*why = "no cgroup v2 with a memory controller is delegated to this user";
	return NULL;
}

bool cgroup_ran_out(const struct cgroup *cgroup)
{
	cleanup_fclose FILE *file = NULL;
	char path[PATH_MAX + 64], line[128];
	uint64_t kills = 0;

	if (!cgroup)
		return false;
	snprintf(path, sizeof(path), "%s/memory.events", cgroup->path);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "oom_kill %" SCNu64, &kills) == 1)
			break;
	return kills > 0;
}

void cgroup_free(struct cgroup *cgroup)
{
	if (!cgroup)
		return;
	/* The kernel takes a moment after the last process is gone. */
	for (int i = 0; i < RMDIR_ATTEMPTS; i++) {
		if (rmdir(cgroup->path) == 0 || errno != EBUSY)
			break;
		usleep(1000);
	}
	free(cgroup);
}
