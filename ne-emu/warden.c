// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "plumbing/descriptors.h"
#include "plumbing/message.h"

/* From the supervisor: a socket type, or "go". */
#define GO 0

/* From the warden. */
struct answer {
	enum { ANSWER_SOCKET, ANSWER_ENDED } what;
	int error; /* of a socket */
	int code;  /* of the end */
	int status;
};

/* A warden answers at once, or is dead, or has been stopped by somebody. */
#define PATIENCE_S 5

/* --- The warden's side --------------------------------------------------- */

static _Noreturn void run_enclave(const struct warden_enclave *enclave)
{
	close_all_but(enclave->keep[0], enclave->keep[1]);
	enclave->run(enclave->data);
	_exit(1);
}

static int start_enclave(const struct warden_enclave *enclave)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWPID,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		run_enclave(enclave);
	return pid < 0 ? -errno : pidfd;
}

static void make_socket(int supervisor, int type)
{
	struct answer answer = { .what = ANSWER_SOCKET };
	cleanup_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	answer.error = fd < 0 ? errno : 0;
	if (message_send(supervisor, &answer, sizeof(answer), &fd,
			 fd < 0 ? 0 : 1))
		_exit(1);
}

static _Noreturn void tell_end(int supervisor, int pidfd)
{
	struct answer answer = { .what = ANSWER_ENDED };
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0) {
		answer.code = info.si_code;
		answer.status = info.si_status;
		message_send(supervisor, &answer, sizeof(answer), NULL, 0);
	}
	_exit(0);
}

static _Noreturn void serve(int supervisor, int pidfd)
{
	struct pollfd fds[] = { { .fd = supervisor, .events = POLLIN },
				{ .fd = pidfd, .events = POLLIN } };
	int type;

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[1].revents)
			tell_end(supervisor, pidfd);
		if (!fds[0].revents)
			continue;
		if (recv(supervisor, &type, sizeof(type), 0) != sizeof(type))
			_exit(1);
		make_socket(supervisor, type);
	}
}

static _Noreturn void run_warden(int supervisor,
				 const struct warden_enclave *enclave)
{
	int go, pidfd;

	prctl(PR_SET_NAME, "ne-emu-warden");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (recv(supervisor, &go, sizeof(go), 0) != sizeof(go))
		_exit(1);
	pidfd = start_enclave(enclave);
	if (pidfd < 0)
		_exit(1);
	enclave->forget(enclave->data);
	close_all_but(supervisor, pidfd);
	serve(supervisor, pidfd);
}

/* --- Starting it --------------------------------------------------------- */

static bool file_says(const char *path, char wanted)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char first;

	return fd >= 0 && read(fd, &first, 1) == 1 && first == wanted;
}

/* What forbids user namespaces here, and what to do about it. */
static const char *who_forbids(int error)
{
	if (error == ENOSPC || error == EUSERS ||
	    file_says("/proc/sys/user/max_user_namespaces", '0'))
		return "none are allowed, or too many are in use; try: sudo sysctl user.max_user_namespaces=15000";
	if (file_says("/proc/sys/kernel/unprivileged_userns_clone", '0'))
		return "only root may make them; try: sudo sysctl kernel.unprivileged_userns_clone=1";
	if (file_says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
		      '1'))
		return "AppArmor forbids them; try: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0";
	/* Container engines answer clone3 with ENOSYS. */
	if (error == EPERM || error == ENOSYS)
		return "a container's seccomp profile forbids them; try: docker run --security-opt seccomp=unconfined";
	return strerror(error);
}

/*
 * In a process between us and it: fork() makes memory allocation fit to be
 * used in a child, which another thread may be in the midst of; clone3() does
 * not. The warden is our child all the same. As clone_warden().
 */
