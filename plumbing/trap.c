// SPDX-License-Identifier: Apache-2.0
#include "plumbing/trap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "plumbing/loop.h"

/* Newer than the oldest headers that we build with. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

struct trap {
	struct trap_handler *handlers;
	size_t n_handlers;
	struct sock_fprog program;
	int listener;
	struct loop_source *source;
	/* The kernel may know longer structs than our headers do. */
	struct seccomp_notif *request;
	size_t request_size;
	struct seccomp_notif_resp *response;
	size_t response_size;
};

/* --- The filter ---------------------------------------------------------- */

static int add_rule(scmp_filter_ctx filter, const struct trap_rule *rule)
{
	uint32_t action = rule->error ? SCMP_ACT_ERRNO(rule->error)
				      : SCMP_ACT_NOTIFY;
	struct scmp_arg_cmp match = { .arg = rule->arg,
				      .op = SCMP_CMP_MASKED_EQ,
				      .datum_a = rule->mask,
				      .datum_b = rule->value };
	int r = seccomp_rule_add_array(filter, action, rule->nr,
				       rule->mask ? 1 : 0, &match);

	/* Two handlers may want the same call. */
	return r == -EEXIST ? 0 : r;
}

static int export_program(scmp_filter_ctx filter, struct sock_fprog *program)
{
	cleanup_close int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(filter, fd);
	if (r)
		return r;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_size <= 0 ||
	    (size_t)st.st_size / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return -E2BIG;
	program->filter = malloc((size_t)st.st_size);
	if (!program->filter)
		return -ENOMEM;
	if (pread(fd, program->filter, (size_t)st.st_size, 0) != st.st_size)
		return -EIO;
	program->len = (unsigned short)((size_t)st.st_size /
					sizeof(struct sock_filter));
	return 0;
}

static void release_filter(scmp_filter_ctx *filter)
{
	seccomp_release(*filter);
}

static int build_program(struct trap *trap)
{
	__attribute__((cleanup(release_filter)))
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (!filter)
		return -ENOMEM;
	/*
	 * Programs of another word size would bypass rules that are written
	 * in syscall numbers of this one, and could so reach real devices.
	 */
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
			     SCMP_ACT_ERRNO(ENOSYS));
	for (size_t i = 0; i < trap->n_handlers && !r; i++)
		for (size_t j = 0; j < trap->handlers[i].n_rules && !r; j++)
			r = add_rule(filter, &trap->handlers[i].rules[j]);
	if (r)
		return r;
	return export_program(filter, &trap->program);
}

static int allocate_messages(struct trap *trap)
{
	struct seccomp_notif_sizes sizes;

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes))
		return -errno;
	trap->request_size = sizes.seccomp_notif > sizeof(*trap->request)
				     ? sizes.seccomp_notif
				     : sizeof(*trap->request);
	trap->response_size = sizes.seccomp_notif_resp > sizeof(*trap->response)
				      ? sizes.seccomp_notif_resp
				      : sizeof(*trap->response);
	trap->request = calloc(1, trap->request_size);
	trap->response = calloc(1, trap->response_size);
	return trap->request && trap->response ? 0 : -ENOMEM;
}

/*
 * A container may let us install filters and yet forbid to look into their
 * callers, which would leave us without an answer to any call.
 */
static int reach_callers(void)
{
	char from = 0, to;
	struct iovec local = { .iov_base = &to, .iov_len = sizeof(to) };
	struct iovec remote = { .iov_base = &from, .iov_len = sizeof(from) };
	cleanup_close int pidfd = -1;
	cleanup_close int fd = -1;

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) < 0)
		return -errno;
	pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, pidfd, 0);
	return fd < 0 ? -errno : 0;
}

