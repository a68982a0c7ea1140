// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a command for which a syscall fails, as container engines and
 * administrators have it:
 *
 *	forbid SYSCALL ERRNO COMMAND [ARGUMENT]...
 *
 * "forbid namespaces - COMMAND" runs it in a user namespace in which no
 * further one may be made.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;

	if (fd >= 0)
		close(fd);
	return r;
}

static int forbid_namespaces(void)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (unshare(CLONE_NEWUSER) || write_to("/proc/self/uid_map", map))
		return -1;
	snprintf(map, sizeof(map), "0 %u 1", getegid());
	write_to("/proc/self/setgroups", "deny");
	write_to("/proc/self/gid_map", map);
	return write_to("/proc/sys/user/max_user_namespaces", "0");
}

static int forbid_syscall(const char *name, const char *error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int nr = seccomp_syscall_resolve_name(name);
	int r = -1;

	if (filter && nr >= 0)
		r = seccomp_rule_add(
			filter, SCMP_ACT_ERRNO((uint16_t)atoi(error)), nr, 0);
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc < 4)
		return 2;
	r = strcmp(argv[1], "namespaces") == 0
		    ? forbid_namespaces()
		    : forbid_syscall(argv[1], argv[2]);
	if (r) {
		perror("forbid");
		return 99;
	}
	execvp(argv[3], argv + 3);
	return 99;
}
