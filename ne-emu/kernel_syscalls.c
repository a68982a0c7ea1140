// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/kernel_syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libne/cleanup.h"

/* Flags with which mount(2) does something else than a new mount. */
#define NOT_A_NEW_MOUNT                                                       \
	(MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | \
	 MS_UNBINDABLE)

/*
 * In a process of its own (entering a user namespace needs a single thread):
 * mounts the folder at a path as the caller sees it. Exits with an errno.
 */
static _Noreturn void mount_dev(const struct kernel_syscalls *kernel, int root,
				int cwd, const char *target)
{
	int tree;

	if (setns(kernel->pidfd, CLONE_NEWUSER | CLONE_NEWNS) || fchdir(root) ||
	    chroot(".") || fchdir(cwd))
		_exit(errno);
	tree = open_tree(kernel->dev, "",
			 AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE |
				 OPEN_TREE_CLOEXEC);
	if (tree < 0 ||
	    move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH))
		_exit(errno);
	_exit(0);
}

static int open_of_caller(const struct trap_call *call, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", call->tid, name);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int mount_devtmpfs(const struct kernel_syscalls *kernel,
			  const struct trap_call *call)
{
	cleanup_close int root = open_of_caller(call, "root");
	cleanup_close int cwd = open_of_caller(call, "cwd");
	char target[PATH_MAX];
	ssize_t length =
		trap_read_string(call, call->args[1], target, sizeof(target));
	siginfo_t info = { 0 };
	pid_t helper;

	if (length < 0)
		return (int)length;
	if (root < 0 || cwd < 0)
		return root < 0 ? root : cwd;
	helper = fork();
	if (helper < 0)
		return -errno;
	if (helper == 0)
		mount_dev(kernel, root, cwd, target);
	while (waitid(P_PID, (id_t)helper, &info, WEXITED))
		if (errno != EINTR)
			return -errno;
	return info.si_code == CLD_EXITED ? -info.si_status : -EIO;
}

static bool on_mount(const struct kernel_syscalls *kernel,
		     struct trap_call *call)
{
	char type[16];
	int r;

	if (call->args[3] & NOT_A_NEW_MOUNT || !call->args[2] ||
	    trap_read_string(call, call->args[2], type, sizeof(type)) < 0)
		return false;
	if (strcmp(type, "cgroup") == 0)
		return trap_return(call, 0), true;
	if (strcmp(type, "devtmpfs") != 0)
		return false;
	r = mount_devtmpfs(kernel, call);
	if (r)
		trap_fail(call, -r);
	else
		trap_return(call, 0);
	return true;
}

static bool on_call(struct trap_call *call, void *data)
{
	switch (call->nr) {
	case SYS_mount:
		return on_mount(data, call);
	case SYS_init_module:
	case SYS_finit_module:
	case SYS_delete_module:
		trap_return(call, 0);
		return true;
	default:
		return false;
	}
}

static const struct trap_rule rules[] = {
	{ .nr = SYS_mount },
	{ .nr = SYS_init_module },
	{ .nr = SYS_finit_module },
	{ .nr = SYS_delete_module },
	{ .nr = SYS_fsopen, .error = ENOSYS },
};

struct trap_handler kernel_syscalls_handler(struct kernel_syscalls *kernel)
{
	return (struct trap_handler){ .rules = rules,
				      .n_rules = ARRAY_SIZE(rules),
				      .call = on_call,
				      .data = kernel };
}