int trap_new(struct trap **trap, const struct trap_handler *handlers,
	     size_t n_handlers, struct ne_error *err)
{
	struct trap *new = calloc(1, sizeof(*new));
	int r = -ENOMEM;

	if (!new)
		goto fail;
	new->listener = -1;
	new->handlers = calloc(n_handlers, sizeof(*handlers));
	if (!new->handlers)
		goto fail;
	for (size_t i = 0; i < n_handlers; i++)
		new->handlers[i] = handlers[i];
	new->n_handlers = n_handlers;
	r = allocate_messages(new) ?: reach_callers();
	if (r) {
		ne_error_set(
			err, -r,
			"cannot trap system calls: %s; the kernel has to be 5.14 or later, and a container's seccomp profile has to allow it (Docker: --security-opt seccomp=unconfined)",
			ne_strerror(r));
		trap_free(new);
		return r;
	}
	r = build_program(new);
	if (r)
		goto fail;
	*trap = new;
	return 0;

fail:
	trap_free(new);
	return ne_error_set(err, -r, "cannot build the syscall filter: %s",
			    ne_strerror(r));
}

void trap_free(struct trap *trap)
{
	if (!trap)
		return;
	loop_remove(trap->source);
	close_keeping_errno(trap->listener);
	free(trap->program.filter);
	free(trap->handlers);
	free(trap->request);
	free(trap->response);
	free(trap);
}

int trap_install(const struct trap *trap)
{
	/* A trapped program is no sandbox: spare it the mitigations' price. */
	unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER |
			     SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
			  &trap->program);

	if (fd < 0 && errno == EACCES) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
			return -errno;
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
			     &trap->program);
	}
	return fd < 0 ? -errno : (int)fd;
}

/* --- Calls --------------------------------------------------------------- */

static void take_call(struct trap *trap)
{
	struct trap_call *call = malloc(sizeof(*call));

	memset(trap->request, 0, trap->request_size);
	/* ENOENT: the caller has been interrupted in the meantime. */
	if (!call ||
	    ioctl(trap->listener, SECCOMP_IOCTL_NOTIF_RECV, trap->request)) {
		free(call);
		return;
	}
	*call = (struct trap_call){
		.trap = trap,
		.id = trap->request->id,
		.tid = (pid_t)trap->request->pid,
		.nr = trap->request->data.nr,
	};
	for (size_t i = 0; i < ARRAY_SIZE(call->args); i++)
		call->args[i] = trap->request->data.args[i];

	for (size_t i = 0; i < trap->n_handlers; i++)
		if (trap->handlers[i].call(call, trap->handlers[i].data))
			return;
	trap_continue(call);
}

static void serve(uint32_t events, void *data)
{
	struct trap *trap = data;

	if (events & EPOLLIN) {
		take_call(trap);
		return;
	}
	/* The last traced process is gone. */
	loop_remove(trap->source);
	trap->source = NULL;
}

int trap_attach(struct trap *trap, struct loop *loop, int listener)
{
	trap->listener = listener;
	/* Since Linux 6.6: wake each other on the same CPU. A gain if there. */
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
	      SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	trap->source = loop_add(loop, listener, EPOLLIN, serve, trap);
	return trap->source ? 0 : -errno;
}

/* --- Answers ------------------------------------------------------------- */

static int answer(struct trap_call *call, int64_t value, int error,
		  uint32_t flags)
{
	struct trap *trap = call->trap;
	int r = 0;

	memset(trap->response, 0, trap->response_size);
	trap->response->id = call->id;
	trap->response->val = value;
	trap->response->error = -error;
	trap->response->flags = flags;
	if (ioctl(trap->listener, SECCOMP_IOCTL_NOTIF_SEND, trap->response))
		r = -errno;
	free(call);
	return r;
}

int trap_return(struct trap_call *call, int64_t value)
{
	return answer(call, value, 0, 0);
}

int trap_fail(struct trap_call *call, int error)
{
	return answer(call, 0, error, 0);
}