static long clone_by_fork(const struct clone_args *wanted, int *pidfd)
{
	struct clone_args args = *wanted;
	int pipes[2], status;
	long pid = -EIO;
	pid_t between;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	args.flags = (args.flags & ~(uint64_t)CLONE_PIDFD) | CLONE_PARENT;
	args.exit_signal = 0;
	between = fork();
	if (between == 0) {
		pid = syscall(SYS_clone3, &args, sizeof(args));
		if (pid == 0) {
			close(pipes[0]);
			close(pipes[1]);
			return 0;
		}
		pid = pid < 0 ? -errno : pid;
		_exit(write(pipes[1], &pid, sizeof(pid)) != sizeof(pid));
	}
	close(pipes[1]);
	if (between < 0)
		pid = -errno;
	else {
		if (read(pipes[0], &pid, sizeof(pid)) != sizeof(pid))
			pid = -EIO;
		waitpid(between, &status, 0);
	}
	close(pipes[0]);
	if (pid > 0)
		*pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	return pid;
}

/* 0: this is the warden; else its pid, or a negative errno. */
static long clone_warden(int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_NEWUSER | CLONE_NEWPID |
			 CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid;

	if (!__libc_single_threaded)
		return clone_by_fork(&args, pidfd);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	return pid < 0 ? -errno : pid;
}

int warden_start(struct warden *warden, const struct warden_enclave *enclave,
		 struct ne_error *err)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int pair[2];
	long pid;

	*warden = (struct warden){ .pidfd = -1, .socket = -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return ne_error_set(err, errno, "socketpair: %s",
				    strerror(errno));
	warden->socket = pair[0];
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	pid = clone_warden(&warden->pidfd);
	if (pid == 0) {
		close(pair[0]);
		run_warden(pair[1], enclave);
	}
	close_keeping_errno(pair[1]);
	if (pid < 0)
		return ne_error_set(
			err, (int)-pid,
			"cannot make the enclave's user namespace: %s",
			who_forbids((int)-pid));
	warden->pid = (pid_t)pid;
	if (warden->pidfd < 0)
		return ne_error_set(err, errno, "pidfd_open: %s",
				    strerror(errno));
	return 0;
}

void warden_go(struct warden *warden)
{
	const int go = GO;

	/* If it is dead already, its pidfd tells. */
	message_send(warden->socket, &go, sizeof(go), NULL, 0);
}

/* --- Serving ------------------------------------------------------------- */

/* 0 for an answer about a socket. */
static int receive(struct warden *warden, struct answer *answer, int *fd,
		   int flags)
{
	ssize_t n = message_receive(warden->socket, answer, sizeof(*answer), fd,
				    1, flags);

	if (n != sizeof(*answer))
		return n < 0 ? (int)n : -EPIPE;
	if (answer->what == ANSWER_SOCKET)
		return 0;
	warden->enclave_ended = true;
	warden->code = answer->code;
	warden->status = answer->status;
	return -ESRCH;
}

int warden_make_socket(struct warden *warden, int type)
{
	struct answer answer;
	int fd = -1, r;

	r = message_send(warden->socket, &type, sizeof(type), NULL, 0);
	if (!r)
		r = receive(warden, &answer, &fd, 0);
	if (r)
		return r;
	return fd >= 0 ? fd : -(answer.error ?: EIO);
}

void warden_kill(struct warden *warden)
{
	if (warden->pid)
		kill(warden->pid, SIGKILL);
}

bool warden_reap(struct warden *warden, bool wait)
{
	struct answer answer;
	siginfo_t info = { 0 };
	int fd;

	if (!warden->pid)
		return true;
	while (waitid(P_PIDFD, (id_t)warden->pidfd, &info,
		      WEXITED | (wait ? 0 : WNOHANG)))
		if (errno != EINTR)
			break;
	if (!info.si_pid)
		return false;
	warden->pid = 0;
	while (!warden->enclave_ended &&
	       receive(warden, &answer, &fd, MSG_DONTWAIT) == 0)
		close_keeping_errno(fd);
	return true;
}

void warden_free(struct warden *warden)
{
	warden_kill(warden);
	warden_reap(warden, true);
	close_keeping_errno(take_fd(&warden->pidfd));
	close_keeping_errno(take_fd(&warden->socket));
}