int trap_continue(struct trap_call *call)
{
	return answer(call, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int trap_return_fd(struct trap_call *call, int fd, bool close_on_exec)
{
	struct seccomp_notif_addfd add = {
		.id = call->id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = close_on_exec ? O_CLOEXEC : 0,
	};
	int r;

	if (ioctl(call->trap->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0) {
		free(call);
		return 0;
	}
	r = -errno;
	if (r == -ENOENT || r == -EINPROGRESS) {
		free(call);
		return -ENOENT;
	}
	return trap_fail(call, -r) ? -ENOENT : r;
}

bool trap_is_waiting(const struct trap_call *call)
{
	return ioctl(call->trap->listener, SECCOMP_IOCTL_NOTIF_ID_VALID,
		     &call->id) == 0;
}

/* --- The caller ---------------------------------------------------------- */

static int
copy(const struct trap_call *call, uint64_t address, void *ours, size_t size,
     ssize_t (*transfer)(pid_t, const struct iovec *, unsigned long,
			 const struct iovec *, unsigned long, unsigned long))
{
	struct iovec local = { .iov_base = ours, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)address,
				.iov_len = size };

	while (local.iov_len) {
		ssize_t n = transfer(call->tid, &local, 1, &remote, 1, 0);

		if (n <= 0)
			return n == 0 || errno == EFAULT ? -EFAULT : -errno;
		local.iov_base = (char *)local.iov_base + n;
		local.iov_len -= (size_t)n;
		remote.iov_base = (char *)remote.iov_base + n;
		remote.iov_len -= (size_t)n;
	}
	return 0;
}

/*
 * A thread id can belong to somebody else once its owner is gone, so what
 * was done with it counts only if the caller still waits afterwards.
 */
static int if_waiting(const struct trap_call *call, int result)
{
	return trap_is_waiting(call) ? result : -ENOENT;
}

int trap_read(const struct trap_call *call, uint64_t address, void *to,
	      size_t size)
{
	return if_waiting(call,
			  copy(call, address, to, size, process_vm_readv));
}

int trap_write(const struct trap_call *call, uint64_t address, const void *from,
	       size_t size)
{
	/* Before, too: this one does harm in somebody else. */
	if (!trap_is_waiting(call))
		return -ENOENT;
	return if_waiting(call, copy(call, address, (void *)(uintptr_t)from,
				     size, process_vm_writev));
}

ssize_t trap_read_string(const struct trap_call *call, uint64_t address,
			 char *to, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t used = 0;

	/* Page by page: the next one may not be there. */
	while (used < size) {
		size_t room = page - (address + used) % page;
		const char *end;
		int r;

		if (room > size - used)
			room = size - used;
		r = copy(call, address + used, to + used, room,
			 process_vm_readv);
		if (r)
			return if_waiting(call, r);
		end = memchr(to + used, 0, room);
		if (end)
			return if_waiting(call, 0) ?: end - to;
		used += room;
	}
	return if_waiting(call, -ENAMETOOLONG);
}

pid_t trap_process(const struct trap_call *call)
{
	cleanup_fclose FILE *file = NULL;
	char line[128];
	int process = -ESRCH;

	snprintf(line, sizeof(line), "/proc/%d/status", call->tid);
	file = fopen(line, "re");
	if (!file)
		return -ESRCH;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &process) == 1)
			break;
	return if_waiting(call, process);
}

static int open_pidfd(const struct trap_call *call)
{
	int fd = (int)syscall(SYS_pidfd_open, call->tid, PIDFD_THREAD);
	pid_t process;

	if (fd >= 0 || errno != EINVAL)
		return fd < 0 ? -errno : fd;
	/* Before Linux 6.9 only processes have one. */
	process = trap_process(call);
	if (process < 0)
		return process;
	fd = (int)syscall(SYS_pidfd_open, process, 0);
	return fd < 0 ? -errno : fd;
}

int trap_get_fd(const struct trap_call *call, int fd)
{
	cleanup_close int pidfd = open_pidfd(call);
	cleanup_close int copy_fd = -1;

	if (pidfd < 0)
		return if_waiting(call, pidfd);
	copy_fd = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy_fd < 0)
		return if_waiting(call, -errno);
	return if_waiting(call, 0) ?: take_fd(&copy_fd);
}

int trap_fstat(const struct trap_call *call, int fd, struct stat *st)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", call->tid, fd);
	if (stat(path, st))
		return if_waiting(call, errno == ENOENT ? -EBADF : -errno);
	return if_waiting(call, 0);
}

bool trap_fd_is_open(const struct trap_call *call, int fd)
{
	cleanup_close int copy_fd = -1;
	char path[64];
	struct stat st;

	/* The link's mode is how it was opened; for O_PATH it is nothing. */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", call->tid, fd);
	if (lstat(path, &st) == 0 && st.st_mode & 0600)
		return true;
	copy_fd = trap_get_fd(call, fd);
	return copy_fd >= 0 && !(fcntl(copy_fd, F_GETFL) & O_PATH);
}
